"""What a store must hold: a plain model of names, entries, notes and blobs.

It is as simple as can be, so that one can see that it is right: lists and sets, searched from
one end to the other. Nothing of it is shared with the code that it is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, LOCAL_BUILD
from ocilayout.digest import Digest
from ocilayout.testing.content import BY_DIGEST, FALLBACK_TAGS, is_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@define
class Entry:
    """An entry of the root index.

    Attributes:
        name: Its name, or `None`.
        digest: The digest of its content.
        notes: Its annotations, without the name.
    """

    name: str | None
    digest: Digest
    notes: dict[str, str]


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

    Attributes:
        entries: In document order.
        blobs: The digests of all blobs.
    """

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
        found: list[Digest] = []
        pending = list(roots)
        while pending:
            digest = pending.pop(0)
            if digest in found:
                continue
            found.append(digest)
            content = BY_DIGEST.get(digest)
            if content is not None and digest in self.blobs:
                below = list(content.parts)
                if subjects and content.subject is not None:
                    below.append(content.subject)
                pending = below + pending
        return found

    def referrers(self, digest: Digest) -> list[Digest]:
        """Return what refers to content: entries in order, then what a list under a tag names."""
        found = [
            entry.digest
            for entry in self.entries
            if BY_DIGEST[entry.digest].subject == digest and entry.digest in self.blobs
        ]
        for entry in self.entries:
            content = BY_DIGEST[entry.digest]
            if FALLBACK_TAGS.get(entry.name or "") == digest and is_index(content):
                found += content.parts
        return list(dict.fromkeys(found))

    def with_referrers(self, digest: Digest) -> list[Digest]:
        """Return content, what refers to it or to a manifest inside, and so on.

        What is listed as a referrer, and is not one by its own word, is none.
        """
        roots = [digest]
        for root in roots:  # which grows
            for inside in self.reach([root]):
                if inside in BY_DIGEST:
                    roots += [
                        found
                        for found in self.referrers(inside)
                        if BY_DIGEST[found].subject == inside and found not in roots
                    ]
        return roots

    # ------------------------------------------------------------ changing

    def tag(self, name: str, digest: Digest, notes: Mapping[str, str]) -> None:
        """Let a name mean content and nothing else; what it meant stays, without the name."""
        entry = self.named(name)
        if entry is not None and (entry.digest == digest or not self._is_last(entry)):
            entry.digest, entry.notes = digest, dict(notes)
            return
        if entry is not None:
            self._unname(entry)
        self.entries.append(Entry(name, digest, dict(notes)))

    def untag(self, entry: Entry) -> None:
        """Take the name of an entry away; its content stays."""
        self._unname(entry)

    def annotate(self, entry: Entry, changes: Mapping[str, str | None]) -> None:
        """Change what is noted at an entry."""
        merged = {**entry.notes, **changes}
        entry.notes = {key: value for key, value in merged.items() if value is not None}

    def remove(self, entry: Entry) -> None:
        """Take an entry away, and what only it reached."""
        going = self.reach([entry.digest])
        about = {BY_DIGEST[digest].subject for digest in going if digest in BY_DIGEST}
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
                    if digest not in live and BY_DIGEST[digest].subject in live
                ]
                if not needed:
                    break
                live.update(self.reach(needed, subjects=True))
            dropped = [
                entry for entry in self.entries if not entry.name and entry.digest not in live
            ]
        self.entries = [entry for entry in self.entries if entry not in dropped]
        removed = self.blobs - set(
            self.reach([entry.digest for entry in self.entries], subjects=True)
        )
        self.blobs -= removed
        return Collected(frozenset(removed), tuple(entry.digest for entry in dropped))

    def receive(self, roots: list[Digest], blobs: Iterable[Digest], name: str | None) -> None:
        """Take in what was copied: the first root under a name, if there is one."""
        self.blobs.update(blobs)
        first, *others = roots
        there = None if name is None else self.named(name)
        if name is None:
            others = roots
        elif there is None or there.digest != first:
            self.tag(name, first, {})
        for digest in others:
            if all(entry.digest != digest for entry in self.entries):
                self.entries.append(Entry(None, digest, {}))

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
