"""Repair: what needs no guessing is repaired once and reported; all else stays as it is."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import RepairReport, repair_folder
from ocilayout.errors import LockTimeoutError
from ocilayout.layout import Layout, clock
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.rootindex import RootIndex
from ocilayout.layout.temporary import TemporaryFile
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST, OCTET_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocilayout.errors import Problem

pytestmark = pytest.mark.usefixtures("later")

LONG_AGO = 1_000_000_000
DEAD = 2**22 + 1  # beyond the largest number of a process
ABSENT = "sha256:" + "0" * 64
UNKNOWN = "newhash:" + "a" * 64


def mend(root: Path, *, dry_run: bool = False, durable: bool = False) -> RepairReport:
    indexfile = IndexFile(root, durable=durable, lock_timeout=60)
    return repair_folder(root, indexfile, Blobs(root), dry_run=dry_run)


def done(report: RepairReport) -> list[tuple[str, str]]:
    return [(action.code, action.place) for action in report.actions]


def codes(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.code for problem in problems]


def place_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def picture(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that a folder holds: modes, times and bytes."""
    result = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        result[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, data)
    return result


def entries(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((root / "index.json").read_bytes())["manifests"]
    return found


def append(root: Path, *more: dict[str, Any]) -> None:
    document = json.loads((root / "index.json").read_bytes())
    document["manifests"].extend(more)
    (root / "index.json").write_bytes(json.dumps(document).encode())


def dangling(digest: str = ABSENT, **more: Any) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 3, **more}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Give a layout with one named manifest of one layer, and nothing wrong."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    manifest = layout.put_manifest(
        Manifest(
            artifact_type="a/b",
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(b"layer", media_type=OCI_LAYER)],
        )
    )
    layout.tag("v1", manifest)
    (layout.path / "ingest").rmdir()
    return layout


LAYER = Descriptor.of(b"layer", OCI_LAYER)


def test_a_whole_layout_is_left_alone(layout: Layout) -> None:
    before = picture(layout.path)
    assert mend(layout.path) == RepairReport(actions=(), remaining=())
    assert picture(layout.path) == before


def test_a_folder_that_is_not_a_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "oci-put-blob1").write_bytes(b"")
    os.utime(tmp_path / "oci-put-blob1", (LONG_AGO, LONG_AGO))
    before = picture(tmp_path)
    report = mend(tmp_path)
    assert report.actions == ()
    assert "missing-header" in codes(report.remaining)
    assert picture(tmp_path) == before


@pytest.mark.spec("image-layout:blobs-folder")
def test_a_missing_folder_of_blobs_is_made(tmp_path: Path) -> None:
    root = Layout.create(tmp_path / "new").path
    (root / "blobs").rmdir()
    assert done(mend(root, dry_run=True)) == [("missing-blobs-folder", "blobs")]
    assert not (root / "blobs").exists()
    assert mend(root, durable=True).remaining == ()
    assert (root / "blobs").is_dir()


def test_something_else_in_the_place_of_the_folder_of_blobs_stays(tmp_path: Path) -> None:
    root = Layout.create(tmp_path / "new").path
    append(root, dangling())
    (root / "blobs").rmdir()
    (root / "blobs").symlink_to("unmounted")
    report = mend(root)
    assert done(report) == []
    assert codes(report.remaining) == ["dangling-entry", "missing-blobs-folder"]
    assert (root / "blobs").is_symlink()


def test_dangling_entries_without_a_name_are_dropped_and_nothing_else(layout: Layout) -> None:
    (layout.path / "index.json").write_text(
        (layout.path / "index.json").read_text().replace('"manifests"', '"x": [1e2], "manifests"')
    )
    named = dangling(annotations={REF_NAME: "gone"}, strange=True)
    append(
        layout.path, named, dangling(annotations={"com.example.note": "x"}), dangling("no:digest ")
    )
    document = json.loads((layout.path / "index.json").read_bytes())
    report = mend(layout.path)
    assert done(report) == [("dangling-entry", "index.json$.manifests[2]")]
    del document["manifests"][2]
    assert json.loads((layout.path / "index.json").read_bytes()) == document
    assert sorted(codes(report.remaining)) == ["bad-digest", "dangling-name"]


