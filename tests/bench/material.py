"""The layouts that are measured: root indexes, stores of many manifests, and an image."""

from __future__ import annotations

import hashlib
import json
import os
import random
from typing import TYPE_CHECKING, Any, Final

from ocilayout import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST, Descriptor, Layout, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MEBIBYTE: Final = 1024 * 1024

_REF_NAME: Final = "org.opencontainers.image.ref.name"


def name_of(number: int) -> str:
    """Return the name of an entry."""
    return f"tag-{number:06d}"


def make_index(folder: Path, count: int) -> bytes:
    """Make a layout whose index has `count` tagged entries, without their content.

    Returns:
        The bytes of `index.json`.
    """
    Layout.create(folder, durability="none")
    digests = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(count))
    return _write_index(folder, ((digest, 400 + number) for number, digest in enumerate(digests)))


def make_store(folder: Path, count: int) -> None:
    """Make a layout of `count` tagged manifests, each with a layer of its own."""
    Layout.create(folder, durability="none")
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir()

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    config = put(b"{}", OCI_EMPTY)
    written = []
    for number in range(count):
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "text/plain",
            "config": config,
            "layers": [put(b"layer %d" % number, "text/plain")],
        }
        manifest = put(json.dumps(document, separators=(",", ":")).encode(), OCI_MANIFEST)
        written.append((manifest["digest"].removeprefix("sha256:"), manifest["size"]))
    _write_index(folder, written)


def make_image(folder: Path, mebibytes: int) -> Layout:
    """Make a layout of one image with the tag `image`; its eight layers add up to this size."""
    layout = Layout.create(folder, durability="none")
    source = random.Random(0)  # the same bytes in each run; not used for secrets
    layers = [
        layout.blobs.put(source.randbytes(mebibytes * MEBIBYTE // 8), media_type=OCI_LAYER)
        for _ in range(8)
    ]
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    manifest = Manifest(artifact_type="text/plain", config=config, layers=layers)
    layout.tag("image", layout.put_manifest(manifest))
    return layout


def make_file(path: Path, mebibytes: int) -> None:
    """Write a file of this size, in MiB."""
    data = random.Random(0).randbytes(MEBIBYTE)
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(data)


def put_something(folder: Path) -> Descriptor:
    """Store a blob to tag, and return its descriptor."""
    return Layout.open(folder, durability="none").blobs.put(b"{}", media_type=OCI_EMPTY)


def _write_index(folder: Path, manifests: Iterable[tuple[str, int]]) -> bytes:
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": f"sha256:{digest}",
            "size": size,
            "annotations": {_REF_NAME: name_of(number)},
        }
        for number, (digest, size) in enumerate(manifests)
    ]
    document = {"schemaVersion": 2, "manifests": entries}
    data = json.dumps(document, separators=(",", ":")).encode()
    path = folder / "index.json"
    path.write_bytes(data)
    # A file with a recent time would be read twice, since it may change unseen.
    os.utime(path, (0, 0))
    return data
