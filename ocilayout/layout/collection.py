"""Garbage collection: what goes with a root, and what no root holds on to.

Every entry of the root index is a root, named or untagged. What roots hold on to is in `reach`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout import clock
from ocilayout.layout.reach import held, roots_at, roots_beside, roots_of
from ocilayout.layout.temporary import leftovers
from ocilayout.model import Descriptor, Digest, successors, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.indexfile import IndexFile
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Document, Read

Untagged = Literal["keep", "prune"]


@frozen(kw_only=True)
class CollectReport:
    """What a collection removed, or would.

    Attributes:
        removed: The digests of blobs, sorted.
        freed: Their size, in bytes.
        dropped: The untagged entries that were pruned, in document order.
        young: How many blobs stay only because they are younger than the grace period.
        temporaries: Temporary files of dead writers, by their paths in the layout, sorted.
        unlisted: Manifests without an entry that stay because their subject does. A repair makes
            them entries.
    """

    removed: tuple[Digest, ...]
    freed: int
    dropped: tuple[Descriptor, ...]
    young: int
    temporaries: tuple[str, ...]
    unlisted: tuple[Descriptor, ...] = ()


def only_reached(
    dropped: Iterable[Descriptor],
    read: Read,
    hold: Callable[[list[Descriptor]], Container[Digest]],
) -> list[Digest]:
    """Return what dropped roots are made of and no other root holds, parents before their parts.

    A dropped root does not take its subject along, so what that is made of stays, too. Neither does
    it take along what it only names in a place that is not understood. What cannot be verified here
    is never deleted, and left out.

    A process that is killed while it deletes in this order leaves parts without a parent. The other
    way round it would leave a document without its parts, which a writer takes for the whole.

    Args:
        dropped: Roots that go.
        read: Gives documents, `None` for missing ones.
        hold: Returns what the remaining roots and some more hold on to, as `reach.held` does.

    Raises:
        Exception: Whatever the two raise. Then nothing is known, and nothing may be deleted.
    """
    parents: dict[Digest, set[Digest]] = {}
    subjects: list[Descriptor] = []

    def noting(descriptor: Descriptor) -> Document | None:
        document = read(descriptor)
        for child in successors(document) if document is not None else ():
            parents.setdefault(child.digest, set()).add(descriptor.digest)
        if document is not None and document.subject is not None:
            subjects.append(document.subject)
        return document

    going = dict.fromkeys(descriptor.digest for descriptor in walk(dropped, noting))
    sorter = TopologicalSorter({digest: parents.get(digest, ()) for digest in going})
    try:
        order = list(sorter.static_order())
    except CycleError:  # digests that nobody can verify may lie; then no order is better
        order = list(going)
    live = hold([subject for subject in subjects if subject.digest not in going])
    return [digest for digest in order if digest not in live and digest.verifiable]


class Collection:
    """One collection of a layout."""

    def __init__(self, root: Path, *, indexfile: IndexFile, blobs: Blobs, grace: timedelta) -> None:
        """Prepare; nothing is read yet.

        Args:
            root: The folder of the layout.
            indexfile: Its root index.
            blobs: Its content.
            grace: How old what goes must be.
        """
        self._root = root
        self._indexfile = indexfile
        self._blobs = blobs
        self._there: set[str] | None = None
        self._limit = clock.now() - grace.total_seconds()

    def run(self, *, untagged: Untagged, dry_run: bool) -> CollectReport:
        """Collect, under the writer lock from the mark to the end of the sweep.

        Args:
            untagged: `prune` also takes entries without names that no name reaches, unless they
                refer to something that stays, or are young.
            dry_run: Whether to change nothing, and say what would go.

        Raises:
            IntegrityError: A reachable manifest is damaged. Nothing was removed.
            DocumentError: One breaks the specification, or `index.json` does. Nothing was removed.
            LimitExceededError: One is too large. Nothing was removed.
            LockTimeoutError: Another writer held the lock for too long.

        Spec: image-layout:garbage.
        """
        dropped: list[Descriptor] = []
        doomed: dict[Digest, int] = {}
        young: set[Digest] = set()
        unlisted: list[Descriptor] = []
        temporaries: list[str] = []

        def mark(index: RootIndex) -> None:
            dropped[:] = self._prunable(index) if untagged == "prune" else ()
            index.drop_untagged({descriptor.digest for descriptor in dropped})
            live = held(roots_of(index), self._blobs)
            unlisted[:] = live.unlisted
            # A blob of an algorithm that is not known here is never garbage, nor is a shared one.
            shared = {name for name in _algorithms(live.others) if self._blobs.is_shared(name)}
            unreached = [
                digest
                for digest in live.others
                if digest.verifiable and digest.algorithm not in shared
            ]
            young.clear()
            young.update(filter(self._is_young, unreached))
            doomed.clear()
            for digest in unreached:
                if digest not in young:
                    with suppress(BlobNotFoundError):  # somebody else was faster
                        doomed[digest] = self._blobs.size(digest)

        def sweep() -> None:
            for digest in doomed.keys() - self._blobs.sweep(doomed):
                del doomed[digest]
            temporaries.extend(self._dead_temporaries(remove=True))

        if dry_run:
            mark(self._indexfile.fresh())
            temporaries.extend(self._dead_temporaries(remove=False))
        else:
            self._indexfile.edit(mark, check=lambda _: None, after=sweep)
        return CollectReport(
            removed=tuple(sorted(doomed)),
            freed=sum(doomed.values()),
            dropped=tuple(dropped),
            young=len(young),
            unlisted=tuple(unlisted),
            temporaries=tuple(sorted(temporaries)),
        )

    def _prunable(self, index: RootIndex) -> list[Descriptor]:
        """Return the untagged entries that no other entry holds, and that are not young."""
        untagged: list[Descriptor] = []
        kept = roots_beside(index)
        for entry in index.entries():
            to = entry.descriptor
            if entry.is_named or self._may_be_young(to.digest):
                kept += roots_at(to)
            else:
                untagged.append(to)
        if not untagged:
            return []
        # An untagged entry with a subject that stays is held as if it were not listed.
        live = held(kept, self._blobs).digests
        return [descriptor for descriptor in untagged if descriptor.digest not in live]

    def _may_be_young(self, digest: Digest) -> bool:
        """Tell whether an untagged entry is young, or its content is not to be seen for now."""
        if digest in self._blobs:
            return self._is_young(digest)
        if os.path.lexists(self._blobs.path(digest)) or self._blobs.is_quarantined(digest):
            return True  # what lies there tells no time
        if self._there is None:
            self._there = {one.algorithm for one in self._blobs}
        return digest.algorithm not in self._there  # they may lie on a disk that is away

    def _is_young(self, digest: Digest) -> bool:
        try:
            return self._blobs.changed(digest) > self._limit
        except BlobNotFoundError:
            return False

    def _dead_temporaries(self, *, remove: bool) -> Iterator[str]:
        """Give the places of what writers that are gone for certain left behind, if it is old."""
        for found in leftovers(self._root):
            with suppress(OSError):
                if found.is_dead() and found.changed() <= self._limit:
                    if remove:
                        found.remove()
                    yield found.place


def _algorithms(digests: Iterable[Digest]) -> set[str]:
    return {digest.algorithm for digest in digests}
