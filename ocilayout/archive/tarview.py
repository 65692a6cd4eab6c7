"""What every archive has in common: blobs at known places of a tar, and a handle of the tar."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout import RootIndex, View
from ocilayout.model import Digest, VerifiedReader, require_size
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.archive.window import Window
    from ocilayout.model import Descriptor, Readable

P = TypeVar("P")
B = TypeVar("B", bound="PlacedBlobs[Any]")


@checked
class PlacedBlobs(ABC, Generic[P]):
    """The blobs of one archive.

    Iterating gives the digests of all blobs, sorted.

    Args:
        places: The place of each blob.
    """

    def __init__(self, places: dict[Digest, P]) -> None:
        self._places = places

    @abstractmethod
    def _size_at(self, place: P) -> int:
        """Return the size of the blob at a place, in bytes."""

    @abstractmethod
    def _open_at(self, place: P) -> Readable:
        """Open the blob at a place."""

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and digest in self._places

    def __iter__(self) -> Iterator[Digest]:
        return iter(sorted(self._places))

    def size(self, digest: Digest) -> int:
        """Return the size of a blob, in bytes.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        return self._size_at(self._place(digest))

    def read(self, descriptor: Descriptor, *, verify: bool = True) -> bytes:
        """Return a blob's bytes, or those that are embedded in the descriptor of a missing blob.

        Args:
            descriptor: Which blob.
            verify: Whether to compare the digest. Without it only the size is compared.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: It is not what the descriptor says.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
            DocumentError: It is unpacked while it is read, and damaged.
        """
        if not verify and descriptor.digest in self:
            with closing(self._open_at(self._whole(descriptor))) as raw:
                return raw.read(descriptor.size)
        with self.open(descriptor) as stream:
            return stream.readall()

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open a blob, or the bytes in the descriptor of a missing one; verified at the end.

        Any number of streams may be read at once. They end with the archive.

        Raises:
            OciLayoutError: As for `read`; another content is found by the stream's `read`.

        Spec: descriptor:data.
        """
        if descriptor.data is not None and descriptor.digest not in self:
            return VerifiedReader(io.BytesIO(descriptor.data), descriptor)
        return VerifiedReader(self._open_at(self._whole(descriptor)), descriptor)

    def _whole(self, descriptor: Descriptor) -> P:
        place = self._place(descriptor.digest)
        require_size(descriptor, self._size_at(place))
        return place

    def _place(self, digest: Digest) -> P:
        place = self._places.get(digest)
        if place is None:
            raise BlobNotFoundError(f"there is no blob {digest}")
        return place


class TarView(View[B]):
    """A handle of an open tar, whose entries are known; it may be shared by threads."""

    _window: Window
    _root: RootIndex

    def close(self) -> None:
        """Close the archive; the file too, unless it was given open."""
        self._window.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _snapshot(self) -> RootIndex:
        return self._root

    def _read_unverified(self, descriptor: Descriptor) -> bytes:
        return self.blobs.read(descriptor, verify=False)
