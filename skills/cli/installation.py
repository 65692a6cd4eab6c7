"""The commands around installed skills: `install`, `uninstall` and `list`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ocilayout.cli import access as registry_access
from ocilayout.cli import accounted, answer, in_full, json_option, table
from skills.cli.arguments import (
    complete_clients,
    complete_name,
    complete_skill,
    connected,
    project_root,
    service_of,
)
from skills.store import installed_answer

if TYPE_CHECKING:
    from ocilayout.cli import Access
    from skills.install import InstalledSkill

# A path has a slash after at most two dots, as a shell tells a program from a command.
_PATH: Final = re.compile(r"\.{0,2}/")

_scope = click.option(
    "--scope",
    type=click.Choice(["user", "project"]),
    help="For the user or a project; by default for a project if --project-root is given.",
)


@click.command()
@click.argument("source", shell_complete=complete_name)
@click.option(
    "--clients",
    metavar="CLIENT,...",
    default="",
    shell_complete=complete_clients,
    help="The clients to install for; by default all that are found.",
)
@_scope
@project_root
@click.option("--version", help="The version, if the source has none.")
@click.option(
    "--force",
    is_flag=True,
    help="Replace local edits, and folders that were not installed from here.",
)
@click.option("--replace", is_flag=True, help="Replace a local build that has other content.")
@registry_access(reads=False)
@json_option
@click.pass_obj
def install(
    store: Path | None,
    /,
    source: str,
    clients: str,
    access: Access,
    *,
    as_json: bool,
    **options: Any,  # noqa: ANN401 # those of the service, by their names
) -> None:
    """Install a skill, or update it.

    SOURCE is the name of a skill in the store, a full reference, a digest in the store, or an
    archive: a path that begins with / or ./, or oci-archive:PATH[:NAME].
    """
    with connected(store, access) as service, accounted() as account:
        skill = service.install(
            Path(source) if _PATH.match(source) else in_full(service.layout, source),
            clients=clients.split(",") if clients else (),
            on_event=account.tell,
            **options,
        )
    answer(installed_answer(skill), f"Installed {skill.name}", as_json=as_json)


@click.command()
@click.argument("name", shell_complete=complete_skill)
@_scope
@project_root
@click.option(
    "--force",
    is_flag=True,
    help="Remove a skill with local edits, too.",
)
@json_option
@click.pass_obj
def uninstall(
    store: Path | None,
    name: str,
    scope: str | None,
    project_root: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Remove a skill from all clients.

    The folders that were made for it go, too.
    """
    service_of(store).uninstall(name, scope=scope, project_root=project_root, force=force)
    answer({"uninstalled": name}, f"Uninstalled {name}", as_json=as_json)


@click.command("list")
@_scope
@click.option("--client", shell_complete=complete_clients, help="Only the skills of this client.")
@project_root
@json_option
@click.pass_obj
def list_(
    store: Path | None,
    scope: str | None,
    client: str | None,
    project_root: Path | None,
    *,
    as_json: bool,
) -> None:
    """List the installed skills of the user and of projects."""
    skills = service_of(store).list_installed(scope=scope, client=client, project_root=project_root)
    if as_json:
        answer([installed_answer(skill) for skill in skills])
    elif skills:
        heading = ("NAME", "VERSION", "SCOPE", "STATUS", "CLIENTS", "REFERENCE")
        table([heading, *map(_row, skills)], drop=("SCOPE", "VERSION", "REFERENCE", "CLIENTS"))
    elif scope or client or project_root:
        answer(None, "No skills found matching filters", as_json=False)
    else:
        answer(None, "No skills installed", as_json=False)


def _row(skill: InstalledSkill) -> tuple[str, ...]:
    clients = ", ".join(skill.clients)
    return skill.name, skill.version, skill.scope, skill.status, clients, skill.reference
