"""The folder `ingest`: where a blob is written before it has its name.

A temporary file is locked while its writer is alive, so a collection can tell. Where the folder of
the blobs is on another file system, a rename cannot lead there; then the content is copied to a
second temporary file beside its blob, which is renamed.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.layout.disk import File, acting, flock, writers
from ocilayout.layout.pool import thread_pool
from ocilayout.layout.realfolder import Folder, make_folders
from ocilayout.model import CHUNK, Digest, Verifier, new_hasher

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from ocilayout.model import Descriptor, Readable

PIECE: Final = 2 * CHUNK
"""How much of a blob is read, hashed and written at a time, in bytes."""

_AHEAD: Final = 2
"""How many pieces may be written before they are hashed."""

_OWN: Final = 0o600
_TRIES: Final = 100
"""How many new files may be locked or deleted by others before their writer gives up."""


@frozen
class Temporary:
    """A file that is being written.

    Attributes:
        root: The folder of the layout.
        folder: The folder that it is in.
        file: The file, open for writing and locked.
        mode: The mode that it gets with its name.
    """

    root: Path
    folder: Folder
    file: File
    mode: int

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return _name(self.file)

    def place(self, path: Path) -> None:
        """Give the file the name of a blob. The folders above it are made if they are missing.

        Args:
            path: Where the blob lies. The folders may be symbolic links, which are followed.

        Raises:
            OSError: The file system refused.
        """
        try:
            try:
                self._rename(path)
            except (FileNotFoundError, NotADirectoryError):
                make_folders(self.root, *path.relative_to(self.root).parts[:-1])
                self._rename(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._bring(path)

    def _rename(self, path: Path) -> None:
        with suppress(OSError):  # where modes cannot be set, it has that mode already
            os.fchmod(self.file.fileno(), self.mode)
        with acting("make the blob", path):
            os.replace(self.name, path, src_dir_fd=self.folder.number)

    def _bring(self, path: Path) -> None:
        with (
            Folder.at(path.parent, root=self.root) as folder,
            _begun(self.root, folder, ".tmp") as beside,
        ):
            self.file.seek(0)
            shutil.copyfileobj(self.file, beside.file, CHUNK)
            beside._rename(path)  # noqa: SLF001 # of the same class


@contextmanager
def begun(root: Path) -> Iterator[Temporary]:
    """Give a new file in `ingest`, locked while it is alive; it is removed unless it was placed.

    Args:
        root: The folder of the layout.

    Raises:
        NotADirectoryError: `ingest` is a link, or something else. Nothing is written through it.
        OSError: The file system refused, or has no locks; no file is left.
    """
    with (
        Folder.open(root) as top,
        top.enter("ingest", make=True) as folder,
        _begun(root, folder) as temporary,
    ):
        yield temporary


@contextmanager
def _begun(root: Path, folder: Folder, suffix: str = "") -> Iterator[Temporary]:
    file, mode = begin(root, folder, suffix)
    try:
        with file:
            yield Temporary(root, folder, file, mode)
    finally:
        folder.unlink(_name(file))


def begin(root: Path, folder: Folder, suffix: str = "") -> tuple[File, int]:
    """Make a temporary file and lock it; return it with the mode that it would usually have.

    Only those who can write the layout can open it: a lock can be had on what can only be read,
    and would hold its writer up, or keep the file from being collected.

    Args:
        root: The folder of the layout.
        folder: Where it is made.
        suffix: What its name ends with; see `leftover` for the names of ours.

    Raises:
        OSError: The file system refused, or has no locks; no file is left.
    """
    path = Path()
    for _ in range(_TRIES):
        file = folder.create(f"{os.getpid()}-{secrets.token_hex(8)}{suffix}")
        path = Path(file.path)
        try:
            mode = _close_to_readers(file, root)
            # Another program may have opened it before, and have a lock on it for as long as it
            # wants; and a collection may have taken it for that of a dead writer.
            if flock(file.fileno(), file.path) and os.fstat(file.fileno()).st_nlink:
                return file, mode
        except BaseException:
            _drop(file, folder)
            raise
        _drop(file, folder)
    with acting("lock", path):
        raise BlockingIOError(
            errno.EAGAIN, "another program locks or deletes each new file at once; stop it"
        )


def _drop(file: File, folder: Folder) -> None:
    file.close()
    with suppress(OSError):  # what went wrong before is told
        folder.unlink(_name(file))


def _close_to_readers(file: File, root: Path) -> int:
    """Let only those open a file who can write the layout; return the mode that it had."""
    status, layout = os.fstat(file.fileno()), root.stat()
    writable = writers(layout)
    if status.st_gid != layout.st_gid:
        writable &= ~stat.S_IWGRP
    with suppress(OSError):  # there are file systems without modes
        os.fchmod(file.fileno(), _OWN | writable | writable << 1)
    return stat.S_IMODE(status.st_mode)


def _name(file: File) -> str:
    return os.path.basename(file.path)  # noqa: PTH119 # a path takes longer to make


def copy_hashing(source: Readable, target: File, algorithm: str) -> tuple[Digest, int]:
    """Write a stream to a file; return its digest and its size in bytes."""
    hasher = new_hasher(algorithm)
    size = write_hashed(source, target, hasher.update)
    return Digest(f"{algorithm}:{hasher.hexdigest()}"), size


def copy_verifying(source: Readable, target: File, expected: Descriptor) -> None:
    """Write a stream to a file.

    Raises:
        IntegrityError: It is not what was expected.
    """
    verifier = Verifier(expected)
    write_hashed(source, target, verifier.update, wanted=expected.size)
    verifier.finish()


def write_hashed(
    source: Readable,
    target: io.FileIO,
    update: Callable[[bytes], object],
    *,
    wanted: int | None = None,
) -> int:
    """Write a stream to a file and hash the same bytes, in their order.

    Hashing and writing each leave a processor idle half of the time, and neither needs the
    interpreter meanwhile. So a stream of more than `PIECE` bytes is hashed in a second thread
    while this one writes.

    Args:
        source: The stream.
        target: The file.
        update: The `update` of a hash; it gets all bytes, maybe in another thread, one call at a
            time.
        wanted: The expected length in bytes, if it is known. The stream is never asked for more
            than one byte beyond it.

    Returns:
        The length of the stream, in bytes.

    Raises:
        OSError: The file system refused.
        Exception: Whatever the source and `update` raise.
    """

    def next_piece() -> bytes:
        most = PIECE if wanted is None else min(PIECE, max(wanted - size, 0) + 1)
        return _read_piece(source, most)

    size = 0
    data = next_piece()
    if len(data) < PIECE:
        while data:
            update(data)
            size += _write(target, data)
            data = next_piece()
        return size
    with thread_pool(1) as thread:
        hashed: deque[Future[object]] = deque()
        while data:
            if len(hashed) == _AHEAD:
                hashed.popleft().result()
            hashed.append(thread.submit(update, data))
            size += _write(target, data)
            data = next_piece()
        for future in hashed:
            future.result()
    return size


def _read_piece(source: Readable, size: int) -> bytes:
    """Read `size` bytes, however many reads that takes; fewer only at the end of the stream."""
    data = source.read(size)
    if not data or len(data) == size:
        return data
    parts = [data]
    left = size - len(data)
    while left and (data := source.read(left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _write(target: io.FileIO, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[target.write(view) or 0 :]
    return len(data)