def test_an_entry_whose_blob_is_there_is_kept_even_if_nobody_knows_it(layout: Layout) -> None:
    (layout.path / place_of(UNKNOWN)).parent.mkdir()
    (layout.path / place_of(UNKNOWN)).write_bytes(b"abc")
    append(layout.path, dangling(UNKNOWN), dangling(LAYER.digest, mediaType=OCI_LAYER, size=5))
    assert done(mend(layout.path)) == []


@pytest.mark.spec("image-layout:several-entries")
def test_exact_repetitions_of_an_entry_are_dropped(layout: Layout) -> None:
    (entry,) = entries(layout.path)
    other = {**entry, "strange": 1}
    append(layout.path, entry, other, other, entry)
    report = mend(layout.path)
    assert done(report) == [
        ("duplicate-entry", f"index.json$.manifests[{position}]") for position in (1, 3, 4)
    ]
    assert entries(layout.path) == [entry, other]
    assert report.remaining == ()


def test_a_root_index_without_a_repetition_still_finds_the_name(layout: Layout) -> None:
    (entry,) = entries(layout.path)
    append(layout.path, {**entry, "size": 3}, entry)
    index = RootIndex((layout.path / "index.json").read_bytes())
    index.drop_at(0)
    assert index.find("v1").descriptor.size == 3
    index.drop_at(2)
    index.drop_at(1)
    assert json.loads(index.encode())["manifests"] == []


@pytest.mark.parametrize("data", [b"{", b'{"schemaVersion":2,"manifests":[{}]}'])
def test_an_index_that_does_not_parse_is_not_touched(layout: Layout, data: bytes) -> None:
    (layout.path / "index.json").write_bytes(data)
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    report = mend(layout.path)
    assert done(report) == [("digest-mismatch", place_of(LAYER.digest))]
    assert (layout.path / "index.json").read_bytes() == data
    assert report.remaining


@pytest.mark.parametrize("how", ["missing", "a FIFO"])
def test_blobs_are_repaired_without_an_index(layout: Layout, how: str) -> None:
    (layout.path / "index.json").unlink()
    if how == "a FIFO":
        os.mkfifo(layout.path / "index.json")
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    assert done(mend(layout.path)) == [("digest-mismatch", place_of(LAYER.digest))]


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_bytes(b"x")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "other bytes": lambda path: path.write_bytes(b"Layer"),
    "cut off": lambda path: path.write_bytes(b""),
    "a folder": make_folder,
    "a FIFO": os.mkfifo,
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a relative link to a file": lambda path: path.symlink_to("../../oci-layout"),
    "a link to a folder": lambda path: path.symlink_to("/"),
    "a link to a device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.spec("image-layout:blob-content")
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("durable", [True, False])
def test_a_damaged_blob_is_moved_aside_so_that_a_put_can_refill_it(
    layout: Layout, how: str, *, durable: bool
) -> None:
    path = layout.path / place_of(LAYER.digest)
    path.unlink()
    DAMAGES[how](path)
    was = path.lstat()
    held = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    code = "digest-mismatch" if how in ("other bytes", "cut off") else "irregular-blob"
    dry = mend(layout.path, dry_run=True)
    assert os.path.lexists(path)
    report = mend(layout.path, durable=durable)
    assert dry == report
    assert done(report) == [(code, place_of(LAYER.digest))]
    assert codes(report.remaining) == ["quarantined-blob"]
    kept = layout.path / "quarantine" / LAYER.digest.replace(":", "-")
    assert kept.lstat().st_ino == was.st_ino
    assert report.actions[0].message == f"moves it to quarantine/{kept.name}"
    if held:
        assert kept.read_bytes() == held
    assert not os.path.lexists(path)
    assert done(mend(layout.path)) == []
    layout.blobs.put(b"layer", media_type=OCI_LAYER)
    assert list(iter_problems(layout.path)) == []


