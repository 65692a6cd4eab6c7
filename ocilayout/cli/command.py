"""The command `ocilayout`: its group, which loads a verb when it is asked for.

Each verb gets the end of its help here, two examples.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from ocilayout.cli.terminal import Failing, examples

_VERBS: Final = {
    "init": ("change", "./layout", "./scratch --durability none"),
    "ls": ("look", "./layout", "docker://ghcr.io/org/app"),
    "inspect": (
        "look",
        "./layout v1",
        "docker://ghcr.io/org/app:v1 --config --platform linux/arm64",
    ),
    "cat": ("look", "./layout sha256:44136fa355b3 | jq .", "oci-archive:app.tar v1 > index.json"),
    "tree": ("look", "./layout v1", "docker://ghcr.io/org/app:v1 --json"),
    "referrers": (
        "look",
        "./layout v1 --type application/spdx+json",
        "docker://ghcr.io/org/app:v1",
    ),
    "tag": (
        "change",
        "./layout v1 stable latest",
        "./layout sha256:44136fa355b3 v2 --annotation org.example.team=core",
    ),
    "untag": ("change", "./layout latest", "./layout v1 v2"),
    "annotate": (
        "change",
        "./layout v1 org.example.team=core",
        "./layout v1 --remove org.example.team",
    ),
    "rm": ("change", "./layout v1", "./layout sha256:44136fa355b3"),
    "cp": (
        "cp",
        "docker://ghcr.io/org/app:v1 oci:./layout",
        "oci:./layout:v1 oci-archive:app.tar --platform linux/amd64",
    ),
    "check": ("upkeep", "./layout", "./layout --no-content --fail-on warning"),
    "explain": ("explain", "digest-mismatch", "duplicate names"),
    "repair": ("upkeep", "./layout --dry-run", "./layout"),
    "gc": ("upkeep", "./layout --dry-run", "./layout --untagged prune --grace 7d"),
}
"""The verbs in the order in which help lists them: the module of each, and two examples."""


class _Verbs(Failing):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _VERBS:
            return None
        module, *arguments = _VERBS[cmd_name]
        verb: click.Command = getattr(import_module(f"ocilayout.cli.{module}"), cmd_name)
        verb.epilog = examples(*(f"ocilayout {cmd_name} {given}" for given in arguments))
        return verb


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "ocilayout cp docker://ghcr.io/org/app:v1 oci:./app && ocilayout ls ./app",
        "ocilayout check ./app",
    ),
)
@click.version_option(package_name="ocilayout")
def main() -> None:
    """Look into OCI image layouts, change, copy, check and repair them.

    PATH is the folder of a layout. SOURCE is such a path, that of an archive, or a locator:
    oci:PATH[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] or
    docker://HOST/REPO[:TAG|@DIGEST]. NAME is a name, a digest, or the beginning of a digest;
    without it the only entry is meant. Exit status: 0 done, 1 failed or problems found, 2 usage
    error.
    """
