"""The verbs around building: `init`, `validate`, `build` and `builds`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ocilayout.cli.terminal import answer, json_option, printable
from skills.answer import build_answer, result_answer, validation_answer
from skills.cli.option import name_argument, service_of, short_digest, write_table
from skills.cli.scaffold import write_skill
from skills.validation import validate as check


@click.command(epilog="Example: skills init ./release-notes -d 'Draft release notes'")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-d", "--description", default="", help="What the skill is for, and when to use it.")
@json_option
def init(path: Path, description: str, *, as_json: bool) -> None:
    """Make a skill's folder, with a SKILL.md to fill in.

    The name of the skill is that of the folder.
    """
    written = write_skill(path, description)
    answer({"path": str(written)}, f"Wrote {written}", as_json=as_json)


@click.command(epilog="Example: skills validate ./release-notes")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@json_option
@click.pass_context
def validate(ctx: click.Context, path: Path, *, as_json: bool) -> None:
    """Check a skill's folder: all that must change, and what should.

    The exit status is 1 if something must change.
    """
    result = check(_folder(path))
    lines = [f"Error: {printable(text)}" for text in result.errors]
    lines += [f"Warning: {printable(text)}" for text in result.warnings]
    answer(validation_answer(result), "\n".join(lines), as_json=as_json)
    ctx.exit(0 if result.valid else 1)


@click.command(epilog="Example: skills build ./release-notes -t ghcr.io/org/release-notes:v1")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("-t", "--tag", help="The name in the store; the skill's own by default.")
@click.option("--no-validate", is_flag=True, help="Package what breaks the rules of skills, too.")
@json_option
@click.pass_obj
def build(
    store: Path | None, path: Path, tag: str | None, *, no_validate: bool, as_json: bool
) -> None:
    """Package a skill's folder into the store."""
    result = service_of(store).build(_folder(path), tag=tag, validate=not no_validate)
    answer(result_answer(result), result.reference, as_json=as_json)


@click.group(
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
@name_argument
@json_option
@click.pass_obj
def remove(store: Path | None, name: str, *, as_json: bool) -> None:
    """Delete a build, with the content that nothing else in the store needs."""
    service_of(store).delete_build(name)
    answer({"removed": name}, f"Removed build {json.dumps(name)}", as_json=as_json)


@builds.command(epilog="Example: skills builds adopt release-notes")
@name_argument
@json_option
@click.pass_obj
def adopt(store: Path | None, name: str, *, as_json: bool) -> None:
    """Say of a name in the store that it was built here."""
    service_of(store).adopt(name)
    answer({"adopted": name}, f"Adopted {json.dumps(name)}", as_json=as_json)


def _folder(path: Path) -> Path:
    """Return a folder by its own name, which is a rule for skills, so "." has to become one."""
    return path.absolute() if path.name else path.resolve()


def _list_builds(store: Path | None, *, as_json: bool) -> None:
    found = service_of(store).list_builds()
    if as_json:
        answer([build_answer(one) for one in found])
    elif not found:
        answer(None, "No locally-built skill artifacts found", as_json=False)
    else:
        rows = [(one.tag, short_digest(one.digest), one.name, one.version) for one in found]
        write_table(("TAG", "DIGEST", "NAME", "VERSION"), rows)
