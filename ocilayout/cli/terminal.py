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
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

import click

from ocilayout.cli.extra import advice
from ocilayout.errors import OciLayoutError
from ocilayout.layout import acting, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERRUPTED: Final = 130
"""The exit status of a program that SIGINT ends, as shells tell it."""

UNREAD: Final = 141
"""The exit status of a program that SIGPIPE ends, as shells tell it."""

_MORE: Final = " ..."
_LONGEST_ERROR: Final = 1000  # characters; a document may have thousands of problems
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_CONTROL: Final = re.compile("[\x7f-\x9f]")  # those below need escapes in JSON anyway
# Unicode, DerivedCoreProperties.txt: what has Default_Ignorable_Code_Point shows nothing. Here are
# the fillers, joiners and variation selectors that Python calls printable; it does not call so the
# others, which are formats (Cf), the tags from U+E0000 on among them, or not assigned (Cn).
_IGNORABLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
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
        data: The answer for programs. On a terminal what it would obey, and what it would not show,
            is escaped as JSON does it, so that programs get the same value in any case.
        text: The answer for people, in lines; nothing is written if it is empty. What a terminal
            would obey, and what it would not show, is escaped, wherever it goes.
        as_json: Who asks.
        err: Whether standard error takes it, since standard output carries content.
    """
    if as_json:
        # Text that the stream cannot take has an escape in JSON, but no other.
        stream = sys.stderr if err else sys.stdout
        said = json.dumps(data, indent=2, ensure_ascii=False)
        if not can_write(said, stream):
            said = json.dumps(data, indent=2)
        if stream.isatty():
            said = "\n".join(_escaped(line, _in_json) for line in said.split("\n"))
        say(_CONTROL.sub(lambda char: _in_json(char[0]), said), err=err)
    elif text:
        say("\n".join(map(printable, text.split("\n"))), err=err)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Write a table to standard output, fitted to the terminal if it is one.

    Args:
        rows: The cells, row by row; the first row is the heading. What a terminal would obey, and
            what it would not show, is escaped.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
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
    text = printable(" ".join(text.split()))
    if len(text) <= _LONGEST_ERROR:
        return text
    return f"{text[: _LONGEST_ERROR - len(_MORE)].rstrip()}{_MORE}"


def printable(text: str) -> str:
    """Return text without what a terminal would obey or not show, which is escaped.

    Those are control characters, formats such as the controls of direction, separators of lines,
    and all that is invisible: joiners, fillers, tags, variation selectors. Marks that combine with
    a letter stay: many scripts are written with them.
    """
    return _escaped(text, lambda char: char.encode("unicode_escape").decode())


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable() and _IGNORABLE.search(text) is None:
        return text
    return "".join(
        char if char.isprintable() and _IGNORABLE.match(char) is None else escape(char)
        for char in text
    )


def _in_json(char: str) -> str:
    """Return a character as JSON escapes it, in two parts above U+FFFF."""
    data = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


def can_write(text: str, stream: TextIO | None = None) -> bool:
    """Tell whether a stream, by default standard output, has an encoding for text."""
    try:
        text.encode((sys.stdout if stream is None else stream).encoding or "ascii")
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
