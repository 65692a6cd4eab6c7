"""What `docker save` and BuildKit write."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from tests.shapes.writer import (
    BUNDLE,
    CONFIG,
    CREATED,
    DOCKER,
    EMPTY,
    LAYER,
    UNKNOWN,
    Writer,
    called,
    layer_tar,
    of_ten,
    on,
    plain,
    shape,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shapes.writer import Entry


# ---------------------------------------------------------------- docker save


def docker_manifest(writer: Writer, entry: Entry, *tags: str) -> Entry:
    """Return an item of `manifest.json`, which `docker load` of all ages reads."""
    document = json.loads((writer.blobs / entry["digest"].partition(":")[2]).read_bytes())
    path = [one["digest"].replace(":", "/") for one in (document["config"], *document["layers"])]
    config, *layers = (f"blobs/{one}" for one in path)
    return {"Config": config, "RepoTags": tags, "Layers": layers}


@shape
def docker_save(path: Path) -> None:
    """Docker 29 with the containerd image store, `docker save alpine`.

    containerd 301026e `core/images/archive/exporter.go`, called with `WithSkipMissing`: the index
    is written as it was pulled, and content for the platform that was. No media type in
    `index.json`.
    """
    writer = Writer(path)
    image, index = of_ten(writer, "alpine")
    entry = called(index, "latest", "docker.io/library/alpine:latest")
    files = {"manifest.json": [docker_manifest(writer, image, "alpine:latest")]}
    writer.finish(entry, mediaType=None, files=files)


@shape
def docker_save_two(path: Path) -> None:
    """The same, `docker save alpine busybox`: two entries with one short name."""
    writer = Writer(path)
    entries, items = [], []
    for name in ("alpine", "busybox"):
        image, index = of_ten(writer, name)
        entries.append(called(index, "latest", f"docker.io/library/{name}:latest"))
        items.append(docker_manifest(writer, image, f"{name}:latest"))
    writer.finish(*entries, mediaType=None, files={"manifest.json": items})


@shape
def docker_save_referrers(path: Path) -> None:
    """The same of a signed image: referrers are entries without a name, with their subject noted.

    containerd 301026e, `filterReferrers`, which moby b985e23 asks for.
    """
    writer = Writer(path)
    image = writer.image("signed")
    noted = {"annotations": {"io.containerd.manifest.subject": image["digest"]}}
    files = {"manifest.json": [docker_manifest(writer, image, "signed:v1")]}
    entry = called(image, "v1", "docker.io/library/signed:v1")
    signature = writer.signature(image, artifactType=BUNDLE, **noted)
    writer.finish(entry, signature, mediaType=None, files=files)


@shape
def docker_save_classic(path: Path) -> None:
    """Docker 25 and newer with its own image store; two tags of an image.

    moby b985e23 `daemon/internal/image/tarexport/save.go`: layers are not compressed, and
    `repositories` of old is beside.
    """
    writer = Writer(path)
    image = writer.image("classic", plain=True)
    item = docker_manifest(writer, image, "team/x:v1", "team/x:v2")
    layer = item["Layers"][-1].rpartition("/")[2]
    old = {"team/x": {"v1": layer, "v2": layer}}
    entries = (called(image, tag, f"docker.io/team/x:{tag}") for tag in ("v1", "v2"))
    writer.finish(*entries, files={"manifest.json": [item], "repositories": old})


@shape
def docker_save_windows(path: Path) -> None:
    """Docker of a Windows image: a layer that may not be passed on is named and not written.

    containerd 301026e, `WithSkipNonDistributableBlobs`.
    """
    writer = Writer(path)
    url = "https://example.com/base.tar.gz"
    foreign = f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip"
    base = writer.blob(b"base", foreign, absent=True, urls=[url])
    system = {"os": "windows", "os.version": "10.0.20348.2340", "architecture": "amd64"}
    image = writer.image("windows", docker=True, config=system, manifest={"layers": [base]})
    entry = called(image, "ltsc2022", "docker.io/library/nano:ltsc2022")
    writer.finish(entry, mediaType=None)


# ---------------------------------------------------------------- BuildKit


def buildkit(path: Path, *names: str, artifact: bool, scratch: bool = False) -> None:
    """Write two platforms and an attestation about each, as BuildKit 73ed682 does.

    `exporter/containerimage/writer.go`: with `oci-artifact` an attestation has an empty config
    with `data` and a subject, else a config of the platform `unknown/unknown`. What is built from
    nothing has neither layers nor diff IDs: Go writes null.
    """
    writer = Writer(path, indent=2)
    images, attestations = [], []
    for platform in ("amd64", "arm64"):
        root: Entry = {"rootfs": {"type": "layers", "diff_ids": None}}
        empty: Entry = {"config": {**root, "history": None}, "manifest": {"layers": None}}
        image = on(writer.image("built", platform, **(empty if scratch else {})), platform)
        predicate = "https://slsa.dev/provenance/v1"
        statement = writer.blob(
            {"predicateType": predicate, "subject": [{"digest": image["digest"]}]},
            "application/vnd.in-toto+json",
            annotations={"in-toto.io/predicate-type": predicate},
        )
        if artifact:
            about = writer.artifact(
                writer.blob(b"{}", EMPTY, data="e30="),
                statement,
                artifactType="application/vnd.docker.attestation.manifest.v1+json",
                subject=plain(image),
            )
        else:
            root["rootfs"]["diff_ids"] = [statement["digest"]]
            about = writer.artifact(
                writer.blob({**UNKNOWN, "config": {}, **root}, CONFIG), statement
            )
        noted = {
            "vnd.docker.reference.digest": image["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        images.append(image)
        attestations.append({**about, "annotations": noted, "platform": UNKNOWN})
    index = writer.index(*images, *attestations)
    created = "2026-08-21T10:00:00Z"
    entries = [called(index, name.rpartition(":")[2], name, **{CREATED: created}) for name in names]
    unnamed = {**index, "annotations": {CREATED: created}}
    writer.finish(*(entries or [unnamed]), mediaType=None)


@shape
def buildkit_oci(path: Path) -> None:
    """`docker buildx build --output type=oci,"name=app:v1,team/app:v1"`: one short name twice."""
    names = ("docker.io/library/app:v1", "docker.io/team/app:v1")
    buildkit(path, *names, artifact=False)


@shape
def buildkit_artifact(path: Path) -> None:
    """The same with `oci-artifact=true` and one name: attestations have a subject."""
    buildkit(path, "docker.io/library/app:v1", artifact=True)


@shape
def buildkit_unnamed(path: Path) -> None:
    """The same of an image from nothing and without a name: the only annotation is the time."""
    buildkit(path, artifact=False, scratch=True)


@shape
def buildkit_cache(path: Path) -> None:
    """`--cache-to type=local,image-manifest=false`: an index of layers and a config.

    BuildKit 73ed682 `cache/remotecache/export.go`; its lock file is removed after each write.
    """
    writer = Writer(path)
    layers = [writer.blob(gzip.compress(layer_tar(n), mtime=0), f"{LAYER}+gzip") for n in "12"]
    cache = {"layers": [{"blob": one["digest"]} for one in layers], "records": []}
    config = writer.blob(cache, "application/vnd.buildkit.cacheconfig.v0")
    (path / "ingest").mkdir()
    writer.finish(called(writer.index(*layers, config), "latest"))
