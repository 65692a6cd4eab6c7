"""A new file that takes its name, and the place of an old file, once it is whole.

It is written under another name in the same folder, which is held open. Owner and mode are set and
the name is given through open descriptors only: where others may write to the folder, they could
put a link in the place of the file, and a step by path would lead to any file of the system.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.layout.disk import (
    FOLDER,
    NO_FOLLOW,
    SAFE,
    File,
    acting,
    adopt,
    force,
    fsync,
    is_root,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SEARCH_ONLY: Final = getattr(os, "O_PATH", 0)


class NewFile:
    """A file that does not have its name yet; `new_file` makes them.

    Attributes:
        file: The file, open for writing; in errors it is called by the name that it will have.
    """

    def __init__(self, file: File, path: Path, folder: int, temporary: str) -> None:
        """Take over an open file.

        Args:
            file: The file.
            path: Where it will be.
            folder: The descriptor of the folder.
            temporary: The name of the file in that folder.
        """
        self.file = file
        self._path = path
        self._folder = folder
        self._temporary = temporary

    def write(self, data: bytes) -> None:
        """Write bytes, all of them.

        Raises:
            OSError: The file system refused.
        """
        view = memoryview(data)
        while view:
            view = view[self.file.write(view) :]

    def force(self) -> None:
        """Force the content onto the disk.

        Raises:
            OSError: The disk reported an error.
        """
        with acting("sync", self._path):
            force(self.file.fileno())

    def place(self, *, durable: bool) -> None:
        """Give the file its name, in the place of what has it now.

        Args:
            durable: Whether the name is forced onto the disk.

        Raises:
            OSError: The file system refused, or another program took the file away.
        """
        with acting("write", self._path):
            found = os.stat(self._temporary, dir_fd=self._folder, follow_symlinks=False)
            if not os.path.samestat(found, os.fstat(self.file.fileno())):
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
    """Give a new file; at the end of the block it is removed unless it was placed.

    Args:
        path: Where it will be.
        temporary: Its name until then.
        root: The folder of the layout that it is a part of. Its owner is that of the layout.
        like: What the system says of the file that it replaces. It gets its group and mode, and
            outside of a layout its owner, as far as that is allowed.

    Raises:
        OSError: The file system refused.
    """
    with acting("write", path):
        folder = _open_folder(path.parent)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE | NO_FOLLOW
            # Who opens a file before its mode is set could read on afterwards.
            number = os.open(temporary, flags, 0o666 if like is None else 0o600, dir_fd=folder)
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
        # It is gone if it was placed; and what failed before is what the caller must hear of.
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        os.close(folder)


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, FOLDER)
    except PermissionError:  # a folder that files can be put in may be closed to listing
        return os.open(path, FOLDER | _SEARCH_ONLY)


def _share(number: int, like: os.stat_result, *, owner: bool) -> None:
    status = os.fstat(number)
    user = like.st_uid if owner and is_root() else status.st_uid
    if (user, like.st_gid) != (status.st_uid, status.st_gid):
        with suppress(OSError):
            os.fchown(number, user if user != status.st_uid else -1, like.st_gid)
    with suppress(PermissionError):
        os.fchmod(number, like.st_mode & 0o777)
