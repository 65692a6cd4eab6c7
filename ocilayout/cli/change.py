"""The verbs that change entries: `init`, `tag`, `untag`, `annotate`, `rm`.

Each is one edit: of several names it changes all or none. A dry run locks and writes nothing.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from ocilayout.cli import option
from ocilayout.cli.argument import InLayout, read_annotation, read_by
from ocilayout.cli.connection import Access
from ocilayout.cli.operand import Operand, in_full, suggesting_names
from ocilayout.cli.terminal import (
    answer,
    content_data,
    counted,
    json_option,
    printable,
    short,
    size_text,
)
from ocilayout.errors import some
from ocilayout.layout import Edit, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ocilayout.cli.option import Writing
    from ocilayout.layout import RemoveReport, RootIndex


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
@option.dry_run
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
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add tags to content.

    NAME may be a full name, a digest or NAME@DIGEST. A new name that has other content is moved;
    that content stays, as an untagged entry if it has no other name. Annotations are not copied.
    """
    layout = writing.open(path, any_name=any_name)
    target = Operand(InLayout(str(path), name), Access()).resolve(layout)
    before: dict[str, str] = {}

    def note(name: str, index: RootIndex) -> bool:
        before.update((name, entry.descriptor.digest) for entry in index.named(name))
        return True

    with layout.edit(dry_run=dry_run) as edit:
        for new in names:
            edit.tag(new, target, annotations=dict(annotations), when=partial(note, new))
    moved = {new: digest for new, digest in before.items() if digest != target.digest}
    data = {
        "names": list(names),
        **content_data(target),
        "moved": [{"name": new, "digest": digest} for new, digest in moved.items()],
        "dryRun": dry_run,
    }
    did = "Would tag" if dry_run else "Tagged"
    lines = [
        f"{did} {short(target.digest)} as {', '.join(names)}",
        *(f"{new} {'is' if dry_run else 'was'} {short(old)}" for new, old in moved.items()),
    ]
    answer(data, "\n".join(map(printable, lines)), as_json=as_json)


@click.command()
@option.folder
@option.names
@option.dry_run
@option.writing
@json_option
def untag(
    path: Path, names: tuple[str, ...], writing: Writing, *, dry_run: bool, as_json: bool
) -> None:
    """Remove tags and keep their content.

    NAME may be a full name, a digest or NAME@DIGEST. Content that has no other entry stays as an
    untagged entry.
    """
    gone, _ = _edit_each(writing.open(path), names, Edit.untag, dry_run=dry_run)
    text = f"{'Would untag' if dry_run else 'Untagged'} {', '.join(gone)}"
    answer({"untagged": gone, "dryRun": dry_run}, printable(text), as_json=as_json)


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
@option.dry_run
@option.writing
@json_option
def annotate(
    path: Path,
    name: str,
    annotations: tuple[tuple[str, str], ...],
    removed: tuple[str, ...],
    writing: Writing,
    *,
    dry_run: bool,
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
        with layout.edit(dry_run=dry_run) as edit:
            edit.annotate(name, changes)
    after = {key: value for key, value in {**before, **changes}.items() if value is not None}
    lines = [f"{key}={value}" for key, value in sorted(after.items())] or ["No annotations"]
    if dry_run:
        lines.insert(0, f"Would leave {name} with:")
    data = {"name": name, "annotations": after, "dryRun": dry_run}
    answer(data, "\n".join(map(printable, lines)), as_json=as_json)


@click.command()
@option.folder
@option.names
@option.dry_run
@option.writing
@json_option
def rm(
    path: Path, names: tuple[str, ...], writing: Writing, *, dry_run: bool, as_json: bool
) -> None:
    """Remove entries, and delete what only they reach.

    NAME may be a full name, a digest or NAME@DIGEST; a digest means all entries of that content,
    untagged ones too. What another entry needs stays; it shows how much that is, and which entries
    they are.
    """
    gone, report = _edit_each(writing.open(path), names, Edit.remove, dry_run=dry_run)
    data = {
        "removed": gone,
        "blobs": list(report.removed),
        "freed": report.freed,
        "kept": report.kept,
        "heldBy": [
            {
                "name": holder.entry.name,
                "fullName": holder.entry.full_name,
                "digest": holder.entry.descriptor.digest,
                "how": holder.how,
            }
            for holder in report.holders
        ],
        "dryRun": dry_run,
    }
    did = "Would remove" if dry_run else "Removed"
    freed = f"{counted(len(report.removed), 'blob')}, {size_text(report.freed)} freed"
    lines = [f"{did} {', '.join(gone)}: {freed}", *_on_kept(report, path)]
    answer(data, "\n".join(map(printable, lines)), as_json=as_json)


def _on_kept(report: RemoveReport, path: Path) -> Iterator[str]:
    """Say which entries hold on to what was not freed, and what frees it."""
    if not report.kept:
        return
    named = [holder for holder in report.holders if holder.entry.is_named]
    holders = [holder.ref for holder in named]
    untagged = len(report.holders) - len(named)
    by = some(holders) if holders else ""
    if untagged:
        by += f"{' and ' if by else ''}{counted(untagged, 'untagged entry', 'untagged entries')}"
    reason = f"held by {by}" if by else "which nothing can tell to be free"
    yield f"{size_text(report.kept)} stay, {reason}"
    folder = shlex.quote(str(path))
    if untagged:
        what = "To free what no tag needs, once it is an hour old"
        yield f"{what}: ocilayout gc --untagged prune {folder}"
    close = [shlex.quote(holder.ref) for holder in named if holder.how != "other"]
    if close:
        yield f"To remove its parts and referrers: ocilayout rm {folder} {' '.join(close)}"


def _edit_each(
    layout: Layout, names: tuple[str, ...], change: Callable[[Edit, str], None], *, dry_run: bool
) -> tuple[list[str], RemoveReport]:
    """Change several entries in one edit; return their names in full, and what was removed."""
    full = list(dict.fromkeys(in_full(layout, name) for name in names))
    with suggesting_names(layout), layout.edit(dry_run=dry_run) as edit:
        for name in full:
            change(edit, name)
    return full, edit.report
