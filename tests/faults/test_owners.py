"""A layout that several users, or root, work on: none locks another out."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import traceback
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout.archive.tarstream import open_target
from ocilayout.layout import clock
from ocilayout.layout.layout import Layout
from ocilayout.layout.ownership import adopt
from ocilayout.layout.realfolder import Folder
from ocilayout.layout.rootindex import EMPTY
from ocilayout.layout.temporary import temporary_files
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Header, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.layout.disk import File

OWNER, GROUP, STRANGER = 54_321, 54_322, 54_323

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="acting as another user takes root")


def as_user(user: int, act: Callable[[], None], *, group: int = GROUP) -> None:
    """Do something as another user, in a child; it must end well."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            act()
            status = 0
        except BaseException:  # noqa: BLE001 # the parent is told by the status
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def put_artifact(layout: Layout, text: str) -> Descriptor:
    """Store a manifest with one layer; it has no entry."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(text.encode(), media_type=OCI_LAYER)
    return layout.put_manifest(Manifest(config=config, layers=[layer]))


def owners(root: Path) -> set[tuple[int, int]]:
    """Return the owners and groups of all that is in a folder."""
    found = [path.lstat() for path in root.rglob("*")]
    return {(status.st_uid, status.st_gid) for status in found}


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder of another user, which others can reach; that of a test is closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "layout"
        root.mkdir()
        if os.geteuid() == 0:
            os.chown(root, OWNER, GROUP)
        yield root


@ROOT
def test_what_root_makes_belongs_to_the_owner_of_the_layout(root: Path) -> None:
    """Files and folders of every verb get the owner and the group of the layout's folder."""
    layout = Layout.open(root, create=True)
    layout.tag("a", put_artifact(layout, "a"))
    damaged = layout.blobs.put(b"layer", media_type=OCI_LAYER)
    layout.blobs.path(damaged.digest).write_bytes(b"LAYER")
    os.chown(layout.blobs.path(damaged.digest), OWNER, GROUP)
    assert layout.repair().actions
    expected = Descriptor.of(b"other", OCI_LAYER, "sha512")
    layout.blobs.put(b"other", media_type=OCI_LAYER, expected=expected)
    names = {path.name for path in root.iterdir()}
    assert names == {
        *("blobs", "index.json", "index.json.lock", "ingest", "oci-layout", "quarantine")
    }
    assert owners(root) == {(OWNER, GROUP)}

    def go_on() -> None:
        layout = Layout.open(root)
        layout.tag("b", put_artifact(layout, "b"))
        layout.remove("a")
        layout.collect(grace=timedelta(0))

    as_user(OWNER, go_on)
    assert Layout.open(root).tags() == ("b",)


@ROOT
def test_a_temporary_of_root_belongs_to_the_owner(root: Path) -> None:
    """While a blob is written, its file is the owner's already: a kill leaves no file of root."""
    layout = Layout.open(root, create=True)
    seen: list[set[tuple[int, int]]] = []

    class Watching:
        def read(self, _: int) -> bytes:
            seen.append(owners(root / "ingest"))
            return b""

        def close(self) -> None:
            pass

    layout.blobs.put(Watching(), media_type=OCI_LAYER)
    assert seen == [{(OWNER, GROUP)}]


@ROOT
def test_the_layout_of_root_stays_its_own(root: Path) -> None:
    """In a folder of its own, root gives nothing away."""
    os.chown(root, 0, 0)
    layout = Layout.open(root, create=True)
    layout.tag("a", put_artifact(layout, "a"))
    assert owners(root) == {(0, 0)}


@ROOT
def test_a_lock_file_that_root_left_is_given_to_the_owner(root: Path) -> None:
    """One of an older version is; one with something in it, or another name, is not."""
    layout = Layout.open(root, create=True)
    lock = root / "index.json.lock"
    os.chown(lock, 0, 0)
    layout.tag("a", put_artifact(layout, "a"))
    assert lock.stat().st_uid == OWNER
    os.chown(lock, 0, 0)
    lock.write_bytes(b"secret")
    layout.untag("a")
    assert lock.stat().st_uid == 0
    lock.write_bytes(b"")
    os.link(lock, root / "other")
    layout.tag("a", layout.entries()[0].descriptor)
    assert lock.stat().st_uid == 0


