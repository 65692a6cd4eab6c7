"""The manners of our commands: how they answer, how they fail, and how they end.

An answer goes to standard output, as text for people or with `--json` as data for programs; an
error is one line on standard error. Exit status: 0 done, 1 failed, 2 used wrongly; 130 after
Ctrl-C and 141 when nobody reads on, as programs that a signal ends. Tables are drawn to fit on a
terminal, and are plain aligned text everywhere else. No verb of any command is in here.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any, ClassVar, Final

import click

from ocilayout.cli.extra import advice
from ocilayout.disk import acting, describe
from ocilayout.errors import OciLayoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130
"""The exit status of a program that SIGINT ends, as shells tell it."""

UNREAD: Final = 141
"""The exit status of a program that SIGPIPE ends, as shells tell it."""

_LONGEST_ERROR: Final = 1000  # characters; a document may have thousands of problems
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_CONTROL: Final = re.compile("[\x7f-\x9f]")  # those below need escapes in JSON anyway
_SHORT_DIGEST: Final = 12  # digits

json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


class Failing(click.Group):
    """A group whose commands report what goes wrong as one line, and end as a program should.

    Attributes:
        failures: The errors that are answers; any other is a defect, and shows its traceback.
    """

    failures: ClassVar[tuple[type[Exception], ...]] = (OciLayoutError, OSError)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 # as click has it
        """Run the command that was asked for.

        Raises:
            ClickException: It failed.
            Exit: It was interrupted, or nobody reads what it answers.
        """
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        _write_anything()
        try:
            return self._invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _forsake_stdout()
            ctx.exit(UNREAD)
        except ModuleNotFoundError as error:
            message = advice(error)
            if message is None:
                raise
            raise click.ClickException(message) from error
        except self.failures as error:
            raise click.ClickException(one_line(error)) from error

    def _invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        try:
            return super().invoke(ctx)
        finally:
            with acting("write", "standard output"):
                sys.stdout.flush()  # here, where it may fail


def answer(data: object, text: str = "", *, as_json: bool = True, err: bool = False) -> None:
    """Write an answer to standard output.

    Args:
        data: The answer for programs.
        text: The answer for people; nothing is written if it is empty.
        as_json: Who asks.
        err: Whether standard error takes it, since standard output carries content.
    """
    if as_json:
        # Text that standard output cannot take has an escape in JSON, but no other.
        said = json.dumps(data, indent=2, ensure_ascii=False)
        if not can_write(said):
            said = json.dumps(data, indent=2)
        say(_CONTROL.sub(lambda char: f"\\u{ord(char[0]):04x}", said), err=err)
    elif text:
        say(text, err=err)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Write a table to standard output, fitted to the terminal if it is one.

    Args:
        rows: The cells, row by row; the first row is the heading.
    """
    if sys.stdout.isatty():
        _draw(rows)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("   ".join(cells).rstrip())


def say(text: str, *, err: bool = False) -> None:
    """Write a line to standard output, or to standard error."""
    with acting("write", "standard error" if err else "standard output"):
        click.echo(text, err=err)


def one_line(error: Exception) -> str:
    """Return what an error says, in one line of a bounded length, safe for a terminal."""
    text = str(error)
    if isinstance(error, OSError):
        text = describe(error)
    return printable(textwrap.shorten(text, _LONGEST_ERROR, placeholder=" ..."))


def printable(text: str) -> str:
    """Return text without what a terminal would obey: control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def can_write(text: str) -> bool:
    """Tell whether standard output has an encoding for text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def size_text(size: int) -> str:
    """Return a size in bytes as people read it, such as `1.5 MiB`."""
    if size < 1024:  # noqa: PLR2004 # what KiB means
        return f"{size} B"
    unit = min(len(_UNITS), (size.bit_length() - 1) // 10)
    return f"{size / 1024**unit:.1f} {_UNITS[unit - 1]}"


def short(digest: str) -> str:
    """Return the beginning of a digest; where one is asked for, it will do if it is unique."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}:{encoded[:_SHORT_DIGEST]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things, such as `1 blob` or `2 blobs`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _draw(rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 # not loaded before it is needed
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    heading, *body = rows
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for cell in heading:
        drawn.add_column(cell, overflow="fold")
    for row in body:
        drawn.add_row(*(Text(cell) for cell in row))  # never markup: names are what they are
    Console().print(drawn)


def _write_anything() -> None:
    """Let text that a stream's encoding lacks be escaped, as paths and names may hold any."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forsake_stdout() -> None:
    """Let what is still to be written go nowhere, lest the interpreter fails on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
