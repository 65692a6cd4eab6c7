"""The verbs of the command `skills`, each a thin skin over `SkillService`.

An answer goes to standard output, as text for people or with `--json` as data for programs; an
error is one line on standard error. Exit status: 0 done, 1 failed, 2 used wrongly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocilayout.cli.terminal import Failing, answer, json_option, table
from skills.cli.scaffold import write_skill
from skills.errors import SkillError
from skills.service import SkillService
from skills.store import STORE_VARIABLE
from skills.validation import validate as check

if TYPE_CHECKING:
    from skills.builds import LocalBuild

_DIGEST_WIDTH = 19  # "sha256:" and twelve digits


class _Failing(Failing):
    """A group whose commands report what goes wrong as one line."""

    failures = (SkillError, *Failing.failures)


@click.group(
    cls=_Failing,
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
    """Build, keep and share agent skills as OCI artifacts."""
    ctx.obj = store


@main.command(epilog="Example: skills init ./release-notes -d 'Draft release notes'")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-d", "--description", default="", help="What the skill is for, and when to use it.")
@json_option
def init(path: Path, description: str, *, as_json: bool) -> None:
    """Make a skill's folder, with a SKILL.md to fill in.

    The name of the skill is that of the folder.
    """
    written = write_skill(path, description)
    answer({"path": str(written)}, f"Wrote {written}", as_json=as_json)


@main.command(epilog="Example: skills validate ./release-notes")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@json_option
@click.pass_context
def validate(ctx: click.Context, path: Path, *, as_json: bool) -> None:
    """Check a skill's folder: all that must change, and what should.

    The exit status is 1 if something must change.
    """
    result = check(_folder(path))
    found = {"errors": list(result.errors), "warnings": list(result.warnings)}
    if as_json:
        answer({"valid": result.valid, **{key: said for key, said in found.items() if said}})
    for key, said in () if as_json else found.items():
        for text in said:
            click.echo(f"{key.removesuffix('s').capitalize()}: {text}")
    ctx.exit(0 if result.valid else 1)


@main.command(epilog="Example: skills build ./release-notes -t ghcr.io/org/release-notes:v1")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("-t", "--tag", help="The name in the store; the skill's own by default.")
@click.option("--no-validate", is_flag=True, help="Package what breaks the rules of skills, too.")
@json_option
@click.pass_obj
def build(
    store: Path | None, path: Path, tag: str | None, *, no_validate: bool, as_json: bool
) -> None:
    """Package a skill's folder into the store."""
    result = SkillService.open(store).build(_folder(path), tag=tag, validate=not no_validate)
    answer(
        {"reference": result.reference, "digest": result.digest},
        result.reference,
        as_json=as_json,
    )


@main.group(
    invoke_without_command=True, epilog="Example: skills builds --json, skills builds remove v1"
)
@json_option
@click.pass_context
def builds(ctx: click.Context, *, as_json: bool) -> None:
    """List what was built in this store, and nothing that was only pulled."""
    if ctx.invoked_subcommand is None:
        _list_builds(ctx.obj, as_json=as_json)


@builds.command("list", epilog="Example: skills builds list --json")
@json_option
@click.pass_obj
def list_(store: Path | None, *, as_json: bool) -> None:
    """List what was built in this store."""
    _list_builds(store, as_json=as_json)


@builds.command(epilog="Example: skills builds remove release-notes")
@click.argument("tag")
@json_option
@click.pass_obj
def remove(store: Path | None, tag: str, *, as_json: bool) -> None:
    """Delete a build, with the content that nothing else in the store needs."""
    SkillService.open(store).delete_build(tag)
    answer({"removed": tag}, f"Removed build {json.dumps(tag)}", as_json=as_json)


@builds.command(epilog="Example: skills builds adopt release-notes")
@click.argument("tag")
@json_option
@click.pass_obj
def adopt(store: Path | None, tag: str, *, as_json: bool) -> None:
    """Say of a name in the store that it was built here."""
    SkillService.open(store).adopt(tag)
    answer({"adopted": tag}, f"Adopted {json.dumps(tag)}", as_json=as_json)


@main.command(epilog="Example: skills pull ghcr.io/org/release-notes:v1")
@click.argument("reference")
@click.option("--name", help="What to call it in the store; the reference by default.")
@click.option("--replace", is_flag=True, help="Take the name of a build with other content.")
@json_option
@click.pass_obj
def pull(
    store: Path | None, reference: str, name: str | None, *, replace: bool, as_json: bool
) -> None:
    """Bring a skill from its registry into the store. It does not become a build."""
    result = SkillService.open(store).pull(reference, name=name, replace=replace)
    answer(
        {"reference": result.reference, "digest": result.digest},
        f"Pulled {result.reference} {result.digest}",
        as_json=as_json,
    )


@main.command(epilog="Example: skills push ghcr.io/org/release-notes:v1")
@click.argument("reference")
@json_option
@click.pass_obj
def push(store: Path | None, reference: str, *, as_json: bool) -> None:
    """Send what the store has under a reference to the registry that it names."""
    result = SkillService.open(store).push(reference)
    answer(
        {"reference": result.reference, "digest": result.digest},
        f"Pushed {result.reference} {result.digest}",
        as_json=as_json,
    )


def _folder(path: Path) -> Path:
    """Return a folder by its own name, which is a rule for skills, so "." has to become one."""
    return path.absolute() if path.name else path.resolve()


def _list_builds(store: Path | None, *, as_json: bool) -> None:
    found = SkillService.open(store).list_builds()
    if as_json:
        answer([_row(build) for build in found])
    elif not found:
        click.echo("No locally-built skill artifacts found")
    else:
        rows = [
            (build.tag, f"{build.digest[:_DIGEST_WIDTH]}...", build.name, build.version)
            for build in found
        ]
        table([("TAG", "DIGEST", "NAME", "VERSION"), *rows])


def _row(build: LocalBuild) -> dict[str, str]:
    """Return a build with the keys that ToolHive gives it: empty metadata is left out."""
    metadata = {
        "name": build.name,
        "description": build.description,
        "version": build.version,
    }
    known = {key: value for key, value in metadata.items() if value}
    return {"tag": build.tag, "digest": build.digest, **known}
