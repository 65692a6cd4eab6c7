"""The writer lock of a layout: flock on `index.json.lock`, the name that BuildKit uses, too.

Where a system has no flock, the library filelock locks the file. It is not used elsewhere, because
it opens the file for writing: a lock file that can only be read, such as one command of root may
leave behind, would lock the owner of the layout out.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.errors import LockTimeoutError
from ocilayout.layout.disk import CREATE, HAS_FLOCK, acting, flock, open_regular, unlock
from ocilayout.layout.ownership import adopt, is_own, mode_for_writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = "index.json.lock"
_POLL: Final = 0.005
"""How often a lock that is taken is asked for again, in seconds."""

_UNWRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(root: Path, *, timeout: float) -> Iterator[None]:
    """Hold the writer lock of a layout, against threads and processes; wait `timeout` seconds.

    The lock file stays. If it were deleted, a process that waits for the old file and another that
    creates a new file would both get a lock.

    Raises:
        LockTimeoutError: Other writers held it for too long.
        OSError: The lock file cannot be created or locked.

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
            # Where locks do not work, the new lock file is of no use to other writers either.
            if made and isinstance(error, OSError) and not isinstance(error, LockTimeoutError):
                path.unlink(missing_ok=True)
            raise
        # Another program deleted the file between its opening and its locking.
        os.close(number)


def _wait(number: int, path: Path, deadline: float, timeout: float) -> None:
    while not flock(number, path):
        if time.monotonic() > deadline:
            raise _held_by_others(path, timeout)
        time.sleep(_POLL)


def _open(path: Path) -> tuple[int, bool]:
    """Open the lock file; return its descriptor, and whether it was created here."""
    while True:
        try:
            return open_regular(path, os.O_RDWR), False
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            return open_regular(path), False
        # With O_CREAT alone, Linux refuses to open a file of another user in a sticky folder, also
        # for root (fs.protected_regular). Another process may create the file first: try again.
        with suppress(FileExistsError):
            return os.open(path, CREATE, 0o666), True


def _arrange(number: int, root: Path, *, made: bool) -> None:
    """Set owner and mode of the lock file, if it is ours and certainly a lock file.

    A user who can write the folder may have moved or linked another file of ours to its path.
    """
    status = os.fstat(number)
    if not made and not (is_own(status) and (status.st_size, status.st_nlink) == (0, 1)):
        return
    adopt(number, root)
    status = os.fstat(number)
    wanted = mode_for_writers(status, *_shared(root, status))
    if stat.S_IMODE(status.st_mode) != wanted:
        with suppress(OSError):
            os.fchmod(number, wanted)


def _shared(root: Path, lock: os.stat_result) -> Iterator[os.stat_result]:
    """Yield the files whose modes say who can write the layout: its folder, and its index.

    Without an index the mode of the new lock file counts, which the umask decided.
    """
    with suppress(OSError):
        yield root.stat()
    try:
        yield (root / "index.json").stat()
    except OSError:
        yield lock


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
