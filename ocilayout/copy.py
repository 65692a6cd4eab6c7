"""One graph of content from any source to any target.

What travels is content and plain descriptors. What is noted at an entry of a root index has no
way from here to there: no function of this module ever has it in hand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final, Protocol

from ocilayout.digest import is_digest
from ocilayout.errors import BlobNotFoundError, IntegrityError
from ocilayout.event import Event, Told, ignore
from ocilayout.graph import successors, walk, with_referrers
from ocilayout.layout import Layout
from ocilayout.rules import decode_document, require_document_size
from ocilayout.selection import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.descriptor import Descriptor, Platform
    from ocilayout.digest import Digest
    from ocilayout.event import Report
    from ocilayout.index import Index
    from ocilayout.manifest import Manifest
    from ocilayout.rootindex import RootIndex
    from ocilayout.stream import Readable, Source

__all__ = [
    "CopySource",
    "CopyTarget",
    "Event",
    "ReadableBlobs",
    "WritableBlobs",
    "copy",
    "means",
    "put_and_bind",
    "transfer",
]

_ATTEMPTS: Final = 20
"""How often content is brought again when somebody deletes it before it has a name."""


class ReadableBlobs(Protocol):
    """The content of a source."""

    def __contains__(self, digest: object, /) -> bool: ...

    def read(self, descriptor: Descriptor, /) -> bytes:
        """Return all bytes, verified."""
        ...

    def open(self, descriptor: Descriptor, /) -> Readable:
        """Return a stream that is verified at its end."""
        ...


class WritableBlobs(Protocol):
    """The content of a target."""

    def holds(self, descriptor: Descriptor, /) -> bool:
        """Tell whether the content is there and whole."""
        ...

    def put(
        self, source: Source, /, *, media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        """Store content."""
        ...


class CopySource(Protocol):
    """What can be copied from: a `Layout`, an `Archive` or a `Repository`."""

    @property
    def blobs(self) -> ReadableBlobs:
        """The content."""
        ...

    def resolve(self, name_or_digest: str, /) -> Descriptor:
        """Return a plain descriptor."""
        ...

    def referrers(self, digest: Digest, /) -> tuple[Descriptor, ...]:
        """Return what refers to content as its subject."""
        ...


class CopyTarget(Protocol):
    """What can be copied to: a `Layout` or a `Repository`."""

    @property
    def blobs(self) -> WritableBlobs:
        """The content."""
        ...

    def put_manifest(
        self, document: bytes, /, *, media_type: str | None = None, algorithm: str = "sha256"
    ) -> Descriptor:
        """Store a manifest or an index under its digest of an algorithm."""
        ...

    def tag(self, name: str, target: Descriptor, /) -> None:
        """Give a name to it."""
        ...


def copy(
    source: CopySource,
    ref: str,
    target: CopyTarget,
    *,
    name: str | None = None,
    platform: Platform | str | None = None,
    referrers: bool = False,
    jobs: int = 4,
    on_event: Report | None = None,
) -> Descriptor:
    """Copy what a name or a digest means, with everything that it is made of.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        ref: A name or a digest in the source.
        target: A `Layout` or a `Repository`.
        name: What to call it in the target. By default what it was asked for by, if that is a
            name; by digest it arrives without one. A name that means this content already stays
            as it is, with what is noted at it.
        platform: Copy the manifest for this platform alone, without the index that leads to it;
            a text such as `linux/arm64/v8` will do. See `ocilayout.selection` for what fits.
        referrers: Copy what refers to any manifest that is copied, too, and what refers to that:
            signatures, bills of materials and such. They arrive in a layout as entries without
            a name. Those that are listed and not there are left out.
        jobs: How many transfers run at a time.
        on_event: Called with every step, from several threads if there are several jobs.

    Returns:
        A plain descriptor of what was copied.

    Raises:
        ReferenceNotFoundError: The source does not have it, or nothing in it for the platform.
        BlobNotFoundError: The source does not have all that it is made of.
        IntegrityError: Something is not what its descriptor says. It was not stored.
        DocumentError: A manifest breaks the specification.
        LimitExceededError: A manifest is larger than 4 MiB.
        RegistryError: A registry failed or refused.
        OSError: The file system failed.

    Spec: considerations:no-change, descriptor:data-intact, descriptor:download,
        image-index:unknown-entries, manifest:unknown-artifact-type, manifest:unknown-config-type,
        manifest:unknown-layers, manifest:layer-types.
    """
    root = source.resolve(ref)
    if platform is not None:
        root = select(root, platform, source.blobs.read)
    if name is None and not is_digest(ref):
        name = ref
    plan = _Plan(source, target)
    roots = [root]
    if referrers:
        roots = with_referrers(root, plan.read_if_there, source.referrers)
    put_and_bind(
        lambda: plan.carry_out(roots, jobs, on_event or ignore),
        lambda: _bind(target, roots, name),
    )
    return root


def transfer(
    source: CopySource,
    root: Descriptor,
    target: CopyTarget,
    *,
    jobs: int = 4,
    on_event: Report | None = None,
) -> None:
    """Bring content and everything that it is made of, and give it no name.

    What is there already is not brought again, but it is looked at: content whose root is there
    and whose parts are not is completed.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        root: The content.
        target: A `Layout` or a `Repository`.
        jobs: How many transfers run at a time.
        on_event: As for `copy`.

    Raises:
        OciLayoutError: As for `copy`.
    """
    _Plan(source, target).carry_out([root], jobs, on_event or ignore)


def put_and_bind(put: Callable[[], None], bind: Callable[[], None]) -> None:
    """Put content and bind it; again, if another process deleted some of it in between.

    Args:
        put: Puts the content. What is there is kept, so doing it again costs little.
        bind: Gives it a name, or makes it an entry.

    Raises:
        BlobNotFoundError: Something was deleted each time, or cannot be had at all.
        Exception: Whatever else the two raise.
    """
    for _ in range(_ATTEMPTS - 1):
        put()
        try:
            return bind()
        except BlobNotFoundError:
            continue
    put()
    return bind()


class _Plan:
    """The documents of a graph, read once each, from the target if it is a layout that has them."""

    def __init__(self, source: CopySource, target: CopyTarget) -> None:
        self._source = source
        self._target = target
        self._near = target if isinstance(target, Layout) else None
        self._documents: dict[Digest, tuple[Descriptor, bytes, Manifest | Index]] = {}

    def carry_out(self, roots: list[Descriptor], jobs: int, report: Report) -> None:
        found = list(walk(roots, self.read))
        blobs = [descriptor for descriptor in found if descriptor.digest not in self._documents]
        for descriptor in found:
            report(Event(kind="planned", descriptor=descriptor))
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            # list() raises what a transfer raised
            list(pool.map(lambda blob: self._bring_blob(blob, report), blobs))
        for digest in self._children_first({descriptor.digest for descriptor in found}):
            self._put_document(digest, report)

    def read(self, descriptor: Descriptor) -> Manifest | Index:
        known = self._documents.get(descriptor.digest)
        if known is not None and known[0].media_type == descriptor.media_type:
            return known[2]
        require_document_size(descriptor)
        data = self._read_near(descriptor)
        if data is None:
            data = self._source.blobs.read(descriptor)
        document = decode_document(data, descriptor)
        self._documents[descriptor.digest] = (descriptor, data, document)
        return document

    def read_if_there(self, descriptor: Descriptor) -> Manifest | Index | None:
        try:
            return self.read(descriptor)
        except BlobNotFoundError:
            return None

    def _read_near(self, descriptor: Descriptor) -> bytes | None:
        if self._near is None or not self._near.blobs.holds(descriptor):
            return None
        try:
            return self._near.blobs.read(descriptor)
        except BlobNotFoundError:
            return None  # deleted since the question
        except IntegrityError:
            # Of the right size and damaged: it would be kept, so it has to go to be replaced.
            self._near.blobs.delete(descriptor.digest)
            return None

    def _children_first(self, wanted: set[Digest]) -> tuple[Digest, ...]:
        graph = {
            digest: [child.digest for child in successors(document) if child.digest in wanted]
            for digest, (_, _, document) in self._documents.items()
            if digest in wanted
        }
        order = TopologicalSorter(graph).static_order()
        return tuple(digest for digest in order if digest in graph)

    def _put_document(self, digest: Digest, report: Report) -> None:
        descriptor, data, _ = self._documents[digest]
        if self._target.blobs.holds(descriptor):
            report(Event(kind="skipped", descriptor=descriptor))
            return
        report(Event(kind="started", descriptor=descriptor))
        self._target.put_manifest(
            data, media_type=descriptor.media_type, algorithm=digest.algorithm
        )
        report(Event(kind="bytes", descriptor=descriptor, count=len(data)))
        report(Event(kind="done", descriptor=descriptor))

    def _bring_blob(self, descriptor: Descriptor, report: Report) -> None:
        external = descriptor.urls and descriptor.digest not in self._source.blobs
        if external or self._target.blobs.holds(descriptor):
            # Content that only its `urls` lead to is not fetched: whoever wrote the manifest would
            # choose which hosts we talk to.
            report(Event(kind="skipped", descriptor=descriptor))
            return
        report(Event(kind="started", descriptor=descriptor))
        with closing(Told(self._source.blobs.open(descriptor), descriptor, report)) as stream:
            self._target.blobs.put(stream, media_type=descriptor.media_type, expected=descriptor)
        report(Event(kind="done", descriptor=descriptor))


def _bind(target: CopyTarget, roots: list[Descriptor], name: str | None) -> None:
    root, *others = roots
    if not isinstance(target, Layout):
        if name is not None:
            target.tag(name, root)
        return
    with target.edit() as edit:
        if name is None:
            edit.add(root)
        else:
            edit.tag(name, root, when=lambda index: not means(index, name, root))
        for other in others:
            edit.add(other)


def means(index: RootIndex, name: str, content: Descriptor) -> bool:
    """Tell whether a name means this content, and nothing else."""
    return {entry.descriptor.digest for entry in index.named(name)} == {content.digest}
