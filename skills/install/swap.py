"""Swapping a new folder in for an old one: at once where the system can, else in two steps.

Linux and macOS can exchange two folders, so that both paths exist at any instant. Python does not
offer that call, so it is made through `ctypes`. On a system or a file system without it, the old
folder is moved aside first; if the process is killed in between, the next writer moves it back.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_FDCWD: Final = -2 if sys.platform == "darwin" else -100
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS
_CANNOT: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


@frozen(kw_only=True)
class Move:
    """The paths of a folder that is swapped in or removed.

    Attributes:
        target: The folder of the skill.
        staged: The temporary folder for the new files, in the same parent; after an exchange it
            has the old files.
        aside: The temporary path of the old folder, to be removed, or where the system cannot
            exchange.
        inode: The inode of the new folder, by which it is known under either path; `None` until
            all its files are written, and for a removal.
    """

    target: Path
    staged: Path
    aside: Path
    inode: int | None = None

    @property
    def done(self) -> bool:
        """Whether the target is the new folder."""
        return self.inode is not None and inode_of(self.target) == self.inode


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders, so that at any instant both paths exist.

    Returns:
        Whether the system can do that; if not, nothing was changed.

    Raises:
        OSError: The file system refused.
    """
    call = _system_call()
    if call is None:
        return False
    number = call(os.fsencode(one), os.fsencode(other))
    if number in _CANNOT:
        return False
    if number:
        raise OSError(number, os.strerror(number), str(one), None, str(other))
    return True


def swap_in(move: Move) -> None:
    """Move a staged folder to its target.

    Raises:
        OSError: The file system refused. The old folder is at `target` or at `aside`.
    """
    if not os.path.lexists(move.target):
        move.staged.rename(move.target)
    elif not exchange(move.staged, move.target):
        move.target.rename(move.aside)
        move.staged.rename(move.target)


def swap_back(move: Move) -> None:
    """Undo `swap_in`, however far it came.

    Raises:
        OSError: The file system refused.
    """
    if move.done:
        if os.path.lexists(move.staged):
            exchange(move.staged, move.target)  # the system can: it did so before
        else:
            move.target.rename(move.staged)
    put_back(move)


def put_back(move: Move) -> None:
    """Move an old folder back from `aside` if its target does not exist.

    Raises:
        OSError: The file system refused.
    """
    if os.path.lexists(move.aside) and not os.path.lexists(move.target):
        move.aside.rename(move.target)


def move_aside(move: Move) -> None:
    """Move a folder aside before it is removed, so that the target is gone at once.

    Raises:
        OSError: The file system refused.
    """
    if os.path.lexists(move.target):
        move.target.rename(move.aside)


def inode_of(path: Path) -> int | None:
    """Return the inode of a folder; `None` if it does not exist."""
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None


@cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return the system call that exchanges two paths and returns an error number, or 0."""
    try:
        import ctypes  # noqa: PLC0415 # some builds of Python lack it

        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            raw, before = library.renamex_np, ()
        else:
            raw, before = library.renameat2, (_AT_FDCWD,)
    except (ImportError, OSError, AttributeError):
        return None

    def call(one: bytes, other: bytes) -> int:
        failed = raw(*before, one, *before, other, _EXCHANGE)
        return ctypes.get_errno() if failed else 0

    return call
