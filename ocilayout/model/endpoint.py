"""What content is transferred from and to: `Source`, `Target`, and their blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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


class TargetBlobs(Protocol):
    """The blobs of a target."""

    def holds(self, descriptor: Descriptor, /) -> bool:
        """Tell whether a blob of this digest and size is stored."""
        ...

    def put(
        self, source: BlobSource, /, *, media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        """Store a blob, verified against the expected descriptor."""
        ...


class Target(Protocol):
    """A `Layout` or a `Repository`."""

    @property
    def blobs(self) -> TargetBlobs:
        """The blobs."""
        ...

    def put_manifest(
        self, document: bytes, /, *, media_type: str | None = None, algorithm: str = "sha256"
    ) -> Descriptor:
        """Store a manifest or an index under its digest of an algorithm."""
        ...

    def tag(self, name: str, target: Descriptor, /) -> None:
        """Tag a manifest."""
        ...
