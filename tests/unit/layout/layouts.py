"""Contents for layouts under test, and what can be asked of their folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    OCI_EMPTY,
    OCI_LAYER,
)
from ocilayout.model.platform import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.layout.layout import Layout


def put_artifact(
    layout: Layout, *layers: str, config: bytes = b"{}", subject: Descriptor | None = None
) -> Descriptor:
    """Store a manifest with layers of these texts; it has no entry."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(config, media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in layers],
            subject=subject,
        )
    )


def put_image(layout: Layout, *layers: str) -> Descriptor:
    """Store an index of two platforms, each with a layer of its own and the given ones."""
    children = []
    for architecture in ("amd64", "arm64"):
        child = put_artifact(layout, *layers, architecture, config=f'["{architecture}"]'.encode())
        children.append(
            Descriptor(
                media_type=child.media_type,
                digest=child.digest,
                size=child.size,
                platform=Platform(architecture=architecture, os="linux"),
            )
        )
    return layout.put_manifest(Index(manifests=children))


def is_whole(layout: Layout, descriptor: Descriptor) -> bool:
    """Return whether all parts of content exist and verify."""
    return all(layout.blobs.read(found) is not None for found in layout.walk(descriptor))


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Identify every file and folder below a folder, and the folder: which, and since when."""
    return {
        str(path.relative_to(root)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in [root, *root.rglob("*")]
    }


def blob(layout: Layout, data: object, media_type: str, **more: object) -> dict[str, Any]:
    """Store content, and return a descriptor of it as JSON."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    digest = str(layout.blobs.put(data, media_type=media_type).digest)
    return {"mediaType": media_type, "digest": digest, "size": len(data), **more}
