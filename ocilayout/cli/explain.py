"""The verb that shows a requirement: what is asked, and what is done about it here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from ocilayout.check import find, iter_requirements
from ocilayout.cli.terminal import answer, json_option

if TYPE_CHECKING:
    from ocilayout.check import Requirement

_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del ctx, param
    return [row.id for row in iter_requirements() if row.id.startswith(incomplete)]


@click.command(epilog="Example: ocilayout explain descriptor:digest-grammar")
@click.argument("requirement", metavar="ID", shell_complete=_complete)
@json_option
def explain(requirement: str, *, as_json: bool) -> None:
    """Show a requirement of the specifications.

    ID is what `check` puts behind a problem, such as image-layout:blob-content. Shown are what the
    text asks and how strongly, what is done about it here, and the modules and tests that do it.
    """
    row = find(requirement)
    data = {
        "id": row.id,
        "level": row.level,
        "asks": row.text,
        "here": row.ours,
        "modules": list(row.modules),
        "tests": list(row.tests),
    }
    answer(data, _text(row), as_json=as_json)


def _text(row: Requirement) -> str:
    cells = (("asks", row.text), ("here", row.ours))
    parts = [(noun, _LINK.sub(r"\1 (spec-notes/\2)", cell)) for noun, cell in cells]
    parts += [("module", module) for module in row.modules]
    parts += [("test", f"tests/{test}") for test in row.tests]
    said = [f"  {noun:<8}{value}" for noun, value in parts]
    return "\n".join([f"{row.id} ({row.level})", *said])
