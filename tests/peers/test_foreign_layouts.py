"""Layouts that other programs wrote: read, edited, collected, and read again by those programs.

Each is made from scratch, once and without a network; every test gets its own copy. The tests find
reachable content with a walk over plain JSON that does not use our code.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Digest,
    Index,
    Layout,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable

    Run = Callable[..., str]
    Attempt = Callable[..., subprocess.CompletedProcess[str]]

STORES = Path(__file__).parents[1] / "vectors" / "toolhive" / "stores"
NOW = timedelta(0)

# The findings of `check` in each layout: the number of warnings by their code, or only a note.
WRITERS: dict[str, dict[str, int]] = {
    "skopeo": {},
    "umoci": {"unreferenced-blob": 2},  # the manifest and the config of the name that was removed
    "buildah": {},
    "built": {"artifact-type-form": 3},  # of skills: `dev.toolhive.skills.v1` is not a media type
    "built-and-pulled": {"artifact-type-form": 6},
    "pulled-only": {"artifact-type-form": 3},
    "deleted": {"artifact-type-form": 3, "dangling-entry": 3},
}


# ---------------------------------------------------------------- how they are made


@pytest.fixture(scope="session")
def umoci(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a layout of umoci: an image without layers, images that share one, and garbage."""
    folder = tmp_path_factory.mktemp("umoci")
    layout, bundle = folder / "layout", folder / "bundle"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:base")
    run("umoci", "unpack", "--rootless", "--image", f"{layout}:base", bundle)
    (bundle / "rootfs" / "file").write_text("umoci")
    run("umoci", "repack", "--image", f"{layout}:v1", bundle)
    for tag in ("spare", "gone", "old"):
        run("umoci", "config", "--image", f"{layout}:v1", "--tag", tag, "--author", tag)
    run("umoci", "rm", "--image", f"{layout}:old")
    return layout


