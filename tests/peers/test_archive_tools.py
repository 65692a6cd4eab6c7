"""Archives, written and read by other tools."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from ocilayout import Descriptor, Digest, Layout, copy
from ocilayout.archive import Archive, write_archive
from ocilayout.errors import NotALayoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


KEEP = "--preserve-digests"  # otherwise skopeo compresses layers


@pytest.fixture
def layout(
    tmp_path: Path, put_image: Callable[..., Descriptor], put_platforms: Callable[..., Descriptor]
) -> Layout:
    """Return a layout with two images and an index."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    for name in ("v1", "v2"):
        layout.tag(name, put_image(layout, name))
    layout.tag("all", put_platforms(layout))
    return layout


@pytest.fixture
def path(layout: Layout, tmp_path: Path) -> Path:
    """Return an archive of it."""
    path = tmp_path / "ours.tar"
    write_archive(layout, None, path)
    return path


@pytest.mark.parametrize("name", ["v1", "v2", "all"])
def test_skopeo_reads_our_archives(
    run: Callable[..., str], layout: Layout, path: Path, tmp_path: Path, name: str
) -> None:
    """skopeo finds each name in an archive of several, and copies from it without loss."""
    raw = run("skopeo", "inspect", "--raw", f"oci-archive:{path}:{name}")
    assert Digest.of(raw.encode()) == layout.resolve(name).digest
    folder = tmp_path / "copied"
    run("skopeo", "copy", "--all", KEEP, f"oci-archive:{path}:{name}", f"oci:{folder}:{name}")
    copied = Layout.open(folder)
    assert copied.resolve(name) == layout.resolve(name)
    root = layout.resolve(name)
    assert {found.digest for found in layout.walk(root)} == set(copied.blobs)


def test_skopeo_reads_an_archive_of_one_name(
    run: Callable[..., str], layout: Layout, tmp_path: Path
) -> None:
    """skopeo needs no name for an archive with one name."""
    path = tmp_path / "one.tar"
    write_archive(layout, ["v1"], path)
    raw = run("skopeo", "inspect", "--raw", f"oci-archive:{path}")
    assert Digest.of(raw.encode()) == layout.resolve("v1").digest


@pytest.mark.parametrize("name", ["v1", "all"])
def test_we_read_the_archives_of_skopeo(
    run: Callable[..., str], layout: Layout, tmp_path: Path, name: str
) -> None:
    """An archive of skopeo is read in place, and our copy of it equals our own archive."""
    path = tmp_path / "theirs.tar"
    run(
        "skopeo", "copy", "--all", KEEP,
        f"oci:{layout.path}:{name}", f"oci-archive:{path}:{name}",
    )  # fmt: skip
    target = Layout.create(tmp_path / "target", durability="none")
    with Archive.open(path) as archive:
        assert archive.tags() == (name,)
        assert archive.resolve(name) == layout.resolve(name)
        assert copy(archive, name, target) == archive.resolve(name)
        assert set(target.blobs) == set(archive.blobs)
        ours, again = io.BytesIO(), io.BytesIO()
        write_archive(archive, None, ours)
        write_archive(target, None, again)
    assert ours.getvalue() == again.getvalue()


def test_an_archive_of_docker_without_a_layout(
    run: Callable[..., str], layout: Layout, tmp_path: Path
) -> None:
    """An archive of `docker save` from before it saved layouts is refused, with that reason."""
    path = tmp_path / "docker.tar"
    run("skopeo", "copy", f"oci:{layout.path}:v1", f"docker-archive:{path}:team/x:v1")
    with pytest.raises(NotALayoutError, match="oci-layout is missing; it is an image of Docker"):
        Archive.open(path)


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
@pytest.mark.parametrize("how", ["-cf", "-czf"])
def test_we_read_archives_of_tar(
    run: Callable[..., str], layout: Layout, tmp_path: Path, form: str, how: str
) -> None:
    """A layout that GNU tar packed from inside its folder is read in each of its formats."""
    path = tmp_path / "packed"
    run("tar", f"--format={form}", "-C", layout.path, how, path, ".")
    with Archive.open(path) as archive:
        assert archive.entries() == layout.entries()
        assert list(archive.blobs) == list(layout.blobs)
        for name in layout.tags():
            for found in archive.walk(archive.resolve(name)):
                assert archive.blobs.read(found) == layout.blobs.read(found)


def test_tar_packed_from_outside(run: Callable[..., str], layout: Layout, tmp_path: Path) -> None:
    """A layout that was packed with its folder is refused; the error says where it is."""
    path = tmp_path / "packed"
    run("tar", "-C", tmp_path, "-cf", path, layout.path.name)
    with pytest.raises(NotALayoutError, match="there is one in 'layout'"):
        Archive.open(path)


def test_links_in_archives_of_tar(run: Callable[..., str], layout: Layout, tmp_path: Path) -> None:
    """GNU tar packs a blob with two names as a link, which is refused; the error names it."""
    first, *_ = layout.blobs
    blob = layout.blobs.path(first)
    (layout.path / "another-name").hardlink_to(blob)
    path = tmp_path / "packed"
    run("tar", "--sort=name", "-C", layout.path, "-cf", path, ".")
    with pytest.raises(ValueError, match=rf"{first.encoded}: it is not a regular file"):
        Archive.open(path)


def test_tar_and_umoci_read_our_archives(
    run: Callable[..., str], path: Path, layout: Layout, tmp_path: Path
) -> None:
    """An unpacked archive is a layout, for us and for umoci."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    assert run("tar", "-C", folder, "-xvf", path).split()[:3] == [
        "oci-layout", "index.json", "blobs/",
    ]  # fmt: skip
    unpacked = Layout.open(folder)
    assert list(unpacked.blobs) == list(layout.blobs)
    assert unpacked.tags() == layout.tags()
    assert set(run("umoci", "ls", "--layout", folder).split()) == set(layout.tags())
