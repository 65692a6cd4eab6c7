"""A new blob: a temporary file in `ingest`, hashed while it is written, then renamed into place.

The file is locked while its writer is alive, so garbage collection can tell whether it is dead.
Where `blobs` is on another file system, a rename cannot lead there; then the content is copied to a
second temporary file next to the blob, which is renamed.
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

from ocilayout.layout.disk import File, acting, flock, write_all
from ocilayout.layout.ownership import mode_for_writers
from ocilayout.layout.pool import thread_pool
from ocilayout.layout.realfolder import Folder, make_folders
from ocilayout.model import CHUNK, Digest, Verifier, new_hasher, read_bytes

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from ocilayout.model import Descriptor, Readable

PIECE: Final = 2 * CHUNK
"""How much of a blob is read, hashed and written at a time, in bytes."""

_AHEAD: Final = 2
"""How many pieces may be written before they are hashed. It bounds the memory of a put."""

_TRIES: Final = 100
"""How many new files other programs may lock or delete before their writer gives up."""


@frozen
class NewBlob:
    """A blob that is being written; `new_blob` makes it.

    Attributes:
        root: The folder of the layout.
        folder: The folder of the temporary file.
        file: The temporary file, open for writing and locked.
        mode: The mode that the file gets with its name.
    """

    root: Path
    folder: Folder
    file: File
    mode: int

    def fill(self, source: Readable, expected: Descriptor | None) -> tuple[Digest, int]:
        """Write a stream to the file; return its digest, by default of sha256, and its size.

        Raises:
            IntegrityError: The stream is not the expected content.
        """
        if expected is None:
            hasher = new_hasher("sha256")
            size = write_hashed(source, self.file, hasher.update)
            return Digest.parse(f"sha256:{hasher.hexdigest()}"), size
        verifier = Verifier(expected)
        write_hashed(source, self.file, verifier.update, wanted=expected.size)
        verifier.finish()
        return expected.digest, expected.size

    def place(self, path: Path) -> None:
        """Give the file the name of a blob.

        Missing folders above it are created, and symbolic links to folders followed.
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
            self._copy_across(path)

    def _rename(self, path: Path) -> None:
        with suppress(OSError):  # where modes cannot be set, the file has that mode already
            os.fchmod(self.file.fileno(), self.mode)
        with acting("make the blob", path):
            os.replace(_name(self.file), path, src_dir_fd=self.folder.number)

    def _copy_across(self, path: Path) -> None:
        """Place the blob on another file system: copy it there, then rename the copy."""
        with (
            Folder.open(path.parent, root=self.root) as folder,
            _new_blob(self.root, folder, ".tmp") as second,
        ):
            self.file.seek(0)
            shutil.copyfileobj(self.file, second.file, CHUNK)
            second._rename(path)  # noqa: SLF001 # of the same class


@contextmanager
def new_blob(root: Path) -> Iterator[NewBlob]:
    """Create a locked file in `ingest`; it is deleted at the end of the block unless it was placed.

    Raises:
        NotADirectoryError: `ingest` is a symbolic link or a file. Nothing is written through it.
        OSError: The file system refused, or has no locks; then no file stays behind.
    """
    with (
        Folder.open(root) as top,
        top.enter("ingest", make=True) as folder,
        _new_blob(root, folder) as new,
    ):
        yield new


@contextmanager
def _new_blob(root: Path, folder: Folder, suffix: str = "") -> Iterator[NewBlob]:
    file, mode = create_locked(root, folder, suffix)
    try:
        with file:
            yield NewBlob(root, folder, file, mode)
    finally:
        folder.unlink(_name(file))


def create_locked(root: Path, folder: Folder, suffix: str = "") -> tuple[File, int]:
    """Create and lock a temporary file; return it with the mode that a new file usually has.

    Only users who can write the layout can open the file; see `mode_for_writers`. `temporary` lists
    the names of our temporary files.

    Raises:
        OSError: The file system refused, or has no locks; then no file stays behind.
    """
    path = Path()
    for _ in range(_TRIES):
        file = folder.create(f"{os.getpid()}-{secrets.token_hex(8)}{suffix}")
        path = Path(file.path)
        try:
            mode = _close_to_readers(file, root)
            # Between its creation and this lock the file looks like that of a dead writer. Another
            # program may have locked it, for as long as it likes, or a collection may have deleted
            # it. Both cost a second file, and neither may cost the blob.
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
    with suppress(OSError):  # the error that led here is raised
        folder.unlink(_name(file))


def _close_to_readers(file: File, root: Path) -> int:
    """Let only users open a file who can write the layout; return the mode that it had."""
    status = os.fstat(file.fileno())
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(file.fileno(), mode_for_writers(status, root.stat()))
    return stat.S_IMODE(status.st_mode)


def _name(file: File) -> str:
    return os.path.basename(file.path)  # noqa: PTH119 # a path takes longer to make


def write_hashed(
    source: Readable,
    target: io.FileIO,
    update: Callable[[bytes], object],
    *,
    wanted: int | None = None,
) -> int:
    """Write a stream to a file and hash the same bytes, in their order.

    Hashing and writing each leave a processor idle half of the time, and both release the
    interpreter's lock. So a stream of more than `PIECE` bytes is hashed in a second thread while
    this one writes.

    Args:
        source: The stream.
        target: The file.
        update: The `update` of a hash; it gets all bytes, maybe in another thread, one call at a
            time.
        wanted: The expected length in bytes, if it is known. At most one byte more is read.

    Returns:
        The length of the stream, in bytes.

    Raises:
        OSError: The file system refused.
        Exception: An error of the source or of `update`.
    """

    def next_piece() -> bytes:
        # One byte more than expected is enough to see that a stream is too long.
        most = PIECE if wanted is None else min(PIECE, max(wanted - size, 0) + 1)
        return _read_piece(source, most)

    size = 0
    data = next_piece()
    if len(data) < PIECE:  # a small blob is not worth a thread
        while data:
            update(data)
            size += write_all(target, data)
            data = next_piece()
        return size
    with thread_pool(1) as thread:
        hashed: deque[Future[object]] = deque()
        while data:
            if len(hashed) == _AHEAD:
                hashed.popleft().result()
            hashed.append(thread.submit(update, data))
            size += write_all(target, data)
            data = next_piece()
        for future in hashed:  # raises what `update` raised
            future.result()
    return size


def _read_piece(source: Readable, size: int) -> bytes:
    """Read `size` bytes, in as many reads as it takes; fewer only at the end of the stream."""
    data = read_bytes(source, size)
    if not data or len(data) == size:
        return data
    parts = [data]
    left = size - len(data)
    while left and (data := read_bytes(source, left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)
