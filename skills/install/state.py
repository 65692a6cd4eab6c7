"""The folder with the record: made when something is installed, gone when nothing is.

One process at a time opens the record. The lock file goes together with the record, which is safe
because whoever gets a lock on a file without a name asks again.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from ocilayout import LockTimeoutError
from skills.install.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL: Final = 0.005
"""How often a lock that is taken is asked for again, in seconds."""

_FILES: Final = ("installed.db", "installed.db-journal", "installed.lock")


def default_state() -> Path:
    """Return where the record is: `ocilayout/skills` in `$XDG_STATE_HOME`, or the platform's."""
    state = Path(os.path.expandvars(os.environ.get("XDG_STATE_HOME", ""))).expanduser()
    return (state if state.is_absolute() else user_state_path()) / "ocilayout" / "skills"


class State:
    """The place of the record.

    Attributes:
        path: The folder.
        durable: Whether what is done is forced onto the disk.
    """

    def __init__(self, path: Path, *, durable: bool = True, lock_timeout: float = 30.0) -> None:
        """Say where it is; nothing is touched yet.

        Args:
            path: The folder.
            durable: Whether what is done is forced onto the disk.
            lock_timeout: How long to wait for another process, in seconds.
        """
        self.path = path
        self.durable = durable
        self._lock_timeout = lock_timeout

    @property
    def exists(self) -> bool:
        """Whether there is a record, so that something may be installed."""
        return (self.path / _FILES[0]).exists()

    @contextmanager
    def open(self) -> Iterator[Record]:
        """Open the record, alone; it is removed at the end if it says nothing.

        Raises:
            LockTimeoutError: Another process had it for too long.
            RecordError: It cannot be read.
            OSError: The file system refused.
        """
        lock, made = self._acquire()
        try:
            record = Record(self.path / _FILES[0], durable=self.durable)
            try:
                for folder in made:
                    record.journal.note_folder(folder)
                yield record
            finally:
                self._close(record)
        finally:
            lock.release()

    def _close(self, record: Record) -> None:
        folders = None
        try:
            if record.is_empty:
                folders = record.journal.folders()
        finally:
            record.close()
        if folders is not None:
            self._remove(folders)

    def _acquire(self) -> tuple[FileLock, list[Path]]:
        """Return the lock, which is held, and the folders that were made for it."""
        lock = FileLock(
            self.path / _FILES[2],
            timeout=self._lock_timeout,
            poll_interval=_POLL,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
        )
        made: list[Path] = []
        while True:
            made += (path for path in (self.path, *self.path.parents) if not path.exists())
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise LockTimeoutError(
                    f"{self.path / _FILES[2]} was held by another process for"
                    f" {self._lock_timeout} seconds; try again"
                ) from None
            except FileNotFoundError:  # whoever removed the last skill took the folder along
                continue
            return lock, made

    def _remove(self, folders: tuple[Path, ...]) -> None:
        """Remove the record, and the folders that were made; the lock is held, and goes last."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for folder in folders:
            with suppress(OSError):  # somebody else has something there
                folder.rmdir()
