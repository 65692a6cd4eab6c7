"""The command `skills`: the group of its commands, each of which calls `SkillService`.

Answers, errors and exit statuses are the matter of `ocilayout.cli.terminal`, as for `ocilayout`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ocilayout.cli import Failing
from skills.cli.build import build, builds, init, validate
from skills.cli.exchange import cache, content, pull, push
from skills.cli.install import install, list_, uninstall
from skills.cli.serve import serve
from skills.errors import SkillError
from skills.service import STORE_VARIABLE


class _Skills(Failing):
    """A group that reports errors of skills, too, and lists its commands in the order of use."""

    failures = (SkillError, *Failing.failures)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:  # noqa: ANN401 # as click has it
        """Return a command; `ls` is another name of `list`."""
        return super().get_command(ctx, "list" if cmd_name == "ls" else cmd_name)


@click.group(
    cls=_Skills,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: skills init my-skill && skills build my-skill && skills builds",
)
@click.option(
    "--store",
    envvar=STORE_VARIABLE,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the store.",
    show_envvar=True,
)
@click.version_option(package_name="ocilayout")
@click.pass_context
def main(ctx: click.Context, store: Path | None) -> None:
    """Build, keep, share and install agent skills as OCI artifacts."""
    ctx.obj = store


for _command in (
    init, validate, build, builds, content, push, pull, cache, install, list_, uninstall, serve,
):  # fmt: skip
    main.add_command(_command)
