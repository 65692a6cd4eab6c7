"""Copies of indexes whose source does not have all that they list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER,
    Archive,
    BlobNotFoundError,
    Descriptor,
    Index,
    Layout,
    Manifest,
    OciLayoutError,
    Platform,
    RegistryError,
    copy,
    copy_all,
    write_archive,
)
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Event


def image(layout: Layout, architecture: str) -> Descriptor:
    """Put an image of a platform, with a layer of its own."""
    config = layout.blobs.put(
        b'{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        % architecture.encode(),
        media_type=OCI_CONFIG,
    )
    layer = layout.blobs.put(architecture.encode(), media_type=OCI_LAYER)
    manifest = layout.put_manifest(Manifest(config=config, layers=[layer]))
    return evolve(manifest, platform=Platform(os="linux", architecture=architecture))


@pytest.fixture
def source(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "target")


def sparse_index(layout: Layout, *, nested: bool = False) -> tuple[Descriptor, list[Descriptor]]:
    """Tag an index of three platforms `app`; one is whole, one has no layer, one is not there."""
    there, partly, absent = (image(layout, name) for name in ("amd64", "arm64", "s390x"))
    read = layout.read_manifest(partly)
    assert isinstance(read, Manifest)
    layout.blobs.delete(read.layers[0].digest)
    layout.blobs.delete(absent.digest)
    root = layout.put_manifest(Index(manifests=[there, partly, absent]))
    if nested:
        root = layout.put_manifest(Index(manifests=[root]))
    layout.tag("app", root)
    return root, [there, partly, absent]


@pytest.mark.parametrize("nested", [False, True])
def test_the_error_names_all_platforms_that_are_not_there(
    source: Layout, target: Layout, tmp_path: Path, *, nested: bool
) -> None:
    """The error says which entries are missing, why, and how to go on; nothing is tagged."""
    _, (there, partly, absent) = sparse_index(source, nested=nested)
    for act in (
        lambda: copy(source, "app", target),
        lambda: write_archive(source, ["app"], tmp_path / "x.tar"),
    ):
        with pytest.raises(BlobNotFoundError) as caught:
            act()
        text = str(caught.value)
        assert f"linux/arm64 {partly.digest} (without its part" in text
        assert f"linux/s390x {absent.digest}" in text
        assert str(there.digest) not in text
        assert "choose a platform" in text
        assert "sparse" in text
    assert target.tags() == ()
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.parametrize("nested", [False, True])
def test_a_sparse_copy_has_what_is_whole_and_the_index_as_it_was(
    source: Layout, target: Layout, *, nested: bool
) -> None:
    """The index keeps its digest; of each entry either all arrives or nothing."""
    root, (there, partly, absent) = sparse_index(source, nested=nested)
    events: list[Event] = []
    assert copy(source, "app", target, sparse=True, on_event=events.append) == root
    assert target.resolve("app") == root
    read = target.read_manifest(there)
    assert isinstance(read, Manifest)
    assert read.config.digest in target.blobs
    assert read.layers[0].digest in target.blobs
    assert partly.digest not in target.blobs
    assert absent.digest not in target.blobs
    told = [one.descriptor for one in events if one.kind == "missing"]
    assert {one.digest: one for one in told} == {partly.digest: partly, absent.digest: absent}
    assert {one.descriptor.digest for one in events if one.kind == "planned"} == set(target.blobs)


def test_a_sparse_archive(source: Layout, tmp_path: Path) -> None:
    """An archive is made sparse by the same rule."""
    root, (there, partly, absent) = sparse_index(source)
    write_archive(source, ["app"], tmp_path / "x.tar", sparse=True)
    with Archive.open(tmp_path / "x.tar") as archive:
        assert archive.resolve("app") == root
        assert there.digest in archive.blobs
        assert partly.digest not in archive.blobs
        assert absent.digest not in archive.blobs
        assert archive.read_manifest(there) == source.read_manifest(there)


def test_a_sparse_copy_to_and_from_a_registry(source: Layout, target: Layout) -> None:
    """A registry that takes sparse indexes gets one, and gives it; another one refuses it."""
    root, (there, _, _) = sparse_index(source)
    with LoopbackRegistry() as server, Repository(f"{server.host}/team/app") as repository:
        with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
            copy(source, "app", repository, sparse=True)
        server.sparse_indexes = True
        copy(source, "app", repository, sparse=True)
        assert copy(repository, "app", target, sparse=True) == root
    assert sorted(target.blobs) == sorted(
        {part.digest for part in source.walk(there)} | {root.digest}
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_an_image_without_a_layer_is_refused_by_the_name_of_its_manifest(
    source: Layout, target: Layout, *, sparse: bool
) -> None:
    """Only entries of an index are left out; an image that lacks a part is not an image."""
    manifest = image(source, "amd64")
    read = source.read_manifest(manifest)
    assert isinstance(read, Manifest)
    source.blobs.delete(read.layers[0].digest)
    source.tag("app", manifest)
    with pytest.raises(BlobNotFoundError) as caught:
        copy(source, "app", target, sparse=sparse)
    assert str(read.layers[0].digest) in str(caught.value)
    assert f"the manifest {manifest.digest}" in str(caught.value)
    assert target.tags() == ()


def test_what_the_target_has_is_not_missing(source: Layout, target: Layout) -> None:
    """Content that the target has already completes an entry."""
    _, (_, partly, _) = sparse_index(source)
    image(target, "arm64")
    copy(source, "app", target, sparse=True)
    assert len(list(target.walk(partly))) == 3


def test_foreign_layers_are_not_missing(source: Layout, target: Layout) -> None:
    """A layer with `urls` need not be there, as in any copy."""
    config = source.blobs.put(b"{}", media_type=OCI_CONFIG)
    foreign = evolve(Descriptor.of(b"windows", OCI_LAYER), urls=["https://example.com/layer"])
    manifest = source.put_manifest(Manifest(config=config, layers=[foreign]))
    source.tag("app", source.put_manifest(Index(manifests=[manifest])))
    events: list[Event] = []
    copy(source, "app", target, sparse=True, on_event=events.append)
    assert not [one for one in events if one.kind == "missing"]
    assert manifest.digest in target.blobs


def test_one_failure_does_not_end_the_copy_of_the_others(
    source: Layout, target: Layout, tmp_path: Path
) -> None:
    """Each reference that fails is told with its error; all others arrive."""
    for number in range(120):
        source.tag(f"v{number}", image(source, f"a{number}"))
    broken = []
    for number in (3, 60, 119):
        manifest = source.read_manifest(source.resolve(f"v{number}"))
        assert isinstance(manifest, Manifest)
        source.blobs.delete(manifest.layers[0].digest)
        broken.append(f"v{number}")
    failed: dict[str, OciLayoutError] = {}
    arrived = copy_all(source, None, target, on_error=failed.__setitem__)
    assert sorted(failed) == sorted(broken)
    assert all(isinstance(error, BlobNotFoundError) for error in failed.values())
    assert set(arrived) == set(target.tags()) == set(source.tags()) - set(broken)
    failed.clear()
    write_archive(source, None, tmp_path / "x.tar", on_error=failed.__setitem__)
    assert sorted(failed) == sorted(broken)
    with Archive.open(tmp_path / "x.tar") as archive:
        assert set(archive.tags()) == set(arrived)


def test_an_archive_is_not_replaced_by_an_empty_one(source: Layout, tmp_path: Path) -> None:
    """Where every reference fails, the file at the path stays."""
    source.tag("app", image(source, "amd64"))
    write_archive(source, ["app"], tmp_path / "x.tar")
    before = (tmp_path / "x.tar").read_bytes()
    manifest = source.read_manifest(source.resolve("app"))
    assert isinstance(manifest, Manifest)
    source.blobs.delete(manifest.layers[0].digest)
    failed: dict[str, OciLayoutError] = {}
    write_archive(source, ["app"], tmp_path / "x.tar", on_error=failed.__setitem__)
    assert sorted(failed) == ["app"]
    assert (tmp_path / "x.tar").read_bytes() == before


@pytest.mark.parametrize("kind", ["layout", "archive", "registry"])
def test_a_platform_that_is_not_there_gives_way_to_one_that_fits(
    source: Layout, target: Layout, tmp_path: Path, kind: str
) -> None:
    """Where v7 is listed and missing and v6 is there, a copy for v7 takes v6."""
    seventh, sixth = (
        evolve(image(source, f"arm{variant}"), platform=Platform.parse(f"linux/arm/{variant}"))
        for variant in ("v7", "v6")
    )
    source.tag("app", source.put_manifest(Index(manifests=[seventh, sixth])))
    source.blobs.delete(seventh.digest)
    if kind == "archive":
        write_archive(source, ["app"], tmp_path / "x.tar", sparse=True)
        with Archive.open(tmp_path / "x.tar") as archive:
            assert copy(archive, "app", target, platform="linux/arm/v7") == sixth.plain()
    elif kind == "registry":
        with (
            LoopbackRegistry(sparse_indexes=True) as server,
            Repository(f"{server.host}/team/app") as repository,
        ):
            copy(source, "app", repository, sparse=True)
            assert copy(repository, "app", target, platform="linux/arm/v7") == sixth.plain()
    else:
        assert copy(source, "app", target, platform="linux/arm/v7") == sixth.plain()
    assert target.resolve("app") == sixth.plain()
