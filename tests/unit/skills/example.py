"""An example of a skill: its folder, and the config and the layer of its artifact."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from ocilayout import OCI_CONFIG, OCI_LAYER_GZIP
from skills.packaging.tar_writer import write_tar

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Descriptor, Layout

TEXT = "---\nname: hello\ndescription: Says hello\nversion: 1.2\nlicense: MIT\n---\n# Hello\n"
LABELS = {
    "dev.toolhive.skills.name": "hello",
    "dev.toolhive.skills.description": "Says hello",
    "dev.toolhive.skills.version": "1.2",
    "dev.toolhive.skills.license": "MIT",
}


def write_skill(folder: Path, name: str = "hello", text: str = TEXT) -> Path:
    """Write a skill of two files and return its folder."""
    path = folder / name
    (path / "docs").mkdir(parents=True, exist_ok=True)
    (path / "SKILL.md").write_text(text)
    (path / "docs" / "SKILL.md").write_text("another")
    return path


def config(layout: Layout, labels: object = None, **changes: object) -> Descriptor:
    """Store an image config with labels."""
    document: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": LABELS if labels is None else labels},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    return layout.blobs.put(json.dumps(document | changes).encode(), media_type=OCI_CONFIG)


def layer(layout: Layout, files: dict[str, bytes]) -> Descriptor:
    """Store a layer of files."""
    return layout.blobs.put(gzip.compress(write_tar(files, 0)), media_type=OCI_LAYER_GZIP)
