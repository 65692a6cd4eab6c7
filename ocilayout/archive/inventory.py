"""What the members of a tar are to a layout: its two documents, and its blobs.

The documents are not decoded here, and the tar is not parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout.archive.member import iter_members
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    NotALayoutError,
)
from ocilayout.model import Digest, VerifiedReader, require_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.archive.member import Member
    from ocilayout.archive.window import Window
    from ocilayout.model import Descriptor

HEADER: Final = "oci-layout"
INDEX: Final = "index.json"
BLOBS: Final = "blobs"
_BLOB_DEPTH: Final = 3  # blobs, algorithm, encoded


class Inventory:
    """The members of one tar that a layout is made of.

    Attributes:
        blobs: Offset and size of each blob in the tar, in bytes.
    """

    def __init__(self, window: Window) -> None:
        """Read the headers of all members.

        Args:
            window: The tar.

        Raises:
            NotALayoutError: It is no tar, or no layout is in its root.
            DocumentError: The tar is refused, or one of its members is.
            LimitExceededError: An extended header is too large.

        Spec: image-layout:archive.
        """
        self.blobs: dict[Digest, tuple[int, int]] = {}
        self._window = window
        self._documents: dict[str, Member] = {}
        self._hint = ""
        for member in iter_members(window):
            self._take(member)
        for document in (HEADER, INDEX):
            if document not in self._documents:
                raise NotALayoutError(
                    f"{window.name} holds no OCI image layout: {document} is missing{self._hint}"
                )

    def read(self, document: str, limit: int) -> bytes:
        """Return `oci-layout` or `index.json`, and one byte more than the limit at most."""
        member = self._documents[document]
        return self._window.read(member.offset, min(member.size, limit + 1))

    def _take(self, member: Member) -> None:
        folder, _, base = member.path.rpartition("/")
        if member.path in (HEADER, INDEX):
            _require_file(member)
            if member.path in self._documents:
                raise _twice(member)
            self._documents[member.path] = member
        elif member.path.split("/", 1)[0] == BLOBS:
            self._take_blob(member)
        elif base == HEADER:
            self._hint = f"; there is one in {folder!r}, pack what is in that folder"
        elif member.path == "manifest.json" and not self._hint:
            self._hint = "; it is an image of Docker, whose versions before 25 save no layout"

    def _take_blob(self, member: Member) -> None:
        parts = member.path.split("/")
        if len(parts) < _BLOB_DEPTH:
            # Who unpacks a link and then what lies below it writes to where the link leads.
            if member.kind == "other":
                _require_file(member)
            return
        try:
            digest = Digest(":".join(parts[1:]))
        except DocumentError:
            return
        _require_file(member)
        if digest in self.blobs and not digest.verifiable:
            raise _twice(member)
        self.blobs[digest] = (member.offset, member.size)


class ArchiveBlobs:
    """The content-addressed members of one archive.

    Iterating gives the digests of all blobs, sorted.
    """

    def __init__(self, window: Window, places: dict[Digest, tuple[int, int]]) -> None:
        """Take blobs from a tar.

        Args:
            window: The tar.
            places: Offset and size of each blob in it, in bytes.
        """
        self._window = window
        self._places = places

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and digest in self._places

    def __iter__(self) -> Iterator[Digest]:
        return iter(sorted(self._places))

    def size(self, digest: Digest) -> int:
        """Return the size of a blob, in bytes.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        return self._place(digest)[1]

    def read(self, descriptor: Descriptor, *, verify: bool = True) -> bytes:
        """Return a blob's bytes.

        Args:
            descriptor: Which blob.
            verify: Whether to compare the digest. Without it only the size is compared.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: It is not what the descriptor says.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
        """
        if not verify:
            return self._window.read(*self._whole(descriptor))
        with self.open(descriptor) as stream:
            return stream.readall()

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open a blob for reading; it is verified at the end of the stream.

        Any number of streams may be read at once. They end with the archive.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: Its size is not what the descriptor says; or, from the stream's
                `read`, its content is another.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
        """
        return VerifiedReader(self._window.section(*self._whole(descriptor)), descriptor)

    def _whole(self, descriptor: Descriptor) -> tuple[int, int]:
        place = self._place(descriptor.digest)
        require_size(descriptor, place[1])
        return place

    def _place(self, digest: Digest) -> tuple[int, int]:
        place = self._places.get(digest)
        if place is None:
            raise BlobNotFoundError(f"there is no blob {digest}")
        return place


def _require_file(member: Member) -> None:
    if member.kind != "file":
        raise DocumentError.of("irregular-member", "it is no regular file", member.name)


def _twice(member: Member) -> DocumentError:
    return DocumentError.of("duplicate-member", "the archive holds it twice", member.name)
