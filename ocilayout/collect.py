"""Garbage: what no root reaches, and how it goes without taking anything else along.

Every entry of the root index is a root, named or not. What cannot be read stops a collection, since
nobody can tell what it reaches; what is missing reaches nothing here.
"""

from __future__ import annotations

import time
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest
from ocilayout.errors import BlobNotFoundError
from ocilayout.graph import document_of, successors, walk
from ocilayout.leftover import is_dead, leftovers, touched
from ocilayout.leftover import remove as remove_leftover
from ocilayout.link import Link, link_of, links, reached
from ocilayout.rules import require_document_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from ocilayout.blobs import Blobs
    from ocilayout.graph import Read
    from ocilayout.index import Index
    from ocilayout.indexfile import IndexFile
    from ocilayout.manifest import Manifest
    from ocilayout.rootindex import RootIndex

Untagged = Literal["keep", "prune"]


@frozen(kw_only=True)
class CollectReport:
    """What a collection removed, or would.

    Attributes:
        removed: The digests of blobs, sorted.
        freed: Their size, in bytes.
        dropped: The entries without names that were pruned, in document order.
        young: How many blobs stay only because they are younger than the grace period.
        temporaries: Left-overs of dead writers, by their paths in the layout, sorted.
    """

    removed: tuple[Digest, ...]
    freed: int
    dropped: tuple[Descriptor, ...]
    young: int
    temporaries: tuple[str, ...]


def only_reached(
    dropped: Iterable[Descriptor], kept: Iterable[Descriptor], read: Read
) -> list[Digest]:
    """Return what the dropped roots reach and no kept root does, parents before their parts.

    A kept root also holds what it refers to as its subject. A dropped one does not take that along,
    so what its subject is made of stays, too. What cannot be verified here is left out: it is
    somebody's, and never deleted.

    A process that is killed while it deletes in this order leaves parts without a parent. The other
    way round it would leave a document without its parts, which a writer takes for the whole.

    Args:
        dropped: Roots that go.
        kept: All roots that stay, named or not.
        read: Gives documents, `None` for missing ones.

    Raises:
        Exception: Whatever `read` raises. Then nothing is known, and nothing may be deleted.
    """
    parents: dict[Digest, set[Digest]] = {}
    subjects: list[Descriptor] = []

    def noting(descriptor: Descriptor) -> Manifest | Index | None:
        document = read(descriptor)
        for child in successors(document) if document is not None else ():
            parents.setdefault(child.digest, set()).add(descriptor.digest)
        if document is not None and document.subject is not None:
            subjects.append(document.subject)
        return document

    going = [descriptor.digest for descriptor in walk(dropped, noting)]
    sorter = TopologicalSorter({digest: parents.get(digest, ()) for digest in going})
    try:
        order = list(sorter.static_order())
    except CycleError:  # digests that nobody can verify may lie; then no order is better
        order = going
    left = [subject for subject in subjects if subject.digest not in set(going)]
    live = {found.digest for found in walk([*kept, *left], read, subjects=True)}
    return [digest for digest in order if digest not in live and digest.verifiable]


class Collection:
    """One collection of a layout."""

    def __init__(
        self, root: Path, *, indexfile: IndexFile, blobs: Blobs, read: Read, grace: timedelta
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            root: The folder of the layout.
            indexfile: Its root index.
            blobs: Its content.
            read: Gives documents, `None` for missing ones.
            grace: How old what goes must be.
        """
        self._root = root
        self._indexfile = indexfile
        self._blobs = blobs
        self._read = read
        self._limit = time.time() - grace.total_seconds()

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
        temporaries: list[Path] = []

        def mark(index: RootIndex) -> None:
            dropped[:] = self._prunable(index) if untagged == "prune" else ()
            index.drop_untagged({descriptor.digest for descriptor in dropped})
            unreached = self._unreached(index)
            young.clear()
            young.update(filter(self._is_young, unreached))
            doomed.clear()
            for digest in unreached:
                if digest not in young:
                    with suppress(BlobNotFoundError):  # somebody else was faster
                        doomed[digest] = self._blobs.size(digest)

        def sweep() -> None:
            self._blobs.sweep(doomed)
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
            temporaries=tuple(
                sorted(path.relative_to(self._root).as_posix() for path in temporaries)
            ),
        )

    def _unreached(self, index: RootIndex) -> list[Digest]:
        live = reached(_roots(index), self._follow)
        # A blob of an algorithm that is not known here is somebody's, and never garbage.
        return [digest for digest in self._blobs.others(live) if digest.verifiable]

    def _follow(self, link: Link) -> list[Link]:
        descriptor = Descriptor(media_type=link.media_type, digest=link.digest, size=link.size)
        require_document_size(descriptor)
        # What cannot be verified is read all the same: here it matters only what it refers to.
        try:
            data = self._blobs.read(descriptor, verify=descriptor.digest.verifiable)
        except BlobNotFoundError:
            return []
        return links(data, descriptor)

    def _prunable(self, index: RootIndex) -> list[Descriptor]:
        entries = index.entries()
        pending = [entry.descriptor for entry in entries if not entry.is_named]
        kept = [entry.descriptor for entry in entries if entry.is_named]
        kept += [descriptor for descriptor in pending if self._is_young(descriptor.digest)]
        live: set[Digest] = set()
        while kept:
            live.update(descriptor.digest for descriptor in walk(kept, self._read, subjects=True))
            pending = [descriptor for descriptor in pending if descriptor.digest not in live]
            kept = [descriptor for descriptor in pending if self._refers_to(live, descriptor)]
        return pending

    def _refers_to(self, live: set[Digest], descriptor: Descriptor) -> bool:
        document = document_of(descriptor, self._read)
        subject = None if document is None else document.subject
        return subject is not None and subject.digest in live

    def _is_young(self, digest: Digest) -> bool:
        try:
            return self._blobs.modified(digest) > self._limit
        except BlobNotFoundError:
            return False

    def _dead_temporaries(self, *, remove: bool) -> Iterator[Path]:
        """Give what writers that are gone for certain left behind, if it is old."""
        now = time.time()
        for found in leftovers(self._root):
            with suppress(OSError):
                if is_dead(found, now) and touched(found.path) <= self._limit:
                    if remove:
                        remove_leftover(found)
                    yield found.path


def _roots(index: RootIndex) -> list[Link]:
    found = [link_of(entry) for _, entry in index.raw_entries()]
    plain = [link for link in found if link is not None]
    if len(plain) == len(found):
        return plain
    descriptors = [entry.descriptor for entry in index.entries()]
    return [Link(to.media_type, to.digest, to.size) for to in descriptors]
