"""Short sequences of rules that lead to planted bugs.

A bug that has a story is found by its story. The longer profiles search for it instead: `deep` for
every bug, `ci` for those that a search finds within seconds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.testing.machine import FULL_NAMES, NAMES, StoreMachine, check_store
from ocilayout.testing.machine.sample import NAME_ANNOTATION
from tests.effort import EFFORT, THOROUGH

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.testing.machine import Adapter, Content
    from ocilayout.testing.machine.side import Handle

    Step = Callable[[StoreMachine], object]


@frozen
class Story:
    """A sequence of rules.

    Attributes:
        begun: How the two layouts begin.
        steps: What is done then.
        is_late: Whether a search takes minutes to find the bug.
    """

    begun: tuple[str, str]
    steps: tuple[Step, ...]
    is_late: bool = True

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


def _put(at: int, name: str, title: str, **notes: str) -> Step:
    """Store and tag content, with annotations by the ends of their keys."""

    def put(machine: StoreMachine) -> None:
        noted = {f"org.example.{end}": text for end, text in notes.items()}
        machine.put_and_tag(
            machine.handle(at, 0), name, _content(machine, title), noted, subject=False
        )

    return put


def _left(machine: StoreMachine) -> Handle:
    """Return the first handle on the left layout."""
    return machine.handle(0, 0)


def _remove(which: int = 0) -> Step:
    return lambda machine: machine.remove(_left(machine), which)


def _put_a_lie(machine: StoreMachine) -> None:
    machine.put_a_lie(_left(machine))


def _bring(at: int, name: str, title: str) -> Step:
    return lambda machine: machine.bring(machine.handle(at, 0), name, _content(machine, title))


def _copy(*, referrers: bool = False) -> Step:
    """Copy what has the first name from the right layout to the left one."""
    return lambda machine: machine.copy_a_name(_left(machine), 0, None, referrers=referrers)


def _collect(*, prune: bool = True, dry_run: bool = False) -> Step:
    return lambda machine: machine.collect(_left(machine), prune=prune, dry_run=dry_run)


def _tag_and_collect(title: str) -> Step:
    return lambda machine: machine.tag_and_collect(
        _left(machine), "a", _content(machine, title), prune=False
    )


def _content(machine: StoreMachine, title: str) -> Content:
    return next(content for content in machine.adapter.contents if content.title == title)


_LATE: Final[dict[str, Story]] = {
    "`manifests` is null when there are none": _story(_put(0, "a", "one"), _remove()),
    "a changed annotation replaces all others": _story(
        _put(0, "a", "one"),
        lambda machine: machine.annotate(_left(machine), 0, {"org.example.note": "true"}),
        lambda machine: machine.annotate(_left(machine), 0, {NAME_ANNOTATION: "true"}),
    ),
    "untag takes the name from several images": _story(
        lambda machine: machine.untag(_left(machine), 1), begun=("with full names", "empty")
    ),
    "several changes at once lose an entry": _story(
        lambda machine: machine.edit(_left(machine), 1, [("tag", 0, "a", {}), ("tag", 1, "a", {})]),
        lambda machine: machine.edit(
            _left(machine),
            1,
            [("annotate", 3, "a", {"org.example.note": ""}), ("untag", 2, "a", {})],
        ),
        begun=("with full names", "empty"),
    ),
    "referrers of referrers are pruned": _story(_collect(), begun=("filled", "empty")),
    "entries that have only a full name are pruned": _story(
        lambda machine: machine.put_content(_left(machine), _content(machine, "one")),
        lambda machine: machine.add_another_entry(_left(machine), None, FULL_NAMES[0], 0),
        _collect(),
    ),
    "a manifest that cannot be read reaches nothing": _story(
        _put(0, "a", "one"),
        lambda machine: machine.damage_and_put_right(
            _left(machine),
            _content(machine, "one"),
            len(_content(machine, "one").blobs) - 1,
            cut=True,
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
        _put(0, "a", "bundle"), _put(0, "b", "three"), _remove(1)
    ),
    "a collection that only says what it would do does it": _story(
        lambda machine: machine.put_content(_left(machine), _content(machine, "one")),
        _collect(dry_run=True),
    ),
    "an existing root ends a copy of missing content": _story(
        _put(0, "a", "one"),
        _put(1, "a", "one"),
        lambda machine: machine.copy_what_was_lost(_left(machine), 0, 1),
    ),
    "referrers inside an index are not found": _story(
        _put(0, "a", "one"), _put(0, "b", "one and its signature")
    ),
    "a copy only takes the referrers of the root": _story(
        _put(1, "a", "pair"), _put(1, "b", "signature of one"), _copy(referrers=True)
    ),
    "a copy by digest makes no entry": _story(
        _put(1, "a", "one"),
        lambda machine: machine.copy_a_digest(_left(machine), 0, None, referrers=False),
    ),
    # The index lists as referrers of a manifest what does not say so itself.
    "lists of referrers are not read": _story(_put(0, "a", "one"), _put(0, NAMES[3], "pair")),
    "a copy takes the name of another build": _story(
        _bring(1, "a", "first"), _bring(0, "a", "second"), _copy()
    ),
}

_FULL_NAMES: Final = ("with full names", "empty")

# A search takes one to three seconds for each of these.
_EARLY: Final[dict[str, Story]] = {
    "an entry that lost its name keeps the mark of a build": _story(
        _put(0, "a", "one", mark="true"), lambda machine: machine.untag(_left(machine), 0)
    ),
    "a tag names content that another process deleted": _story(
        lambda machine: machine.put_while_another_handle_collects(
            _left(machine), 1, "a", _content(machine, "one")
        )
    ),
    "untag deletes the content": _story(
        _put(0, "a", "one"), lambda machine: machine.untag(_left(machine), 0)
    ),
    "remove deletes several images of one name": _story(_remove(1), begun=_FULL_NAMES),
    "a tag takes the name from several images": _story(
        _put(0, "a", "one"),
        lambda machine: machine.put_content(_left(machine), _content(machine, "two")),
        lambda machine: machine.add_another_entry(_left(machine), "a", None, 1),
        _put(0, "a", "three"),
    ),
    "a copy carries the annotations of the entry": _story(
        _put(1, "a", "one", note="true"), _copy()
    ),
    "content that is not a skill is listed": _story(_bring(0, "a", "one")),
    "deleted content takes its subject along": _story(
        lambda machine: machine.put_and_remove(
            _left(machine), "a", _content(machine, "signature of one")
        )
    ),
    "a collection does not follow subjects": _story(_tag_and_collect("signature of one")),
    "a referrer cannot be removed while its subject exists": _story(
        _put(0, "a", "one"), _put(0, "b", "signature of one"), _remove(1)
    ),
    "content that an unknown property of an entry names is garbage": _story(
        _collect(), begun=_FULL_NAMES
    ),
    "a refused put leaves its file": _story(_put_a_lie),
    "the digest is not checked when content is put": _story(_put_a_lie),
    "a deleted build leaves a dangling entry": _story(_put(0, "a", "one"), _remove()),
    "a blob that is shared is deleted": _story(_put(0, "a", "one"), _put(0, "b", "two"), _remove()),
    "a copy onto a build removes the mark": _story(
        _bring(0, "a", "first"), _put(1, "a", "first"), _copy()
    ),
    "the last of two entries with a name counts": _story(
        _put(1, "a", "one"),
        _put(1, "b", "two"),
        lambda machine: machine.copy_what_has_two_meanings(_left(machine), 0),
    ),
    "content whose tag moves is forgotten": _story(_put(0, "a", "one"), _put(0, "a", "two")),
    "a root index that cannot be read is replaced by an empty one": _story(
        _put(0, "a", "one"),
        lambda machine: machine.work_on_a_torn_index(_left(machine), 10, collect=False),
    ),
}

STORIES: Final = {
    **_LATE,
    **{name: evolve(story, is_late=False) for name, story in _EARLY.items()},
}
"""The stories of bugs, by their names."""


def look_for(bug: str, adapter: Adapter) -> None:
    """Tell the story of a bug, or search for it where it has none.

    Raises:
        AssertionError: It is found.
    """
    story = STORIES.get(bug)
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    if story is None or deep or (THOROUGH and not story.is_late):
        check_store(adapter, settings=EFFORT)
    else:
        story.tell(adapter)
