"""A new file that gets its name, replacing an old file, once it is complete.

It is written as a temporary file in the same folder, which is held open. Owner, mode and name are
set through open descriptors only: in a folder that others can write to, they could replace the file
by a symbolic link, and a step by path would lead to any file of the system. Each step may raise
`OSError`.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.layout.disk import CREATE, FOLDER, File, acting, force, fsync, write_all
from ocilayout.layout.ownership import adopt, is_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SEARCH_ONLY: Final = getattr(os, "O_PATH", 0)


class NewFile:
    """A file that has a temporary name in an open folder; `new_file` makes it.

    Attributes:
        file: The file, open for writing; errors give the name that it will have.
    """

    def __init__(self, file: File, path: Path, folder: int, temporary: str) -> None:
        self.file = file
        self._path = path
        self._folder = folder
        self._temporary = temporary

    def write(self, data: bytes) -> None:
        """Write all bytes."""
        write_all(self.file, data)

    def force(self) -> None:
        """Force the content onto the disk."""
        with acting("sync", self._path):
            force(self.file.fileno())

    def place(self, *, durable: bool) -> None:
        """Give the file its name, replacing the file that has it."""
        with acting("write", self._path):
            status = os.stat(self._temporary, dir_fd=self._folder, follow_symlinks=False)
            if not os.path.samestat(status, os.fstat(self.file.fileno())):
                raise OSError(errno.EBUSY, "another program replaced the file before it was whole")
            os.replace(
                self._temporary,
                self._path.name,
                src_dir_fd=self._folder,
                dst_dir_fd=self._folder,
            )
        if durable:
            fsync(self._path.parent)


@contextmanager
def new_file(
    path: Path, temporary: str, *, root: Path | None = None, like: os.stat_result | None = None
) -> Iterator[NewFile]:
    """Create a file; at the end of the block it is deleted unless it was placed.

    Args:
        path: Its path to be.
        temporary: Its name until then.
        root: The folder of the layout that the file belongs to, which gives its owner.
        like: The status of the file that it replaces, which gives its group and mode, and outside
            of a layout its owner, as far as that is allowed.
    """
    with acting("write", path):
        folder = _open_folder(path.parent)
        try:
            # Closed to others at first: a user who opened the file before its mode is set could go
            # on reading it.
            number = os.open(temporary, CREATE, 0o666 if like is None else 0o600, dir_fd=folder)
        except BaseException:
            os.close(folder)
            raise
    try:
        with File(number, "rb+", str(path)) as file:
            if root is not None:
                adopt(number, root)
            if like is not None:
                _share(number, like, owner=root is None)
            yield NewFile(file, path, folder, temporary)
    finally:
        # The name is gone if the file was placed; and an error before this one matters more.
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        os.close(folder)


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, FOLDER)
    except PermissionError:  # one may have the right to write a folder, but not to list it
        return os.open(path, FOLDER | _SEARCH_ONLY)


def _share(number: int, like: os.stat_result, *, owner: bool) -> None:
    status = os.fstat(number)
    user = like.st_uid if owner and is_root() else status.st_uid
    if (user, like.st_gid) != (status.st_uid, status.st_gid):
        with suppress(OSError):
            os.fchown(number, user if user != status.st_uid else -1, like.st_gid)
    with suppress(PermissionError):
        os.fchmod(number, like.st_mode & 0o777)
