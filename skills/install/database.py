"""The file behind the record: one SQLite database, its tables, and transactions on it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from skills.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = tuple[Any, ...]

_VERSION: Final = 1
_BUSY: Final = 30.0
"""How long to wait for another reader of the file, in seconds."""

_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS skill (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('user', 'project')),
    root BLOB NOT NULL,
    reference TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    requires TEXT NOT NULL,
    installed_at TEXT NOT NULL,
    UNIQUE (name, scope, root)
);
CREATE TABLE IF NOT EXISTS target (
    path BLOB PRIMARY KEY,
    skill INTEGER NOT NULL REFERENCES skill (id) ON DELETE CASCADE,
    digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS client (
    skill INTEGER NOT NULL REFERENCES skill (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    target BLOB NOT NULL REFERENCES target (path) ON DELETE CASCADE,
    PRIMARY KEY (skill, name)
);
CREATE TABLE IF NOT EXISTS file (
    target BLOB NOT NULL REFERENCES target (path) ON DELETE CASCADE,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (target, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folder (path BLOB PRIMARY KEY);
CREATE TABLE IF NOT EXISTS operation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    settled INTEGER NOT NULL DEFAULT 0,
    plan TEXT NOT NULL
);
PRAGMA user_version = 1;
COMMIT;
"""


class Database:
    """An open database with the tables of the record."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        """Open it, and make it if it is not there.

        Args:
            path: The file.
            durable: Whether to force each transaction onto the disk.

        Raises:
            RecordError: The file is no database, is damaged, or is of a later version.
        """
        self._path = path
        with self._readable():
            self._connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
        try:
            self._prepare(durable=durable)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Execute a statement, and return what it answers.

        Raises:
            RecordError: The database is damaged.
        """
        with self._readable(), closing(self._connection.execute(statement, values)) as cursor:
            return cursor.fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all that happens inside durable at the end, or undo it.

        Raises:
            RecordError: The database is damaged, or cannot be written.
        """
        self.rows("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.rows("ROLLBACK")
            raise
        self.rows("COMMIT")

    def _prepare(self, *, durable: bool) -> None:
        self.rows("PRAGMA foreign_keys = ON")
        self.rows(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        ((version,),) = self.rows("PRAGMA user_version")
        if version == 0:
            with self._readable():
                self._connection.executescript(_SCHEMA)
        elif version != _VERSION:
            raise RecordError(str(self._path), f"it is of version {version}, {_VERSION} is known")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RecordError(str(self._path), str(error)) from None