@ROOT
def test_a_lock_file_that_can_only_be_read_is_locked_all_the_same(root: Path) -> None:
    """The owner of a layout works on past a lock file of root with the mode 0644."""
    layout = Layout.open(root, create=True)
    lock = root / "index.json.lock"
    lock.unlink()
    lock.touch(0o644)

    def go_on() -> None:
        layout = Layout.open(root, lock_timeout=0)
        layout.tag("a", put_artifact(layout, "a"))
        with layout._indexfile.locked():
            os._exit(7 if _held(root) else 1)

    with pytest.raises(AssertionError, match="7"):
        as_user(OWNER, go_on)
    assert layout.tags() == ("a",)
    assert lock.stat().st_uid == 0


def _held(root: Path) -> bool:
    try:
        with Layout(root, lock_timeout=0)._indexfile.locked():
            return False
    except TimeoutError:
        return True


@ROOT
def test_a_lock_file_that_cannot_be_read_either_is_named(root: Path) -> None:
    """The error says which file cannot be locked."""
    Layout.open(root, create=True)
    (root / "index.json.lock").unlink()
    (root / "index.json.lock").touch(0o600)

    def refused() -> None:
        with pytest.raises(PermissionError) as caught:
            Layout.open(root).untag("a")
        assert caught.value.filename == str(root / "index.json.lock")

    as_user(OWNER, refused)


@ROOT
@pytest.mark.parametrize("durability", ["commit", "none"])
def test_a_blob_that_may_not_be_read_stops_no_edit(root: Path, durability: str) -> None:
    """A sync passes over a layer of another user with the mode 0600."""
    layout = Layout.open(root, create=True)
    target = put_artifact(layout, "a")
    layer = layout.blobs.path(Descriptor.of(b"a", OCI_LAYER).digest)
    os.chown(layer, 0, 0)
    layer.chmod(0o600)

    def go_on() -> None:
        layout = Layout.open(root, durability="commit" if durability == "commit" else "none")
        layout.tag("a", target.digest)
        layout.blobs.put(b"a", media_type=OCI_LAYER)  # it need not be read or refreshed
        layout.tag("b", put_artifact(layout, "b"))

    as_user(OWNER, go_on)
    assert layout.tags() == ("a", "b")


