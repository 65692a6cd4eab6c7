"""What a handle has forced onto the disk already, so that it is not done twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocilayout.layout.disk import fsync
from ocilayout.layout.pool import thread_pool

if TYPE_CHECKING:
    from collections.abc import Mapping

_FEW: Final = 4  # files that are synced one by one
_SYNCS: Final = 8  # how many are synced at a time, of more

Version = tuple[int, int]
"""The inode of a file, and when it was written or refreshed last, in nanoseconds."""


def version_of(status: os.stat_result) -> Version:
    """Return what tells a file from another one under its name.

    Another writer may have deleted what was synced, and put it anew. The new file may have the
    inode of the old one, but not its time, too.
    """
    return status.st_ino, status.st_mtime_ns


class Synced:
    """The files of a folder and its subfolders that were synced, each with its version."""

    def __init__(self, folder: Path) -> None:
        """Begin with none.

        Args:
            folder: The folder that names the folders of the files.
        """
        self._folder = folder
        self._done: dict[str, Version] = {}

    def force(self, files: Mapping[str, Version]) -> None:
        """Force files onto the disk, and the folders that name them; missing ones are passed over.

        Args:
            files: Paths, and what was found there. What was synced in that version is left out.

        Raises:
            OSError: The disk reported an error.
        """
        pending = {path: new for path, new in files.items() if self._done.get(path) != new}
        if len(pending) <= _FEW:
            done = list(filter(_sync, pending))
        else:
            # A file system writes its journal once for all that wait for it at the same time.
            with thread_pool(_SYNCS) as workers:
                synced = workers.map(_sync, pending)
                done = [path for path, there in zip(pending, synced, strict=True) if there]
        folders = {os.path.dirname(path) for path in done}  # noqa: PTH120 # many, and all alike
        for folder in sorted(folders):
            fsync(Path(folder))
        if folders:
            fsync(self._folder)
        self._done |= {path: pending[path] for path in done}


def _sync(path: str) -> bool:
    """Force a file onto the disk; tell whether it was there."""
    try:
        fsync(path)
    except FileNotFoundError:
        return False
    return True
