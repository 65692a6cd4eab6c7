"""Blobs on another file system than the rest of the layout, and full or broken disks, by name."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ocilayout.archive import Archive, write_archive
from ocilayout.archive.tarstream import open_target
from ocilayout.check import probe
from ocilayout.cli import main
from ocilayout.cli.terminal import one_line
from ocilayout.layout.disk import File
from ocilayout.layout.garbage import sweep
from ocilayout.layout.layout import Layout
from ocilayout.layout.realfolder import Folder
from ocilayout.layout.temporary import temporary_files
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_INDEX, OCI_LAYER
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = timedelta(0)
SHM = Path("/dev/shm")  # a file system of its own
LARGE = os.urandom(3 * 1024 * 1024)

# The command where no file may grow beyond 100,000 bytes, as on a full disk.
SHORT_OF_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from ocilayout.cli import main
main(sys.argv[1:])
"""


def put_artifact(layout: Layout, data: bytes = b"x") -> Descriptor:
    """Store a manifest with one layer; it has no entry."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(data, media_type=OCI_LAYER)
    return layout.put_manifest(Manifest(config=config, layers=[layer]))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system than that of the tests."""
    for root in (SHM, Path("/var/tmp")):
        if root.is_dir() and root.stat().st_dev != tmp_path.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                yield Path(folder)
            return
    pytest.skip("there is no second file system at /dev/shm nor at /var/tmp")


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder on a file system that keeps any time."""
    if not SHM.is_dir():
        pytest.skip("there is no /dev/shm")
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        yield Path(folder)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which a file system of its own is mounted."""
    point = tmp_path / "layout" / "blobs"
    point.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(point)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


def use(layout: Layout) -> None:
    """Put, tag, read, replace and copy with blobs elsewhere; no temporary is left."""
    target = put_artifact(layout, LARGE)
    layout.tag("a", target)
    layer = Descriptor.of(LARGE, OCI_LAYER)
    assert layout.blobs.read(layer) == LARGE
    sha512 = Descriptor.of(LARGE, OCI_LAYER, "sha512")
    assert layout.blobs.put(LARGE, media_type=OCI_LAYER, expected=sha512) == sha512
    layout.blobs.path(layer.digest).write_bytes(b"short")
    layout.blobs.put(LARGE, media_type=OCI_LAYER)
    assert layout.blobs.read(layer) == LARGE
    assert list(temporary_files(layout.path)) == []
    codes = {problem.code for problem in layout.check()}
    assert codes.isdisjoint({"digest-mismatch", "missing-blob", "leftover", "stray-file"})


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_blobs_behind_a_link_to_another_file_system(
    tmp_path: Path, elsewhere: Path, folder: str
) -> None:
    """A put into linked folders works across file systems."""
    layout = Layout.create(tmp_path / "layout")
    path = layout.path / folder
    if path.exists():
        path.rmdir()
    path.symlink_to(elsewhere)
    use(layout)
    assert list(elsewhere.rglob("*.tmp")) == []


def test_blobs_on_a_mounted_file_system(mounted: Path) -> None:
    """A mount point is a real folder: blobs and temporaries are moved and deleted there."""
    layout = Layout.open(mounted.parent, create=True)
    use(layout)
    layout.remove("a")
    damaged = layout.blobs.put(b"layer", media_type=OCI_LAYER)
    layout.blobs.path(damaged.digest).write_bytes(b"LAYER")
    assert [action.code for action in layout.repair().actions] == ["digest-mismatch"]
    aside = layout.path / "quarantine" / f"sha256-{damaged.digest.encoded}"
    assert aside.read_bytes() == b"LAYER"
    assert len(layout.collect(grace=NOW).removed) == 1
    assert list(layout.blobs) == []


def test_a_full_file_system_of_blobs_is_named(mounted: Path) -> None:
    """What does not fit there leaves nothing in either place, and the error says where."""
    layout = Layout.open(mounted.parent, create=True)
    with pytest.raises(OSError, match="No space left") as caught:
        layout.blobs.put(b"x" * 9 * 1024 * 1024, media_type=OCI_LAYER)
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename).parent == mounted / "sha256"
    assert one_line(caught.value).startswith(f"cannot write {mounted}/sha256/")
    assert list((mounted / "sha256").iterdir()) == []
    assert list((layout.path / "ingest").iterdir()) == []


