"""Requirements of the page descriptor that no other test covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import OCI_CONFIG, OCI_LAYER, Digest, Layout, Manifest, copy
from ocilayout.model.descriptor import Descriptor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.spec("descriptor:independent")
class TestIndependent:
    def test_algorithms_may_differ_within_one_document(self, tmp_path: Path) -> None:
        """A manifest with a sha512 config and sha256 and sha384 layers is read and copied."""
        layout = Layout.create(tmp_path / "a", durability="none")
        data = {"sha512": b"{}", "sha256": b"one", "sha384": b"two"}
        parts = [
            layout.blobs.put(
                content,
                media_type=OCI_CONFIG if algorithm == "sha512" else OCI_LAYER,
                expected=Descriptor.of(content, OCI_LAYER, algorithm),
            )
            for algorithm, content in data.items()
        ]
        layout.tag("a", layout.put_manifest(Manifest(config=parts[0], layers=tuple(parts[1:]))))
        target = Layout.create(tmp_path / "b", durability="none")
        copy(layout, "a", target)
        assert [target.blobs.read(part) for part in parts] == list(data.values())

    def test_one_digest_may_have_two_types(self, tmp_path: Path) -> None:
        """Both descriptors refer to the same blob, which is stored once."""
        layout = Layout.create(tmp_path / "a", durability="none")
        config = layout.blobs.put(b"{}", media_type=OCI_CONFIG)
        layer = layout.blobs.put(b"{}", media_type=OCI_LAYER)
        root = layout.put_manifest(Manifest(config=config, layers=(layer,)))
        assert [found.digest for found in layout.walk(root)] == [root.digest, Digest.of(b"{}")]
        assert layout.read_manifest(root) == Manifest(config=config, layers=(layer,))
