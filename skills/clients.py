"""The programs that skills are installed for: where each looks for them, and how it is found.

The table is that of ToolHive, so that both install into the same folders. Several clients share a
folder; what is in it is theirs together.
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
# Where programs with a window keep their settings.
_SETTINGS: Final = "Library/Application Support" if sys.platform == "darwin" else ".config"
_CLINE: Final = f"{_SETTINGS}/Code/User/globalStorage/saoudrizwan.claude-dev/settings"
_ROO: Final = f"{_SETTINGS}/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
_INSIDERS: Final = f"{_SETTINGS}/Code - Insiders/User"


@frozen
class Client:
    """A program that takes skills.

    Attributes:
        name: What it is called here and by ToolHive.
        user: Its folder for the skills of a user, relative to the home folder.
        project: Its folder for the skills of a project, relative to the project's root.
        trace: What is in the home folder if the program is there.
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
"""All of them, sorted by name."""

WITHOUT_SKILLS: Final = frozenset(
    {"continue", "copilot-cli", "lm-studio", "vscode-server", "windsurf-jetbrains", "zed"}
)
"""Clients that ToolHive knows, and that take no skills."""

ALL: Final = "all"
_BY_NAME: Final = {client.name: client for client in CLIENTS}


def find_client(name: str) -> Client:
    """Return a client by its name.

    Raises:
        ClientError: It is not known, or takes no skills.
    """
    client = _BY_NAME.get(name)
    if client is not None:
        return client
    if name in WITHOUT_SKILLS:
        raise ClientError(name, f"the client {name!r} takes no skills")
    raise ClientError(
        name, f"there is no client {name!r}; use one of {', '.join(_BY_NAME)}, or {ALL}"
    )


def require_clients(names: Iterable[str]) -> tuple[Client, ...]:
    """Return the clients that are named, each once; none where those that are there are meant.

    Args:
        names: Names, in any order; none, or `all` alone in any case, for those that are there.

    Raises:
        ClientError: A name is not that of a client which takes skills, or `all` is not alone.
    """
    given = list(names)
    if [name.lower() for name in given] == [ALL]:
        return ()
    if any(name.lower() == ALL for name in given):
        raise ClientError(ALL, f"{ALL!r} means every client, so give it alone")
    return tuple(find_client(name) for name in dict.fromkeys(given))


def select_clients(names: Iterable[str], home: Path) -> tuple[Client, ...]:
    """Return the clients that are meant by names.

    Args:
        names: Names, in any order; none, or `all` alone in any case, for those that are there.
        home: The home folder, to find out which are there.

    Returns:
        For names, each client once in the order of the names; otherwise those that are there,
        sorted by name.

    Raises:
        ClientError: A name is not that of a client which takes skills, or `all` is not alone, or
            no client is there.
    """
    if given := require_clients(names):
        return given
    found = tuple(client for client in CLIENTS if (home / client.trace).exists())
    if not found:
        raise ClientError(
            "", f"no client was found in {str(home)!r}; name one, such as {CLIENTS[2].name}"
        )
    return found
