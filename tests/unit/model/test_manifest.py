"""Manifests: the required and the optional properties, and ambiguous documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.codec import decode, encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

CONFIG = Descriptor.of(b"{}", OCI_CONFIG)
LAYER = Descriptor.of(b"x", OCI_LAYER)
DOCUMENT: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "artifactType": "dev.toolhive.skills.v1",
    "config": json.loads(encode(CONFIG)),
    "layers": [json.loads(encode(LAYER))],
    "subject": json.loads(encode(LAYER)),
    "annotations": {"a": "b"},
}


def decoded(**changes: Any) -> Manifest:
    return decode(json.dumps({**DOCUMENT, **changes}).encode(), Manifest)


@pytest.mark.spec("manifest:config", "manifest:layers", "manifest:layer-order", "manifest:subject")
def test_every_property_is_read_and_written_in_the_specifications_order() -> None:
    found = decoded()
    assert (found.config, found.layers, found.subject) == (CONFIG, (LAYER,), LAYER)
    assert found.artifact_type == "dev.toolhive.skills.v1"
    assert encode(found) == json.dumps(DOCUMENT, separators=(",", ":")).encode()


def test_a_manifest_of_a_config_alone_has_an_empty_array_of_layers() -> None:
    assert json.loads(encode(Manifest(config=CONFIG))) == {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": DOCUMENT["config"],
        "layers": [],
    }


@pytest.mark.spec("media-types:docker")
def test_a_docker_manifest_is_a_manifest() -> None:
    assert decoded(mediaType=DOCKER_MANIFEST).media_type == DOCKER_MANIFEST


@pytest.mark.spec("manifest:layers", "manifest:layers-set")
@pytest.mark.parametrize("layers", [[], None])
def test_it_may_have_no_layers(layers: list[Any] | None) -> None:
    assert decoded(layers=layers).layers == ()


@pytest.mark.spec("manifest:media-type-set")
def test_a_document_may_lack_its_media_type() -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != "mediaType"}
    data = json.dumps(document, separators=(",", ":")).encode()
    found = decode(data, Manifest)
    assert found.media_type is None
    assert encode(found) == data


@pytest.mark.spec(
    "manifest:schema-version",
    "manifest:media-type",
    "manifest:config",
    "manifest:layers",
    "manifest:annotations",
    "manifest:unambiguous",
)
@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"schemaVersion": 1}, "bad-version", "$.schemaVersion"),
        ({"schemaVersion": None}, "missing-property", "$.schemaVersion"),
        ({"schemaVersion": "2"}, "wrong-type", "$.schemaVersion"),
        ({"schemaVersion": True}, "wrong-type", "$.schemaVersion"),
        ({"schemaVersion": 2.0}, "wrong-type", "$.schemaVersion"),
        ({"mediaType": OCI_INDEX}, "wrong-value", "$.mediaType"),
        ({"config": None}, "missing-property", "$.config"),
        ({"config": []}, "wrong-type", "$.config"),
        ({"layers": {}}, "wrong-type", "$.layers"),
        ({"layers": [1]}, "wrong-type", "$.layers[0]"),
        ({"subject": "x"}, "wrong-type", "$.subject"),
        ({"annotations": []}, "wrong-type", "$.annotations"),
        ({"artifactType": 1}, "wrong-type", "$.artifactType"),
        ({"manifests": []}, "ambiguous-document", "$.manifests"),
        ({"Manifests": None}, "ambiguous-document", "$.Manifests"),
        ({"Config": {}}, "case-variant", "$.Config"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_at_its_place(
    changes: dict[str, Any], code: str, place: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        decoded(**changes)
    assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]


@pytest.mark.parametrize(
    ("values", "code", "place"),
    [
        ({"schema_version": True}, "bad-version", "$.schemaVersion"),
        ({"config": None}, "wrong-type", "$.config"),
        ({"layers": [None]}, "wrong-type", "$.layers[0]"),
        ({"extra": {"manifests": []}}, "ambiguous-document", "$.manifests"),
    ],
)
def test_the_constructor_refuses_it_too(values: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        Manifest(**{"config": CONFIG, **values})
    assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]
