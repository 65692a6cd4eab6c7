"""Durability: forcing blobs onto the disk, each file once and many at a time."""

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
"""The inode of a file, and its modification time in nanoseconds."""


def version_of(status: os.stat_result) -> Version:
    """Return what tells a file from another file of the same name.

    Another writer may have deleted a synced file and written it anew. The new file may have the
    inode of the old one, but not its modification time as well.
    """
    return status.st_ino, status.st_mtime_ns


class SyncedFiles:
    """The files that were forced onto the disk, each with its version.

    The folder holds the folders of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: dict[str, Version] = {}

    def force(self, files: Mapping[str, Version]) -> None:
        """Force files onto the disk, then the folders that name them.

        Missing files are skipped, and files that were synced in their version already.
        """
        pending = {path: new for path, new in files.items() if self._done.get(path) != new}
        if len(pending) <= _FEW:
            done = list(filter(_sync, pending))
        else:
            # A file system writes its journal once for all syncs that wait at the same time.
            with thread_pool(_SYNCS) as workers:
                synced = workers.map(_sync, pending)
                done = [path for path, existed in zip(pending, synced, strict=True) if existed]
        folders = {os.path.dirname(path) for path in done}  # noqa: PTH120 # many, and all alike
        for folder in sorted(folders):
            fsync(Path(folder))
        if folders:
            fsync(self._folder)
        self._done |= {path: pending[path] for path in done}


def _sync(path: str) -> bool:
    """Force a file onto the disk; return whether it existed."""
    try:
        fsync(path)
    except FileNotFoundError:
        return False
    return True
