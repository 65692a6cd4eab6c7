"""What content is made of, drawn and as a graph."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from ocilayout import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, Index, Layout, Manifest
from ocilayout.cli.columns import full
from ocilayout.cli.operand import Root
from ocilayout.cli.tree import draw, graph_of, reached

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def drawn(layout: Layout, *roots: Root, plain: bool = True) -> list[str]:
    """Return the lines of a drawing without digests and sizes, which other tests check."""
    nodes = graph_of(layout, roots, roots)
    return [
        " ".join(
            [
                line.guide + line.name,
                full(line.parts["role"]),
                *(f"[{mark}]" for mark in line.marks),
            ]
        )
        for line in draw(roots, nodes, plain=plain)
    ]


def test_a_deep_graph(layout: Layout) -> None:
    """Nesting deeper than the recursion limit of Python is drawn."""
    inner = layout.put_manifest(Index())
    depth = sys.getrecursionlimit() + 10
    for _ in range(depth):
        inner = layout.put_manifest(Index(manifests=[inner]))
    root = Root(name="v1", ref="v1", descriptor=inner)
    lines = drawn(layout, root)
    assert len(lines) == depth + 1
    assert lines[-1] == "    " * (depth - 1) + "`--  index"
    assert len(reached([root], graph_of(layout, [root], []))) == depth + 1


def test_marks(layout: Layout) -> None:
    """Missing, elsewhere, unreadable and shared content is marked as such."""
    config = layout.blobs.put(b"{}", media_type=OCI_CONFIG)
    absent = Descriptor.of(b"absent", OCI_LAYER)
    other = Descriptor.of(b"other", OCI_LAYER)
    external = Descriptor(
        media_type=OCI_LAYER, digest=other.digest, size=other.size, urls=["https://x.example"]
    )
    manifest = layout.put_manifest(Manifest(config=config, layers=[absent, external, absent]))
    bad = layout.blobs.put(b"{}", media_type=OCI_MANIFEST)
    gone = Descriptor.of(b"gone", OCI_MANIFEST)
    index = layout.put_manifest(Index(manifests=[manifest, bad, gone]))
    assert drawn(layout, Root(name="v1", ref="v1", descriptor=index), plain=False) == [
        "v1 index",
        "├──  manifest",
        "│   ├──  config [unreadable] [shared]",
        "│   ├──  layer [missing]",
        "│   ├──  layer [elsewhere]",
        "│   └──  layer [missing]",
        "├──  manifest [unreadable] [shared]",
        "└──  manifest [missing]",
    ]


def test_what_leads_to_content(layout: Layout) -> None:
    """Entries of the same content share it; a root that is given besides shares nothing."""
    manifest = layout.put_manifest(Manifest(config=layout.blobs.put(b"{}", media_type=OCI_CONFIG)))
    index = layout.put_manifest(Index(manifests=[manifest]))
    one, two = (Root(name=name, ref=name, descriptor=index) for name in ("a", "b"))
    child = Root(name=None, ref=manifest.digest, descriptor=manifest)
    nodes = graph_of(layout, [one, two], [child])
    assert [nodes[found.digest].shared for found in (index, manifest)] == [True, False]
    assert next(node.descriptor.digest for node in reached([child], nodes)) == manifest.digest
    assert drawn(layout, one, two, child)[3:] == [
        "b index [shared] [drawn above]",
        "(no name) manifest [shared] [drawn above]",
    ]
