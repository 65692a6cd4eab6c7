"""What builders, signers and copying programs write."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Any

from tests.shapes.writer import (
    BUNDLE,
    CONFIG,
    CREATED,
    DOCKER_LIST,
    EMPTY,
    EPOCH,
    TITLE,
    Writer,
    called,
    layer_tar,
    of_ten,
    on,
    shape,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shapes.writer import Entry


# ---------------------------------------------------------------- cosign, Bazel, crane, ko, apko


def simple_signing(writer: Writer, image: Entry) -> Entry:
    """Write a manifest of signatures as cosign did before version 3: a fake image, no subject."""
    payload = {"critical": {"image": {"docker-manifest-digest": image["digest"]}}}
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    noted = {"dev.cosignproject.cosign/signature": "MEUCIQ=="}
    layer = writer.blob(payload, kind, annotations=noted)
    root = {"type": "layers", "diff_ids": [layer["digest"]]}
    return writer.artifact(
        writer.blob({"architecture": "", "os": "", "config": {}, "rootfs": root}, CONFIG), layer
    )


def kinds(**entries: Entry) -> list[Entry]:
    """Return entries as `cosign save` notes them."""
    start = "dev.cosignproject.cosign/"
    return [{**one, "annotations": {"kind": start + kind}} for kind, one in entries.items()]


@shape
def cosign_save(path: Path) -> None:
    """`cosign save` of an image with signatures and attestations as tags; no entry has a name.

    cosign d6d86c2 `pkg/oci/layout/write.go`.
    """
    writer = Writer(path, indent=3)
    image = writer.image("signed", docker=True)
    atts = simple_signing(writer, {"digest": "sha256:" + "0" * 64})
    writer.finish(*kinds(image=image, sigs=simple_signing(writer, image), atts=atts))


@shape
def cosign_save_index(path: Path) -> None:
    """`cosign save` of an index with a bundle as a referrer, which no entry lists.

    cosign d6d86c2 `cmd/cosign/cli/save.go` writes each referrer as a layout of its own into the
    folder, and each time begins `index.json` anew.
    """
    writer = Writer(path, indent=3)
    index = writer.index(*(on(writer.image("signed", one), one) for one in ("amd64", "arm64")))
    writer.signature(index)
    writer.finish(*kinds(imageIndex=index))


@shape
def bazel_image(path: Path) -> None:
    """rules_oci 75ff282 `oci/private/image.sh`: layers are links into the output of Bazel."""
    writer = Writer(path)
    entry = writer.image("bazel")
    document = json.loads((writer.blobs / entry["digest"][7:]).read_bytes())
    layer = writer.blobs / document["layers"][0]["digest"][7:]
    outside = path.parent / f"{path.name}-bazel-out"
    outside.mkdir()
    layer.rename(outside / "layer.tar.gz")
    layer.symlink_to(os.path.relpath(outside / "layer.tar.gz", layer.parent))
    writer.finish(entry)


@shape
def bazel_index(path: Path) -> None:
    """rules_oci 75ff282 `oci/private/image_index.sh.tpl`: `index.json` has entries only."""
    writer = Writer(path, indent=2)
    images = [on(writer.image("bazel", one), one) for one in ("amd64", "arm64/v8")]
    writer.finish(writer.index(*images), schemaVersion=None, mediaType=None)


@shape
def crane_pull(path: Path) -> None:
    """`crane pull --format oci`, twice of one image and once of an index; no entry has a name.

    go-containerregistry 3f4ff3c `cmd/crane/cmd/pull.go` appends without looking.
    """
    writer = Writer(path, indent=3)
    image = writer.image("pulled", docker=True)
    children = (on(writer.image(one, one, docker=True), one) for one in ("amd64", "arm64"))
    writer.finish(image, image, writer.index(*children, media_type=DOCKER_LIST))


@shape
def crane_annotated(path: Path) -> None:
    """The same with `--annotate-ref`: the name of an entry is the whole reference."""
    writer = Writer(path, indent=3)
    names = ("index.docker.io/library/alpine:3", "ghcr.io/org/app:v1")
    writer.finish(*(called(writer.image(name), name) for name in names))


@shape
def kaniko(path: Path) -> None:
    """`--oci-layout-path` of kaniko 236ba56 and of ko 4297871: one entry without a name."""
    writer = Writer(path, indent=3)
    writer.finish(writer.image("kaniko", docker=True))


@shape
def apko(path: Path) -> None:
    """`apko build` d1b5d5e into a folder: `index.json` is the index of the image itself."""
    writer = Writer(path)
    writer.finish(*(on(writer.image("apko", one), one) for one in ("amd64", "arm64")))


@shape
def jib(path: Path) -> None:
    """Jib `ImageTarball.ociWriteTo`: the whole reference as the name."""
    writer = Writer(path)
    writer.finish(called(writer.image("jib"), "gcr.io/p/app:v1"))


# ---------------------------------------------------------------- regctl, oras, umoci, skopeo


@shape
def regctl_copy(path: Path) -> None:
    """`regctl image copy --referrers --digest-tags`: referrers in a list under a fallback tag.

    regclient 725072f `scheme/ocidir`: referrers and children are no entries; each entry has its
    time; files are for their owner only.
    """
    writer = Writer(path)
    image = writer.image("regctl")
    bundle = writer.signature(image, artifactType=BUNDLE)
    tag = image["digest"].replace(":", "-")
    tagged = {"v1": image, tag: writer.index(bundle), f"{tag}.sig": simple_signing(writer, image)}
    time = {CREATED: "2026-07-01T10:00:00Z"}
    writer.finish(*(called(entry, name, **time) for name, entry in tagged.items()), annotations={})
    for file in (path / "index.json", *writer.blobs.iterdir()):
        file.chmod(0o600)


@shape
def regctl_sparse(path: Path) -> None:
    """`regctl image copy --platforms linux/amd64` of a name with a host: a sparse index."""
    writer = Writer(path)
    writer.finish(called(of_ten(writer, "regctl")[1], "latest", **{CREATED: EPOCH}))


@shape
def oras_copy(path: Path) -> None:
    """`oras cp --recursive --to-oci-layout`: children and referrers are entries, in any order.

    oras-go 19db72b `content/oci/oci.go`: those with a tag come first, the others after them.
    """
    writer = Writer(path)
    images = [on(writer.image("oras", one), one) for one in ("amd64", "arm64")]
    index = writer.index(*images)
    signature = writer.signature(index)
    (path / "ingest").mkdir()
    writer.finish(called(index, "v1"), images[1], signature, images[0], mediaType=None)


def pushed(path: Path, tag: str, config: tuple[Any, str], *files: tuple[bytes, str, str]) -> None:
    """Write an artifact as oras 94fa1d8 stores it; the descriptor of an empty config has `data`."""
    writer = Writer(path)
    data, kind = config
    document = writer.blob(data, kind)
    more: Entry = {"annotations": {CREATED: "2026-08-19T10:00:00Z"}}
    if kind == EMPTY:
        document["data"], more["artifactType"] = "e30=", "application/vnd.example.thing"
    layers = [writer.blob(text, one, annotations={TITLE: name}) for text, one, name in files]
    writer.finish(called(writer.artifact(document, *layers, **more), tag), mediaType=None)


@shape
def oras_push(path: Path) -> None:
    """`oras push --oci-layout` of two files."""
    files = ((b"hello", "text/plain", "a.txt"), (b"{}", "application/json", "b.json"))
    pushed(path, "v1", (b"{}", EMPTY), *files)


@shape
def helm_chart(path: Path) -> None:
    """A chart that Helm 3 pushed with its provenance, copied by oras; `+` is `_` in the tag."""
    chart = ({"name": "app", "version": "1.0.0+1"}, "application/vnd.cncf.helm.config.v1+json")
    content = (b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "app-1.0.0.tgz")
    proof = (b"signed", "application/vnd.cncf.helm.chart.provenance.v1.prov", "app-1.0.0.tgz.prov")
    pushed(path, "1.0.0_1", chart, content, proof)


@shape
def flux_artifact(path: Path) -> None:
    """What `flux push artifact` writes (fluxcd/pkg `oci/push.go`), copied by crane."""
    writer = Writer(path, indent=3)
    config = writer.blob({"architecture": "", "os": ""}, "application/vnd.cncf.flux.config.v1+json")
    tar = gzip.compress(layer_tar("kustomization"), mtime=0)
    layer = writer.blob(tar, "application/vnd.cncf.flux.content.v1.tar+gzip")
    noted = {"org.opencontainers.image.revision": "main@sha1:0000"}
    name = "ghcr.io/org/manifests/app:latest"
    writer.finish(called(writer.artifact(config, layer, annotations=noted), name))


@shape
def sif_artifact(path: Path) -> None:
    """A SIF image that `singularity push oras://` stored, copied by oras."""
    kind = "application/vnd.sylabs.sif"
    sif = (b"#!/usr/bin/env run-singularity\n", f"{kind}.layer.v1.sif", "app.sif")
    pushed(path, "latest", (b"{}", f"{kind}.config.v1+json"), sif)


@shape
def umoci(path: Path) -> None:
    """`umoci new`, `repack` and a second tag: an image without layers, and garbage of its writer.

    umoci 0.4.7, as it was run: no document says its media type, and files are for their owner only;
    a writer that died leaves its temporary folder.
    """
    writer = Writer(path)
    empty = {"rootfs": {"type": "layers", "diff_ids": []}, "history": []}
    base = writer.image("base", typed=False, config=empty, manifest={"layers": []})
    image = writer.image("umoci", typed=False)
    (path / ".umoci-123456").mkdir()
    tagged = (called(base, "base"), called(image, "v1"), called(image, "latest"))
    writer.finish(*tagged, mediaType=None)
    for file in (path / "index.json", *writer.blobs.iterdir()):
        file.chmod(0o600)


@shape
def skopeo_copy(path: Path) -> None:
    """skopeo, buildah and podman into `oci:`: a name, a moved name, and one sparse index.

    containers/image df7e80d `oci/layout/oci_dest.go`: the entry that lost its name stays; with
    `--multi-arch=index-only` only the index is written.
    """
    writer = Writer(path)
    images = [on(writer.image(one, one, absent=True), one) for one in ("amd64", "arm64")]
    lost, here = writer.image("old"), called(writer.image("new"), "team/x@v1")
    writer.finish(lost, here, called(writer.index(*images), "all"), mediaType=None)


@shape
def podman_save(path: Path) -> None:
    """`podman save --format oci-archive`: the whole name of the image as the name of the entry."""
    writer = Writer(path)
    entry = called(writer.image("podman"), "docker.io/library/alpine:latest")
    writer.finish(entry, mediaType=None)
