"""Notes: everything in spec-notes that can be looked up, by its name and by words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout.check.finding import KINDS
from ocilayout.check.note import iter_notes, named_notes, search_notes
from ocilayout.check.requirement import iter_requirements
from ocilayout.errors import NotFoundError
from tests.unit.check.conftest import NOTES

if TYPE_CHECKING:
    from pathlib import Path

PAGES = NOTES.parent


def test_all_rows_codes_decisions_and_cases_are_notes() -> None:
    """Each once, with a page that exists, and no page of decisions without a note."""
    notes = list(iter_notes())
    names = {
        kind: [note.name for note in notes if note.kind == kind]
        for kind in ("requirement", "problem", "decision", "behaviour")
    }
    assert names["requirement"] == [row.id for row in iter_requirements()]
    assert names["problem"] == list(KINDS)
    pages = sorted(page.name for page in PAGES.glob("decisions/*.md"))
    assert names["decision"] == [page[:4] for page in pages]
    table = (PAGES / "behaviours.md").read_text().splitlines()
    cases = [line.split("`")[1] for line in table if line.startswith("| `")]
    assert names["behaviour"] == cases
    for note in notes:
        assert note.page.is_file()
        assert note.about
    assert len({(note.kind, note.name) for note in notes}) == len(notes)


def test_a_behaviour_has_what_each_asked_program_does() -> None:
    """By the names in the heading of its own table, without the programs that were not asked."""
    (note,) = named_notes("layers-null")
    assert note.details == {
        "ocilayout": "reads",
        "skopeo": "reads",
        "umoci": "reads no layer",
        "buildah": "reads",
        "oci-image-tool": "refuses",
        "oras-py": "refuses",
        "docker-registry": "accepts it",
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("descriptor:size", [("requirement", "descriptor:size")]),
        ("leftover", [("problem", "leftover")]),
        ("bad-size", [("problem", "bad-size"), ("requirement", "descriptor:size")]),
        (
            "duplicate-name",
            [
                ("problem", "duplicate-name"),
                ("behaviour", "duplicate-name"),
                ("requirement", "annotations:same-name"),
            ],
        ),
        ("0005", [("decision", "0005")]),
        ("5", [("decision", "0005")]),
        ("9999", []),
        ("size", []),
        ("", []),
    ],
)
def test_a_name_means_what_has_it(name: str, found: list[tuple[str, str]]) -> None:
    """A problem brings its requirement along; a number needs no zeros."""
    assert [(note.kind, note.name) for note in named_notes(name)] == found


@pytest.mark.parametrize(
    "words",
    [
        ("duplicate", "names"),
        ("duplicate names",),
        ("NAME", "Duplicates"),
        ("names", "duplicate"),
    ],
)
def test_words_are_searched_for_together(words: tuple[str, ...]) -> None:
    """All of them, in any order, case and number; requirements, problems and what programs do."""
    found = {(note.kind, note.name) for note in search_notes(*words)}
    assert {
        ("requirement", "considerations:duplicate-keys"),
        ("problem", "duplicate-name"),
        ("behaviour", "duplicate-name"),
        ("behaviour", "duplicate-key"),
        ("decision", "0090"),
    } <= found
    assert ("behaviour", "deep") not in found


def test_names_with_the_words_come_first() -> None:
    """Behind them come the notes that only speak of them."""
    found = [note.name for note in search_notes("negative")]
    assert found[:2] == ["entry-negative", "layer-negative"]
    assert "descriptor:size" in found[2:]


@pytest.mark.parametrize(("word", "other"), [("entry", "entries"), ("key", "keys")])
def test_one_and_many_find_the_same(word: str, other: str) -> None:
    """Whichever of the two is asked for."""
    assert search_notes(word) == search_notes(other)


def test_what_nothing_is_about_is_an_error() -> None:
    """It names what is most like the text."""
    with pytest.raises(NotFoundError, match="descriptor:digest-grammar"):
        search_notes("descriptor:digest-gramar")
    for text in ("zebra", "", "?"):
        with pytest.raises(NotFoundError, match="there is nothing about"):
            search_notes(text)


def test_pages_of_another_folder_can_be_read(tmp_path: Path) -> None:
    """The folder is an argument, as for the rows."""
    for page in PAGES.glob("*.md"):
        (tmp_path / page.name).write_text(page.read_text())
    notes = list(iter_notes(tmp_path))
    assert {note.page.parent for note in notes} == {tmp_path}
    assert "decision" not in {note.kind for note in notes}
