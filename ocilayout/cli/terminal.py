"""The terminal: how the commands answer, fail and end.

An answer goes to standard output, as text for people or with `--json` as data for programs; an
error is one line on standard error. Exit status: 0 done, 1 failed, 2 usage error; 130 after
Ctrl-C and 141 when the reader of a pipe is gone, as for programs that a signal ends. Tables are
fitted to a terminal, and are plain aligned text everywhere else.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

import click

from ocilayout.errors import OciLayoutError
from ocilayout.extra import advice
from ocilayout.layout import acting, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocilayout.model import Descriptor

INTERRUPTED: Final = 130
"""The exit status that shells report of a program that SIGINT ended."""

UNREAD: Final = 141
"""The exit status that shells report of a program that SIGPIPE ended."""

_MORE: Final = " ..."
_LONGEST_ERROR: Final = 1000  # characters; a document may have thousands of problems
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_CONTROL: Final = re.compile("[\x7f-\x9f]")  # `json` escapes the control characters below these
# A character with the property Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) is
# invisible. These are the fillers, joiners and variation selectors among them, which `isprintable`
# takes for printable; it already refuses the others, which are formats (Cf), such as the tags from
# U+E0000 on, or not assigned (Cn).
_IGNORABLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SHORT_DIGEST: Final = 12  # digits

json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


def examples(*lines: str) -> str:
    """Return the end of a help: examples, one a line."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class Failing(click.Group):
    """A group of commands that reports an error in one line and sets the exit status.

    Attributes:
        failures: The errors that are reported so; any other is a defect and shows its traceback.
    """

    failures: ClassVar[tuple[type[Exception], ...]] = (OciLayoutError, OSError)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 # as click has it
        """Run the command.

        Raises:
            ClickException: It failed.
            Exit: It was interrupted, or the reader of its answer is gone.
        """
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        _write_anything()
        try:
            return self._invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _discard_stdout()
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
        data: The answer for programs. On a terminal its unprintable characters are escaped as JSON
            allows, so that a program reads the same value in any case.
        text: The answer for people, in lines; nothing is written if it is empty. It is made
            printable, wherever it goes.
        as_json: Whether to answer with `data`.
        err: Whether to write to standard error, because standard output carries content.
    """
    if as_json:
        # What the stream cannot encode is escaped as JSON does it, and not with a backslash.
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
        rows: The cells, row by row; the first row is the heading. They are made printable.
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
    """Return the message of an error in one printable line of at most 1,000 characters."""
    text = str(error)
    if isinstance(error, OSError):
        text = describe(error)
    text = printable(" ".join(text.split()))
    if len(text) <= _LONGEST_ERROR:
        return text
    return f"{text[: _LONGEST_ERROR - len(_MORE)].rstrip()}{_MORE}"


def printable(text: str) -> str:
    """Return text with the characters escaped that a terminal would obey or not show.

    Those are control characters, formats such as direction marks, line separators, and invisible
    ones: joiners, fillers, tags, variation selectors. Combining marks stay, since many scripts are
    written with them.
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
    """Return the JSON escape of a character: two, a surrogate pair, above U+FFFF."""
    data = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


def can_write(text: str, stream: TextIO | None = None) -> bool:
    """Tell whether the encoding of a stream, by default standard output, has all characters."""
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


def content_data(content: Descriptor | None) -> dict[str, object]:
    """Return a plain descriptor for programs."""
    if content is None:
        return {"digest": None, "mediaType": None, "size": None}
    return {"digest": content.digest, "mediaType": content.media_type, "size": content.size}


def short(digest: str) -> str:
    """Return the beginning of a digest, which commands take for it where it is unique."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}:{encoded[:_SHORT_DIGEST]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 blob` or `2 blobs`."""
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
        drawn.add_row(*(Text(cell) for cell in row))  # never as markup, which a name may look like
    Console().print(drawn)


def _write_anything() -> None:
    """Escape what the encoding of a stream lacks, since paths and names may have any character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    """Discard what is still buffered, on which the interpreter would fail when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
