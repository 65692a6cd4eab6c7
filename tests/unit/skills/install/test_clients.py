"""Clients: the table, and how names select from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skills import ClientError
from skills.install.clients import CLIENTS, WITHOUT_SKILLS, find_client, select_clients

if TYPE_CHECKING:
    from pathlib import Path

# Client, folder for the user, folder in a project, and the trace of an installed one, on Linux.
FACTS = """
amp-cli         .agents/skills            .agents/skills    .config/amp
antigravity     .agents/skills            .agents/skills    .gemini/antigravity
claude-code     .claude/skills            .claude/skills    .claude.json
codex           .agents/skills            .agents/skills    .codex
cursor          .cursor/skills            .cursor/skills    .cursor
factory         .factory/skills           .factory/skills   .factory
gemini-cli      .agents/skills            .agents/skills    .gemini
goose           .agents/skills            .agents/skills    .config/goose
kimi-cli        .kimi/skills              .kimi/skills      .kimi
kiro            .kiro/skills              .kiro/skills      .kiro/settings
mistral-vibe    .vibe/skills              .vibe/skills      .vibe
opencode        .config/opencode/skills   .opencode/skills  .config/opencode
qoder           .qoder/skills             .qoder/skills     .qoder
trae            .agents/skills            .agents/skills    .config/Trae/User
vscode          .copilot/skills           .github/skills    .config/Code/User
windsurf        .codeium/windsurf/skills  .windsurf/skills  .codeium/windsurf
"""
SETTINGS = ".config/Code/User/globalStorage"
OTHERS = [
    ["cline", ".cline/skills", ".cline/skills", f"{SETTINGS}/saoudrizwan.claude-dev/settings"],
    ["roo-code", ".roo/skills", ".roo/skills", f"{SETTINGS}/rooveterinaryinc.roo-cline/settings"],
    ["vscode-insider", ".copilot/skills", ".github/skills", ".config/Code - Insiders/User"],
]


def test_the_table_is_that_of_toolhive() -> None:
    """Every client has ToolHive's folders and trace, and the table is sorted."""
    facts = [line.split() for line in FACTS.strip().splitlines()] + OTHERS
    linux = [
        [client.name, client.user, client.project, client.trace.replace(MAC, ".config")]
        for client in CLIENTS
    ]
    assert linux == sorted(facts)


MAC = "Library/Application Support"


@pytest.mark.parametrize("names", [[], ["all"], ["ALL"], ["All"]])
def test_without_names_the_installed_clients_are_selected(tmp_path: Path, names: list[str]) -> None:
    """All clients with a trace in the home folder are selected, sorted by name."""
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".claude.json").touch()
    (tmp_path / ".gemini" / "antigravity").mkdir(parents=True)
    found = [client.name for client in select_clients(names, tmp_path)]
    assert found == ["antigravity", "claude-code", "cursor", "gemini-cli"]


@pytest.mark.parametrize("names", [[], ["all"]])
def test_without_any_installed_client_it_is_an_error(tmp_path: Path, names: list[str]) -> None:
    """It is an error if no client was found."""
    with pytest.raises(ClientError, match="no client was found") as caught:
        select_clients(names, tmp_path)
    assert caught.value.client == ""


def test_named_clients_need_not_be_installed(tmp_path: Path) -> None:
    """Names are taken in their order, each once."""
    found = select_clients(["goose", "codex", "goose"], tmp_path)
    assert [client.name for client in found] == ["goose", "codex"]


@pytest.mark.parametrize("names", [["all", "codex"], ["codex", "ALL"]])
def test_all_cannot_be_combined(tmp_path: Path, names: list[str]) -> None:
    """`all` together with a name is refused."""
    with pytest.raises(ClientError, match="give it alone"):
        select_clients(names, tmp_path)


@pytest.mark.parametrize("name", ["", "Claude-Code", "emacs", " codex"])
def test_unknown_clients_are_refused(name: str) -> None:
    """The message lists those that are known."""
    with pytest.raises(ClientError, match="claude-code") as caught:
        find_client(name)
    assert caught.value.client == name


@pytest.mark.parametrize("name", sorted(WITHOUT_SKILLS))
def test_clients_without_skills_are_refused(name: str) -> None:
    """ToolHive knows them; they take no skills."""
    with pytest.raises(ClientError, match="does not take skills"):
        find_client(name)
