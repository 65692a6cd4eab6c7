"""A file of which parts are read at offsets, by any number of threads at once.

What was compressed with gzip cannot be read at offsets, so it is unpacked first: once, into a
temporary file that has no name. That costs disk where an index into the compressed file would
cost time at each read.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from ocilayout.errors import DocumentError, LimitExceededError, NotALayoutError
from ocilayout.layout import acting, path_of
from ocilayout.model import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

GZIP: Final = b"\x1f\x8b"
"""What a gzip stream begins with."""

Kind = Literal["an OCI archive", "a Docker archive"]

LEAST_UNPACKED: Final = 256 * 1024 * 1024
"""The size that any archive may unpack to by default, in bytes."""

MOST_TIMES: Final = 100
"""How many times its size an archive may unpack to by default."""

_GZIP_FORM: Final = 16 + zlib.MAX_WBITS

# What is read beyond the end of a member is read again for the next one. Members may be many and
# very small, so the first piece of each is small, and each piece after it twice as large.
_PIECE: Final = 512
_LARGE_PIECE: Final = 64 * 1024

# O_NONBLOCK, so that opening a FIFO does not block; for files it has no effect.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Window:
    """A file from its position to its end.

    Args:
        file: An open binary file that can seek. Its position is kept.
        name: Its name for messages; also an attribute.
        owned: Whether the file is closed with this window; also an attribute.
        kind: What it should be, for messages; also an attribute.

    Attributes:
        size: How long it is, in bytes.

    Raises:
        OSError: The file cannot seek.
    """

    def __init__(
        self, file: BinaryIO, name: str, *, owned: bool, kind: Kind = "an OCI archive"
    ) -> None:
        self.name = name
        self._file = file
        self.owned = owned
        self.kind: Kind = kind
        self._lock = threading.Lock()
        self._start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)
        # A decompressor has a `fileno`, too: that of the compressed file. Only of an
        # `io.FileIO`, with or without a buffer, are the bytes those of the descriptor.
        raw = getattr(file, "raw", file)
        self._raw = raw if isinstance(raw, io.FileIO) else None

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer than asked for only if the file ends.

        Args:
            offset: Where to begin, in bytes from the start of the window, >= 0.
            size: How many bytes, >= 0.

        Raises:
            ValueError: The file is closed.
            OSError: It cannot be read.
        """
        parts: list[bytes] = []
        while size > 0 and (data := self._read_some(self._start + offset, size)):
            parts.append(data)
            offset += len(data)
            size -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def section(self, offset: int, size: int) -> Section:
        """Return a stream of a part; it does not close the file."""
        return Section(self, offset, size)

    def close(self) -> None:
        """Close the file if this window owns it."""
        if self.owned:
            self._file.close()

    def _read_some(self, position: int, size: int) -> bytes:
        if self._raw is not None:
            with acting("read", self.name):
                return os.pread(self._raw.fileno(), size, position)
        with self._lock:
            self._file.seek(position)
            return self._file.read(size)


class Section:
    """A part of a window, as a stream."""

    def __init__(self, window: Window, offset: int, size: int) -> None:
        self._window = window
        self._offset = offset
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes, none at the end; all that are left for -1."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._window.read(self._offset, wanted)
        self._offset += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Do nothing: the file is that of the window."""


def open_window(
    path_or_file: str | os.PathLike[str] | BinaryIO,
    *,
    unpack_limit: int | None,
    kind: Kind = "an OCI archive",
) -> Window:
    """Open a file, unpacked if it is compressed with gzip.

    Args:
        path_or_file: The path of a regular file, or an open binary file that can seek. That is
            read from its position, and not closed.
        unpack_limit: How much gzip may unpack to, in bytes; by default 100 times its size, and
            256 MiB at least.
        kind: What the file should be, for messages.

    Raises:
        NotALayoutError: The path is not that of a regular file.
        DocumentError: The gzip stream is damaged or truncated.
        LimitExceededError: It unpacks to more than the limit.
        OSError: The file cannot be read, or the temporary file cannot be written.
    """
    if isinstance(path_or_file, str | os.PathLike):
        window = _open_path(path_of(path_or_file), kind)
    else:
        name = getattr(path_or_file, "name", None)
        name = name if isinstance(name, str) else "the open file"
        window = Window(path_or_file, name, owned=False, kind=kind)
    if window.read(0, len(GZIP)) != GZIP:
        return window
    try:
        return _unpacked(window, unpack_limit)
    finally:
        window.close()


def default_limit(size: int) -> int:
    """Return how much content of a size may unpack to by default, both in bytes."""
    return max(LEAST_UNPACKED, MOST_TIMES * size)


def _open_path(path: Path, kind: Kind) -> Window:
    try:
        with acting("read", path):
            number = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise NotALayoutError(f"{path} is not {kind}: there is no such file") from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        what = "it is not a regular file"
        if stat.S_ISDIR(mode):
            what = "it is a folder; a layout in a folder is written oci:PATH"
        raise NotALayoutError(f"{path} is not {kind}: {what}")
    return Window(io.FileIO(number), str(path), owned=True, kind=kind)


def _unpacked(window: Window, limit: int | None) -> Window:
    with _acting_there():
        target = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 # it stays open
    try:
        _unpack(window, target, limit)
        target.seek(0)
        return Window(target, window.name, owned=True, kind=window.kind)
    except BaseException:
        target.close()
        raise


def _unpack(window: Window, target: io.FileIO, limit: int | None) -> None:
    raise_it = ""
    if limit is None:
        limit = default_limit(window.size)
        raise_it = (
            f", {limit // max(window.size, 1)} times its size; if it is meant to, allow more with"
            " unpack_limit, which commands take as --unpack-limit (cp: --from-unpack-limit)"
        )
    size = 0
    try:
        for data in _iter_unpacked(window):
            size += len(data)
            if size > limit:
                raise LimitExceededError(
                    f"{window.name} unpacks to more than {limit} bytes{raise_it}",
                    what="unpacked archive",
                    limit=limit,
                )
            view = memoryview(data)
            with _acting_there():
                while view:
                    view = view[target.write(view) :]
    except (EOFError, zlib.error) as error:
        raise DocumentError.of("bad-gzip", f"the gzip stream is damaged: {error}") from None


def _iter_unpacked(window: Window) -> Iterator[bytes]:
    """Give the unpacked content of gzip members, which zeros may follow.

    Python's gzip reads headers and zeros byte by byte, and either may be as long as the file. Here
    zlib does the one, and the other is passed over a piece at a time.

    Raises:
        EOFError: The last member is not whole.
        zlib.error: A member is damaged, or something else is behind one.
    """
    offset, size = 0, _PIECE
    member = None
    while packed := window.read(offset, size):
        offset += len(packed)
        size = min(2 * size, _LARGE_PIECE)
        if member is None:
            packed = packed.lstrip(b"\0")
            member = zlib.decompressobj(_GZIP_FORM) if packed else None
        while member is not None:
            data = member.decompress(packed, CHUNK)
            yield data
            packed = member.unconsumed_tail
            if member.eof:
                offset -= len(member.unused_data)
                member, size = None, _PIECE
            elif not packed and len(data) < CHUNK:  # else there may be more of it
                break
    if member is not None:
        raise EOFError("it ends before its end was marked")


def _acting_there() -> AbstractContextManager[None]:
    return acting("write the unpacked archive to the folder", tempfile.gettempdir())
