"""Groups of verbs: how the commands help, fail and end.

An error is one line on standard error. Exit status: 0 done, 1 failed, 2 usage error; 130 after
Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, and 141 when the reader of a pipe is gone, as for
programs that a signal ends.
"""

# ruff: noqa: ANN401 # what click passes on has any type

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

import click

from ocilayout.cli.columns import terminal_width
from ocilayout.cli.program import INTERRUPTED, UNREAD, discard, run
from ocilayout.cli.terminal import one_line
from ocilayout.errors import OciLayoutError
from ocilayout.extra import advice
from ocilayout.layout import acting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NARROW: Final = 60  # columns, below which help has no room for two
_LONGEST_HELP: Final = 1000  # characters of the first sentence of a verb


def examples(*lines: str) -> str:
    """Return the end of a help: examples, one a line."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class _Help(click.HelpFormatter):
    """Help that fits a terminal of any width; click writes at least 50 columns."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if sys.stdout.isatty():
            self.width = min(self.width, terminal_width())

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        """Write terms and what they mean; a long term stands alone where there is little room."""
        if self.width < _NARROW:
            kwargs["col_max"] = self.width // 3
        super().write_dl(rows, *args, **kwargs)


class _Context(click.Context):
    formatter_class = _Help


class Verbs(click.Group):
    """A group of verbs whose help lists each in full."""

    context_class = _Context

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a verb, and let its help fit the terminal."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            command.context_class = _Context
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with the whole first sentence of each."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, verb.get_short_help_str(limit=_LONGEST_HELP))
                    for name, verb in verbs
                    if verb is not None
                ]
            )


class Failing(Verbs):
    """A group of commands that reports an error in one line and sets the exit status.

    Attributes:
        failures: The errors that are reported so; any other is a defect and shows its traceback.
    """

    failures: ClassVar[tuple[type[Exception], ...]] = (OciLayoutError, OSError)

    def main(  # type: ignore[override] # click has overloads
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **options: Any
    ) -> Any:
        """Run the command and exit with its status.

        Without arguments it is the program that this process is; see `ocilayout.cli.program`.
        """
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **options)

        def command() -> int:
            try:
                with self._reporting():
                    status = super(Failing, self).main(args, standalone_mode=False, **options)
            except click.exceptions.Exit as done:
                return done.exit_code
            except click.Abort:  # Ctrl-C, or the end of standard input, at a prompt
                return INTERRUPTED
            except click.ClickException as error:
                with suppress(OSError):  # standard error may be gone, too
                    error.show()
                return error.exit_code
            return status or 0

        return run(command) if args is None else sys.exit(command())

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options of the group, which may answer, such as with its help.

        Raises:
            ClickException: The answer cannot be written.
            Exit: It was written, or its reader is gone.
        """
        with self._reporting(), acting("write", "standard output"):
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            ClickException: It failed.
            Exit: It was interrupted, or the reader of its answer is gone.
        """
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            ctx.color = False
        _write_anything()
        with self._reporting():
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        finally:
            with acting("write", "standard output"):
                sys.stdout.flush()  # here, where it may fail

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            discard(sys.stdout.fileno())
            raise click.exceptions.Exit(UNREAD) from None
        except ModuleNotFoundError as error:
            message = advice(error)
            if message is None:
                raise
            raise click.ClickException(message) from error
        except self.failures as error:
            raise click.ClickException(one_line(error)) from error


def _write_anything() -> None:
    """Escape what the encoding of a stream lacks, since paths and names may have any character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
