"""What may not be lost where nothing tells what content refers to: damage, links, absent disks."""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import Descriptor, Digest, IntegrityError, Layout, Manifest
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

NOW = timedelta(0)
UNKNOWN = "application/vnd.example.unknown"


def put(layout: Layout, document: object, media_type: str = UNKNOWN) -> Descriptor:
    """Store a JSON document."""
    return layout.blobs.put(json.dumps(document).encode(), media_type=media_type)


def payload(layout: Layout, data: bytes = b"payload") -> Descriptor:
    return layout.blobs.put(data, media_type="text/plain")


def image(layout: Layout, layer: bytes = b"layer", **more: Any) -> Descriptor:
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layers = [layout.blobs.put(layer, media_type=OCI_LAYER)]
    return layout.put_manifest(Manifest(artifact_type="a/b", config=config, layers=layers, **more))


def move_behind_link(layout: Layout, digest: Digest) -> Path:
    """Put a link in the place of a blob, and return where the blob is now."""
    path = layout.blobs.path(digest)
    target = layout.path.parent / digest.encoded
    path.rename(target)
    path.symlink_to(target)
    return target


class TestLinks:
    """A link in the place of a document is followed to see what it refers to."""

    @pytest.mark.parametrize("what", ["unknown", "manifest"])
    def test_what_it_names_stays(self, layout: Layout, what: str) -> None:
        if what == "unknown":
            held = payload(layout)
            root = put(layout, {"x": held.digest})
        else:
            root = image(layout)
            held = Descriptor.of(b"layer", OCI_LAYER)
        layout.tag("a", root)
        move_behind_link(layout, root.digest)
        assert layout.collect(grace=NOW).removed == ()
        assert held.digest in layout.blobs

    def test_an_unlisted_referrer_holds_its_parts(self, layout: Layout) -> None:
        subject = image(layout)
        layout.tag("a", subject)
        referrer = image(layout, b"signature", subject=subject)
        move_behind_link(layout, referrer.digest)
        assert [one.digest for one in layout.collect(grace=NOW).unlisted] == [referrer.digest]
        assert Digest.of(b"signature") in layout.blobs

    @pytest.mark.parametrize("instead", ["nothing", "a FIFO", "a folder"])
    def test_a_dangling_link_stops_a_collection(self, layout: Layout, instead: str) -> None:
        held = payload(layout)
        root = put(layout, {"x": held.digest})
        layout.tag("a", root)
        target = move_behind_link(layout, root.digest)
        target.unlink()
        if instead == "a FIFO":
            os.mkfifo(target)
        elif instead == "a folder":
            target.mkdir()
        with pytest.raises(IntegrityError, match="not a regular file, nor a link to one"):
            layout.collect(grace=NOW)
        assert held.digest in layout.blobs


class TestDamage:
    """The first bytes of damaged content do not tell that it is not a document."""

    def test_zeros_in_the_place_of_a_document_stop_a_collection(self, layout: Layout) -> None:
        held = image(layout)
        root = put(layout, {"x": held.digest})
        layout.tag("a", root)
        layout.blobs.path(root.digest).write_bytes(bytes(root.size))
        with pytest.raises(IntegrityError):
            layout.collect(grace=NOW)

    def test_a_document_that_is_named_by_its_digest_alone_is_verified(self, layout: Layout) -> None:
        named = image(layout)
        layout.tag("a", put(layout, {"x": named.digest}))
        path = layout.blobs.path(named.digest)
        path.write_bytes(b"#" + path.read_bytes()[1:])
        with pytest.raises(IntegrityError):
            layout.collect(grace=NOW)
        assert Digest.of(b"layer") in layout.blobs

    def test_damaged_text_and_layers_stop_nothing(self, layout: Layout) -> None:
        """Their types tell that they refer to nothing, also where a document names them."""
        text = payload(layout)
        root = image(layout, subject=None)
        layer = Descriptor.of(b"layer", OCI_LAYER)
        layout.tag("a", root)
        layout.tag("b", put(layout, {"x": [layer.digest], "text": "none"}))
        layout.tag("c", text)
        layout.blobs.path(layer.digest).write_bytes(b"LAYER")
        layout.blobs.path(text.digest).write_bytes(b"PAYLOAD")
        assert layout.collect(grace=NOW).removed == ()

    def test_quarantined_content_that_is_named_by_its_digest_alone_stops_a_collection(
        self, layout: Layout
    ) -> None:
        """The repair that put it there says so, and so does a check."""
        named = image(layout)
        layout.tag("a", put(layout, {"x": named.digest}))
        layout.blobs.path(named.digest).write_bytes(b"damaged")
        report = layout.repair()
        assert [problem.code for problem in report.remaining if problem.severity == "error"] == [
            "quarantined-blob"
        ]
        with pytest.raises(IntegrityError, match="in quarantine"):
            layout.collect(grace=NOW)
        assert Digest.of(b"layer") in layout.blobs


