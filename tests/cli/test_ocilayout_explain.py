"""`ocilayout explain`: requirements, problems, decisions, and what programs do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from ocilayout import Digest, Layout
from ocilayout.check.finding import KINDS
from ocilayout.check.note import iter_notes
from ocilayout.check.requirement import find_requirement, iter_requirements
from ocilayout.cli import main

if TYPE_CHECKING:
    from tests.cli.conftest import Command

NOTES = Path(__file__).parents[2] / "spec-notes"


def test_what_check_says_can_be_explained(command: Command, layout: Layout) -> None:
    """The requirement of every kind of problem can be explained."""
    layout.blobs.path(Digest.of(b"one")).write_bytes(b"two")
    (problem,) = command.answer("check", "lay", status=1)["problems"]
    first = command.lines("explain", problem["requirement"])[0]
    assert first == "image-layout:blob-content (MUST)"
    for kind in KINDS.values():
        assert not kind.requirement or command.lines("explain", kind.requirement)


def test_all_cells_are_shown_and_where_links_lead(command: Command) -> None:
    """The text has a line for each part, with the paths of links, modules and tests."""
    row = find_requirement("image-index:first-match")
    asked, here, *rest = command.lines("explain", row.id)[1:]
    assert asked == f"  asks    {row.text}"
    assert here.startswith("  here    ")
    assert here.endswith("0062 (spec-notes/decisions/0062-first-match.md).")
    assert rest == [
        *(f"  module  {module}" for module in row.modules),
        *(f"  test    tests/{test}" for test in row.tests),
        f"  page    {NOTES / 'image-index.md'}",
    ]


def test_programs_get_the_cells(command: Command) -> None:
    """The JSON has the cells as the notes have them."""
    row = find_requirement("distribution:chunks")
    assert command.answer("explain", row.id) == {
        "id": row.id,
        "level": "MUST",
        "asks": row.text,
        "here": row.ours,
        "modules": ["ocilayout.registry.upload"],
        "tests": ["unit/registry/test_upload.py::test_any_blob_arrives_in_chunks"],
        "page": str(NOTES / "distribution.md"),
    }


@pytest.mark.parametrize("requirement", ["descriptor:digest-gramar", "digest-gramar"])
def test_an_unknown_id_is_an_error_that_helps(command: Command, requirement: str) -> None:
    """The error about a misspelt id names the right one."""
    assert "descriptor:digest-grammar" in command.error("explain", requirement)


def test_a_part_of_an_id_is_enough(command: Command) -> None:
    """Without its page, it is searched for."""
    assert "descriptor:digest-grammar" in command.text("explain", "digest-grammar")


def test_a_problem_is_explained_with_its_requirement(command: Command) -> None:
    """By its code: what it means and what a repair does, and then the row that it is about."""
    code = "missing-blobs-folder"
    shown = command.lines("explain", code)
    assert shown[0] == f"{code} (error)"
    assert shown[1] == "  means        There is no folder `blobs`."
    assert "  repair       creates the folder, unless something else has its name" in shown
    assert f"  page         {NOTES / 'problems.md'}" in shown
    assert "image-layout:blobs-folder (MUST)" in shown
    notes = command.answer("explain", code)["notes"]
    assert [(note["kind"], note["name"]) for note in notes] == [
        ("problem", code),
        ("requirement", "image-layout:blobs-folder"),
    ]


@pytest.mark.parametrize("number", ["0065", "65"])
def test_a_decision_is_shown_whole(command: Command, number: str) -> None:
    """By its number: its page, and where that lies."""
    (page,) = (NOTES / "decisions").glob("0065-*.md")
    assert command.text("explain", number) == f"{page.read_text()}\n  page    {page}\n"


@pytest.mark.parametrize("words", [("duplicate", "names"), ("duplicate names",)])
def test_words_show_what_programs_do(command: Command, words: tuple[str, ...]) -> None:
    """Several arguments are one search, in all kinds of notes; the pages are named at the end."""
    shown = command.text("explain", *words)
    lines = shown.splitlines()
    (does,) = [line for line in lines if line.startswith("duplicate-name ") and "skopeo" in line]
    assert "skopeo, buildah, oras-py: reads the first" in does
    assert any(line.startswith("considerations:duplicate-keys   MUST ") for line in lines)
    assert {f"  {NOTES / page}.md" for page in ("considerations", "behaviours")} <= set(lines)
    notes = command.answer("explain", *words)["notes"]
    (told,) = [note for note in notes if note["name"] == "duplicate-key"]
    assert told["details"]["umoci"] == "reads the last"
    assert told["page"] == str(NOTES / "behaviours.md")


def test_a_case_shows_what_each_program_does(command: Command) -> None:
    """One line for each program."""
    lines = command.lines("explain", "bom")
    assert lines[0] == "bom (what programs do)"
    assert "  skopeo          refuses" in lines


def test_without_an_argument_everything_is_listed(command: Command) -> None:
    """Every row, code, decision and case has a line; a program gets them as well."""
    lines = command.lines("explain")
    listed = [line.split(" ", 1)[0] for line in lines]
    for note in iter_notes():
        assert note.name in listed
    assert len(command.answer("explain")["notes"]) == len(list(iter_notes()))


def test_what_nothing_is_about_is_an_error(command: Command) -> None:
    """In one line, as every other error."""
    assert command.error("explain", "zebra", "crossing") == (
        "there is nothing about 'zebra crossing' in spec-notes"
    )


def test_ids_are_completed() -> None:
    """A shell is offered the ids with that beginning."""
    complete = ShellComplete(main, {}, "ocilayout", "_OCILAYOUT_COMPLETE")
    offered = [item.value for item in complete.get_completions(["explain"], "layer:")]
    assert offered == [row.id for row in iter_requirements() if row.page == "layer"]
    assert "layer:tar" in offered
    offered = [item.value for item in complete.get_completions(["explain"], "digest-m")]
    assert offered == ["digest-mismatch"]
