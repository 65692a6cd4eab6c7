"""What a document refers to, as a collection sees it: its parts, its subject, and what it names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.layout.reach import Pointer, references
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.document import decode_document
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


def read(document: dict[str, Any], media_type: str) -> list[Pointer]:
    data = json.dumps(document).encode()
    found = references(decode_document(data, Descriptor.of(data, media_type)))
    return [to if isinstance(to, Digest) else to.plain() for to in found]


MANIFEST = {"schemaVersion": 2, "config": raw(CONFIG), "layers": [raw(LAYER)]}
INDEX = {"schemaVersion": 2, "manifests": [raw(IMAGE)]}


class TestReferences:
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
        assert read({**MANIFEST, **rest}, OCI_MANIFEST) == [CONFIG, LAYER]

    @pytest.mark.parametrize("rest", [{}, {"platform": {"os": "linux", "architecture": "arm"}}])
    def test_an_index_leads_to_its_manifests(self, rest: dict[str, Any]) -> None:
        assert read({**INDEX, "manifests": [raw(IMAGE, **rest)]}, OCI_INDEX) == [IMAGE]

    @pytest.mark.parametrize("rest", [{}, {"x": 1}])
    def test_manifests_and_indexes_lead_to_their_subject(self, rest: dict[str, Any]) -> None:
        subject = {"subject": raw(IMAGE), **rest}
        assert IMAGE in read({**MANIFEST, **subject}, OCI_MANIFEST)
        assert read({"schemaVersion": 2, "manifests": [], **subject}, OCI_INDEX) == [IMAGE]

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
    def test_an_invalid_document_leads_nowhere(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        with pytest.raises(DocumentError):
            read(document, media_type)


@pytest.mark.spec("media-types:unknown")
class TestUnknownProperties:
    """What a property names that nothing here understands is referred to by its digest alone."""

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
    def test_digests_in_it_are_references(self, document: dict[str, Any], media_type: str) -> None:
        assert Digest.parse(self.NAMED) in read(document, media_type)

    def test_annotations_and_urls_are_understood_and_refer_to_nothing(self) -> None:
        told = raw(LAYER, annotations={"x": self.NAMED}, urls=[f"https://x.example/{self.NAMED}"])
        document = {**MANIFEST, "layers": [told], "annotations": {"x": self.NAMED}}
        assert read(document, OCI_MANIFEST) == [CONFIG, LAYER]
