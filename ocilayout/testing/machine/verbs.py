"""The rules of the machine for the verbs of a store, and how they are run."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, LOCAL_BUILD
from ocilayout.testing.machine.mishap import Mishaps
from ocilayout.testing.machine.model import Collected
from ocilayout.testing.machine.outside import blob_path
from ocilayout.testing.machine.side import Side, require_same
from ocilayout.testing.machine.stage import both, contents, has, is_exact, names, refused, some

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis import settings

    from ocilayout.testing.machine.adapter import Adapter
    from ocilayout.testing.machine.content import Content

_KEYS: Final = ("org.example.note", LOCAL_BUILD, CONTAINERD_IMAGE_NAME)

_notes = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(["", "true"]), max_size=2)
_changes = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from([None, "true"]), max_size=2)


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


class StoreMachine(Mishaps):
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
            content = inside[part % len(inside)]
            side.stores[number].tag(name, content.root, notes)
            model.tag(name, content.digest, notes)

    @precondition(has("retag"))
    @rule(at=some, by=some, which=some, name=names)
    def retag(self, at: int, by: int, which: int, name: str) -> None:
        """Give what has a name one more."""
        side, number = self.choose(at, by)
        old, store = self.name_in(side, which), side.stores[number]
        both(lambda: side.model.retag(old, name), lambda: store.retag(old, name))

    @precondition(has("untag"))
    @rule(at=some, by=some, which=some)
    def untag(self, at: int, by: int, which: int) -> None:
        """Take a name away."""
        side, number = self.choose(at, by)
        name, store = self.name_in(side, which), side.stores[number]
        both(lambda: side.model.untag(name), lambda: store.untag(name))

    @precondition(has("annotate"))
    @rule(at=some, by=some, which=some, changes=_changes)
    def annotate(self, at: int, by: int, which: int, changes: dict[str, str | None]) -> None:
        """Change what is noted at a name."""
        side, number = self.choose(at, by)
        name, store = self.name_in(side, which), side.stores[number]
        both(lambda: side.model.annotate(name, changes), lambda: store.annotate(name, changes))

    # ------------------------------------------------------------ deleting

    @precondition(has("remove"))
    @rule(at=some, by=some, which=some)
    def remove(self, at: int, by: int, which: int) -> None:
        """Take a name away, and what only it reaches."""
        side, number = self.choose(at, by)
        self._remove(side, number, self.name_in(side, which))

    @precondition(has("put", "tag", "remove"))
    @rule(at=some, by=some, name=names, content=contents)
    def put_and_remove(self, at: int, by: int, name: str, content: Content) -> None:
        """Bring content and take it away again; what it is about stays."""
        side, number = self.choose(at, by)
        self._put_and_tag(side, number, name, content, {}, subject=True)
        self._remove(side, number, name)

    @precondition(has("put", "tag", "remove"))
    @rule(at=some, by=some, other=some, which=some, name=names, content=contents)
    def put_while_somebody_removes(
        self, at: int, by: int, other: int, which: int, name: str, content: Content
    ) -> None:
        """Bring content that shares with what is removed before it has a name."""
        side, number = self.choose(at, by)
        self.put(side, number, content)
        self._remove(side, other % len(side.stores), self.name_in(side, which))
        self._tag_if_there(side, number, name, content)

    @precondition(has("put", "tag", "collect"))
    @rule(at=some, by=some, other=some, name=names, content=contents)
    def put_while_somebody_collects(
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
        model = deepcopy(side.model) if dry_run else side.model
        must = model.collect(prune=prune)
        if self.adapter.exact:
            require_same("collected", Collected(removed.blobs, removed.entries), must)

    @precondition(has("collect"))
    @rule(at=some, by=some, prune=st.booleans())
    def collect_nothing_young(self, at: int, by: int, *, prune: bool) -> None:
        """Delete what nothing reaches and is old; nothing is."""
        side, number = self.choose(at, by)
        removed = side.stores[number].collect(prune=prune, grace=True, dry_run=False)
        if self.adapter.exact:
            nothing = (frozenset[object](), ())
            require_same("collected, of young", (removed.blobs, removed.entries), nothing)

    # ------------------------------------------------------------ copying

    @precondition(has("copy"))
    @rule(at=some, by=some, which=some, renamed=st.none() | names, referrers=st.booleans())
    def copy_a_name(
        self, at: int, by: int, which: int, renamed: str | None, *, referrers: bool
    ) -> None:
        """Copy what a name means from the other layout, which shares with what is here."""
        side, number = self.choose(at, by)
        self._copy_a_name(side, number, self.other(at), which, renamed, referrers=referrers)

    @precondition(is_exact)
    @precondition(has("copy"))
    @rule(at=some, by=some, which=some, part=some)
    def copy_what_was_lost(self, at: int, by: int, which: int, part: int) -> None:
        """Lose a part of what is here, and copy it again."""
        side, number = self.choose(at, by)
        source = self.other(at)
        entry = source.model.named(self.name_in(source, which))
        parts = [] if entry is None else source.model.reach([entry.digest])
        there = [digest for digest in parts if digest in side.model.blobs]
        if there:
            path = blob_path(side.path, there[part % len(there)])
            data = path.read_bytes()
            path.unlink()
            if self._copy_a_name(side, number, source, which, None, referrers=False):
                require_same("what was lost is there", path.exists(), True)  # noqa: FBT003 # a value
            else:
                path.write_bytes(data)

    @precondition(has("copy_digest"))
    @rule(at=some, by=some, choice=some, renamed=st.none() | names, referrers=st.booleans())
    def copy_a_digest(
        self, at: int, by: int, choice: int, renamed: str | None, *, referrers: bool
    ) -> None:
        """Copy an entry of the other layout by its digest."""
        side, number = self.choose(at, by)
        source, store = self.other(at), side.stores[number]
        referrers = referrers and has("copy_referrers")(self)
        if source.model.entries:
            digest = source.model.entries[choice % len(source.model.entries)].digest
            both(
                lambda: side.model.copy(source.model, digest, renamed, referrers=referrers),
                lambda: store.copy(source.path, str(digest), name=renamed, referrers=referrers),
            )

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
        side.stores[number].tag(name, content.root, notes)
        side.model.tag(name, content.digest, notes)

    def _tag_if_there(self, side: Side, number: int, name: str, content: Content) -> None:
        """Name content if all of it is still there, and require a refusal if it is not."""
        store = side.stores[number]
        if content.digests <= side.model.blobs:
            store.tag(name, content.root, {})
            side.model.tag(name, content.digest, {})
        else:
            gone = "a name for what is gone"
            refused(gone, lambda: store.tag(name, content.root, {}), LookupError)

    def _remove(self, side: Side, number: int, name: str) -> None:
        store = side.stores[number]
        both(lambda: side.model.remove(name), lambda: store.remove(name))

    def _copy_a_name(
        self,
        side: Side,
        number: int,
        source: Side,
        which: int,
        renamed: str | None,
        *,
        referrers: bool,
    ) -> bool:
        name, store = self.name_in(source, which), side.stores[number]
        referrers = referrers and has("copy_referrers")(self)

        def must() -> None:
            digest = source.model.require(name).digest
            side.model.copy(source.model, digest, renamed or name, referrers=referrers)

        return both(must, lambda: store.copy(source.path, name, name=renamed, referrers=referrers))