class TestAbsence:
    """Content that may only be away for now is not judged."""

    def test_no_untagged_entry_is_pruned_while_its_blobs_are_away(self, layout: Layout) -> None:
        kept, untagged = image(layout), image(layout, b"other")
        layout.tag("a", kept)
        with layout.edit() as edit:
            edit.add(untagged)
        away = (layout.path / "blobs").rename(layout.path.parent / "away")
        (layout.path / "blobs").mkdir()
        assert layout.collect(grace=NOW, untagged="prune").dropped == ()
        (layout.path / "blobs").rmdir()
        away.rename(layout.path / "blobs")
        assert layout.collect(grace=NOW).removed == ()

    def test_an_untagged_entry_whose_blob_is_a_link_is_not_pruned(self, layout: Layout) -> None:
        with layout.edit() as edit:
            edit.add(image(layout))
        move_behind_link(layout, layout.entries()[0].descriptor.digest)
        assert layout.collect(untagged="prune").dropped == ()

    def test_nothing_is_deleted_while_all_blobs_of_an_algorithm_are_missing(
        self, layout: Layout
    ) -> None:
        """A manifest of sha256 may refer to layers of sha512."""
        data = b"long"
        layer = Descriptor.of(data, OCI_LAYER, "sha512")
        layout.blobs.put(data, media_type=OCI_LAYER, expected=layer)
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        layout.tag(
            "a",
            layout.put_manifest(Manifest(artifact_type="a/b", config=config, layers=[layer])),
        )
        (layout.path / "blobs" / "sha256").rename(layout.path.parent / "away")
        with pytest.raises(IntegrityError, match="as are all blobs of sha256"):
            layout.collect(grace=NOW)
        assert layer.digest in layout.blobs


def test_a_manifest_that_is_in_its_descriptor_holds_its_parts(layout: Layout) -> None:
    """`data` is the content itself, so what it refers to is known without the blob."""
    root = image(layout)
    data = layout.blobs.read(root)
    layout.tag("other", image(layout, b"other"))
    index = layout.path / "index.json"
    document = json.loads(index.read_bytes())
    document["manifests"].append(
        {
            "mediaType": OCI_MANIFEST,
            "digest": root.digest,
            "size": root.size,
            "data": base64.b64encode(data).decode(),
            "annotations": {REF_NAME: "embedded"},
        }
    )
    index.write_text(json.dumps(document))
    layout.blobs.delete(root.digest)
    assert layout.collect(grace=NOW).removed == ()
    assert Digest.of(b"layer") in layout.blobs


def test_a_layer_type_that_says_json_is_searched(layout: Layout) -> None:
    held = payload(layout)
    layout.tag("a", put(layout, {"x": held.digest}, f"{OCI_LAYER}.toc.v1+json"))
    assert layout.collect(grace=NOW).removed == ()
