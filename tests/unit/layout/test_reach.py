"""Reach: what the entries of a layout hold, also where it is not known what content refers to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
)
from ocilayout.layout.reach import Held, held, roots_of
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.mediatype import (
    DOCKER_SCHEMA1,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
    ORAS_ARTIFACT,
)
from ocilayout.model.stream import CHUNK
from tests.unit.layout.layouts import blob

if TYPE_CHECKING:
    from ocilayout.layout.layout import Layout

UNKNOWN_TYPE = "application/vnd.example.bundle+json"
NONE = timedelta(0)
unknown = pytest.mark.spec("media-types:unknown")
unlisted = pytest.mark.spec("image-layout:unlisted-referrers")


def manifest(layout: Layout, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = blob(layout, {}, OCI_EMPTY)
    document = {"schemaVersion": 2, "config": config, "layers": layers, **more}
    return blob(layout, {"mediaType": OCI_MANIFEST, **document}, OCI_MANIFEST)


def index(layout: Layout, *manifests: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **more}
    return blob(layout, document, OCI_INDEX)


def listing(layout: Layout, *entries: dict[str, Any], **more: Any) -> None:
    """Write the root index."""
    document = {"schemaVersion": 2, "manifests": entries, **more}
    (layout.path / "index.json").write_text(json.dumps(document))


def reach(layout: Layout) -> Held:
    root = RootIndex((layout.path / "index.json").read_bytes())
    return held(roots_of(root), layout.blobs)


def digests(*descriptors: dict[str, Any]) -> list[str]:
    return sorted(descriptor["digest"] for descriptor in descriptors)


def ruin(layout: Layout, descriptor: dict[str, Any]) -> None:
    """Damage a blob on the disk; its length stays."""
    path = layout.blobs.path(Digest.parse(descriptor["digest"]))
    path.write_bytes(path.read_bytes().swapcase())


@unknown
class TestUnknownTypes:
    """Of a JSON document of an unknown type every digest that it names is held."""

    @pytest.mark.parametrize(
        "form",
        [
            '{{"digest":"{0}"}}',
            '["{0}"]',
            '"{0}"',
            ' \n {{"{0}":null}}',
            '\ufeff{{"a":"{0}"}}',
            '{{"a":1,"a":"{0}","b":NaN}}',
            '{{"a":"{0}"',
            '{{"digest":{{"sha256":"{1}"}}}}',
            '{{"a":"sha256\\u003a{1}"}}',
            '{{"a":"{{\\"digest\\":\\"{0}\\"}}"}}',
        ],
    )
    @pytest.mark.parametrize("media_type", [UNKNOWN_TYPE, "text/plain", OCTET_STREAM])
    def test_what_it_names_is_held(self, layout: Layout, form: str, media_type: str) -> None:
        part = blob(layout, b"part", "text/plain")
        text = form.format(part["digest"], part["digest"].partition(":")[2])
        listing(layout, blob(layout, text.encode(), media_type))
        assert part["digest"] in reach(layout).digests

    @pytest.mark.parametrize("place", ["config", "layers", "manifests"])
    def test_it_may_stand_anywhere_in_the_graph(self, layout: Layout, place: str) -> None:
        part = blob(layout, b"part", "text/plain")
        document = blob(layout, [part], UNKNOWN_TYPE)
        root = {
            "config": lambda: manifest(layout, config=document),
            "layers": lambda: manifest(layout, document),
            "manifests": lambda: index(layout, document),
        }[place]()
        listing(layout, root)
        assert {part["digest"], document["digest"]} <= reach(layout).digests

    def test_digests_that_it_names_are_searched_in_turn(self, layout: Layout) -> None:
        """A chain of documents, of which the last names a manifest that is held with its layers."""
        layer = blob(layout, b"layer", OCI_LAYER)
        inner = manifest(layout, layer)
        chain = inner
        for number in range(5):
            chain = blob(layout, [number, chain["digest"]], UNKNOWN_TYPE)
        listing(layout, chain)
        assert reach(layout).others == ()

    def test_large_content_is_searched_to_its_end(self, layout: Layout) -> None:
        """Also where the border of what is read at a time cuts a digest, beyond any limit."""
        first, last = (blob(layout, data, "text/plain") for data in (b"first", b"last"))
        before = b'["' + b"x" * (CHUNK - 40) + b'","'
        text = before + first["digest"].encode() + b'","' + b"x" * MAX_DOCUMENT + b'","'
        listing(layout, blob(layout, text + last["digest"].encode() + b'"]', UNKNOWN_TYPE))
        assert reach(layout).others == ()

    def test_a_type_that_says_json_is_searched_whatever_it_begins_with(
        self, layout: Layout
    ) -> None:
        part = blob(layout, b"part", "text/plain")
        listing(layout, blob(layout, b"// " + part["digest"].encode(), UNKNOWN_TYPE))
        assert reach(layout).others == ()

    def test_a_type_that_says_json_may_be_of_anything_else(self, layout: Layout) -> None:
        listing(layout, blob(layout, b"\x1f\x8b\x00\xff", UNKNOWN_TYPE))
        assert reach(layout).others == ()

    @pytest.mark.parametrize("media_type", [OCI_LAYER, OCI_CONFIG, OCI_EMPTY])
    def test_layers_and_configs_name_nothing(self, layout: Layout, media_type: str) -> None:
        """A config has the digests of unpacked layers, and those are not blobs."""
        part = blob(layout, b"part", "text/plain")
        listing(layout, blob(layout, [part["digest"]], media_type))
        assert reach(layout).others == (part["digest"],)

    def test_other_content_is_not_looked_into(self, layout: Layout) -> None:
        part = blob(layout, b"part", "text/plain")
        listing(layout, blob(layout, b"see " + part["digest"].encode(), "text/plain"))
        assert reach(layout).others == (part["digest"],)

    def test_a_damaged_document_stops_the_search(self, layout: Layout) -> None:
        document = blob(layout, {"a": "b"}, UNKNOWN_TYPE)
        listing(layout, document)
        ruin(layout, document)
        with pytest.raises(IntegrityError):
            reach(layout)

    @pytest.mark.parametrize("media_type", [UNKNOWN_TYPE, OCI_MANIFEST])
    def test_quarantined_content_stops_the_search_and_missing_content_does_not(
        self, layout: Layout, media_type: str
    ) -> None:
        document = blob(layout, {"a": "b"}, media_type)
        digest = Digest.parse(document["digest"])
        listing(layout, document)
        layout.blobs.path(digest).unlink()
        assert reach(layout).digests == {digest}
        path = layout.blobs.quarantine_path(digest)
        path.parent.mkdir()
        path.touch()
        with pytest.raises(IntegrityError, match="in quarantine"):
            reach(layout)

    def test_one_digest_as_opaque_and_as_a_document_is_followed_as_both(
        self, layout: Layout
    ) -> None:
        layer, named = blob(layout, b"layer", OCI_LAYER), blob(layout, b"x", "text/plain")
        inner = manifest(layout, layer, annotations={"a": named["digest"]})
        opaque = {**inner, "mediaType": UNKNOWN_TYPE}
        for entries in ([inner, opaque], [opaque, inner]):
            listing(layout, *entries)
            assert reach(layout).others == ()
        listing(layout, inner)
        assert reach(layout).others == (named["digest"],)

    @pytest.mark.parametrize("verb", ["collect", "remove"])
    def test_a_layout_asks_the_same(self, layout: Layout, verb: str) -> None:
        part = blob(layout, b"part", "text/plain")
        layout.tag("other", Descriptor(**_plain(manifest(layout, part))))
        document = blob(layout, [part["digest"]], UNKNOWN_TYPE)
        layout.tag("kept", Descriptor(**_plain(document)))
        layout.remove("other")
        if verb == "collect":
            layout.collect(grace=NONE)
        assert set(layout.blobs) == set(digests(document, part))


def _plain(descriptor: dict[str, Any]) -> dict[str, Any]:
    return {
        "media_type": descriptor["mediaType"],
        "digest": descriptor["digest"],
        "size": descriptor["size"],
    }


@unknown
class TestUnknownProperties:
    """What an unknown property names is held, wherever the property stands."""

    @pytest.mark.parametrize(
        "place",
        ["manifest", "layer", "index", "child", "platform", "subject", "retired", "schema1"],
    )
    def test_in_documents(self, layout: Layout, place: str) -> None:
        part = blob(layout, b"part", "text/plain")
        more = {"x": [{"y": part["digest"]}]}
        image = manifest(layout)
        platform = {"os": "linux", "architecture": "arm", **more}
        root = {
            "manifest": lambda: manifest(layout, **more),
            "layer": lambda: manifest(layout, blob(layout, b"layer", OCI_LAYER, **more)),
            "index": lambda: index(layout, **more),
            "child": lambda: index(layout, {**image, **more}),
            "platform": lambda: index(layout, {**image, "platform": platform}),
            "subject": lambda: manifest(layout, subject={**image, **more}),
            "retired": lambda: blob(layout, {"blobs": [], **more}, OCI_ARTIFACT),
            "schema1": lambda: blob(
                layout, {"fsLayers": [{"blobSum": image["digest"], **more}]}, DOCKER_SCHEMA1
            ),
        }[place]()
        listing(layout, root)
        assert part["digest"] in reach(layout).digests

    @pytest.mark.parametrize("place", ["entry", "platform", "index"])
    def test_in_the_root_index(self, layout: Layout, place: str) -> None:
        part = blob(layout, b"part", "text/plain")
        image, more = manifest(layout), {"x": {"sha256": part["digest"].partition(":")[2]}}
        platform = {"os": "linux", "architecture": "arm", **more}
        entry = {
            "entry": {**image, **more},
            "platform": {**image, "platform": platform},
            "index": image,
        }[place]
        listing(layout, entry, **(more if place == "index" else {}))
        assert reach(layout).others == ()

    def test_the_root_index_may_have_a_subject(self, layout: Layout) -> None:
        image = manifest(layout, blob(layout, b"layer", OCI_LAYER))
        listing(layout, subject=image)
        assert reach(layout).others == ()

    def test_an_untagged_entry_that_an_unknown_property_names_is_not_pruned(
        self, layout: Layout
    ) -> None:
        image, other = manifest(layout), manifest(layout, blob(layout, b"layer", OCI_LAYER))
        name = {"annotations": {"org.opencontainers.image.ref.name": "a"}}
        listing(layout, {**image, **name, "x": other["digest"]}, other)
        assert layout.collect(grace=NONE, untagged="prune").dropped == ()
        assert len(layout.entries()) == 2

    def test_annotations_hold_nothing(self, layout: Layout) -> None:
        """That of a base image names one that need not be here."""
        part = blob(layout, b"part", "text/plain")
        listing(layout, {**manifest(layout), "annotations": {"a": part["digest"]}})
        assert reach(layout).others == (part["digest"],)


@pytest.mark.spec("media-types:retired")
class TestRetiredTypes:
    @pytest.mark.parametrize("media_type", [OCI_ARTIFACT, ORAS_ARTIFACT])
    @pytest.mark.parametrize("nested", [False, True])
    def test_blobs_and_subject_are_held(
        self, layout: Layout, media_type: str, *, nested: bool
    ) -> None:
        part = blob(layout, b"part", "text/plain")
        subject = manifest(layout, blob(layout, b"layer", OCI_LAYER))
        root = blob(layout, {"blobs": [part], "subject": subject}, media_type)
        listing(layout, index(layout, root) if nested else root)
        assert reach(layout).others == ()

    def test_layers_of_schema_1_are_held_there_or_not(self, layout: Layout) -> None:
        layer, absent = blob(layout, b"layer", OCI_LAYER), str(Digest.of(b"absent"))
        layers = [{"blobSum": to} for to in (layer["digest"], absent, layer["digest"])]
        listing(layout, blob(layout, {"fsLayers": layers}, DOCKER_SCHEMA1))
        found = reach(layout)
        assert absent in found.digests
        assert found.others == ()

    def test_it_can_be_a_subject(self, layout: Layout) -> None:
        subject = blob(layout, {"blobs": [blob(layout, b"part", "text/plain")]}, OCI_ARTIFACT)
        listing(layout, manifest(layout, subject=subject))
        assert reach(layout).others == ()

    def test_one_that_breaks_its_rules_stops_the_search(self, layout: Layout) -> None:
        listing(layout, blob(layout, {"blobs": 1}, OCI_ARTIFACT))
        with pytest.raises(DocumentError):
            reach(layout)


@unlisted
class TestUnlistedReferrers:
    """A manifest that no entry lists is held if its subject is, with all that it is made of."""

    def test_referrers_to_held_content_are_held(self, layout: Layout) -> None:
        image, other = manifest(layout), manifest(layout, blob(layout, b"x", OCI_LAYER))
        signature = manifest(layout, blob(layout, b"signed", "text/plain"), subject=image)
        stray = manifest(layout, blob(layout, b"stray", "text/plain"), subject=other)
        listing(layout, image)
        found = reach(layout)
        assert [one.digest for one in found.unlisted] == digests(signature)
        assert found.unlisted[0].media_type == OCI_MANIFEST
        assert {stray["digest"], other["digest"]} < set(found.others)
        assert len(found.others) == 4

    def test_referrers_to_referrers_are_held(self, layout: Layout) -> None:
        image = manifest(layout)
        chain = [image]
        for number in range(4):
            layer = blob(layout, str(number).encode(), "text/plain")
            chain.append(manifest(layout, layer, subject=chain[-1]))
        listing(layout, image)
        found = reach(layout)
        assert found.others == ()
        assert [one.digest for one in found.unlisted] == [one["digest"] for one in chain[1:]]

    @pytest.mark.parametrize("media_type", [OCI_ARTIFACT, ORAS_ARTIFACT, UNKNOWN_TYPE])
    def test_it_may_be_of_any_type(self, layout: Layout, media_type: str) -> None:
        image, part = manifest(layout), blob(layout, b"part", "text/plain")
        document = {"mediaType": media_type, "blobs": [part], "subject": image}
        signature = blob(layout, document, media_type)
        listing(layout, image)
        found = reach(layout)
        assert [one.digest for one in found.unlisted] == digests(signature)
        assert found.unlisted[0].media_type == media_type
        assert found.others == ()

    @pytest.mark.parametrize("said", [1, "no type", None, ""])
    def test_it_may_lack_its_media_type(self, layout: Layout, said: object) -> None:
        image, part = manifest(layout), blob(layout, b"part", "text/plain")
        blob(layout, {"mediaType": said, "x": [part], "subject": image}, OCTET_STREAM)
        listing(layout, image)
        assert reach(layout).others == ()

    @pytest.mark.parametrize(
        "form",
        [
            '{{"schemaVersion":1,"subject":{0},"x":{1}}}',
            '{{"a":1,"a":1,"subject":{0},"x":{1}}}',
            '{{"\\u0073ubject":{0},"x":{1}}}',
            '\ufeff{{"subject":{0},"x":{1}}}',
            '[{{"subject":{0}}},{1}]',
        ],
    )
    def test_one_that_breaks_the_specification_holds_all_that_it_names(
        self, layout: Layout, form: str
    ) -> None:
        image, part = manifest(layout), blob(layout, b"part", "text/plain")
        text = form.format(json.dumps(image), json.dumps(part["digest"]))
        blob(layout, text.encode(), OCTET_STREAM)
        listing(layout, image)
        assert reach(layout).others == ()

    def test_its_parts_may_break_the_specification(self, layout: Layout) -> None:
        """What a broken child of an unlisted index names is held."""
        image, layer = manifest(layout), blob(layout, b"layer", OCI_LAYER)
        broken = blob(layout, {"schemaVersion": 1, "layers": [layer]}, OCI_MANIFEST)
        other = manifest(layout, blob(layout, b"other", OCI_LAYER))
        index(layout, broken, other, subject=image)
        listing(layout, image)
        assert reach(layout).others == ()

    def test_its_parts_may_not_be_damaged(self, layout: Layout) -> None:
        """What a damaged child names cannot be known, so nothing may be deleted."""
        image, child = manifest(layout), manifest(layout, blob(layout, b"layer", OCI_LAYER))
        index(layout, child, subject=image)
        listing(layout, image)
        ruin(layout, child)
        with pytest.raises(IntegrityError):
            reach(layout)

    def test_its_parts_may_be_missing(self, layout: Layout) -> None:
        image, child = manifest(layout), manifest(layout, blob(layout, b"layer", OCI_LAYER))
        index(layout, child, subject=image)
        listing(layout, image)
        layout.blobs.path(Digest.parse(child["digest"])).unlink()
        assert [str(one) for one in reach(layout).others] == [str(Digest.of(b"layer"))]

    def test_a_damaged_one_is_not_a_referrer(self, layout: Layout) -> None:
        image = manifest(layout)
        signature = manifest(layout, subject=image)
        listing(layout, image)
        ruin(layout, signature)
        assert reach(layout).others == (signature["digest"],)

    def test_the_subject_may_be_a_layer_or_missing(self, layout: Layout) -> None:
        layer = blob(layout, b"layer", OCI_LAYER)
        image = manifest(layout, layer)
        signature = manifest(layout, blob(layout, b"signed", "text/plain"), subject=layer)
        listing(layout, image)
        layout.blobs.path(Digest.parse(layer["digest"])).unlink()
        found = reach(layout)
        assert [one.digest for one in found.unlisted] == digests(signature)
        assert found.others == ()

    @pytest.mark.parametrize("subject", [None, 1, [], {}, {"digest": 1}, {"digest": "x"}])
    def test_a_subject_that_is_not_a_descriptor_holds_nothing(
        self, layout: Layout, subject: object
    ) -> None:
        document = blob(layout, {"subject": subject}, OCTET_STREAM)
        listing(layout, manifest(layout))
        assert reach(layout).others == (document["digest"],)

    def test_what_is_too_large_for_a_manifest_is_about_all_that_it_names(
        self, layout: Layout
    ) -> None:
        """It is searched and not parsed, and held if it has a subject at all."""
        image = manifest(layout)
        document = {"subject": image, "x": "x" * MAX_DOCUMENT}
        about = blob(layout, document, OCTET_STREAM)
        stray = blob(layout, {"z": image, "x": "x" * MAX_DOCUMENT}, OCTET_STREAM)
        listing(layout, image)
        assert reach(layout).others == (stray["digest"],)
        assert [one.digest for one in reach(layout).unlisted] == [about["digest"]]

    def test_a_search_through_a_cycle_ends(self, layout: Layout) -> None:
        """An index about an image that has in it a referrer to an unlisted referrer of the image.

        Content cannot name itself by a digest that is verified; through several it can be
        reached from what it reaches.
        """
        image = manifest(layout)
        first = manifest(layout, blob(layout, b"1", "text/plain"), subject=image)
        second = manifest(layout, blob(layout, b"2", "text/plain"), subject=first)
        outer = index(layout, image, second, subject=image)
        listing(layout, outer)
        assert reach(layout).others == ()

    def test_held_content_is_not_reported_as_unlisted(self, layout: Layout) -> None:
        image = manifest(layout)
        signature = manifest(layout, subject=image)
        listing(layout, index(layout, image, signature))
        assert reach(layout).unlisted == ()

    def test_a_collection_reports_unlisted_referrers(self, layout: Layout) -> None:
        image = manifest(layout)
        signature = manifest(layout, blob(layout, b"signed", "text/plain"), subject=image)
        listing(layout, image)
        before = set(layout.blobs)
        report = layout.collect(grace=NONE)
        assert [one.digest for one in report.unlisted] == digests(signature)
        assert (report.removed, set(layout.blobs)) == ((), before)

    def test_a_referrer_that_is_removed_is_not_held_by_its_subject(self, layout: Layout) -> None:
        """But for what was removed itself, what no entry lists any more stays."""
        image = Descriptor(**_plain(manifest(layout)))
        raw = {"mediaType": OCI_MANIFEST, "digest": str(image.digest), "size": image.size}
        stays = manifest(layout, blob(layout, b"stays", "text/plain"), subject=raw)
        goes, inside = (
            manifest(layout, blob(layout, data, "text/plain"), subject=raw)
            for data in (b"goes", b"inside")
        )
        layout.tag("image", image)
        layout.tag("goes", Descriptor(**_plain(goes)))
        layout.tag("index", Descriptor(**_plain(index(layout, raw, inside))))
        layout.remove("goes")
        layout.remove("index")
        assert goes["digest"] not in layout.blobs
        assert Digest.of(b"goes") not in layout.blobs
        for kept, part in ((stays, b"stays"), (inside, b"inside")):
            assert kept["digest"] in layout.blobs
            assert Digest.of(part) in layout.blobs


class TestSizes:
    def test_a_reference_with_a_wrong_size_leads_to_the_blob(self, layout: Layout) -> None:
        layer = blob(layout, b"layer", OCI_LAYER)
        wrong = {**manifest(layout, layer), "size": 1}
        listing(layout, wrong)
        assert reach(layout).others == ()

    def test_a_manifest_that_is_too_large_stops_the_search(self, layout: Layout) -> None:
        large = manifest(layout, annotations={"a": "x" * MAX_DOCUMENT})
        for size in (large["size"], 1):
            listing(layout, {**large, "size": size})
            with pytest.raises(LimitExceededError):
                reach(layout)

    def test_a_root_that_is_missing_is_held(self, layout: Layout) -> None:
        absent = Descriptor.of(b"absent", OCI_MANIFEST)
        assert held([absent], layout.blobs).digests == {absent.digest}
        with pytest.raises(BlobNotFoundError):
            layout.blobs.size(absent.digest)


def test_a_removed_referrer_is_not_held_by_its_subject(layout: Layout) -> None:
    image = manifest(layout)
    signature = manifest(layout, blob(layout, b"signed", "text/plain"), subject=image)
    root = Descriptor(**_plain(image))
    assert held([root], layout.blobs).others == ()
    removed = {Digest.parse(signature["digest"])}
    found = held([root], layout.blobs, removed=removed)
    assert removed < set(found.others)
    assert found.unlisted == ()
