"""Arguments that several commands take: the store, registries, names, and their completion."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocilayout import OciLayoutError
from ocilayout.cli import offered, read_duration, safe_names, warn
from skills.errors import SkillError
from skills.install import ALL, CLIENTS, Installer
from skills.store import SkillService, default_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from ocilayout import Reference
    from ocilayout.cli import Access
    from ocilayout.registry import Repository


def service_of(store: Path | None, access: Access | None = None) -> SkillService:
    """Open the given store, or the default one.

    Args:
        store: The folder of the store.
        access: The options for registries; by default there are no credentials. A password is
            asked for now.

    Raises:
        UsageError: Options contradict each other.
        OciLayoutError: As `SkillService.open` says.
    """
    if access is None:
        return SkillService.open(store)
    connect = access.connector()
    return SkillService.open(
        store, registry=lambda reference: connect(f"{reference.host}/{reference.repository}")
    )


@contextmanager
def connected(store: Path | None, access: Access) -> Iterator[SkillService]:
    """Open a store, and reach registries as the options say.

    Raises:
        UsageError: Options contradict each other.
        AuthError: The block raised it; the message adds the options that are missing.
        OciLayoutError: As `SkillService.open` says.
    """
    opened: list[Repository] = []

    def connect(reference: Reference) -> Repository:
        repository = access.connect(f"{reference.host}/{reference.repository}")
        opened.append(repository)
        return repository

    with access.explaining():
        try:
            yield SkillService.open(store, registry=connect)
        finally:
            for repository in opened:
                warn(repository)


def read_age(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Parse an age such as `12h` or `30d`."""
    if value is None:
        return None
    try:
        if not value.isdecimal():  # without a unit, 30 could be seconds or days
            return read_duration(value)
    except ValueError:
        pass
    raise click.BadParameter("give a number and s, m, h, d or w, such as 30d", ctx, param)


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the tags in the store that begin with the text; no store is created."""
    del param
    return offered(ctx.find_root().params.get("store") or default_store(), incomplete)


def complete_skill(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of installed skills that begin with the text."""
    del ctx, param
    # Completion must not block: a list takes no lock, and refuses a FIFO instead of the record.
    try:
        skills = Installer().list_installed()
    except (SkillError, OciLayoutError, OSError):
        return []
    return safe_names(sorted({skill.name for skill in skills}), incomplete)


def complete_clients(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the lists of clients that begin with the text."""
    del ctx, param
    before, comma, last = incomplete.rpartition(",")
    names = [client.name for client in CLIENTS] + ([] if comma else [ALL])
    if comma and not set(before.split(",")) <= set(names):
        return []  # shells paste a completion as it is, so it has only names that are known
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


name_argument = click.argument("name", metavar="TAG", shell_complete=complete_name)
reference_argument = click.argument("reference", shell_complete=complete_name)
project_root = click.option(
    "--project-root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The root of a project, a folder with a .git in it.",
)
