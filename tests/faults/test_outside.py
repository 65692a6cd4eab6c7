"""Links that lead out of a layout: nothing behind them is listed, written or deleted."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout.garbage import sweep
from ocilayout.layout.layout import Layout
from ocilayout.layout.temporary import temporary_files
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.check.repair import RepairReport
    from ocilayout.model.descriptor import Descriptor

pytestmark = pytest.mark.usefixtures("later")

NOW = timedelta(0)
DEAD = f"{2**22 + 1}-0123456789abcdef"


def put_artifact(layout: Layout, text: str = "x") -> Descriptor:
    """Store a manifest with one layer; it has no entry."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(text.encode(), media_type=OCI_LAYER)
    return layout.put_manifest(Manifest(config=config, layers=[layer]))


def picture(folder: Path) -> dict[str, int]:
    """Return all that lies in a folder, with its inode."""
    return {str(path.relative_to(folder)): path.lstat().st_ino for path in folder.rglob("*")}


def move_out(path: Path, elsewhere: Path) -> Path:
    """Move a folder out of a layout, and leave a link to it in its place."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return elsewhere


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.create(tmp_path / "layout", durability="none")
    layout.tag("a", put_artifact(layout))
    return layout


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder outside that looks like one of temporaries, all of them old."""
    folder = tmp_path / "elsewhere"
    (folder / "folder" / "within").mkdir(parents=True)
    for name in ("file", "x.tmp", DEAD, f"{DEAD}.tmp", "0" * 64 + "123", "folder/within/file"):
        (folder / name).write_bytes(b"mine")
    return folder


def tidy(layout: Layout) -> tuple[tuple[str, ...], RepairReport]:
    """Collect and repair; return what each removed."""
    return layout.collect(grace=NOW, untagged="prune").temporaries, layout.repair()


def test_what_lies_behind_a_linked_ingest_is_not_deleted(layout: Layout, elsewhere: Path) -> None:
    """Neither a collection nor a repair nor a check looks through a link in place of ingest."""
    (layout.path / "ingest").rmdir()
    (layout.path / "ingest").symlink_to(elsewhere)
    before = picture(elsewhere)
    temporaries, repaired = tidy(layout)
    assert temporaries == ()
    assert repaired.actions == ()
    assert list(temporary_files(layout.path)) == []
    assert picture(elsewhere) == before


@pytest.mark.parametrize("leads", [True, False])
def test_nothing_is_written_through_a_linked_ingest(
    layout: Layout, elsewhere: Path, *, leads: bool
) -> None:
    """A put refuses a link in place of ingest, and names it, unless the blob is stored already."""
    (layout.path / "ingest").rmdir()
    (layout.path / "ingest").symlink_to(elsewhere if leads else elsewhere / "missing")
    before = picture(elsewhere)
    with pytest.raises(NotADirectoryError, match="it is a symbolic link") as caught:
        layout.blobs.put(b"new", media_type=OCI_LAYER)
    assert caught.value.filename == str(layout.path / "ingest")
    assert layout.blobs.put(b"x", media_type=OCI_LAYER).size == 1
    assert picture(elsewhere) == before


@pytest.mark.parametrize("place", ["ingest/x", ".umoci-x", "blobs/sha256/x.tmp", "oci-put-blobx"])
def test_a_link_among_temporaries_is_not_walked(
    layout: Layout, elsewhere: Path, place: str
) -> None:
    """A link is old by its own times, and goes alone, whatever it leads to."""
    (layout.path / place).symlink_to(elsewhere)
    before = picture(elsewhere)
    temporaries, _ = tidy(layout)
    assert temporaries == (place,)
    assert picture(elsewhere) == before


