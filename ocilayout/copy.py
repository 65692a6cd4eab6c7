"""Graphs of content from any source to any target.

What travels is content and plain descriptors. What is noted at an entry of a root index has no
way from here to there: no function of this module ever has it in hand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar, runtime_checkable

from ocilayout.digest import is_digest
from ocilayout.errors import BlobNotFoundError, IntegrityError
from ocilayout.event import Event, Told, ignore
from ocilayout.graph import successors, walk, with_referrers
from ocilayout.index import Index
from ocilayout.layout import Layout
from ocilayout.limit import DEFAULT, Limits, require_at_most
from ocilayout.mediatype import DOCUMENT_TYPES
from ocilayout.rules import decode_document, require_document_size
from ocilayout.selection import select
from ocilayout.stream import LateStream, VerifiedReader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ocilayout.descriptor import Descriptor, Platform
    from ocilayout.digest import Digest
    from ocilayout.event import Report
    from ocilayout.manifest import Manifest
    from ocilayout.rootindex import RootIndex
    from ocilayout.stream import Readable, Source

__all__ = [
    "CopySource",
    "CopyTarget",
    "Event",
    "Limits",
    "ReadableBlobs",
    "RemoteBlobs",
    "RemoteSource",
    "WritableBlobs",
    "copy",
    "copy_all",
    "means",
    "put_and_bind",
    "transfer",
]

JOBS: Final = 4
"""How many transfers run at a time, if nobody says how many."""

_ATTEMPTS: Final = 20
"""How often content is brought again when somebody deletes it before it has a name."""

_AT_A_TIME: Final = 50
"""How many names are copied at a time; their documents are held in memory."""

_T = TypeVar("_T")


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
        """Store content, verified against what is expected."""
        ...


@runtime_checkable
class RemoteBlobs(WritableBlobs, Protocol):
    """The content of a target that is a repository: it can take over blobs from another."""

    def beside(self, other: object, /) -> str | None:
        """Return where to take blobs over from, if other content is in the same registry."""
        ...

    def put(
        self,
        source: Source,
        /,
        *,
        media_type: str,
        expected: Descriptor | None = None,
        mount_from: str | None = None,
    ) -> Descriptor:
        """Store content, taken over from another repository if that has it."""
        ...

    def send_manifest(self, data: bytes, descriptor: Descriptor, /, *, name: str) -> None:
        """Store a manifest or an index, and let a tag name it."""
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


@runtime_checkable
class RemoteSource(CopySource, Protocol):
    """A source that is a repository: a manifest and what it is come in one answer."""

    def fetch(self, name_or_digest: str, /) -> tuple[bytes, Descriptor]:
        """Return a manifest's bytes with a plain descriptor."""
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


def copy(  # noqa: PLR0913 # each is an option by its name
    source: CopySource,
    ref: str,
    target: CopyTarget,
    *,
    name: str | None = None,
    platform: Platform | str | None = None,
    referrers: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT,
) -> Descriptor:
    """Copy what a name or a digest means, with everything that it is made of.

    Between two repositories of one registry blobs are not sent, if it can take them over itself.

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
        limits: How large and how many the documents may be.

    Returns:
        A plain descriptor of what was copied.

    Raises:
        ReferenceNotFoundError: The source does not have it, or nothing in it for the platform.
        BlobNotFoundError: The source does not have all that it is made of.
        IntegrityError: Something is not what its descriptor says. It was not stored.
        DocumentError: A manifest breaks the specification.
        LimitExceededError: A document is too large, or there are too many.
        RegistryError: A registry failed or refused.
        OSError: The file system failed.

    Spec: considerations:no-change, descriptor:data-intact, descriptor:download,
        image-index:unknown-entries, manifest:unknown-artifact-type, manifest:unknown-config-type,
        manifest:unknown-layers, manifest:layer-types.
    """
    found = copy_all(
        source,
        {ref: name},
        target,
        platform=platform,
        referrers=referrers,
        jobs=jobs,
        on_event=on_event,
        limits=limits,
    )
    return found[ref]


