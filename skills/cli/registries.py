"""The commands around registries: `content`, `pull`, `push` and `cache`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ocilayout.cli import (
    DIGEST,
    Verbs,
    accounted,
    answer,
    digest_cell,
    in_full,
    json_option,
    printable,
    size_text,
    table,
)
from ocilayout.cli import access as registry_access
from skills.cli.arguments import (
    connected,
    name_argument,
    read_age,
    reference_argument,
    service_of,
)
from skills.store import cached_answer, content_answer, result_answer, time_text

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from ocilayout.cli import Access
    from skills.packaging import SkillContent


@click.command()
@reference_argument
@click.option("--refresh", is_flag=True, help="Pull it again, since its tag may have moved.")
@registry_access(reads=False)
@json_option
@click.pass_obj
def content(
    store: Path | None, reference: str, access: Access, *, refresh: bool, as_json: bool
) -> None:
    """Show a skill without installing it.

    A skill that is not in the store is pulled first, and stays there.
    """
    with connected(store, access) as service, accounted() as account:
        reference = in_full(service.layout, reference)
        skill = service.get_content(reference, refresh=refresh, on_event=account.tell)
    answer(content_answer(skill), _content_text(skill), as_json=as_json)


@click.command()
@reference_argument
@click.option("--name", help="The tag in the store; the reference by default.")
@click.option("--replace", is_flag=True, help="Replace a local build that has other content.")
@registry_access(reads=False)
@json_option
@click.pass_obj
def pull(
    store: Path | None,
    reference: str,
    name: str | None,
    access: Access,
    *,
    replace: bool,
    as_json: bool,
) -> None:
    """Pull a skill from its registry into the store. It is not a local build."""
    with connected(store, access) as service, accounted() as account:
        result = service.pull(reference, name=name, replace=replace, on_event=account.tell)
    text = f"Pulled {result.reference} {result.digest}"
    answer(result_answer(result), text, as_json=as_json)


@click.command()
@reference_argument
@registry_access(reads=False, writes=True)
@json_option
@click.pass_obj
def push(store: Path | None, reference: str, access: Access, *, as_json: bool) -> None:
    """Push a skill of the store to a registry.

    The reference names the registry.
    """
    with connected(store, access) as service, accounted() as account:
        result = service.push(reference, on_event=account.tell)
    text = f"Pushed {result.reference} {result.digest}"
    answer(result_answer(result), text, as_json=as_json)


@click.group(cls=Verbs, invoke_without_command=True)
@json_option
@click.pass_context
def cache(ctx: click.Context, *, as_json: bool) -> None:
    """List the skills that were pulled into the store.

    Local builds are not among them.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


@cache.command("list")
@json_option
@click.pass_obj
def list_(store: Path | None, *, as_json: bool) -> None:
    """List the skills that were pulled into the store, and when."""
    skills = service_of(store).list_cache()
    if as_json:
        answer([cached_answer(skill) for skill in skills])
    elif not skills:
        answer(None, "No pulled skill artifacts found", as_json=False)
    else:
        rows = [
            (
                skill.reference,
                digest_cell(skill.digest),
                size_text(skill.size),
                "missing" if skill.pulled is None else time_text(skill.pulled),
            )
            for skill in skills
        ]
        heading = ("REFERENCE", DIGEST, "SIZE", "PULLED")
        table([heading, *rows], drop=("SIZE", "PULLED"))


@cache.command()
@name_argument
@json_option
@click.pass_obj
def remove(store: Path | None, name: str, *, as_json: bool) -> None:
    """Remove a pulled skill, and the content that only it uses."""
    service_of(store).remove_cached(name)
    answer({"removed": name}, f"Removed {json.dumps(name)} from the cache", as_json=as_json)


@cache.command()
@click.option(
    "--older-than",
    callback=read_age,
    metavar="AGE",
    help="Only skills last pulled that long ago: a number and s, m, h, d or w, such as 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@json_option
@click.pass_obj
def prune(
    store: Path | None, older_than: timedelta | None, *, dry_run: bool, as_json: bool
) -> None:
    """Remove the pulled skills that can be pulled again. Local builds stay."""
    skills = service_of(store).prune_cache(older_than=older_than, dry_run=dry_run)
    names = [skill.reference for skill in skills]
    verb = "Would remove" if dry_run else "Removed"
    text = "\n".join(f"{verb} {json.dumps(name)} from the cache" for name in names)
    answer({"removed": names, "dryRun": dry_run}, text or "Nothing to remove", as_json=as_json)


def _content_text(skill: SkillContent) -> str:
    """Return the text for people: the metadata, the files and the SKILL.md of a skill."""
    fields = {
        "Name": skill.name,
        "Version": skill.version,
        "Description": skill.description,
        "License": skill.license,
    }
    lines = [f"{key + ':':<13}{printable(text)}" for key, text in fields.items() if text]
    lines.append("Files:")
    lines += [f"  {printable(file.path)} ({size_text(file.size)})" for file in skill.files]
    body = (printable(line) for line in skill.body.expandtabs().splitlines())
    return "\n".join([*lines, "", *body])