@pytest.fixture(scope="session")
def buildah(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a layout of buildah: images that share a layer, and an index of one of them."""
    folder = tmp_path_factory.mktemp("buildah-layout")
    (folder / "file").write_text("buildah")
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "copy", "--quiet", container, folder / "file", "/file")
    for tag in ("v1", "spare", "gone"):
        run("buildah", "config", "--annotation", f"com.example.tag={tag}", container)
        run("buildah", "commit", "--quiet", container, tag)
        run("buildah", "push", "--quiet", tag, f"oci:{folder}/layout:{tag}")
    run("buildah", "manifest", "create", "list", "v1")
    run("buildah", "manifest", "push", "--quiet", "--all", "list", f"oci:{folder}/layout:all")
    return folder / "layout"


@pytest.fixture(scope="session")
def skopeo(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a layout of skopeo: images of other formats, an index, and an untagged image."""
    folder = tmp_path_factory.mktemp("skopeo")
    layout = f"oci:{folder}/layout"
    write_docker_archive(folder / "docker.tar")
    write_dir(folder / "dir")
    archive = f"docker-archive:{folder}/docker.tar"
    run("skopeo", "copy", "-q", f"{archive}:team/x:v1", f"{layout}:v1")
    run("skopeo", "copy", "-q", "--all", f"dir:{folder}/dir", f"{layout}:team/x@all")
    for tag in ("spare", "gone", "moved"):
        run("skopeo", "copy", "-q", "--override-arch=arm64", f"dir:{folder}/dir", f"{layout}:{tag}")
    run("skopeo", "copy", "-q", archive, f"{layout}:moved")
    return folder / "layout"


def layer_and_config(text: str, architecture: str) -> tuple[bytes, bytes]:
    """Make the layer and the config of an image of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "file", text.encode())
    layer = file.getvalue()
    rootfs = {"type": "layers", "diff_ids": [Digest.of(layer)]}
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}
    return layer, json.dumps(config).encode()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_docker_archive(path: Path) -> None:
    """Write an image of one layer as `docker save` does."""
    layer, config = layer_and_config("docker", "amd64")
    image = {"Config": "config.json", "RepoTags": ["team/x:v1"], "Layers": ["layer.tar"]}
    with tarfile.open(path, "w") as tar:
        add(tar, "config.json", config)
        add(tar, "layer.tar", layer)
        add(tar, "manifest.json", json.dumps([image]).encode())


def write_dir(folder: Path) -> None:
    """Write an index of two images as the transport `dir:` does."""
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")

    def put(data: bytes, media_type: str, suffix: str = "") -> dict[str, Any]:
        (folder / f"{hashlib.sha256(data).hexdigest()}{suffix}").write_bytes(data)
        return {"mediaType": media_type, "digest": Digest.of(data), "size": len(data)}

    children = []
    for architecture in ("amd64", "arm64"):
        layer, config = layer_and_config(architecture, architecture)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": put(config, OCI_CONFIG),
            "layers": [put(layer, OCI_LAYER)],
        }
        child = put(json.dumps(manifest).encode(), OCI_MANIFEST, ".manifest.json")
        children.append({**child, "platform": {"architecture": architecture, "os": "linux"}})
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    (folder / "manifest.json").write_text(json.dumps(index))


@pytest.fixture(params=WRITERS)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a layout of each program, which the test may change."""
    name = request.param
    source = STORES / name if (STORES / name).is_dir() else request.getfixturevalue(name)
    return Path(shutil.copytree(source, tmp_path / name))


# ---------------------------------------------------------------- what is in them


def raw(folder: Path) -> dict[str, Any]:
    """Return the root index as the file has it."""
    document: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return document


def named(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tagged entries by their tag."""
    return {
        entry["annotations"][REF_NAME]: entry
        for entry in raw(folder)["manifests"]
        if REF_NAME in entry.get("annotations", {})
    }


def reached(folder: Path, descriptors: Iterable[dict[str, Any]]) -> set[str]:
    """Return the digests of all existing content that descriptors reach."""
    found: set[str] = set()
    for descriptor in descriptors:
        path = folder / "blobs" / descriptor["digest"].replace(":", "/")
        if path.exists():
            found.add(descriptor["digest"])
            if descriptor["mediaType"].partition(".image.")[2].startswith(("manifest", "index")):
                document = json.loads(path.read_bytes())
                parts = document.get("manifests") or [document["config"], *document["layers"]]
                found |= reached(folder, parts)
    return found


def present(folder: Path) -> set[str]:
    """Return the digests of all blobs."""
    return {f"sha256:{path.name}" for path in (folder / "blobs" / "sha256").iterdir()}


def modes(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return inode, mode and time of every file that an edit must not touch."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mode, path.stat().st_mtime_ns)
        for path in [folder / "oci-layout", *(folder / "blobs" / "sha256").iterdir()]
    }


def test_a_sparse_index_is_found_and_kept(run: Run, tmp_path: Path) -> None:
    """An index of skopeo without its images is valid, and can be tagged, moved and collected."""
    write_dir(tmp_path / "dir")
    folder = tmp_path / "layout"
    run("skopeo", "copy", "-q", "--multi-arch=index-only", f"dir:{tmp_path}/dir", f"oci:{folder}")
    layout = Layout.open(folder, durability="none")
    (entry,) = layout.entries()
    assert len(list(layout.walk(entry.descriptor))) == 3
    problems = Counter((problem.severity, problem.code) for problem in layout.check())
    assert problems == {("note", "missing-blob"): 2}
    layout.tag("v1", entry.descriptor)
    layout.collect(grace=NOW)
    assert layout.blobs.read(layout.resolve("v1")) == (tmp_path / "dir/manifest.json").read_bytes()
    raw_index = run("skopeo", "inspect", "--raw", f"oci:{folder}:v1")
    assert Digest.of(raw_index.encode()) == entry.descriptor.digest


def test_all_names_entries_and_blobs_are_read(foreign: Path) -> None:
    """Names, entries in their order, and all content; and `check` finds no error."""
    layout = Layout.open(foreign, durability="none")
    assert set(layout.tags()) == set(named(foreign))
    for entry, said in zip(layout.entries(), raw(foreign)["manifests"], strict=True):
        assert (entry.name or "") == said.get("annotations", {}).get(REF_NAME, "")
        expected = Descriptor(
            media_type=said["mediaType"], digest=Digest.parse(said["digest"]), size=said["size"]
        )
        assert entry.descriptor.plain() == expected
        if entry.name:
            assert layout.resolve(entry.name) == expected
        there = [found for found in layout.walk(expected) if found.digest in layout.blobs]
        assert {str(found.digest) for found in there} == reached(foreign, [said])
        assert [len(layout.blobs.read(found)) for found in there] == [one.size for one in there]
    problems = layout.check()
    assert "error" not in {problem.severity for problem in problems}
    assert Counter(problem.code for problem in problems) == WRITERS[foreign.name]


def test_an_edit_changes_only_its_entry(foreign: Path) -> None:
    """Unknown properties, the order of everything, modes and all other files survive edits."""
    before = raw(foreign)
    before["com.example.unknown"] = {"deep": [1, None]}
    for number, entry in enumerate(before["manifests"]):
        entry["com.example.number"] = number
    (foreign / "index.json").write_text(json.dumps(before, indent=1))
    (foreign / "index.json").chmod(0o640)
    files = modes(foreign)
    layout = Layout.open(foreign, durability="none")
    name, entry = next(iter(named(foreign).items()))
    layout.tag("another", layout.resolve(name))
    layout.annotate(name, {"com.example.note": "ours"})
    for said in before["manifests"]:
        if said.get("annotations", {}).get(REF_NAME) == name:
            said["annotations"]["com.example.note"] = "ours"
    plain = {key: entry[key] for key in ("mediaType", "digest", "size")}
    before["manifests"].append({**plain, "annotations": {REF_NAME: "another"}})
    assert (foreign / "index.json").read_text() == json.dumps(
        before, separators=(",", ":"), ensure_ascii=False
    )
    layout.untag("another")
    layout.annotate(name, {"com.example.note": None})
    before["manifests"].pop()
    assert [one["com.example.number"] for one in raw(foreign)["manifests"]] == [
        one["com.example.number"] for one in before["manifests"]
    ]
    assert modes(foreign) == files
    assert (foreign / "index.json").stat().st_mode & 0o777 == 0o640


def test_removing_one_name_leaves_the_others_whole(foreign: Path, tmp_path: Path) -> None:
    """Removing a tag deletes the content that only it reaches, and no other."""
    for number, name in enumerate(named(foreign)):
        folder = Path(shutil.copytree(foreign, tmp_path / str(number)))
        there, entry = present(folder), named(folder)[name]
        others = [
            one
            for one in raw(folder)["manifests"]
            if one.get("annotations", {}).get(REF_NAME) != name
        ]
        gone = reached(folder, [entry]) - reached(folder, others)
        Layout.open(folder, durability="none").remove(name)
        assert present(folder) == there - gone
        assert raw(folder)["manifests"] == others


def test_exactly_the_unreachable_blobs_are_deleted(foreign: Path) -> None:
    """A collection deletes content that no entry reaches, also the garbage of the other program."""
    layout = Layout.open(foreign, durability="none")
    layout.blobs.put(b"garbage", media_type="text/plain")
    garbage = present(foreign) - reached(foreign, raw(foreign)["manifests"])
    assert Digest.of(b"garbage") in garbage
    assert (len(garbage) > 1) == (foreign.name == "umoci")
    for digest in layout.blobs:
        os.utime(layout.blobs.path(digest), (0, 0))
    before, there, files = raw(foreign), present(foreign), modes(foreign)
    assert set(layout.collect(grace=NOW).removed) == garbage
    assert raw(foreign) == before
    assert present(foreign) == there - garbage
    assert modes(foreign).items() <= files.items()


# ---------------------------------------------------------------- what others make of it after


@pytest.fixture
def edited(foreign: Path) -> Path:
    """Return each layout after an edit of every kind and a collection."""
    layout = Layout.open(foreign, durability="none")
    first, *_ = names = named(foreign)
    layout.tag("another", layout.resolve(first))
    layout.annotate(first, {"com.example.note": "ours"})
    if {"spare", "gone"} <= set(names):
        layout.untag("spare")
        layout.remove("gone")
    layout.collect(grace=NOW)
    return foreign


def test_skopeo_reads_it_in_full(run: Run, edited: Path, tmp_path: Path) -> None:
    """Every tag is copied with all its content, verified."""
    layout = Layout.open(edited)
    for number, name in enumerate(layout.tags()):
        target = tmp_path / f"copy-{number}"
        run("skopeo", "copy", "-q", "--all", f"oci:{edited}:{name}", f"oci:{target}:{name}")
        root = layout.resolve(name)
        assert Layout.open(target).resolve(name) == root
        assert present(target) == {str(found.digest) for found in layout.walk(root)}


def test_umoci_reads_it_in_full(run: Run, attempt: Attempt, edited: Path, tmp_path: Path) -> None:
    """Every tag is listed, and each image is unpacked; umoci cannot unpack an index."""
    layout = Layout.open(edited)
    assert sorted(run("umoci", "ls", "--layout", edited).split()) == list(layout.tags())
    for number, name in enumerate(layout.tags()):
        image, bundle = f"{edited}:{name}", tmp_path / str(number)
        root = layout.read_manifest(layout.resolve(name))
        if isinstance(root, Index) and len(root.manifests) > 1:
            assert "tag is ambiguous" in attempt("umoci", "stat", "--image", image).stderr
            continue
        run("umoci", "unpack", "--rootless", "--image", image, bundle)
        assert (bundle / "rootfs" / "file").exists() or not getattr(root, "layers", True)
        assert "history" in json.loads(run("umoci", "stat", "--json", "--image", image))


def test_buildah_reads_it_in_full(run: Run, edited: Path) -> None:
    """Every tag is pulled; buildah identifies an image by its config."""
    layout = Layout.open(edited)
    for name in layout.tags():
        # The path becomes the name of an image, so it may only hold the characters of a name.
        source = f"oci:{edited.name}:{name}"
        pulled = run("buildah", "pull", "--quiet", source, cwd=edited.parent).strip()
        parts = {found.digest for found in layout.walk(layout.resolve(name))}
        assert f"sha256:{pulled}" in parts


def test_oci_image_tool_validates_it(attempt: Attempt, edited: Path) -> None:
    """Everything is valid that was valid before; no layers and missing content are not."""
    done = attempt("oci-image-tool", "validate", "--type", "image", edited)
    why = {"umoci": "layers: Array must have at least 1", "deleted": "no such file"}
    if edited.name in why:
        assert why[edited.name] in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_umoci_collects_no_more_and_no_less(run: Run, edited: Path, tmp_path: Path) -> None:
    """umoci and we agree on what is garbage; after our collection, umoci finds no more."""
    if edited.name == "deleted":  # umoci stops at an entry whose content is missing
        layout = Layout.open(edited, durability="none")
        for digest in layout.blobs:
            os.utime(layout.blobs.path(digest), (0, 0))
        layout.collect(grace=NOW, untagged="prune")
    before = present(edited)
    run("umoci", "gc", "--layout", edited)
    assert present(edited) == before
    layout = Layout.open(edited, durability="none")
    layout.untag(layout.tags()[-1])
    layout.blobs.put(b"garbage", media_type="text/plain")
    theirs = Path(shutil.copytree(edited, tmp_path / "theirs"))
    run("umoci", "gc", "--layout", theirs)
    layout.collect(grace=NOW)
    assert present(theirs) == present(edited) == before
