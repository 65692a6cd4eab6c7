"""The skills layer, tested by the machine of the testing kit, correct and with planted bugs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ocilayout import OciLayoutError
from ocilayout.testing.machine import check_store
from skills.testing import SkillsAdapter
from tests.effort import examples
from tests.property.bugs import SKILL_BUGS
from tests.property.stories import STORIES, look_for

if TYPE_CHECKING:
    from tests.property.bugs import Bug


def test_exactly_the_builds_are_listed() -> None:
    """No sequence of verbs lists anything else, with other programs at work in the store."""
    with SkillsAdapter() as adapter:
        check_store(
            adapter, settings=settings(stateful_step_count=30, max_examples=examples(20, 10))
        )


@pytest.mark.parametrize("bug", SKILL_BUGS, ids=[bug.name for bug in SKILL_BUGS])
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine fails on a service with the bug."""
    bug.plant(monkeypatch)
    with SkillsAdapter() as adapter, pytest.raises((AssertionError, OciLayoutError)):
        look_for(bug.name, adapter)


def test_a_story_without_its_bug_ends_well() -> None:
    """What a story finds is the bug, and nothing that is there without it."""
    told = [STORIES[bug.name] for bug in SKILL_BUGS if bug.name in STORIES]
    assert told
    with SkillsAdapter() as adapter:
        for story in told:
            story.tell(adapter)
