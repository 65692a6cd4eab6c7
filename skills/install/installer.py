"""Installing, removing and listing skills: what is decided before anything is done."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve

from skills.clients import find_client, require_clients, select_clients
from skills.errors import (
    ClientError,
    LocalEditsError,
    NotInstalledError,
    ScopeError,
    TargetExistsError,
)
from skills.install.operation import put_in_place, recover, take_away
from skills.install.place import Place, missing_parents, place_of, require_scope, targets_of
from skills.install.plan import Entry, Plan
from skills.install.swap import Move, exchange
from skills.install.tree import compare
from skills.validation import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from skills.clients import Client
    from skills.install.record import InstalledSkill, Record, Target
    from skills.install.source import Candidate
    from skills.install.state import State
    from skills.install.swap import Swap
    from skills.layer import Layer


class Installer:
    """Skills of one user."""

    def __init__(self, home: Path, state: State, *, swap: Swap = exchange) -> None:
        """Say where skills are installed and where that is remembered; nothing is touched yet.

        Args:
            home: The home folder.
            state: Where the record is.
            swap: How two folders change places.
        """
        self._home = home
        self._state = state
        self._swap = swap

    def require(
        self,
        *,
        clients: Iterable[str],
        scope: str | None,
        project_root: str | os.PathLike[str] | None,
    ) -> None:
        """Refuse clients and a place that mean nothing, before a registry is asked for anything.

        Raises:
            ClientError: A client is unknown, or `all` is not alone.
            ScopeError: As for `install`.
        """
        place_of(scope, project_root, self._home)
        require_clients(clients)

    def install(
        self,
        candidate: Candidate,
        layer: Layer,
        *,
        clients: Iterable[str],
        scope: str | None,
        project_root: str | os.PathLike[str] | None,
        force: bool,
    ) -> InstalledSkill:
        """Install a skill; see `SkillService.install`.

        Args:
            candidate: The skill; its name was checked.
            layer: Its files; they were checked.
            clients: For whom.
            scope: For the user, or for a project.
            project_root: The root of that project.
            force: Whether what is in the way may be lost.
        """
        place = place_of(scope, project_root, self._home)
        names = list(clients)
        with self._state.open() as record:
            recover(record, durable=self._state.durable)
            entry = record.find(candidate.artifact.name, place.scope, place.key)
            known = {} if entry is None else record.targets(entry)
            before = () if entry is None else record.clients(entry)
            wanted = targets_of(place, candidate.artifact.name, self._clients(names, before))
            fresh = _entry(candidate, place)
            moves = [
                _move(target)
                for target in wanted
                if _must_write(record, target, known.get(target), fresh, force=force)
            ]
            plan = Plan(
                kind="install",
                entry=fresh,
                moves=tuple(moves),
                clients={name: target for target, names in wanted.items() for name in names},
                folders=_folders(moves, place.root),
            )
            if entry is not None and not moves:
                if entry.reference == fresh.reference and set(plan.clients) == set(before):
                    return record.describe(entry)
                plan = evolve(plan, entry=evolve(fresh, installed_at=entry.installed_at))
            put_in_place(record, plan, layer, self._swap, durable=self._state.durable)
            return record.describe(plan.entry)

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None,
        project_root: str | os.PathLike[str] | None,
        force: bool,
    ) -> None:
        """Remove a skill; see `SkillService.uninstall`."""
        place = self._place(scope, project_root)
        if not self._state.exists or check_name(name):
            raise NotInstalledError(name, place.scope)
        with self._state.open() as record:
            recover(record, durable=self._state.durable)
            entry = record.find(name, place.scope, place.key)
            if entry is None:
                raise NotInstalledError(name, place.scope)
            targets = record.targets(entry)
            for target in () if force else targets.values():
                if edited := compare(target.path, target.files).edited:
                    raise LocalEditsError(str(target.path), edited)
            plan = Plan(
                kind="uninstall",
                entry=entry,
                moves=tuple(_move(path) for path in targets),
                clients={},
            )
            take_away(record, plan, durable=self._state.durable)

    def installed(
        self,
        *,
        scope: str | None,
        client: str | None,
        project_root: str | os.PathLike[str] | None,
    ) -> list[InstalledSkill]:
        """Return what is installed; see `SkillService.list_installed`."""
        if client is not None:
            find_client(client)
        if scope is not None:
            require_scope(scope)
        place = None
        # Without a root, the scope of projects means all of them.
        if scope == "user" or project_root is not None:
            place = self._place(scope, project_root)
        if not self._state.exists:
            return []
        with self._state.open() as record:
            recover(record, durable=self._state.durable)
            return [
                skill
                for skill in record.skills()
                if (scope is None or skill.scope == scope)
                and (client is None or client in skill.clients)
                and (place is None or _is_at(skill, place))
            ]

    # ------------------------------------------------------------ deciding

    def _place(self, scope: str | None, project_root: str | os.PathLike[str] | None) -> Place:
        """Return a place to look at: one that is there, or where something was installed.

        Raises:
            ScopeError: As `place_of` says.
        """
        try:
            return place_of(scope, project_root, self._home)
        except ScopeError:
            place = place_of(scope, project_root, self._home, may_be_gone=True)
            if not self._state.exists:
                raise
            with self._state.open() as record:
                if not any(_is_at(skill, place) for skill in record.skills()):
                    raise
            return place

    def _clients(self, names: list[str], before: Iterable[str]) -> list[Client]:
        """Return for whom to install: who was asked for, and who has it already."""
        have = []
        for name in before:
            with suppress(ClientError):  # one that was known to another version
                have.append(find_client(name))
        try:
            asked = select_clients(names, self._home)
        except ClientError:
            if names or not have:
                raise
            asked = ()
        return list(dict.fromkeys((*asked, *have)))


def _entry(candidate: Candidate, place: Place) -> Entry:
    artifact = candidate.artifact
    return Entry(
        name=artifact.name,
        scope=place.scope,
        root=place.key,
        reference=artifact.reference,
        tag=candidate.tag,
        digest=str(artifact.digest),
        version=candidate.version or artifact.version,
        description=artifact.description,
        requires=artifact.requires,
        installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _must_write(
    record: Record, path: Path, known: Target | None, fresh: Entry, *, force: bool
) -> bool:
    """Tell whether a folder is to be written; refuse if something would be lost."""
    if known is None:
        if owner := record.owner(path):
            whose = "the user" if owner.scope == "user" else f"the project {owner.root!r}"
            raise TargetExistsError(str(path), f"is installed for {whose}; uninstall it there")
        if os.path.lexists(path) and not force:
            raise TargetExistsError(
                str(path), "is there and was not installed from here; move it away, or use force"
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
    found: dict[Path, None] = {}
    for move in moves:
        found |= dict.fromkeys(missing_parents(move.target, root))
    return tuple(found)


def _is_at(skill: InstalledSkill, place: Place) -> bool:
    key = "" if skill.project_root is None else str(skill.project_root)
    return (skill.scope, key) == (place.scope, place.key)
