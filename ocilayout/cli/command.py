"""The command `ocilayout`: its group, which loads a verb when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from ocilayout.cli.terminal import Failing

_MODULES: Final = {
    "init": "change",
    "ls": "look",
    "inspect": "look",
    "cat": "look",
    "tree": "look",
    "referrers": "look",
    "tag": "change",
    "untag": "change",
    "annotate": "change",
    "rm": "change",
    "cp": "cp",
    "check": "upkeep",
    "explain": "explain",
    "repair": "upkeep",
    "gc": "upkeep",
}
"""The verbs in the order in which help lists them, each with the module that has it."""


class _Verbs(Failing):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"ocilayout.cli.{_MODULES[cmd_name]}")
        verb: click.Command = getattr(module, cmd_name)
        return verb


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: ocilayout cp docker://ghcr.io/org/app:v1 oci:./app && ocilayout ls ./app",
)
@click.version_option(package_name="ocilayout")
def main() -> None:
    """Look into OCI image layouts, change, copy, check and repair them.

    PATH is the folder of a layout. SOURCE is such a path, that of an archive, or a locator:
    oci:PATH[:NAME], oci-archive:FILE[:NAME] or docker://HOST/REPO[:TAG|@DIGEST]. NAME is a name, a
    digest, or the beginning of a digest; without it the only entry is meant. Exit status: 0 done, 1
    failed or problems found, 2 usage error.
    """
