"""Installing, removing and listing skills: the decisions that are made before any change."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
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
from skills.install.scope import Scope, missing_parents, require_scope, scope_of, targets_of
from skills.install.swap import Move, exchange
from skills.model import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from skills.install.clients import Client
    from skills.install.installed import Document, InstalledSkill, Key, Target
    from skills.install.record import Record, State
    from skills.install.swap import Swap
    from skills.packaging import Artifact, Layer


class Installer:
    """The installed skills of a user, and of the user's projects."""

    def __init__(self, home: Path, state: State, *, swap: Swap = exchange) -> None:
        self._home = home
        self._state = state
        self._swap = swap

    def scope(self, name: str | None, project_root: str | os.PathLike[str] | None) -> Scope:
        """Return a scope to install to. See `scope_of`."""
        return scope_of(name, project_root, self._home)

    def install(
        self,
        artifact: Artifact,
        layer: Layer,
        *,
        clients: Iterable[str],
        scope: Scope,
        force: bool,
    ) -> InstalledSkill:
        """Install a skill, whose name must be a valid one. See `SkillService.install`."""
        names = list(clients)
        with self._state.open() as record:
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
            operation.install(record, plan, layer, self._swap)
            return _described(record, fresh.key)

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None,
        project_root: str | os.PathLike[str] | None,
        force: bool,
    ) -> None:
        """Remove a skill. See `SkillService.uninstall`."""
        where = self._known_scope(scope, project_root)
        if not self._state.exists or check_name(name):
            raise NotInstalledError(name, where.name)
        with self._state.open() as record:
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

    def installed(
        self,
        *,
        scope: str | None,
        client: str | None,
        project_root: str | os.PathLike[str] | None,
    ) -> list[InstalledSkill]:
        """Return the installed skills. See `SkillService.list_installed`."""
        if client is not None:
            find_client(client)
        if scope is not None:
            require_scope(scope)
        where = None
        # Without a root, the scope `project` means all projects.
        if scope == "user" or project_root is not None:
            where = self._known_scope(scope, project_root)
        return [
            skill
            for skill in self._document().describe()
            if (scope is None or skill.scope == scope)
            and (client is None or client in skill.clients)
            and (where is None or _is_in(skill, where))
        ]

    # ------------------------------------------------------------ decisions

    def _document(self) -> Document:
        """Return the record, after ending the operations of killed processes where possible."""
        document = self._state.read()
        if not document.operations:
            return document
        try:
            with self._state.open(wait=False) as record:
                recover(record)
                return record.document
        except LockTimeoutError:  # the process is not killed, but at work
            return document
        except OSError:  # a disk that cannot be written: show the results unrecorded
            for pending in document.operations:
                with suppress(OSError):
                    document = settle(document, pending)
            return document

    def _known_scope(self, name: str | None, project_root: str | os.PathLike[str] | None) -> Scope:
        """Return a scope, even that of a removed project if skills are recorded for it.

        Raises:
            ScopeError: As `scope_of` says.
        """
        try:
            return self.scope(name, project_root)
        except ScopeError:
            scope = scope_of(name, project_root, self._home, may_be_gone=True)
            if not any(_is_in(skill, scope) for skill in self._state.read().describe()):
                raise
            return scope

    def _clients(self, names: list[str], before: Iterable[str]) -> list[Client]:
        """Return the clients to install for: the named ones, and those that have the skill."""
        have = []
        for name in before:
            with suppress(
                ClientError
            ):  # another version of this program installed for a client that is unknown here
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


def _described(record: Record, key: Key) -> InstalledSkill:
    skill = record.document.find(key)
    assert skill is not None  # noqa: S101 # it was installed just now
    return skill.describe()


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
    parents = (parent for move in moves for parent in missing_parents(move.target, root))
    return tuple(dict.fromkeys(parents))


def _is_in(skill: InstalledSkill, scope: Scope) -> bool:
    key = "" if skill.project_root is None else str(skill.project_root)
    return (skill.scope, key) == (scope.name, scope.key)
