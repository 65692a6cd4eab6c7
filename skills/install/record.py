"""The record of what is installed: one JSON file, which readers read and one writer replaces.

The file is made when something is installed and removed when nothing is. A writer holds the lock
beside it, and replaces the file whole: readers need no lock and no writable disk. The lock file is
removed together with the record, which is safe because a writer that gets a lock on a removed file
asks again.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from ocilayout import LockTimeoutError
from skills.errors import RecordError
from skills.install.document import Document
from skills.install.tree import sync

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD: Final = "installed.json"
_NEW: Final = "installed.json.new"
_LOCK: Final = "installed.lock"
_DATABASE: Final = "installed.db"  # the old form

_LOCK_TIMEOUT: Final = 30.0
"""How long a writer waits for another one, in seconds."""

_POLL: Final = 0.005
"""How often a lock that is taken is asked for again, in seconds."""

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def default_state() -> Path:
    """Return where the record is: `ocilayout/skills` in `$XDG_STATE_HOME`, or the platform's."""
    state = Path(os.path.expandvars(os.environ.get("XDG_STATE_HOME", ""))).expanduser()
    return (state if state.is_absolute() else user_state_path()) / "ocilayout" / "skills"


class Record:
    """A record that is open for writing; one process at a time has it.

    Attributes:
        path: The file.
        document: What the record holds.
        durable: Whether to force what is written onto the disk.
    """

    def __init__(self, path: Path, document: Document, *, durable: bool) -> None:
        self.path = path
        self.document = document
        self.durable = durable

    def save(self, document: Document) -> None:
        """Replace the record; after a failure or a kill the file is the old or the new one.

        Args:
            document: What the record will hold.

        Raises:
            OSError: The file system refused; the record is as it was.
        """
        new = self.path.with_name(_NEW)
        try:
            with os.fdopen(os.open(new, _CREATE, 0o666), "wb") as file:
                file.write(document.encode())
                if self.durable:
                    file.flush()
                    os.fsync(file.fileno())
            new.replace(self.path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        self.document = document
        if self.durable:
            sync(self.path.parent)


class State:
    """The folder of the record.

    Attributes:
        path: The folder.
    """

    def __init__(
        self, path: Path, *, durable: bool = True, lock_timeout: float = _LOCK_TIMEOUT
    ) -> None:
        """Take a folder, which need not exist.

        Args:
            path: The folder.
            durable: Whether to force what is written onto the disk.
            lock_timeout: How long to wait for another process, in seconds.
        """
        self.path = path
        self._durable = durable
        self._lock_timeout = lock_timeout

    @property
    def exists(self) -> bool:
        """Whether there is a record, so that something may be installed."""
        return (self.path / _RECORD).exists() or (self.path / _DATABASE).exists()

    def read(self) -> Document:
        """Read the record, without a lock; a missing record is an empty one.

        Raises:
            RecordError: The record is damaged, or a later version wrote it.
            OSError: The file system refused.
        """
        database = self.path / _DATABASE
        for _ in range(2):  # the old form may become the new one between the two looks
            with suppress(FileNotFoundError):
                return _decode(self.path / _RECORD)
            if database.is_file():
                from skills.install.sqlite import read_database  # noqa: PLC0415 # rarely needed

                try:
                    return read_database(database)
                except RecordError:
                    if database.exists():
                        raise
        return Document()

    @contextmanager
    def open(self, *, wait: bool = True) -> Iterator[Record]:
        """Open the record for writing, alone; at the end an empty one is removed.

        Args:
            wait: Whether to wait for another process.

        Raises:
            LockTimeoutError: Another process had the record for too long.
            RecordError: As for `read`.
            OSError: The file system refused.
        """
        lock, made = self._acquire(self._lock_timeout if wait else 0)
        try:
            found = self.read()
            document = evolve(found, folders=tuple(dict.fromkeys((*found.folders, *made))))
            record = Record(self.path / _RECORD, document, durable=self._durable)
            self._put_database_aside(record)
            try:
                yield record
            finally:
                if record.document.is_empty:
                    self._remove(record.document.folders)
        finally:
            lock.release()

    def _acquire(self, timeout: float) -> tuple[FileLock, list[Path]]:
        """Return the lock, which is held, and the folders that were made for it."""
        lock = FileLock(
            self.path / _LOCK,
            timeout=timeout,
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
                    f"{self.path / _LOCK} was held by another process for {timeout:g} seconds;"
                    " try again"
                ) from None
            except FileNotFoundError:  # the writer before us removed the record and its folder
                continue
            return lock, made

    def _put_database_aside(self, record: Record) -> None:
        """Keep a record of the old form under another name, once the new form holds it all."""
        database = self.path / _DATABASE
        if not database.exists():
            return
        if not (self.path / _RECORD).exists():
            record.save(record.document)
        names = (self.path / f"{_DATABASE}.old{number or ''}" for number in count())
        database.rename(next(name for name in names if not name.exists()))

    def _remove(self, folders: tuple[Path, ...]) -> None:
        """Remove the record, and the folders that were made; the lock is held, and goes last."""
        for name in (_RECORD, _NEW, _LOCK):
            (self.path / name).unlink(missing_ok=True)
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # another program has something there
                folder.rmdir()


def _decode(path: Path) -> Document:
    # Without waiting for a writer, in case a FIFO has replaced the file.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RecordError(str(path), "it is not a regular file")
    with os.fdopen(handle, "rb") as file:
        data = file.read()
    try:
        return Document.decode(data)
    except ValueError as error:
        raise RecordError(str(path), str(error)) from None