def test_what_is_in_quarantine_is_never_overwritten(layout: Layout) -> None:
    path = layout.path / place_of(LAYER.digest)
    for data in (b"one", b"two", b"three"):
        path.write_bytes(data)
        mend(layout.path)
    kept = sorted((layout.path / "quarantine").iterdir())
    assert [file.read_bytes() for file in kept] == [b"one", b"two", b"three"]


def test_an_entry_whose_content_waits_in_quarantine_is_not_dropped(layout: Layout) -> None:
    index = layout.put_manifest(Index())
    with layout.edit() as edit:
        edit.add(index)
    (layout.path / place_of(index.digest)).write_bytes(b"damaged")
    assert done(mend(layout.path)) == [("digest-mismatch", place_of(index.digest))]
    report = mend(layout.path)
    assert done(report) == []
    assert codes(report.remaining) == ["quarantined-blob"]


def test_a_blob_of_an_unknown_algorithm_or_a_wrong_size_alone_is_not_moved(layout: Layout) -> None:
    (layout.path / place_of(UNKNOWN)).parent.mkdir()
    (layout.path / place_of(UNKNOWN)).write_bytes(b"abc")
    append(
        layout.path,
        dangling(UNKNOWN, size=4, mediaType=OCTET_STREAM),
        dangling(LAYER.digest, size=4, mediaType=OCI_LAYER),
    )
    report = mend(layout.path)
    assert done(report) == []
    assert codes(report.remaining).count("size-mismatch") == 2


@pytest.mark.spec("image-layout:links")
@pytest.mark.parametrize("linked", ["blobs", "blobs/sha256"])
def test_blobs_in_a_folder_that_is_a_link_belong_to_others(
    layout: Layout, tmp_path: Path, linked: str
) -> None:
    (layout.path / linked).rename(tmp_path / "elsewhere")
    (layout.path / linked).symlink_to(tmp_path / "elsewhere")
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    report = mend(layout.path)
    assert done(report) == []
    assert codes(report.remaining) == ["linked-folder", "digest-mismatch"]


def test_damage_that_was_not_repaired_is_reported_beside_the_actions(
    layout: Layout, tmp_path: Path
) -> None:
    (layout.path / "blobs" / "sha256").rename(tmp_path / "elsewhere")
    (layout.path / "blobs" / "sha256").symlink_to(tmp_path / "elsewhere")
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    append(layout.path, dangling())
    report = mend(layout.path)
    assert done(report) == [("dangling-entry", "index.json$.manifests[1]")]
    assert codes(report.remaining) == ["linked-folder", "digest-mismatch"]


def leave(root: Path, place: str, *, age: int, data: bytes = b"half") -> Path:
    """Leave a temporary, last written so many seconds ago; a folder with a file in it for umoci."""
    path = root / place
    path.parent.mkdir(exist_ok=True)
    file = path
    if ".umoci" in place:
        path.mkdir()
        file = path / "blob-1"
    file.write_bytes(data)
    when = clock.now() - age
    os.utime(file, (when, when))
    os.utime(path, (when, when))
    return path


OURS = [
    f"ingest/{DEAD}-0123456789abcdef",
    f"index.json.{DEAD}-0123456789abcdef.tmp",
    f"index.json.oci-layout.{DEAD}.tmp",
]
THEIRS = [
    "ingest/0a_1234",
    "index.json.1234567.tmp",
    "oci-put-blob123",
    ".umoci-123",
    f"blobs/sha256/{'0' * 64}123",
    "blobs/sha256/x.tmp",
]
DAY = 24 * 60 * 60