@ROOT
@pytest.mark.parametrize("refused", [errno.EPERM, errno.EINVAL])
def test_where_nothing_can_be_given_away_things_stay(
    root: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """In a container whose users are mapped, root cannot give files to any user, and works on."""

    def refuse(*_: int) -> None:
        raise OSError(refused, "not here")

    monkeypatch.setattr(os, "fchown", refuse)
    layout = Layout.open(root, create=True)
    layout.tag("a", put_artifact(layout, "a"))
    assert owners(root) == {(0, 0)}


@ROOT
def test_a_group_shares_a_layout_and_its_lock(root: Path) -> None:
    """Members of the group of a 0664 index edit it by turns, and it stays the group's."""
    for name, data in (("index.json", EMPTY), ("oci-layout", encode(Header()))):
        (root / name).write_bytes(data)
        (root / name).chmod(0o664)
        os.chown(root / name, OWNER, GROUP)
    root.chmod(0o775)

    def write(name: str) -> Callable[[], None]:
        def act() -> None:
            os.umask(0o002)
            layout = Layout.open(root)
            layout.tag(name, put_artifact(layout, name))

        return act

    as_user(OWNER, write("a"))
    assert (root / "index.json.lock").stat().st_mode & 0o777 == 0o660
    as_user(STRANGER, write("b"))
    as_user(OWNER, write("c"))
    assert Layout.open(root).tags() == ("a", "b", "c")
    status = (root / "index.json").stat()
    assert (status.st_gid, status.st_mode & 0o777) == (GROUP, 0o664)


@ROOT
def test_a_reader_cannot_hold_writers_up(root: Path) -> None:
    """The lock file of a layout that one user alone writes cannot be opened by another."""
    Layout.open(root, create=True)
    (root / "index.json").chmod(0o644)

    def refused() -> None:
        layout = Layout.open(root)
        assert layout.tags() == ()
        with pytest.raises(PermissionError):
            (root / "index.json.lock").open("rb")

    as_user(OWNER, lambda: Layout.open(root).edit().__enter__().commit())
    as_user(STRANGER, refused, group=STRANGER)


def test_a_process_that_is_not_root_changes_no_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is not root does not try to change owners."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "fchown", lambda *_: pytest.fail("it tried"))
    with (tmp_path / "file").open("wb") as file:
        adopt(file.fileno(), tmp_path)


def secret_beside(root: Path) -> Path:
    """Make a file of root outside of the layout that others may not read."""
    secret = root.parent / "secret"
    secret.write_bytes(b"")
    secret.chmod(0o600)
    return secret


@ROOT
def test_what_takes_the_place_of_a_temporary_is_not_given_away(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is put in the place of the new index leads to no change of another file."""
    layout = Layout.open(root, create=True)
    target = put_artifact(layout, "a")
    layout.tag("a", target)
    (root / "index.json").chmod(0o666)
    secret, before = secret_beside(root), (root / "index.json").read_bytes()
    force = os.fsync

    def swap(number: int) -> None:
        for path in root.glob("index.json.*.tmp"):
            path.unlink()
            path.symlink_to(secret)
        force(number)

    monkeypatch.setattr(os, "fsync", swap)
    with pytest.raises(OSError, match="another program replaced the file") as caught:
        layout.tag("b", target)
    assert caught.value.filename == str(root / "index.json")
    status = secret.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 0, 0o600)
    assert (root / "index.json").read_bytes() == before
    assert list(root.glob("*.tmp")) == []


@ROOT
@pytest.mark.parametrize("placed", ["moved", "linked"])
def test_another_file_in_place_of_the_lock_keeps_its_mode(root: Path, placed: str) -> None:
    """A file of root that a user moved or linked to the name of the lock is not opened up."""
    layout = Layout.open(root, create=True)
    (root / "index.json").chmod(0o666)
    lock = root / "index.json.lock"
    lock.unlink()
    secret = secret_beside(root)
    if placed == "moved":
        secret.write_bytes(b"secret")
        secret.rename(lock)
    else:
        os.link(secret, lock)
    layout.tag("a", put_artifact(layout, "a"))
    status = lock.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 0, 0o600)


@ROOT
def test_a_reader_cannot_open_what_is_being_written(root: Path) -> None:
    """A user who cannot write the layout cannot lock a temporary file; the blob can be read."""
    layout = Layout.open(root, create=True)

    def refused() -> None:
        [path] = (root / "ingest").iterdir()
        with pytest.raises(PermissionError):
            path.open("rb")
        assert list(temporary_files(root)) == []  # its writer is alive

    class Watching:
        def read(self, _: int) -> bytes:
            as_user(STRANGER, refused, group=STRANGER)
            return b""

        def close(self) -> None:
            pass

    before = os.umask(0o022)
    try:
        blob = layout.blobs.put(Watching(), media_type=OCI_LAYER)
    finally:
        os.umask(before)
    assert layout.blobs.path(blob.digest).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("held", [3, 10_000])
def test_a_temporary_that_another_locks_first_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Another name is taken; a program that locks each of them is told in the end."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    create = Folder.create
    locks: list[int] = []

    def locked(self: Folder, name: str) -> File:
        file = create(self, name)
        if len(locks) < held:
            locks.append(os.open(file.path, os.O_RDONLY))
            fcntl.flock(locks[-1], fcntl.LOCK_EX)
        return file

    monkeypatch.setattr(Folder, "create", locked)
    try:
        if held == 3:
            blob = layout.blobs.put(b"a", media_type=OCI_LAYER)
            assert layout.blobs.read(blob) == b"a"
        else:
            with pytest.raises(BlockingIOError, match="another program locks") as caught:
                layout.blobs.put(b"a", media_type=OCI_LAYER)
            assert Path(caught.value.filename).parent == layout.path / "ingest"
    finally:
        for number in locks:
            os.close(number)
    assert list((layout.path / "ingest").iterdir()) == []


@ROOT
@pytest.mark.parametrize(
    ("owner", "mode", "first"),
    [
        *((0, 0o775, 0), (OWNER, 0o775, 0), (OWNER, 0o2775, 0), (OWNER, 0o2775, OWNER)),
        *((OWNER, 0o775, OWNER), (0, 0o2775, OWNER), (0, 0o777, OWNER)),
    ],
)
def test_a_folder_that_a_group_can_write_stays_shared(
    root: Path, owner: int, mode: int, first: int
) -> None:
    """After one command of root or of a member with the umask 022, other members can go on."""
    os.chown(root, owner, GROUP)
    root.chmod(mode)

    def write(name: str) -> Callable[[], None]:
        def act() -> None:
            os.umask(0o022)
            layout = Layout.open(root, create=True, lock_timeout=0)
            target = put_artifact(layout, name)
            layout.tag(name, target)
            data = name.encode()
            expected = Descriptor.of(data, OCI_LAYER, "sha512")
            layout.blobs.put(data, media_type=OCI_LAYER, expected=expected)
            damaged = layout.blobs.put(b"damaged " + data, media_type=OCI_LAYER)
            path = layout.blobs.path(damaged.digest)
            path.chmod(0o644)
            path.write_bytes(b"changed " + data)
            assert layout.repair().actions
            layout.collect(grace=timedelta(0))

        return act

    if first:
        as_user(first, write("a"))
    else:
        before = os.umask(0o022)
        try:
            write("a")()
        finally:
            os.umask(before)
    for path in [root, *root.rglob("*")]:
        status = path.stat()
        assert status.st_gid == GROUP, path
        assert status.st_mode & 0o020 or not path.is_dir(), path
    as_user(STRANGER, write("b"))
    as_user(OWNER, write("c"))
    assert Layout.open(root).tags() == ("a", "b", "c")


@ROOT
def test_a_folder_behind_a_link_is_not_given_away(root: Path, tmp_path: Path) -> None:
    """What root makes behind a linked `blobs` stays its own; what lies there is left alone."""
    layout = Layout.open(root, create=True)
    (root / "blobs").rmdir()
    (root / "blobs").symlink_to(tmp_path)
    before = tmp_path.stat()
    layout.tag("a", put_artifact(layout, "a"))
    assert (tmp_path / "sha256").stat().st_uid == 0
    after = tmp_path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (0, before.st_gid, before.st_mode)


@ROOT
@pytest.mark.parametrize("within", [0, OWNER])
def test_a_folder_that_takes_the_place_of_a_new_one_is_not_given_away(
    root: Path, monkeypatch: pytest.MonkeyPatch, within: int
) -> None:
    """One with a file of root is not; one in which another process has put a file is."""
    layout = Layout.open(root, create=True)
    mkdir = os.mkdir

    def swapped(name: str, mode: int = 0o777, *, dir_fd: int) -> None:
        mkdir(name, mode, dir_fd=dir_fd)
        if name == "ingest":
            (root / name / "file").touch()
            os.chown(root / name / "file", within, within)

    monkeypatch.setattr(os, "mkdir", swapped)
    layout.blobs.put(b"a", media_type=OCI_LAYER)
    assert (root / "ingest").stat().st_uid == within


@ROOT
def test_an_archive_that_root_replaces_keeps_its_owner(root: Path) -> None:
    """Owner, group and mode stay; a bit that lends the owner's rights does not."""
    path = root / "x.tar"
    path.write_bytes(b"old")
    os.chown(path, OWNER, GROUP)
    path.chmod(0o4640)
    with open_target(path) as file:
        file.write(b"new")
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (OWNER, GROUP, 0o640)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("placed", ["copied", "moved"])
def test_what_was_placed_with_an_old_time_is_young(tmp_path: Path, placed: str) -> None:
    """A blob or a temporary that arrived with its old times counts from when it arrived."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    content = tmp_path / "content"
    content.write_bytes(b"arrived")
    os.utime(content, (0, 0))
    places = [
        layout.blobs.path(Descriptor.of(b"arrived", OCI_LAYER).digest),
        layout.path / "ingest" / "0a_1234",
        layout.path / "ingest" / f"{2**22 + 1}-0123456789abcdef",
    ]
    for path in places:
        path.parent.mkdir(exist_ok=True)
        if placed == "copied":
            path.write_bytes(b"arrived")
            os.utime(path, (0, 0))
        else:
            content.with_name("other").write_bytes(b"arrived")
            os.utime(content.with_name("other"), (0, 0))
            content.with_name("other").rename(path)
    report = layout.collect()
    assert (report.removed, report.young, report.temporaries) == ((), 1, ())
    assert all(path.exists() for path in places)


def test_what_arrived_long_ago_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files go when the grace period is over, by the clock of the library."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    blob = layout.blobs.put(b"arrived", media_type=OCI_LAYER)
    temporary = layout.path / "ingest" / f"{2**22 + 1}-0123456789abcdef"
    temporary.write_bytes(b"arrived")
    for path in (layout.blobs.path(blob.digest), temporary):
        os.utime(path, (0, 0))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 3500)
    assert layout.collect().removed == ()
    monkeypatch.setattr(clock, "now", lambda: now + 3700)
    report = layout.collect()
    assert report.removed == (blob.digest,)
    assert report.temporaries == (f"ingest/{temporary.name}",)
