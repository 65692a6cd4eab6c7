"""Installing, removing and listing skills: the decisions that are made before any change."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from ocilayout import LockTimeoutError
from skills.errors import (
    ClientError,
    LocalEditsError,
    NotInstalledError,
    ScopeError,
    TargetExistsError,
)
from skills.install import operation
from skills.install.clients import find_client, select_clients
from skills.install.files import compare
from skills.install.installed import Entry, Operation
from skills.install.operation import recover, settle
from skills.install.record import default_state, open_record, read_record
from skills.install.scope import Scope, require_scope, scope_of, targets_of
from skills.install.swap import Move
from skills.model import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from skills.install.clients import Client
    from skills.install.installed import Document, InstalledSkill, Key, Target
    from skills.install.record import Record
    from skills.packaging import Artifact, Layer


class Installer:
    """The installed skills of a user, and of the user's projects."""

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        state: str | os.PathLike[str] | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """Create the installer of a user.

        Args:
            home: The home folder to install into; that of the user by default.
            state: The folder of the record of installed skills; by default `default_state()`, or
                `.local/state/ocilayout/skills` in `home` if that is given.
            durable: Whether installed files are forced onto the disk.
        """
        if state is None:
            state = default_state() if home is None else Path(home, ".local/state/ocilayout/skills")
        self._home = Path.home() if home is None else Path(home)
        self._state = Path(state)
        self._durable = durable

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> None:
        """Remove a skill from all its clients, and the folders that were made for it.

        Args:
            name: The name of the skill.
            scope: `user` or `project`; by default `project` if `project_root` is given.
            project_root: The root of the project.
            force: Whether to remove a skill with local edits, too.

        Raises:
            NotInstalledError: The skill is not installed in that scope.
            LocalEditsError: Its files were edited, and `force` is false.
            ScopeError: The scope is unknown, or the folder is not a project.
            RecordError: The record of installed skills cannot be read.
            OSError: The file system refused; folders that still exist are still recorded.
        """
        where = self._known_scope(scope, project_root)
        if read_record(self._state).is_empty or check_name(name):
            raise NotInstalledError(name, where.name)
        with self._open() as record:
            key = (name, where.name, where.key)
            _require_ended(recover(record), key)
            skill = record.document.find(key)
            if skill is None:
                raise NotInstalledError(name, where.name)
            for target in () if force else skill.targets:
                if edited := compare(target.path, target.files).edited:
                    raise LocalEditsError(str(target.path), edited)
            plan = Operation(
                kind="uninstall",
                entry=skill,
                moves=tuple(_move(target.path) for target in skill.targets),
            )
            operation.uninstall(record, plan)

    def list_installed(
        self,
        *,
        scope: str | None = None,
        client: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
    ) -> list[InstalledSkill]:
        """Return the installed skills, sorted by name, scope and project.

        Args:
            scope: Only those for the user, or only those in projects.
            client: Only those for this client.
            project_root: Only those in this project.

        Raises:
            ClientError: The client is unknown.
            ScopeError: The scope is unknown, or the folder is not a project.
            RecordError: The record of installed skills cannot be read.
        """
        if client is not None:
            find_client(client)
        if scope is not None:
            require_scope(scope)
        where = None
        # Without a root, the scope `project` means all projects.
        if scope == "user" or project_root is not None:
            where = self._known_scope(scope, project_root)
        skills = [
            skill
            for skill in self._document().skills
            if (scope is None or skill.scope == scope)
            and (client is None or client in skill.clients)
            and (where is None or _is_in(skill, where))
        ]
        skills.sort(key=lambda skill: (skill.name, skill.scope, os.fsencode(skill.root)))
        return [skill.describe() for skill in skills]

    def _put(
        self,
        artifact: Artifact,
        layer: Layer,
        *,
        clients: Iterable[str],
        scope: Scope,
        force: bool,
    ) -> InstalledSkill:
        """Install a skill, whose name must be a valid one, for clients."""
        names = list(clients)
        with self._open() as record:
            fresh = _entry(artifact, scope)
            _require_ended(recover(record), fresh.key)
            before = record.document.find(fresh.key)
            known = {} if before is None else {target.path: target for target in before.targets}
            have = () if before is None else sorted(before.clients)
            wanted = targets_of(scope, fresh.name, self._clients(names, have))
            moves = [
                _move(target)
                for target in wanted
                if _must_write(record.document, target, known.get(target), fresh, force=force)
            ]
            clients = {name: target for target, names in wanted.items() for name in names}
            if before is not None and not moves:
                if before.reference == fresh.reference and set(clients) == set(have):
                    return before.describe()
                fresh = evolve(fresh, installed_at=before.installed_at)
            plan = Operation(
                kind="install",
                entry=evolve(fresh, clients=clients),
                moves=tuple(moves),
                folders=_folders(moves, scope.root),
            )
            operation.install(record, plan, layer)
            installed = record.document.find(fresh.key)
            assert installed is not None  # noqa: S101 # it was installed just now
            return installed.describe()

    def _open(self, *, wait: bool = True) -> AbstractContextManager[Record]:
        return open_record(self._state, durable=self._durable, wait=wait)

    def _document(self) -> Document:
        """Return the record, after ending the operations of killed processes where possible."""
        document = read_record(self._state)
        if not document.operations:
            return document
        try:
            with self._open(wait=False) as record:
                recover(record)
                return record.document
        except LockTimeoutError:  # the process is not killed, but at work
            return document
        except OSError:  # a disk that cannot be written: show the results unrecorded
            for pending in document.operations:
                with suppress(OSError):
                    document = settle(document, pending)
            return document

    def _scope(self, name: str | None, project_root: str | os.PathLike[str] | None) -> Scope:
        return scope_of(name, project_root, self._home)

    def _known_scope(self, name: str | None, project_root: str | os.PathLike[str] | None) -> Scope:
        """Return a scope, even that of a removed project if skills are recorded for it.

        Raises:
            ScopeError: As `scope_of` says.
        """
        try:
            return self._scope(name, project_root)
        except ScopeError:
            scope = scope_of(name, project_root, self._home, may_be_gone=True)
            if not any(_is_in(skill, scope) for skill in read_record(self._state).skills):
                raise
            return scope

    def _clients(self, names: list[str], before: Iterable[str]) -> list[Client]:
        """Return the clients to install for: the named ones, and those that have the skill."""
        have = []
        for name in before:
            with suppress(ClientError):  # another version of this program knows more clients
                have.append(find_client(name))
        try:
            asked = select_clients(names, self._home)
        except ClientError:
            if names or not have:
                raise
            asked = ()
        return list(dict.fromkeys((*asked, *have)))


