"""The terminal: how the commands write what they answer.

An answer goes to standard output, as text for people or with `--json` as data for programs. Tables
and long lines are fitted to a terminal, and are plain text in full everywhere else.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

import click

from ocilayout.cli.columns import GAP, fit, full, terminal_width
from ocilayout.layout import acting, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocilayout.cli.columns import Cell
    from ocilayout.model import Descriptor

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
_PLAIN_GAP: Final = 3  # between the columns of a table that is not on a terminal

DIGEST: Final = "DIGEST"
"""The heading of the column with digests, which are never cut, so that they can be copied."""

json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


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


def table(rows: Sequence[Sequence[Cell]], *, drop: Sequence[str] = (), prose: str = "") -> None:
    """Write a table to standard output, one line a row.

    On a terminal it is made to fit as `fit` says; a digest is never cut. Anywhere else all columns
    are written in full.

    Args:
        rows: The cells, row by row; the first row is the heading. They are made printable.
        drop: The headings of the columns that may be dropped, in this order. A column without any
            content goes before all of them.
        prose: The heading of a column with sentences, which are cut at their ends.
    """
    rows = [[_printable_cell(cell) for cell in row] for row in rows]
    headings = [full(cell) for cell in rows[0]]
    drop = [heading for heading in headings if heading in drop and _is_empty(rows, heading)] + [
        heading for heading in drop if not _is_empty(rows, heading)
    ]
    on_terminal = sys.stdout.isatty()
    if on_terminal:
        lines = fit(
            rows,
            terminal_width(),
            shorten=_at(headings, (DIGEST, *drop)),
            drop=_at(headings, drop),
            whole=_at(headings, (DIGEST,)),
            prose=_at(headings, (prose,)),
            ellipsis=ellipsis(),
        )
    else:
        lines = fit(rows, sys.maxsize)
    for number, cells in enumerate(lines):
        line = (" " * (GAP if on_terminal else _PLAIN_GAP)).join(cells).rstrip()
        say(click.style(line, bold=True) if number == 0 else line)


def line_of(*cells: Cell) -> str:
    """Return cells in one line, made printable, as many as fit a terminal; see `fit`."""
    width = terminal_width() if sys.stdout.isatty() else sys.maxsize
    (texts,) = fit([list(map(_printable_cell, cells))], width, ellipsis=ellipsis())
    return (" " * GAP).join(texts)


def flow(text: str, *, indent: int = 0) -> str:
    """Return a line as it is, or on a terminal broken between words, each line after it indented.

    No word is broken, so a path or a digest that is longer than the line can be copied.
    """
    if not sys.stdout.isatty():
        return text
    lines = textwrap.wrap(
        text,
        terminal_width(),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


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


def digest_cell(digest: str) -> Cell:
    """Return the cell of a digest: its beginning, and without its algorithm if that is sha256."""
    return short(digest), short(digest).removeprefix("sha256:")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 blob` or `2 blobs`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def ellipsis() -> str:
    """Return what stands where text was cut, in the encoding of standard output."""
    return "…" if can_write("…") else "..."


def _at(headings: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [headings.index(heading) for heading in wanted if heading in headings]


def _is_empty(rows: Sequence[Sequence[Cell]], heading: str) -> bool:
    at = [full(cell) for cell in rows[0]].index(heading)
    return not any(full(row[at]) for row in rows[1:])


def _printable_cell(cell: Cell) -> Cell:
    return printable(cell) if isinstance(cell, str) else (printable(cell[0]), printable(cell[1]))
