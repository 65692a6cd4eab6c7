"""Where a skill is installed: the scope, its root, and the folder for each client.

Links above a skill's folder are followed while they stay below the root: many users keep their
settings in a repository of their own and link to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from skills.errors import ScopeError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skills.clients import Client

Scope = Literal["user", "project"]

SCOPES: Final = ("user", "project")


@frozen(kw_only=True)
class Place:
    """A scope and its root.

    Attributes:
        scope: `user`, or `project`.
        root: The home folder or the root of the project, without symbolic links.
    """

    scope: Scope
    root: Path

    @property
    def key(self) -> str:
        """The root as the record has it: empty for the user, else the project's root."""
        return "" if self.scope == "user" else str(self.root)


def place_of(
    scope: str | None,
    project_root: str | os.PathLike[str] | None,
    home: Path,
    *,
    may_be_gone: bool = False,
) -> Place:
    """Return the place for a scope and a root.

    Args:
        scope: `user` or `project`; by default that of a project if its root is given.
        project_root: The folder of a project, with a `.git` in it.
        home: The home folder.
        may_be_gone: Whether the root need not exist or be a project any more.

    Raises:
        ScopeError: The scope is unknown or does not go with the root, or the root is not a project.
    """
    if scope is None:
        scope = "user" if project_root is None else "project"
    require_scope(scope)
    if scope == "user":
        if project_root is not None:
            raise ScopeError("the root of a project goes with the scope project alone")
        return Place(scope="user", root=_real(home))
    if project_root is None or not os.fspath(project_root):
        raise ScopeError("the scope project needs the root of the project")
    root = Path(project_root)
    if "\0" in str(root) or not (may_be_gone or os.path.lexists(root / ".git")):
        raise ScopeError(
            f"{str(project_root)!r} is not a project; give a folder that has a .git in it"
        )
    return Place(scope="project", root=_real(root))


def require_scope(scope: str) -> None:
    """Refuse an unknown scope.

    Raises:
        ScopeError: The scope is unknown.
    """
    if scope not in SCOPES:
        raise ScopeError(f"{scope!r} is not a scope; use user or project")


def targets_of(place: Place, name: str, clients: Iterable[Client]) -> dict[Path, list[str]]:
    """Return the folders of a skill, each with the names of the clients that read it.

    Args:
        place: Where to install.
        name: The name of the skill, which was checked.
        clients: The clients to install for.

    Raises:
        TargetError: A symbolic link leads out of the home folder or the project, or the place of
            the skill holds something that is not a folder.
    """
    found: dict[Path, list[str]] = {}
    for client in clients:
        folder = client.user if place.scope == "user" else client.project
        base = _real(place.root / folder)
        if not base.is_relative_to(place.root):
            raise TargetError(
                str(place.root / folder), f"leads to {str(base)!r}, out of {str(place.root)!r}"
            )
        target = base / name
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise TargetError(
                str(target), "is not a folder; it was left as it is, move it away to install there"
            )
        found.setdefault(target, []).append(client.name)
    return found


def missing_parents(target: Path, root: Path) -> list[Path]:
    """Return the missing folders above a target, outermost first."""
    parents = target.relative_to(root).parents
    return [root / parent for parent in reversed(parents) if not (root / parent).exists()]


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
