"""Indexes: the required and the optional properties, and ambiguous documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.codec import decode, encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Index
from ocilayout.model.mediatype import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST
from ocilayout.model.platform import Platform

CHILD = Descriptor(
    media_type=OCI_MANIFEST,
    digest=Descriptor.of(b"x", OCI_MANIFEST).digest,
    size=1,
    platform=Platform(
        architecture="arm64", os="linux", os_version="10", os_features=["f"], variant="v8"
    ),
)
DOCUMENT: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": OCI_INDEX,
    "artifactType": "dev.toolhive.skills.v1",
    "manifests": [json.loads(encode(CHILD))],
    "subject": json.loads(encode(CHILD.plain())),
    "annotations": {"a": "b"},
}


def decoded(**changes: Any) -> Index:
    return decode(json.dumps({**DOCUMENT, **changes}).encode(), Index)


@pytest.mark.spec("image-index:manifests", "image-index:subject")
def test_every_property_is_read_and_written_in_the_specifications_order() -> None:
    found = decoded()
    assert (found.manifests, found.subject) == ((CHILD,), CHILD.plain())
    assert encode(found) == json.dumps(DOCUMENT, separators=(",", ":")).encode()


@pytest.mark.spec("image-index:manifests")
def test_a_new_index_has_an_empty_array_of_manifests() -> None:
    assert encode(Index()) == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    )


@pytest.mark.spec("media-types:docker")
def test_a_docker_manifest_list_is_an_index() -> None:
    assert decoded(mediaType=DOCKER_INDEX).media_type == DOCKER_INDEX


@pytest.mark.spec("image-index:manifests")
def test_manifests_may_be_null_as_go_programs_write_them() -> None:
    assert decoded(manifests=None).manifests == ()


@pytest.mark.spec("image-index:media-type-set")
def test_a_document_may_lack_its_media_type() -> None:
    data = b'{"schemaVersion":2,"manifests":[]}'
    found = decode(data, Index)
    assert found.media_type is None
    assert encode(found) == data


@pytest.mark.spec(
    "image-index:schema-version",
    "image-index:media-type",
    "manifest:unambiguous",
    "image-index:annotations",
)
@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"schemaVersion": 1}, "bad-version", "$.schemaVersion"),
        ({"mediaType": OCI_MANIFEST}, "wrong-value", "$.mediaType"),
        ({"mediaType": 1}, "wrong-type", "$.mediaType"),
        ({"manifests": [{}, 1]}, "wrong-type", "$.manifests[1]"),
        ({"annotations": {"a": 1}}, "wrong-type", "$.annotations.a"),
        ({"config": {}}, "ambiguous-document", "$.config"),
        ({"LAYERS": []}, "ambiguous-document", "$.LAYERS"),
        ({"Manifests": []}, "case-variant", "$.Manifests"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_at_its_place(
    changes: dict[str, Any], code: str, place: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        decoded(**changes)
    assert (code, place) in [(found.code, found.place) for found in caught.value.problems]


def test_the_constructor_refuses_an_ambiguous_index_too() -> None:
    with pytest.raises(DocumentError) as caught:
        Index(extra={"layers": []})
    assert [found.code for found in caught.value.problems] == ["ambiguous-document"]