def test_a_link_within_a_temporary_folder_is_not_walked(layout: Layout, elsewhere: Path) -> None:
    """A folder of temporaries goes with the links in it, and without what they lead to."""
    folder = layout.path / "ingest" / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(elsewhere)
    (folder / "deep" / "file").write_bytes(b"x")
    os.mkfifo(folder / "fifo")
    before = picture(elsewhere)
    assert tidy(layout)[0] == ("ingest/folder",)
    assert picture(elsewhere) == before
    assert list((layout.path / "ingest").iterdir()) == []


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_shared_blobs_are_read_and_written_and_never_deleted(
    layout: Layout, tmp_path: Path, folder: str
) -> None:
    """A linked folder of blobs belongs to others: no verb deletes there, nor says that it did."""
    outside = move_out(layout.path / folder, tmp_path / "outside")
    garbage = layout.blobs.put(b"garbage", media_type=OCI_LAYER)
    (layout.path / "blobs" / "sha256" / "x.tmp").write_bytes(b"old")
    before = picture(outside)
    assert layout.blobs.read(garbage) == b"garbage"
    planned = layout.collect(grace=NOW, dry_run=True)
    report = layout.collect(grace=NOW)
    assert (report.removed, report.freed, report.temporaries) == ((), 0, ())
    assert planned == report
    layout.repair()
    with pytest.raises(NotADirectoryError, match="symbolic link") as caught:
        layout.blobs.delete(garbage.digest)
    assert caught.value.filename == str(layout.path / folder)
    layout.remove("a")
    assert layout.tags() == ()
    assert picture(outside) == before


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_damaged_shared_blobs_are_not_moved(layout: Layout, tmp_path: Path, folder: str) -> None:
    """A repair puts nothing in quarantine that lies behind a link."""
    damaged = layout.blobs.put(b"layer", media_type=OCI_LAYER)
    layout.blobs.path(damaged.digest).write_bytes(b"LAYER")
    outside = move_out(layout.path / folder, tmp_path / "outside")
    before = picture(outside)
    assert layout.repair().actions == ()
    assert picture(outside) == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_linked_quarantine_is_refused(layout: Layout, elsewhere: Path, *, dry_run: bool) -> None:
    """A repair moves nothing through a link in place of quarantine, and names it."""
    damaged = layout.blobs.put(b"layer", media_type=OCI_LAYER)
    layout.blobs.path(damaged.digest).write_bytes(b"LAYER")
    (layout.path / "quarantine").symlink_to(elsewhere)
    before = picture(elsewhere)
    remaining = layout.repair(dry_run=dry_run).remaining
    (left,) = [one for one in remaining if one.code == "digest-mismatch"]
    assert f"{layout.path / 'quarantine'}: it is a symbolic link" in left.message
    assert picture(elsewhere) == before
    assert layout.blobs.path(damaged.digest).read_bytes() == b"LAYER"


def test_a_linked_lock_file_is_refused(layout: Layout, elsewhere: Path) -> None:
    """Nothing is locked, made or given another mode through a link in place of the lock file."""
    (layout.path / "index.json.lock").unlink(missing_ok=True)
    (layout.path / "index.json.lock").symlink_to(elsewhere / "new")
    with pytest.raises(OSError, match="it is a symbolic link") as caught:
        layout.untag("a")
    assert caught.value.filename == str(layout.path / "index.json.lock")
    assert not (elsewhere / "new").exists()


def test_links_to_the_two_documents_are_read(layout: Layout, tmp_path: Path) -> None:
    """`index.json` and `oci-layout` may be links when a layout is read."""
    for name in ("index.json", "oci-layout"):
        move_out(layout.path / name, tmp_path / name)
    assert Layout.open(layout.path).tags() == ("a",)


def test_a_linked_folder_that_is_swapped_in_is_not_deleted_from(
    layout: Layout, tmp_path: Path
) -> None:
    """If a folder is replaced by a link between mark and sweep, nothing behind it is deleted."""
    garbage = layout.blobs.put(b"garbage", media_type=OCI_LAYER)
    outside = move_out(layout.path / "blobs" / "sha256", tmp_path / "outside")
    assert sweep(layout.path, layout.blobs, [garbage.digest]) == []
    assert (outside / garbage.digest.encoded).exists()


def test_a_layout_that_is_reached_by_a_link_is_one(layout: Layout, tmp_path: Path) -> None:
    """The folder of the layout itself may be a link: all verbs work."""
    (tmp_path / "link").symlink_to(layout.path)
    linked = Layout.open(tmp_path / "link")
    garbage = linked.blobs.put(b"garbage", media_type=OCI_LAYER)
    assert linked.collect(grace=NOW).removed == (garbage.digest,)
    with pytest.raises(BlobNotFoundError):
        linked.blobs.delete(garbage.digest)
    linked.remove("a")
    assert list(linked.blobs) == []


def test_a_temporary_of_too_many_folders_stays(layout: Layout) -> None:
    """A folder in a folder, and so on, neither ends a collection nor goes in part."""
    path = layout.path / "ingest" / "deep"
    path.mkdir()
    number = os.open(path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=number)
        inner = os.open("d", os.O_RDONLY, dir_fd=number)
        os.close(number)
        number = inner
    os.close(number)
    assert layout.collect(grace=NOW).temporaries == ()
    assert layout.repair().actions == ()
    assert path.exists()
    top = os.open(path, os.O_RDONLY)
    for _ in range(1500):  # too deep for pytest to remove it
        os.rename("d", "e", src_dir_fd=top, dst_dir_fd=top)
        inner = os.open("e", os.O_RDONLY, dir_fd=top)
        if os.listdir(inner):  # noqa: PTH208 # of a descriptor
            os.rename("d", "d", src_dir_fd=inner, dst_dir_fd=top)
        os.close(inner)
        os.rmdir("e", dir_fd=top)
    os.close(top)
