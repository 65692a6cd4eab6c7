"""One graph of content from any source to any target.

What travels is content and plain descriptors. What is noted at an entry of a root index has no
way from here to there: no function of this module ever has it in hand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final, Literal, Protocol

from attrs import field, frozen

from ocilayout.descriptor import Descriptor
from ocilayout.digest import is_digest
from ocilayout.errors import BlobNotFoundError, IntegrityError
from ocilayout.graph import successors, walk
from ocilayout.layout import Layout
from ocilayout.rules import decode_document, require_document_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.digest import Digest
    from ocilayout.index import Index
    from ocilayout.manifest import Manifest
    from ocilayout.rootindex import RootIndex
    from ocilayout.stream import Readable, Source

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


class CopyTarget(Protocol):
    """What can be copied to: a `Layout` or a `Repository`."""

    @property
    def blobs(self) -> WritableBlobs:
        """The content."""
        ...

    def put_manifest(self, document: bytes, /, *, media_type: str | None = None) -> Descriptor:
        """Store a manifest or an index."""
        ...

    def tag(self, name: str, target: Descriptor, /) -> None:
        """Give a name to it."""
        ...


@frozen(kw_only=True)
class Event:
    """A step of a copy.

    Attributes:
        kind: `planned` for everything that is to be there at the end, then `skipped` for what is
            there already, or `started`, any number of `bytes`, and `done`. All of it comes again
            if another process deleted content before it had a name.
        descriptor: What the step is about.
        count: How many bytes have just passed, for `bytes`; 0 otherwise.
    """

    kind: Literal["planned", "started", "bytes", "skipped", "done"]
    descriptor: Descriptor
    count: int = field(default=0)


def copy(
    source: CopySource,
    ref: str,
    target: CopyTarget,
    *,
    name: str | None = None,
    jobs: int = 4,
    on_event: Callable[[Event], None] | None = None,
) -> Descriptor:
    """Copy what a name or a digest means, with everything that it is made of.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        ref: A name or a digest in the source.
        target: A `Layout` or a `Repository`.
        name: What to call it in the target. By default what it was asked for by, if that is a
            name; by digest it arrives without one. A name that means this content already stays
            as it is, with what is noted at it.
        jobs: How many transfers run at a time.
        on_event: Called with every step, from several threads if there are several jobs.

    Returns:
        A plain descriptor of what was copied.

    Raises:
        ReferenceNotFoundError: The source does not have it.
        BlobNotFoundError: The source does not have all that it is made of.
        IntegrityError: Something is not what its descriptor says. It was not stored.
        DocumentError: A manifest breaks the specification.
        LimitExceededError: A manifest is larger than 4 MiB.
        RegistryError: A registry failed or refused.
        OSError: The file system failed.
    """
    root = source.resolve(ref)
    if name is None and not is_digest(ref):
        name = ref
    put_and_bind(
        lambda: transfer(source, root, target, jobs=jobs, on_event=on_event),
        lambda: _name(target, root, name),
    )
    return root


def transfer(
    source: CopySource,
    root: Descriptor,
    target: CopyTarget,
    *,
    jobs: int = 4,
    on_event: Callable[[Event], None] | None = None,
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
    report = on_event or _ignore
    plan = _Plan(source, target)
    found = list(walk([root], plan.read))
    blobs = [descriptor for descriptor in found if descriptor.digest not in plan.documents]
    for descriptor in found:
        report(Event(kind="planned", descriptor=descriptor))
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        # list() raises what a transfer raised
        list(pool.map(lambda blob: _transfer_blob(source, blob, target, report), blobs))
    for digest in plan.children_first():
        descriptor, data, _ = plan.documents[digest]
        if target.blobs.holds(descriptor):
            report(Event(kind="skipped", descriptor=descriptor))
            continue
        report(Event(kind="started", descriptor=descriptor))
        target.put_manifest(data, media_type=descriptor.media_type)
        report(Event(kind="bytes", descriptor=descriptor, count=len(data)))
        report(Event(kind="done", descriptor=descriptor))


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
        self._near = target if isinstance(target, Layout) else None
        self.documents: dict[Digest, tuple[Descriptor, bytes, Manifest | Index]] = {}

    def read(self, descriptor: Descriptor) -> Manifest | Index:
        require_document_size(descriptor)
        data = self._read_near(descriptor)
        if data is None:
            data = self._source.blobs.read(descriptor)
        document = decode_document(data, descriptor)
        self.documents[descriptor.digest] = (descriptor, data, document)
        return document

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

    def children_first(self) -> tuple[Digest, ...]:
        graph = {
            digest: [
                child.digest for child in successors(document) if child.digest in self.documents
            ]
            for digest, (_, _, document) in self.documents.items()
        }
        return tuple(TopologicalSorter(graph).static_order())


class _Counted:
    """A stream that reports how much of it was read."""

    def __init__(self, raw: Readable, count: Callable[[int], None]) -> None:
        self._raw = raw
        self._count = count

    def read(self, size: int = -1, /) -> bytes:
        data = self._raw.read(size)
        self._count(len(data))
        return data

    def close(self) -> None:
        self._raw.close()


def _transfer_blob(
    source: CopySource,
    descriptor: Descriptor,
    target: CopyTarget,
    report: Callable[[Event], None],
) -> None:
    external = descriptor.urls and descriptor.digest not in source.blobs
    if external or target.blobs.holds(descriptor):
        # Content that only its `urls` lead to is not fetched: whoever wrote the manifest would
        # choose which hosts we talk to.
        report(Event(kind="skipped", descriptor=descriptor))
        return
    report(Event(kind="started", descriptor=descriptor))

    def count(size: int) -> None:
        report(Event(kind="bytes", descriptor=descriptor, count=size))

    with closing(_Counted(source.blobs.open(descriptor), count)) as stream:
        target.blobs.put(stream, media_type=descriptor.media_type, expected=descriptor)
    report(Event(kind="done", descriptor=descriptor))


def _name(target: CopyTarget, root: Descriptor, name: str | None) -> None:
    if not isinstance(target, Layout):
        if name is not None:
            target.tag(name, root)
        return
    with target.edit() as edit:
        if name is None:
            edit.add(root)
        else:
            edit.tag(name, root, when=lambda index: not means(index, name, root))


def means(index: RootIndex, name: str, content: Descriptor) -> bool:
    """Tell whether a name means this content, and nothing else."""
    return {entry.descriptor.digest for entry in index.named(name)} == {content.digest}


def _ignore(_: Event) -> None:
    """Report to nobody."""
