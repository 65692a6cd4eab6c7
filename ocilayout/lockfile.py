"""The writer lock of a layout: flock on `index.json.lock`, the name that BuildKit uses, too.

Where a system has no flock, the lock is that of the library filelock. That library alone will not
do, since it opens its file for writing: a lock file that can only be read, as one command of root
may leave it, would lock the owner of the layout out.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.disk import (
    HAS_FLOCK,
    NO_FOLLOW,
    SAFE,
    acting,
    adopt,
    flock,
    is_root,
    open_regular,
    unlock,
)
from ocilayout.errors import LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = "index.json.lock"
_POLL: Final = 0.005
"""How often a lock that is taken is asked for again, in seconds."""

_OWN: Final = 0o600
_UNWRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(root: Path, *, timeout: float) -> Iterator[None]:
    """Hold the writer lock of a layout, against threads and processes.

    The lock file stays: to unlink a lock splits those who wait for it.

    Args:
        root: The folder of the layout.
        timeout: How long to wait for others, in seconds.

    Raises:
        LockTimeoutError: Others held it for too long.
        OSError: The lock file cannot be made or locked.

    Spec: image-layout:writers.
    """
    if not HAS_FLOCK:
        with _foreign(root / _NAME, timeout):
            yield
        return
    number = _acquire(root, timeout)
    try:
        yield
    finally:
        unlock(number)
        os.close(number)


def _acquire(root: Path, timeout: float) -> int:
    path = root / _NAME
    deadline = time.monotonic() + timeout
    while True:
        with acting("lock", path):
            number, made = _open(path)
        try:
            _arrange(number, root, made=made)
            _wait(number, path, deadline, timeout)
            if _is_at(number, path):
                return number
        except BaseException as error:
            os.close(number)
            # Where there are no locks, what was made for one is of no use to others either.
            if made and isinstance(error, OSError) and not isinstance(error, LockTimeoutError):
                path.unlink(missing_ok=True)
            raise
        # Another program unlinked the file between its opening and its locking.
        os.close(number)


def _wait(number: int, path: Path, deadline: float, timeout: float) -> None:
    while not flock(number, path):
        if time.monotonic() > deadline:
            raise _held_by_others(path, timeout)
        time.sleep(_POLL)


def _open(path: Path) -> tuple[int, bool]:
    """Open the lock file, made if it is missing; tell whether it was."""
    while True:
        try:
            return open_regular(path, os.O_RDWR), False
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            return open_regular(path), False
        # Without O_EXCL, a system that protects files in shared folders would refuse root.
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE | NO_FOLLOW
            return os.open(path, flags, 0o666), True


def _arrange(number: int, root: Path, *, made: bool) -> None:
    """Give the lock file its owner and its mode, as far as it is ours."""
    status = os.fstat(number)
    # One of root's that an older version left may be given away if nothing but a lock is in it.
    if made or (is_root() and status.st_uid == 0 and (status.st_size, status.st_nlink) == (0, 1)):
        adopt(number, root)
    elif status.st_uid != os.geteuid():
        return
    try:
        shared = (root / "index.json").stat()
    except OSError:
        shared = status
    if made and not is_root() and shared.st_gid != status.st_gid:
        with suppress(OSError):
            os.fchown(number, -1, shared.st_gid)
    wanted = _mode(shared.st_mode)
    if status.st_mode & 0o777 != wanted:
        with suppress(OSError):
            os.fchmod(number, wanted)


def _mode(mode: int) -> int:
    """Return the mode of a lock file: only who can write the index may hold writers up."""
    writable = mode & 0o222
    return _OWN | writable | writable << 1


def _is_at(number: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(number), there)


@contextmanager
def _foreign(path: Path, timeout: float) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: PLC0415 # only where it is needed

    lock = FileLock(path, timeout=timeout, poll_interval=_POLL, thread_local=False)
    try:
        with acting("lock", path):
            lock.acquire()
    except Timeout:
        raise _held_by_others(path, timeout) from None
    try:
        yield
    finally:
        lock.release()


def _held_by_others(path: Path, timeout: float) -> LockTimeoutError:
    return LockTimeoutError(
        f"{path} was held by another writer for {timeout} seconds; try again, or wait longer with"
        " lock_timeout"
    )
