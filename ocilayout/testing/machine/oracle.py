"""What a store must hold: a plain model of names, entries, notes and blobs.

It is as simple as can be, so that one can see that it is right: lists and sets, searched from
one end to the other. Nothing of it is shared with the code that it is compared with.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from attrs import define, evolve, field, frozen

from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCUMENT_TYPES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Digest,
    fallback_tag,
)
from ocilayout.testing.machine.sample import NAME_ANNOTATION, UNKNOWN
from ocilayout.testing.machine.state import AmbiguityError, Collected, Entry, RefusalError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ocilayout.testing.machine.sample import Content

_OPAQUE: Final = frozenset({OCI_CONFIG, OCI_LAYER, DOCKER_CONFIG, DOCKER_LAYER_GZIP})


@frozen
class Held:
    """What entries hold.

    Attributes:
        digests: All of it.
        unlisted: What is held for its subject alone.
    """

    digests: set[Digest]
    unlisted: tuple[Digest, ...]


@define
class Model:
    """One store.

    A verb that the store must refuse raises `RefusalError`, and changes nothing.

    Attributes:
        known: All content that there may be, by the digests of the roots.
        entries: In document order.
        blobs: The digests of all blobs.
        shell: The root index apart from its entries.
        name_annotations: The keys of annotations that the store takes to belong to a name, so that
            an entry which loses its name loses them, too; none, if it knows nothing of the kind.
    """

    name_annotations: ClassVar[tuple[str, ...]] = (NAME_ANNOTATION,)

    known: Mapping[Digest, Content]
    entries: list[Entry] = field(factory=list)
    blobs: set[Digest] = field(factory=set)
    shell: dict[str, object] = field(factory=dict)
    _all: set[Digest] = field(init=False, factory=set)
    _named: dict[Digest, set[Digest]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        texts = {
            descriptor.digest: data
            for content in self.known.values()
            for descriptor, data in (*content.blobs, *content.beside)
        }
        self._all.update(texts)
        for digest, data in texts.items():
            if data[:1] == b"{":
                self._named[digest] = {to for to in texts if to.encoded.encode() in data}

    def twin(self) -> Model:
        """Return the same store once more, to try something with."""
        entries = [evolve(entry, notes={**entry.notes}) for entry in self.entries]
        return evolve(self, entries=entries, blobs={*self.blobs})

    # ------------------------------------------------------------ asking

    def named(self, name: str) -> Entry | None:
        """Return the first entry of a name."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def names(self) -> tuple[str, ...]:
        """Return all names, each once, sorted."""
        return tuple(sorted({entry.name for entry in self.entries if entry.name is not None}))

    def full_names(self) -> tuple[str, ...]:
        """Return all full names, each once, sorted."""
        return tuple(sorted({entry.full_name for entry in self.entries if entry.full_name}))

    def matching(self, ref: str) -> list[Entry]:
        """Return what a name, a full name, a digest or `NAME@DIGEST` means, in document order."""
        found = self._having("digest", ref) or self._having("name", ref)
        if len({entry.digest for entry in found}) > 1:
            found = [entry for entry in found if entry.full_name == ref] or found
        found = found or self._having("full_name", ref)
        name, _, digest = ref.rpartition("@")
        for attribute in ("name", "full_name"):
            pinned = [entry for entry in self._having(attribute, name) if entry.digest == digest]
            found = found or pinned
        return found

    def meaning(self, ref: str) -> list[Entry]:
        """Return what a reference means, if that is one content.

        Raises:
            RefusalError: It means none, or several.
        """
        found = self.matching(ref)
        if not found:
            raise RefusalError(ref)
        return self._alike(ref, found)

    def is_ambiguous(self, name: str) -> bool:
        """Tell whether entries of different content have a name."""
        return len({entry.digest for entry in self._having("name", name)}) > 1

    def meant(self, refs: Iterable[str]) -> dict[str, Entry]:
        """Return what each of some references means, if that is one content."""
        found = {ref: self.matching(ref) for ref in refs}
        return {
            ref: entries[0]
            for ref, entries in found.items()
            if len({entry.digest for entry in entries}) == 1
        }

    def reach(self, roots: Iterable[Digest]) -> list[Digest]:
        """Return what roots are made of, parents first.

        What is not there is reached, but nothing through it.
        """
        return list(dict.fromkeys(digest for digest, _ in self._walk(roots)))

    def documents(self, roots: Iterable[Digest]) -> list[Digest]:
        """Return the documents among what roots are made of, parents first, there or not."""
        return [
            digest
            for digest, media_type in self._walk(roots)
            if media_type in DOCUMENT_TYPES and digest in self.known
        ]

    def _walk(self, roots: Iterable[Digest]) -> list[tuple[Digest, str]]:
        found: list[tuple[Digest, str]] = []
        pending = [(root, self._type_of(root)) for root in roots]
        while pending:
            this = digest, media_type = pending.pop(0)
            if this in found:
                continue
            found.append(this)
            if media_type in DOCUMENT_TYPES and digest in self.blobs and digest in self.known:
                parts = self.known[digest].parts
                pending = [(part.digest, part.media_type) for part in parts] + pending
        return found

    def _type_of(self, root: Digest) -> str:
        return self.known[root].root.media_type if root in self.known else OCI_MANIFEST

    def held(
        self, entries: Iterable[Entry], more: Iterable[Digest] = (), removed: Container[Digest] = ()
    ) -> Held:
        """Return what entries hold on to, and the root index itself.

        That is what they are made of and refer to, what is named where it is not understood, and
        what refers to any of that.

        Args:
            entries: The entries.
            more: What else is held, with what it is made of and refers to.
            removed: What is not held for its subject alone.
        """
        entries = tuple(entries)
        text = json.dumps([self.shell, *(entry.extra for entry in entries)])
        pending = [(root, self._type_of(root)) for root in (*(e.digest for e in entries), *more)]
        pending += [(digest, "") for digest in self._all if digest.encoded in text]
        seen: set[tuple[Digest, str]] = set()
        self._hold(pending, seen)
        unlisted: list[Digest] = []
        about = [digest for digest in sorted(self.blobs - _digests(seen)) if digest not in removed]
        about = [digest for digest in about if digest in self.known]
        while True:
            found = _digests(seen)
            round_ = [digest for digest in about if self.known[digest].subject in found]
            if not round_:
                return Held(found, tuple(unlisted))
            about = [digest for digest in about if digest not in round_]
            for digest in round_:
                if digest not in _digests(seen):
                    unlisted.append(digest)
                    self._hold([(digest, self._type_of(digest))], seen)

    def _hold(self, pending: list[tuple[Digest, str]], seen: set[tuple[Digest, str]]) -> None:
        while pending:
            this = digest, media_type = pending.pop()
            if this in seen:
                continue
            seen.add(this)
            if digest not in self.blobs or media_type in _OPAQUE:
                continue
            named = self._named.get(digest, set())
            if media_type in DOCUMENT_TYPES and digest in self.known:
                content = self.known[digest]
                pending += [(part.digest, part.media_type) for part in content.parts]
                if content.subject is not None:
                    pending.append((content.subject, self._type_of(content.subject)))
                named = named - {part.digest for part in content.parts} - {content.subject}
            pending += [(to, "") for to in named]

    def referrers(self, digest: Digest) -> list[Digest]:
        """Return what refers to content, in order, then what a list under a tag names."""
        found = [
            document
            for document in self.documents(entry.digest for entry in self.entries)
            if self.known[document].subject == digest and document in self.blobs
        ]
        for entry in self.entries:
            content = self.known[entry.digest]
            if entry.name == fallback_tag(digest) and content.is_index:
                found += [part.digest for part in content.parts]
        return list(dict.fromkeys(found))

    def with_referrers(self, digest: Digest) -> list[Digest]:
        """Return content, what refers to it or to a manifest inside, and so on.

        What is listed as a referrer, and is not one by its own word, is none. What comes along as
        a part is not a root of its own.
        """
        roots = [digest]
        for root in roots:  # which grows
            for inside in self.documents([root]):
                roots += [
                    found
                    for found in self.referrers(inside)
                    if self.known[found].subject == inside and found not in roots
                ]
        parts = {part for root in roots for part in self.reach([root]) if part != root}
        return [digest, *(root for root in roots[1:] if root not in parts)]

    # ------------------------------------------------------------ changing

    def require(self, ref: str) -> Entry:
        """Return the entry that a reference means.

        Raises:
            RefusalError: It means none, or several of different content.
        """
        return self.meaning(ref)[0]

    def put(self, content: Content) -> None:
        """Take in all blobs of a content, and what is beside it, without an entry."""
        self.blobs |= content.placed

    def bring(self, name: str, content: Content) -> None:
        """Take content in under a name."""
        self.put(content)
        self.tag(name, content.digest, {})

    def tag(self, name: str, digest: Digest, notes: Mapping[str, str]) -> None:
        """Tag content; the content that had the tag keeps its other name, if any."""
        fresh = Entry(name, digest, dict(notes))
        place: int | None = None
        for entry in self._alike(name, self._having("name", name)):
            position = self.entries.index(entry)
            if entry.digest == digest and place is None:
                place = position
                fresh.extra = entry.extra
                if entry.full_name:
                    fresh.notes = {CONTAINERD_IMAGE_NAME: entry.full_name, **notes}
                self.entries[position] = fresh
                continue
            bound = set(self.name_annotations)
            if entry.full_name == name:
                bound.add(CONTAINERD_IMAGE_NAME)
            self._unname(entry, bound)
            if entry not in self.entries and place is None:
                place = position
        if fresh not in self.entries:
            self.entries.insert(len(self.entries) if place is None else place, fresh)

    def retag(self, old: str, name: str) -> None:
        """Let a name mean what another means."""
        self.tag(name, self.require(old).digest, {})

    def untag(self, ref: str) -> None:
        """Take names away; their content stays."""
        named = [entry for entry in self.meaning(ref) if entry.is_named]
        if not named:
            raise RefusalError(ref)
        for entry in named:
            self._unname(entry)

    def annotate(self, ref: str, changes: Mapping[str, str | None]) -> None:
        """Change the annotations of the entries of a reference."""
        for entry in self.meaning(ref):
            merged = {**entry.notes, **changes}
            entry.notes = {key: value for key, value in merged.items() if value is not None}

    def remove(self, ref: str) -> None:
        """Take entries away, and what only they reached."""
        entries = self.meaning(ref)
        going = self.reach([entries[0].digest])
        about = {self.known[one].subject for one in self.documents(going) if one in self.blobs}
        self.entries = [entry for entry in self.entries if entry not in entries]
        more = [subject for subject in about if subject is not None and subject not in going]
        self.blobs -= set(going) - self.held(self.entries, more, {entries[0].digest}).digests

    def collect(self, *, prune: bool) -> Collected:
        """Take away what no entry holds, and on request entries that nothing needs."""
        dropped: list[Entry] = []
        if prune:
            live = self.held(entry for entry in self.entries if entry.is_named).digests
            dropped = [
                entry for entry in self.entries if not entry.is_named and entry.digest not in live
            ]
        self.entries = [entry for entry in self.entries if entry not in dropped]
        held = self.held(self.entries)
        removed = self.blobs - held.digests - {UNKNOWN}
        self.blobs -= removed
        digests = tuple(entry.digest for entry in dropped)
        return Collected(frozenset(removed), digests, held.unlisted)

    def repair(self, repeated: Container[int]) -> None:
        """Drop exact repetitions of entries, and make entries of what no entry lists.

        Args:
            repeated: The positions of these entries.
        """
        self.entries = [
            entry for position, entry in enumerate(self.entries) if position not in repeated
        ]
        for digest in self.held(self.entries).unlisted:
            self.entries.append(Entry(None, digest, {}))

    def copy(self, source: Model, digest: Digest, name: str | None, *, referrers: bool) -> None:
        """Take in what another store has, under a name if there is one.

        Args:
            source: The other store.
            digest: What is copied.
            name: What to call it here. A name that means it already stays as it is.
            referrers: Whether what refers to it comes along.
        """
        roots = source.with_referrers(digest) if referrers else [digest]
        self.blobs.update(source.reach(roots))
        there = None if name is None else self.named(name)
        if name is not None and (there is None or there.digest != digest):
            self.tag(name, digest, {})
        for root in roots if name is None else roots[1:]:
            if all(entry.digest != root for entry in self.entries):
                self.entries.append(Entry(None, root, {}))

    def _having(self, attribute: str, value: str) -> list[Entry]:
        return [entry for entry in self.entries if value and getattr(entry, attribute) == value]

    def _alike(self, ref: str, entries: list[Entry]) -> list[Entry]:
        if len({entry.digest for entry in entries}) > 1:
            raise AmbiguityError(ref)
        return entries

    def _is_last(self, entry: Entry) -> bool:
        return sum(other.digest == entry.digest for other in self.entries) == 1

    def _unname(self, entry: Entry, bound: Container[str] | None = None) -> None:
        """Take the name of an entry and some of its notes; drop it if that loses nothing."""
        if bound is None:
            bound = {CONTAINERD_IMAGE_NAME, *self.name_annotations}
        entry.name = None
        entry.notes = {key: value for key, value in entry.notes.items() if key not in bound}
        if not (entry.is_named or entry.extra or self._is_last(entry)):
            self.entries.remove(entry)


def _digests(seen: Iterable[tuple[Digest, str]]) -> set[Digest]:
    return {digest for digest, _ in seen}
