"""The programs that skills are installed for: the folders they read, and how they are found.

The table is that of ToolHive, so that both install into the same folders. Several clients read one
folder and share the skills in it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from attrs import frozen

from skills.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_AGENTS: Final = ".agents/skills"
# The folder in which programs with a window keep their settings.
_SETTINGS: Final = "Library/Application Support" if sys.platform == "darwin" else ".config"
_CLINE: Final = f"{_SETTINGS}/Code/User/globalStorage/saoudrizwan.claude-dev/settings"
_ROO: Final = f"{_SETTINGS}/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
_INSIDERS: Final = f"{_SETTINGS}/Code - Insiders/User"


@frozen
class Client:
    """A program that takes skills.

    Attributes:
        name: The name of the client, the same as in ToolHive.
        user: The folder for the skills of a user, relative to the home folder.
        project: The folder for the skills of a project, relative to its root.
        trace: A path in the home folder that exists if the program is installed.
    """

    name: str
    user: str
    project: str
    trace: str


CLIENTS: Final = (
    Client("amp-cli", _AGENTS, _AGENTS, ".config/amp"),
    Client("antigravity", _AGENTS, _AGENTS, ".gemini/antigravity"),
    Client("claude-code", ".claude/skills", ".claude/skills", ".claude.json"),
    Client("cline", ".cline/skills", ".cline/skills", _CLINE),
    Client("codex", _AGENTS, _AGENTS, ".codex"),
    Client("cursor", ".cursor/skills", ".cursor/skills", ".cursor"),
    Client("factory", ".factory/skills", ".factory/skills", ".factory"),
    Client("gemini-cli", _AGENTS, _AGENTS, ".gemini"),
    Client("goose", _AGENTS, _AGENTS, ".config/goose"),
    Client("kimi-cli", ".kimi/skills", ".kimi/skills", ".kimi"),
    Client("kiro", ".kiro/skills", ".kiro/skills", ".kiro/settings"),
    Client("mistral-vibe", ".vibe/skills", ".vibe/skills", ".vibe"),
    Client("opencode", ".config/opencode/skills", ".opencode/skills", ".config/opencode"),
    Client("qoder", ".qoder/skills", ".qoder/skills", ".qoder"),
    Client("roo-code", ".roo/skills", ".roo/skills", _ROO),
    Client("trae", _AGENTS, _AGENTS, f"{_SETTINGS}/Trae/User"),
    Client("vscode", ".copilot/skills", ".github/skills", f"{_SETTINGS}/Code/User"),
    Client(
        "vscode-insider", ".copilot/skills", ".github/skills", f"{_SETTINGS}/Code - Insiders/User"
    ),
    Client("windsurf", ".codeium/windsurf/skills", ".windsurf/skills", ".codeium/windsurf"),
)
"""All clients that take skills, sorted by name."""

WITHOUT_SKILLS: Final = frozenset(
    {"continue", "copilot-cli", "lm-studio", "vscode-server", "windsurf-jetbrains", "zed"}
)
"""Clients of ToolHive that do not take skills."""

ALL: Final = "all"
_BY_NAME: Final = {client.name: client for client in CLIENTS}


def find_client(name: str) -> Client:
    """Return a client by its name.

    Raises:
        ClientError: The client is unknown, or does not take skills.
    """
    client = _BY_NAME.get(name)
    if client is not None:
        return client
    if name in WITHOUT_SKILLS:
        raise ClientError(name, f"the client {name!r} does not take skills")
    raise ClientError(
        name, f"there is no client {name!r}; use one of {', '.join(_BY_NAME)}, or {ALL}"
    )


def require_clients(names: Iterable[str]) -> tuple[Client, ...]:
    """Return the clients with these names, each once, in the order of the names.

    Args:
        names: Names of clients. An empty list, or `all` alone in upper or lower case, means all
            clients that are found, for which an empty tuple is returned.

    Raises:
        ClientError: A client is unknown or does not take skills, or `all` is not alone.
    """
    given = list(names)
    if [name.lower() for name in given] == [ALL]:
        return ()
    if any(name.lower() == ALL for name in given):
        raise ClientError(ALL, f"{ALL!r} means every client, so give it alone")
    return tuple(find_client(name) for name in dict.fromkeys(given))


def select_clients(names: Iterable[str], home: Path) -> tuple[Client, ...]:
    """Return the clients with these names, or all that are found in a home folder, by name.

    Raises:
        ClientError: As for `require_clients`, or no client was found.
    """
    if given := require_clients(names):
        return given
    installed = tuple(client for client in CLIENTS if (home / client.trace).exists())
    if not installed:
        raise ClientError(
            "", f"no client was found in {str(home)!r}; name one, such as {CLIENTS[2].name}"
        )
    return installed
