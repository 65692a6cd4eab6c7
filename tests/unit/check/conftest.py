"""A layout that is written by hand, so that the tests of a check can break it in any way."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.check.fsck import iter_problems
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
STORES = Path(__file__).parents[2] / "vectors" / "toolhive" / "stores"
NOTES = Path(__file__).parents[3] / "spec-notes" / "problems.md"
DASH = "\N{EN DASH}"
ABSENT = "sha256:" + "0" * 64
UNKNOWN = "newhash:" + "a" * 64
NAME_PLACE = f'annotations["{REF_NAME}"]'
TOP = "index.json$.manifests[0]"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": []},
}


class Store:
    """A layout that is written by hand, so that it can be wrong in any way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        (root / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
        self.index: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [],
        }
        self.save()

    def save(self) -> None:
        self.raw(json.dumps(self.index).encode())

    def raw(self, data: bytes) -> None:
        (self.root / "index.json").write_bytes(data)

    def put(self, data: bytes, media_type: str = OCI_LAYER, digest: str = "") -> dict[str, Json]:
        digest = digest or str(Digest.of(data))
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def path(self, digest: str) -> Path:
        return self.root / place_of(digest)

    def manifest(self, **changes: Json) -> dict[str, Json]:
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.put(json.dumps(CONFIG).encode(), OCI_CONFIG),
            "layers": [self.put(b"layer")],
            **changes,
        }
        return self.document(json.dumps(document).encode())

    def document(self, data: bytes, media_type: str = OCI_MANIFEST) -> dict[str, Json]:
        return self.put(data, media_type)

    def enter(
        self, descriptor: dict[str, Json], name: str | None = "v1", **changes: Json
    ) -> dict[str, Json]:
        entry = {**descriptor, **changes}
        if name is not None:
            entry["annotations"] = {**entry.get("annotations", {}), REF_NAME: name}
        self.index["manifests"].append(entry)
        self.save()
        return descriptor


def place_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def seen(root: Path, **options: Any) -> list[tuple[str, str, str]]:
    return [
        (problem.severity, problem.code, problem.place)
        for problem in iter_problems(root, **options)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    os.umask(0o022)
    return Store(tmp_path / "layout")


@contextmanager
def as_user() -> Iterator[None]:
    """Be a user whom permissions restrict, which they do not the superuser."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
