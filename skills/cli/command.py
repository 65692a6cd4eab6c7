"""The command `skills`: its group, and the verbs in it, each a thin skin over `SkillService`.

How it answers, fails and ends is the matter of `ocilayout.cli.terminal`, as for `ocilayout`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ocilayout.cli.terminal import Failing
from skills.cli.build import build, builds, init, validate
from skills.cli.exchange import cache, content, pull, push
from skills.cli.install import install, list_, uninstall
from skills.cli.serve import serve
from skills.errors import SkillError
from skills.service import STORE_VARIABLE


class _Skills(Failing):
    """A group that reports errors of skills, too, and lists its verbs in the order of a day."""

    failures = (SkillError, *Failing.failures)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        del ctx
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:  # noqa: ANN401 # as click has it
        """Return a verb; `ls` is another word for `list`."""
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


for _verb in (
    init, validate, build, builds, content, push, pull, cache, install, list_, uninstall, serve,
):  # fmt: skip
    main.add_command(_verb)
