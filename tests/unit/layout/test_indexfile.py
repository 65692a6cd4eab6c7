"""The file `index.json`: read without a lock, replaced under one."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import DocumentError, LimitExceededError, LockTimeoutError
from ocilayout.layout import clock
from ocilayout.layout.indexfile import IndexFile, _identity_of
from ocilayout.layout.rootindex import EMPTY, MAX_ROOT_INDEX, RootIndex
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.mediatype import OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = Descriptor.of(b"{}", OCI_MANIFEST)
OTHER = Descriptor.of(b"{ }", OCI_MANIFEST)
LONG_AGO = 1_000_000_000


def indexfile(root: Path, *, durable: bool = False, lock_timeout: float = 30.0) -> IndexFile:
    """Return the root index of a folder."""
    return IndexFile(root, durable=durable, lock_timeout=lock_timeout)


def age(root: Path) -> None:
    """Make the file one that has not changed for a long time."""
    os.utime(root / "index.json", (LONG_AGO, LONG_AGO))


def names_on_disk(root: Path) -> tuple[str, ...]:
    """Read the names that are in the file."""
    return RootIndex((root / "index.json").read_bytes()).names()


def files(root: Path) -> list[str]:
    """List the names in a folder."""
    return sorted(path.name for path in root.iterdir())


def nothing(_: RootIndex) -> None:
    """Accept any document."""


def tag(index: IndexFile, name: str, target: Descriptor = TARGET) -> None:
    """Add a name."""
    index.edit(lambda root: root.tag(name, target), check=nothing, after=lambda: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.json").write_bytes(EMPTY)
    return tmp_path


# ---------------------------------------------------------------- reading


@pytest.mark.usefixtures("later")
def test_a_file_that_did_not_change_is_parsed_once(root: Path) -> None:
    """While the file is the same, the snapshot is the same object."""
    index = indexfile(root)
    assert index.snapshot() is index.snapshot()


def test_a_replaced_file_is_parsed_anew(root: Path) -> None:
    """A change by another handle is seen at once, and so is the next one."""
    index = indexfile(root)
    age(root)
    assert index.snapshot().names() == ()
    tag(indexfile(root), "a")
    assert index.snapshot().names() == ("a",)
    tag(indexfile(root), "b")
    assert index.snapshot().names() == ("a", "b")


def test_a_file_that_changed_just_now_is_not_trusted_to_stay(root: Path) -> None:
    """Two changes within one tick of the clock and of the same size are told apart."""
    index = indexfile(root)
    tag(indexfile(root), "a")
    before = (root / "index.json").stat()
    assert index.snapshot().names() == ("a",)
    document = (root / "index.json").read_bytes()
    (root / "index.json").write_bytes(document.replace(b'"a"', b'"b"'))
    os.utime(root / "index.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert index.snapshot().names() == ("b",)


def test_a_torn_file_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that finds a half-written file waits for the rest."""
    (root / "index.json").write_bytes(EMPTY[:20])

    def finish_writing(_: float) -> None:
        (root / "index.json").write_bytes(EMPTY)

    monkeypatch.setattr(time, "sleep", finish_writing)
    assert indexfile(root).snapshot().names() == ()


def test_a_file_that_is_replaced_while_it_is_opened_is_read_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much is read as the open file has, and not as the file had a moment ago."""
    age(root)
    reader = indexfile(root)
    opened = os.open

    def replaced_first(*arguments: Any, **options: Any) -> int:
        monkeypatch.setattr(os, "open", opened)
        tag(indexfile(root), "a")
        return opened(*arguments, **options)

    monkeypatch.setattr(os, "open", replaced_first)
    assert reader.snapshot().names() == ("a",)


@pytest.mark.parametrize("wrong", [86_400, -86_400])
def test_a_wrong_clock_costs_no_parsing(
    root: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """A file with times in the future is not parsed again and again."""
    monkeypatch.setattr(clock, "now", lambda: time.time() + wrong)
    index = indexfile(root)
    assert index.snapshot() is index.snapshot()


def test_an_old_torn_file_is_not_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer is gone, so waiting would only delay the error."""
    (root / "index.json").write_bytes(EMPTY[:20])
    os.utime(root / "index.json", (0, 0))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    with pytest.raises(DocumentError):
        indexfile(root).snapshot()


