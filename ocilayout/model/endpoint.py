"""The ends of a transfer, as protocols: any source, and a target that is not a `Layout`.

A target in a folder is a `Layout` itself, because a transfer edits its root index. So there is no
protocol for all targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ocilayout.model.descriptor import Descriptor
    from ocilayout.model.digest import Digest
    from ocilayout.model.graph import Document
    from ocilayout.model.stream import BlobSource, Readable


class SourceBlobs(Protocol):
    """The blobs of a source."""

    def __contains__(self, digest: object, /) -> bool: ...

    def size(self, digest: Digest, /) -> int:
        """Return the size of a blob, in bytes."""
        ...

    def read(self, descriptor: Descriptor, /) -> bytes:
        """Return all bytes of a blob, verified."""
        ...

    def open(self, descriptor: Descriptor, /) -> Readable:
        """Return a stream that is verified at its end."""
        ...


class Source(Protocol):
    """A `Layout`, an `Archive`, a `DockerArchive` or a `Repository`."""

    @property
    def blobs(self) -> SourceBlobs:
        """The blobs."""
        ...

    def tags(self) -> tuple[str, ...]:
        """Return all tags."""
        ...

    def resolve(self, name_or_digest: str, /) -> Descriptor:
        """Return a plain descriptor."""
        ...

    def read_manifest(self, descriptor: Descriptor, /) -> Document:
        """Return a manifest or an index, verified."""
        ...

    def referrers(self, digest: Digest, /) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject a digest is."""
        ...


class RemoteBlobs(SourceBlobs, Protocol):
    """The blobs of a repository, which can mount those of another one."""

    def holds(self, descriptor: Descriptor, /) -> bool:
        """Return whether a blob of this digest and size is stored."""
        ...

    def mount_source(self, other: object, /) -> str | None:
        """Return the path of another repository if it is in the same registry, else `None`."""
        ...

    def put(
        self,
        source: BlobSource,
        /,
        *,
        media_type: str,
        expected: Descriptor | None = None,
        mount_from: str | None = None,
    ) -> Descriptor:
        """Store a blob, mounted from another repository if that has it."""
        ...

    def send_manifest(self, data: bytes, descriptor: Descriptor, /, *, name: str) -> None:
        """Store a manifest or an index under a tag."""
        ...


@runtime_checkable
class Remote(Source, Protocol):
    """A `Repository`: a source or a target where each question is a request."""

    @property
    def blobs(self) -> RemoteBlobs:
        """The blobs."""
        ...

    def fetch(self, name_or_digest: str, /) -> tuple[bytes, Descriptor]:
        """Return a manifest's bytes with a plain descriptor, in one request."""
        ...

    def put_manifest(
        self, document: bytes, /, *, media_type: str | None = None, algorithm: str = "sha256"
    ) -> Descriptor:
        """Store a manifest or an index under its digest of an algorithm."""
        ...

    def tag(self, name: str, target: Descriptor, /) -> None:
        """Tag a manifest."""
        ...
