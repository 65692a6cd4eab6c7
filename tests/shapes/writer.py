"""The files of a layout, written with plain JSON and hashes, and the register of shapes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Entry = dict[str, Any]

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
MANIFEST, INDEX, CONFIG = (f"{OCI}.{kind}.v1+json" for kind in ("manifest", "index", "config"))
LAYER, EMPTY = f"{OCI}.layer.v1.tar", "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = f"{DOCKER}.distribution.manifest.v2+json"
DOCKER_LIST = f"{DOCKER}.distribution.manifest.list.v2+json"
DOCKER_CONFIG, DOCKER_LAYER = f"{DOCKER}.container.image.v1+json", f"{DOCKER}.image.rootfs.diff.tar"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NAME, CREATED = "org.opencontainers.image.ref.name", "org.opencontainers.image.created"
FULL, TITLE = "io.containerd.image.name", "org.opencontainers.image.title"
EPOCH = "1970-01-01T00:00:00Z"
UNKNOWN = {"architecture": "unknown", "os": "unknown"}
TEN = (
    *("amd64", "arm/v5", "arm/v6", "arm/v7", "arm64/v8"),
    *("386", "mips64le", "ppc64le", "riscv64", "s390x"),
)
SHAPES: Final[dict[str, Callable[[Path], None]]] = {}


def shape(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Register a function that makes a layout."""
    SHAPES[make.__name__] = make
    return make


class Writer:
    """Writes the files of one layout.

    Args:
        path: The folder, which is made.
        indent: What indents each document, for programs that indent.
    """

    def __init__(self, path: Path, *, indent: int | None = None) -> None:
        self.path, self.indent = path, indent
        self.blobs = path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def blob(self, data: Any, media_type: str, /, *, absent: bool = False, **more: Any) -> Entry:
        """Write bytes or a document, unless absent, and return a descriptor of it."""
        if not isinstance(data, bytes):
            data = json.dumps(data, indent=self.indent).encode()
        encoded = hashlib.sha256(data).hexdigest()
        if not absent:
            (self.blobs / encoded).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(data), **more}

    def image(self, text: str, platform: str = "amd64", **options: Any) -> Entry:
        """Write an image of one layer and return its descriptor, without platform.

        Args:
            text: What the only file of the layer says.
            platform: The architecture, and the variant after a slash.
            options: `docker` for media types of Docker, `plain` for a layer that is not
                compressed, `absent` to write nothing, `typed=False` for a manifest that does not
                say its media type; `config` and `manifest` hold more fields.
        """
        docker, absent = options.get("docker", False), options.get("absent", False)
        tar = layer_tar(text)
        data, suffix = (tar, "") if options.get("plain") else (gzip.compress(tar, mtime=0), "gzip")
        layer_type = DOCKER_LAYER + f".{suffix}" if docker else LAYER + f"+{suffix}" * bool(suffix)
        architecture, _, variant = platform.partition("/")
        config = {
            **({"variant": variant} if variant else {}),
            "architecture": architecture,
            "os": "linux",
            "created": EPOCH,
            "config": {"Env": ["PATH=/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
            "history": [{"created": EPOCH, "created_by": "COPY file / # a program"}],
            **options.get("config", {}),
        }
        media_type = DOCKER_MANIFEST if docker else MANIFEST
        document = {
            "schemaVersion": 2,
            **({"mediaType": media_type} if options.get("typed", True) else {}),
            "config": self.blob(config, DOCKER_CONFIG if docker else CONFIG, absent=absent),
            **options.get("manifest", {}),
        }
        if "layers" not in document:
            document["layers"] = [self.blob(data, layer_type, absent=absent)]
        return self.blob(document, media_type, absent=absent)

    def artifact(self, config: Entry, *layers: Entry, **more: Any) -> Entry:
        """Write a manifest of any content and return its descriptor."""
        head = {"schemaVersion": 2, "mediaType": MANIFEST}
        return self.blob({**head, "config": config, "layers": layers, **more}, MANIFEST)

    def signature(self, subject: Entry, **more: Any) -> Entry:
        """Write a bundle of Sigstore about a subject, as `cosign sign` of version 3 attaches it."""
        payload = base64.b64encode(json.dumps({"subject": subject["digest"]}).encode()).decode()
        bundle = self.blob({"mediaType": BUNDLE, "dsseEnvelope": {"payload": payload}}, BUNDLE)
        kind = {"artifactType": BUNDLE, "subject": plain(subject)}
        return {**self.artifact(self.blob(b"{}", EMPTY), bundle, **kind), **more}

    def index(self, *children: Entry, media_type: str = INDEX) -> Entry:
        """Write an index and return its descriptor."""
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": children}
        return self.blob(document, media_type)

    def finish(self, *entries: Entry, files: dict[str, Any] | None = None, **more: Any) -> None:
        """Write `oci-layout`, `index.json` of such entries, and other files."""
        head = {"schemaVersion": 2, "mediaType": INDEX, **more}
        root = {key: value for key, value in head.items() if value is not None}
        whole = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, **(files or {})}
        for name, document in (*whole.items(), ("index.json", {**root, "manifests": entries})):
            (self.path / name).write_text(json.dumps(document, indent=self.indent))


def layer_tar(text: str) -> bytes:
    """Make the tar of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()


def plain(entry: Entry) -> Entry:
    """Return what identifies content: no annotations and no platform."""
    return {key: entry[key] for key in ("mediaType", "digest", "size")}


def on(entry: Entry, platform: str, **more: Any) -> Entry:
    """Return a descriptor that says a platform of Linux."""
    architecture, _, variant = platform.partition("/")
    said = {
        "architecture": architecture,
        "os": "linux",
        **({"variant": variant} if variant else {}),
    }
    return {**entry, "platform": said, **more}


def called(entry: Entry, name: str, full: str = "", **annotations: str) -> Entry:
    """Return an entry with a name, and with the full name of containerd."""
    return {
        **entry,
        "annotations": {NAME: name, **({FULL: full} if full else {}), **annotations},
    }


def of_ten(writer: Writer, image: str) -> tuple[Entry, Entry]:
    """Return the one image that was pulled, and an index that lists ten."""
    images = [on(writer.image(image, one, absent=one != TEN[0]), one) for one in TEN]
    return images[0], writer.index(*images)
