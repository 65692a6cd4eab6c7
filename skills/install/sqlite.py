"""The old form of the record, a SQLite database: read once, to become what `document` writes."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from skills.errors import RecordError
from skills.install.document import (
    Document,
    Entry,
    Operation,
    RecordedSkill,
    Target,
    decode_plan,
)
from skills.install.tree import FileRecord

if TYPE_CHECKING:
    import sqlite3

_VERSION: Final = 1
_ENTRY = "name, scope, root, reference, tag, digest, version, description, requires, installed_at"


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
            return _read(connection)
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise RecordError(str(path), str(error)) from None


def _read(connection: sqlite3.Connection) -> Document:
    ((version,),) = connection.execute("PRAGMA user_version")
    if version == 0:  # a process was killed before it made the tables
        return Document()
    if version != _VERSION:
        raise ValueError(f"its version is {version}, and this program knows {_VERSION}")
    skills = connection.execute(f"SELECT id, {_ENTRY} FROM skill")  # noqa: S608 # constants
    operations = connection.execute("SELECT settled, plan FROM operation ORDER BY id")
    return Document(
        skills=tuple(_skill(connection, number, *row) for number, *row in skills.fetchall()),
        operations=tuple(
            Operation(plan=decode_plan(plan), settled=bool(settled)) for settled, plan in operations
        ),
        folders=tuple(_path(raw) for (raw,) in connection.execute("SELECT path FROM folder")),
    )


def _skill(connection: sqlite3.Connection, number: int, *row: Any) -> RecordedSkill:  # noqa: ANN401
    name, scope, root, reference, tag, digest, version, description, requires, at = row
    clients = connection.execute("SELECT name, target FROM client WHERE skill = ?", (number,))
    targets = connection.execute("SELECT path, digest FROM target WHERE skill = ?", (number,))
    return RecordedSkill(
        entry=Entry(
            name=name,
            scope=scope,
            root=os.fsdecode(root),
            reference=reference,
            tag=tag,
            digest=digest,
            version=version,
            description=description,
            requires=tuple(json.loads(requires)),
            installed_at=datetime.fromisoformat(at),
        ),
        targets=tuple(
            Target(path=_path(raw), digest=digest, files=_files(connection, raw))
            for raw, digest in targets.fetchall()
        ),
        clients={client: _path(raw) for client, raw in clients},
    )


def _files(connection: sqlite3.Connection, target: bytes) -> tuple[FileRecord, ...]:
    found = connection.execute("SELECT path, size, sha256 FROM file WHERE target = ?", (target,))
    return tuple(FileRecord(path=path, size=size, sha256=sha256) for path, size, sha256 in found)


def _path(raw: bytes) -> Path:
    return Path(os.fsdecode(raw))
