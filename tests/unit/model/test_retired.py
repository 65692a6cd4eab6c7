"""Manifests of retired types: the content that they refer to is read, and nothing else checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import copy
from ocilayout.errors import BlobNotFoundError, DocumentError
from ocilayout.layout.layout import Layout
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.document import decode_document, document_type
from ocilayout.model.graph import successors
from ocilayout.model.manifest import Index
from ocilayout.model.mediatype import (
    DOCKER_LAYER_GZIP,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    OCI_ARTIFACT,
    OCI_LAYER,
    OCI_MANIFEST,
    ORAS_ARTIFACT,
)
from ocilayout.model.retired import ArtifactManifest, FsLayer, Schema1Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.model.graph import Document

pytestmark = pytest.mark.spec("media-types:retired")

BLOB = Descriptor.of(b"blob", "text/plain")
SUBJECT = Descriptor.of(b"subject", OCI_MANIFEST)
ARTIFACTS = pytest.mark.parametrize("media_type", [OCI_ARTIFACT, ORAS_ARTIFACT])
SCHEMA1 = pytest.mark.parametrize("media_type", [DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED])


def raw(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }


def read(document: dict[str, Any], media_type: str) -> Document:
    data = json.dumps(document).encode()
    return decode_document(data, Descriptor.of(data, media_type))


@ARTIFACTS
class TestArtifactManifest:
    def test_it_refers_to_its_blobs_and_its_subject(self, media_type: str) -> None:
        document = read(
            {
                "mediaType": media_type,
                "artifactType": "x/y",
                "blobs": [raw(BLOB), raw(BLOB)],
                "subject": raw(SUBJECT),
                "annotations": {"a": "b"},
            },
            media_type,
        )
        assert successors(document) == (BLOB, BLOB)
        assert document.subject == SUBJECT
        assert document.artifact_type == "x/y"
        assert dict(document.annotations) == {"a": "b"}

    @pytest.mark.parametrize(
        "document", [{}, {"blobs": None}, {"blobs": []}, {"artifactType": None, "subject": None}]
    )
    def test_every_property_may_be_absent_or_null(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        found = read(document, media_type)
        assert (successors(found), found.subject, found.artifact_type) == ((), None, None)

    def test_unknown_properties_are_kept(self, media_type: str) -> None:
        data = encode(ArtifactManifest(media_type=media_type, extra={"x": [1]}))
        assert encode(decode_document(data, Descriptor.of(data, media_type))) == data

    @pytest.mark.parametrize(
        "document",
        [
            {"blobs": {}},
            {"blobs": [1]},
            {"blobs": [{"mediaType": "a/b", "digest": "x", "size": 1}]},
            {"subject": 1},
            {"artifactType": 1},
            {"annotations": {"a": 1}},
            {"mediaType": OCI_MANIFEST},
            {"manifests": []},
            {"layers": []},
            {"config": raw(BLOB)},
            {"Blobs": []},
        ],
    )
    def test_a_document_that_could_be_read_otherwise_is_refused(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        with pytest.raises(DocumentError):
            read(document, media_type)


@SCHEMA1
class TestSchema1:
    def test_each_layer_counts_once_in_the_size_that_a_store_has(self, media_type: str) -> None:
        first, second = (Digest.of(data) for data in (b"1", b"2"))
        layers = [{"blobSum": digest} for digest in (first, second, first)]
        data = json.dumps(
            {"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": layers}
        ).encode()
        asked: list[Digest] = []

        def size(digest: Digest) -> int:
            asked.append(digest)
            return 7 if digest == first else 0

        document = decode_document(data, Descriptor.of(data, media_type), size=size)
        assert successors(document) == tuple(
            Descriptor(media_type=DOCKER_LAYER_GZIP, digest=digest, size=length)
            for digest, length in ((first, 7), (second, 0))
        )
        assert asked == [first, second]

    def test_it_has_no_subject_no_annotations_and_no_artifact_type(self, media_type: str) -> None:
        document = read({"fsLayers": [], "annotations": {"a": 1}, "subject": 1}, media_type)
        assert (document.subject, document.artifact_type) == (None, None)
        assert document.annotations == {}

    @pytest.mark.parametrize(
        "document",
        [
            {"fsLayers": {}},
            {"fsLayers": [1]},
            {"fsLayers": [{}]},
            {"fsLayers": [{"blobSum": "x"}]},
            {"mediaType": OCI_MANIFEST},
            *({name: []} for name in ("manifests", "layers", "config", "blobs")),
        ],
    )
    def test_a_document_that_could_be_read_otherwise_is_refused(
        self, document: dict[str, Any], media_type: str
    ) -> None:
        with pytest.raises(DocumentError):
            read(document, media_type)

    def test_a_layer_cannot_be_of_a_negative_size(self, media_type: str) -> None:
        with pytest.raises(DocumentError):
            Schema1Manifest(
                media_type=media_type, fs_layers=[FsLayer(blob_sum=BLOB.digest, size=-1)]
            )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"fsLayers": []}, DOCKER_SCHEMA1),
        ({"fsLayers": [], "signatures": []}, DOCKER_SCHEMA1_SIGNED),
        ({"fsLayers": [], "mediaType": OCI_ARTIFACT}, OCI_ARTIFACT),
    ],
)
def test_the_type_of_a_manifest_without_media_type_is_in_its_properties(
    document: dict[str, Any], expected: str
) -> None:
    assert document_type(json.dumps(document).encode()) == expected


class TestInALayout:
    """The content of a retired manifest is walked, copied and kept, also in an index."""

    @pytest.fixture
    def layout(self, tmp_path: Path) -> Layout:
        return Layout.create(tmp_path / "layout", durability="none")

    @pytest.mark.parametrize("nested", [False, True])
    @pytest.mark.parametrize(
        "media_type", [OCI_ARTIFACT, ORAS_ARTIFACT, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED]
    )
    def test_its_parts_are_copied(
        self, layout: Layout, tmp_path: Path, media_type: str, *, nested: bool
    ) -> None:
        part = layout.blobs.put(b"part", media_type=DOCKER_LAYER_GZIP)
        name = "blobs" if "artifact" in media_type else "fsLayers"
        item = raw(part) if name == "blobs" else {"blobSum": part.digest}
        data = json.dumps({name: [item, item]}).encode()
        root = inner = layout.put_manifest(data, media_type=media_type)
        if nested:
            root = layout.put_manifest(Index(manifests=[inner]))
        layout.tag("a", root)
        target = Layout.create(tmp_path / "target", durability="none")
        assert copy(layout, "a", target) == root
        assert set(target.blobs) == {root.digest, inner.digest, part.digest}
        assert list(target.walk(root))[-1] == part
        assert target.check() == ()

    def test_a_copy_without_a_layer_of_it_is_refused(self, layout: Layout, tmp_path: Path) -> None:
        data = json.dumps({"fsLayers": [{"blobSum": BLOB.digest}]}).encode()
        layout.tag("a", layout.put_manifest(data, media_type=DOCKER_SCHEMA1))
        with pytest.raises(BlobNotFoundError):
            copy(layout, "a", Layout.create(tmp_path / "target", durability="none"))

    def test_it_can_be_a_subject_and_a_referrer(self, layout: Layout) -> None:
        about = layout.put_manifest(b'{"blobs":[]}', media_type=OCI_ARTIFACT)
        data = encode(
            ArtifactManifest(media_type=ORAS_ARTIFACT, artifact_type="x/y", subject=about)
        )
        signature = layout.put_manifest(data, media_type=ORAS_ARTIFACT)
        layout.tag("a", about)
        layout.tag("b", layout.put_manifest(Index(manifests=[signature])))
        (found,) = layout.referrers(about.digest)
        assert (found.digest, found.artifact_type) == (signature.digest, "x/y")


def test_an_artifact_manifest_of_opaque_layers_lists_them() -> None:
    layer = Descriptor.of(b"x", OCI_LAYER)
    assert successors(ArtifactManifest(blobs=[layer])) == (layer,)
