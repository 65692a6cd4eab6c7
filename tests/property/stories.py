"""Short sequences of rules that lead to planted bugs which a search finds late.

With the profile `deep` every bug is searched for, which takes minutes; otherwise a bug that has a
story is found by its story.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.testing.machine import FULL_NAMES, NAMES, StoreMachine, check_store
from ocilayout.testing.machine.sample import NAME_ANNOTATION
from tests.effort import EFFORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.testing.machine import Adapter, Content

    Step = Callable[[StoreMachine], object]


@frozen
class Story:
    """A sequence of rules.

    Attributes:
        begun: How the two layouts begin.
        steps: What is done then.
    """

    begun: tuple[str, str]
    steps: tuple[Step, ...]

    def tell(self, adapter: Adapter) -> None:
        """Run it against a store.

        Raises:
            AssertionError: The store holds something else than it must.
        """
        machine = StoreMachine(adapter, folder=None, on_step=lambda: None)
        try:
            machine.create(self.begun)
            for step in self.steps:
                step(machine)
                machine.layouts_are_what_they_must_be()
        finally:
            machine.teardown()


def _story(*steps: Step, begun: tuple[str, str] = ("empty", "empty")) -> Story:
    return Story(begun, steps)


def _put(at: int, name: str, title: str) -> Step:
    def put(machine: StoreMachine) -> None:
        machine.put_and_tag(at, 0, name, _content(machine, title), {}, subject=False)

    return put


def _bring(at: int, name: str, title: str) -> Step:
    return lambda machine: machine.bring(at, 0, name, _content(machine, title))


def _copy(*, referrers: bool = False) -> Step:
    """Copy what has the first name from the right layout to the left one."""
    return lambda machine: machine.copy_a_name(0, 0, 0, None, referrers=referrers)


def _collect(*, prune: bool = True, dry_run: bool = False) -> Step:
    return lambda machine: machine.collect(0, 0, prune=prune, dry_run=dry_run)


def _tag_and_collect(title: str) -> Step:
    return lambda machine: machine.tag_and_collect(0, 0, "a", _content(machine, title), prune=False)


def _content(machine: StoreMachine, title: str) -> Content:
    return next(content for content in machine.adapter.contents if content.title == title)


STORIES: Final[dict[str, Story]] = {
    "`manifests` is null when there are none": _story(
        _put(0, "a", "one"), lambda machine: machine.remove(0, 0, 0)
    ),
    "a changed annotation replaces all others": _story(
        _put(0, "a", "one"),
        lambda machine: machine.annotate(0, 0, 0, {"org.example.note": "true"}),
        lambda machine: machine.annotate(0, 0, 0, {NAME_ANNOTATION: "true"}),
    ),
    "untag takes the name from several images": _story(
        lambda machine: machine.untag(0, 0, 1), begun=("with full names", "empty")
    ),
    "several changes at once lose an entry": _story(
        lambda machine: machine.edit(0, 0, 1, [("tag", 0, "a", {}), ("tag", 1, "a", {})]),
        lambda machine: machine.edit(
            0, 0, 1, [("annotate", 3, "a", {"org.example.note": ""}), ("untag", 2, "a", {})]
        ),
        begun=("with full names", "empty"),
    ),
    "referrers of referrers are pruned": _story(_collect(), begun=("filled", "empty")),
    "entries that have only a full name are pruned": _story(
        lambda machine: machine.put_content(0, 0, _content(machine, "one")),
        lambda machine: machine.add_another_entry(0, None, FULL_NAMES[0], 0),
        _collect(),
    ),
    "a manifest that cannot be read reaches nothing": _story(
        _put(0, "a", "one"),
        lambda machine: machine.damage_and_put_right(
            0, 0, _content(machine, "one"), len(_content(machine, "one").blobs) - 1, cut=True
        ),
    ),
    "content that an unknown document names is garbage": _story(_tag_and_collect("bundle")),
    "content that one reference calls a layer is not looked into": _story(
        _put(0, "a", "bundle"), _put(0, "b", "three, as a layer"), _collect(prune=False)
    ),
    "content that an unknown property names is garbage": _story(
        _tag_and_collect("manifest with a property")
    ),
    "remove deletes content that a kept document of an unknown type names": _story(
        _put(0, "a", "bundle"), _put(0, "b", "three"), lambda machine: machine.remove(0, 0, 1)
    ),
    "a collection that only says what it would do does it": _story(
        lambda machine: machine.put_content(0, 0, _content(machine, "one")),
        _collect(dry_run=True),
    ),
    "an existing root ends a copy of missing content": _story(
        _put(0, "a", "one"),
        _put(1, "a", "one"),
        lambda machine: machine.copy_what_was_lost(0, 0, 0, 1),
    ),
    "referrers inside an index are not found": _story(
        _put(0, "a", "one"), _put(0, "b", "one and its signature")
    ),
    "a copy only takes the referrers of the root": _story(
        _put(1, "a", "pair"), _put(1, "b", "signature of one"), _copy(referrers=True)
    ),
    "a copy by digest makes no entry": _story(
        _put(1, "a", "one"), lambda machine: machine.copy_a_digest(0, 0, 0, None, referrers=False)
    ),
    # The index lists as referrers of a manifest what does not say so itself.
    "lists of referrers are not read": _story(_put(0, "a", "one"), _put(0, NAMES[3], "pair")),
    "a copy takes the name of another build": _story(
        _bring(1, "a", "first"), _bring(0, "a", "second"), _copy()
    ),
}
"""The stories of bugs, by their names."""


def look_for(bug: str, adapter: Adapter) -> None:
    """Tell the story of a bug, or search for it where it has none.

    Raises:
        AssertionError: It is found.
    """
    story = STORIES.get(bug)
    if story is None or os.environ.get("HYPOTHESIS_PROFILE") == "deep":
        check_store(adapter, settings=EFFORT)
    else:
        story.tell(adapter)
