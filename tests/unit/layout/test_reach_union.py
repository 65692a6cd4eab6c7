"""Held is what any reference holds, in whatever order they stand and whatever another one says."""

from __future__ import annotations

import base64
import json
import os
from contextlib import nullcontext
from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import DocumentError, IntegrityError
from ocilayout.layout.reach import held, roots_of
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_SCHEMA1,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)
from tests.unit.layout.layouts import blob

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocilayout.layout.layout import Layout

NOW = timedelta(0)
UNKNOWN = "application/vnd.example.bundle+json"
OPAQUE = [OCI_LAYER, DOCKER_LAYER_GZIP, OCI_CONFIG, OCI_EMPTY, DOCKER_CONFIG]

pytestmark = pytest.mark.spec("media-types:unknown")


def image(layout: Layout, *layers: dict[str, Any], **more: object) -> dict[str, Any]:
    if "config" not in more:
        more["config"] = blob(layout, {}, OCI_EMPTY)
    document = {"mediaType": OCI_MANIFEST, "layers": layers, **more}
    return blob(layout, {"schemaVersion": 2, **document}, OCI_MANIFEST)


def opaque(layout: Layout, content: dict[str, Any], media_type: str) -> dict[str, Any]:
    """Store a manifest that has content as a layer or as its config."""
    part = {**content, "mediaType": media_type}
    return image(layout, config=part) if "json" in media_type else image(layout, part)


def naming(layout: Layout, content: dict[str, Any], how: str) -> dict[str, Any]:
    """Store what names content in a place that is not understood."""
    named = [content["digest"]]
    if how == "document":
        return blob(layout, named, UNKNOWN)
    if how == "layer":
        return image(layout, blob(layout, named, UNKNOWN))
    if how == "property":
        return image(layout, x=named)
    if how == "entry":
        return {**image(layout, blob(layout, b"else", OCI_LAYER)), "x": named}
    return blob(layout, [blob(layout, named, UNKNOWN)["digest"]], UNKNOWN)  # through another


def called(name: str, descriptor: dict[str, Any]) -> dict[str, Any]:
    return {**descriptor, "annotations": {REF_NAME: name}}


def listing(layout: Layout, entries: Iterable[dict[str, Any]]) -> None:
    """Write the root index."""
    document = {"schemaVersion": 2, "manifests": [*entries]}
    (layout.path / "index.json").write_text(json.dumps(document))


def lost(layout: Layout) -> tuple[Digest, ...]:
    """Return the blobs that are not held."""
    index = RootIndex((layout.path / "index.json").read_bytes())
    return held(roots_of(index), layout.blobs).others


