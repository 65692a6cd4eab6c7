"""A layout inside a tar, read where it lies; nothing is unpacked into a folder.

The headers of all members are read once, to find the two documents and the blobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Self

from ocilayout.archive.member import iter_members
from ocilayout.archive.tarview import PlacedBlobs, TarView
from ocilayout.archive.window import open_window
from ocilayout.errors import DocumentError, NotALayoutError, read_from
from ocilayout.layout import MAX_ROOT_INDEX, RootIndex
from ocilayout.model import MAX_HEADER, Digest, Header, decode
from ocilayout.signature import checked

if TYPE_CHECKING:
    import os

    from ocilayout.archive.member import Member
    from ocilayout.archive.window import Window
    from ocilayout.model import Readable

HEADER: Final = "oci-layout"
INDEX: Final = "index.json"
BLOBS: Final = "blobs"
_BLOB_DEPTH: Final = 3  # blobs, algorithm, encoded


class Inventory:
    """The members of a tar that belong to a layout.

    Args:
        window: The tar.

    Attributes:
        blobs: Offset and size of each blob in the tar, in bytes.

    Raises:
        NotALayoutError: It is not a tar, or its root is not a layout.
        DocumentError: The tar is refused, or one of its members is.
        LimitExceededError: An extended header is too large.

    Spec: image-layout:archive.
    """

    def __init__(self, window: Window) -> None:
        self.blobs: dict[Digest, tuple[int, int]] = {}
        self._window = window
        self._documents: dict[str, Member] = {}
        self._hint = ""
        for member in iter_members(window):
            self._take(member)
        for document in (HEADER, INDEX):
            if document not in self._documents:
                raise NotALayoutError(
                    f"{window.name} is not an OCI image layout: {document} is missing{self._hint}"
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
            self._hint = "; it is an image of Docker without a layout: read docker-archive:FILE"

    def _take_blob(self, member: Member) -> None:
        parts = member.path.split("/")
        if len(parts) < _BLOB_DEPTH:
            # A program that unpacks a link, and then members below it, writes to its target.
            if member.kind == "other":
                _require_file(member)
            return
        try:
            digest = Digest.parse(":".join(parts[1:]))
        except DocumentError:
            return
        _require_file(member)
        if digest in self.blobs and not digest.verifiable:
            raise _twice(member)
        self.blobs[digest] = (member.offset, member.size)


class ArchiveBlobs(PlacedBlobs[tuple[int, int]]):
    """The content-addressed members of one archive; a place is an offset and a size in bytes.

    Args:
        window: The tar.
        places: The place of each blob.
    """

    def __init__(self, window: Window, places: dict[Digest, tuple[int, int]]) -> None:
        super().__init__(places)
        self._window = window

    def _size_at(self, place: tuple[int, int]) -> int:
        return place[1]

    def _open_at(self, place: tuple[int, int]) -> Readable:
        return self._window.section(*place)


@checked
class Archive(TarView[ArchiveBlobs]):
    """An OCI image layout inside a tar, plain or compressed with gzip; `open` returns one.

    A handle holds the file open until it is closed, and may be shared by threads. It needs
    memory for each blob's place, some 0.4 KiB, and none for content.

    Attributes:
        blobs: The content.
    """

    def __init__(self, window: Window) -> None:
        inventory = Inventory(window)
        decode(inventory.read(HEADER, MAX_HEADER), Header, limit=MAX_HEADER)
        self._window = window
        self._root = RootIndex(inventory.read(INDEX, MAX_ROOT_INDEX))
        self.blobs = ArchiveBlobs(window, inventory.blobs)

    @classmethod
    def open(
        cls,
        path_or_file: str | os.PathLike[str] | BinaryIO,
        *,
        unpack_limit: int | None = None,
    ) -> Self:
        """Open an archive.

        A plain tar is read in place; of one that is compressed with gzip a copy is unpacked into
        a temporary file without a name, in the folder that `tempfile` chooses. Names may begin
        with `./`, members may come in any order and folders be left out, and members
        that do not belong to a layout are ignored, so the output of `docker save` can be read.

        Of several members with one digest the last one counts; its content is verified when read.

        Args:
            path_or_file: The path of the archive, or an open binary file that can seek. That is
                read from its position, stays open, and must not be used elsewhere meanwhile.
            unpack_limit: How much gzip may unpack to, in bytes; by default 100 times its size,
                and 256 MiB at least.

        Raises:
            NotALayoutError: The file is missing or not a tar, or its root is not a layout.
            UnsupportedVersionError: The layout is of another version.
            DocumentError: The tar is damaged or truncated; a name is absolute or leads out of it;
                `oci-layout`, `index.json` or a blob is a link or a device; one of the first two, or
                a blob that cannot be verified here, is there twice; or one of the two breaks the
                specification.
            LimitExceededError: One of the two, or what gzip unpacks to, is too large.
            OSError: The file cannot be read, or the temporary file cannot be written.

        Spec: image-layout:transports, image-layout:oci-layout-file.
        """
        window = open_window(path_or_file, unpack_limit=unpack_limit)
        try:
            with read_from(window.name):
                return cls(window)
        except BaseException:
            window.close()
            raise


def _require_file(member: Member) -> None:
    if member.kind != "file":
        raise DocumentError.of("irregular-member", "it is not a regular file", member.name)


def _twice(member: Member) -> DocumentError:
    return DocumentError.of("duplicate-member", "the archive holds it twice", member.name)