@pytest.mark.parametrize("place", OURS)
@pytest.mark.parametrize("data", [b"half", b""])
def test_temporary_files_of_this_library_are_removed_at_any_age(
    layout: Layout, place: str, data: bytes
) -> None:
    path = leave(layout.path, place, age=0, data=data)
    assert done(mend(layout.path, dry_run=True)) == [("leftover", place)]
    assert path.exists()
    report = mend(layout.path)
    assert done(report) == [("leftover", place)]
    assert report.remaining == ()
    assert not path.exists()


@pytest.mark.parametrize("place", THEIRS)
def test_temporary_files_of_other_programs_are_removed_after_a_day(
    layout: Layout, place: str
) -> None:
    path = leave(layout.path, place, age=DAY - 600)
    report = mend(layout.path)
    assert done(report) == []
    assert codes(report.remaining) == ["leftover"]
    os.utime(path, (LONG_AGO, LONG_AGO))
    if path.is_dir():
        assert done(mend(layout.path)) == []  # what is in it is younger
        os.utime(path / "blob-1", (LONG_AGO, LONG_AGO))
    assert done(mend(layout.path)) == [("leftover", place)]
    assert not path.exists()


@pytest.mark.parametrize("place", [OURS[0], *THEIRS])
def test_a_temporary_file_that_a_writer_has_locked_stays(layout: Layout, place: str) -> None:
    path = leave(layout.path, place, age=2 * DAY)
    number = os.open(path, os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX)
    assert mend(layout.path) == RepairReport(actions=(), remaining=())
    os.close(number)
    assert done(mend(layout.path)) == [("leftover", place)]


def test_a_file_that_was_made_a_moment_ago_stays_while_its_writer_lives(layout: Layout) -> None:
    place = f"ingest/{os.getpid()}-0123456789abcdef"
    leave(layout.path, place, age=0, data=b"")
    assert done(mend(layout.path)) == []
    leave(layout.path, "ingest/1-0123456789abcdef", age=0, data=b"")  # may be of another writer
    assert done(mend(layout.path)) == []
    (layout.path / place).write_bytes(b"half, and not locked")
    assert done(mend(layout.path)) == [("leftover", place)]


def test_a_writer_whose_number_is_not_that_of_a_process_is_dead(layout: Layout) -> None:
    place = f"ingest/{10**30}-0123456789abcdef"
    leave(layout.path, place, age=0, data=b"")
    assert done(mend(layout.path)) == [("leftover", place)]


def test_a_folder_with_one_of_our_names_is_not_ours(layout: Layout) -> None:
    (layout.path / "ingest" / f"{DEAD}-0123456789abcdef").mkdir(parents=True)
    assert done(mend(layout.path)) == []


