"""Layouts made by hand, byte by byte, so that they depend on no program's view of the format."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
REF_NAME: Final = "org.opencontainers.image.ref.name"
NOTE: Final = "com.example.note"

Json = dict[str, Any]


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def layer(text: str) -> tuple[bytes, str]:
    """Return a tar.gz with one file `which` of this text, and the digest of the tar."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        member = tarfile.TarInfo("which")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    tarred = raw.getvalue()
    return gzip.compress(tarred, mtime=0), "sha256:" + hashlib.sha256(tarred).hexdigest()


class Folder:
    """A layout on disk under construction.

    Attributes:
        path: Its path.
        entries: The entries of the root index, as they will be written.
        index: The other properties of the root index.
        texts: The text of each image, by the digest of its manifest and of its config.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Json] = []
        self.index: Json = {"schemaVersion": 2, "mediaType": INDEX}
        self.texts: dict[str, str] = {}
        (path / "blobs" / "sha256").mkdir(parents=True)
        self.write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def write(self, name: str, data: bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def blob(self, data: bytes, media_type: str, algorithm: str = "sha256", **more: Any) -> Json:
        """Store content and return its descriptor."""
        encoded = hashlib.new(algorithm, data).hexdigest()
        self.write(f"blobs/{algorithm}/{encoded}", data)
        return {
            "mediaType": media_type,
            "digest": f"{algorithm}:{encoded}",
            "size": len(data),
            **more,
        }

    def place(self, descriptor: Json) -> Path:
        """Return the path of the content of a descriptor."""
        algorithm, _, encoded = str(descriptor["digest"]).partition(":")
        return self.path / "blobs" / algorithm / encoded

    def parts(self, text: str, *, docker: bool = False) -> tuple[Json, Json]:
        """Store a config and a layer of an image, and return their descriptors."""
        packed, diff_id = layer(text)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created_by": text}],
        }
        described = self.blob(dump(config), DOCKER_CONFIG if docker else CONFIG)
        self.texts[described["digest"]] = text
        return described, self.blob(packed, DOCKER_LAYER if docker else LAYER)

    def document(self, text: str, *, docker: bool = False, **changes: Any) -> Json:
        """Return the manifest of an image; a change to `...` leaves a property out."""
        config, packed = self.parts(text, docker=docker)
        manifest: Json = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else MANIFEST,
            "config": config,
            "layers": [packed],
        }
        manifest.update(changes)
        return {key: value for key, value in manifest.items() if value is not ...}

    def image(
        self,
        text: str,
        *,
        docker: bool = False,
        algorithm: str = "sha256",
        **changes: Any,
    ) -> Json:
        """Store an image and return the descriptor of its manifest."""
        return self.manifest(
            self.document(text, docker=docker, **changes),
            DOCKER_MANIFEST if docker else MANIFEST,
            text,
            algorithm,
        )

    def manifest(
        self, document: Json | bytes, media_type: str, text: str, algorithm: str = "sha256"
    ) -> Json:
        """Store a document and return its descriptor."""
        data = document if isinstance(document, bytes) else dump(document)
        described = self.blob(data, media_type, algorithm)
        self.texts[described["digest"]] = text
        return described

    def enter(self, descriptor: Json, name: str | None, **annotations: str) -> Json:
        """Add an entry for content, tagged or untagged, and return it."""
        noted = {**({} if name is None else {REF_NAME: name}), **annotations}
        entry = {**descriptor, **({"annotations": noted} if noted else {})}
        self.entries.append(entry)
        return entry

    def finish(self, data: bytes | None = None) -> None:
        """Write the root index, or these bytes instead."""
        if data is None:
            data = dump({**self.index, "manifests": self.entries})
        self.write("index.json", data)
