"""The values that the record of installed skills holds, and the JSON that they are written as.

An operation says everything that is needed to find out, after its process was killed, how far it
came. Where the document is stored, and who may write it, is the matter of `record`.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, get_args, get_origin

from attrs import Factory, evolve, frozen
from cattrs import Converter
from cattrs.errors import CattrsError

from skills.install.swap import Move
from skills.install.tree import FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str, str, str]
"""What tells an installed skill from all others: its name, its scope and its root."""

VERSION: Final = 2
"""The version of the document; the database that `sqlite` reads was version 1."""


@frozen(kw_only=True)
class InstalledSkill:
    """A skill that is installed.

    Attributes:
        name: The name of the skill.
        version: The version in its SKILL.md; may be empty.
        description: What the skill is for; may be empty.
        scope: Whether it is installed for the user, or in a project.
        project_root: The root of that project.
        reference: What was installed: a name in the store, a reference or a digest.
        tag: The tag in the reference; may be empty.
        digest: The digest of the artifact's root.
        status: `pending` if an install was cut short, so that some folders hold the files from
            before; installing the skill again completes it.
        installed_at: When it was installed or last changed.
        clients: The clients that have it, sorted.
        dependencies: References of the skills that it needs.
        folders: The folders that hold its files, sorted.
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
        files: The files that were installed there.
    """

    path: Path
    digest: str
    files: tuple[FileRecord, ...]


@frozen(kw_only=True)
class Entry:
    """A skill as the record has it.

    Attributes:
        name: As in `InstalledSkill`, like all attributes that are not listed here.
        root: The root of the project; empty for the user.
        requires: References of the skills that it needs.
        targets: The folders that hold its files.
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
        """Return the skill as callers see it."""
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
    """An operation that is about to begin, or did not end yet.

    Attributes:
        kind: Whether the operation installs a skill or removes it.
        entry: The skill as it will be, without targets, or as it was.
        moves: The trees that change their places.
        files: The files of the new trees; empty until they are written.
        folders: The folders that the operation makes, outermost first.
        settled: Whether the record says already what the operation did, so that only temporary
            folders remain to be removed.
    """

    kind: Literal["install", "uninstall"]
    entry: Entry
    moves: tuple[Move, ...]
    files: tuple[FileRecord, ...] = ()
    folders: tuple[Path, ...] = ()
    settled: bool = False


@frozen(kw_only=True)
class Document:
    """Everything that the record holds.

    Attributes:
        skills: The installed skills.
        operations: The operations that did not end, oldest first.
        folders: The folders that were made for skills and for the record, in any order.
    """

    skills: tuple[Entry, ...] = ()
    operations: tuple[Operation, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Document:
        """Read a document.

        Raises:
            ValueError: The bytes are damaged, or a later version wrote them.
        """
        try:
            found = json.loads(data.decode(), parse_constant=_refuse)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        version = found.pop("version", None) if isinstance(found, dict) else None
        if version != VERSION:
            raise ValueError(f"its version is {version!r}, and this program knows {VERSION}")
        return cls.structure(found)

    @classmethod
    def structure(cls, found: dict[str, Any]) -> Document:
        """Make a document of what its JSON holds.

        Raises:
            ValueError: A value is missing or is not of its type.
        """
        try:
            return _CONVERTER.structure(found, cls)
        except KeyError as error:
            raise ValueError(f"a property is missing: {error}") from None
        except (CattrsError, AttributeError, TypeError) as error:
            raise ValueError(str(error)) from None

    def encode(self) -> bytes:
        """Return the document as JSON."""
        # Paths hold bytes that are not UTF-8 as surrogates, which JSON escapes and brings back.
        return json.dumps({"version": VERSION, **_CONVERTER.unstructure(self)}).encode()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is installed and no operation is under way."""
        return not (self.skills or self.operations)

    def find(self, key: Key) -> Entry | None:
        """Return an installed skill."""
        return next((skill for skill in self.skills if skill.key == key), None)

    def owner(self, path: Path) -> Entry | None:
        """Return the skill that is installed in a folder."""
        owners = (skill for skill in self.skills for target in skill.targets if target.path == path)
        return next(owners, None)

    def describe(self) -> list[InstalledSkill]:
        """Return the installed skills, sorted by name, scope and project."""
        key = lambda skill: (skill.name, skill.scope, os.fsencode(skill.root))  # noqa: E731
        return [skill.describe() for skill in sorted(self.skills, key=key)]

    def replace_operation(self, old: Operation, *new: Operation) -> Document:
        """Return the document with other operations in the place of one, or with none there."""
        operations: list[Operation] = []
        for operation in self.operations:
            operations += new if operation == old else (operation,)
        return evolve(self, operations=tuple(operations))

    def with_install(self, operation: Operation, done: Iterable[Path]) -> Document:
        """Return the document after an install.

        Args:
            operation: The install.
            done: The folders that hold the new files. If there are none though some were to be
                written, nothing was installed.
        """
        entry = operation.entry
        fresh = {
            path: Target(path=path, digest=entry.digest, files=operation.files) for path in done
        }
        if operation.moves and not fresh:
            return self
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
            gone: The folders that are not in their places any more.
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


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _exactly(kind: type) -> Any:  # noqa: ANN401 # a hook of cattrs
    """Return what takes values of a type and nothing that could be made into one."""

    def take(value: object, _: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is not of the type {kind.__name__}")
        return value

    return take


def _is_array(kind: object) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple


def _array(value: object, kind: Any) -> tuple[object, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not an array")  # noqa: TRY004 # as all that is read
    return tuple(_CONVERTER.structure(item, get_args(kind)[0]) for item in value)


def _path(value: object, _: object) -> Path:
    # What is read here may be removed later, so a path must not depend on the working folder.
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:  # noqa: PTH117
        raise ValueError(f"{value!r} is not an absolute path")
    return Path(value)


def _time(value: object, _: object) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{value!r} is not a time with its offset")
    return found


_CONVERTER: Final = Converter(detailed_validation=False)
for _kind in (str, int, bool):
    _CONVERTER.register_structure_hook(_kind, _exactly(_kind))
_CONVERTER.register_structure_hook_func(_is_array, _array)
_CONVERTER.register_structure_hook(Path, _path)
_CONVERTER.register_unstructure_hook(Path, str)
_CONVERTER.register_structure_hook(datetime, _time)
_CONVERTER.register_unstructure_hook(datetime, datetime.isoformat)