def test_a_link_that_another_program_left_goes_without_its_target(
    layout: Layout, tmp_path: Path
) -> None:
    (tmp_path / "target").mkdir()
    link = layout.path / ".umoci-1"
    link.symlink_to(tmp_path / "target")
    os.utime(link, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    assert done(mend(layout.path)) == [("leftover", ".umoci-1")]
    assert (tmp_path / "target").is_dir()
    assert not os.path.lexists(link)


def test_a_blob_that_was_refilled_meanwhile_is_not_moved(layout: Layout) -> None:
    """The lock is taken after the first check of a blob, which is then checked again."""
    path = layout.path / place_of(LAYER.digest)
    path.write_bytes(b"Layer")
    indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
    reports: list[RepairReport] = []
    waiting = threading.Event()

    class Telling(IndexFile):
        def locked(self) -> Any:
            waiting.set()
            return super().locked()

    telling = Telling(layout.path, durable=False, lock_timeout=60)
    thread = threading.Thread(
        target=lambda: reports.append(repair_folder(layout.path, telling, Blobs(layout.path)))
    )
    with indexfile.locked():
        thread.start()
        assert waiting.wait(60)
        path.unlink()
        layout.blobs.put(b"layer", media_type=OCI_LAYER)
    thread.join()
    assert reports == [RepairReport(actions=(), remaining=reports[0].remaining)]
    assert path.read_bytes() == b"layer"


@pytest.mark.parametrize("then", ["replaced", "gone"])
def test_a_damaged_blob_that_changes_while_it_is_judged_stays(layout: Layout, then: str) -> None:
    path = layout.path / place_of(LAYER.digest)
    path.write_bytes(b"Layer")
    looks: list[Path] = []

    def meanwhile(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[0] == str(path) and len(looks) < 2:
            looks.append(path)
            if len(looks) == 2:  # the check has looked, this is the repair
                path.rename(layout.path / "other")
                if then == "replaced":
                    path.write_bytes(b"lAYER")

    sys.addaudithook(meanwhile)
    report = mend(layout.path)
    assert len(looks) == 2
    assert report.actions == ()
    assert path.exists() == (then == "replaced")
    assert not (layout.path / "quarantine").exists()


def test_a_temporary_file_that_is_gone_is_not_dead(tmp_path: Path) -> None:
    for ours in (True, False):
        assert not TemporaryFile(root=tmp_path, name="gone", ours=ours).is_dead(2.0**40)


@pytest.mark.parametrize("ours", [True, False])
def test_a_temporary_file_that_was_locked_meanwhile_is_not_dead(
    tmp_path: Path, *, ours: bool
) -> None:
    (tmp_path / "x").write_bytes(b"x")
    leftover = TemporaryFile(root=tmp_path, name="x", ours=ours)
    with (tmp_path / "x").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not leftover.is_dead(2.0**40)
    assert leftover.is_dead(2.0**40)


def test_an_entry_that_got_its_content_meanwhile_is_kept(layout: Layout) -> None:
    late = Descriptor.of(b"late", OCI_LAYER)
    append(layout.path, dangling(late.digest, mediaType=OCI_LAYER, size=4))

    class Late(IndexFile):
        def edit(self, *arguments: Any, **options: Any) -> None:
            layout.blobs.put(b"late", media_type=OCI_LAYER)
            super().edit(*arguments, **options)

    indexfile = Late(layout.path, durable=False, lock_timeout=60)
    assert done(repair_folder(layout.path, indexfile, layout.blobs)) == []
    assert len(entries(layout.path)) == 2


def test_a_lock_that_another_writer_holds_is_an_error_and_nothing_changes(layout: Layout) -> None:
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    append(layout.path, dangling())
    before = entries(layout.path)
    indexfile = IndexFile(layout.path, durable=False, lock_timeout=0.01)
    with IndexFile(layout.path, durable=False, lock_timeout=60).locked():
        with pytest.raises(LockTimeoutError):
            repair_folder(layout.path, indexfile, layout.blobs)
        dry = repair_folder(layout.path, indexfile, layout.blobs, dry_run=True)
    assert entries(layout.path) == before
    assert len(dry.actions) == 2


def test_a_dry_run_reports_the_problems_that_would_remain(layout: Layout) -> None:
    (layout.path / place_of(LAYER.digest)).write_bytes(b"Layer")
    unwise = dangling(annotations={"kind": "x"})
    append(layout.path, unwise, dangling(annotations={REF_NAME: "gone"}))
    before = picture(layout.path)
    report = mend(layout.path, dry_run=True)
    assert codes(report.remaining) == ["dangling-name", "quarantined-blob"]
    assert picture(layout.path) == before


def test_a_dry_run_needs_no_lock_file(layout: Layout) -> None:
    append(layout.path, dangling())
    (layout.path / "index.json.lock").unlink()
    mend(layout.path, dry_run=True)
    assert not (layout.path / "index.json.lock").exists()


def test_the_digest_in_a_report_is_that_of_the_entry(layout: Layout) -> None:
    append(layout.path, dangling())
    assert mend(layout.path).actions[0].message == f"drops the entry of {Digest.parse(ABSENT)}"
