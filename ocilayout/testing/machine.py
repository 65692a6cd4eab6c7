"""A state machine that runs a store against a model of it.

Hypothesis makes up sequences of verbs on two layouts, through several handles at once, and after
each one everything that can be seen is compared with `ocilayout.testing.model`: by reading the
files of the layout with nothing but `json`, and by asking the store. A sequence that finds a
difference is shrunk to the shortest one that does.

    def test_my_store() -> None:
        check_store(MyAdapter())

`ocilayout.testing.adapter` says what an adapter is.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, LOCAL_BUILD, REF_NAME
from ocilayout.digest import Digest
from ocilayout.testing.content import BY_DIGEST, CONTENTS, FALLBACK_TAGS, Content
from ocilayout.testing.model import Collected, Entry, Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis import settings

    from ocilayout.testing.adapter import Adapter, Store

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 # folders in it are made by tempfile
"""Where files cost least, on Linux."""

_NAMES: Final = ("a", "b", "host.example:5000/c:v1", next(iter(FALLBACK_TAGS)))
_KEYS: Final = ("org.example.note", LOCAL_BUILD, CONTAINERD_IMAGE_NAME)

_names = st.sampled_from(_NAMES)
_contents = st.sampled_from(CONTENTS)
_notes = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(["", "true"]), max_size=2)
_changes = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from([None, "true"]), max_size=2)
_some = st.integers(0, 9)


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


@define
class _Side:
    """One of the two layouts: where it is, its handles, and what it must hold."""

    path: Path
    model: Model = field(factory=Model)
    stores: list[Store] = field(factory=list)
    put: list[set[Digest]] = field(factory=list)  # through each handle, there or not
    seen: bytes = b""
    asked: int = 0


def _has(verb: str) -> Callable[[StoreMachine], bool]:
    return lambda machine: verb in machine.adapter.verbs


class StoreMachine(RuleBasedStateMachine):
    """Two layouts, several handles on each, and the verbs between them.

    Attributes:
        adapter: Opens the stores.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        folder: Path | None = None,
        on_step: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self._on_step = on_step
        if folder is None and _MEMORY.is_dir():
            folder = _MEMORY
        self._folder = Path(tempfile.mkdtemp(prefix="store-machine-", dir=folder))
        self._verified: set[tuple[Path, Digest, int]] = set()

    @initialize()
    def create(self) -> None:
        """Make both layouts, and open them."""
        self._sides = [_Side(self._folder / name) for name in ("left", "right")]
        for side in self._sides:
            self.adapter.create(side.path)
            side.stores = [
                self.adapter.open(side.path, number) for number in range(self.adapter.handles)
            ]
            side.put = [set() for _ in side.stores]

    def teardown(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._folder)

    # ------------------------------------------------------------ verbs

    @precondition(_has("put"))
    @rule(at=_some, by=_some, content=_contents)
    def put(self, at: int, by: int, content: Content) -> None:
        """Bring content without a name."""
        side, number = self._choose(at, by)
        self._put(side, number, content)

    @precondition(lambda machine: {"put", "tag"} <= set(machine.adapter.verbs))
    @rule(at=_some, by=_some, name=_names, content=_contents, notes=_notes)
    def put_and_tag(
        self, at: int, by: int, name: str, content: Content, notes: dict[str, str]
    ) -> None:
        """Bring content and name it."""
        side, number = self._choose(at, by)
        self._put(side, number, content)
        side.stores[number].tag(name, content.root, notes)
        side.model.tag(name, content.digest, notes)

    @precondition(lambda machine: {"put", "tag"} <= set(machine.adapter.verbs))
    @rule(at=_some, by=_some, name=_names, choice=st.integers(0, len(CONTENTS) - 1))
    def tag_what_was_put(self, at: int, by: int, name: str, choice: int) -> None:
        """Name what was put through a handle some time ago; it may be gone by now."""
        side, number = self._choose(at, by)
        put = [content for content in CONTENTS if content.digests <= side.put[number]]
        if put:
            self._tag_if_there(side, number, name, put[choice % len(put)])

    @precondition(lambda machine: {"put", "tag", "remove"} <= set(machine.adapter.verbs))
    @rule(at=_some, by=_some, other=_some, name=_names, content=_contents)
    def put_while_somebody_removes(
        self, at: int, by: int, other: int, name: str, content: Content
    ) -> None:
        """Bring content that shares with what is removed before it has a name."""
        side, number = self._choose(at, by)
        self._put(side, number, content)
        self._remove(side, other % len(side.stores), name)
        self._tag_if_there(side, number, name, content)

    @precondition(_has("tag"))
    @rule(at=_some, by=_some, name=_names, choice=_some, part=_some, notes=_notes)
    def tag_again(
        self, at: int, by: int, name: str, choice: int, part: int, notes: dict[str, str]
    ) -> None:
        """Name what has an entry already, named or not, or a manifest inside of it."""
        side, number = self._choose(at, by)
        if side.model.entries:
            entry = side.model.entries[choice % len(side.model.entries)]
            inside = [found for found in side.model.reach([entry.digest]) if found in BY_DIGEST]
            content = BY_DIGEST[inside[part % len(inside)]]
            side.stores[number].tag(name, content.root, notes)
            side.model.tag(name, content.digest, notes)

    @precondition(_has("untag"))
    @rule(at=_some, by=_some, name=_names)
    def untag(self, at: int, by: int, name: str) -> None:
        """Take a name away."""
        side, number = self._choose(at, by)
        entry = _done(side.model.named(name), lambda: side.stores[number].untag(name))
        if entry is not None:
            side.model.untag(entry)

    @precondition(_has("annotate"))
    @rule(at=_some, by=_some, name=_names, changes=_changes)
    def annotate(self, at: int, by: int, name: str, changes: dict[str, str | None]) -> None:
        """Change what is noted at a name."""
        side, number = self._choose(at, by)
        entry = _done(side.model.named(name), lambda: side.stores[number].annotate(name, changes))
        if entry is not None:
            side.model.annotate(entry, changes)

    @precondition(_has("remove"))
    @rule(at=_some, by=_some, name=_names)
    def remove(self, at: int, by: int, name: str) -> None:
        """Take a name away, and what only it reaches."""
        side, number = self._choose(at, by)
        self._remove(side, number, name)

    @precondition(_has("collect"))
    @rule(at=_some, by=_some, prune=st.booleans(), dry_run=st.booleans())
    def collect(self, at: int, by: int, *, prune: bool, dry_run: bool) -> None:
        """Delete what nothing reaches; or only ask what that would be."""
        side, number = self._choose(at, by)
        removed = side.stores[number].collect(prune=prune, grace=False, dry_run=dry_run)
        model = Model(list(side.model.entries), set(side.model.blobs)) if dry_run else side.model
        must = model.collect(prune=prune)
        if self.adapter.exact:
            _same("collected", Collected(removed.blobs, removed.entries), must)

    @precondition(_has("collect"))
    @rule(at=_some, by=_some, prune=st.booleans())
    def collect_nothing_young(self, at: int, by: int, *, prune: bool) -> None:
        """Delete what nothing reaches and is old; nothing is."""
        side, number = self._choose(at, by)
        removed = side.stores[number].collect(prune=prune, grace=True, dry_run=False)
        if self.adapter.exact:
            _same("collected, of young", (removed.blobs, removed.entries), (frozenset(), ()))

    @precondition(_has("copy"))
    @rule(at=_some, by=_some, name=_names, renamed=st.none() | _names, referrers=st.booleans())
    def copy_a_name(
        self, at: int, by: int, name: str, renamed: str | None, *, referrers: bool
    ) -> None:
        """Copy what a name means from the other layout, which shares with what is here."""
        side, number = self._choose(at, by)
        source = self._sides[at % 2 - 1]
        entry = _done(
            source.model.named(name),
            lambda: side.stores[number].copy(source.path, name, name=renamed, referrers=referrers),
        )
        if entry is not None:
            self._receive(side, source, entry.digest, renamed or name, referrers=referrers)

    @precondition(_has("copy"))
    @rule(at=_some, by=_some, choice=_some, renamed=st.none() | _names, referrers=st.booleans())
    def copy_a_digest(
        self, at: int, by: int, choice: int, renamed: str | None, *, referrers: bool
    ) -> None:
        """Copy an entry of the other layout by its digest."""
        side, number = self._choose(at, by)
        source = self._sides[at % 2 - 1]
        if source.model.entries and self.adapter.exact:
            digest = source.model.entries[choice % len(source.model.entries)].digest
            side.stores[number].copy(source.path, str(digest), name=renamed, referrers=referrers)
            self._receive(side, source, digest, renamed, referrers=referrers)

    @rule(at=_some, by=_some)
    def reopen(self, at: int, by: int) -> None:
        """Give up a handle for a new one."""
        side, number = self._choose(at, by)
        side.stores[number] = self.adapter.open(side.path, number)
        side.put[number] = set()

    # ------------------------------------------------------------ what must hold

    @invariant()
    def layouts_are_what_they_must_be(self) -> None:
        """The files, and what the store says of them, are what the model says."""
        for side in self._sides:
            self._require_files(side)
            self._require_whole(side)
            self._require_view(side)

    def _require_files(self, side: _Side) -> None:
        entries = _read_entries(side.path)
        if self.adapter.exact:
            must = [(entry.name, str(entry.digest), entry.notes) for entry in side.model.entries]
            _same("entries", entries, must)
            _same("blobs", _list_blobs(side.path), side.model.blobs)
            _same("temporaries", [*side.path.glob("ingest/*"), *side.path.glob("*.tmp")], [])
        else:
            named = {name: digest for name, digest, _ in entries if name is not None}
            names = {
                entry.name: str(entry.digest)
                for entry in side.model.entries
                if entry.name is not None
            }
            _same("names", named, names)

    def _require_whole(self, side: _Side) -> None:
        """Require that all that is named is there, to the byte; what was so before, may be so."""
        for entry in side.model.entries:
            if entry.name is None and not self.adapter.exact:
                continue
            for descriptor, data in BY_DIGEST[entry.digest].blobs:
                digest = descriptor.digest
                path = side.path / "blobs" / digest.algorithm / digest.encoded
                seen = (side.path, digest, path.stat().st_mtime_ns)
                if seen not in self._verified:
                    _same(f"content of {digest}", path.read_bytes(), data)
                    self._verified.add(seen)

    def _require_view(self, side: _Side) -> None:
        named = {entry.name: entry for entry in side.model.entries if entry.name is not None}
        state = (side.path / "index.json").read_bytes()
        if state == side.seen:
            return  # what the handles say of it was compared already
        side.seen = state
        side.asked = (side.asked + 1) % len(side.stores)
        view = side.stores[side.asked].look()  # by turns, so that each has missed some changes
        _same("names", sorted(view.names), list(side.model.names()))
        roots = {name: BY_DIGEST[entry.digest].root for name, entry in named.items()}
        _same("what names mean", view.meant, roots)
        if self.adapter.exact:
            _same("order of names", view.names, side.model.names())
            notes = {name: entry.notes for name, entry in named.items()}
            _same("what is noted", view.notes, notes)
        if view.referrers is not None:
            referrers = {digest: tuple(side.model.referrers(digest)) for digest in view.referrers}
            _same("referrers", view.referrers, referrers)

    # ------------------------------------------------------------ parts of verbs

    def _choose(self, at: int, by: int) -> tuple[_Side, int]:
        self._on_step()
        side = self._sides[at % 2]
        return side, by % len(side.stores)

    def _put(self, side: _Side, number: int, content: Content) -> None:
        side.stores[number].put(content)
        side.model.blobs |= content.digests
        side.put[number] |= content.digests

    def _tag_if_there(self, side: _Side, number: int, name: str, content: Content) -> None:
        """Name content if all of it is still there, and require a refusal if it is not."""
        there = content.digests <= side.model.blobs
        try:
            side.stores[number].tag(name, content.root, {})
        except LookupError:
            _same("content is there to be named", there, False)  # noqa: FBT003 # a value
        else:
            _same("content is there to be named", there, True)  # noqa: FBT003 # a value
            side.model.tag(name, content.digest, {})

    def _remove(self, side: _Side, number: int, name: str) -> None:
        entry = _done(side.model.named(name), lambda: side.stores[number].remove(name))
        if entry is not None:
            side.model.remove(entry)

    def _receive(
        self, side: _Side, source: _Side, digest: Digest, name: str | None, *, referrers: bool
    ) -> None:
        roots = source.model.with_referrers(digest) if referrers else [digest]
        side.model.receive(roots, source.model.reach(roots), name)


def _done(entry: Entry | None, act: Callable[[], object]) -> Entry | None:
    """Act, and require a `LookupError` if there is no entry to act on."""
    try:
        act()
    except LookupError:
        _same("what was said not to be there", entry, None)
        return None
    if entry is None:
        raise AssertionError("a verb did something to a name that is not there")
    return entry


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:  # no assert statement: Python may be told to leave those out
        raise AssertionError(f"{what}: there is {found!r}, there must be {wanted!r}")


def _read_entries(path: Path) -> list[tuple[str | None, str, dict[str, str]]]:
    document: dict[str, Any] = json.loads((path / "index.json").read_bytes())
    found = []
    for entry in document["manifests"] or ():
        notes = dict(entry.get("annotations") or {})
        found.append((notes.pop(REF_NAME, None), entry["digest"], notes))
    return found


def _list_blobs(path: Path) -> set[Digest]:
    return {
        Digest(f"{folder.name}:{blob.name}")
        for folder in (path / "blobs").iterdir()
        for blob in folder.iterdir()
    }
