"""The scope of an install: the user or a project, its root, and the folder for each client.

Links above a skill's folder are followed if they lead to a folder below the root: many users keep
their settings in a repository of their own and link to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from skills.errors import ScopeError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skills.install.clients import Client

_NAMES: Final = ("user", "project")


@frozen(kw_only=True)
class Scope:
    """A scope and its root.

    Attributes:
        name: `user` or `project`.
        root: The home folder or the root of the project, without symbolic links.
    """

    name: Literal["user", "project"]
    root: Path

    @property
    def key(self) -> str:
        """The root as the record has it: empty for the user."""
        return "" if self.name == "user" else str(self.root)


def scope_of(
    name: str | None,
    project_root: str | os.PathLike[str] | None,
    home: Path,
    *,
    may_be_gone: bool = False,
) -> Scope:
    """Return a scope by its name and the root of a project.

    Args:
        name: `user` or `project`; by default `project` if the root of one is given.
        project_root: The folder of a project, with a `.git` in it.
        home: The home folder.
        may_be_gone: Whether the root may be missing or have lost its `.git`.

    Raises:
        ScopeError: The scope is unknown or does not go with the root, or the root is not a project.
    """
    if name is None:
        name = "user" if project_root is None else "project"
    require_scope(name)
    if name == "user":
        if project_root is not None:
            raise ScopeError("the root of a project goes with the scope project alone")
        return Scope(name="user", root=_real(home))
    if project_root is None or not os.fspath(project_root):
        raise ScopeError("the scope project needs the root of the project")
    root = Path(project_root)
    if "\0" in str(root) or not (may_be_gone or os.path.lexists(root / ".git")):
        raise ScopeError(
            f"{str(project_root)!r} is not a project; give a folder that has a .git in it"
        )
    return Scope(name="project", root=_real(root))


def require_scope(name: str) -> None:
    """Refuse the name of an unknown scope.

    Raises:
        ScopeError: The scope is unknown.
    """
    if name not in _NAMES:
        raise ScopeError(f"{name!r} is not a scope; use user or project")


def targets_of(scope: Scope, name: str, clients: Iterable[Client]) -> dict[Path, list[str]]:
    """Return the folders of a skill, each with the names of the clients that read it.

    Raises:
        TargetError: A symbolic link leads out of the home folder or the project, or the path of
            the skill exists and is not a folder.
    """
    targets: dict[Path, list[str]] = {}
    for client in clients:
        folder = client.user if scope.name == "user" else client.project
        base = _real(scope.root / folder)
        if not base.is_relative_to(scope.root):
            raise TargetError(
                str(scope.root / folder), f"leads to {str(base)!r}, out of {str(scope.root)!r}"
            )
        target = base / name
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise TargetError(
                str(target), "is not a folder; it was left as it is, move it away to install there"
            )
        targets.setdefault(target, []).append(client.name)
    return targets


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
