"""Where the machine works: a folder that a process has while it lives.

A process that is killed cannot delete its folder, so the next one does. The lock of a folder tells
whether its process lives; where a system has no flock, folders of killed processes stay.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "check-store-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 # folders in it are made by tempfile
"""Where files cost least, on Linux."""


@contextmanager
def workplace(folder: Path | None = None) -> Iterator[Path]:
    """Make a folder to work in, and delete it at the end of the block.

    Args:
        folder: Where to make it; by default where files cost least.
    """
    home = folder or (_MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir()))
    for old in home.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of another user, or another process deletes it, too
            _delete_if_given_up(old)
    path, number = _make(home)
    try:
        yield path
    finally:
        shutil.rmtree(path)
        os.close(number)


def _make(home: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        # Before it is locked it looks given up, and another process may delete it.
        with suppress(FileNotFoundError):
            number = os.open(path, os.O_RDONLY)
            if _lock(number) and path.exists():
                return path, number
            os.close(number)


def _delete_if_given_up(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)  # fails on Windows, as folders cannot be opened there
    try:
        if _lock(number):
            shutil.rmtree(path)
    finally:
        os.close(number)


def _lock(number: int) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
