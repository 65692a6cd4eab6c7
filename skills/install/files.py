"""The files of an installed skill: written from a layer, compared with the record, removed.

Each part of a path is opened from its open parent folder and is not followed if it is a symbolic
link, so nothing outside of the given folder is touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from attrs import frozen

from skills.packaging import SkillFile, descended, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from skills.packaging import Layer

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# Less the umask. Nothing of a skill is executable, as nothing of its artifact is.
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755

MADE_BY_PROGRAMS: Final = frozenset({".DS_Store", "__pycache__"})
"""Names that are not edits: file managers and running scripts make them."""


@frozen(kw_only=True)
class InstalledFile(SkillFile):
    """A file when it was installed.

    Attributes:
        sha256: The SHA-256 of the content, in hexadecimal.
    """

    sha256: str


@frozen(kw_only=True)
class Changes:
    """The differences between a folder and the files that were installed in it.

    Attributes:
        edited: The paths that were changed or added, and would be lost by a replacement.
        missing: The paths that were removed.
    """

    edited: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.edited or self.missing)


def write_tree(layer: Layer, folder: Path, *, durable: bool) -> tuple[InstalledFile, ...]:
    """Write the files of a layer into a new folder, and force them onto the disk if `durable`.

    Raises:
        FileExistsError: The folder exists, or two files have one name on this file system.
        OSError: The file system refused; some files may be written.
    """
    folder.mkdir(mode=_FOLDER_MODE)
    written: list[InstalledFile] = []
    with _opened(folder) as root:
        for file in layer.files:
            *parents, name = file.path.split("/")
            with descended(root, parents, make_mode=_FOLDER_MODE) as parent:
                digest = _write_file(parent, name, layer.chunks(file), durable=durable)
            written.append(InstalledFile(path=file.path, size=file.size, sha256=digest))
        folders = sorted({parent for file in written for parent in _parents(file.path)})
        for path in folders if durable else ():
            with descended(root, path.split("/") if path else []) as handle:
                os.fsync(handle)
    return tuple(written)


def compare(folder: Path, files: Iterable[InstalledFile]) -> Changes:
    """Compare a folder with the files that were installed in it; every file is read.

    Raises:
        OSError: The file system failed, or a file cannot be read.
    """
    expected = {file.path: file for file in files}
    folders = {parent for path in expected for parent in _parents(path)}
    edited: list[str] = []
    seen: set[str] = set()
    try:
        with _opened(folder) as root:
            for path, entry in walk(
                root, skip=MADE_BY_PROGRAMS.__contains__, into=folders.__contains__
            ):
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder and path in folders:
                    continue
                file = None if is_folder else expected.get(path)
                seen.add(path)
                if file is None or not _is_as_written(root, file):
                    edited.append(path)
    except FileNotFoundError:
        return Changes(missing=tuple(sorted(expected)))
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        return Changes(edited=(".",), missing=tuple(sorted(expected)))
    return Changes(edited=tuple(sorted(edited)), missing=tuple(sorted(expected.keys() - seen)))


def remove_tree(folder: Path) -> None:
    """Remove a file, a link, or a folder with everything in it; links are not followed.

    Raises:
        OSError: The file system refused; a part may be removed.
    """
    with suppress(FileNotFoundError):
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink()
        else:
            shutil.rmtree(folder)


def _write_file(parent: int, name: str, chunks: Iterator[bytes], *, durable: bool) -> str:
    hasher = hashlib.sha256()
    handle = os.open(name, _NEW, _FILE_MODE, dir_fd=parent)
    with os.fdopen(handle, "wb") as file:
        for chunk in chunks:
            hasher.update(chunk)
            file.write(chunk)
        if durable:
            file.flush()
            os.fsync(handle)
    return hasher.hexdigest()


def _is_as_written(root: int, file: InstalledFile) -> bool:
    *parents, name = file.path.split("/")
    try:
        with descended(root, parents) as parent:
            handle = os.open(name, _READ, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
            return False
        raise
    with os.fdopen(handle, "rb", buffering=0) as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts))]


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)
