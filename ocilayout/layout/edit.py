"""Several changes to a layout, recorded first and then made as one.

Nothing is locked while changes are recorded, so blobs can be copied meanwhile. `Edit.commit`
applies the changes under the writer lock to the root index as it is then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout.garbage import is_shared, only_reached, sweep
from ocilayout.layout.reach import Trace, held, roots_of
from ocilayout.layout.removal import RemoveReport, holders, sizes_of
from ocilayout.model import Descriptor, Digest, require_ref_name, require_size, walk
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.indexfile import IndexFile
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Read


Change = Callable[["RootIndex"], None]
When = Callable[["RootIndex"], bool]
Target = Descriptor | Digest | str


@checked
class Edit:
    """Changes that become visible together, or not at all; `Layout.edit` begins them.

    Each verb takes `when`: it is called under the lock with the root index as the changes before
    left it. If it returns False, this change is left out; an exception gives up the whole edit. It
    may be called again, if a writer without a lock came between.

    Attributes:
        report: What became of the content of removed entries, once the edit is made.

    Raises:
        InvalidNameError: A verb got a name that breaks the grammar, or a target that is a name.
        ReferenceNotFoundError: A verb got a target that the layout does not have.
    """

    def __init__(
        self,
        root: Path,
        *,
        indexfile: IndexFile,
        blobs: Blobs,
        read: Read,
        describe: Callable[[Target], Descriptor],
        strict_names: bool,
        dry_run: bool,
    ) -> None:
        self._root = root
        self._indexfile = indexfile
        self._blobs = blobs
        self._read = read
        self._describe = describe
        self._strict_names = strict_names
        self._dry_run = dry_run
        self.report = RemoveReport()
        self._changes: list[Change] = []
        self._targets: list[Descriptor] = []
        self._dropped: list[Descriptor] = []

    def tag(
        self,
        name: str,
        target: Target,
        *,
        annotations: Mapping[str, str] | None = None,
        when: When | None = None,
    ) -> None:
        """Tag content; see `Layout.tag`.

        Spec: annotations:ref-name.
        """
        require_ref_name(name, strict=self._strict_names)
        descriptor = self._target(target)
        self._record(lambda root: root.tag(name, descriptor, annotations), when)

    def add(self, target: Target, *, when: When | None = None) -> None:
        """Add content as an untagged entry, unless it has an entry already."""
        descriptor = self._target(target)
        self._record(lambda root: root.add(descriptor), when)

    def untag(self, name: str, *, when: When | None = None) -> None:
        """Remove the names of an entry; see `Layout.untag`."""
        self._record(lambda root: root.untag(name), when)

    def annotate(
        self, name: str, changes: Mapping[str, str | None], *, when: When | None = None
    ) -> None:
        """Change the annotations of an entry; see `Layout.annotate`."""
        self._record(lambda root: root.annotate(name, changes), when)

    def remove(self, name: str, *, when: When | None = None) -> None:
        """Remove an entry and the blobs that only it reaches; see `Layout.remove`."""

        def change(root: RootIndex) -> None:
            self._dropped.extend(entry.descriptor for entry in root.matching(name))
            root.drop(name)

        self._record(change, when)

    def commit(self) -> None:
        """Make the changes. `Layout.edit` calls it at the end of its block.

        Raises:
            BlobNotFoundError: A target is gone, or another process removed a blob that the target
                needs after it was put here. Put it again.
            SizeMismatchError: A target has not the size of its blob.
            IntegrityError: A manifest is damaged that a target reaches, or that decides which blobs
                may be deleted.
            DocumentError: Such a manifest or `index.json` breaks the specification.
            LimitExceededError: Such a manifest is too large, or `index.json` would become larger
                than the 256 MiB that can be read.
            ReferenceNotFoundError: A reference means no entry.
            AmbiguousReferenceError: A reference means entries of different content.
            InvalidNameError: Annotations try to set the name.
            LockTimeoutError: Another writer held the lock for too long.
            OSError: The file system refused. If it is about a blob that cannot be deleted, the
                changes are made, and a garbage collection deletes the rest.

        Spec: image-layout:missing-blobs, image-layout:writers.
        """
        reached: list[Digest] = []
        durable = self._indexfile.durable and not self._dry_run
        if durable or self._blobs.put_here:
            reached = [descriptor.digest for descriptor in walk(self._targets, self._read)]
        if durable:
            self._blobs.sync(reached)  # most of the work, before the lock is taken
        put_here = self._blobs.put_here.intersection(reached)
        doomed: list[Digest] = []

        def change(root: RootIndex) -> None:
            self._dropped.clear()
            for apply in self._changes:
                apply(root)

        def check(root: RootIndex) -> None:
            # Since the sync, another process may have deleted a blob, and a third put it again.
            missing = self._blobs.sync(reached) if durable else None
            self._require_present(put_here, missing)
            doomed.clear()
            self.report = RemoveReport()
            if self._dropped:
                doomed.extend(self._plan_removal(root))

        if self._dry_run:
            self._indexfile.rehearse(change, check=check)
        else:
            self._indexfile.edit(change, check=check, after=lambda: self._delete(doomed))

    def _plan_removal(self, root: RootIndex) -> list[Digest]:
        """Return the blobs to delete, and report what becomes of them and of the others."""
        trace = Trace(set())
        only = only_reached(self._dropped, self._read, partial(self._hold, root, trace))
        algorithms = {digest.algorithm for digest in only}
        deletable = {one for one in algorithms if not is_shared(self._root, one)}
        doomed = [digest for digest in only if digest.algorithm in deletable]
        gone = sizes_of(doomed, self._blobs)
        kept = sizes_of(trace.of.difference(doomed), self._blobs)
        removed = {descriptor.digest for descriptor in self._dropped}
        self.report = RemoveReport(
            removed=tuple(sorted(gone)),
            freed=sum(gone.values()),
            kept=sum(kept.values()),
            holders=holders(root, trace, removed, kept) if kept else (),
        )
        return doomed

    def _hold(
        self, root: RootIndex, trace: Trace, more: list[Descriptor], going: Collection[Digest]
    ) -> set[Digest]:
        trace.of.update(going)
        removed = {descriptor.digest for descriptor in self._dropped}
        return held([*roots_of(root), *more], self._blobs, removed=removed, trace=trace).digests

    def _delete(self, doomed: list[Digest]) -> None:
        try:
            sweep(self._root, self._blobs, doomed)
        except OSError as error:
            error.strerror = (
                f"{error.strerror}; the entries are removed all the same, and a garbage collection"
                " deletes the blobs that are left"
            )
            raise

    def _record(self, change: Change, when: When | None) -> None:
        if when is None:
            self._changes.append(change)
        else:
            self._changes.append(lambda root: change(root) if when(root) else None)

    def _target(self, target: Target) -> Descriptor:
        descriptor = self._describe(target)
        self._targets.append(descriptor)
        return descriptor

    def _require_present(self, put_here: set[Digest], missing: set[Digest] | None) -> None:
        """Require the targets, and the blobs that were put here.

        A blob that was not put here may be missing: layouts may lack content.
        """
        for target in {(target.digest, target.size): target for target in self._targets}.values():
            require_size(target, self._blobs.size(target.digest))
        for digest in sorted(put_here):
            if digest not in self._blobs if missing is None else digest in missing:
                raise BlobNotFoundError(
                    f"{digest} was put here, and removed before it had a name; put it again"
                )
