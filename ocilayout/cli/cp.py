"""The verb that copies content between layouts, archives and registries: `cp`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from attrs import evolve

from ocilayout.archive import DockerArchive, docker_names, write_archive, write_docker_archive
from ocilayout.cli import option
from ocilayout.cli.argument import (
    STREAM,
    InArchive,
    InDockerArchive,
    InLayout,
    InRegistry,
    Locator,
    parse_locator,
    read_by,
    refuse,
)
from ocilayout.cli.connection import Access, access
from ocilayout.cli.operand import Operand
from ocilayout.cli.progress import accounted
from ocilayout.cli.terminal import answer, content_data, json_option, printable
from ocilayout.layout import acting, all_names, arriving_name, resolve_for
from ocilayout.model import is_digest, require_ref_name
from ocilayout.transfer import copy_all

if TYPE_CHECKING:
    from ocilayout.cli.operand import Source
    from ocilayout.cli.option import Writing
    from ocilayout.cli.progress import Account
    from ocilayout.errors import OciLayoutError
    from ocilayout.layout import Layout
    from ocilayout.model import Descriptor, Platform
    from ocilayout.registry import Repository


@click.command()
@click.argument("source", callback=read_by(parse_locator))
@click.argument("target", callback=read_by(parse_locator))
@click.option("--all", "everything", is_flag=True, help="Copy all entries, or all tags.")
@option.platform
@click.option("--referrers", is_flag=True, help="Copy the referrers, too, such as signatures.")
@click.option(
    "--sparse",
    is_flag=True,
    help="Leave out platforms of an index that SOURCE does not have; the index stays as it is.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="With --all, copy the other entries if one fails; list those, and exit with 1.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many transfers run at a time.",
)
@option.any_name
@option.writing
@access("from-")
@access("to-", reads=False, writes=True)
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
    sparse: bool,
    keep_going: bool,
    any_name: bool,
    as_json: bool,
) -> None:
    """Copy content between layouts, archives and registries.

    Both are written oci:PATH[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] or
    docker://HOST/REPO[:TAG|@DIGEST]. Without a name SOURCE means its only entry, and in TARGET it
    keeps its name. Content that is named by its digest arrives without a name, by NAME@DIGEST with
    it. With --all an entry whose name is missing or ambiguous goes by its full name. A layout is
    created if TARGET is missing; an archive is replaced as a whole. "oci-archive:-" is standard
    input or output.

    docker-archive: is a tar of "docker save". In it an image has names such as app:v1, and
    docker-archive:FILE:@N is the image at a position, from 0.

    Passwords are asked for, or read from standard input as a line each, that of SOURCE first.
    """
    _require_sense(source, target, everything=everything, keep_going=keep_going)
    to_access.require_use(target)
    unpacks = isinstance(target, InDockerArchive)
    operand = Operand(source, from_access.without_unpack_limit() if unpacks else from_access)
    with operand.open() as opened, accounted() as account:
        names = _names(opened, operand, target, platform, everything=everything)
        failed: dict[str, OciLayoutError] = {}
        on_error = failed.__setitem__ if keep_going else None

        def copied_to(store: Layout | Repository) -> dict[str, Descriptor]:
            return copy_all(
                opened,
                names,
                store,
                platform=platform,
                referrers=referrers,
                sparse=sparse,
                jobs=jobs,
                on_event=account.tell,
                on_error=on_error,
            )

        if isinstance(target, InLayout):
            header = Path(target.path, "oci-layout")
            with acting("look at", header):
                exists = header.exists()
            if not exists and not keep_going:  # nor is it created where this is refused
                for ref, name in names.items():
                    resolve_for(opened, ref, platform)
                    if name is not None:
                        require_ref_name(name, strict=not any_name)
            arrived = copied_to(writing.open(target.path, create=True, any_name=any_name))
        elif isinstance(target, InRegistry):
            with to_access.repository(target) as repository:
                arrived = copied_to(repository)
        elif isinstance(target, InDockerArchive):
            names = _docker_names(opened, source, target, names)
            arrived = write_docker_archive(
                opened,
                names,
                _output(target),
                platform=platform,
                on_event=account.tell,
                on_error=on_error,
                unpack_limit=from_access.unpack_limit,
            )
        else:
            write_archive(
                opened,
                names,
                _output(target),
                platform=platform,
                referrers=referrers,
                sparse=sparse,
                on_event=account.tell,
                on_error=on_error,
            )
            arrived = {
                ref: resolve_for(opened, ref, platform) for ref in names if ref not in failed
            }
    _report(names, arrived, failed, target, account, as_json=as_json)
    if failed:
        click.get_current_context().exit(1)


def _report(
    names: dict[str, str | None],
    arrived: dict[str, Descriptor],
    failed: dict[str, OciLayoutError],
    target: Locator,
    account: Account,
    *,
    as_json: bool,
) -> None:
    for sentence in account.left_behind():
        click.echo(printable(sentence), err=True)
    entries: list[dict[str, object]] = []
    lines: list[str] = []
    for ref, descriptor in arrived.items():
        name = names[ref]
        entries.append(
            {
                "source": ref,
                "name": name,
                **content_data(descriptor),
            }
        )
        lines.append(f"Copied {ref} to {evolve(target, name=name or descriptor.digest)}")
    for ref, error in failed.items():
        click.echo(printable(f"{ref} was not copied: {error}"), err=True)
    failures = [{"source": ref, "error": str(error)} for ref, error in failed.items()]
    answer(
        {"entries": entries, "failed": failures, **account.data()},
        "\n".join(map(printable, [*lines, *account.text().splitlines()])),
        as_json=as_json,
        err=isinstance(target, InArchive) and target.path == STREAM,
    )


def _require_sense(source: Locator, target: Locator, *, everything: bool, keep_going: bool) -> None:
    """Refuse arguments that contradict each other.

    Raises:
        UsageError: Some do.
    """
    if target.name is not None and is_digest(target.name):
        raise click.UsageError(
            f"{target} names the target by a digest; give it a name or none: content that is copied"
            " by its digest arrives without a name"
        )
    if everything and (source.name is not None or target.name is not None):
        raise click.UsageError("--all copies every entry under its own name; leave out the name")
    if keep_going and not everything:
        raise click.UsageError("--keep-going is for --all; a single copy succeeds or fails")
    if not isinstance(target, InLayout):
        refuse(
            "how a layout is written; the target is not one",
            "durability",
            "lock_timeout",
            "any_name",
        )
    if isinstance(target, InDockerArchive):
        refuse("to copy what refers to content; a Docker archive has no place for it", "referrers")
        refuse("how an index is copied; a Docker archive has no place for one", "sparse")
    if isinstance(target, InArchive):
        refuse("how many transfers run at a time; an archive is written in one go", "jobs")
        if target.path == STREAM and sys.stdout.isatty():
            raise click.UsageError("standard output is a terminal; send the archive elsewhere")


def _names(
    source: Source,
    operand: Operand,
    target: Locator,
    platform: Platform | None,
    *,
    everything: bool,
) -> dict[str, str | None]:
    ref = None if everything else operand.choose(source, platform)
    only = operand.locator.name is None and target.name is None
    if ref is None or (only and isinstance(source, DockerArchive)):  # it may have several names
        return all_names(source, platform)
    return {ref: target.name or arriving_name(source, ref)}


def _docker_names(
    opened: Source, source: Locator, target: InDockerArchive, names: dict[str, str | None]
) -> dict[str, str | None]:
    """Return the names that images get in a Docker archive, where a name has a repository."""
    if target.name is not None:
        return docker_names(opened, dict.fromkeys(names, target.name))
    if isinstance(source, InRegistry):
        whole = {ref: None if is_digest(ref) else f"{source.repository}:{ref}" for ref in names}
        return docker_names(opened, whole)
    return docker_names(opened, list(names))


def _output(target: InArchive) -> str | BinaryIO:
    return sys.stdout.buffer if target.path == STREAM else target.path
