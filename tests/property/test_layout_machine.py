"""A layout against a model of it: names, entries without one, and the content that they reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ocilayout.annotations import LOCAL_BUILD
from ocilayout.codec import encode
from ocilayout.copy import copy
from ocilayout.descriptor import Descriptor
from ocilayout.errors import BlobNotFoundError, ReferenceNotFoundError
from ocilayout.index import Index
from ocilayout.layout import Layout
from ocilayout.manifest import Manifest
from ocilayout.mediatype import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocilayout.digest import Digest

HANDLES = 2


@frozen
class Content:
    """A graph: blobs in the order in which they are put, the root last."""

    blobs: tuple[tuple[Descriptor, bytes], ...]

    @property
    def root(self) -> Descriptor:
        return self.blobs[-1][0]

    @property
    def digests(self) -> frozenset[Digest]:
        return frozenset(descriptor.digest for descriptor, _ in self.blobs)


def manifest(*layers: str) -> Content:
    """Make a manifest of a config that all share and layers that some share."""
    blobs = [(Descriptor.of(data, OCI_LAYER), data) for data in map(str.encode, layers)]
    config = Descriptor.of(b"{}", OCI_EMPTY)
    data = encode(Manifest(config=config, layers=[descriptor for descriptor, _ in blobs]))
    return Content(((config, b"{}"), *blobs, (Descriptor.of(data, OCI_MANIFEST), data)))


def index(*children: Content) -> Content:
    """Make an index of manifests."""
    data = encode(Index(manifests=[child.root for child in children]))
    blobs = dict(blob for child in children for blob in child.blobs)
    return Content((*blobs.items(), (Descriptor.of(data, OCI_INDEX), data)))


ONE, TWO, THREE = manifest("base", "one"), manifest("base", "two"), manifest("three")
CONTENTS = (ONE, TWO, THREE, index(ONE, TWO), index(TWO, THREE))
BY_DIGEST = {content.root.digest: content for content in CONTENTS}

names = st.sampled_from(["a", "b", "host.example:5000/c:v1"])
contents = st.sampled_from(CONTENTS)
handles = st.integers(0, HANDLES - 1)
notes = st.dictionaries(
    st.sampled_from(["x", "y", LOCAL_BUILD]), st.sampled_from(["", "true"]), max_size=2
)
changes = st.dictionaries(
    st.sampled_from(["x", "y", LOCAL_BUILD]), st.sampled_from([None, "true"]), max_size=2
)


@define
class Entry:
    """What the model knows of an entry."""

    name: str | None
    digest: Digest
    notes: dict[str, str]


@define
class Model:
    """What a layout must hold."""

    entries: list[Entry] = field(factory=list)
    blobs: set[Digest] = field(factory=set)

    def named(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == name), None)

    def reached(self, entries: Iterable[Entry]) -> set[Digest]:
        return {digest for entry in entries for digest in BY_DIGEST[entry.digest].digests}

    def unname(self, entry: Entry) -> None:
        """Take the name of an entry away; the last entry of its content stays."""
        if sum(other.digest == entry.digest for other in self.entries) > 1:
            self.entries.remove(entry)
        else:
            entry.name = None
            entry.notes.pop(LOCAL_BUILD, None)

    def tag(self, name: str, content: Content, noted: dict[str, str]) -> None:
        entry = self.named(name)
        if entry is not None and entry.digest == content.root.digest:
            entry.notes = dict(noted)
            return
        if entry is not None:
            self.unname(entry)
        self.entries.append(Entry(name, content.root.digest, dict(noted)))

    def remove(self, name: str) -> None:
        self.entries = [entry for entry in self.entries if entry.name != name]

    def state(self) -> list[tuple[str | None, str, tuple[tuple[str, str], ...]]]:
        return sorted(
            ((e.name, str(e.digest), tuple(sorted(e.notes.items()))) for e in self.entries),
            key=repr,
        )


class LayoutMachine(RuleBasedStateMachine):
    """Two handles on one layout, and a second layout to copy into."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.model, self.other_model = Model(), Model()
        # What was put through which handle, whether it is still there or not.
        self.put_by: list[set[Digest]] = [set() for _ in range(HANDLES)]

    @initialize()
    def create(self) -> None:
        self.other = Layout.create(self.folder / "other", durability="none")
        Layout.create(self.folder / "layout", durability="none")
        self.handles = [self.open() for _ in range(HANDLES)]

    def open(self) -> Layout:
        return Layout.open(self.folder / "layout", durability="none")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------ rules

    @rule(number=handles, content=contents)
    def put(self, number: int, content: Content) -> None:
        """Bring content without a name."""
        for descriptor, data in content.blobs[:-1]:
            self.handles[number].blobs.put(data, media_type=descriptor.media_type)
        assert self.handles[number].put_manifest(content.blobs[-1][1]) == content.root
        self.model.blobs |= content.digests
        self.put_by[number] |= content.digests

    @rule(number=handles, name=names, content=contents, noted=notes)
    def put_and_tag(self, number: int, name: str, content: Content, noted: dict[str, str]) -> None:
        """Bring content and name it."""
        self.put(number, content)
        self.handles[number].tag(name, content.root, annotations=noted)
        self.model.tag(name, content, noted)

    @rule(number=handles, name=names, choice=st.integers(0, len(CONTENTS) - 1))
    def tag_what_was_put(self, number: int, name: str, choice: int) -> None:
        """Name what was put through a handle some time ago; it may be gone by now."""
        put = [content for content in CONTENTS if content.digests <= self.put_by[number]]
        if put:
            self.name_what_was_put(number, name, put[choice % len(put)])

    @rule(number=handles, remover=handles, name=names, content=contents)
    def put_while_somebody_removes(
        self, number: int, remover: int, name: str, content: Content
    ) -> None:
        """Bring content that shares with what is removed before it has a name."""
        self.put(number, content)
        self.remove(remover, name)
        self.name_what_was_put(number, name, content)

    def name_what_was_put(self, number: int, name: str, content: Content) -> None:
        """Name content if all of it is still there, and require a refusal if it is not."""
        try:
            self.handles[number].tag(name, content.root)
        except BlobNotFoundError:
            assert not content.digests <= self.model.blobs
        else:
            assert content.digests <= self.model.blobs
            self.model.tag(name, content, {})

    @rule(number=handles, name=names, old=names, noted=notes)
    def retag(self, number: int, name: str, old: str, noted: dict[str, str]) -> None:
        """Give another name to what a name means, by digest."""
        entry = self.model.named(old)
        if entry is not None:
            resolved = self.handles[number].resolve(old)
            self.handles[number].tag(name, resolved.digest, annotations=noted)
            self.model.tag(name, BY_DIGEST[entry.digest], noted)

    @rule(number=handles, name=names, choice=st.integers(0, 10))
    def tag_an_entry_by_digest(self, number: int, name: str, choice: int) -> None:
        """Give a name to what has an entry, named or not, by the text of its digest."""
        if self.model.entries:
            digest = self.model.entries[choice % len(self.model.entries)].digest
            self.handles[number].tag(name, str(digest))
            self.model.tag(name, BY_DIGEST[digest], {})

    @rule(number=handles, name=names)
    def untag(self, number: int, name: str) -> None:
        """Take a name away."""
        entry = self.model.named(name)
        if self.is_there(entry, lambda: self.handles[number].untag(name)):
            assert entry is not None
            self.model.unname(entry)

    @rule(number=handles, name=names, changed=changes)
    def annotate(self, number: int, name: str, changed: dict[str, str | None]) -> None:
        """Change what is noted at a name."""
        entry = self.model.named(name)
        if self.is_there(entry, lambda: self.handles[number].annotate(name, changed)):
            assert entry is not None
            merged = {**entry.notes, **changed}
            entry.notes = {key: value for key, value in merged.items() if value is not None}

    @rule(number=handles, name=names)
    def remove(self, number: int, name: str) -> None:
        """Take a name away, and what only it reaches."""
        entry = self.model.named(name)
        if self.is_there(entry, lambda: self.handles[number].remove(name)):
            assert entry is not None
            self.model.remove(name)
            self.model.blobs -= self.model.reached([entry]) - self.model.reached(self.model.entries)

    @rule(number=handles, name=names, renamed=st.none() | names)
    def copy_out(self, number: int, name: str, renamed: str | None) -> None:
        """Copy what a name means into the other layout, which may have some of it."""
        entry = self.model.named(name)
        copied = lambda: copy(self.handles[number], name, self.other, name=renamed, jobs=1)  # noqa: E731 # as for the other verbs
        if self.is_there(entry, copied):
            assert entry is not None
            content = BY_DIGEST[entry.digest]
            there = self.other_model.named(renamed or name)
            if there is None or there.digest != entry.digest:
                self.other_model.tag(renamed or name, content, {})
            self.other_model.blobs |= content.digests

    @rule(name=names)
    def remove_there(self, name: str) -> None:
        """Remove a name from the other layout."""
        entry = self.other_model.named(name)
        if self.is_there(entry, lambda: self.other.remove(name)):
            assert entry is not None
            self.other_model.remove(name)
            self.other_model.blobs = self.other_model.reached(self.other_model.entries)

    @rule(number=handles, name=names, noted=notes)
    def mark_there(self, number: int, name: str, noted: dict[str, str]) -> None:
        """Bring content back by its digest, into an entry that was marked there."""
        entry = self.other_model.named(name)
        if self.is_there(entry, lambda: self.other.annotate(name, noted)):
            assert entry is not None
            entry.notes = {**entry.notes, **noted}
            copy(self.other, entry.digest, self.handles[number], jobs=1)
            self.model.blobs |= BY_DIGEST[entry.digest].digests
            if not any(found.digest == entry.digest for found in self.model.entries):
                self.model.entries.append(Entry(None, entry.digest, {}))

    @rule(number=handles)
    def reopen(self, number: int) -> None:
        """Give up a handle for a new one."""
        self.handles[number] = self.open()
        self.put_by[number] = set()

    @staticmethod
    def is_there(entry: Entry | None, act: object) -> bool:
        """Act, and require that it fails if there is no such entry."""
        assert callable(act)
        try:
            act()
        except ReferenceNotFoundError:
            assert entry is None
            return False
        assert entry is not None
        return True

    # ------------------------------------------------------------ invariants

    @invariant()
    def layouts_are_what_they_must_be(self) -> None:
        """Names, digests and notes are the model's, for every handle and in the other layout."""
        for handle in [*self.handles, self.open()]:
            require_equal(handle, self.model)
        require_equal(self.other, self.other_model)

    @invariant()
    def every_entry_is_whole(self) -> None:
        """All that an entry reaches is there and verifies; what was removed is not there."""
        for layout, model in ((self.open(), self.model), (self.other, self.other_model)):
            for entry in layout.entries():
                reached = set()
                for found in layout.walk(entry.descriptor):
                    layout.blobs.read(found)
                    reached.add(found.digest)
                assert reached == BY_DIGEST[entry.descriptor.digest].digests
            assert set(layout.blobs) == model.blobs
            ingest = layout.path / "ingest"
            assert not ingest.exists() or not os.listdir(ingest)  # noqa: PTH208 # a count


def require_equal(layout: Layout, model: Model) -> None:
    """Require that a layout has the entries of a model."""
    found = sorted(
        (
            (entry.name, str(entry.descriptor.digest), tuple(sorted(entry.annotations.items())))
            for entry in layout.entries()
        ),
        key=repr,
    )
    assert found == model.state()
    assert layout.tags() == tuple(sorted(e.name for e in model.entries if e.name is not None))
    for entry in model.entries:
        resolved = BY_DIGEST[entry.digest].root
        assert layout.resolve(entry.digest) == resolved
        if entry.name is not None:
            assert layout.resolve(entry.name) == resolved
            assert dict(layout.entry(entry.name).annotations) == entry.notes


TestLayoutMachine = LayoutMachine.TestCase
TestLayoutMachine.settings = settings(stateful_step_count=30)
