"""Temporary files left behind by writers that died, known by the names that programs give to them.

Whether a writer is alive shows in the lock that it holds on its file. Only real folders of the
layout are looked into: what lies behind a symbolic link is neither listed nor deleted.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.layout import clock
from ocilayout.layout.disk import NO_FOLLOW, SAFE, flock
from ocilayout.layout.realfolder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = 24 * 60 * 60
"""How old a temporary of another program is before it is taken for dead, in seconds."""

# Ours: `ingest/<pid>-<random>` while a blob is written, `<pid>-<random>.tmp` beside blobs while it
# is brought there from another file system, `index.json.<pid>-<random>.tmp` and
# `index.json.<file>.<pid>.tmp` while a file of the layout is written. The latter two are made under
# the writer lock only.
_OUR_BLOB = re.compile(r"(?P<pid>\d+)-[0-9a-f]{16}")
_OUR_BESIDE = re.compile(r"(?P<pid>\d+)-[0-9a-f]{16}\.tmp")
_OUR_FILE = re.compile(r"index\.json\.(?:\d+-[0-9a-f]{16}|(?:index\.json|oci-layout)\.\d+)\.tmp")
# regclient, skopeo and umoci, in this order; oras-go has `ingest/<hex>_<random>`.
_THEIR_FILE = re.compile(r"index\.json\..*\.tmp|oci-put-blob.*|\.umoci-.*", re.DOTALL)
# go-containerregistry and regclient write beside the blobs.
_BESIDE_BLOBS = re.compile(r"[0-9a-f]{64}\d+|.*\.tmp", re.DOTALL)


@frozen(kw_only=True)
class Leftover:
    """A temporary file or folder.

    Attributes:
        root: The folder of the layout.
        folder: The names of the folders that it is in, from the layout's own down.
        name: Its name there.
        ours: Whether this library made it.
    """

    root: Path
    folder: tuple[str, ...] = ()
    name: str
    ours: bool

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.root.joinpath(*self.folder, self.name)

    @property
    def place(self) -> str:
        """Where it is, relative to the layout."""
        return "/".join((*self.folder, self.name))

    @contextmanager
    def _opened(self) -> Iterator[Folder]:
        """Open the folder that it is in, which must be a real one."""
        folder = Folder.open(self.root)
        try:
            for name in self.folder:
                inner = folder.enter(name)
                folder.close()
                folder = inner
            yield folder
        finally:
            folder.close()

    def remove(self) -> None:
        """Remove it, and all that is in it; if it is gone already, that is no error.

        Raises:
            OSError: The file system refused.
        """
        with self._opened() as folder:
            folder.remove(self.name)

    def changed(self) -> float:
        """Return when it was written or placed last, or anything in it, in seconds since 1970.

        Raises:
            OSError: It is gone, or cannot be read.
        """
        with self._opened() as folder:
            return folder.changed(self.name)

    def is_locked(self) -> bool:
        """Tell whether a writer holds a lock on it.

        Raises:
            OSError: It is gone, or cannot be opened or locked.
        """
        with self._opened() as folder:
            status = os.stat(self.name, dir_fd=folder.number, follow_symlinks=False)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                return False  # to open a device may do something to it
            number = os.open(self.name, os.O_RDONLY | SAFE | NO_FOLLOW, dir_fd=folder.number)
        try:
            # Shared, so that two checks do not take each other for writers.
            return not flock(number, self.path, shared=True)
        finally:
            os.close(number)

    def is_dead(self, now: float | None = None) -> bool:
        """Tell whether its writer is gone for certain.

        One of ours is dead if its lock is to be had; a file that is empty may have been made a
        moment ago and not be locked yet, so its writer must be gone as well. What others left is
        dead after a day, and if it is not locked. In the layout's own folder, ours are only judged
        right by a caller that holds the writer lock.

        Args:
            now: The time, in seconds since 1970; by default that of the clock.
        """
        now = clock.now() if now is None else now
        try:
            if self.is_locked():
                return False
            if not self.ours:
                return now - self.changed() > DAY
            status = self.path.lstat()
            return stat.S_ISREG(status.st_mode) and (
                status.st_size > 0 or not _is_running(self.name)
            )
        except OSError:  # it is gone, or not ours to judge
            return False


def is_beside_blobs(name: str) -> bool:
    """Tell whether a name among blobs that is not a digest is that of a temporary."""
    return _BESIDE_BLOBS.fullmatch(name) is not None


def leftovers(root: Path) -> Iterator[Leftover]:
    """Give the temporaries in a layout that no writer has locked, sorted by their paths.

    Those beside blobs come last.

    Raises:
        OSError: The folder of the layout cannot be read.
    """
    return filter(_is_free, _temporaries(root))


def _temporaries(root: Path) -> list[Leftover]:
    found: list[Leftover] = []
    with Folder.open(root) as top:
        for name in top.names():
            ours = _OUR_FILE.fullmatch(name) is not None
            if ours or _THEIR_FILE.fullmatch(name) is not None:
                found.append(Leftover(root=root, name=name, ours=ours))
        for name in _names_in(top, "ingest"):
            ours = _OUR_BLOB.fullmatch(name) is not None
            found.append(Leftover(root=root, folder=("ingest",), name=name, ours=ours))
        with suppress(OSError), top.enter("blobs") as blobs:
            for algorithm in blobs.names():
                for name in filter(is_beside_blobs, _names_in(blobs, algorithm)):
                    ours = _OUR_BESIDE.fullmatch(name) is not None
                    folder = ("blobs", algorithm)
                    found.append(Leftover(root=root, folder=folder, name=name, ours=ours))
    return found


def _names_in(folder: Folder, name: str) -> list[str]:
    """Return the names in a real folder, sorted; none if it is not one, or cannot be read."""
    try:
        with folder.enter(name) as inner:
            return inner.names()
    except OSError:
        return []


def _is_free(leftover: Leftover) -> bool:
    try:
        return not leftover.is_locked()
    except FileNotFoundError:  # its writer was just done with it
        return False
    except PermissionError:  # that of another user, who may be writing it
        return not _is_running(leftover.name)
    except OSError:
        return True


def _is_running(name: str) -> bool:
    match = _OUR_BLOB.match(name)
    if match is None:
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
