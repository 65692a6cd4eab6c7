"""How a document must match its descriptor, and the media type of a document without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.document import decode_document, document_type
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

if TYPE_CHECKING:
    from ocilayout.model.graph import Document

CONFIG = Descriptor.of(b"{}", OCI_CONFIG)
SILENT_MANIFEST = Manifest(media_type=None, config=CONFIG)
SILENT_INDEX = Index(media_type=None)


def read(document: Manifest | Index, media_type: str) -> Document:
    data = encode(document)
    return decode_document(data, Descriptor.of(data, media_type))


class TestDecodeDocument:
    @pytest.mark.spec(
        "image-index:media-type-set", "manifest:media-type-set", "image-index:manifest-entries"
    )
    @pytest.mark.parametrize(
        ("document", "media_type"),
        [
            (Manifest(config=CONFIG), OCI_MANIFEST),
            (Manifest(config=CONFIG, media_type=DOCKER_MANIFEST), DOCKER_MANIFEST),
            (Index(), OCI_INDEX),
            (Index(media_type=DOCKER_INDEX), DOCKER_INDEX),
            (SILENT_MANIFEST, OCI_MANIFEST),
            (SILENT_MANIFEST, DOCKER_MANIFEST),
            (SILENT_INDEX, OCI_INDEX),
            (SILENT_INDEX, DOCKER_INDEX),
        ],
    )
    def test_a_document_is_read_as_its_descriptor_says_unless_it_says_otherwise(
        self, document: Manifest | Index, media_type: str
    ) -> None:
        assert read(document, media_type) == document

    @pytest.mark.spec(
        "image-index:media-type", "manifest:media-type", "distribution:media-type-matches"
    )
    @pytest.mark.parametrize(
        ("document", "media_type", "code"),
        [
            (Manifest(config=CONFIG), DOCKER_MANIFEST, "media-type-differs"),
            (Index(media_type=DOCKER_INDEX), OCI_INDEX, "media-type-differs"),
            (Index(), OCI_MANIFEST, "wrong-value"),
            (Manifest(config=CONFIG), OCI_INDEX, "wrong-value"),
        ],
    )
    def test_a_document_of_another_type_than_its_descriptor_says_is_refused(
        self, document: Manifest | Index, media_type: str, code: str
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            read(document, media_type)
        assert (code, "$.mediaType") in [
            (problem.code, problem.place) for problem in caught.value.problems
        ]

    @pytest.mark.spec("manifest:unambiguous")
    def test_a_document_that_could_be_read_as_either_kind_is_refused(self) -> None:
        """CVE-2021-41190."""
        document = {**json.loads(encode(SILENT_MANIFEST)), "manifests": []}
        data = json.dumps(document).encode()
        for media_type in (OCI_MANIFEST, OCI_INDEX):
            with pytest.raises(DocumentError) as caught:
                decode_document(data, Descriptor.of(data, media_type))
            assert {problem.code for problem in caught.value.problems} == {"ambiguous-document"}

    @pytest.mark.parametrize("media_type", [OCI_LAYER, OCI_CONFIG, "text/plain"])
    def test_content_of_other_types_is_not_a_document(self, media_type: str) -> None:
        with pytest.raises(DocumentError) as caught:
            read(Index(), media_type)
        assert [problem.code for problem in caught.value.problems] == ["not-a-manifest"]

    @pytest.mark.spec("considerations:limits", "distribution:manifest-size")
    def test_a_document_beyond_the_limit_is_refused(self) -> None:
        data = b" " * MAX_DOCUMENT + b"{}"
        with pytest.raises(LimitExceededError):
            decode_document(data, Descriptor.of(data, OCI_INDEX))


class TestDocumentType:
    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            ({"mediaType": "text/plain", "manifests": []}, "text/plain"),
            ({"mediaType": None, "manifests": []}, OCI_INDEX),
            ({"manifests": None}, OCI_INDEX),
            ({"layers": []}, OCI_MANIFEST),
            ({"mediaType": 1}, OCI_MANIFEST),
            ({}, OCI_MANIFEST),
        ],
    )
    def test_the_document_names_it_or_its_properties_suggest_it(
        self, document: dict[str, Any], expected: str
    ) -> None:
        assert document_type(json.dumps(document).encode()) == expected

    def test_bytes_that_are_not_an_object_have_no_type(self) -> None:
        with pytest.raises(DocumentError):
            document_type(b"[]")
