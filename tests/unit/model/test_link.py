"""Links: the same as decoding gives, and nothing that decoding refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.link import UNKNOWN, Link, link_of, link_to, links
from ocilayout.model.mediatype import (
    DOCKER_SCHEMA1,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    ORAS_ARTIFACT,
)

CONFIG = Descriptor.of(b"config", OCI_CONFIG)
LAYER = Descriptor.of(b"layer", OCI_LAYER)
IMAGE = Descriptor.of(b"image", OCI_MANIFEST)


def raw(descriptor: Descriptor, **rest: Any) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **rest,
    }


def link(descriptor: Descriptor) -> Link:
    return Link(descriptor.media_type, descriptor.digest, descriptor.size)


def read(document: dict[str, Any], media_type: str) -> list[Link]:
    data = json.dumps(document).encode()
    return links(data, Descriptor.of(data, media_type))


MANIFEST = {"schemaVersion": 2, "config": raw(CONFIG), "layers": [raw(LAYER)]}
INDEX = {"schemaVersion": 2, "manifests": [raw(IMAGE)]}


class TestLinks:
    @pytest.mark.parametrize(
        "rest",
        [
            {},
            {"mediaType": OCI_MANIFEST, "artifactType": "t", "annotations": {"a": "b"}},
            {"mediaType": None, "artifactType": None, "annotations": None, "subject": None},
            {"x": 1},
        ],
    )
    def test_a_manifest_leads_to_its_config_and_layers_whatever_else_it_says(
        self, rest: dict[str, Any]
    ) -> None:
        assert sorted(read({**MANIFEST, **rest}, OCI_MANIFEST)) == sorted(
            [link(CONFIG), link(LAYER)]
        )

    @pytest.mark.parametrize("rest", [{}, {"platform": {"os": "linux", "architecture": "arm"}}])
    def test_an_index_leads_to_its_manifests(self, rest: dict[str, Any]) -> None:
        assert read({**INDEX, "manifests": [raw(IMAGE, **rest)]}, OCI_INDEX) == [link(IMAGE)]

    @pytest.mark.parametrize("rest", [{}, {"x": 1}])
    def test_both_lead_to_their_subject(self, rest: dict[str, Any]) -> None:
        subject = {"subject": raw(IMAGE), **rest}
        assert link(IMAGE) in read({**MANIFEST, **subject}, OCI_MANIFEST)
        assert read({"schemaVersion": 2, "manifests": [], **subject}, OCI_INDEX) == [link(IMAGE)]

    @pytest.mark.parametrize(
        ("document", "media_type"),
        [
            (MANIFEST, OCI_INDEX),
            (MANIFEST, OCI_LAYER),
            (INDEX, OCI_MANIFEST),
            ({**MANIFEST, "manifests": []}, OCI_MANIFEST),
            ({**INDEX, "layers": []}, OCI_INDEX),
            ({**INDEX, "config": raw(CONFIG)}, OCI_INDEX),
            ({**MANIFEST, "mediaType": OCI_INDEX}, OCI_MANIFEST),
            ({**MANIFEST, "schemaVersion": 1}, OCI_MANIFEST),
            ({**MANIFEST, "schemaVersion": 2.0}, OCI_MANIFEST),
            ({**MANIFEST, "artifactType": 1}, OCI_MANIFEST),
            ({**MANIFEST, "annotations": {"a": 1}}, OCI_MANIFEST),
            ({**MANIFEST, "annotations": []}, OCI_MANIFEST),
            ({**MANIFEST, "Layers": []}, OCI_MANIFEST),
            ({**MANIFEST, "layers": {}}, OCI_MANIFEST),
            ({**MANIFEST, "layers": [raw(LAYER, size=-1)]}, OCI_MANIFEST),
            ({**MANIFEST, "config": raw(CONFIG, digest="sha256:0")}, OCI_MANIFEST),
            ({"schemaVersion": 2, "layers": []}, OCI_MANIFEST),
        ],
    )
    def test_what_decoding_refuses_leads_nowhere(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        with pytest.raises(DocumentError):
            read(document, media_type)


class TestLinkOf:
    @pytest.mark.parametrize("rest", [{}, {"annotations": None}, {"annotations": {"a": "b"}}])
    def test_a_plain_descriptor_is_one(self, rest: dict[str, Any]) -> None:
        assert link_of(raw(LAYER, **rest)) == link(LAYER)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [],
            {},
            raw(LAYER, x=1),
            raw(LAYER, size=True),
            raw(LAYER, size=2**63),
            raw(LAYER, mediaType="x"),
            raw(LAYER, digest=None),
            raw(LAYER, digest="x"),
            raw(LAYER, annotations={"a": None}),
        ],
    )
    def test_anything_else_takes_a_closer_look(self, value: Any) -> None:
        assert link_of(value) is None


@pytest.mark.spec("media-types:unknown")
class TestUnknownProperties:
    """What a property names that nothing here understands is linked, in whatever way."""

    NAMED = str(Digest.of(b"named"))

    @pytest.mark.parametrize(
        ("document", "media_type"),
        [
            ({**MANIFEST, "x": NAMED}, OCI_MANIFEST),
            ({**MANIFEST, "x": [{"y": {"sha256": NAMED[7:]}}]}, OCI_MANIFEST),
            ({**MANIFEST, "config": raw(CONFIG, x=NAMED)}, OCI_MANIFEST),
            ({**MANIFEST, "layers": [raw(LAYER), raw(LAYER, x={NAMED: 1})]}, OCI_MANIFEST),
            ({**MANIFEST, "subject": raw(IMAGE, x=NAMED)}, OCI_MANIFEST),
            ({**INDEX, "x": NAMED}, OCI_INDEX),
            ({**INDEX, "manifests": [raw(IMAGE, x=NAMED)]}, OCI_INDEX),
            (
                {
                    **INDEX,
                    "manifests": [
                        raw(IMAGE, platform={"os": "linux", "architecture": "arm", "x": NAMED})
                    ],
                },
                OCI_INDEX,
            ),
            ({"mediaType": OCI_ARTIFACT, "blobs": [raw(LAYER, x=NAMED)]}, OCI_ARTIFACT),
            ({"mediaType": ORAS_ARTIFACT, "blobs": [], "x": NAMED}, ORAS_ARTIFACT),
            ({"fsLayers": [{"blobSum": str(LAYER.digest), "x": NAMED}]}, DOCKER_SCHEMA1),
            ({"fsLayers": [], "history": [{"x": f'{{"y":"{NAMED}"}}'}]}, DOCKER_SCHEMA1),
        ],
    )
    def test_what_it_names_is_linked_as_unknown(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        assert Link(UNKNOWN, Digest(self.NAMED), 0) in read(document, media_type)

    def test_annotations_and_urls_are_understood_and_link_to_nothing(self) -> None:
        told = raw(LAYER, annotations={"x": self.NAMED}, urls=[f"https://x.example/{self.NAMED}"])
        document = {**MANIFEST, "layers": [told], "annotations": {"x": self.NAMED}}
        assert read(document, OCI_MANIFEST) == [link(CONFIG), link(LAYER)]


def test_the_link_to_a_descriptor_has_its_type_its_digest_and_its_size() -> None:
    assert link_to(LAYER) == link(LAYER)
