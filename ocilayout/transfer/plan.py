"""The transfer of one graph: documents first, then blobs, then documents, then tags.

Documents are read from the top down, because only they tell what else there is. They are stored
from the bottom up after all blobs, because a registry refuses a manifest whose parts it does not
have, and because a process that is killed then leaves no manifest without its parts.
"""

from __future__ import annotations

from contextlib import closing, suppress
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from ocilayout.errors import BlobNotFoundError, IntegrityError, RegistryError
from ocilayout.layout import Layout
from ocilayout.model import (
    DOCUMENT_TYPES,
    Budget,
    Limits,
    Remote,
    VerifiedReader,
    require_at_most,
    require_size,
    successors,
    walk,
)
from ocilayout.transfer.event import Event, ReportingStream
from ocilayout.transfer.left_behind import opener
from ocilayout.transfer.missing import missing_parts, without_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Executor

    from ocilayout.layout import RootIndex
    from ocilayout.model import Descriptor, Digest, Readable, Source
    from ocilayout.transfer.event import Report
    from ocilayout.transfer.left_behind import LeftBehind
    from ocilayout.transfer.missing import MissingPart

_ATTEMPTS: Final = 20
"""How often blobs are stored again when another process deletes them before they are tagged."""

_T = TypeVar("_T")


def put_and_bind(put: Callable[[], None], bind: Callable[[], None]) -> None:
    """Store blobs and tag them, retrying if another process collects them in between.

    Args:
        put: Stores the blobs. Those that are stored already are kept, so a retry costs little.
        bind: Tags them, or makes them entries.

    Raises:
        BlobNotFoundError: A blob was deleted each time, or the source does not have it.
        Exception: Any other error of the two functions.
    """
    for _ in range(_ATTEMPTS - 1):
        put()
        try:
            return bind()
        except BlobNotFoundError:
            continue
    put()
    return bind()


