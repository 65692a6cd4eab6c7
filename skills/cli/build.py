"""The commands around building: `init`, `validate`, `build` and `builds`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ocilayout.cli import DIGEST, Verbs, answer, digest_cell, json_option, printable, table
from skills.cli.arguments import name_argument, service_of
from skills.errors import SkillFolderError, ValidationError
from skills.model import SKILL_MD, check_name
from skills.packaging import validate as check
from skills.store import build_answer, result_answer, validation_answer

_PLACEHOLDER = "Say what this skill does, and when to use it"


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-d", "--description", default="", help="What the skill is for, and when to use it.")
@json_option
def init(path: Path, description: str, *, as_json: bool) -> None:
    """Create a folder for a skill, with a SKILL.md to fill in.

    The name of the skill is that of the folder.
    """
    written = _write_skill(path, description)
    answer({"path": str(written)}, f"Wrote {written}", as_json=as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@json_option
@click.pass_context
def validate(ctx: click.Context, path: Path, *, as_json: bool) -> None:
    """Check the folder of a skill.

    Errors must be fixed, warnings should be. The exit status is 1 if there are errors.
    """
    result = check(_folder(path))
    lines = [f"Error: {printable(text)}" for text in result.errors]
    lines += [f"Warning: {printable(text)}" for text in result.warnings]
    answer(validation_answer(result), "\n".join(lines), as_json=as_json)
    ctx.exit(0 if result.valid else 1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("-t", "--tag", help="The tag in the store; the name of the skill by default.")
@click.option("--no-validate", is_flag=True, help="Package a skill that breaks the rules, too.")
@json_option
@click.pass_obj
def build(
    store: Path | None, path: Path, tag: str | None, *, no_validate: bool, as_json: bool
) -> None:
    """Package the folder of a skill into the store."""
    result = service_of(store).build(_folder(path), tag=tag, validate=not no_validate)
    answer(result_answer(result), result.reference, as_json=as_json)


@click.group(cls=Verbs, invoke_without_command=True)
@json_option
@click.pass_context
def builds(ctx: click.Context, *, as_json: bool) -> None:
    """List the skills that were built in this store.

    Skills that were only pulled are not among them.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


@builds.command("list")
@json_option
@click.pass_obj
def list_(store: Path | None, *, as_json: bool) -> None:
    """List the skills that were built in this store."""
    built = service_of(store).list_builds()
    if as_json:
        answer([build_answer(build) for build in built])
    elif not built:
        answer(None, "No locally-built skill artifacts found", as_json=False)
    else:
        rows = [(one.tag, digest_cell(one.digest), one.name, one.version) for one in built]
        table([("TAG", DIGEST, "NAME", "VERSION"), *rows], drop=("NAME", "VERSION"))


@builds.command()
@name_argument
@json_option
@click.pass_obj
def remove(store: Path | None, name: str, *, as_json: bool) -> None:
    """Delete a build, and the content that only it uses."""
    service_of(store).delete_build(name)
    answer({"removed": name}, f"Removed build {json.dumps(name)}", as_json=as_json)


@builds.command()
@name_argument
@json_option
@click.pass_obj
def adopt(store: Path | None, name: str, *, as_json: bool) -> None:
    """Mark a tag in the store as a local build."""
    service_of(store).adopt(name)
    answer({"adopted": name}, f"Adopted {json.dumps(name)}", as_json=as_json)


def _write_skill(path: Path, description: str) -> Path:
    """Write a SKILL.md into a folder, which is created if it is missing, and return its path.

    Raises:
        ValidationError: The name of the folder is not a valid name of a skill.
        SkillFolderError: The folder has a SKILL.md already, which is not changed.
        OSError: The file system refused.
    """
    name = path.resolve().name
    if error := check_name(name):
        raise ValidationError([error])
    # A JSON string is a YAML string, whatever it holds.
    text = json.dumps(description or _PLACEHOLDER, ensure_ascii=False)
    title = name.replace("-", " ").capitalize()
    path.mkdir(parents=True, exist_ok=True)
    target = path / SKILL_MD
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(
                f"---\nname: {name}\ndescription: {text}\nversion: 0.1.0\n---\n"
                f"# {title}\n\nWrite here what the agent has to know, step by step.\n"
            )
    except FileExistsError:
        raise SkillFolderError(str(target), "exists already; it was left as it is") from None
    return target


def _folder(path: Path) -> Path:
    """Return a folder with its name, which must be that of the skill, also for a path like "."."""
    return path.absolute() if path.name else path.resolve()