def test_a_removal_on_a_full_disk_says_what_makes_room(mounted: Path) -> None:
    """The index is not overwritten in place; a collection needs no space, and then a removal."""
    layout = Layout.create(mounted)
    layout.tag("kept", put_artifact(layout))
    layout.tag("large", put_artifact(layout, b"large" * 1000))
    unreached = layout.blobs.put(b"unreached" * 1000, media_type=OCI_LAYER)
    before = (mounted / "index.json").read_bytes()
    fill(mounted / "filler")
    with pytest.raises(OSError, match="No space left") as caught:
        layout.remove("large")
    assert "the index stays as it was" in one_line(caught.value)
    assert "collect garbage, which needs no space" in one_line(caught.value)
    assert (mounted / "index.json").read_bytes() == before
    assert layout.collect(grace=NOW).removed == (unreached.digest,)
    assert layout.remove("large").freed > 5000
    assert layout.tags() == ("kept",)


def fill(path: Path) -> None:
    """Write until nothing more fits on the disk."""
    with path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


def test_a_temporary_beside_blobs_is_ours_and_locked_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    """A collection lets it be while its writer lives, and removes it when the writer is dead."""
    assert later
    layout = Layout.create(tmp_path / "layout", durability="none")
    rename = os.replace
    seen: list[str] = []

    def across(source: Any, target: Any, **options: int) -> None:
        beside = str(source).endswith(".tmp")
        if beside and "src_dir_fd" in options:
            found = [path.name for path in (layout.path / "blobs" / "sha256").iterdir()]
            assert layout.collect(grace=NOW).temporaries == ()
            assert layout.repair().actions == ()
            seen.extend(found)
        elif "src_dir_fd" in options and Path(target).parent.is_dir():
            raise OSError(errno.EXDEV, "another file system")
        rename(source, target, **options)

    monkeypatch.setattr(os, "replace", across)
    blob = layout.blobs.put(b"new", media_type=OCI_LAYER)
    assert layout.blobs.read(blob) == b"new"
    assert len(seen) == 1
    dead = layout.path / "blobs" / "sha256" / f"{2**22 + 1}-0123456789abcdef.tmp"
    dead.write_bytes(b"half")
    [found] = temporary_files(layout.path)
    assert found.ours
    assert layout.collect(grace=NOW).temporaries == (f"blobs/sha256/{dead.name}",)


