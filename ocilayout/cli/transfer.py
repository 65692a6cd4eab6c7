"""The verb that brings content from one place to another: `cp`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from attrs import evolve, frozen

from ocilayout.archive import write_archive
from ocilayout.cli import option
from ocilayout.cli.locator import STREAM, InArchive, InLayout, InRegistry, Locator, parse_locator
from ocilayout.cli.place import Place
from ocilayout.cli.progress import accounted
from ocilayout.cli.terminal import answer, json_option, printable
from ocilayout.copy import copy_all
from ocilayout.descriptor import Descriptor, Platform
from ocilayout.digest import is_digest
from ocilayout.reference import require_ref_name
from ocilayout.selection import select
from ocilayout.view import all_names, arriving_name

if TYPE_CHECKING:
    from ocilayout.cli.connection import Access
    from ocilayout.cli.option import Writing
    from ocilayout.cli.place import Source
    from ocilayout.cli.progress import Account
    from ocilayout.layout import Layout
    from ocilayout.registry import Repository


@frozen(kw_only=True)
class Order:
    """What is to be copied, and how.

    Attributes:
        names: What each is called in the target, by its reference in the source; `None` for no
            name.
        platform: The platform to choose, or `None` for all.
        referrers: Whether what refers to it comes, too.
        jobs: How many transfers run at a time.
    """

    names: dict[str, str | None]
    platform: Platform | None
    referrers: bool
    jobs: int

    def to_store(
        self, source: Source, target: Layout | Repository, account: Account
    ) -> dict[str, Descriptor]:
        """Copy it into a layout or a repository.

        Returns:
            What arrived, by its reference in the source.

        Raises:
            OciLayoutError: As `copy_all` says.
        """
        return copy_all(
            source,
            self.names,
            target,
            platform=self.platform,
            referrers=self.referrers,
            jobs=self.jobs,
            on_event=account.tell,
        )

    def to_archive(
        self, source: Source, file: str | BinaryIO, account: Account
    ) -> dict[str, Descriptor]:
        """Write it into an archive.

        Returns:
            What is in it, by its reference in the source.

        Raises:
            OciLayoutError: As `write_archive` says.
        """
        arriving = {ref: source.resolve(ref) for ref in self.names}
        if self.platform is not None:
            arriving = {
                ref: select(root, self.platform, source.blobs.read)
                for ref, root in arriving.items()
            }
        write_archive(
            source,
            self.names,
            file,
            platform=self.platform,
            referrers=self.referrers,
            on_event=account.tell,
        )
        return arriving


@click.command(
    epilog="Example: ocilayout cp docker://ghcr.io/org/app:v1 oci:./layout,"
    " ocilayout cp oci:./layout:v1 oci-archive:app.tar"
)
@click.argument("source", callback=option.read_by(parse_locator))
@click.argument("target", callback=option.read_by(parse_locator))
@click.option("--all", "everything", is_flag=True, help="Copy all entries, or all tags.")
@option.platform
@click.option("--referrers", is_flag=True, help="Copy what refers to it, too, such as signatures.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many transfers run at a time.",
)
@option.any_name
@option.writing
@option.access("from-")
@option.access("to-", reads=False, writes=True)
@json_option
def cp(  # noqa: PLR0913 # as many as there are options
    source: Locator,
    target: Locator,
    platform: Platform | None,
    jobs: int,
    writing: Writing,
    from_access: Access,
    to_access: Access,
    *,
    everything: bool,
    referrers: bool,
    any_name: bool,
    as_json: bool,
) -> None:
    """Copy content between layouts, archives and registries.

    Both are written oci:PATH[:NAME], oci-archive:FILE[:NAME] or docker://HOST/REPO[:TAG|@DIGEST].
    Without a name SOURCE means its only entry, and TARGET gives the name that SOURCE has. By
    digest content arrives without a name, by NAME@DIGEST with it. With --all an entry whose name is
    missing or ambiguous goes by its full name. A layout is made where there is none; an archive is
    replaced as a whole. "oci-archive:-" is standard input or output.

    Passwords are read in this order: that of SOURCE, then that of TARGET, a line each.
    """
    _require_sense(source, target, everything=everything)
    to_access.require_use(target)
    place = Place(source, from_access)
    with place.open() as opened, accounted() as account:
        order = Order(
            names=_names(opened, place, target, everything=everything),
            platform=platform,
            referrers=referrers,
            jobs=jobs,
        )
        if isinstance(target, InLayout):
            if not Path(target.path, "oci-layout").exists():
                for ref, name in order.names.items():  # or a layout would be made in vain
                    opened.resolve(ref)
                    if name is not None:
                        require_ref_name(name, strict=not any_name)
            layout = writing.open(target.path, create=True, any_name=any_name)
            arrived = order.to_store(opened, layout, account)
        elif isinstance(target, InRegistry):
            with to_access.repository(target) as repository:
                arrived = order.to_store(opened, repository, account)
        else:
            file = sys.stdout.buffer if target.path == STREAM else target.path
            arrived = order.to_archive(opened, file, account)
    _report(order, arrived, target, account, as_json=as_json)


def _report(
    order: Order,
    arrived: dict[str, Descriptor],
    target: Locator,
    account: Account,
    *,
    as_json: bool,
) -> None:
    for sentence in account.left():
        click.echo(printable(sentence), err=True)
    entries: list[dict[str, object]] = []
    lines: list[str] = []
    for ref, descriptor in arrived.items():
        name = order.names[ref]
        entries.append(
            {
                "source": ref,
                "name": name,
                "digest": descriptor.digest,
                "mediaType": descriptor.media_type,
                "size": descriptor.size,
            }
        )
        lines.append(f"Copied {ref} to {evolve(target, name=name or descriptor.digest)}")
    answer(
        {"entries": entries, **account.data()},
        "\n".join(map(printable, [*lines, account.text()])),
        as_json=as_json,
        err=isinstance(target, InArchive) and target.path == STREAM,
    )


def _require_sense(source: Locator, target: Locator, *, everything: bool) -> None:
    """Refuse what cannot be meant.

    Raises:
        UsageError: It cannot.
    """
    if target.name is not None and is_digest(target.name):
        raise click.UsageError(
            f"{target} names the target by a digest; give it a name or none: what is copied by"
            " its digest arrives without one"
        )
    if everything and (source.name is not None or target.name is not None):
        raise click.UsageError("--all copies every entry under its own name; leave out the name")
    if not isinstance(target, InLayout):
        option.refuse(
            "how a layout is written; the target is none", "durability", "lock_timeout", "any_name"
        )
    if isinstance(target, InArchive):
        option.refuse("how many transfers run at a time; an archive is written in one go", "jobs")
        if target.path == STREAM and sys.stdout.isatty():
            raise click.UsageError("standard output is a terminal; send the archive elsewhere")


def _names(
    source: Source, place: Place, target: Locator, *, everything: bool
) -> dict[str, str | None]:
    if everything:
        return all_names(source)
    ref = place.choose(source)
    return {ref: target.name or arriving_name(source, ref)}
