"""The old form of the record, a SQLite database: read once, to become what `document` writes."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from skills.errors import RecordError
from skills.install.document import Document

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_VERSION: Final = 1


def read_database(path: Path) -> Document:
    """Read a record of the old form.

    Args:
        path: The database.

    Raises:
        RecordError: The file is damaged, or a later version wrote it.
    """
    import sqlite3  # noqa: PLC0415 # only old records need it, and some builds of Python lack it

    try:
        # SQLite may have to undo a transaction that was cut short, so it may write.
        address = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.row_factory = _row
            return _read(connection)
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        raise RecordError(str(path), str(error)) from None


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row by its columns; paths are stored as bytes."""
    texts = [os.fsdecode(value) if isinstance(value, bytes) else value for value in values]
    return {column: text for (column, *_), text in zip(cursor.description, texts, strict=True)}


def _read(connection: sqlite3.Connection) -> Document:
    def rows(statement: str, *values: object) -> list[dict[str, Any]]:
        return connection.execute(statement, values).fetchall()

    version = rows("PRAGMA user_version")[0]["user_version"]
    if version == 0:  # a process was killed before it made the tables
        return Document()
    if version != _VERSION:
        raise ValueError(f"its version is {version}, and this program knows {_VERSION}")
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