class Plan:
    """A transfer from a source to a target, and the documents that it has read.

    Each document is read once: from the target if that is a layout that has it, so that a second
    copy of the same image asks a registry for nothing but the tag. `read` and `read_if_there` are
    those of a `Budget`.
    """

    def __init__(
        self,
        source: Source,
        target: Layout | Remote,
        pool: Executor,
        report: Report,
        limits: Limits,
        *,
        sparse: bool = False,
    ) -> None:
        self._source = source
        self._target = target
        self._near = target if isinstance(target, Layout) else None
        self._remote = None if isinstance(target, Layout) else target
        self._pool = pool
        self._report = report
        self._limits = limits
        self._sparse = sparse
        self._budget = Budget(
            self._load_nearest, limits=limits, of="what is copied", size=source.blobs.size
        )
        self._documents = self._budget.documents
        self.read = self._budget.read
        self.read_if_there = self._budget.read_if_there
        self._fetched: dict[Digest, bytes] = {}
        self._found: dict[Digest, Descriptor] = {}
        self._damaged: set[Digest] = set()
        self._put: Callable[..., Descriptor] = target.blobs.put
        if self._remote is not None and (path := self._remote.blobs.mount_source(source.blobs)):
            self._put = partial(self._remote.blobs.put, mount_from=path)

    def resolve(self, ref: str) -> Descriptor:
        """Resolve a tag or a digest in the source."""
        if not isinstance(self._source, Remote):
            return self._source.resolve(ref)
        data, root = self._source.fetch(ref)
        self._fetched[root.digest] = data
        return root

    def load(self, descriptor: Descriptor) -> bytes:
        """Return the bytes of a document of the source, verified."""
        data = self._fetched.get(descriptor.digest)
        return self._source.blobs.read(descriptor) if data is None else data

    def run(self, named: list[tuple[str | None, Descriptor]], others: list[Descriptor]) -> None:
        """Transfer graphs, then tag their roots, or make them untagged entries.

        Args:
            named: Tags of the target with their roots; `None` for a root that gets no tag.
            others: Roots that become untagged entries of a layout, such as referrers.
        """
        roots = [root for _, root in named] + others
        if self._near is not None:
            layout = self._near
            put_and_bind(lambda: self.carry_out(roots), lambda: _commit(layout, named, others))
            return
        tags = [(name, root) for name, root in named if name is not None]
        # A registry stores what is sent under a tag under its digest, too. Sending such a root
        # by digest first would be a request for nothing.
        by_tag = {root.digest for _, root in tags if self._goes_by_tag(root)}
        try:
            put_and_bind(lambda: self.carry_out(roots, but=by_tag), lambda: self._tag_all(tags))
        except RegistryError as error:
            if not self._sparse or "MANIFEST_BLOB_UNKNOWN" not in error.codes:
                raise
            raise RegistryError(
                f"{error}; this registry takes no sparse index: copy a platform that is there"
                " (`--platform`)",
                status=error.status,
                codes=error.codes,
            ) from None

    def carry_out(self, roots: list[Descriptor], *, but: Collection[Digest] = ()) -> None:
        """Transfer graphs without tagging them.

        Args:
            roots: The roots of the graphs.
            but: Documents that are not stored, unless they are parts of others.
        """
        missing = partial(self._missing_parts, roots)
        with without_missing(missing, self._report, sparse=self._sparse) as out:
            self._carry_out(roots, but, out)

    def _carry_out(
        self, roots: list[Descriptor], but: Collection[Digest], out: Collection[Digest]
    ) -> None:
        if len(roots) > 1:  # read their documents several at a time; the walk below finds them read
            self._each(lambda root: list(walk([root], self.read, but=out)), roots)
        found = list(walk(roots, self.read, but=out))
        self._require_sizes(found)
        self._found |= {descriptor.digest: descriptor for descriptor in found}
        blobs = [descriptor for descriptor in found if descriptor.digest not in self._documents]
        for descriptor in blobs:
            limit, name = self._limits.blob, str(descriptor.digest)
            require_at_most(limit, descriptor.size, of=name, unit="bytes")
        for descriptor in found:
            self._report(Event(kind="planned", descriptor=descriptor))
        self._each(self._transfer_blob, blobs)
        parts = {
            part.digest
            for _, _, document in self._documents.values()
            for part in successors(document)
        }
        for digest in self._children_first({descriptor.digest for descriptor in found}):
            if digest in parts or digest not in but:
                self._put_document(digest)

    def _missing_parts(self, roots: list[Descriptor]) -> list[MissingPart]:
        return missing_parts(roots, self.read_if_there, self._is_missing)

    def _is_missing(self, blob: Descriptor) -> bool:
        # A registry has the blobs of its manifests, and asking for each would take long.
        if blob.urls or blob.data is not None or isinstance(self._source, Remote):
            return False
        near = self._near is not None and self._near.blobs.holds(blob)
        return not near and blob.digest not in self._source.blobs

    def note_named(self, left: LeftBehind) -> None:
        """Note digests that the transferred content names where it is not understood."""
        blobs = self._source.blobs if self._near is None else self._near.blobs
        remote = self._near is None and isinstance(self._source, Remote)
        open_blob = opener(blobs, remote=remote)
        documents = {digest: known[2] for digest, known in self._documents.items()}
        left.note(self._found.values(), documents, open_blob)

    def _require_sizes(self, found: list[Descriptor]) -> None:
        """Raise an error for a wrong size where descriptors of one digest differ in size."""
        sizes: dict[Digest, set[int]] = {}
        for descriptor in found:
            sizes.setdefault(descriptor.digest, set()).add(descriptor.size)
        for descriptor in found:
            if len(sizes[descriptor.digest]) > 1:
                require_size(descriptor, self._source.blobs.size(descriptor.digest))

    def _each(self, do: Callable[[_T], object], subjects: Iterable[_T]) -> None:
        """Call a function for each subject, several at a time.

        Raises:
            Exception: The error of the first call that failed.
        """
        for _ in self._pool.map(do, subjects):
            pass

    def _load_nearest(self, descriptor: Descriptor) -> bytes:
        data = self._read_near(descriptor)
        return self.load(descriptor) if data is None else data

    def _read_near(self, descriptor: Descriptor) -> bytes | None:
        if self._near is None or not self._near.blobs.holds(descriptor):
            return None
        try:
            return self._near.blobs.read(descriptor)
        except BlobNotFoundError:
            return None  # deleted since `holds` was asked
        except IntegrityError:
            # The blob has the right size and wrong bytes, so a put would keep it. It is deleted
            # once the source has given a whole one, not before: it may be the only copy.
            self._damaged.add(descriptor.digest)
            return None

    def _children_first(self, wanted: set[Digest]) -> tuple[Digest, ...]:
        graph = {
            digest: [child.digest for child in successors(document) if child.digest in wanted]
            for digest, (_, _, document) in self._documents.items()
            if digest in wanted
        }
        order = TopologicalSorter(graph).static_order()
        return tuple(digest for digest in order if digest in graph)

    def _put_document(self, digest: Digest) -> None:
        descriptor, data, _ = self._documents[digest]
        if self._near is not None and digest in self._damaged:
            self._damaged.discard(digest)
            with suppress(BlobNotFoundError):
                self._near.blobs.delete(digest)
        if self._target.blobs.holds(descriptor):
            self._report(Event(kind="skipped", descriptor=descriptor))
            return
        self._report(Event(kind="started", descriptor=descriptor))
        self._target.put_manifest(
            data, media_type=descriptor.media_type, algorithm=digest.algorithm
        )
        self._tell_done(descriptor)

    def _goes_by_tag(self, root: Descriptor) -> bool:
        """Return whether sending a root under a tag stores it under its digest, too."""
        return self._remote is not None and root.media_type in DOCUMENT_TYPES

    def _tag_all(self, tags: list[tuple[str, Descriptor]]) -> None:
        """Tag all roots, those first that a registry may refuse to tag.

        A registry computes sha256 of what it gets, and need not support another algorithm. If it
        refuses, no tag was moved yet.
        """
        for sure in (False, True):
            self._each(
                self._tag,
                [pair for pair in tags if (pair[1].digest.algorithm == "sha256") is sure],
            )

    def _tag(self, named: tuple[str, Descriptor]) -> None:
        name, root = named
        if self._remote is None or not self._goes_by_tag(root):
            self._target.tag(name, root)
            return
        self._report(Event(kind="started", descriptor=root))
        self._remote.blobs.send_manifest(self._documents[root.digest][1], root, name=name)
        self._tell_done(root)

    def _tell_done(self, document: Descriptor) -> None:
        self._report(Event(kind="bytes", descriptor=document, count=document.size))
        self._report(Event(kind="done", descriptor=document))

    def _transfer_blob(self, descriptor: Descriptor) -> None:
        if descriptor.urls and descriptor.digest not in self._source.blobs:
            # A blob that only its `urls` lead to is not fetched: the author of the manifest would
            # choose the hosts that we talk to.
            self._report(Event(kind="skipped", descriptor=descriptor))
            return
        opening = partial(self._open, descriptor)
        with closing(ReportingStream(opening, descriptor, self._report)) as stream:
            self._put(stream, media_type=descriptor.media_type, expected=descriptor)
        kind: Literal["done", "skipped"] = "done" if stream.opened else "skipped"
        self._report(Event(kind=kind, descriptor=descriptor))

    def _open(self, descriptor: Descriptor) -> Readable:
        self._report(Event(kind="started", descriptor=descriptor))
        stream = self._source.blobs.open(descriptor)
        # The target hashes what it stores, so the source need not hash it, too.
        return stream.detach() if isinstance(stream, VerifiedReader) else stream


def _commit(
    target: Layout, named: Iterable[tuple[str | None, Descriptor]], others: Iterable[Descriptor]
) -> None:
    with target.edit() as edit:
        for name, root in named:
            if name is None:
                edit.add(root)
            else:
                edit.tag(name, root, when=partial(_differs, name, root))
        for other in others:
            edit.add(other)


def _differs(name: str, content: Descriptor, index: RootIndex) -> bool:
    """Return whether a name means other content than this, or nothing."""
    return {entry.descriptor.digest for entry in index.named(name)} != {content.digest}
