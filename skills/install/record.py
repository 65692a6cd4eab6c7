"""What is installed, remembered: skills, their folders, and the digest of every file.

Who may open the record, and when, is the matter of `state`; what is under way that of `journal`.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from skills.install.database import Database
from skills.install.journal import Journal
from skills.install.plan import Entry, Plan
from skills.install.tree import FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skills.install.database import Row
    from skills.install.swap import Move

_ENTRY = "name, scope, root, reference, tag, digest, version, description, requires, installed_at"
_KEY = "name = ? AND scope = ? AND root = ?"


@frozen(kw_only=True)
class InstalledSkill:
    """A skill that is installed.

    Attributes:
        name: Its name.
        version: The version that it gives itself; empty if it gives none.
        description: What it is for; empty if it does not say.
        scope: Whether it is there for the user, or in a project.
        project_root: The root of that project.
        reference: What was installed: a name in the store, a reference or a digest.
        tag: The tag in the reference; empty if there is none.
        digest: The digest of the artifact's root.
        status: `pending` if an install was cut short, so that some folders hold what was there
            before; installing it again completes it.
        installed_at: When it was installed or last changed.
        clients: For whom, sorted.
        dependencies: References of the skills that it needs.
        folders: Where it lies, sorted.
    """

    name: str
    version: str
    description: str
    scope: Literal["user", "project"]
    project_root: Path | None
    reference: str
    tag: str
    digest: str
    status: Literal["installed", "pending"]
    installed_at: datetime
    clients: tuple[str, ...]
    dependencies: tuple[str, ...]
    folders: tuple[Path, ...]


@frozen(kw_only=True)
class Target:
    """A folder that a skill was installed into.

    Attributes:
        path: The folder.
        digest: The digest of the artifact that was installed there.
        files: What was installed there.
    """

    path: Path
    digest: str
    files: tuple[FileRecord, ...]


class Record:
    """An open record; one process at a time has it.

    Attributes:
        journal: What is under way.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        """Open a record, and make it if it is not there.

        Args:
            path: The file.
            durable: Whether to force what is noted onto the disk.

        Raises:
            RecordError: The file is no record, is damaged, or is of a later version.
        """
        self._database = Database(path, durable=durable)
        self.journal = Journal(self._database)

    def close(self) -> None:
        """Close the record."""
        self._database.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is installed and nothing is under way."""
        return not self._database.rows(
            "SELECT 1 FROM skill UNION ALL SELECT 1 FROM operation LIMIT 1"
        )

    def skills(self) -> list[InstalledSkill]:
        """Return what is installed, sorted by name, scope and project."""
        found = self._database.rows(f"SELECT {_ENTRY} FROM skill ORDER BY name, scope, root")  # noqa: S608 # constants
        return [self.describe(_entry(row)) for row in found]

    def describe(self, entry: Entry) -> InstalledSkill:
        """Return a skill as others see it."""
        targets = self.targets(entry).values()
        whole = all(target.digest == entry.digest for target in targets)
        return InstalledSkill(
            name=entry.name,
            version=entry.version,
            description=entry.description,
            scope=entry.scope,
            project_root=Path(entry.root) if entry.root else None,
            reference=entry.reference,
            tag=entry.tag,
            digest=entry.digest,
            status="installed" if whole else "pending",
            installed_at=datetime.fromisoformat(entry.installed_at),
            clients=self.clients(entry),
            dependencies=entry.requires,
            folders=tuple(sorted(target.path for target in targets)),
        )

    def find(self, name: str, scope: str, root: str) -> Entry | None:
        """Return a skill as it was noted, if it is installed there."""
        found = self._database.rows(
            f"SELECT {_ENTRY} FROM skill WHERE {_KEY}",  # noqa: S608 # constants
            name,
            scope,
            os.fsencode(root),
        )
        return _entry(found[0]) if found else None

    def targets(self, entry: Entry) -> dict[Path, Target]:
        """Return the folders of a skill, by their paths."""
        targets = {}
        for raw, digest in self._database.rows(
            "SELECT path, digest FROM target WHERE skill = ? ORDER BY path", self._number(entry)
        ):
            files = self._database.rows("SELECT path, size, sha256 FROM file WHERE target = ?", raw)
            path = Path(os.fsdecode(raw))
            targets[path] = Target(
                path=path,
                digest=digest,
                files=tuple(
                    FileRecord(path=file, size=size, sha256=sha256) for file, size, sha256 in files
                ),
            )
        return targets

    def clients(self, entry: Entry) -> tuple[str, ...]:
        """Return for whom a skill is installed, sorted."""
        found = self._database.rows(
            "SELECT name FROM client WHERE skill = ? ORDER BY name", self._number(entry)
        )
        return tuple(name for (name,) in found)

    def owner(self, path: Path) -> Entry | None:
        """Return the skill that is installed in a folder, if one is."""
        found = self._database.rows(
            f"SELECT {_ENTRY} FROM skill WHERE id = (SELECT skill FROM target WHERE path = ?)",  # noqa: S608 # constants
            os.fsencode(path),
        )
        return _entry(found[0]) if found else None

    def settle_install(self, number: int, plan: Plan, done: Iterable[Move]) -> None:
        """Note which trees of an install are in their places.

        If none of those that were to move is, nothing is installed that was not before.

        Args:
            number: The number of the operation.
            plan: What it was to do.
            done: The trees that are in their places.
        """
        paths = [move.target for move in done]
        with self._database.transaction():
            self.journal.settle(number)
            if plan.moves and not paths:
                return
            skill = self._put_entry(plan.entry)
            for path in paths:
                self._put_target(skill, path, plan)
            for client, path in plan.clients.items():
                self._database.rows(
                    "INSERT OR REPLACE INTO client (skill, name, target)"
                    " SELECT skill, ?, path FROM target WHERE skill = ? AND path = ?",
                    client,
                    skill,
                    os.fsencode(path),
                )

    def settle_removal(self, number: int, plan: Plan, gone: Iterable[Move]) -> None:
        """Note which trees of a removal are gone; a skill without any is not installed.

        Args:
            number: The number of the operation.
            plan: What it was to do.
            gone: The trees that are not in their places any more.
        """
        with self._database.transaction():
            self.journal.settle(number)
            skill = self._number(plan.entry)
            for move in gone:
                self._database.rows(
                    "DELETE FROM target WHERE skill = ? AND path = ?",
                    skill,
                    os.fsencode(move.target),
                )
            self._database.rows(
                "DELETE FROM skill WHERE id = ? AND id NOT IN (SELECT skill FROM target)", skill
            )

    def _number(self, entry: Entry) -> object:
        """Return what the database knows a skill by; nothing if it is not there."""
        found = self._database.rows(
            f"SELECT id FROM skill WHERE {_KEY}",  # noqa: S608 # constants
            entry.name,
            entry.scope,
            os.fsencode(entry.root),
        )
        return found[0][0] if found else None

    def _put_entry(self, entry: Entry) -> object:
        self._database.rows(
            f"INSERT INTO skill ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 # constants
            " ON CONFLICT (name, scope, root) DO UPDATE SET reference = excluded.reference,"
            " tag = excluded.tag, digest = excluded.digest, version = excluded.version,"
            " description = excluded.description, requires = excluded.requires,"
            " installed_at = excluded.installed_at",
            entry.name, entry.scope, os.fsencode(entry.root), entry.reference, entry.tag,
            entry.digest, entry.version, entry.description, json.dumps(entry.requires),
            entry.installed_at,
        )  # fmt: skip
        return self._number(entry)

    def _put_target(self, skill: object, path: Path, plan: Plan) -> None:
        raw = os.fsencode(path)
        self._database.rows(
            "INSERT INTO target (path, skill, digest) VALUES (?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET digest = excluded.digest",
            raw,
            skill,
            plan.entry.digest,
        )
        self._database.rows("DELETE FROM file WHERE target = ?", raw)
        for file in plan.files:
            self._database.rows(
                "INSERT INTO file (target, path, size, sha256) VALUES (?, ?, ?, ?)",
                raw,
                file.path,
                file.size,
                file.sha256,
            )


def _entry(row: Row) -> Entry:
    name, scope, root, reference, tag, digest, version, description, requires, at = row
    return Entry(
        name=name,
        scope=scope,
        root=os.fsdecode(root),
        reference=reference,
        tag=tag,
        digest=digest,
        version=version,
        description=description,
        requires=tuple(json.loads(requires)),
        installed_at=at,
    )
