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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from ocilayout.descriptor import Verifier
from ocilayout.digest import Digest, new_hasher
from ocilayout.disk import File, acting, flock, make_folder
from ocilayout.realfolder import Folder
from ocilayout.stream import CHUNK, pour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.descriptor import Descriptor
    from ocilayout.stream import Readable


@frozen
class Temporary:
    """A file that is being written.

    Attributes:
        root: The folder of the layout.
        folder: The folder that it is in.
        file: The file, open for writing and locked.
    """

    root: Path
    folder: Folder
    file: File

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
                make_folder(path.parent.parent, root=self.root)
                make_folder(path.parent, root=self.root)
                self._rename(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._bring(path)

    def _rename(self, path: Path) -> None:
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
    file = begin(folder, suffix)
    try:
        with file:
            yield Temporary(root, folder, file)
    finally:
        folder.unlink(_name(file))


def begin(folder: Folder, suffix: str = "") -> File:
    """Make a temporary file and lock it.

    Args:
        folder: Where it is made.
        suffix: What its name ends with; see `leftover` for the names of ours.

    Raises:
        OSError: The file system refused, or has no locks; no file is left.
    """
    while True:
        file = folder.create(f"{os.getpid()}-{secrets.token_hex(8)}{suffix}")
        try:
            flock(file.fileno(), file.path, wait=True)
            # A collection may have taken it for that of a dead writer before it was locked.
            if os.fstat(file.fileno()).st_nlink:
                return file
        except BaseException:
            file.close()
            folder.unlink(_name(file))
            raise
        file.close()


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