def _entry(artifact: Artifact, scope: Scope) -> Entry:
    return Entry(
        name=artifact.name,
        scope=scope.name,
        root=scope.key,
        reference=artifact.reference,
        tag=artifact.tag,
        digest=str(artifact.digest),
        version=artifact.version,
        description=artifact.description,
        requires=artifact.requires,
        installed_at=datetime.now(UTC).replace(microsecond=0),
    )


def _require_ended(failures: dict[Key, OSError], key: Key) -> None:
    """Refuse to change a skill while an earlier operation on it cannot be ended."""
    if key in failures:
        raise failures[key]


def _must_write(
    document: Document, path: Path, known: Target | None, fresh: Entry, *, force: bool
) -> bool:
    """Tell whether to write a folder; refuse if files of the user would be lost."""
    if known is None:
        if owner := document.owner(path):
            whose = "the user" if owner.scope == "user" else f"the project {owner.root!r}"
            raise TargetExistsError(str(path), f"is installed for {whose}; uninstall it there")
        if os.path.lexists(path) and not force:
            raise TargetExistsError(
                str(path), "exists and was not installed from here; move it away, or use force"
            )
        return True
    changes = compare(path, known.files)
    if changes.edited and not force:
        raise LocalEditsError(str(path), changes.edited)
    return bool(changes) or known.digest != fresh.digest


def _move(target: Path) -> Move:
    token = secrets.token_hex(8)
    return Move(
        target=target,
        staged=target.with_name(f".{target.name}.{token}.new"),
        aside=target.with_name(f".{target.name}.{token}.old"),
    )


def _folders(moves: Iterable[Move], root: Path) -> tuple[Path, ...]:
    """Return the missing folders above the targets, outermost first."""
    parents = (
        root / parent
        for move in moves
        for parent in reversed(move.target.relative_to(root).parents)
    )
    return tuple(dict.fromkeys(parent for parent in parents if not parent.exists()))


def _is_in(skill: Entry, scope: Scope) -> bool:
    return (skill.scope, skill.root) == (scope.name, scope.key)
