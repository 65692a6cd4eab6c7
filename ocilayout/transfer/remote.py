"""What a registry can do that other sources and targets cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ocilayout.model import Source, TargetBlobs

if TYPE_CHECKING:
    from ocilayout.model import BlobSource, Descriptor


@runtime_checkable
class RemoteBlobs(TargetBlobs, Protocol):
    """The blobs of a repository, which can mount those of another one."""

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
class RemoteSource(Source, Protocol):
    """A repository: one answer has both a manifest and its descriptor."""

    def fetch(self, name_or_digest: str, /) -> tuple[bytes, Descriptor]:
        """Return a manifest's bytes with a plain descriptor."""
        ...
