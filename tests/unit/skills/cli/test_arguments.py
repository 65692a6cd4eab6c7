"""Arguments that several commands take: what a shell is offered for them."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete

from skills.cli.arguments import complete_clients, read_age


def complete(text: str) -> list[str]:
    """Return what a shell is offered for the option of clients."""

    @click.command()
    @click.option("--clients", shell_complete=complete_clients)
    def command(clients: str) -> None:
        del clients

    found = ShellComplete(command, {}, "x", "_X").get_completions(["--clients"], text)
    return [item.value for item in found]


def test_each_part_of_a_list_of_clients_is_completed() -> None:
    """The names before the last comma stay; `all` is offered only alone."""
    assert complete("cl") == ["claude-code", "cline"]
    assert complete("codex,cu") == ["codex,cursor"]
    assert complete("al") == ["all"]
    assert complete("codex,al") == []
    assert complete("emacs,cu") == []


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("2d", 48), ("1w", 168)])
def test_an_age_has_a_unit(text: str, hours: int) -> None:
    """Without a unit, a number could mean seconds or days, so it is refused."""
    context = click.Context(click.Command("x"))
    option = click.Option(["--older-than"])
    assert read_age(context, option, None) is None
    age = read_age(context, option, text)
    assert age is not None
    assert age.total_seconds() == hours * 3600
    with pytest.raises(click.BadParameter, match="such as 30d"):
        read_age(context, option, text[:-1])
