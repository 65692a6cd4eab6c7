"""Left-overs: what writers that died left in a layout, by the names that programs give to these.

Whether a writer is alive shows in the lock that it holds on its file.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.disk import open_quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = 24 * 60 * 60
"""How old a temporary of another program is before it is taken for dead, in seconds."""

# Ours: `ingest/<pid>-<random>` while a blob is written, `index.json.<pid>-<random>.tmp` and
# `index.json.<file>.<pid>.tmp` while a file of the layout is. The latter are made under the
# writer lock only.
_OUR_BLOB = re.compile(r"(?P<pid>\d+)-[0-9a-f]{16}")
_OUR_FILE = re.compile(r"index\.json\.(?:\d+-[0-9a-f]{16}|(?:index\.json|oci-layout)\.\d+)\.tmp")
# regclient, skopeo and umoci, in this order; oras-go has `ingest/<hex>_<random>`.
_THEIR_FILE = re.compile(r"index\.json\..*\.tmp|oci-put-blob.*|\.umoci-.*", re.DOTALL)
# go-containerregistry and regclient write beside the blobs.
_BESIDE_BLOBS = re.compile(r"[0-9a-f]{64}\d+|.*\.tmp", re.DOTALL)


@frozen(kw_only=True)
class Leftover:
    """A temporary file or folder.

    Attributes:
        path: Where it is.
        ours: Whether this library made it.
    """

    path: Path
    ours: bool


def is_beside_blobs(name: str) -> bool:
    """Tell whether a name among blobs that is no digest is that of a temporary."""
    return _BESIDE_BLOBS.fullmatch(name) is not None


def leftovers(root: Path) -> Iterator[Leftover]:
    """Give the temporaries in a layout that nobody has locked, sorted by their paths.

    Those beside blobs come last.

    Raises:
        OSError: The folder of the layout cannot be read.
    """
    for name in sorted(os.listdir(root)):  # noqa: PTH208 # pathlib would make a path of each
        ours = _OUR_FILE.fullmatch(name) is not None
        if ours or _THEIR_FILE.fullmatch(name) is not None:
            yield from _free(Leftover(path=root / name, ours=ours))
    for name in names_in(root / "ingest"):
        ours = _OUR_BLOB.fullmatch(name) is not None
        yield from _free(Leftover(path=root / "ingest" / name, ours=ours))
    for algorithm in names_in(root / "blobs"):
        for name in names_in(root / "blobs" / algorithm):
            if is_beside_blobs(name):
                yield from _free(Leftover(path=root / "blobs" / algorithm / name, ours=False))


def remove(leftover: Leftover) -> None:
    """Remove a temporary, and all that is in it; one that is gone already is no error.

    Raises:
        OSError: The file system refused.
    """
    if leftover.path.is_dir() and not leftover.path.is_symlink():
        shutil.rmtree(leftover.path)
    else:
        leftover.path.unlink(missing_ok=True)


def is_dead(leftover: Leftover, now: float) -> bool:
    """Tell whether the writer of a temporary is gone for certain.

    One of ours is dead if its lock is to be had; a file that is empty may have been made a moment
    ago and not be locked yet, so its writer must be gone as well. What others left is dead after
    a day, and if it is not locked.

    Args:
        leftover: The temporary. Of those in the layout's own folder, ours are only judged right
            by who holds the writer lock.
        now: The time, in seconds since 1970.
    """
    try:
        if is_locked(leftover.path):
            return False
        if not leftover.ours:
            return now - touched(leftover.path) > DAY
        status = leftover.path.lstat()
        return stat.S_ISREG(status.st_mode) and (
            status.st_size > 0 or not _is_running(leftover.path.name)
        )
    except OSError:  # it is gone, or not ours to judge
        return False


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds a lock on a file or a folder.

    Raises:
        OSError: It cannot be opened.
    """
    if path.is_symlink():
        return False
    number = open_quietly(path)
    try:
        # Shared, so that two checks do not take each other for writers.
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if it cannot be read."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 # pathlib would make a path of each
    except OSError:
        return []


def _free(leftover: Leftover) -> Iterator[Leftover]:
    try:
        locked = is_locked(leftover.path)
    except FileNotFoundError:  # its writer was just done with it
        return
    except OSError:
        locked = False
    if not locked:
        yield leftover


def touched(path: Path) -> float:
    """Return when a file was written last, or anything in a folder."""
    latest = path.lstat().st_mtime
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            latest = max(latest, os.lstat(os.path.join(folder, name)).st_mtime)  # noqa: PTH118 # as os.walk gives it
    return latest


def _is_running(name: str) -> bool:
    match = _OUR_BLOB.fullmatch(name)
    if match is None:
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
