"""The testing kit finds the bugs that other stores have, when they are planted in ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ocilayout import OciLayoutError
from ocilayout.testing.machine import LayoutAdapter, LayoutStore, check_store
from tests.effort import EFFORT, examples
from tests.property.bugs import BUGS, SKILL_BUGS
from tests.property.stories import STORIES, look_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.property.bugs import Bug

OURS = {bug.name: STORIES[bug.name] for bug in BUGS if bug.name in STORIES}


class HereAdapter(LayoutAdapter):
    """An adapter with all handles in this process, where the bug is planted."""

    handles = 2

    def open(self, path: Path, number: int) -> LayoutStore:
        del number
        return LayoutStore(path)


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine fails on a layout with the bug."""
    bug.plant(monkeypatch)
    with pytest.raises((AssertionError, OciLayoutError)):
        look_for(bug.name, HereAdapter())


@pytest.mark.parametrize("name", OURS)
def test_a_story_without_its_bug_ends_well(name: str) -> None:
    """What a story finds is the bug, and nothing that is there without it."""
    OURS[name].tell(HereAdapter())


def test_without_a_bug_nothing_is_found() -> None:
    """The machine that finds the bugs finds nothing in the correct library."""
    check_store(HereAdapter(), settings=settings(EFFORT, max_examples=examples(20, 5)))


def test_bugs_are_many() -> None:
    """At least 25 bugs are planted, each once."""
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25


def test_each_story_leads_to_a_bug() -> None:
    """A story under a name that no bug has would not be told."""
    assert STORIES.keys() <= {bug.name for bug in (*BUGS, *SKILL_BUGS)}