HOW = ["document", "layer", "property", "entry", "chain"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("media_type", OPAQUE)
def test_what_one_reference_names_is_looked_into_though_another_calls_it_opaque(
    layout: Layout, media_type: str, how: str
) -> None:
    layer = blob(layout, b"layer", "text/plain")
    inner = image(layout, layer)
    entries = [opaque(layout, inner, media_type), naming(layout, inner, how)]
    for order in permutations(entries):
        listing(layout, order)
        assert lost(layout) == ()
    listing(layout, entries[:1])
    assert Digest.parse(layer["digest"]) in lost(layout)


@pytest.mark.parametrize("media_type", OPAQUE)
@pytest.mark.parametrize("unknown", [UNKNOWN, OCTET_STREAM, "text/plain"])
def test_content_of_an_unknown_type_is_looked_into_though_another_reference_calls_it_opaque(
    layout: Layout, media_type: str, unknown: str
) -> None:
    document = blob(layout, [blob(layout, b"part", "text/plain")["digest"]], unknown)
    entries = [opaque(layout, document, media_type), document]
    for order in permutations(entries):
        listing(layout, order)
        assert lost(layout) == ()


def test_both_references_may_stand_in_one_document(layout: Layout) -> None:
    """The one as a layer before or behind the unknown one, in a manifest and in an index."""
    inner = image(layout, blob(layout, b"layer", OCI_LAYER))
    parts = [{**inner, "mediaType": OCI_LAYER}, naming(layout, inner, "document")]
    for order in permutations(parts):
        for root in (
            image(layout, *order),
            blob(layout, {"schemaVersion": 2, "manifests": order}, OCI_INDEX),
        ):
            listing(layout, [root])
            assert Digest.of(b"layer") not in lost(layout)


@pytest.mark.parametrize("verb", ["collect", "prune", "remove", "edit"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("first", [True, False])
def test_no_verb_deletes_it(layout: Layout, verb: str, how: str, *, first: bool) -> None:
    """The layer goes only with a manifest, which one entry has as a layer and another names."""
    layer = blob(layout, b"layer", OCI_LAYER)
    inner = image(layout, layer)
    entries = [
        called("opaque", opaque(layout, inner, OCI_LAYER)),
        called("naming", naming(layout, inner, how)),
    ]
    listing(layout, [*entries, called("gone", inner)] if first else [*entries[::-1], inner])
    if verb in ("collect", "prune"):
        listing(layout, entries if first else entries[::-1])
        layout.collect(grace=NOW, untagged="prune" if verb == "prune" else "keep")
    elif verb == "remove":
        layout.remove("gone" if first else inner["digest"])
    else:
        with layout.edit() as edit:
            edit.remove("gone" if first else inner["digest"])
    for kept in (layer, inner):
        assert kept["digest"] in layout.blobs


@pytest.mark.parametrize("tagged", ["opaque", "naming"])
def test_prune_keeps_entries_that_either_reference_holds(layout: Layout, tagged: str) -> None:
    """An untagged entry stays whose content a tagged one names or has as a layer."""
    layer = blob(layout, b"layer", OCI_LAYER)
    inner = image(layout, layer)
    entries = {
        "opaque": opaque(layout, inner, OCI_LAYER),
        "naming": naming(layout, inner, "document"),
    }
    listing(layout, [inner, called("kept", entries[tagged])])
    layout.collect(grace=NOW, untagged="prune")
    assert len(layout.entries()) == 2
    assert layer["digest"] in layout.blobs


@pytest.mark.parametrize("subject", ["image", "inner", "layer"])
def test_an_unlisted_referrer_is_such_a_reference(layout: Layout, subject: str) -> None:
    """It names what an entry has as a layer, or has as a layer what an entry names."""
    inner = image(layout, blob(layout, b"layer", OCI_LAYER))
    root = opaque(layout, inner, OCI_LAYER)
    about = {"image": root, "inner": inner, "layer": {**inner, "mediaType": OCI_LAYER}}[subject]
    referrer = image(layout, subject=root, x=[about["digest"]])
    listing(layout, [called("a", root)])
    assert lost(layout) == ()
    layout.repair()
    assert layout.entries()[-1].descriptor.digest == referrer["digest"]
    layout.collect(grace=NOW)
    assert Digest.of(b"layer") in layout.blobs


def test_an_unlisted_referrer_that_has_it_as_a_layer_does_not_hide_it(layout: Layout) -> None:
    inner = image(layout, blob(layout, b"layer", OCI_LAYER))
    root = naming(layout, inner, "property")
    image(layout, {**inner, "mediaType": OCI_LAYER}, subject=root)
    listing(layout, [called("a", root)])
    assert lost(layout) == ()


def test_a_type_that_says_json_counts_beside_one_that_does_not(layout: Layout) -> None:
    """Content is searched whatever it begins with, if one reference says that it is JSON."""
    part = blob(layout, b"part", "text/plain")
    document = blob(layout, b"// " + part["digest"].encode(), UNKNOWN)
    others = [{**document, "mediaType": kind} for kind in ("text/plain", OCI_LAYER, "a/b")]
    for order in permutations([document, *others, naming(layout, document, "document")]):
        listing(layout, order)
        assert lost(layout) == ()


def test_a_type_that_may_be_a_document_counts_beside_one_that_may_not(layout: Layout) -> None:
    """What is damaged stops the search in any order."""
    content = blob(layout, b"content", "text/plain")
    layout.blobs.path(Digest.parse(content["digest"])).write_bytes(b"CONTENT")
    listing(layout, [content])
    lost(layout)
    for order in permutations([content, {**content, "mediaType": OCTET_STREAM}]):
        listing(layout, order)
        with pytest.raises(IntegrityError):
            lost(layout)


def test_content_that_breaks_the_rules_of_one_type_stops_the_search_in_any_order(
    layout: Layout,
) -> None:
    inner = image(layout)
    for order in permutations([inner, {**inner, "mediaType": OCI_INDEX}]):
        listing(layout, order)
        with pytest.raises(DocumentError):
            lost(layout)


def test_content_of_two_known_types_holds_what_it_does_as_either(layout: Layout) -> None:
    """Annotations refer to nothing, but schema 1 has none: there they are an unknown property."""
    named = blob(layout, b"named", "text/plain")
    document = blob(layout, {"fsLayers": [], "annotations": {"a": named["digest"]}}, OCI_ARTIFACT)
    for order in permutations([document, {**document, "mediaType": DOCKER_SCHEMA1}]):
        listing(layout, order)
        assert lost(layout) == ()


def test_a_manifest_that_is_in_one_of_its_descriptors_holds_its_parts(layout: Layout) -> None:
    """The blob is missing, and another reference to it has no `data`."""
    layer = blob(layout, b"layer", OCI_LAYER)
    inner = image(layout, layer)
    digest = Digest.parse(inner["digest"])
    data = base64.b64encode(layout.blobs.path(digest).read_bytes()).decode()
    layout.blobs.delete(digest)
    for order in permutations([inner, {**inner, "data": data}]):
        listing(layout, order)
        assert lost(layout) == ()


class TestReading:
    """Layers are read only where a reference other than that of a manifest leads to them."""

    @pytest.mark.parametrize("media_type", OPAQUE)
    def test_layers_and_configs_that_only_manifests_refer_to_are_not_opened(
        self, layout: Layout, media_type: str
    ) -> None:
        """What cannot be opened stops the search only if it is opened."""
        layer = blob(layout, b"layer", media_type)
        entries = [opaque(layout, layer, media_type), naming(layout, layer, "document")]
        path = layout.blobs.path(Digest.parse(layer["digest"]))
        path.unlink()
        os.mkfifo(path)
        listing(layout, entries[:1])
        lost(layout)
        for order in permutations(entries):
            listing(layout, order)
            with pytest.raises(IntegrityError):
                lost(layout)

    def test_a_damaged_layer_that_is_named_stops_nothing_unless_it_may_be_a_document(
        self, layout: Layout
    ) -> None:
        for data, is_document in ((b"layer", False), (b'{"a":1}', True)):
            layer = blob(layout, data, OCI_LAYER)
            path = layout.blobs.path(Digest.parse(layer["digest"]))
            path.write_bytes(path.read_bytes().upper())
            for order in permutations([image(layout, layer), naming(layout, layer, "document")]):
                listing(layout, order)
                with pytest.raises(IntegrityError) if is_document else nullcontext():
                    lost(layout)
