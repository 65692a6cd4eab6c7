"""The rules of the machine for the verbs of a store, and how they are run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as Settings  # noqa: N812 # an argument has its name
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from ocilayout.model import CONTAINERD_IMAGE_NAME
from ocilayout.signature import checked
from ocilayout.testing.machine.adapter import Step
from ocilayout.testing.machine.copies import Copies
from ocilayout.testing.machine.outside import add_entry, repeated_entries
from ocilayout.testing.machine.sample import FULL_NAMES
from ocilayout.testing.machine.side import Handle, require_same
from ocilayout.testing.machine.stage import (
    both,
    contents,
    handles,
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

    from ocilayout.testing.machine.adapter import Adapter
    from ocilayout.testing.machine.oracle import Model
    from ocilayout.testing.machine.sample import Content

_WHOLE: Final = 45.0
"""When the search for a shorter sequence ends, in seconds from the beginning."""

_SHRINKING: Final = 10.0
"""How long it lasts at least, in seconds."""

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


@checked
def check_store(
    adapter: Adapter,
    *,
    settings: Settings | None = None,
    folder: Path | None = None,
    on_step: Callable[[], object] = lambda: None,
    report_multiple_bugs: bool = False,
) -> None:
    """Run a store against the model.

    Args:
        adapter: Opens the store.
        settings: How long: `max_examples` sequences of `stateful_step_count` verbs each. A sequence
            has no deadline.
        folder: Where to work; by default where files cost least.
        on_step: Called before every verb, so that they can be counted.
        report_multiple_bugs: Whether to look for more bugs after the first, however long that and
            the search for a short sequence for each takes. By default that search ends
            45 seconds after the beginning, or 10 seconds after a bug that is found later.

    Raises:
        AssertionError: The store holds something else than it must; the shortest sequence of verbs
            that was found to bring it about is printed.
        Exception: Whatever a verb raised that it must not.
    """
    start = time.monotonic()
    failed: list[float] = []

    def deadline() -> float:
        return max(start + _WHOLE, failed[0] + _SHRINKING)

    def end(*, is_bug: bool) -> None:
        if is_bug:
            failed.append(time.monotonic())
        elif failed and not report_multiple_bugs and time.monotonic() > deadline():
            raise _EnoughError  # at the end: after fewer draws, Hypothesis would find it flaky

    def begin() -> StoreMachine:
        return StoreMachine(adapter, folder=folder, on_step=on_step, on_end=end)

    how = Settings(
        settings,
        deadline=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] # it leaves out deprecated ones
        report_multiple_bugs=report_multiple_bugs,
    )
    if Phase.shrink in how.phases:  # and what is found has to be kept
        if how.derandomize:  # which forbids a database
            how = Settings(how, derandomize=False)
            seed(0)(begin)
        how = Settings(how, database=how.database or InMemoryExampleDatabase())
    try:
        _run(begin, how)
    except _EnoughError:  # the shortest sequence so far is in the database
        failed.clear()
        _run(begin, Settings(how, phases=[Phase.reuse]))
        raise AssertionError(
            "a sequence of verbs failed, and the same one passed: something else matters, too"
        ) from None


class _EnoughError(BaseException):
    """Ends the search for a short sequence; Hypothesis lets it pass."""


def _run(begin: Callable[[], StoreMachine], how: Settings) -> None:
    # A factory will do, as the documentation says.
    run_state_machine_as_test(begin, settings=how)  # type: ignore[arg-type]


class StoreMachine(Copies):
    """The verbs of a store."""

    @precondition(has("put"))
    @rule(by=handles, content=contents)
    def put_content(self, by: Handle, content: Content) -> None:
        """Store content without a tag."""
        by.put(content)

    # ------------------------------------------------------------ naming

    @precondition(has("bring"))
    @rule(by=handles, name=names, content=contents)
    def bring(self, by: Handle, name: str, content: Content) -> None:
        """Store content under a tag."""
        both(lambda: by.model.bring(name, content), lambda: by.store.bring(name, content))

    @precondition(has("put", "tag"))
    @rule(by=handles, name=names, content=contents, notes=_notes, subject=st.booleans())
    def put_and_tag(
        self, by: Handle, name: str, content: Content, notes: dict[str, str], *, subject: bool
    ) -> None:
        """Store and tag content; its subject may come along untagged."""
        self._put_and_tag(by, name, content, notes, subject=subject)

    @precondition(has("put", "tag"))
    @rule(by=handles, name=names, choice=st.integers(0, 99))
    def tag_what_was_put(self, by: Handle, name: str, choice: int) -> None:
        """Tag content that was put through a handle earlier, and may be gone by now."""
        put = [found for found in self.adapter.contents if found.digests <= by.side.put[by.number]]
        if put:
            self._tag_if_there(by, name, put[choice % len(put)])

    @precondition(has("tag"))
    @rule(by=handles, name=names, choice=some, part=some, notes=_notes)
    def tag_again(
        self, by: Handle, name: str, choice: int, part: int, notes: dict[str, str]
    ) -> None:
        """Tag content that has an entry already, or a manifest inside it."""
        model = by.model
        if model.entries:
            entry = model.entries[choice % len(model.entries)]
            inside = [
                model.known[found]
                for found in model.reach([entry.digest])
                if found in model.known and model.known[found].digests <= model.blobs
            ]
            self._tag(by, name, inside[part % len(inside)], notes)

    @precondition(has("retag"))
    @rule(by=handles, which=many, name=names)
    def retag(self, by: Handle, which: int, name: str) -> None:
        """Give tagged content one more tag."""
        old = self.ref_in(by.side, which)
        both(lambda: by.model.retag(old, name), lambda: by.store.retag(old, name))

    @precondition(has("untag"))
    @rule(by=handles, which=many)
    def untag(self, by: Handle, which: int) -> None:
        """Remove a tag."""
        name = self.ref_in(by.side, which)
        both(lambda: by.model.untag(name), lambda: by.store.untag(name))

    @precondition(has("annotate"))
    @rule(by=handles, which=many, changes=_changes)
    def annotate(self, by: Handle, which: int, changes: dict[str, str | None]) -> None:
        """Change the annotations of an entry."""
        name = self.ref_in(by.side, which)
        both(lambda: by.model.annotate(name, changes), lambda: by.store.annotate(name, changes))

    @precondition(is_exact)
    @precondition(has("full_names"))
    @rule(
        by=handles,
        name=st.none() | names,
        full_name=st.none() | st.sampled_from(FULL_NAMES),
        choice=many,
    )
    def add_another_entry(
        self, by: Handle, name: str | None, full_name: str | None, choice: int
    ) -> None:
        """Let another program append an entry, whatever else has its names."""
        there = [found for found in by.model.known.values() if found.digests <= by.model.blobs]
        # Content that has entries already gets more of them as often as all other.
        there += [by.model.known[entry.digest] for entry in 4 * by.model.entries]
        if there:
            notes = {} if full_name is None else {CONTAINERD_IMAGE_NAME: full_name}
            entry = Entry(name, there[choice % len(there)].digest, notes)
            add_entry(by.side.path, by.model, entry)

    @precondition(has("edit"))
    @rule(
        by=handles,
        choice=many,
        changes=st.lists(st.tuples(_verbs, many, names, _notes), min_size=2, max_size=4),
    )
    def edit(
        self,
        by: Handle,
        choice: int,
        changes: list[tuple[Literal["tag", "untag", "annotate"], int, str, dict[str, str]]],
    ) -> None:
        """Make several changes to one content at once."""
        model = by.model
        if model.entries:
            digests = [entry.digest for entry in model.entries]
            digest = (
                max(digests, key=digests.count) if choice % 2 else digests[choice % len(digests)]
            )
            refs = [
                ref
                for ref, entry in model.meant(self.refs(by.side)).items()
                if entry.digest == digest
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
            both(lambda: _take_steps(model, steps), lambda: by.store.edit(steps))

    @precondition(is_exact)
    @precondition(has("repair"))
    @rule(by=handles)
    def repair(self, by: Handle) -> None:
        """Repair what needs no guess."""
        by.model.repair(repeated_entries(by.side.path))
        by.store.repair()

    # ------------------------------------------------------------ deleting

    @precondition(has("remove"))
    @rule(by=handles, which=many)
    def remove(self, by: Handle, which: int) -> None:
        """Remove a tag, and the content that only it reaches."""
        self._remove(by, self.ref_in(by.side, which))

    @precondition(has("put", "tag", "remove"))
    @rule(by=handles, name=names, content=contents)
    def put_and_remove(self, by: Handle, name: str, content: Content) -> None:
        """Store content and remove it again; its subject stays."""
        self._put_and_tag(by, name, content, {}, subject=True)
        self._remove(by, name)

    @precondition(has("put", "tag", "remove"))
    @rule(by=handles, other=some, which=some, name=names, content=contents)
    def put_while_another_handle_removes(
        self, by: Handle, other: int, which: int, name: str, content: Content
    ) -> None:
        """Store content that shares blobs with content that is removed before it is tagged."""
        by.put(content)
        self._remove(by.beside(other), self.name_in(by.side, which))
        self._tag_if_there(by, name, content)

    @precondition(has("put", "tag", "collect"))
    @rule(by=handles, other=some, name=names, content=contents)
    def put_while_another_handle_collects(
        self, by: Handle, other: int, name: str, content: Content
    ) -> None:
        """Store content, and collect the unreferenced part of it before it is tagged."""
        by.put(content)
        by.beside(other).store.collect(prune=False, grace=False, dry_run=False)
        by.model.collect(prune=False)
        self._tag_if_there(by, name, content)

    @precondition(has("collect"))
    @rule(by=handles, prune=st.booleans(), dry_run=st.sampled_from([False, False, True]))
    def collect(self, by: Handle, *, prune: bool, dry_run: bool) -> None:
        """Delete what nothing reaches; or only ask what that would be."""
        removed = by.store.collect(prune=prune, grace=False, dry_run=dry_run)
        model = by.model.twin() if dry_run else by.model
        must = model.collect(prune=prune and self.adapter.prunes)
        if self.adapter.exact:
            unlisted = must.unlisted if removed.unlisted is None else removed.unlisted
            found = Collected(removed.blobs, removed.entries, unlisted)
            require_same("collected", found, must)

    @precondition(has("put", "tag", "collect"))
    @rule(by=handles, name=names, content=contents, prune=st.booleans())
    def tag_and_collect(self, by: Handle, name: str, content: Content, *, prune: bool) -> None:
        """Tag content and collect garbage: the tag holds all that the content names."""
        self._put_and_tag(by, name, content, {}, subject=True)
        by.store.collect(prune=prune, grace=False, dry_run=False)
        by.model.collect(prune=prune and self.adapter.prunes)

    @precondition(has("collect"))
    @rule(by=handles, prune=st.booleans())
    def collect_nothing_young(self, by: Handle, *, prune: bool) -> None:
        """Delete what nothing reaches and is old; nothing is."""
        removed = by.store.collect(prune=prune, grace=True, dry_run=False)
        if self.adapter.exact:
            nothing = (frozenset[object](), ())
            require_same("collected, of young", (removed.blobs, removed.entries), nothing)

    # ------------------------------------------------------------ parts of verbs

    def _put_and_tag(
        self,
        by: Handle,
        name: str,
        content: Content,
        notes: dict[str, str],
        *,
        subject: bool,
    ) -> None:
        """Store and tag content, and on request store its subject before it."""
        about = by.model.known.get(content.subject) if content.subject else None
        if subject and about is not None:
            by.put(about)
        by.put(content)
        self._tag(by, name, content, notes)

    def _tag(self, by: Handle, name: str, content: Content, notes: dict[str, str]) -> None:
        both(
            lambda: by.model.tag(name, content.digest, notes),
            lambda: by.store.tag(name, content.root, notes),
        )

    def _tag_if_there(self, by: Handle, name: str, content: Content) -> None:
        """Tag content if all of it is still there, and require a refusal if it is not."""
        if content.digests <= by.model.blobs:
            self._tag(by, name, content, {})
        else:
            gone = "a name for what is gone"
            kind = Exception if by.model.is_ambiguous(name) else LookupError
            refused(gone, lambda: by.store.tag(name, content.root, {}), kind)

    def _remove(self, by: Handle, name: str) -> None:
        both(lambda: by.model.remove(name), lambda: by.store.remove(name))


def _take_steps(model: Model, steps: list[Step]) -> None:
    """Let the model make several changes, or none."""
    twin = model.twin()
    for step in steps:
        if step.verb == "tag":
            twin.tag(step.ref, step.target.digest, step.notes)
        elif step.verb == "untag":
            twin.untag(step.ref)
        else:
            twin.annotate(step.ref, step.notes)
    model.entries = twin.entries


def _one_of(refs: list[str], which: int) -> str:
    return refs[which % len(refs)]
