"""What can be looked up in spec-notes: requirements, problems, decisions, and what programs do.

All is read from the pages that the wheel carries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import field, frozen

from ocilayout.check.requirement import (
    NOTHING,
    Requirement,
    cells_of,
    installed_notes,
    iter_requirements,
)
from ocilayout.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TITLE: Final = "# "
_NUMBER = re.compile(r"[0-9]{1,4}")
_WORD = re.compile(r"[a-z0-9]+")


@frozen(kw_only=True)
class Note:
    """Something that can be looked up.

    Attributes:
        kind: What it is; a `behaviour` is what programs do with one odd layout.
        name: The id, the code, the number, or the case.
        about: What it is about, in Markdown.
        details: The rest of it, by the nouns of its parts; a decision has its whole page.
        page: Where it is to be read.
        row: The whole row of a requirement; `None` for other notes.
    """

    kind: Literal["requirement", "problem", "decision", "behaviour"]
    name: str
    about: str
    details: Mapping[str, str] = field(factory=dict)
    page: Path
    row: Requirement | None = None


def iter_notes(folder: Path | None = None) -> Iterator[Note]:
    """Give all notes: requirements, problems, decisions, behaviours, each in their order.

    Args:
        folder: Where the pages are; by default those that were installed.

    Raises:
        ValueError: A row of a table is malformed.
        OSError: A page cannot be read.
    """
    folder = installed_notes() if folder is None else folder
    for row in iter_requirements(folder):
        yield Note(
            kind="requirement",
            name=row.id,
            about=row.text,
            details={"level": row.level, "here": row.ours},
            page=folder / f"{row.page}.md",
            row=row,
        )
    yield from _problems(folder / "problems.md")
    for page in sorted((folder / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        yield Note(
            kind="decision",
            name=page.name.partition("-")[0],
            about=text.partition("\n")[0].removeprefix(_TITLE),
            details={"text": text},
            page=page,
        )
    yield from _behaviours(folder / "behaviours.md")


def _problems(page: Path) -> Iterator[Note]:
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            code, severity, requirement, about, repair = cells_of(line)
            details = {"severity": severity, "requirement": requirement, "repair": repair}
            yield Note(
                kind="problem",
                name=code.strip("`"),
                about=about,
                details={noun: text for noun, text in details.items() if text != NOTHING},
                page=page,
            )


def _behaviours(page: Path) -> Iterator[Note]:
    programs: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = cells_of(line)
        if line.startswith("| case "):
            programs = [cell.strip("*") for cell in cells[2:]]
        elif line.startswith("| `"):
            case, about, *done = cells
            said = dict(zip(programs, done, strict=True))
            yield Note(
                kind="behaviour",
                name=case.strip("`"),
                about=about,
                details={program: text for program, text in said.items() if text != "-"},
                page=page,
            )


def named_notes(name: str, notes: Iterable[Note] | None = None) -> list[Note]:
    """Return the notes with a name, and after a problem also the requirement that it is about.

    Args:
        name: An id, a code, a case, or a number with or without its zeros.
        notes: The notes to look through; by default all.

    Raises:
        OSError: A page cannot be read.
    """
    notes = list(iter_notes() if notes is None else notes)
    if _NUMBER.fullmatch(name):
        name = name.zfill(4)
    found = [note for note in notes if note.name == name]
    about = {note.details.get("requirement") for note in found}
    return found + [note for note in notes if note.name in about]


def search_notes(*words: str, notes: Iterable[Note] | None = None) -> list[Note]:
    """Return the notes with all of some words, those first that have them in their names.

    A word is found in any case and number, and where it is the beginning of another.

    Args:
        words: Words, or texts of several words.
        notes: As for `named_notes`.

    Raises:
        NotFoundError: There is no such note; the error has the names that are most like it.
        OSError: A page cannot be read.
    """
    notes = list(iter_notes() if notes is None else notes)
    text = " ".join(words)
    stems = [_stem(word) for word in _WORD.findall(text.lower())]
    found = [note for note in notes if stems and _has(stems, _searched(note))]
    if found:
        return sorted(found, key=lambda note: not _has(stems, note.name))
    from difflib import get_close_matches  # noqa: PLC0415 # it takes longer than all else here

    near = get_close_matches(text, dict.fromkeys(note.name for note in notes), n=3)
    hint = f"; {' and '.join(near)} come near" if near else ""
    raise NotFoundError(f"there is nothing about {text!r} in spec-notes{hint}")


def _searched(note: Note) -> str:
    if note.kind == "behaviour":  # otherwise the name of a program would find all of them
        return f"{note.name} {note.about}"
    if note.kind == "decision":  # title and question; the reasons have too many words
        return note.details["text"].partition("**Choice.**")[0]
    return " ".join([note.name, note.about, *note.details.values()])


def _stem(word: str) -> str:
    for ending in ("ies", "y", "s"):  # so that "entries" finds "entry", and the other way round
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word.removesuffix(ending)
    return word


def _has(stems: list[str], text: str) -> bool:
    words = _WORD.findall(text.lower())
    return all(any(word.startswith(stem) for word in words) for stem in stems)
