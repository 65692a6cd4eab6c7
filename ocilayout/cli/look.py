"""The verbs that only read: `ls`, `inspect`, `cat`, `tree`, `referrers`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ocilayout.cli import option
from ocilayout.cli.listing import HEADING, row_of
from ocilayout.cli.terminal import (
    answer,
    can_write,
    content_data,
    json_option,
    printable,
    say,
    short,
    size_text,
    table,
)
from ocilayout.cli.tree import draw, graph_of, reached
from ocilayout.errors import DocumentError, read_from
from ocilayout.layout import View, acting, thread_pool
from ocilayout.model import (
    CHUNK,
    DOCUMENT_TYPES,
    Digest,
    Index,
    Manifest,
    is_digest,
    parse_json,
    require_document_size,
)

if TYPE_CHECKING:
    from ocilayout.cli.operand import Operand, Root, Source
    from ocilayout.model import Descriptor, Platform

_JOBS: Final = 8  # how many entries are read at once: a registry takes its time for each
_COLOURS: Final = {"missing": "red", "unreadable": "red", "shared": "cyan"}


@click.command()
@option.operand
@click.option("--untagged/--no-untagged", default=True, help="Whether to list untagged entries.")
@click.option("-q", "--quiet", is_flag=True, help="List names, or digests of untagged entries.")
@json_option
def ls(operand: Operand, *, untagged: bool, quiet: bool, as_json: bool) -> None:
    """List entries, with platforms, size and age.

    The size is that of all content of an entry. The age comes from the annotation `created` or
    from the config; without either it is the time since the content was last stored here, followed
    by "(file)". The last column says whether all content is there; a registry is not asked.
    """
    with operand.open() as source:
        if quiet:
            names = operand.names(source, untagged=untagged)
            answer(names, "\n".join(map(printable, names)), as_json=as_json)
            return
        roots = [root for root in operand.roots(source) if untagged or root.is_named]
        with thread_pool(_JOBS) as workers:
            rows = list(workers.map(lambda root: row_of(source, root), roots))
    if as_json:
        answer([row.data() for row in rows])
    elif rows:
        now = datetime.now(UTC)
        table([HEADING, *(row.cells(now) for row in rows)])
        for row in rows:
            if row.error:
                say(printable(f"{row.root.ref}: {row.error}"), err=True)
    else:
        say("No entries")


@click.command()
@option.operand
@option.platform
@click.option("--config", is_flag=True, help="Show the config of the manifest instead.")
@click.option("--raw", is_flag=True, help="Write the bytes of the document and nothing else.")
@json_option
def inspect(
    operand: Operand, *, platform: Platform | None, config: bool, raw: bool, as_json: bool
) -> None:
    """Show a manifest, an index or a config.

    Above it are the annotations of its entry, which are not part of the document.
    """
    if raw and as_json:
        raise click.UsageError("--raw gives bytes, and --json an answer; choose one")
    with operand.open() as source:
        descriptor = operand.resolve(source, platform)
        root = operand.root(source, descriptor, platform)
        if config:
            descriptor = _config_of(source, descriptor)
        require_document_size(descriptor)
        data = source.blobs.read(descriptor)
    if raw:
        _write(data)
        return
    answered = {
        "name": root.name,
        "fullName": root.full_name,
        **content_data(descriptor),
        "annotations": dict(root.annotations),
        "document": _parse(data, descriptor),
    }
    text = _inspected(answered, root.label if root.is_named else "")
    answer(answered, text, as_json=as_json)


@click.command()
@option.operand
def cat(operand: Operand) -> None:
    """Write the bytes of a blob, verified.

    A name means its manifest or index. If the content is damaged, the command fails before it
    writes the last bytes.
    """
    with operand.open() as source:
        descriptor = operand.resolve(source)
        with source.blobs.open(descriptor) as stream:
            while data := stream.read(CHUNK):
                _write(data)


@click.command()
@option.operand
@json_option
def tree(operand: Operand, *, as_json: bool) -> None:
    """Draw what content is made of, down to layers.

    Without a name all entries are drawn. Marks show what is missing or unreadable, what more than
    one entry or document refers to (shared), and what is not drawn again (drawn above). In a
    registry only the tags that are drawn count for "shared".
    """
    with operand.open() as source:
        roots = operand.roots(source)
        local = isinstance(source, View)
        nodes = graph_of(source, operand.all_roots(source) if local else roots, roots)
    if as_json:
        data = [node.data() for node in reached(roots, nodes)]
        answer({"roots": [_root_data(root) for root in roots], "nodes": data})
        return
    for line in draw(roots, nodes, plain=not can_write("│")):
        marks = [click.style(mark, fg=_COLOURS.get(mark)) for mark in line.marks]
        name = [click.style(line.name, bold=True)] if line.name else []
        say(line.guide + "  ".join([*name, line.text, *marks]))


@click.command()
@option.operand
@click.option(
    "--type", "artifact_type", metavar="TYPE", help="List only referrers of this artifact type."
)
@json_option
def referrers(operand: Operand, *, artifact_type: str | None, as_json: bool) -> None:
    """List the referrers of content, such as signatures.

    They are the manifests whose subject the content is. If NAME is a digest, the content itself may
    be missing.
    """
    with operand.open() as source:
        name = operand.choose(source)
        digest = Digest.parse(name) if is_digest(name) else operand.resolve(source).digest
        manifests = source.referrers(digest, artifact_type=artifact_type)
    if as_json:
        answer([_referrer_data(descriptor) for descriptor in manifests])
    elif manifests:
        rows = [
            (short(one.digest), printable(one.artifact_type or one.media_type), size_text(one.size))
            for one in manifests
        ]
        table([("DIGEST", "TYPE", "SIZE"), *rows])
    else:
        say(f"Nothing refers to {digest}")


def _config_of(source: Source, descriptor: Descriptor) -> Descriptor:
    document = source.read_manifest(descriptor)
    if isinstance(document, Manifest):
        return document.config
    if isinstance(document, Index):
        raise click.UsageError(
            "an index has no config; choose one of its manifests with --platform"
        )
    raise click.UsageError(f"a manifest of the type {descriptor.media_type} has no config")


def _parse(data: bytes, descriptor: Descriptor) -> object:
    try:
        with read_from(str(descriptor.digest)):
            return parse_json(data)
    except DocumentError:
        if descriptor.media_type in DOCUMENT_TYPES:
            raise
        raise DocumentError.of(
            "no-document",
            f"{descriptor.digest} is {descriptor.media_type}, which is not a JSON document;"
            " `ocilayout cat` writes its bytes",
        ) from None


def _inspected(data: dict[str, Any], name: str) -> str:
    annotations = [f"{key}={value}" for key, value in sorted(data["annotations"].items())]
    parts = {
        "name": name,
        "digest": data["digest"],
        "type": data["mediaType"],
        "size": size_text(data["size"]),
        "noted": "\n".join(annotations),
    }
    lines = [f"{key:<8}{line}" for key, text in parts.items() for line in text.splitlines()]
    lines += ["", *json.dumps(data["document"], indent=2, ensure_ascii=False).splitlines()]
    return "\n".join(map(printable, lines))


def _root_data(root: Root) -> dict[str, object]:
    digest = None if root.descriptor is None else root.descriptor.digest
    return {
        "name": root.name,
        "fullName": root.full_name,
        "digest": digest,
        "error": root.error or None,
    }


def _referrer_data(descriptor: Descriptor) -> dict[str, object]:
    return {
        **content_data(descriptor),
        "artifactType": descriptor.artifact_type,
        "annotations": dict(descriptor.annotations),
    }


def _write(data: bytes) -> None:
    with acting("write", "standard output"):
        sys.stdout.buffer.write(data)
