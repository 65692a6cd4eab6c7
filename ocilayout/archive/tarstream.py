"""A tar written from its beginning to its end: to a file, or to a pipe.

Headers are USTAR, with a PAX record only where a name or a size does not fit. Owner and times
are 0, so that the bytes depend on names and content alone.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from ocilayout.layout import File, acting, new_file, path_of
from ocilayout.model import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocilayout.model import Readable

_FILE_MODE: Final = 0o644
_MODES: Final = {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}
_SHOWN: Final = 40
"""How much of the name of a target the name of its temporary file has, in characters."""


class TarStream:
    """Members, written one after another: files, folders and symbolic links.

    Args:
        file: The file to write to; it need not be able to seek, and is not closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        name = getattr(file, "name", None)
        self._name = name if isinstance(name, str) else "the archive"
        self._size = 0

    def add(self, name: str, data: bytes) -> None:
        """Write a file of these bytes."""
        self._write(_header(name, len(data)))
        self._write(data)
        self._pad(tarfile.BLOCKSIZE)

    def add_folder(self, name: str) -> None:
        """Write a folder."""
        self._write(_header(name, 0, tarfile.DIRTYPE))

    def add_link(self, name: str, target: str) -> None:
        """Write a symbolic link."""
        self._write(_header(name, 0, tarfile.SYMTYPE, target))

    def add_stream(self, name: str, size: int, content: Readable) -> None:
        """Write a file, holding no more than a part of it at a time.

        Args:
            name: Its name.
            size: Its size, in bytes.
            content: A stream that raises if it has another size.
        """
        self._write(_header(name, size))
        while data := content.read(CHUNK):
            self._write(data)
        self._pad(tarfile.BLOCKSIZE)

    def finish(self) -> None:
        """Write the end: two empty blocks, and as many as fill a record."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._pad(tarfile.RECORDSIZE)

    def _pad(self, unit: int) -> None:
        self._write(bytes(-self._size % unit))

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        view = memoryview(data)
        while view:
            # A raw file, such as a pipe without a buffer, may write a part only.
            with acting("write", self._name):
                written = self._file.write(view)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, "the file is not ready and does not wait")
            view = view[written:]


@contextmanager
def open_target(file: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """Give a file to write to: the given one, or one at a path.

    A regular file appears at its path, or replaces the one there and takes over its owner, group
    and mode, when the block ends; if that raises, everything is as it was. Anything else at the
    path, such as a FIFO or a terminal, is written to as it is.

    Args:
        file: A path, or an open binary file, which is not closed.

    Raises:
        OSError: The file cannot be written.
    """
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    path = path_of(file)
    with acting("write", path):
        old = _status(path)
        if old is not None and not stat.S_ISREG(old.st_mode):
            target = File(os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)), "wb", str(path))
        else:
            target = None
            path = path.resolve()  # a symbolic link stays, and what it leads to is replaced
    if target is not None:
        with target:
            yield target
        return
    # With a part of the name only, which may already be as long as a name can be.
    temporary = f"{path.name[:_SHOWN]}.{os.getpid()}-{secrets.token_hex(8)}.tmp"
    with new_file(path, temporary, like=old) as new:
        yield new.file
        new.force()
        new.place(durable=False)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    header = tarfile.TarInfo(name)
    header.type = kind
    header.linkname = target
    header.size = size
    header.mode = _MODES.get(kind, _FILE_MODE)
    try:
        return header.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        return header.tobuf(tarfile.PAX_FORMAT)
