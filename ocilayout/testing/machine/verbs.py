"""The rules of the machine for the verbs of a store, and how they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from ocilayout.model import CONTAINERD_IMAGE_NAME
from ocilayout.testing.machine.adapter import Step
from ocilayout.testing.machine.copies import Copies
from ocilayout.testing.machine.outside import add_entry, repeated_entries
from ocilayout.testing.machine.sample import FULL_NAMES
from ocilayout.testing.machine.side import Side, require_same
from ocilayout.testing.machine.stage import (
    both,
    contents,
    has,
    is_exact,
    many,
    names,
    refused,
    some,
)
from ocilayout.testing.machine.state import Collected, Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis import settings

    from ocilayout.testing.machine.adapter import Adapter
    from ocilayout.testing.machine.sample import Content

_NOTE: Final = "org.example.note"


def _noted(*others: str | None) -> st.SearchStrategy[dict[str, Any]]:
    """Give annotations, some of them with one of some other values."""

    def annotations(machine: Any) -> st.SearchStrategy[dict[str, Any]]:  # noqa: ANN401
        full_names = FULL_NAMES if has("full_names")(machine) else ["true"]
        texts = dict.fromkeys((_NOTE, *machine.adapter.model.name_annotations), st.just("true"))
        texts[CONTAINERD_IMAGE_NAME] = st.sampled_from(full_names)
        values = {key: st.sampled_from(others) | text for key, text in texts.items()}
        return st.fixed_dictionaries({}, optional=values)

    return st.runner().flatmap(annotations)


_verbs = st.sampled_from(["tag", "tag", "untag", "annotate"])
_notes = _noted("")
_changes = _noted(None)


def check_store(
    adapter: Adapter,
    *,
    settings: settings | None = None,
    folder: Path | None = None,
    on_step: Callable[[], object] = lambda: None,
) -> None:
    """Run a store against the model.

    Args:
        adapter: Opens the store.
        settings: How long: `max_examples` sequences of `stateful_step_count` verbs each.
        folder: Where to work; by default where files cost least.
        on_step: Called before every verb, so that they can be counted.

    Raises:
        AssertionError: The store holds something else than it must; the shortest sequence of verbs
            that was found to bring it about is printed.
        Exception: Whatever a verb raised that it must not.
    """
    run_state_machine_as_test(
        lambda: StoreMachine(adapter, folder=folder, on_step=on_step),  # type: ignore[arg-type] # a factory will do, as its documentation says
        settings=settings,
    )


class StoreMachine(Copies):
    """The verbs of a store."""

    @precondition(has("put"))
    @rule(at=some, by=some, content=contents)
    def put_content(self, at: int, by: int, content: Content) -> None:
        """Bring content without a name."""
        side, number = self.choose(at, by)
        self.put(side, number, content)

    # ------------------------------------------------------------ naming

    @precondition(has("bring"))
    @rule(at=some, by=some, name=names, content=contents)
    def bring(self, at: int, by: int, name: str, content: Content) -> None:
        """Bring content under a name."""
        side, number = self.choose(at, by)
        store = side.stores[number]
        both(lambda: side.model.bring(name, content), lambda: store.bring(name, content))

    @precondition(has("put", "tag"))
    @rule(at=some, by=some, name=names, content=contents, notes=_notes, subject=st.booleans())
    def put_and_tag(
        self, at: int, by: int, name: str, content: Content, notes: dict[str, str], *, subject: bool
    ) -> None:
        """Bring content and name it; what it is about may come along without a name."""
        side, number = self.choose(at, by)
        self._put_and_tag(side, number, name, content, notes, subject=subject)

    @precondition(has("put", "tag"))
    @rule(at=some, by=some, name=names, choice=st.integers(0, 99))
    def tag_what_was_put(self, at: int, by: int, name: str, choice: int) -> None:
        """Name what was put through a handle some time ago; it may be gone by now."""
        side, number = self.choose(at, by)
        put = [found for found in self.adapter.contents if found.digests <= side.put[number]]
        if put:
            self._tag_if_there(side, number, name, put[choice % len(put)])

    @precondition(has("tag"))
    @rule(at=some, by=some, name=names, choice=some, part=some, notes=_notes)
    def tag_again(
        self, at: int, by: int, name: str, choice: int, part: int, notes: dict[str, str]
    ) -> None:
        """Name what has an entry already, named or not, or a manifest inside of it."""
        side, number = self.choose(at, by)
        model = side.model
        if model.entries:
            entry = model.entries[choice % len(model.entries)]
            inside = [
                model.known[found]
                for found in model.reach([entry.digest])
                if found in model.known and model.known[found].digests <= model.blobs
            ]
            self._tag(side, number, name, inside[part % len(inside)], notes)

    @precondition(has("retag"))
    @rule(at=some, by=some, which=many, name=names)
    def retag(self, at: int, by: int, which: int, name: str) -> None:
        """Give what has a name one more."""
        side, number = self.choose(at, by)
        old, store = self.ref_in(side, which), side.stores[number]
        both(lambda: side.model.retag(old, name), lambda: store.retag(old, name))

    @precondition(has("untag"))
    @rule(at=some, by=some, which=many)
    def untag(self, at: int, by: int, which: int) -> None:
        """Take a name away."""
        side, number = self.choose(at, by)
        name, store = self.ref_in(side, which), side.stores[number]
        both(lambda: side.model.untag(name), lambda: store.untag(name))

    @precondition(has("annotate"))
    @rule(at=some, by=some, which=many, changes=_changes)
    def annotate(self, at: int, by: int, which: int, changes: dict[str, str | None]) -> None:
        """Change what is noted at a name."""
        side, number = self.choose(at, by)
        name, store = self.ref_in(side, which), side.stores[number]
        both(lambda: side.model.annotate(name, changes), lambda: store.annotate(name, changes))

    @precondition(is_exact)
    @precondition(has("full_names"))
    @rule(
        at=some,
        name=st.none() | names,
        full_name=st.none() | st.sampled_from(FULL_NAMES),
        choice=many,
    )
    def add_another_entry(
        self, at: int, name: str | None, full_name: str | None, choice: int
    ) -> None:
        """Let another program append an entry, whatever else has its names."""
        side, _ = self.choose(at, 0)
        there = [found for found in side.model.known.values() if found.digests <= side.model.blobs]
        # Content that has entries already gets more of them as often as all other.
        there += [side.model.known[entry.digest] for entry in 4 * side.model.entries]
        if there:
            notes = {} if full_name is None else {CONTAINERD_IMAGE_NAME: full_name}
            entry = Entry(name, there[choice % len(there)].digest, notes)
            add_entry(side.path, side.model, entry)

    @precondition(has("edit"))
    @rule(
        at=some,
        by=some,
        choice=many,
        changes=st.lists(st.tuples(_verbs, many, names, _notes), min_size=2, max_size=4),
    )
    def edit(
        self,
        at: int,
        by: int,
        choice: int,
        changes: list[tuple[Literal["tag", "untag", "annotate"], int, str, dict[str, str]]],
    ) -> None:
        """Make several changes to one content at once."""
        side, number = self.choose(at, by)
        model, store = side.model, side.stores[number]
        if model.entries:
            digests = [entry.digest for entry in model.entries]
            digest = (
                max(digests, key=digests.count) if choice % 2 else digests[choice % len(digests)]
            )
            refs = [
                ref for ref, entry in model.meant(self.refs(side)).items() if entry.digest == digest
            ]
            root = model.known[digest].root
            if has("full_names")(self):
                refs += [str(digest)] * max(1, len(refs))  # which means all entries of it
            if not refs:
                return
            own = [entry.name for entry in model.entries if entry.digest == digest and entry.name]
            steps = [
                Step(verb, _one_of([*own, name] if verb == "tag" else refs, which), root, notes)
                for verb, which, name, notes in changes
            ]
            both(lambda: _take_steps(side, steps), lambda: store.edit(steps))

    @precondition(is_exact)
    @precondition(has("repair"))
    @rule(at=some, by=some)
    def repair(self, at: int, by: int) -> None:
        """Mend what needs no guess."""
        side, number = self.choose(at, by)
        side.model.repair(repeated_entries(side.path))
        side.stores[number].repair()

    # ------------------------------------------------------------ deleting

    @precondition(has("remove"))
    @rule(at=some, by=some, which=many)
    def remove(self, at: int, by: int, which: int) -> None:
        """Take a name away, and what only it reaches."""
        side, number = self.choose(at, by)
        self._remove(side, number, self.ref_in(side, which))

    @precondition(has("put", "tag", "remove"))
    @rule(at=some, by=some, name=names, content=contents)
    def put_and_remove(self, at: int, by: int, name: str, content: Content) -> None:
        """Bring content and take it away again; what it is about stays."""
        side, number = self.choose(at, by)
        self._put_and_tag(side, number, name, content, {}, subject=True)
        self._remove(side, number, name)

    @precondition(has("put", "tag", "remove"))
    @rule(at=some, by=some, other=some, which=some, name=names, content=contents)
    def put_while_another_handle_removes(
        self, at: int, by: int, other: int, which: int, name: str, content: Content
    ) -> None:
        """Bring content that shares with what is removed before it has a name."""
        side, number = self.choose(at, by)
        self.put(side, number, content)
        self._remove(side, other % len(side.stores), self.name_in(side, which))
        self._tag_if_there(side, number, name, content)

    @precondition(has("put", "tag", "collect"))
    @rule(at=some, by=some, other=some, name=names, content=contents)
    def put_while_another_handle_collects(
        self, at: int, by: int, other: int, name: str, content: Content
    ) -> None:
        """Bring content that is collected, as far as nothing has it, before it has a name."""
        side, number = self.choose(at, by)
        self.put(side, number, content)
        side.stores[other % len(side.stores)].collect(prune=False, grace=False, dry_run=False)
        side.model.collect(prune=False)
        self._tag_if_there(side, number, name, content)

    @precondition(has("collect"))
    @rule(at=some, by=some, prune=st.booleans(), dry_run=st.sampled_from([False, False, True]))
    def collect(self, at: int, by: int, *, prune: bool, dry_run: bool) -> None:
        """Delete what nothing reaches; or only ask what that would be."""
        side, number = self.choose(at, by)
        removed = side.stores[number].collect(prune=prune, grace=False, dry_run=dry_run)
        model = side.model.twin() if dry_run else side.model
        must = model.collect(prune=prune)
        if self.adapter.exact:
            unlisted = must.unlisted if removed.unlisted is None else removed.unlisted
            found = Collected(removed.blobs, removed.entries, unlisted)
            require_same("collected", found, must)

    @precondition(has("put", "tag", "collect"))
    @rule(at=some, by=some, name=names, content=contents, prune=st.booleans())
    def tag_and_collect(
        self, at: int, by: int, name: str, content: Content, *, prune: bool
    ) -> None:
        """Bring content under a name, and delete what nothing holds: it holds all that it names."""
        side, number = self.choose(at, by)
        self._put_and_tag(side, number, name, content, {}, subject=True)
        side.stores[number].collect(prune=prune, grace=False, dry_run=False)
        side.model.collect(prune=prune)

    @precondition(has("collect"))
    @rule(at=some, by=some, prune=st.booleans())
    def collect_nothing_young(self, at: int, by: int, *, prune: bool) -> None:
        """Delete what nothing reaches and is old; nothing is."""
        side, number = self.choose(at, by)
        removed = side.stores[number].collect(prune=prune, grace=True, dry_run=False)
        if self.adapter.exact:
            nothing = (frozenset[object](), ())
            require_same("collected, of young", (removed.blobs, removed.entries), nothing)

    # ------------------------------------------------------------ parts of verbs

    def _put_and_tag(
        self,
        side: Side,
        number: int,
        name: str,
        content: Content,
        notes: dict[str, str],
        *,
        subject: bool,
    ) -> None:
        """Bring content and name it, and on request what it is about before it."""
        about = side.model.known.get(content.subject) if content.subject else None
        if subject and about is not None:
            self.put(side, number, about)
        self.put(side, number, content)
        self._tag(side, number, name, content, notes)

    def _tag(
        self, side: Side, number: int, name: str, content: Content, notes: dict[str, str]
    ) -> None:
        store = side.stores[number]
        both(
            lambda: side.model.tag(name, content.digest, notes),
            lambda: store.tag(name, content.root, notes),
        )

    def _tag_if_there(self, side: Side, number: int, name: str, content: Content) -> None:
        """Name content if all of it is still there, and require a refusal if it is not."""
        store = side.stores[number]
        if content.digests <= side.model.blobs:
            self._tag(side, number, name, content, {})
        else:
            gone = "a name for what is gone"
            kind = Exception if side.model.is_ambiguous(name) else LookupError
            refused(gone, lambda: store.tag(name, content.root, {}), kind)

    def _remove(self, side: Side, number: int, name: str) -> None:
        store = side.stores[number]
        both(lambda: side.model.remove(name), lambda: store.remove(name))


def _take_steps(side: Side, steps: list[Step]) -> None:
    """Let the model make several changes, or none."""
    twin = side.model.twin()
    for step in steps:
        if step.verb == "tag":
            twin.tag(step.ref, step.target.digest, step.notes)
        elif step.verb == "untag":
            twin.untag(step.ref)
        else:
            twin.annotate(step.ref, step.notes)
    side.model.entries = twin.entries


def _one_of(refs: list[str], which: int) -> str:
    return refs[which % len(refs)]
