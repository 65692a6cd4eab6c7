"""The record of installed skills: one JSON file, replaced atomically under its lock.

Readers need neither the lock nor a writable disk. The file exists while a skill is installed or an
operation has not ended. The lock file is removed together with it, which is safe because a writer
that gets the lock on a removed file tries again. Before version 2 the record was a SQLite database,
which the first writer converts.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from ocilayout import LockTimeoutError
from ocilayout.layout import new_file
from skills.errors import RecordError
from skills.install.installed import Document

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_RECORD: Final = "installed.json"
_NEW: Final = "installed.json.new"
_LOCK: Final = "installed.lock"
_DATABASE: Final = "installed.db"
_DATABASE_VERSION: Final = 1

_LOCK_TIMEOUT: Final = 30.0
"""How long a writer waits for the lock, in seconds."""

_POLL: Final = 0.005
"""The time between two tries to get the lock, in seconds."""


def default_state() -> Path:
    """Return the folder of the record: `ocilayout/skills` in `$XDG_STATE_HOME`.

    Without that variable, or if it is not an absolute path (`~` and variables are expanded), it is
    in the platform's folder for state.
    """
    state = Path(os.path.expandvars(os.environ.get("XDG_STATE_HOME", ""))).expanduser()
    return (state if state.is_absolute() else user_state_path()) / "ocilayout" / "skills"


class Record:
    """The record, open for writing under its lock.

    Attributes:
        path: The file.
        document: The content.
        durable: Whether writes are forced onto the disk.
    """

    def __init__(self, path: Path, document: Document, *, durable: bool) -> None:
        self.path = path
        self.document = document
        self.durable = durable

    def save(self, document: Document) -> None:
        """Replace the record; after a failure or a kill the file is the old or the new one.

        Raises:
            OSError: The file system refused.
        """
        self.path.with_name(_NEW).unlink(missing_ok=True)  # of a writer that was killed
        with new_file(self.path, _NEW) as file:
            file.write(document.encode())
            if self.durable:
                file.force()
            file.place(durable=self.durable)
        self.document = document


def read_record(folder: Path) -> Document:
    """Read the record in a folder, without a lock; a missing record is an empty one.

    Raises:
        RecordError: The record is damaged, or a later version wrote it.
        OSError: The file system refused.
    """
    database = folder / _DATABASE
    for _ in range(2):  # a writer may convert the old form between the two tries
        with suppress(FileNotFoundError):
            return _read_file(folder / _RECORD)
        if database.is_file():
            try:
                return _read_database(database)
            except RecordError:
                if database.exists():
                    raise
    return Document()


@contextmanager
def open_record(folder: Path, *, durable: bool = True, wait: bool = True) -> Iterator[Record]:
    """Open the record in a folder for writing; at the end an empty record is removed.

    Args:
        folder: The folder, which is made if it is missing.
        durable: Whether writes are forced onto the disk.
        wait: Whether to wait for another writer.

    Raises:
        LockTimeoutError: Another process had the lock for too long.
        RecordError: As for `read_record`.
        OSError: The file system refused.
    """
    lock, made = _acquire(folder, _LOCK_TIMEOUT if wait else 0)
    try:
        document = read_record(folder)
        document = evolve(document, folders=tuple(dict.fromkeys((*document.folders, *made))))
        record = Record(folder / _RECORD, document, durable=durable)
        _convert_database(record)
        try:
            yield record
        finally:
            if record.document.is_empty:
                _remove(folder, record.document.folders)
    finally:
        lock.release()


def _acquire(folder: Path, timeout: float) -> tuple[FileLock, list[Path]]:
    """Take the lock, and return it with the folders that were made for it."""
    lock = FileLock(
        folder / _LOCK,
        timeout=timeout,
        poll_interval=_POLL,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    made: list[Path] = []
    while True:
        made += (path for path in (folder, *folder.parents) if not path.exists())
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise LockTimeoutError(
                f"{folder / _LOCK} was held by another process for {timeout:g} seconds; try again"
            ) from None
        except FileNotFoundError:  # the last writer removed the record and its folder
            continue
        return lock, made


def _remove(folder: Path, made: tuple[Path, ...]) -> None:
    """Remove the record, and the folders that were made for skills and for it."""
    for name in (_RECORD, _NEW, _LOCK):  # the lock, which is held, as the last one
        (folder / name).unlink(missing_ok=True)
    for path in sorted(made, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # it is not empty: another program uses it
            path.rmdir()


def _read_file(path: Path) -> Document:
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


# ---------------------------------------------------------------- the form before version 2


def _convert_database(record: Record) -> None:
    """Write a record of the old form in the new one, and rename the old file."""
    database = record.path.with_name(_DATABASE)
    if not database.exists():
        return
    if not record.path.exists():
        record.save(record.document)
    names = (record.path.with_name(f"{_DATABASE}.old{number or ''}") for number in count())
    database.rename(next(name for name in names if not name.exists()))


def _read_database(path: Path) -> Document:
    import sqlite3  # noqa: PLC0415 # only old records need it, and some builds of Python lack it

    try:
        # Read and write, as SQLite may have to undo an interrupted transaction first.
        address = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.row_factory = _row
            return _read_tables(connection)
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        raise RecordError(str(path), str(error)) from None


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row by its columns; paths are stored as bytes."""
    texts = [os.fsdecode(value) if isinstance(value, bytes) else value for value in values]
    return {column: text for (column, *_), text in zip(cursor.description, texts, strict=True)}


def _read_tables(connection: sqlite3.Connection) -> Document:
    def rows(statement: str, *values: object) -> list[dict[str, Any]]:
        return connection.execute(statement, values).fetchall()

    version = rows("PRAGMA user_version")[0]["user_version"]
    if version == 0:  # a process was killed before it made the tables
        return Document()
    if version != _DATABASE_VERSION:
        raise ValueError(f"its version is {version}, and this program knows {_DATABASE_VERSION}")
    skills = rows("SELECT * FROM skill")
    for skill in skills:
        number = skill.pop("id")
        skill["requires"] = json.loads(skill["requires"])
        clients = rows("SELECT name, target FROM client WHERE skill = ?", number)
        skill["clients"] = {client["name"]: client["target"] for client in clients}
        skill["targets"] = rows("SELECT path, digest FROM target WHERE skill = ?", number)
        for target in skill["targets"]:
            files = "SELECT path, size, sha256 FROM file WHERE target = ?"
            target["files"] = rows(files, os.fsencode(target["path"]))
    operations = []
    for row in rows("SELECT settled, plan FROM operation ORDER BY id"):
        operation = json.loads(row["plan"])
        operation["entry"]["clients"] = operation.pop("clients")
        operations.append(operation | {"settled": bool(row["settled"])})
    folders = [row["path"] for row in rows("SELECT path FROM folder")]
    return Document.structure({"skills": skills, "operations": operations, "folders": folders})
