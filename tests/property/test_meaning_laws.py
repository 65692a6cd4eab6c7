"""Several edits of one root index, compared with a plain list after each edit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import AmbiguousReferenceError, OciLayoutError, ReferenceNotFoundError
from ocilayout.layout import entrylist
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.mediatype import OCI_MANIFEST
from skills import LOCAL_BUILD
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = [Descriptor.of(data, OCI_MANIFEST) for data in (b"a", b"b", b"c")]
DIGESTS = [str(content.digest) for content in CONTENT]
NAMES = ["1", "1.2", "x", DIGESTS[0], f"1@{DIGESTS[1]}"]
FULL_NAMES = ["x", "example.org/x:1", "1", DIGESTS[1]]
REFS = sorted({*NAMES, *FULL_NAMES, *DIGESTS})
REFS += [f"{name}@{digest}" for name in ("1", "x", "example.org/x:1") for digest in DIGESTS]
KEYS = [CONTAINERD_IMAGE_NAME, LOCAL_BUILD, "k"]
VALUES = {CONTAINERD_IMAGE_NAME: FULL_NAMES, LOCAL_BUILD: ["true"], "k": ["v", "w"]}

Noted = dict[str, str]


class Listed:
    """One entry of a plain list, compared by identity, since another may be equal."""

    def __init__(self, digest: str, noted: Noted | None = None) -> None:
        self.digest = digest
        self.noted = noted or {}

    @property
    def name(self) -> str:
        return self.noted.get(REF_NAME, "")

    @property
    def full_name(self) -> str:
        return self.noted.get(CONTAINERD_IMAGE_NAME, "")

    def pair(self) -> tuple[str, Noted]:
        return self.digest, dict(self.noted)


class Plain:
    """The simplest root index: entries in a list, searched each time."""

    def __init__(self, entries: list[Listed]) -> None:
        self.entries = entries

    def matching(self, ref: str) -> list[Listed]:
        by_digest = [entry for entry in self.entries if entry.digest == ref]
        by_name = [entry for entry in self.entries if entry.name == ref]
        by_full_name = [entry for entry in self.entries if entry.full_name == ref]
        if by_digest:
            return by_digest
        if len({entry.digest for entry in by_name}) > 1:
            return [entry for entry in by_name if entry.full_name == ref] or by_name
        if by_name or by_full_name:
            return by_name or by_full_name
        pinned = [entry for entry in self.entries if ref == f"{entry.name}@{entry.digest}"]
        full = [entry for entry in self.entries if ref == f"{entry.full_name}@{entry.digest}"]
        return pinned or full

    def named(self, name: str) -> list[Listed]:
        if any(entry.digest == name for entry in self.entries):
            return []
        return [entry for entry in self.entries if entry.name == name]

    def find(self, ref: str) -> list[Listed]:
        return self._alike(self.matching(ref), missing=ReferenceNotFoundError)

    def names(self, noted: Noted) -> list[str]:
        return sorted(
            name
            for name in {entry.name for entry in self.entries if entry.name}
            if all(
                noted.items() <= entry.noted.items() for entry in self.entries if entry.name == name
            )
        )

    def tag(self, name: str, digest: str, noted: Noted) -> None:
        olds = self._alike([entry for entry in self.entries if entry.name == name])
        fresh = Listed(digest, {**noted, REF_NAME: name})
        if olds and olds[0].digest == digest:
            first, *olds = olds
            full = first.noted.get(CONTAINERD_IMAGE_NAME)
            fresh.noted = {**({CONTAINERD_IMAGE_NAME: full} if full else {}), **fresh.noted}
            self.entries[self.entries.index(first)] = fresh
        for old in olds:
            position = self.entries.index(old)
            self._unname(old, {REF_NAME, LOCAL_BUILD, *self._same_full_name(old)})
            if old not in self.entries and fresh not in self.entries:
                self.entries.insert(position, fresh)
        if fresh not in self.entries:
            self.entries.append(fresh)

    def untag(self, ref: str) -> None:
        named = [entry for entry in self.find(ref) if entry.name or entry.full_name]
        if not named:
            raise ReferenceNotFoundError(ref)
        for entry in named:
            self._unname(entry, {REF_NAME, CONTAINERD_IMAGE_NAME, LOCAL_BUILD})

    def drop(self, ref: str) -> None:
        for entry in self.find(ref):
            self.entries.remove(entry)

    def annotate(self, ref: str, changes: dict[str, str | None]) -> None:
        for entry in self.find(ref):
            merged = {**entry.noted, **changes}
            entry.noted = {key: value for key, value in merged.items() if value is not None}

    def add(self, digest: str) -> None:
        if all(entry.digest != digest for entry in self.entries):
            self.entries.append(Listed(digest))

    def drop_untagged(self, digests: set[str]) -> None:
        self.entries = [
            entry
            for entry in self.entries
            if entry.digest not in digests or entry.name or entry.full_name
        ]

    def _alike(self, found: list[Listed], missing: type[Exception] | None = None) -> list[Listed]:
        if missing is not None and not found:
            raise missing
        if len({entry.digest for entry in found}) > 1:
            raise AmbiguousReferenceError("", [entry.digest for entry in found])
        return found

    def _is_last(self, entry: Listed) -> bool:
        return sum(other.digest == entry.digest for other in self.entries) == 1

    def _same_full_name(self, entry: Listed) -> set[str]:
        return {CONTAINERD_IMAGE_NAME} if entry.full_name == entry.name else set()

    def _unname(self, entry: Listed, bound: set[str]) -> None:
        entry.noted = {key: value for key, value in entry.noted.items() if key not in bound}
        if not (entry.full_name or self._is_last(entry)):
            self.entries.remove(entry)


refs = st.sampled_from(REFS)
digests = st.sampled_from(DIGESTS)
notes = st.fixed_dictionaries({}, optional={key: st.sampled_from(VALUES[key]) for key in KEYS})
changes = st.fixed_dictionaries(
    {}, optional={key: st.none() | st.sampled_from(VALUES[key]) for key in KEYS}
)
named = st.fixed_dictionaries({}, optional={REF_NAME: st.sampled_from([*NAMES, ""])})
# Entries are repeated often: if a text has three places or more, one of them may get lost.
documents = st.builds(
    lambda entries, times: entries * times,
    st.lists(st.tuples(digests, named, notes), max_size=3),
    st.integers(1, 3),
)
# Reads are steps, too: caches of the document are filled by the first read that needs them.
steps = st.one_of(
    st.tuples(st.just("tag"), st.sampled_from(NAMES), digests, notes),
    st.tuples(st.just("untag"), refs),
    st.tuples(st.just("drop"), refs),
    st.tuples(st.just("annotate"), refs, changes),
    st.tuples(st.just("add"), digests),
    st.tuples(st.just("drop_at"), st.integers(0, 5)),
    st.tuples(st.just("drop_untagged"), st.sets(digests)),
    st.tuples(st.just("look"), refs, notes),
)


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Read small documents in parts, too, as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrylist, "PART", 1)
        yield


def content_of(digest: str) -> Descriptor:
    return CONTENT[DIGESTS.index(digest)]


def outcome(act: Callable[[], object]) -> str:
    """Call a function, and return its error, if any."""
    try:
        act()
    except (OciLayoutError, LookupError) as error:
        return type(error).__name__
    return "done"


def pairs(entries: Any) -> list[tuple[str, Noted]]:
    return [
        (
            str(entry.descriptor.digest),
            {**entry.annotations, **({REF_NAME: entry.name} if entry.name else {})},
        )
        for entry in entries
    ]


def listed(entries: list[Listed]) -> list[tuple[str, Noted]]:
    """Return entries as they are read: an empty name means untagged."""
    return [
        (
            entry.digest,
            {key: value for key, value in entry.noted.items() if key != REF_NAME or value},
        )
        for entry in entries
    ]


def change(root: RootIndex, plain: Plain, step: Any) -> tuple[str, str]:
    """Make one edit of both, and return both outcomes."""
    verb, *given = step
    if verb == "tag":
        name, digest, noted = given
        return (
            outcome(lambda: root.tag(name, content_of(digest), noted)),
            outcome(lambda: plain.tag(name, digest, noted)),
        )
    if verb == "add":
        (digest,) = given
        return outcome(lambda: root.add(content_of(digest))), outcome(lambda: plain.add(digest))
    if verb == "drop_at":
        present = [position for position, _ in root.raw_entries()]
        if given[0] < len(present):
            root.drop_at(present[given[0]])
            del plain.entries[given[0]]
        return "", ""
    return (
        outcome(lambda: getattr(root, verb)(*given)),
        outcome(lambda: getattr(plain, verb)(*given)),
    )


def require_alike(root: RootIndex, plain: Plain, ref: str, noted: Noted) -> None:
    """Compare all reads of both for a reference and some annotations."""
    assert list(root.names()) == plain.names({})
    assert list(root.names(noted)) == plain.names(noted)
    assert pairs(root.entries()) == listed(plain.entries)
    assert pairs(root.matching(ref)) == listed(plain.matching(ref))
    assert pairs(root.named(ref)) == listed(plain.named(ref))
    for content in CONTENT:
        held = [entry for entry in plain.entries if entry.digest == content.digest]
        assert pairs(root.of(content.digest)) == listed(held)
    assert outcome(lambda: root.find(ref)) == outcome(lambda: plain.find(ref))
    if outcome(lambda: root.find(ref)) == "done":
        assert pairs([root.find(ref)]) == listed(plain.find(ref)[:1])
    for means, entry in root.refs():
        meant = {found.digest for found in plain.matching(means)}
        assert meant == {str(entry.descriptor.digest)}


@settings(deadline=None, max_examples=examples(400, 100))
@given(documents, st.lists(steps, max_size=8), refs, notes)
@example(
    [(DIGESTS[0], {REF_NAME: "1"}, {})] * 3,
    [("look", DIGESTS[0], {}), ("annotate", "1", {"k": "v"}), ("drop", "1")],
    "1",
    {"k": "v"},
)
@example(
    [(DIGESTS[0], {REF_NAME: name}, {}) for name in ("1", "1.2", "x")],
    [("look", DIGESTS[0], {}), ("annotate", "1", {"k": "v"})],
    DIGESTS[0],
    {"k": "v"},
)
@example(
    [(DIGESTS[0], {REF_NAME: "1"}, {})],
    [("annotate", "1", {CONTAINERD_IMAGE_NAME: "example.org/x:1"})],
    "example.org/x:1",
    {"k": "v"},
)
def test_edits_of_one_document_are_those_of_a_plain_list(
    document: list[tuple[str, Noted, Noted]], script: list[Any], ref: str, noted: Noted
) -> None:
    """No cache of the document gets stale, whatever is read between edits."""
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": digest,
            "size": 1,
            **({"annotations": {**name, **more}} if name or more else {}),
        }
        for digest, name, more in document
    ]
    root = RootIndex(
        json.dumps({"schemaVersion": 2, "manifests": entries}).encode(),
        name_annotations=[LOCAL_BUILD],
    )
    plain = Plain([Listed(digest, {**name, **more}) for digest, name, more in document])
    for step in script:
        if step[0] == "look":
            require_alike(root, plain, *step[1:])
        else:
            ours, expected = change(root, plain, step)
            assert ours == expected, step
    require_alike(root, plain, ref, noted)
    again = RootIndex(root.encode(), name_annotations=[LOCAL_BUILD])
    assert again.entries() == root.entries()
    require_alike(again, plain, ref, noted)
