"""Archives of Docker, written and read by other tools."""

from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    DockerArchive,
    Layout,
    Manifest,
    copy,
    write_docker_archive,
)
from tests.docker_tars import AGES, NAMES, image, layers_of, packed, v1_0

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.peers.conftest import Attempt

ONE = image()
OTHER = image("two", names=("other:1",))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a layout with two images of compressed layers, one of which they share."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    for one in (ONE, OTHER):
        tars = [gzip.compress(tar) for tar in one.layers]
        manifest = Manifest(
            config=layout.blobs.put(one.config, media_type=OCI_CONFIG),
            layers=[layout.blobs.put(tar, media_type=OCI_LAYER_GZIP) for tar in tars],
        )
        root = layout.put_manifest(manifest)
        for name in one.names:
            layout.tag(name, root)
    return layout


@pytest.fixture
def ours(layout: Layout, tmp_path: Path) -> Path:
    """Return an archive of both."""
    path = tmp_path / "ours.tar"
    write_docker_archive(layout, None, path)
    return path


@pytest.mark.parametrize("name", [*NAMES, "other:1", "@0", "@1"])
def test_skopeo_reads_ours(run: Callable[..., str], ours: Path, tmp_path: Path, name: str) -> None:
    """skopeo finds each name and each position, and copies configs and layers without loss."""
    path = tmp_path / "theirs.tar"
    run("skopeo", "copy", f"docker-archive:{ours}:{name}", f"docker-archive:{path}:x:1")
    with DockerArchive.open(ours) as archive, DockerArchive.open(path) as copied:
        assert copied.resolve("x:1") == archive.resolve(name)


@pytest.mark.parametrize("name", [NAMES[1], "other:1"])
def test_we_read_those_of_skopeo(
    run: Callable[..., str], layout: Layout, tmp_path: Path, name: str
) -> None:
    """What skopeo writes has the config and the diff ids of the image, under the name in full."""
    path = tmp_path / "theirs.tar"
    run("skopeo", "copy", f"oci:{layout.path}:{name}", f"docker-archive:{path}:{name}")
    with DockerArchive.open(path) as archive:
        wanted = OTHER if name == "other:1" else ONE
        assert [layer.digest for layer in layers_of(archive)] == wanted.diff_ids
        back = Layout.create(tmp_path / "back", durability="none")
        assert copy(archive, name, back) == archive.images[0]
        for layer in layers_of(archive):
            back.blobs.read(layer)


def test_names_as_skopeo_writes_them(run: Callable[..., str], ours: Path, tmp_path: Path) -> None:
    """Names are completed as skopeo completes them, and stand in the same two files."""
    path = tmp_path / "theirs.tar"
    for name, options in (("app:v1", ()), ("other:1", ("--additional-tag", "localhost:5000/a:1"))):
        path.unlink(missing_ok=True)
        run(
            "skopeo",
            "copy",
            *options,
            f"docker-archive:{ours}:{name}",
            f"docker-archive:{path}:{name}",
        )
        with DockerArchive.open(path) as archive:
            names = archive.tags()
            again = tmp_path / "again.tar"
            write_docker_archive(archive, None, again)
        assert _names(again) == _names(path)
        assert f"docker.io/library/{name}" in names


def _names(path: Path) -> tuple[list[list[str]], dict[str, list[str]]]:
    """Return the names in both files of an archive."""
    with tarfile.open(path) as tar:
        items = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type] # it is a file
        named = json.load(tar.extractfile("repositories"))  # type: ignore[arg-type] # as above
    names = [sorted(item["RepoTags"]) for item in items]
    return names, {repository: sorted(tags) for repository, tags in named.items()}


@pytest.mark.parametrize("age", AGES)
def test_skopeo_and_we_read_the_same(run: Callable[..., str], tmp_path: Path, age: str) -> None:
    """Of an archive of any age, skopeo and we tell the same config and the same layers."""
    path = tmp_path / "saved.tar"
    path.write_bytes(packed(AGES[age](ONE)))
    raw = json.loads(run("skopeo", "inspect", "--raw", f"docker-archive:{path}:{NAMES[0]}"))
    with DockerArchive.open(path) as archive:
        manifest = archive.read_manifest(archive.resolve(NAMES[0]))
    assert isinstance(manifest, Manifest)
    assert raw["config"]["digest"] == manifest.config.digest
    assert [(one["digest"], one["size"]) for one in raw["layers"]] == [
        (one.digest, one.size) for one in manifest.layers
    ]


def test_skopeo_does_not_read_those_before_1_10(attempt: Attempt, tmp_path: Path) -> None:
    """skopeo needs `manifest.json`; we read what is older, and skopeo reads what we make of it."""
    path = tmp_path / "saved.tar"
    path.write_bytes(packed(v1_0(*ONE.layers)))
    failed = attempt("skopeo", "inspect", f"docker-archive:{path}")
    assert failed.returncode != 0
    assert "manifest.json" in failed.stderr
    with DockerArchive.open(path) as archive:
        write_docker_archive(archive, None, tmp_path / "new.tar")
    read = attempt("skopeo", "inspect", f"docker-archive:{tmp_path / 'new.tar'}:app:v1")
    assert json.loads(read.stdout)["Layers"] == ONE.diff_ids


def test_podman_loads_ours(run: Callable[..., str], ours: Path) -> None:
    """`podman load` has all names, and the id of an image is the digest of its config."""
    loaded = run("podman", "load", "--input", ours)
    assert "localhost:5000/team/app:v1" in loaded
    with DockerArchive.open(ours) as archive:
        for name in (*NAMES, "other:1"):
            manifest = archive.read_manifest(archive.resolve(name))
            assert isinstance(manifest, Manifest)
            said = json.loads(run("podman", "image", "inspect", name))[0]
            assert f"sha256:{said['Id']}" == manifest.config.digest
            assert said["RootFS"]["Layers"] == [layer.digest for layer in manifest.layers]


def test_we_read_those_of_podman(run: Callable[..., str], ours: Path, tmp_path: Path) -> None:
    """`podman save` of several images is read with all names."""
    run("podman", "load", "--input", ours)
    path = tmp_path / "podman.tar"
    run("podman", "save", "--multi-image-archive", "--output", path, NAMES[1], "other:1")
    with DockerArchive.open(path) as archive, DockerArchive.open(ours) as before:
        for name in (NAMES[1], "other:1"):
            assert archive.resolve(name) == before.resolve(name)