def test_a_failure_to_bring_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the second rename fails as well, neither temporary file stays."""
    layout = Layout.create(tmp_path / "layout")
    layout.blobs.put(b"there", media_type=OCI_LAYER)

    def never(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "replace", never)
    with pytest.raises(OSError, match="another file system"):
        layout.blobs.put(b"new", media_type=OCI_LAYER)
    assert len(list((layout.path / "blobs" / "sha256").iterdir())) == 1
    assert list((layout.path / "ingest").iterdir()) == []


# ---------------------------------------------------------------- what a person reads


def failing(error: int) -> Any:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(error, os.strerror(error))

    return fail


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("fsync", errno.EIO, r"cannot sync .*/blobs/sha256/\w+: Input/output error"),
        ("replace", errno.EROFS, None),
        ("replace", errno.EDQUOT, r"cannot make the blob .*/blobs/sha256/\w+: Disk quota exceeded"),
        ("mkdir", errno.EMLINK, r"cannot make the folder .*/ingest: Too many links"),
    ],
)
def test_an_error_of_the_system_says_what_was_done_with_which_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int, said: str | None
) -> None:
    """The file is added even if the system names none; type and number stay the same."""
    if said is None:
        said = r"cannot write .*/oci-layout|cannot write .*/index.json"
        monkeypatch.setattr(os, call, failing(error))
        with pytest.raises(OSError, match=os.strerror(error)) as caught:
            Layout.create(tmp_path / "layout")
    else:
        layout = Layout.create(tmp_path / "layout")
        monkeypatch.setattr(os, call, failing(error))
        with pytest.raises(OSError, match=os.strerror(error)) as caught:
            layout.tag("a", put_artifact(layout))
    assert caught.value.errno == error
    assert re.match(said, one_line(caught.value))


def test_a_full_disk_is_named_by_the_command(tmp_path: Path) -> None:
    """The command says which file could not be written, in one line."""
    source = Layout.create(tmp_path / "source")
    source.tag("a", put_artifact(source, LARGE))
    for target, place in (("oci:target", "target/ingest/"), ("oci-archive:x.tar", "x.tar")):
        done = subprocess.run(
            [sys.executable, "-c", SHORT_OF_ROOM, "cp", "oci:source:a", target],
            cwd=tmp_path,
            env=unmeasured(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert re.search(
            rf"^Error: cannot write .*{place}.*: File too large$", done.stderr, re.MULTILINE
        )


def test_a_full_folder_of_temporary_files_is_named(tmp_path: Path) -> None:
    """If a copy of standard input or an unpacked archive does not fit, its folder is named."""
    source = Layout.create(tmp_path / "source")
    source.tag("a", put_artifact(source, LARGE))
    write_archive(source, ["a"], tmp_path / "a.tar")
    subprocess.run(["gzip", "-k", str(tmp_path / "a.tar")], check=True)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for locator, what in (
        ("oci-archive:-", "a copy of standard input"),
        ("oci-archive:a.tar.gz", "the unpacked archive"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", SHORT_OF_ROOM, "ls", locator],
            cwd=tmp_path,
            input=(tmp_path / "a.tar").read_bytes(),
            capture_output=True,
            env={**unmeasured(), "TMPDIR": str(temporary)},
            check=False,
        )
        wanted = f"Error: cannot write {what} to the folder {temporary}: File too large\n"
        assert done.stderr.decode() == wanted
        assert done.returncode == 1
    assert list(temporary.iterdir()) == []


def test_a_full_standard_output_is_named(tmp_path: Path) -> None:
    """An error of standard output says so."""
    Layout.create(tmp_path / "layout")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    with full.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", "from ocilayout.cli import main; main()", "ls", "layout"],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"Error: cannot write standard output: No space left on device\n"


def test_an_error_of_the_callers_stream_stays_the_callers(tmp_path: Path) -> None:
    """An error of the source stream does not name the temporary file."""
    layout = Layout.create(tmp_path / "layout")

    class Broken:
        def read(self, _: int) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "reset")

        def close(self) -> None:
            pass

    with pytest.raises(ConnectionResetError) as caught:
        layout.blobs.put(Broken(), media_type=OCI_LAYER)
    assert caught.value.filename is None


# ---------------------------------------------------------------- paths and sizes


@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
def test_a_path_that_no_file_can_have_is_an_error_of_the_system(tmp_path: Path, bad: str) -> None:
    """A path with NUL in it, or without an encoding, is refused and named by every function."""
    layout = Layout.create(tmp_path / "layout")
    for act in (
        lambda: Layout.open(tmp_path / bad),
        lambda: Layout.open(str(tmp_path / bad), create=True),
        lambda: Layout.create(bad),
        lambda: Layout(Path(bad)),
        lambda: Archive.open(bad),
        lambda: write_archive(layout, [], bad),
        lambda: layout.blobs.put(bad, media_type=OCI_LAYER),
    ):
        with pytest.raises(OSError, match="a path cannot have") as caught:
            act()
        assert caught.value.errno == errno.EINVAL
        assert ascii(bad)[1:-1] in caught.value.filename


def test_a_digest_with_a_long_algorithm_is_not_there(tmp_path: Path) -> None:
    """Where a name would be too long for any file, walking, collecting and removing go on."""
    layout = Layout.create(tmp_path / "layout")
    for digest in ("a" * 300 + ":" + "b" * 32, "sha9:" + "b" * 300, "a" * 3000 + ":" + "b" * 3000):
        odd = Descriptor(media_type=OCI_LAYER, digest=digest, size=1)
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        layout.tag("a", layout.put_manifest(Manifest(config=config, layers=[odd])))
        assert odd in list(layout.walk(layout.resolve("a")))
        assert odd.digest not in layout.blobs
        with pytest.raises(LookupError):
            layout.blobs.delete(odd.digest)
        with pytest.raises(LookupError):
            layout.blobs.read(odd, verify=False)
        assert sweep(layout.path, layout.blobs, [odd.digest]) == []
        layout.collect(grace=NOW, untagged="prune")
        layout.check()
        layout.remove("a")
    root = Descriptor(media_type=OCI_INDEX, digest=odd.digest, size=1)
    with pytest.raises(LookupError):
        layout.tag("b", root)
    layout.collect(grace=NOW)
    assert list(layout.blobs) == []


def test_a_new_file_system_can_become_a_layout(tmp_path: Path) -> None:
    """A folder with nothing but `lost+found` in it is as good as an empty one."""
    for make in (Layout.create, lambda path: Layout.open(path, create=True)):
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        (root / "lost+found").mkdir(0o700)
        assert make(root).tags() == ()
        assert (root / "lost+found").is_dir()


@pytest.mark.parametrize("when", [300_000_000_000, -100_000_000_000, 2**33])
def test_a_time_beyond_the_calendar_is_listed(
    memory: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    """A file of the year 11476 breaks neither a table nor an answer nor a collection."""
    monkeypatch.chdir(memory)
    layout = Layout.create(memory / "layout")
    target = put_artifact(layout)
    layout.tag("a", target)
    os.utime(layout.blobs.path(target.digest), (when, when))
    os.utime(layout.path / "index.json", (when, when))
    assert layout.blobs.path(target.digest).stat().st_mtime == when
    for arguments in (["ls", "layout"], ["ls", "layout", "--json"], ["gc", "layout"]):
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == 0


def read_all(path: Path, read: Callable[[File], object]) -> object:
    """Open a file, read it, and close it."""
    with File.open(path) as file:
        return read(file)


UNREADABLE = Path("/proc/self/mem")  # a regular file that opens; a read at its beginning fails


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_all(path, File.readall),
        lambda path: read_all(path, File.read),
        lambda path: probe.read(path, limit=100),
        lambda path: probe.fingerprint(path, "sha256"),
    ],
    ids=["readall", "read", "probe.read", "probe.fingerprint"],
)
def test_a_file_that_opens_and_cannot_be_read_is_named(read: Callable[[Path], object]) -> None:
    """However a file is read, the error says which it is."""
    if not UNREADABLE.exists():
        pytest.skip("there is no /proc/self/mem")
    with pytest.raises(OSError, match="Input/output error") as caught:
        read(UNREADABLE)
    assert one_line(caught.value) == f"cannot read {UNREADABLE}: Input/output error"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "Is a directory"),
        ("file/x.tar", "Not a directory"),
        ("absent/x.tar", "No such file or directory"),
        ("x" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_target_that_cannot_be_written_is_named(tmp_path: Path, name: str, why: str) -> None:
    """The error names the target that was given, and no temporary file."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=why) as caught, open_target(tmp_path / name):
        pytest.fail("it was opened")
    assert one_line(caught.value) == f"cannot write {tmp_path / name}: {why}"


