"""`ocilayout explain`: the requirement of an id, and how it is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from ocilayout import Digest, Layout
from ocilayout.check.finding import KINDS
from ocilayout.check.requirement import find_requirement, iter_requirements
from ocilayout.cli import main

if TYPE_CHECKING:
    from tests.cli.conftest import Command


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
    }


@pytest.mark.parametrize("requirement", ["descriptor:digest-gramar", "digest-grammar"])
def test_an_unknown_id_is_an_error_that_helps(command: Command, requirement: str) -> None:
    """The error about a misspelt id names the right one."""
    assert "descriptor:digest-grammar" in command.error("explain", requirement)


def test_ids_are_completed() -> None:
    """A shell is offered the ids with that beginning."""
    complete = ShellComplete(main, {}, "ocilayout", "_OCILAYOUT_COMPLETE")
    offered = [item.value for item in complete.get_completions(["explain"], "layer:")]
    assert offered == [row.id for row in iter_requirements() if row.page == "layer"]
    assert "layer:tar" in offered
