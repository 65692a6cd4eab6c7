"""Trees that change places: at once where the system can, and otherwise in two steps.

Linux and macOS can exchange two folders, so that both paths exist at any instant. Python does not
offer that call, so it is made through `ctypes`. On a system or a file system without it, the old
tree is moved aside first; if the process is killed in between, the next writer puts it back.
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

    Swap = Callable[[Path, Path], bool]

_AT_FDCWD: Final = -2 if sys.platform == "darwin" else -100
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS
_CANNOT: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


@frozen(kw_only=True)
class Move:
    """The paths of a tree that goes to its place, or is removed from it.

    Attributes:
        target: The place.
        staged: Where the new tree is written, beside its place; after an exchange the old tree is
            here.
        aside: Where the old tree is moved to if the system cannot exchange, or to be removed.
        inode: The number of the new tree's folder, by which it is known in any place; `None` until
            it is written whole, and for a removal.
    """

    target: Path
    staged: Path
    aside: Path
    inode: int | None = None

    @property
    def done(self) -> bool:
        """Whether the target is the new tree."""
        return self.inode is not None and inode_of(self.target) == self.inode


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places, so that at no instant either of them is missing.

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


def swap_in(move: Move, swap: Swap = exchange) -> None:
    """Put a staged tree into its place.

    Args:
        move: The paths.
        swap: How two folders change places; returns false if that is not possible.

    Raises:
        OSError: The file system refused. The old tree is in its place, or aside.
    """
    if not os.path.lexists(move.target):
        move.staged.rename(move.target)
    elif not swap(move.staged, move.target):
        move.target.rename(move.aside)
        move.staged.rename(move.target)


def swap_back(move: Move, swap: Swap = exchange) -> None:
    """Undo `swap_in`, as far as it came.

    Args:
        move: The paths.
        swap: As for `swap_in`.

    Raises:
        OSError: The file system refused.
    """
    if move.done:
        if os.path.lexists(move.staged):
            swap(move.staged, move.target)  # the same two have changed places before
        else:
            move.target.rename(move.staged)
    put_back(move)


def put_back(move: Move) -> None:
    """Put an old tree back from aside if its place is empty.

    Raises:
        OSError: The file system refused.
    """
    if os.path.lexists(move.aside) and not os.path.lexists(move.target):
        move.aside.rename(move.target)


def move_aside(move: Move) -> None:
    """Move a tree aside, to be removed there, so that its place is empty at once.

    Raises:
        OSError: The file system refused.
    """
    if os.path.lexists(move.target):
        move.target.rename(move.aside)


def inode_of(path: Path) -> int | None:
    """Return the number by which a file system knows a folder; nothing if it does not exist."""
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None


@cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return the call of the system to exchange two paths; it returns an error number, or 0."""
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
