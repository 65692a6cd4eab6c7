"""What is installed: the values in the record of installed skills, and their JSON.

An operation has all that is needed to tell, after its process was killed, how far it came. The file
and its lock are the matter of `record`.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import Factory, evolve, frozen
from cattrs import Converter

from skills.install.files import InstalledFile
from skills.install.swap import Move

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str, str, str]
"""The key of an installed skill: its name, its scope and its root."""

VERSION: Final = 2
"""The version of the document; version 1 was a SQLite database."""


@frozen(kw_only=True)
class InstalledSkill:
    """An installed skill.

    Attributes:
        name: The name of the skill.
        version: The version in its SKILL.md; may be empty.
        description: What the skill is for; may be empty.
        scope: Whether it is installed for the user, or in a project.
        project_root: The root of that project.
        reference: The tag, reference or digest that was installed.
        tag: The tag in the reference; may be empty.
        digest: The digest of the artifact's root.
        status: `pending` if an install was interrupted, so that some folders still have the old
            files; installing the skill again completes it.
        installed_at: When it was installed or last changed.
        clients: The clients that have it, sorted.
        dependencies: References of the skills that it needs.
        folders: The folders with its files, sorted.
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
        digest: The digest of the artifact whose files it has.
        files: The installed files.
    """

    path: Path
    digest: str
    files: tuple[InstalledFile, ...]


@frozen(kw_only=True)
class Entry:
    """A skill as the record has it.

    Attributes:
        name: As in `InstalledSkill`, like all attributes that are not listed here.
        root: The root of the project; empty for the user.
        requires: References of the skills that it needs.
        targets: The folders with its files.
        clients: The folder of each client that has it.
    """

    name: str
    scope: Literal["user", "project"]
    root: str
    reference: str
    tag: str
    digest: str
    version: str
    description: str
    requires: tuple[str, ...]
    installed_at: datetime
    targets: tuple[Target, ...] = ()
    clients: dict[str, Path] = Factory(dict)

    @property
    def key(self) -> Key:
        """The key of the skill in the record."""
        return self.name, self.scope, self.root

    def describe(self) -> InstalledSkill:
        """Return the skill as `SkillService` returns it."""
        whole = all(target.digest == self.digest for target in self.targets)
        return InstalledSkill(
            name=self.name,
            version=self.version,
            description=self.description,
            scope=self.scope,
            project_root=Path(self.root) if self.root else None,
            reference=self.reference,
            tag=self.tag,
            digest=self.digest,
            status="installed" if whole else "pending",
            installed_at=self.installed_at,
            clients=tuple(sorted(self.clients)),
            dependencies=self.requires,
            folders=tuple(sorted(target.path for target in self.targets)),
        )


@frozen(kw_only=True)
class Operation:
    """An operation that is about to begin, or has not ended yet.

    Attributes:
        kind: Whether the operation installs a skill or removes it.
        entry: For an install the skill as it will be, without targets; else as it was.
        moves: The folders that are swapped in or moved aside.
        files: The new files; empty until they are written.
        folders: The folders that the operation makes, outermost first.
        settled: Whether the record has the result of the operation already, so that only temporary
            folders remain to be removed.
    """

    kind: Literal["install", "uninstall"]
    entry: Entry
    moves: tuple[Move, ...]
    files: tuple[InstalledFile, ...] = ()
    folders: tuple[Path, ...] = ()
    settled: bool = False


@frozen(kw_only=True)
class Document:
    """The content of the record.

    Attributes:
        skills: The installed skills.
        operations: The operations that have not ended, oldest first.
        folders: The folders that were made for skills and for the record, in any order.
    """

    skills: tuple[Entry, ...] = ()
    operations: tuple[Operation, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Document:
        """Parse a document.

        Raises:
            ValueError: The bytes are damaged, or a later version wrote them.
        """
        try:
            value = json.loads(data.decode())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        version = value.pop("version", None) if isinstance(value, dict) else None
        if version != VERSION:
            raise ValueError(f"its version is {version!r}, and this program knows {VERSION}")
        document = cls.structure(value)
        # cattrs converts a value of another type, so that it would be written differently.
        if json.loads(document.encode()) != {"version": VERSION, **value}:
            raise ValueError("a value is not of its type")
        return document

    @classmethod
    def structure(cls, value: dict[str, Any]) -> Document:
        """Make a document of a JSON object, whose values are converted to their types.

        Raises:
            ValueError: A property is missing, or a value cannot be converted.
        """
        try:
            return _CONVERTER.structure(value, cls)
        except KeyError as error:
            raise ValueError(f"a property is missing: {error}") from None
        except Exception as error:  # noqa: BLE001 # cattrs before 26.2 raises a bare one
            raise ValueError(str(error)) from None

    def encode(self) -> bytes:
        """Return the document as JSON."""
        # Bytes of a path that are not UTF-8 are surrogates in it, which JSON escapes and restores.
        return json.dumps({"version": VERSION, **_CONVERTER.unstructure(self)}).encode()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is installed and no operation is under way."""
        return not (self.skills or self.operations)

    def find(self, key: Key) -> Entry | None:
        """Return the skill with a key; `None` if it is not installed."""
        return next((skill for skill in self.skills if skill.key == key), None)

    def owner(self, path: Path) -> Entry | None:
        """Return the skill that is installed in a folder; `None` if there is none."""
        owners = (skill for skill in self.skills for target in skill.targets if target.path == path)
        return next(owners, None)

    def with_operation(self, operation: Operation) -> Document:
        """Return the document with another operation."""
        return evolve(self, operations=(*self.operations, operation))

    def replace_operation(self, old: Operation, *new: Operation) -> Document:
        """Return the document with other operations, or none, instead of one."""
        operations: list[Operation] = []
        for operation in self.operations:
            operations += new if operation == old else (operation,)
        return evolve(self, operations=tuple(operations))

    def with_install(self, operation: Operation, done: Iterable[Path]) -> Document:
        """Return the document after an install.

        Args:
            operation: The install.
            done: The folders with the new files. If there are none of several, nothing was
                installed.
        """
        entry = operation.entry
        fresh = {
            path: Target(path=path, digest=entry.digest, files=operation.files) for path in done
        }
        if operation.moves and not fresh:
            return self
        # After an interrupted update some targets are old ones: they keep their digest and their
        # files, by which `describe` says that the skill is pending.
        before = self.find(entry.key) or entry
        targets = {target.path: target for target in before.targets} | fresh
        clients = {name: path for name, path in entry.clients.items() if path in targets}
        if before is not entry:
            clients = before.clients | clients
        after = evolve(entry, targets=tuple(targets.values()), clients=clients)
        return self._replace(before, after)

    def with_removal(self, operation: Operation, gone: Iterable[Path]) -> Document:
        """Return the document after a removal; a skill without folders is not installed.

        Args:
            operation: The removal.
            gone: The folders that were removed.
        """
        before = self.find(operation.entry.key)
        if before is None:
            return self
        missing = set(gone)
        targets = tuple(target for target in before.targets if target.path not in missing)
        clients = {name: path for name, path in before.clients.items() if path not in missing}
        after = (evolve(before, targets=targets, clients=clients),) if targets else ()
        return self._replace(before, *after)

    def _replace(self, old: Entry, *new: Entry) -> Document:
        return evolve(self, skills=(*(skill for skill in self.skills if skill is not old), *new))


def _path(value: object, _: object) -> Path:
    # These folders may be removed later, so a path must not depend on the working folder.
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:  # noqa: PTH117
        raise ValueError(f"{value!r} is not an absolute path")
    return Path(value)


def _time(value: object, _: object) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError(f"{value!r} is not a time with its offset")
    return time


_CONVERTER: Final = Converter(detailed_validation=False)
_CONVERTER.register_structure_hook(Path, _path)
_CONVERTER.register_unstructure_hook(Path, str)
_CONVERTER.register_structure_hook(datetime, _time)
_CONVERTER.register_unstructure_hook(datetime, datetime.isoformat)
