"""Garbage collection: mark the blobs that roots reach, and sweep the others.

Every entry of the root index is a root, named or untagged. `reach` does the marking. `remove` of an
entry does the same for one root: `only_reached` returns what goes with it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout import clock
from ocilayout.layout.blobs import cannot_exist
from ocilayout.layout.reach import held, roots_at, roots_beside, roots_of
from ocilayout.layout.realfolder import OwnFolders
from ocilayout.layout.temporary import temporary_files
from ocilayout.model import Descriptor, Digest, successors, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator
    from pathlib import Path

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.indexfile import IndexFile
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Document, Read

Untagged = Literal["keep", "prune"]


@frozen(kw_only=True)
class CollectReport:
    """What a garbage collection removed, or would remove.

    Attributes:
        removed: The digests of the removed blobs, sorted.
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
    hold: Callable[[list[Descriptor], Collection[Digest]], Container[Digest]],
) -> list[Digest]:
    """Return the blobs that only dropped roots reach, parents before their parts.

    `hold` returns what the remaining roots and some more hold, as `reach.held` does; it is also
    given all that the dropped roots reach.

    The subject of a dropped root stays with all its parts, and so does content that the root only
    names in a place that is not understood. A blob that cannot be verified here is never deleted,
    and left out.

    A process that is killed while it deletes in this order leaves parts without a parent. In the
    other order it would leave a document without its parts, which a writer takes for complete.

    Raises:
        Exception: An error of `read` or `hold`. Then the answer is unknown, and nothing may be
            deleted.
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
    except CycleError:  # possible only with digests that cannot be verified; no order is better
        order = list(going)
    live = hold([subject for subject in subjects if subject.digest not in going], going)
    return [digest for digest in order if digest not in live and digest.verifiable]


def is_shared(root: Path, algorithm: str) -> bool:
    """Return whether the blobs of an algorithm are behind a link, where nothing is deleted."""
    blobs = root / "blobs"
    return blobs.is_symlink() or (blobs / algorithm).is_symlink()


def sweep(root: Path, blobs: Blobs, digests: Iterable[Digest]) -> list[Digest]:
    """Delete blobs; an edit by another process that needs one of them will fail, and say so.

    Nothing is deleted behind a symbolic link to a folder: other layouts share those blobs.

    Returns:
        The blobs that were deleted.

    Raises:
        OSError: The file system refused; some blobs may be deleted.
    """
    removed: list[Digest] = []
    with OwnFolders(root) as folders:
        for digest in digests:
            folder = folders.of("blobs", digest.algorithm)
            # Only a blob: any other kind of file in its place is left to a repair.
            if folder is not None and digest in blobs and folder.unlink(digest.encoded):
                removed.append(digest)
    return removed


class GarbageCollection:
    """One garbage collection of a layout.

    Blobs of unknown algorithms are never deleted, since nothing tells what they are, and neither
    are blobs behind a symbolic link to a folder. A blob or an untagged entry that is younger than
    the grace period stays: its writer may not have tagged it yet. `clock.changed` says what counts
    as its age.
    """

    def __init__(self, root: Path, *, indexfile: IndexFile, blobs: Blobs, grace: timedelta) -> None:
        self._root = root
        self._indexfile = indexfile
        self._blobs = blobs
        self._algorithms: set[str] | None = None
        if grace < timedelta(0):  # nothing would be young, also what is just being written
            raise ValueError(f"grace must not be below 0, as {grace.total_seconds()} seconds are")
        self._limit = clock.now() - grace.total_seconds()

    def run(self, *, untagged: Untagged, dry_run: bool) -> CollectReport:
        """Collect under the writer lock, from the mark to the end of the sweep.

        The index is written before anything is deleted. `Layout.collect` has the arguments and the
        errors.

        Spec: image-layout:garbage.
        """
        dropped: list[Descriptor] = []
        doomed: dict[Digest, int] = {}
        young: set[Digest] = set()
        unlisted: list[Descriptor] = []
        temporaries: list[str] = []

        def mark(index: RootIndex) -> None:  # sets all, as it may be called again; see `edit`
            dropped[:] = self._prunable(index) if untagged == "prune" else ()
            index.drop_untagged({descriptor.digest for descriptor in dropped})
            live = held(roots_of(index), self._blobs)
            unlisted[:] = live.unlisted
            algorithms = {digest.algorithm for digest in live.others}
            shared = {one for one in algorithms if is_shared(self._root, one)}
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
                    with suppress(BlobNotFoundError):  # another process deleted it first
                        doomed[digest] = self._blobs.size(digest)

        def delete() -> None:
            for digest in doomed.keys() - sweep(self._root, self._blobs, doomed):
                del doomed[digest]
            temporaries.extend(self._dead_temporaries(remove=True))

        if dry_run:
            mark(self._indexfile.fresh())
            temporaries.extend(self._dead_temporaries(remove=False))
        else:
            self._indexfile.edit(mark, check=lambda _: None, after=delete)
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
            target = entry.descriptor
            if entry.is_named or self._may_be_young(target.digest):
                kept += roots_at(target)
            else:
                untagged.append(target)
        if not untagged:
            return []
        # A referrer to kept content is held by its subject, as if it had no entry.
        live = held(kept, self._blobs).digests
        return [descriptor for descriptor in untagged if descriptor.digest not in live]

    def _may_be_young(self, digest: Digest) -> bool:
        """Return whether an untagged entry is young, or its blob not reachable for now."""
        if cannot_exist(digest):
            return False
        if digest in self._blobs:
            return self._is_young(digest)
        if os.path.lexists(self._blobs.path(digest)) or self._blobs.is_quarantined(digest):
            return True  # a file in place of the blob does not tell its age
        if self._algorithms is None:
            self._algorithms = {blob.algorithm for blob in self._blobs}
        # Without any blob of its algorithm, their disk may not be mounted.
        return digest.algorithm not in self._algorithms

    def _is_young(self, digest: Digest) -> bool:
        try:
            return self._blobs.changed(digest) > self._limit
        except BlobNotFoundError:
            return False

    def _dead_temporaries(self, *, remove: bool) -> Iterator[str]:
        """Yield the paths of temporary files that are old and whose writers are dead."""
        for file in temporary_files(self._root):
            with suppress(OSError):
                if file.is_dead() and file.changed() <= self._limit:
                    if remove:
                        file.remove()
                    yield file.place
