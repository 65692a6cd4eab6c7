"""What is under way: operations that were noted before they began, and folders that were made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from skills.install.plan import Plan

if TYPE_CHECKING:
    from skills.install.database import Database


@frozen(kw_only=True)
class Operation:
    """An operation that was noted.

    Attributes:
        number: What the journal knows it by.
        settled: Whether the record says already what came of it.
        plan: What it was to do.
    """

    number: int
    settled: bool
    plan: Plan


class Journal:
    """The notes of one record."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    def begin(self, plan: Plan) -> int:
        """Note an operation before it begins; returns its number."""
        self._database.rows("INSERT INTO operation (plan) VALUES (?)", plan.encode())
        ((number,),) = self._database.rows("SELECT max(id) FROM operation")
        return int(number)

    def amend(self, number: int, plan: Plan) -> None:
        """Note more of an operation that has begun."""
        self._database.rows("UPDATE operation SET plan = ? WHERE id = ?", plan.encode(), number)

    def settle(self, number: int) -> None:
        """Note that the record says what came of an operation."""
        self._database.rows("UPDATE operation SET settled = 1 WHERE id = ?", number)

    def drop(self, number: int) -> None:
        """Forget an operation of which nothing is left to do."""
        self._database.rows("DELETE FROM operation WHERE id = ?", number)

    def operations(self) -> list[Operation]:
        """Return the operations that were noted and not dropped, oldest first."""
        found = self._database.rows("SELECT id, settled, plan FROM operation ORDER BY id")
        return [
            Operation(number=number, settled=bool(settled), plan=Plan.decode(plan))
            for number, settled, plan in found
        ]

    def folders(self) -> tuple[Path, ...]:
        """Return the folders that were made here, from the inside out."""
        found = [
            Path(os.fsdecode(raw)) for (raw,) in self._database.rows("SELECT path FROM folder")
        ]
        return tuple(sorted(found, key=lambda path: len(path.parts), reverse=True))

    def note_folder(self, path: Path) -> None:
        """Note that a folder was made here."""
        raw = os.fsencode(path)
        self._database.rows("INSERT OR IGNORE INTO folder (path) VALUES (?)", raw)

    def forget_folder(self, path: Path) -> None:
        """Forget a folder that is gone."""
        self._database.rows("DELETE FROM folder WHERE path = ?", os.fsencode(path))
