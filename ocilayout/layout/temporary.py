"""Temporary files left behind by writers that died, known by the names that programs give to them.

A writer of ours locks its file, so the lock tells whether it is alive. Only real folders of the
layout are searched: a file behind a symbolic link is neither listed nor deleted. A file that is
gone or cannot be read raises `OSError`.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.layout import clock
from ocilayout.layout.disk import NO_FOLLOW, SAFE, flock
from ocilayout.layout.realfolder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = 24 * 60 * 60
"""How old the temporary file of another program is before its writer counts as dead, in seconds:
other programs do not lock their files, so age is all that there is to go by."""

# The names of our temporary files. A blob is written to `ingest/<pid>-<random>`, and to
# `blobs/<algorithm>/<pid>-<random>.tmp` on its way to another file system. Files of the layout are
# written under the writer lock, to `index.json.<pid>-<random>.tmp`, and where a layout is created
# to `index.json.<file>.<pid>.tmp`.
_OUR_BLOB = re.compile(r"(?P<pid>\d+)-[0-9a-f]{16}")
_OUR_BESIDE = re.compile(r"(?P<pid>\d+)-[0-9a-f]{16}\.tmp")
_OUR_FILE = re.compile(r"index\.json\.(?:\d+-[0-9a-f]{16}|(?:index\.json|oci-layout)\.\d+)\.tmp")
# Those of regclient, skopeo and umoci, in this order; oras-go has `ingest/<hex>_<random>`.
_THEIR_FILE = re.compile(r"index\.json\..*\.tmp|oci-put-blob.*|\.umoci-.*", re.DOTALL)
# go-containerregistry and regclient write beside the blobs.
_BESIDE_BLOBS = re.compile(r"[0-9a-f]{64}\d+|.*\.tmp", re.DOTALL)


@frozen(kw_only=True)
class TemporaryFile:
    """A temporary file or folder.

    Attributes:
        root: The folder of the layout.
        folder: The names of the folders above it, from the layout's own down.
        name: Its name in that folder.
        ours: Whether this library made it.
    """

    root: Path
    folder: tuple[str, ...] = ()
    name: str
    ours: bool

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.root.joinpath(*self.folder, self.name)

    @property
    def place(self) -> str:
        """The path of the file, relative to the layout."""
        return "/".join((*self.folder, self.name))

    @contextmanager
    def _opened(self) -> Iterator[Folder]:
        """Open the folder of the file, which must be a real folder."""
        with ExitStack() as stack:
            folder = stack.enter_context(Folder.open(self.root))
            for name in self.folder:
                folder = stack.enter_context(folder.enter(name))
            yield folder

    def remove(self) -> None:
        """Delete the file, or the folder with all that is in it, unless it is gone already."""
        with self._opened() as folder:
            folder.remove(self.name)

    def changed(self) -> float:
        """Return when the file changed last, or anything in the folder; see `Folder.changed`."""
        with self._opened() as folder:
            return folder.changed(self.name)

    def is_locked(self) -> bool:
        """Return whether a writer holds a lock on the file."""
        with self._opened() as folder:
            status = os.stat(self.name, dir_fd=folder.number, follow_symlinks=False)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                return False  # opening a device may act on it
            number = os.open(self.name, os.O_RDONLY | SAFE | NO_FOLLOW, dir_fd=folder.number)
        try:
            # A shared lock, so that two checks do not take each other for writers.
            return not flock(number, self.path, shared=True)
        finally:
            os.close(number)

    def is_dead(self, now: float | None = None) -> bool:
        """Return whether its writer is gone for certain.

        A file of ours is dead if it is not locked. An empty file may be a moment old and not locked
        yet, so its process must be gone as well. A file of another program is dead if it is not
        locked and older than a day. For our files in the layout's own folder the answer is right
        only while the caller holds the writer lock.

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
        except OSError:  # it is gone, or belongs to another user
            return False


def is_beside_blobs(name: str) -> bool:
    """Return whether a name in a folder of blobs, not a digest, is that of a temporary file."""
    return _BESIDE_BLOBS.fullmatch(name) is not None


def temporary_files(root: Path) -> Iterator[TemporaryFile]:
    """Yield the temporary files in a layout that are not locked by a writer.

    They are sorted by their paths, with those beside blobs last.
    """
    return filter(_is_free, _listed(root))


def _listed(root: Path) -> list[TemporaryFile]:
    files: list[TemporaryFile] = []
    with Folder.open(root) as top:
        for name in top.names():
            ours = _OUR_FILE.fullmatch(name) is not None
            if ours or _THEIR_FILE.fullmatch(name) is not None:
                files.append(TemporaryFile(root=root, name=name, ours=ours))
        for name in _names_in(top, "ingest"):  # of any name: the folder has no other use
            ours = _OUR_BLOB.fullmatch(name) is not None
            files.append(TemporaryFile(root=root, folder=("ingest",), name=name, ours=ours))
        with suppress(OSError), top.enter("blobs") as blobs:
            for algorithm in blobs.names():
                for name in filter(is_beside_blobs, _names_in(blobs, algorithm)):
                    ours = _OUR_BESIDE.fullmatch(name) is not None
                    folder = ("blobs", algorithm)
                    files.append(TemporaryFile(root=root, folder=folder, name=name, ours=ours))
    return files


def _names_in(folder: Folder, name: str) -> list[str]:
    """Return the names in a real folder, sorted; none if it is not one, or cannot be read."""
    try:
        with folder.enter(name) as inner:
            return inner.names()
    except OSError:
        return []


def _is_free(file: TemporaryFile) -> bool:
    try:
        return not file.is_locked()
    except FileNotFoundError:  # its writer has finished in this moment
        return False
    except PermissionError:  # it belongs to another user, who may be writing it
        return not _is_running(file.name)
    except OSError:
        return True


def _is_running(name: str) -> bool:
    """Return whether the process runs that a file of ours has in its name."""
    match = _OUR_BLOB.match(name)
    if match is None:
        return False
    try:
        os.kill(int(match["pid"]), 0)  # sends nothing
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
