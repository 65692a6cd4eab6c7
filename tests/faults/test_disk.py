"""Disks that are full, broken or read-only: the error is raised, and nothing is left behind."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout import copy
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.model.stream import BlobSource

LARGE = os.urandom(3 * 1024 * 1024)


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, in bytes: a write fails half-way, as on a full disk.

    The system would also send SIGXFSZ, which Python ignores.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def put_artifact(layout: Layout, *layers: bytes) -> Descriptor:
    """Store a manifest with these layers; it has no entry."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(data, media_type=OCI_LAYER) for data in layers],
        )
    )


def contents(root: Path) -> dict[str, bytes]:
    """Read every file of a layout but its lock."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "index.json.lock"
    }


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.create(tmp_path / "layout")
    layout.tag("a", put_artifact(layout, b"x"))
    return layout


@pytest.mark.parametrize("size", [0, 1000, 1024 * 1024, 1024 * 1024 + 1, len(LARGE) - 1])
@pytest.mark.parametrize("wrap", [bytes, io.BytesIO], ids=["bytes", "stream"])
@pytest.mark.parametrize("expected", [None, Descriptor.of(LARGE, OCI_LAYER)])
def test_a_blob_that_does_not_fit_leaves_nothing(
    layout: Layout, size: int, wrap: Callable[[bytes], BlobSource], expected: Descriptor | None
) -> None:
    """Wherever a put runs out of space, the error is raised and no file of it stays."""
    before = contents(layout.path)
    with full_after(size), pytest.raises(OSError, match="File too large") as caught:
        layout.blobs.put(wrap(LARGE), media_type=OCI_LAYER, expected=expected)
    assert caught.value.errno == errno.EFBIG
    assert contents(layout.path) == before


@pytest.mark.parametrize("durability", ["commit", "none"])
def test_an_index_that_does_not_fit_leaves_the_old_one(layout: Layout, durability: str) -> None:
    """An edit that runs out of space changes nothing, and works once there is space."""
    target = put_artifact(layout, b"y")
    before = contents(layout.path)
    handle = Layout.open(layout.path, durability="commit" if durability == "commit" else "none")
    note = {"x": "y" * 20_000}
    for size in (0, 10, 5000, 16_384):
        with full_after(size), pytest.raises(OSError, match="File too large"):
            handle.tag("b", target, annotations=note)
        assert contents(layout.path) == before
        assert handle.tags() == ("a",)
    handle.tag("b", target, annotations=note)
    assert layout.tags() == ("a", "b")


@pytest.mark.parametrize("size", [0, 20, 50])
def test_a_layout_that_does_not_fit_can_be_made_later(tmp_path: Path, size: int) -> None:
    """A creation that runs out of space can be taken up again."""
    with full_after(size), pytest.raises(OSError, match="File too large"):
        Layout.create(tmp_path / "layout")
    layout = Layout.open(tmp_path / "layout", create=True)
    layout.tag("a", put_artifact(layout, b"x"))
    assert Layout.open(tmp_path / "layout").tags() == ("a",)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_copy_that_does_not_fit_names_nothing(layout: Layout, tmp_path: Path, jobs: int) -> None:
    """A copy that runs out of space leaves the tags of the target as they were."""
    source = Layout.create(tmp_path / "source", durability="none")
    source.tag("a", put_artifact(source, LARGE, b"1", b"2"))
    before = layout.entries()
    with full_after(100_000), pytest.raises(OSError, match="File too large"):
        copy(source, "a", layout, jobs=jobs)
    assert layout.entries() == before
    assert list((layout.path / "ingest").iterdir()) == []
    assert copy(source, "a", layout, jobs=jobs) == layout.resolve("a")


def test_a_disk_that_cannot_sync_gets_no_entry(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If content or index cannot be forced onto the disk, the index stays as it was."""
    target = put_artifact(layout, b"y")
    before = contents(layout.path)
    force = os.fsync
    left: list[int] = []

    def fail(number: int) -> None:
        last = Path(f"/proc/self/fd/{number}").resolve() == layout.path  # after the rename
        if not last:
            if not left:
                raise OSError(errno.EIO, "the disk is gone")
            left.pop()
        force(number)

    monkeypatch.setattr(os, "fsync", fail)
    for working in range(6):  # three blobs, their folder, blobs/ and the new index are synced
        left[:] = range(working)
        with pytest.raises(OSError, match="the disk is gone"):
            Layout.open(layout.path).tag("b", target)
        assert contents(layout.path) == before
    left[:] = range(6)
    Layout.open(layout.path).tag("b", target)
    assert left == []
    assert layout.tags() == ("a", "b")


READER = """
import os, sys, tempfile
from ocilayout import *
from ocilayout import copy
layout = Layout.open(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:  # what is imported at need may be closed to others
    scratch = Layout.create(folder + "/layout")
    scratch.tag("a", scratch.put_manifest(Index()))
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
layout = Layout.open(sys.argv[1])
root = layout.resolve("a")
assert all(layout.blobs.read(found) is not None for found in layout.walk(root))
assert layout.blobs.put(b"x", media_type="x/y").size == 1, "a stored blob need not be written"
for write in (
    lambda: layout.blobs.put(b"new", media_type="x/y"),
    lambda: layout.tag("b", root),
    lambda: layout.remove("a"),
    lambda: Layout.create(sys.argv[1] + "/blobs/new"),
):
    try:
        write()
    except PermissionError:
        continue
    raise SystemExit("a write went through")
"""


def test_a_folder_that_may_only_be_read_is_read() -> None:
    """Without permission to write, reading works, writing is an OSError, and nothing changes."""
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is closed to other users
        root = Path(folder) / "layout"
        layout = Layout.create(root)
        layout.tag("a", put_artifact(layout, b"x"))
        before = contents(root)
        for path in [*root.rglob("*"), root, Path(folder)]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            ended = subprocess.run(
                [sys.executable, "-c", READER, str(root)],
                capture_output=True,
                check=False,
                timeout=60,
            )
        finally:
            for path in [Path(folder), root, *root.rglob("*")]:
                if path.is_dir():
                    path.chmod(0o755)
        assert ended.returncode == 0, ended.stderr.decode()
        assert contents(root) == before