def copy_all(
    source: CopySource,
    names: Mapping[str, str | None],
    target: CopyTarget,
    *,
    platform: Platform | str | None = None,
    referrers: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT,
) -> dict[str, Descriptor]:
    """Copy what several names or digests mean; as `copy` does, but faster than one by one.

    They are taken some dozens at a time. If one of these fails then none of them gets a name;
    what came before has its names, and what was stored is not brought again the next time.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        names: What each is called in the target, by its name or digest in the source; `None` as
            for `copy`.
        target: A `Layout` or a `Repository`.
        platform: As for `copy`.
        referrers: As for `copy`.
        jobs: How many transfers run at a time.
        on_event: As for `copy`.
        limits: As for `copy`, of what is taken at a time.

    Returns:
        A plain descriptor of each, by its name or digest in the source.

    Raises:
        OciLayoutError: As for `copy`.
        OSError: The file system failed.
    """
    done: dict[str, Descriptor] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for start in range(0, len(names), _AT_A_TIME):
            some = dict(list(names.items())[start : start + _AT_A_TIME])
            plan = _Plan(source, target, pool, on_event or ignore, limits)

            def find(ref: str, plan: _Plan = plan) -> tuple[Descriptor, list[Descriptor]]:
                root = plan.resolve(ref)
                if platform is not None:
                    root = select(root, platform, plan.load)
                if not referrers:
                    return root, []
                return root, with_referrers(root, plan.read_if_there, source.referrers)[1:]

            found = dict(zip(some, pool.map(find, some), strict=True))
            named = [
                (name or (None if is_digest(ref) else ref), found[ref][0])
                for ref, name in some.items()
            ]
            others = [other for _, more in found.values() for other in more]
            plan.run(named, others)
            done |= {ref: root for ref, (root, _) in found.items()}
    return done


