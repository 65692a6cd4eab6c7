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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.descriptor import Verifier
from ocilayout.digest import Digest, new_hasher
from ocilayout.disk import File, acting, flock, writers
from ocilayout.realfolder import Folder, make_folders
from ocilayout.stream import CHUNK, pour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.descriptor import Descriptor
    from ocilayout.stream import Readable

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
    size = pour(source, target, hasher.update)
    return Digest(f"{algorithm}:{hasher.hexdigest()}"), size


def copy_verifying(source: Readable, target: File, expected: Descriptor) -> None:
    """Write a stream to a file.

    Raises:
        IntegrityError: It is not what was expected.
    """
    verifier = Verifier(expected)
    pour(source, target, verifier.update, wanted=expected.size)
    verifier.finish()
