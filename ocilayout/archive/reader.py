"""A layout inside a tar, read where it lies; nothing is unpacked into a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Self

from ocilayout.archive.inventory import HEADER, INDEX, ArchiveBlobs, Inventory
from ocilayout.archive.window import open_window
from ocilayout.layout import MAX_ROOT_INDEX, RootIndex, View
from ocilayout.model import MAX_HEADER, Header, decode

if TYPE_CHECKING:
    import os

    from ocilayout.archive.window import Window


class Archive(View[ArchiveBlobs]):
    """An OCI image layout inside a tar, plain or compressed with gzip.

    A handle holds the file open until it is closed, and may be shared by threads. It needs
    memory for each blob's place, some 0.4 KiB, and none for content.

    Attributes:
        blobs: The content.
    """

    def __init__(self, window: Window) -> None:
        """Read the members' headers, `oci-layout` and `index.json`; `open` is the way to it."""
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
        with `./`, members may come in any order and folders be left out, and what does not
        belong to a layout is passed over, so the output of `docker save` will do.

        Of several members with one digest the last one counts: what is read is verified.

        Args:
            path_or_file: The path of the archive, or an open binary file that can seek. That is
                read from where it stands, stays open, and must not be used by others meanwhile.
            unpack_limit: How much gzip may unpack to, in bytes; by default 100 times its size,
                and 256 MiB at least.

        Raises:
            NotALayoutError: There is no such file, it is no tar, or no layout is in its root.
            UnsupportedVersionError: The layout is of another version.
            DocumentError: The tar is damaged or truncated; a name is absolute or leads out of it;
                `oci-layout`, `index.json` or a blob is a link or a device; one of the first two is
                there twice, or a blob is whose digest cannot be computed here; or one of the two
                breaks the specification.
            LimitExceededError: One of the two, or what gzip unpacks to, is too large.
            OSError: The file cannot be read, or the temporary file cannot be written.

        Spec: image-layout:transports, image-layout:oci-layout-file.
        """
        window = open_window(path_or_file, unpack_limit=unpack_limit)
        try:
            return cls(window)
        except BaseException:
            window.close()
            raise

    def close(self) -> None:
        """Close the archive; the file too, unless it was given open."""
        self._window.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _snapshot(self) -> RootIndex:
        return self._root