@pytest.mark.spec("image-layout:index-json")
@pytest.mark.parametrize(
    "broken", [b"", EMPTY[:20], b"\xff", b"[]", b"null", EMPTY + b"{}"], ids=repr
)
def test_a_broken_file_is_an_error_and_stays(
    root: Path, broken: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading or editing a file that never parses is an error, and the file is not touched."""
    (root / "index.json").write_bytes(broken)
    seconds = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    index = indexfile(root)
    with pytest.raises(DocumentError):
        index.snapshot()
    with pytest.raises(DocumentError):
        tag(index, "a")
    assert (root / "index.json").read_bytes() == broken
    assert files(root) == ["index.json", "index.json.lock"]


def test_a_file_beyond_the_limit_is_refused(root: Path) -> None:
    """A root index of more than 256 MiB is not parsed."""
    os.truncate(root / "index.json", MAX_ROOT_INDEX + 1)
    with pytest.raises(LimitExceededError) as caught:
        indexfile(root).snapshot()
    assert caught.value.limit == MAX_ROOT_INDEX


def test_a_missing_file_is_not_an_empty_one(root: Path) -> None:
    """Neither a reader nor a writer creates a missing file."""
    (root / "index.json").unlink()
    index = indexfile(root)
    with pytest.raises(FileNotFoundError):
        index.snapshot()
    with pytest.raises(FileNotFoundError):
        tag(index, "a")
    assert not (root / "index.json").exists()


# ---------------------------------------------------------------- the lock


@pytest.mark.spec("image-layout:writers")
def test_the_lock_excludes_and_says_what_is_locked(root: Path) -> None:
    """While the lock is held elsewhere, an edit raises, names the file, and changes nothing."""
    with (
        indexfile(root).locked(),
        pytest.raises(LockTimeoutError, match=str(root / "index.json.lock")),
    ):
        tag(indexfile(root, lock_timeout=0), "a")
    assert names_on_disk(root) == ()
    tag(indexfile(root, lock_timeout=0), "a")
    assert names_on_disk(root) == ("a",)


def test_the_lock_excludes_within_one_handle_too(root: Path) -> None:
    """The lock is not re-entrant, so threads that share a handle take turns."""
    index = indexfile(root, lock_timeout=0)
    with index.locked(), pytest.raises(LockTimeoutError):
        tag(index, "a")


def test_the_lock_is_flock_on_the_file_of_buildkit(root: Path) -> None:
    """A program that takes flock on index.json.lock excludes us, and we exclude it."""
    with (root / "index.json.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LockTimeoutError):
            tag(indexfile(root, lock_timeout=0), "a")
        fcntl.flock(other, fcntl.LOCK_UN)
        with indexfile(root).locked(), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_lock_file_stays(root: Path) -> None:
    """The lock file is never deleted or replaced."""
    tag(indexfile(root), "a")
    number = (root / "index.json.lock").stat().st_ino
    tag(indexfile(root), "b")
    assert (root / "index.json.lock").stat().st_ino == number


def test_a_lock_file_that_was_deleted_meanwhile_is_not_a_lock(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the file is deleted between our opening and our locking, we lock the new file."""
    take = fcntl.flock
    unlinked: list[Path] = []

    def unlink_before(number: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and not unlinked:
            unlinked.append(root / "index.json.lock")
            unlinked[0].unlink()
        take(number, operation)

    monkeypatch.setattr(fcntl, "flock", unlink_before)
    with indexfile(root).locked():
        assert unlinked
        with pytest.raises(LockTimeoutError):
            tag(indexfile(root, lock_timeout=0), "a")


def test_the_lock_is_released_after_an_error(root: Path) -> None:
    """An edit that fails does not leave others waiting."""

    def refuse(_: RootIndex) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        indexfile(root).edit(refuse, check=nothing, after=lambda: None)
    tag(indexfile(root, lock_timeout=0), "a")


# ---------------------------------------------------------------- editing


def test_an_edit_starts_from_the_file_and_not_from_the_snapshot(root: Path) -> None:
    """Changes that others made since our last read stay."""
    index = indexfile(root)
    age(root)
    index.snapshot()
    tag(indexfile(root), "a")
    tag(index, "b")
    assert names_on_disk(root) == ("a", "b")


def test_an_edit_that_changes_nothing_writes_nothing(root: Path) -> None:
    """A file that would not change is not replaced."""
    before = (root / "index.json").stat()
    indexfile(root).edit(nothing, check=nothing, after=lambda: None)
    after = (root / "index.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_check_that_refuses_leaves_the_file(root: Path) -> None:
    """The check sees the edited document; if it raises, nothing was written and nothing is left."""
    seen: list[tuple[str, ...]] = []

    def refuse(document: RootIndex) -> None:
        seen.append(document.names())
        raise KeyError("no")

    with pytest.raises(KeyError):
        indexfile(root).edit(
            lambda document: document.tag("a", TARGET), check=refuse, after=pytest.fail
        )
    assert seen == [("a",)]
    assert (root / "index.json").read_bytes() == EMPTY
    assert files(root) == ["index.json", "index.json.lock"]


def test_after_is_called_with_the_new_file_in_place_and_under_the_lock(root: Path) -> None:
    """`after` runs when the file was replaced, and before others may write."""
    seen: list[tuple[str, ...]] = []

    def after() -> None:
        seen.append(names_on_disk(root))
        with pytest.raises(LockTimeoutError):
            tag(indexfile(root, lock_timeout=0), "b")

    indexfile(root).edit(lambda document: document.tag("a", TARGET), check=nothing, after=after)
    assert seen == [("a",)]


@pytest.mark.parametrize("in_place", [True, False])
def test_a_writer_without_a_lock_is_not_overwritten(root: Path, *, in_place: bool) -> None:
    """If the file changes between our read and our write, neither change is lost."""
    rounds: list[None] = []

    def write_without_the_lock(_: RootIndex) -> None:
        rounds.append(None)
        if len(rounds) > 1:
            return
        document = RootIndex(EMPTY)
        document.tag("theirs", OTHER)
        path = root / "index.json"
        if in_place:
            path.write_bytes(document.encode())
        else:
            (root / "new").write_bytes(document.encode())
            (root / "new").rename(path)

    indexfile(root).edit(
        lambda document: document.tag("ours", TARGET),
        check=write_without_the_lock,
        after=lambda: None,
    )
    assert names_on_disk(root) == ("ours", "theirs")
    assert len(rounds) == 2
    assert files(root) == ["index.json", "index.json.lock"]


def test_readers_of_the_old_file_are_not_disturbed(root: Path) -> None:
    """The file is replaced and not rewritten: an open reader goes on with the old file."""
    with (root / "index.json").open("rb") as reader:
        tag(indexfile(root), "a")
        assert reader.read() == EMPTY


def test_the_mode_of_the_file_stays(root: Path) -> None:
    """A file that its owner shares with a group, or does not share, stays so."""
    for mode in (0o640, 0o600, 0o664):
        (root / "index.json").chmod(mode)
        tag(indexfile(root), f"m{mode}")
        assert (root / "index.json").stat().st_mode & 0o777 == mode


def test_a_file_of_another_user_can_be_replaced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mode that may not be carried over does not stop an edit."""

    def refuse(_: Path, __: int) -> None:
        raise PermissionError("not the owner")

    monkeypatch.setattr(Path, "chmod", refuse)
    tag(indexfile(root), "a")
    assert names_on_disk(root) == ("a",)


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_file_is_on_disk_before_it_has_the_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    """The file is synced, then renamed, then its folder is synced; all only if durable."""
    steps: list[object] = []
    force, replace = os.fsync, os.replace

    def note_sync(number: int) -> None:
        steps.append(os.fstat(number).st_ino)
        force(number)

    def note_replace(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        steps.append(("renamed", os.stat(source, dir_fd=src_dir_fd).st_ino))
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    tag(indexfile(root, durable=durable), "a")
    new = (root / "index.json").stat().st_ino
    expected = [new, ("renamed", new), root.stat().st_ino]
    assert steps == (expected if durable else [("renamed", new)])


@pytest.mark.spec("considerations:no-change")
def test_entries_that_an_edit_does_not_name_stay(root: Path) -> None:
    """An edit keeps unknown properties, unknown entries and their order."""
    entry = {"mediaType": "x/y", "digest": "md5:abc", "size": 1, "com.example": [1]}
    document = {"com.example": {"b": 1, "a": None}, "schemaVersion": 2, "manifests": [entry]}
    (root / "index.json").write_text(json.dumps(document, indent=3))
    tag(indexfile(root), "a")
    after = json.loads((root / "index.json").read_bytes())
    assert list(after) == list(document)
    assert after["com.example"] == document["com.example"]
    assert after["manifests"][0] == entry
    assert len(after["manifests"]) == 2


# ---------------------------------------------------------------- patience and staleness


class Ticking:
    """A clock that goes on by itself when it is asked and when a reader sleeps."""

    def __init__(self, patch: pytest.MonkeyPatch, asleep: Callable[[], None]) -> None:
        self.now = 0.0
        self.sleeps = 0
        self._asleep = asleep
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(time, "sleep", self.sleep)

    def sleep(self, _: float) -> None:
        self.now += 0.4
        self.sleeps += 1
        self._asleep()


def test_reading_goes_on_while_a_writer_makes_progress(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader waits longer for a torn file that changes than for one that stays the same."""
    path = root / "index.json"
    path.write_bytes(b"{")

    def write_on() -> None:
        path.write_bytes(EMPTY[: len(path.read_bytes()) + 1] if ticking.sleeps < 12 else EMPTY)

    ticking = Ticking(monkeypatch, write_on)
    assert indexfile(root).snapshot().names() == ()
    assert ticking.sleeps == 12


def test_reading_ends_where_nothing_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader waits one second for a torn file that stays the same, and not longer."""
    (root / "index.json").write_bytes(b"{")
    ticking = Ticking(monkeypatch, lambda: None)
    with pytest.raises(DocumentError):
        indexfile(root).snapshot()
    assert ticking.sleeps == 3


def test_reading_waits_for_an_endless_writer_as_long_as_for_a_lock(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader waits no longer than `lock_timeout` for a file that is torn again and again."""
    path = root / "index.json"
    path.write_bytes(b"{")

    def tear() -> None:
        path.write_bytes(b"{" * (ticking.sleeps % 9 + 1))

    ticking = Ticking(monkeypatch, tear)
    with pytest.raises(DocumentError):
        indexfile(root, lock_timeout=8).snapshot()
    assert 8 <= ticking.now <= 10


def rewritten_in_place(root: Path) -> None:
    """Write the file anew in place: of equal size, and with the times of before set again."""
    path = root / "index.json"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


@pytest.mark.usefixtures("later")
def test_a_time_that_was_set_back_hides_no_change(root: Path) -> None:
    """The change time shows a write in place by `cp -p` or `rsync -a`, which set old times."""
    index = indexfile(root)
    tag(indexfile(root), "a")
    assert index.snapshot().names() == ("a",)
    rewritten_in_place(root)
    assert index.snapshot().names() == ("b",)


@pytest.mark.parametrize(
    ("fraction", "age", "trusted"),
    [
        *((0, 0.5, False), (0, 2.0, False), (0, 2.2, True)),
        *((0.25, 0.05, False), (0.25, 0.15, True), (0.25, 2.0, True)),
    ],
)
def test_a_coarse_clock_is_not_trusted_for_two_seconds(
    root: Path, monkeypatch: pytest.MonkeyPatch, fraction: float, age: float, *, trusted: bool
) -> None:
    """Times in whole seconds may be those of a file system without finer ones."""
    written = 2_000_000_000 + fraction
    tag(indexfile(root), "a")
    whole = os.fstat

    def coarse(number: int) -> Any:
        status = whole(number)
        at = int(written * 1_000_000_000)
        return SimpleNamespace(
            st_ino=status.st_ino,
            st_size=status.st_size,
            st_mode=status.st_mode,
            st_mtime_ns=at,
            st_ctime_ns=at,
        )

    monkeypatch.setattr(os, "fstat", coarse)
    monkeypatch.setattr(IndexFile, "_identity", lambda self: _identity_of(coarse(_number(self))))
    monkeypatch.setattr(clock, "now", lambda: written + age)
    index = indexfile(root)
    first = index.snapshot()
    assert first.names() == ("a",)
    path = root / "index.json"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    assert index.snapshot().names() == (("a",) if trusted else ("b",))


def _number(index: IndexFile) -> int:
    """Open the file and keep it open: what is asked for is its status."""
    return os.open(index._path, os.O_RDONLY)


def test_a_file_that_is_replaced_between_reading_and_writing_loses_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was read is compared before the rename, and not the one at its path."""
    load = IndexFile._load
    rounds: list[int] = []

    def replaced_at_once(self: IndexFile) -> Any:
        loaded = load(self)
        rounds.append(1)
        if len(rounds) == 1:
            document = RootIndex(EMPTY)
            document.tag("theirs", OTHER)
            (root / "new").write_bytes(document.encode())
            (root / "new").rename(root / "index.json")
        return loaded

    monkeypatch.setattr(IndexFile, "_load", replaced_at_once)
    tag(indexfile(root), "ours")
    assert names_on_disk(root) == ("ours", "theirs")
    assert len(rounds) == 2


def test_the_bytes_are_in_the_file_when_it_is_synced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte waits in a buffer of ours when the file is forced onto the disk."""
    synced: list[bytes] = []
    force = os.fsync

    def note(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            synced.append(Path(f"/proc/self/fd/{number}").read_bytes())
        force(number)

    monkeypatch.setattr(os, "fsync", note)
    tag(indexfile(root, durable=True), "a")
    assert synced == [(root / "index.json").read_bytes()]


def test_reading_leaves_nothing_open(root: Path) -> None:
    """Reads close what they opened, also if they fail or the file is of another kind."""
    index = indexfile(root)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        index.fresh()
    (root / "index.json").write_bytes(b"{")
    os.utime(root / "index.json", (0, 0))
    for _ in range(20):
        with pytest.raises(DocumentError):
            index.fresh()
    (root / "index.json").unlink()
    os.mkfifo(root / "index.json")
    for _ in range(20):
        with pytest.raises(OSError, match="FIFO"):
            index.fresh()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
