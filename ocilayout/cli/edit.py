"""The verbs that change names: `init`, `tag`, `untag`, `annotate`, `rm`.

Each is one edit: of several names all are changed or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ocilayout.cli import option
from ocilayout.cli.connection import Access
from ocilayout.cli.locator import InLayout
from ocilayout.cli.place import Place, each_whole, naming, whole
from ocilayout.cli.terminal import answer, json_option, printable, short
from ocilayout.cli.value import read_note
from ocilayout.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.cli.option import Writing


@click.command(epilog="Example: ocilayout init ./layout")
@option.folder
@option.writing
@json_option
def init(path: Path, writing: Writing, *, as_json: bool) -> None:
    """Make an empty layout.

    The folder must be missing or empty.
    """
    Layout.create(path, durability=writing.durability, lock_timeout=writing.lock_timeout)
    answer({"path": str(path)}, printable(f"Made an empty layout in {path}"), as_json=as_json)


@click.command(epilog="Example: ocilayout tag ./layout v1 stable latest")
@option.folder
@click.argument("name", shell_complete=option.complete_name)
@click.argument("names", metavar="NEW_NAME...", nargs=-1, required=True)
@click.option(
    "--annotation",
    "notes",
    callback=option.read_by(read_note),
    multiple=True,
    metavar="KEY=VALUE",
    help="Note this at the new entries; may be given several times.",
)
@option.any_name
@option.writing
@json_option
def tag(
    path: Path,
    name: str,
    names: tuple[str, ...],
    notes: tuple[tuple[str, str], ...],
    writing: Writing,
    *,
    any_name: bool,
    as_json: bool,
) -> None:
    """Give content more names.

    NAME may be a full name, a digest or NAME@DIGEST. A new name that means something else is moved;
    what it meant stays, as an untagged entry if it has no other. Annotations do not go along.
    """
    layout = writing.open(path, any_name=any_name)
    target = Place(InLayout(str(path), name), Access()).resolve(layout)
    with layout.edit() as edit:
        for new in names:
            edit.tag(new, target, annotations=dict(notes))
    found = {
        "names": list(names),
        "digest": target.digest,
        "mediaType": target.media_type,
        "size": target.size,
    }
    text = f"Tagged {short(target.digest)} as {', '.join(names)}"
    answer(found, printable(text), as_json=as_json)


@click.command(epilog="Example: ocilayout untag ./layout latest")
@option.folder
@option.names
@option.writing
@json_option
def untag(path: Path, names: tuple[str, ...], writing: Writing, *, as_json: bool) -> None:
    """Remove names, and keep their content.

    NAME may be a full name, a digest or NAME@DIGEST. Content that has no other entry stays as an
    untagged one.
    """
    layout = writing.open(path)
    gone = each_whole(layout, names)
    with naming(layout), layout.edit() as edit:
        for name in gone:
            edit.untag(name)
    answer({"untagged": gone}, printable(f"Untagged {', '.join(gone)}"), as_json=as_json)


@click.command(epilog="Example: ocilayout annotate ./layout v1 org.example.team=core")
@option.folder
@click.argument("name", shell_complete=option.complete_name)
@click.argument("notes", metavar="[KEY=VALUE]...", nargs=-1, callback=option.read_by(read_note))
@click.option(
    "--remove", "removed", multiple=True, metavar="KEY", help="Take this away; several times."
)
@option.writing
@json_option
def annotate(
    path: Path,
    name: str,
    notes: tuple[tuple[str, str], ...],
    removed: tuple[str, ...],
    writing: Writing,
    *,
    as_json: bool,
) -> None:
    """Change the annotations of an entry.

    NAME may be a full name, a digest or NAME@DIGEST. The content and its digest stay as they are.
    """
    if not notes and not removed:
        raise click.UsageError("there is nothing to change; give KEY=VALUE, or --remove KEY")
    layout = writing.open(path)
    changes = {**dict.fromkeys(removed), **dict(notes)}
    with naming(layout):
        name = whole(layout, name)
        before = layout.entry(name).annotations  # by the full name it may not be found afterwards
        layout.annotate(name, changes)
    noted = {key: value for key, value in {**before, **changes}.items() if value is not None}
    lines = [f"{key}={value}" for key, value in sorted(noted.items())] or ["Nothing is noted"]
    answer({"name": name, "annotations": noted}, "\n".join(map(printable, lines)), as_json=as_json)


@click.command(epilog="Example: ocilayout rm ./layout v1")
@option.folder
@option.names
@option.writing
@json_option
def rm(path: Path, names: tuple[str, ...], writing: Writing, *, as_json: bool) -> None:
    """Remove entries, and delete what only they reach.

    NAME may be a full name, a digest or NAME@DIGEST; a digest means all entries of that content,
    untagged ones too. What another entry needs stays.
    """
    layout = writing.open(path)
    gone = each_whole(layout, names)
    with naming(layout), layout.edit() as edit:
        for name in gone:
            edit.remove(name)
    answer({"removed": gone}, printable(f"Removed {', '.join(gone)}"), as_json=as_json)
