"""Writing that lasts: new files, and what forces files and folders onto the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fsync(path: Path) -> None:
    """Force a file or a folder onto the disk.

    Raises:
        OSError: The disk reported an error, or there is no such file.
    """
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_new(path: Path, data: bytes, *, durable: bool) -> None:
    """Write a file that must not be there yet, with the usual mode.

    Raises:
        FileExistsError: It is there.
        OSError: The file system refused; a part may be written.
    """
    with path.open("xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def open_quietly(path: str | Path, _: int = 0) -> int:
    """Open whatever lies at a path for reading: no link is followed, and no pipe waited for.

    Args:
        path: The path.

    Returns:
        A file descriptor.

    Raises:
        OSError: There is nothing, a symbolic link, or something that cannot be opened.
    """
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