def test_a_target_on_a_disk_that_can_only_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first error of the file system is raised, even if cleaning up fails, too."""
    (tmp_path / "x.tar").touch()
    monkeypatch.setattr(os, "replace", failing(errno.EROFS))
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))
    with pytest.raises(OSError, match="Read-only") as caught, open_target(tmp_path / "x.tar"):
        pass
    assert one_line(caught.value) == f"cannot write {tmp_path / 'x.tar'}: Read-only file system"


@pytest.mark.parametrize("name", ["x" * 255, "\N{SNOWMAN}" * 85])
def test_a_target_may_have_a_name_as_long_as_names_can_be(tmp_path: Path, name: str) -> None:
    """The temporary file has a shorter name."""
    for data in (b"new", b"newer"):
        with open_target(tmp_path / name) as file:
            file.write(data)
        assert (tmp_path / name).read_bytes() == data
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("path", ["x" * 300, f"{'x' * 300}/layout"])
def test_a_layout_with_a_name_that_is_too_long_is_named(tmp_path: Path, path: str) -> None:
    """Opening and making it say what was tried with which file."""
    for act in (Layout.open, Layout.create):
        with pytest.raises(OSError, match="File name too long") as caught:
            act(tmp_path / path)
        assert re.match(rf"cannot (look at|read) {tmp_path / path}", one_line(caught.value))


def test_an_error_of_a_write_is_not_hidden_by_cleaning_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit that fails says why it failed, by the name of the index."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    target = put_artifact(layout)
    monkeypatch.setattr(os, "replace", failing(errno.ENOSPC))
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))
    with pytest.raises(OSError, match="No space") as caught:
        layout.tag("a", target)
    index = layout.path / "index.json"
    begin = f"cannot write {index}: No space left on device; the index stays as it was"
    assert one_line(caught.value).startswith(begin)


def test_one_temporary_that_cannot_be_removed_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    """A repair removes all the others, and says why this one stays."""
    assert later
    layout = Layout.create(tmp_path / "layout", durability="none")
    for name in (".umoci-a", "index.json.a.tmp", "oci-put-blob1"):
        (layout.path / name).write_bytes(b"x")
    remove = Folder.remove

    def refuse(self: Folder, name: str, **options: int) -> bool:
        if name == ".umoci-a":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return remove(self, name, **options)

    monkeypatch.setattr(Folder, "remove", refuse)
    report = layout.repair()
    assert [action.place for action in report.actions] == ["index.json.a.tmp", "oci-put-blob1"]
    [left] = report.remaining
    assert (left.code, left.place) == ("leftover", ".umoci-a")
    assert left.message.endswith("it could not be repaired: Device or resource busy")


def test_a_disk_that_fills_while_a_layout_is_made_keeps_no_temporary(tmp_path: Path) -> None:
    """The file that did not fit is named, and what was written of it is removed."""
    point = tmp_path / "layout"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(point)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            Layout.create(point)
        assert one_line(caught.value) == f"cannot write {point}/oci-layout: No space left on device"
        assert {path.name for path in point.iterdir()} == {"blobs", "index.json", "index.json.lock"}
    finally:
        subprocess.run(["umount", str(point)], check=True)
