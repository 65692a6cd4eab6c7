"""What the verbs of `skills` share: the store that they work on, and what a shell completes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ocilayout import OciLayoutError
from ocilayout.cli.access import warn
from ocilayout.cli.option import offered, safe_names
from ocilayout.cli.terminal import table
from skills.clients import ALL, CLIENTS
from skills.errors import SkillError
from skills.install import Installer, State, default_state
from skills.service import SkillService
from skills.store import default_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ocilayout import Reference
    from ocilayout.cli.access import Access
    from ocilayout.registry import Repository

_DIGEST_WIDTH: Final = 19  # "sha256:" and twelve digits
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE: Final = re.compile(r"([0-9]{1,6})([smhdw])")


def service_of(store: Path | None, access: Access | None = None) -> SkillService:
    """Open the store that was named, or the default one.

    Args:
        store: Its folder.
        access: How registries are reached; without it, by nobody's name. A password is asked now.

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
    """Open a store whose registries are reached as the options say.

    Raises:
        UsageError: Options contradict each other.
        AuthError: The block raised it; it says which options were missing.
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


def short_digest(digest: str) -> str:
    """Return the beginning of a digest, as ToolHive's tables have it."""
    return f"{digest[:_DIGEST_WIDTH]}..."


def write_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table to standard output; what a terminal would obey is escaped there."""
    table([heading, *rows])


def read_age(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Read an age such as `12h` or `30d`."""
    if value is None:
        return None
    found = _AGE.fullmatch(value)
    if found is None:
        raise click.BadParameter("give a number and s, m, h, d or w, such as 30d", ctx, param)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in the store that begin so; a completion makes no store."""
    del param
    return offered(ctx.find_root().params.get("store") or default_store(), incomplete)


def complete_skill(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of installed skills that begin so."""
    del ctx, param
    # The Tab key waits for no other process, nor for a pipe in place of the record.
    state = State(default_state(), lock_timeout=0)
    try:
        if not all(path.is_file() for path in state.path.glob("installed.*")):
            return []
        found = Installer(Path.home(), state).installed(scope=None, client=None, project_root=None)
    except (SkillError, OciLayoutError, OSError):
        return []
    return safe_names(sorted({skill.name for skill in found}), incomplete)


def complete_clients(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the lists of clients that begin so."""
    del ctx, param
    before, comma, last = incomplete.rpartition(",")
    names = [client.name for client in CLIENTS] + ([] if comma else [ALL])
    if comma and not set(before.split(",")) <= set(names):
        return []  # what is offered is pasted, so nothing else stands in it
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


name_argument = click.argument("name", metavar="TAG", shell_complete=complete_name)
reference_argument = click.argument("reference", shell_complete=complete_name)
project_root = click.option(
    "--project-root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The root of a project, a folder with a .git in it.",
)
