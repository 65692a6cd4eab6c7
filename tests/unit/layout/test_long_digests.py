"""Digests that are longer than any file name: their blobs are missing, and that is all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    REF_NAME,
    BlobNotFoundError,
    Descriptor,
    Digest,
    Index,
    Layout,
    Manifest,
    OciLayoutError,
    copy,
    write_archive,
)

if TYPE_CHECKING:
    from pathlib import Path

LONG = [
    f"{'a' * 256}:{'b' * 40}",
    f"x:{'b' * 256}",
    f"{'a' * 5000}:{'b' * 40}",
    f"x:{'b' * 5000}",
    f"{'a+' * 300}a:{'b' * 300}",
]

pytestmark = pytest.mark.spec("image-layout:missing-blobs")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def enter(layout: Layout, digest: str, name: str | None) -> None:
    """Add an entry to `index.json`, as another program may have written it."""
    path = layout.path / "index.json"
    document = json.loads(path.read_text())
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest,
        "size": 3,
        **({"annotations": {REF_NAME: name}} if name else {}),
    }
    document["manifests"].append(entry)
    path.write_text(json.dumps(document))


def put_manifest(layout: Layout, *layers: Descriptor) -> Descriptor:
    config = layout.blobs.put(b"{}", media_type="text/x.config")
    return layout.put_manifest(Manifest(config=config, layers=layers))


@pytest.mark.parametrize("text", LONG)
def test_the_blob_is_missing(layout: Layout, text: str) -> None:
    """What asks for the blob is told that it is missing, and neither `in` nor `holds` fails."""
    digest = Digest.parse(text)
    descriptor = Descriptor(media_type="text/plain", digest=digest, size=3)
    assert digest not in layout.blobs
    assert not layout.blobs.holds(descriptor)
    for act in (
        lambda: layout.blobs.size(digest),
        lambda: layout.blobs.delete(digest),
        lambda: layout.blobs.read(descriptor, verify=False),
        lambda: layout.tag("name", descriptor),
    ):
        with pytest.raises(BlobNotFoundError):
            act()


@pytest.mark.parametrize("text", LONG)
def test_a_part_that_cannot_exist_stops_nothing(layout: Layout, tmp_path: Path, text: str) -> None:
    """A manifest with such a layer is walked, checked, collected and removed as a sparse one is."""
    layer = Descriptor(media_type="text/plain", digest=text, size=3)
    root = put_manifest(layout, layer)
    layout.tag("v1", root)
    unreached = layout.blobs.put(b"unreached", media_type="text/plain")
    assert layer.digest in [part.digest for part in layout.walk(root)]
    assert {problem.severity for problem in layout.check()} == {"note"}
    assert layout.collect(grace=timedelta()).removed == (unreached.digest,)
    assert layout.referrers(layer.digest) == ()
    target = Layout.create(tmp_path / "target")
    for act in (
        lambda: copy(layout, "v1", target),
        lambda: write_archive(layout, ["v1"], tmp_path / "x.tar"),
    ):
        with pytest.raises(OciLayoutError):
            act()
    index = layout.put_manifest(Index(manifests=[evolve(root, annotations={"a.b.c": "d"})]))
    assert copy(layout, index.digest, target, sparse=True) == index
    layout.remove("v1")
    assert set(layout.blobs) == {index.digest}


@pytest.mark.parametrize("untagged", ["keep", "prune"])
@pytest.mark.parametrize("text", LONG)
def test_an_entry_that_cannot_exist_stops_nothing(layout: Layout, text: str, untagged: str) -> None:
    """Such an entry is dangling: it is pruned, repaired and removed as other dangling ones are."""
    layout.tag("v1", put_manifest(layout))
    enter(layout, text, None)
    enter(layout, f"{text}1", "named")
    layout.blobs.put(b"unreached", media_type="text/plain")
    report = layout.collect(grace=timedelta(), untagged="prune" if untagged == "prune" else "keep")
    assert len(report.removed) == 1
    assert [one.digest for one in report.dropped] == ([text] if untagged == "prune" else [])
    assert {problem.severity for problem in layout.check()} <= {"warning", "error"}
    layout.repair()
    assert [entry.name for entry in layout.entries()] == ["v1", "named"]
    layout.remove("named")
    assert layout.tags() == ("v1",)
    layout.remove("v1")
    assert set(layout.blobs) == set()