def transfer(
    source: CopySource,
    root: Descriptor,
    target: CopyTarget,
    *,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT,
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
        limits: As for `copy`.

    Raises:
        OciLayoutError: As for `copy`.
        OSError: The file system failed.
    """
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        _Plan(source, target, pool, on_event or ignore, limits).carry_out([root])


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

    def __init__(
        self,
        source: CopySource,
        target: CopyTarget,
        pool: ThreadPoolExecutor,
        report: Report,
        limits: Limits,
    ) -> None:
        self._source = source
        self._target = target
        self._near = target if isinstance(target, Layout) else None
        self._remote = target.blobs if isinstance(target.blobs, RemoteBlobs) else None
        self._pool = pool
        self._report = report
        self._limits = limits
        self._documents: dict[Digest, tuple[Descriptor, bytes, Manifest | Index]] = {}
        self._fetched: dict[Digest, bytes] = {}
        self._put: Callable[..., Descriptor] = target.blobs.put
        if self._remote is not None and (beside := self._remote.beside(source.blobs)):
            self._put = partial(self._remote.put, mount_from=beside)

    def resolve(self, ref: str) -> Descriptor:
        """Return what a name or a digest means in the source."""
        if not isinstance(self._source, RemoteSource):
            return self._source.resolve(ref)
        data, root = self._source.fetch(ref)
        self._fetched[root.digest] = data
        return root

    def load(self, descriptor: Descriptor) -> bytes:
        """Return the bytes of a document of the source, verified."""
        data = self._fetched.get(descriptor.digest)
        return self._source.blobs.read(descriptor) if data is None else data

    def run(self, named: list[tuple[str | None, Descriptor]], others: list[Descriptor]) -> None:
        """Bring content, and give it its names, or make it entries."""
        roots = [root for _, root in named] + others
        if self._near is not None:
            layout = self._near
            put_and_bind(lambda: self.carry_out(roots), lambda: _bind(layout, named, others))
            return
        tags = [(name, root) for name, root in named if name is not None]
        # What is sent under a tag need not be sent under its digest before.
        by_tag = {root.digest for _, root in tags if self._goes_by_tag(root)}
        put_and_bind(lambda: self.carry_out(roots, but=by_tag), lambda: self._each(self._tag, tags))

    def carry_out(self, roots: list[Descriptor], *, but: Collection[Digest] = ()) -> None:
        """Bring content and all that it is made of.

        Args:
            roots: Where it begins.
            but: The documents that are left out, unless they are parts of others.
        """
        if len(roots) > 1:  # their documents are read several at a time
            self._each(lambda root: list(walk([root], self.read)), roots)
        found = list(walk(roots, self.read))
        blobs = [descriptor for descriptor in found if descriptor.digest not in self._documents]
        for descriptor in found:
            self._report(Event(kind="planned", descriptor=descriptor))
        self._each(self._bring_blob, blobs)
        parts = {
            part.digest
            for _, _, document in self._documents.values()
            for part in successors(document)
        }
        for digest in self._children_first({descriptor.digest for descriptor in found}):
            if digest in parts or digest not in but:
                self._put_document(digest)

    def _each(self, do: Callable[[_T], object], subjects: Iterable[_T]) -> None:
        """Do something with each, several at a time.

        Raises:
            Exception: What the first that failed raised.
        """
        for _ in self._pool.map(do, subjects):
            pass

    def read(self, descriptor: Descriptor) -> Manifest | Index:
        known = self._documents.get(descriptor.digest)
        if known is not None and known[0].media_type == descriptor.media_type:
            return known[2]
        require_document_size(descriptor)
        name, limits = str(descriptor.digest), self._limits
        require_at_most(limits.document, descriptor.size, of=name, unit="bytes")
        data = self._read_near(descriptor)
        if data is None:
            data = self.load(descriptor)
        document = decode_document(data, descriptor)
        if isinstance(document, Index):
            require_at_most(limits.children, len(document.manifests), of=name, unit="children")
        else:
            require_at_most(limits.layers, len(document.layers), of=name, unit="layers")
        self._documents[descriptor.digest] = (descriptor, data, document)
        count = len(self._documents)
        require_at_most(limits.documents, count, of="what is copied", unit="documents")
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
            with suppress(BlobNotFoundError):
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

    def _put_document(self, digest: Digest) -> None:
        descriptor, data, _ = self._documents[digest]
        if self._target.blobs.holds(descriptor):
            self._report(Event(kind="skipped", descriptor=descriptor))
            return
        self._report(Event(kind="started", descriptor=descriptor))
        self._target.put_manifest(
            data, media_type=descriptor.media_type, algorithm=digest.algorithm
        )
        self._tell_done(descriptor)

    def _goes_by_tag(self, root: Descriptor) -> bool:
        """Tell whether something arrives under its digest, too, when it is sent under a tag."""
        return (
            self._remote is not None
            and root.media_type in DOCUMENT_TYPES
            and root.digest.algorithm == "sha256"
        )

    def _tag(self, named: tuple[str, Descriptor]) -> None:
        name, root = named
        if self._remote is None or not self._goes_by_tag(root):
            self._target.tag(name, root)
            return
        self._report(Event(kind="started", descriptor=root))
        self._remote.send_manifest(self._documents[root.digest][1], root, name=name)
        self._tell_done(root)

    def _tell_done(self, document: Descriptor) -> None:
        self._report(Event(kind="bytes", descriptor=document, count=document.size))
        self._report(Event(kind="done", descriptor=document))

    def _bring_blob(self, descriptor: Descriptor) -> None:
        if descriptor.urls and descriptor.digest not in self._source.blobs:
            # Content that only its `urls` lead to is not fetched: whoever wrote the manifest would
            # choose which hosts we talk to.
            self._report(Event(kind="skipped", descriptor=descriptor))
            return
        late = LateStream(lambda: self._open(descriptor))
        with closing(Told(late, descriptor, self._report)) as stream:
            self._put(stream, media_type=descriptor.media_type, expected=descriptor)
        kind: Literal["done", "skipped"] = "done" if late.opened else "skipped"
        self._report(Event(kind=kind, descriptor=descriptor))

    def _open(self, descriptor: Descriptor) -> Readable:
        self._report(Event(kind="started", descriptor=descriptor))
        stream = self._source.blobs.open(descriptor)
        # The target verifies what it is promised, and nothing has to be hashed twice.
        return stream.detach() if isinstance(stream, VerifiedReader) else stream


def _bind(
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
    return not means(index, name, content)


def means(index: RootIndex, name: str, content: Descriptor) -> bool:
    """Tell whether a name means this content, and nothing else."""
    return {entry.descriptor.digest for entry in index.named(name)} == {content.digest}
