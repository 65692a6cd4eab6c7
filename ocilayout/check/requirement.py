"""The requirements of the specifications, as rows of spec-notes: what is asked, and what is done.

The tables are read from the pages themselves, which the wheel carries; there is no other list of
requirements. Whether the rows are true of code and tests is for the tests to say.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from attrs import frozen

from ocilayout.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

Level = Literal["MUST", "SHOULD", "MAY", "open"]
"""How strongly the text asks; `open` where it does not, and the row is a choice of ours."""

PAGES: Final = (
    "image-layout",
    "descriptor",
    "image-index",
    "manifest",
    "config",
    "layer",
    "annotations",
    "considerations",
    "media-types",
    "distribution",
)
"""The pages with tables, in the order in which a newcomer reads them."""

NOTHING: Final = "\N{EN DASH}"
"""What stands in a cell that is empty."""

NOT_OURS: Final = "Not ours: "
"""How the cell begins that says why nothing here has to do with a requirement."""

_ROW = re.compile(r"\| (?=[a-z-]+:)")
_CELL_END = re.compile(r"(?<!\\)\|")
_CELLS: Final = 6


@frozen(kw_only=True)
class Requirement:
    """One row: a requirement, and what is done about it.

    Attributes:
        id: The page and a name, such as `descriptor:digest-grammar`.
        level: How strongly the text asks; prohibitions count as what they are the reverse of.
        text: What it asks, in our words, in Markdown.
        ours: What is done here, or why not, in Markdown.
        modules: The modules that do it, by their full names; none if the requirement is not ours.
        tests: The tests that hold it, by their paths below `tests/` and their names.
    """

    id: str
    level: Level
    text: str
    ours: str
    modules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """The page that the row stands on."""
        return self.id.partition(":")[0]

    @property
    def is_ours(self) -> bool:
        """Whether anything here has to do with it."""
        return not self.ours.startswith(NOT_OURS)


def iter_requirements(folder: Path | None = None) -> Iterator[Requirement]:
    """Give all rows, page by page, in the order of the pages.

    Args:
        folder: Where the pages are; by default those that were installed.

    Raises:
        ValueError: A row is malformed.
        OSError: A page cannot be read.
    """
    folder = _installed() if folder is None else folder
    for page in PAGES:
        yield from parse_page((folder / f"{page}.md").read_text(encoding="utf-8"))


def find_requirement(requirement: str) -> Requirement:
    """Return the row of an id.

    Raises:
        NotFoundError: There is no such row; the error names those that are most like it.
    """
    rows = {row.id: row for row in iter_requirements()}
    if requirement in rows:
        return rows[requirement]
    from difflib import get_close_matches  # noqa: PLC0415 # it takes longer than all else here

    near = get_close_matches(requirement, rows, n=3)
    hint = f"; {' and '.join(near)} come near" if near else ""
    raise NotFoundError(f"there is no requirement {requirement!r}{hint}")


def parse_page(text: str) -> Iterator[Requirement]:
    """Give the rows of one page; all other lines are ignored.

    Raises:
        ValueError: A row has more or fewer cells than it must, an empty one, or an unknown level.
    """
    for line in text.splitlines():
        if _ROW.match(line):
            yield _parse_row(line)


def _parse_row(line: str) -> Requirement:
    cells = [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line)][1:-1]
    if len(cells) != _CELLS or not all(cells):
        raise ValueError(f"a row has {_CELLS} cells and none is empty: {line}")
    requirement, level, asked, ours, modules, tests = cells
    if level not in get_args(Level):
        raise ValueError(f"{level} is not a level: {line}")
    return Requirement(
        id=requirement,
        level=cast("Level", level),
        text=asked,
        ours=ours,
        modules=_listed(modules),
        tests=_listed(tests),
    )


def _listed(cell: str) -> tuple[str, ...]:
    return () if cell == NOTHING else tuple(cell.replace("`", "").split(", "))


def _installed() -> Path:
    # A wheel carries the pages inside the package; in a checkout they lie beside it.
    package = Path(__file__).parents[1]
    inside = package / "spec-notes"
    return inside if inside.is_dir() else package.parent / "spec-notes"
