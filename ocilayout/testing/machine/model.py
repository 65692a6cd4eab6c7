"""What a store must hold: a plain model of names, entries, notes and blobs.

It is as simple as can be, so that one can see that it is right: lists and sets, searched from
one end to the other. Nothing of it is shared with the code that it is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, LOCAL_BUILD
from ocilayout.digest import Digest
from ocilayout.mediatype import DOCUMENT_TYPES
from ocilayout.referrer import fallback_tag
from ocilayout.testing.machine.content import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ocilayout.testing.machine.content import Content


class RefusalError(LookupError):
    """A store must not do that; most often because what is asked for is not there."""


@define
class Entry:
    """An entry of the root index.

    Attributes:
        name: Its name, or `None`.
        digest: The digest of its content.
        notes: Its annotations, without the name.
        extra: Properties that the specification does not know.
    """

    name: str | None
    digest: Digest
    notes: dict[str, str]
    extra: dict[str, object] = field(factory=dict)


@frozen
class Collected:
    """What a collection removes.

    Attributes:
        removed: The digests of blobs.
        dropped: The digests of entries, in document order.
    """

    removed: frozenset[Digest]
    dropped: tuple[Digest, ...]


@define
class Model:
    """One store.

    A verb that the store must refuse raises `RefusalError`, and changes nothing.

    Attributes:
        known: All content that there may be, by the digests of the roots.
        entries: In document order.
        blobs: The digests of all blobs.
    """

    known: Mapping[Digest, Content]
    entries: list[Entry] = field(factory=list)
    blobs: set[Digest] = field(factory=set)

    # ------------------------------------------------------------ asking

    def named(self, name: str) -> Entry | None:
        """Return the entry of a name."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        return tuple(sorted(entry.name for entry in self.entries if entry.name is not None))

    def reach(self, roots: Iterable[Digest], *, subjects: bool = False) -> list[Digest]:
        """Return what roots are made of, parents first, and on request what that is about.

        What is not there is reached, but nothing through it.
        """
        found: list[tuple[Digest, bool]] = []
        pending = [(root, True) for root in roots]
        while pending:
            this = digest, is_document = pending.pop(0)
            if this in found:
                continue
            found.append(this)
            content = self.known.get(digest)
            if is_document and content is not None and digest in self.blobs:
                below = [(part.digest, part.media_type in DOCUMENT_TYPES) for part in content.parts]
                if subjects and content.subject is not None:
                    below.append((content.subject, True))
                pending = below + pending
        return list(dict.fromkeys(digest for digest, _ in found))

    def referrers(self, digest: Digest) -> list[Digest]:
        """Return what refers to content: entries in order, then what a list under a tag names."""
        found = [
            entry.digest
            for entry in self.entries
            if self.known[entry.digest].subject == digest and entry.digest in self.blobs
        ]
        for entry in self.entries:
            content = self.known[entry.digest]
            if entry.name == fallback_tag(digest) and content.is_index:
                found += [part.digest for part in content.parts]
        return list(dict.fromkeys(found))

    def with_referrers(self, digest: Digest) -> list[Digest]:
        """Return content, what refers to it or to a manifest inside, and so on.

        What is listed as a referrer, and is not one by its own word, is none.
        """
        roots = [digest]
        for root in roots:  # which grows
            for inside in self.reach([root]):
                if inside in self.known:
                    roots += [
                        found
                        for found in self.referrers(inside)
                        if self.known[found].subject == inside and found not in roots
                    ]
        return roots

    # ------------------------------------------------------------ changing

    def require(self, name: str) -> Entry:
        """Return the entry of a name that is there.

        Raises:
            RefusalError: It is not.
        """
        entry = self.named(name)
        if entry is None:
            raise RefusalError(name)
        return entry

    def put(self, content: Content) -> None:
        """Take in all blobs of a content, without an entry."""
        self.blobs |= content.digests

    def bring(self, name: str, content: Content) -> None:
        """Take content in under a name."""
        self.put(content)
        self.tag(name, content.digest, {})

    def tag(self, name: str, digest: Digest, notes: Mapping[str, str]) -> None:
        """Let a name mean content and nothing else; what it meant stays, without the name."""
        entry = self.named(name)
        if entry is not None and (entry.digest == digest or not self._is_last(entry)):
            entry.digest, entry.notes, entry.extra = digest, dict(notes), {}
            return
        if entry is not None:
            self._unname(entry)
        self.entries.append(Entry(name, digest, dict(notes)))

    def retag(self, old: str, name: str) -> None:
        """Let a name mean what another means."""
        self.tag(name, self.require(old).digest, {})

    def untag(self, name: str) -> None:
        """Take a name away; its content stays."""
        self._unname(self.require(name))

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Change what is noted at the entry of a name."""
        entry = self.require(name)
        merged = {**entry.notes, **changes}
        entry.notes = {key: value for key, value in merged.items() if value is not None}

    def remove(self, name: str) -> None:
        """Take a name away, and what only it reached."""
        entry = self.require(name)
        going = self.reach([entry.digest])
        about = {self.known[digest].subject for digest in going if digest in self.known}
        self.entries.remove(entry)
        kept = [other.digest for other in self.entries]
        kept += [subject for subject in about if subject is not None and subject not in going]
        self.blobs -= set(going) - set(self.reach(kept, subjects=True))

    def collect(self, *, prune: bool) -> Collected:
        """Take away what no entry reaches, and on request entries that nothing needs."""
        dropped: list[Entry] = []
        if prune:
            live = set(self.reach(self._digests(named=True), subjects=True))
            while True:
                needed = [
                    digest
                    for digest in self._digests(named=False)
                    if digest not in live and self.known[digest].subject in live
                ]
                if not needed:
                    break
                live.update(self.reach(needed, subjects=True))
            dropped = [
                entry for entry in self.entries if not entry.name and entry.digest not in live
            ]
        self.entries = [entry for entry in self.entries if entry not in dropped]
        live = set(self.reach([entry.digest for entry in self.entries], subjects=True))
        removed = self.blobs - live - {UNKNOWN}
        self.blobs -= removed
        return Collected(frozenset(removed), tuple(entry.digest for entry in dropped))

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

    def _digests(self, *, named: bool) -> list[Digest]:
        return [entry.digest for entry in self.entries if (entry.name is not None) == named]

    def _is_last(self, entry: Entry) -> bool:
        return sum(other.digest == entry.digest for other in self.entries) == 1

    def _unname(self, entry: Entry) -> None:
        if not self._is_last(entry):
            self.entries.remove(entry)
            return
        entry.name = None
        for key in (LOCAL_BUILD, CONTAINERD_IMAGE_NAME):
            entry.notes.pop(key, None)
