"""Archives of `docker save` of each age, made from nothing; a script prints them as files.

`python -m tests.docker_tars FOLDER` writes one of each into a folder, to try programs on.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from ocilayout import DockerArchive, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor

NAMES: Final = ("app:v1", "localhost:5000/team/app:v1")

Files = dict[str, bytes | str]
"""Files by their paths; text is what a symbolic link leads to."""


def packed(files: Files) -> bytes:
    """Return a tar of files and links, in their order, with a folder before the first in it."""
    file = io.BytesIO()
    folders = set()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            folder = name.rpartition("/")[0]
            if folder and folder not in folders:
                folders.add(folder)
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def opened(files: Files, *, unpack_limit: int | None = None) -> DockerArchive:
    """Return an archive of files, opened."""
    return DockerArchive.open(io.BytesIO(packed(files)), unpack_limit=unpack_limit)


def layers_of(archive: DockerArchive, position: int = 0) -> tuple[Descriptor, ...]:
    """Return the layers of the image at a position."""
    manifest = archive.read_manifest(archive.images[position])
    assert isinstance(manifest, Manifest)
    return manifest.layers


def hexdigest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@frozen
class Image:
    """An image: its config, with white space and a property that no specification knows, its layers
    as tars, and its names.
    """

    config: bytes
    layers: tuple[bytes, ...]
    names: tuple[str, ...]

    @property
    def diff_ids(self) -> list[str]:
        """The digests of the layers."""
        return [f"sha256:{hexdigest(layer)}" for layer in self.layers]


def image(text: str = "one", *, names: tuple[str, ...] = NAMES, layers: int = 2) -> Image:
    """Return an image with a file of this text in its last layer; the others are the same."""
    tars = [packed({f"file{number}": b"the same"}) for number in range(layers - 1)]
    tars += [packed({"last": text.encode()})] if layers else []
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-02-02T02:02:02.000000002Z",
        "docker_version": "19.03.5",
        "config": {"Cmd": ["/bin/echo", f"<{text}>"]},
        "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) "]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hexdigest(tar)}" for tar in tars]},
        "history": [{"created_by": f"step {number}"} for number in range(layers)],
        "x-unknown": {"b": 1, "a": 2},
    }
    return Image(json.dumps(config, indent=3).encode(), tuple(tars), names)


def repositories(names: dict[str, str]) -> bytes:
    """Return the file that gives names to ids."""
    found: dict[str, dict[str, str]] = {}
    for name, layer_id in names.items():
        repository, _, tag = name.rpartition(":")
        found.setdefault(repository, {})[tag] = layer_id
    return json.dumps(found).encode()


def v1_0(*layers: bytes, names: tuple[str, ...] = NAMES) -> Files:
    """Return what Docker saved before 1.10: an image with these layers, which has no config."""
    files: Files = {}
    parent = ""
    for position, layer in enumerate(layers):
        layer_id = hexdigest(f"{position}".encode() + layer)
        said: dict[str, Any] = {
            "id": layer_id,
            "created": f"2015-01-0{position + 1}T00:00:00Z",
            "container_config": {"Cmd": ["/bin/sh", "-c", f"step <{position}>"]},
            "docker_version": "1.9.1",
            "config": {"Cmd": ["/bin/sh"]},
            "architecture": "amd64",
            "os": "linux",
            "Size": len(layer),
        }
        if parent:
            said["parent"] = parent
        files |= {
            f"{layer_id}/VERSION": b"1.0",
            f"{layer_id}/json": json.dumps(said).encode(),
            f"{layer_id}/layer.tar": layer,
        }
        parent = layer_id
    if names:
        files["repositories"] = repositories(dict.fromkeys(names, parent))
    return files


def v1_10(*images: Image) -> Files:
    """Return what Docker saved from 1.10 to 24: folders, a config, and links to shared layers."""
    files: Files = {}
    items: list[dict[str, Any]] = []
    named: dict[str, str] = {}
    first: dict[bytes, str] = {}
    for one in images:
        paths: list[str] = []
        chain = ""
        for layer in one.layers:
            chain = hexdigest(f"{chain} {hexdigest(layer)} {one.config!r}".encode())
            paths.append(f"{chain}/layer.tar")
            link = f"../{first[layer]}/layer.tar" if layer in first else None
            files |= {
                f"{chain}/VERSION": b"1.0",
                f"{chain}/json": json.dumps({"id": chain}).encode(),
                f"{chain}/layer.tar": link or layer,
            }
            first.setdefault(layer, chain)
        config = f"{hexdigest(one.config)}.json"
        files[config] = one.config
        named |= dict.fromkeys(one.names, chain)
        items.append({"Config": config, "RepoTags": list(one.names) or None, "Layers": paths})
    files["manifest.json"] = json.dumps(items).encode() + b"\n"
    if named:
        files["repositories"] = repositories(named)
    return files


def v25(*images: Image, compress: bool = False) -> Files:
    """Return what Docker saves since 25: a layout, and `manifest.json` over its blobs.

    Args:
        images: The images.
        compress: Whether layers are as the store of containerd has them, compressed with gzip.
    """
    files: Files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    items: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    suffix = "+gzip" if compress else ""

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        files[f"blobs/sha256/{hexdigest(data)}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{hexdigest(data)}", "size": len(data)}

    def path(descriptor: dict[str, Any]) -> str:
        return "blobs/" + str(descriptor["digest"]).replace(":", "/")

    for one in images:
        tars = [gzip.compress(layer, mtime=0) if compress else layer for layer in one.layers]
        config = put(one.config, "application/vnd.oci.image.config.v1+json")
        layers = [put(tar, f"application/vnd.oci.image.layer.v1.tar{suffix}") for tar in tars]
        manifest_type = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": manifest_type}
        manifest |= {"config": config, "layers": layers}
        entry = put(json.dumps(manifest, separators=(",", ":")).encode(), manifest_type)
        for name in one.names:
            annotations = {"org.opencontainers.image.ref.name": name.rpartition(":")[2]}
            entries.append({**entry, "annotations": annotations})
        items.append(
            {
                "Config": path(config),
                "RepoTags": list(one.names) or None,
                "Layers": list(map(path, layers)),
                "LayerSources": dict(zip(one.diff_ids, layers, strict=True)),
            }
        )
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    files["manifest.json"] = json.dumps(items).encode()
    return files


AGES: Final[dict[str, Callable[..., Files]]] = {
    "1.10": v1_10,
    "25": v25,
    "25-containerd": lambda *images: v25(*images, compress=True),
}
"""What makes an archive of images, by the version of Docker that writes such."""


def main() -> None:
    """Write an archive of each age into a folder."""
    folder = Path(sys.argv[1])
    for age, make in AGES.items():
        (folder / f"docker-{age}.tar").write_bytes(packed(make(image())))
    (folder / "docker-1.9.tar").write_bytes(packed(v1_0(*image().layers)))


if __name__ == "__main__":
    main()
