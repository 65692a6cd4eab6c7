"""Columns: how a table fits the width of a terminal, one line a row.

What is too wide is made narrower in steps, and only as far as it must be: cells take their brief
form, then columns are dropped, both in the order that the table states, and at last the widest
column is cut: sentences at their ends before names in the middle. Widths are in cells of the
terminal, of which a wide character takes two and a combining mark none.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

Cell = str | tuple[str, str]
"""The text of a cell, perhaps with a brief form that says the same or nearly so."""

GAP: Final = 2
"""The space between two columns on a terminal, in cells."""

_LEAST: Final = 6
"""The width to which a column may be cut, in cells: below that a name says nothing."""


def terminal_width() -> int:
    """Return the width of the terminal, in cells: `COLUMNS` if it is set, else what it says."""
    return shutil.get_terminal_size().columns


def full(cell: Cell) -> str:
    """Return the full text of a cell."""
    return cell if isinstance(cell, str) else cell[0]


def brief(cell: Cell) -> str:
    """Return the brief form of a cell, or its text."""
    return cell if isinstance(cell, str) else cell[1]


def cell_width(text: str) -> int:
    """Return the width of text, in cells."""
    if text.isascii() and text.isprintable():  # as nearly always; rich takes a while to load
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 # not loaded before it is needed

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Return text with spaces behind it up to a width."""
    return text + " " * (width - cell_width(text))


def cut(text: str, width: int, *, ellipsis: str, at_end: bool = False) -> str:
    """Return text cut to a width, in the middle, or at its end.

    Args:
        text: The text.
        width: The width, in cells, >= 1.
        ellipsis: What stands where something was cut.
        at_end: Whether to cut at the end, as suits a sentence; both ends of a name matter.
    """
    if cell_width(text) <= width:
        return text
    room = width - cell_width(ellipsis)
    if room < 1:
        return "".join(_beginning(text, width))
    if at_end:
        return "".join(_beginning(text, room)).rstrip() + ellipsis
    left = "".join(_beginning(text, room - room // 2))
    right = "".join(_beginning(text[::-1], room // 2))[::-1]
    while right and cell_width(right[0]) == 0:  # a mark whose letter was cut
        right = right[1:]
    return left + ellipsis + right


def fit(
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    shorten: Sequence[int] = (),
    drop: Sequence[int] = (),
    whole: Collection[int] = (),
    prose: Collection[int] = (),
    ellipsis: str = "…",
) -> list[list[str]]:
    """Return rows that fit a width, all with the same columns, each cell as wide as its column.

    Args:
        rows: The cells, row by row, all of the same number.
        width: The width, in cells.
        shorten: The columns that take their brief forms, in this order; by default from the left.
        drop: The columns that may be dropped, in this order.
        whole: The columns that are never cut.
        prose: The columns that are cut at their ends.
        ellipsis: What stands where something was cut.
    """
    columns = {at: [full(row[at]) for row in rows] for at in range(len(rows[0]))}
    widths = {at: max(map(cell_width, column)) for at, column in columns.items()}

    def excess() -> int:
        return sum(widths.values()) + GAP * (len(widths) - 1) - width

    for at in shorten or range(len(rows[0])):
        if excess() > 0:
            columns[at] = [brief(row[at]) for row in rows]
            widths[at] = max(map(cell_width, columns[at]))
    for at in drop:
        if excess() > 0:
            del columns[at], widths[at]
    cuttable = [at for at in widths if at not in whole and widths[at] > _LEAST]
    while cuttable and excess() > 0:
        widest = max(cuttable, key=lambda at: (at in prose, widths[at]))
        widths[widest] -= 1
        cuttable = [at for at in cuttable if widths[at] > _LEAST]
    for at, column in columns.items():
        columns[at] = [
            cut(text, widths[at], ellipsis=ellipsis, at_end=at in prose) for text in column
        ]
    return [
        [padded(text, widths[at]) for at, text in zip(columns, row, strict=True)]
        for row in zip(*columns.values(), strict=True)
    ]


def _beginning(text: str, width: int) -> Iterator[str]:
    for char in text:
        width -= cell_width(char)
        if width < 0:
            return
        yield char
