"""The command `ocilayout`: its group, and the verbs in it."""

from __future__ import annotations

import click

from ocilayout.cli.edit import annotate, init, rm, tag, untag
from ocilayout.cli.explain import explain
from ocilayout.cli.look import cat, inspect, ls, referrers, tree
from ocilayout.cli.terminal import Failing
from ocilayout.cli.transfer import cp
from ocilayout.cli.upkeep import check, gc, repair


class _InOrder(Failing):
    """A group that lists its verbs in the order of their being added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        del ctx
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: ocilayout cp docker://ghcr.io/org/app:v1 oci:./app && ocilayout ls ./app",
)
@click.version_option(package_name="ocilayout")
def main() -> None:
    """Look into OCI image layouts, change, copy and mend them.

    PATH is the folder of a layout. SOURCE is such a path, that of an archive, or a locator:
    oci:PATH[:NAME], oci-archive:FILE[:NAME] or docker://HOST/REPO[:TAG|@DIGEST]. NAME is a name, a
    digest, or the beginning of one; without it the only entry is meant. Exit status: 0 done, 1
    failed or problems found, 2 used wrongly.
    """


for _verb in (
    init, ls, inspect, cat, tree, referrers, tag, untag, annotate, rm, cp, check, explain, repair,
    gc,
):  # fmt: skip
    main.add_command(_verb)
