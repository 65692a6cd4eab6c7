"""Media types: RFC 6838 at its edges, and which types have successors."""

from __future__ import annotations

import pytest

from ocilayout.model import mediatype
from ocilayout.model.mediatype import (
    DOCUMENT_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    RETIRED_TYPES,
    is_media_type,
    is_understood,
)

KNOWN = [
    value
    for name, value in vars(mediatype).items()
    if name.startswith(("OCI_", "ORAS_", "DOCKER_", "OCTET_"))
]


@pytest.mark.spec("descriptor:media-type", "manifest:config-type-form", "manifest:layer-type-form")
class TestGrammar:
    @pytest.mark.parametrize(
        "text", [*KNOWN, "a/b", "0/9", "a!#$&-^_.+/b!#$&-^_.+", f"{'a' * 127}/{'b' * 127}"]
    )
    def test_two_restricted_names_are_a_media_type(self, text: str) -> None:
        assert is_media_type(text)

    @pytest.mark.parametrize(
        "text",
        [
            *["", "a", "a/", "/b", "a/b/c", "a/ b", "a/b\n", ".a/b", "a/+b", "a/b;q=1", "\u00e9/b"],
            *[f"{'a' * 128}/b", f"a/{'b' * 128}"],
        ],
    )
    def test_any_other_text_is_not_a_media_type(self, text: str) -> None:
        assert not is_media_type(text)


@pytest.mark.spec("media-types:docker")
def test_manifests_and_indexes_of_both_families_are_documents() -> None:
    assert {mediatype.OCI_INDEX, mediatype.DOCKER_INDEX} == INDEX_TYPES
    assert {mediatype.OCI_MANIFEST, mediatype.DOCKER_MANIFEST} == MANIFEST_TYPES
    assert INDEX_TYPES | MANIFEST_TYPES < DOCUMENT_TYPES


@pytest.mark.spec("media-types:retired")
def test_retired_manifests_are_documents() -> None:
    retired = {mediatype.OCI_ARTIFACT, mediatype.ORAS_ARTIFACT} | mediatype.SCHEMA1_TYPES
    assert DOCUMENT_TYPES - INDEX_TYPES - MANIFEST_TYPES == RETIRED_TYPES == retired


@pytest.mark.spec("media-types:unknown")
@pytest.mark.parametrize(
    "media_type",
    [
        *sorted(DOCUMENT_TYPES),
        *(mediatype.OCI_CONFIG, mediatype.DOCKER_CONFIG, mediatype.OCI_EMPTY),
        *(mediatype.OCI_LAYER, mediatype.OCI_LAYER_ZSTD, mediatype.DOCKER_LAYER_GZIP),
    ],
)
def test_types_of_an_image_are_understood(media_type: str) -> None:
    assert is_understood(media_type)


@pytest.mark.spec("media-types:unknown")
@pytest.mark.parametrize(
    "media_type",
    [
        *("", "text/plain", "application/json", mediatype.OCTET_STREAM),
        *("application/vnd.cncf.helm.config.v1+json", "application/vnd.oci.image.index.v2+json"),
        *("application/vnd.in-toto+json", "application/vnd.oci.image.manifest.v1+JSON"),
    ],
)
def test_other_types_are_not_understood(media_type: str) -> None:
    assert not is_understood(media_type)
