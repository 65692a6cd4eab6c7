"""The verbs that change entries: `init`, `tag`, `untag`, `annotate`, `rm`.

Each is one edit: of several names it changes all or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ocilayout.cli import option
from ocilayout.cli.argument import InLayout, read_annotation, read_by
from ocilayout.cli.connection import Access
from ocilayout.cli.operand import Operand, in_full, suggesting_names
from ocilayout.cli.terminal import answer, content_data, json_option, printable, short
from ocilayout.layout import Edit, Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocilayout.cli.option import Writing


@click.command()
@option.folder
@option.writing
@json_option
def init(path: Path, writing: Writing, *, as_json: bool) -> None:
    """Create an empty layout.

    The folder must be missing or empty.
    """
    Layout.create(path, durability=writing.durability, lock_timeout=writing.lock_timeout)
    answer({"path": str(path)}, printable(f"Created an empty layout in {path}"), as_json=as_json)


@click.command()
@option.folder
@click.argument("name", shell_complete=option.complete_name)
@click.argument("names", metavar="NEW_NAME...", nargs=-1, required=True)
@click.option(
    "--annotation",
    "annotations",
    callback=read_by(read_annotation),
    multiple=True,
    metavar="KEY=VALUE",
    help="An annotation of the new entries; may be given several times.",
)
@option.any_name
@option.writing
@json_option
def tag(
    path: Path,
    name: str,
    names: tuple[str, ...],
    annotations: tuple[tuple[str, str], ...],
    writing: Writing,
    *,
    any_name: bool,
    as_json: bool,
) -> None:
    """Add tags to content.

    NAME may be a full name, a digest or NAME@DIGEST. A new name that has other content is moved;
    that content stays, as an untagged entry if it has no other name. Annotations are not copied.
    """
    layout = writing.open(path, any_name=any_name)
    target = Operand(InLayout(str(path), name), Access()).resolve(layout)
    with layout.edit() as edit:
        for new in names:
            edit.tag(new, target, annotations=dict(annotations))
    data = {"names": list(names), **content_data(target)}
    text = f"Tagged {short(target.digest)} as {', '.join(names)}"
    answer(data, printable(text), as_json=as_json)


@click.command()
@option.folder
@option.names
@option.writing
@json_option
def untag(path: Path, names: tuple[str, ...], writing: Writing, *, as_json: bool) -> None:
    """Remove tags and keep their content.

    NAME may be a full name, a digest or NAME@DIGEST. Content that has no other entry stays as an
    untagged entry.
    """
    gone = _edit_each(writing.open(path), names, Edit.untag)
    answer({"untagged": gone}, printable(f"Untagged {', '.join(gone)}"), as_json=as_json)


@click.command()
@option.folder
@click.argument("name", shell_complete=option.complete_name)
@click.argument(
    "annotations", metavar="[KEY=VALUE]...", nargs=-1, callback=read_by(read_annotation)
)
@click.option(
    "--remove",
    "removed",
    multiple=True,
    metavar="KEY",
    help="Remove this annotation; may be given several times.",
)
@option.writing
@json_option
def annotate(
    path: Path,
    name: str,
    annotations: tuple[tuple[str, str], ...],
    removed: tuple[str, ...],
    writing: Writing,
    *,
    as_json: bool,
) -> None:
    """Change the annotations of an entry.

    NAME may be a full name, a digest or NAME@DIGEST. The content and its digest stay as they are.
    """
    if not annotations and not removed:
        raise click.UsageError("there is nothing to change; give KEY=VALUE, or --remove KEY")
    layout = writing.open(path)
    changes = {**dict.fromkeys(removed), **dict(annotations)}
    with suggesting_names(layout):
        name = in_full(layout, name)
        before = layout.entry(name).annotations  # by the full name it may not be found afterwards
        layout.annotate(name, changes)
    after = {key: value for key, value in {**before, **changes}.items() if value is not None}
    lines = [f"{key}={value}" for key, value in sorted(after.items())] or ["No annotations"]
    answer({"name": name, "annotations": after}, "\n".join(map(printable, lines)), as_json=as_json)


@click.command()
@option.folder
@option.names
@option.writing
@json_option
def rm(path: Path, names: tuple[str, ...], writing: Writing, *, as_json: bool) -> None:
    """Remove entries, and delete what only they reach.

    NAME may be a full name, a digest or NAME@DIGEST; a digest means all entries of that content,
    untagged ones too. What another entry needs stays.
    """
    gone = _edit_each(writing.open(path), names, Edit.remove)
    answer({"removed": gone}, printable(f"Removed {', '.join(gone)}"), as_json=as_json)


def _edit_each(
    layout: Layout, names: tuple[str, ...], change: Callable[[Edit, str], None]
) -> list[str]:
    """Change several entries in one edit, and return their names in full."""
    full = list(dict.fromkeys(in_full(layout, name) for name in names))
    with suggesting_names(layout), layout.edit() as edit:
        for name in full:
            change(edit, name)
    return full
