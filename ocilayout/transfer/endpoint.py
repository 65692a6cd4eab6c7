"""What can be copied from, and what can be copied to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ocilayout.model import Descriptor, Digest, Readable, Source


class ReadableBlobs(Protocol):
    """The content of a source."""

    def __contains__(self, digest: object, /) -> bool: ...

    def size(self, digest: Digest, /) -> int:
        """Return the size of a blob, in bytes."""
        ...

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

    def tags(self) -> tuple[str, ...]:
        """Return all names."""
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
