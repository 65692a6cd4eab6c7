"""Requirements of the pages manifest and image-index that no other test covers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Digest,
    Index,
    Layout,
    Manifest,
    copy,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Descriptor

NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"
KNOWN = [OCI_LAYER, OCI_LAYER_GZIP, NONDISTRIBUTABLE, f"{NONDISTRIBUTABLE}+gzip"]
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
).encode()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def arrives(layout: Layout, root: Descriptor, path: Path) -> bool:
    """Tell whether content can be tagged, walked, copied whole and checked without an error."""
    layout.tag("a", root)
    target = Layout.create(path, durability="none")
    copy(layout, "a", target)
    whole = {one.digest: target.blobs.read(one) for one in target.walk(root)}
    problems = {problem.code for problem in target.check() if problem.severity == "error"}
    return set(whole) == set(layout.blobs) and problems == set()


class TestLayers:
    @pytest.mark.spec("manifest:layer-types")
    @pytest.mark.parametrize("media_type", KNOWN)
    def test_the_types_of_the_text_are_stored_and_copied(
        self, layout: Layout, tmp_path: Path, media_type: str
    ) -> None:
        """A layer of each required type is copied unchanged."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        layer = layout.blobs.put(b"layer", media_type=media_type)
        root = layout.put_manifest(Manifest(config=config, layers=(layer,)))
        assert arrives(layout, root, tmp_path / "target")

    @pytest.mark.spec("manifest:layer-type-zstd")
    def test_a_layer_with_zstd_is_stored_and_copied(self, layout: Layout, tmp_path: Path) -> None:
        """Zstandard need not be understood to be stored."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        layer = layout.blobs.put(b"layer", media_type=OCI_LAYER_ZSTD)
        root = layout.put_manifest(Manifest(config=config, layers=(layer,)))
        assert arrives(layout, root, tmp_path / "target")

    @pytest.mark.spec("manifest:unknown-layers")
    def test_an_unknown_type_is_not_an_error(self, layout: Layout, tmp_path: Path) -> None:
        """A layer of an unknown type is opaque, and is copied."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        layer = layout.blobs.put(b"{broken", media_type="application/vnd.example.thing+json")
        root = layout.put_manifest(Manifest(config=config, layers=(layer,)))
        assert arrives(layout, root, tmp_path / "target")


class TestConfig:
    @pytest.mark.spec("manifest:unknown-config", "manifest:unknown-config-type")
    def test_an_unknown_type_is_neither_parsed_nor_an_error(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        """A config of another type may hold any bytes; in an image config they are an error."""
        config = layout.blobs.put(b"{broken", media_type="application/vnd.example.config+json")
        root = layout.put_manifest(Manifest(config=config))
        assert arrives(layout, root, tmp_path / "target")
        with pytest.raises(LookupError):
            copy(layout, "a", layout, platform="linux/amd64")
        image = layout.blobs.put(b"{broken", media_type=OCI_CONFIG)
        layout.tag("image", layout.put_manifest(Manifest(config=image)))
        assert "bad-json" in {problem.code for problem in layout.check()}

    @pytest.mark.spec("manifest:unknown-artifact-type")
    def test_an_unknown_artifact_type_is_not_an_error(self, layout: Layout, tmp_path: Path) -> None:
        """It is kept, and the manifest is copied."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        manifest = Manifest(config=config, artifact_type="application/vnd.example.thing")
        root = layout.put_manifest(manifest)
        assert layout.read_manifest(root) == manifest
        assert arrives(layout, root, tmp_path / "target")


@pytest.mark.spec("image-index:unknown-entries", "image-index:nested")
class TestIndexEntries:
    def test_an_index_may_list_anything(self, layout: Layout, tmp_path: Path) -> None:
        """A manifest, a nested index, and content of an unknown type are all copied."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        manifest = layout.put_manifest(Manifest(config=config))
        nested = layout.put_manifest(Index(manifests=(manifest,)))
        unknown = layout.blobs.put(b"?", media_type="application/vnd.example.thing")
        root = layout.put_manifest(Index(manifests=(nested, unknown, manifest)))
        assert arrives(layout, root, tmp_path / "target")
        assert Digest.of(b"?") in layout.blobs

    def test_the_type_in_the_index_decides_what_is_a_manifest(self, layout: Layout) -> None:
        """The media type in the content does not."""
        config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
        manifest = layout.put_manifest(Manifest(config=config))
        said = json.loads(layout.blobs.read(manifest))["mediaType"]
        other = layout.blobs.put(layout.blobs.read(manifest), media_type="a/b")
        root = layout.put_manifest(Index(manifests=(other,)))
        assert said == OCI_MANIFEST
        assert [one.digest for one in layout.walk(root)] == [root.digest, manifest.digest]
