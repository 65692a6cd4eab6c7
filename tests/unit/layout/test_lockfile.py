"""The writer lock: what it excludes, which mode it has, and the errors where locks do not work."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ocilayout.errors import LockTimeoutError
from ocilayout.layout.layout import Layout
from ocilayout.layout.lockfile import locked
from ocilayout.model.mediatype import OCI_LAYER

NO_LOCKS = [errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.json").write_bytes(b"{}")
    return tmp_path


def mode_of(root: Path) -> int:
    """Return the mode of the lock file."""
    return (root / "index.json.lock").stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077])
@pytest.mark.parametrize(
    ("index", "lock"),
    [
        *((0o644, 0o600), (0o664, 0o660), (0o666, 0o666), (0o600, 0o600), (0o640, 0o600)),
        *((0o660, 0o660), (0o444, 0o600), (0o646, 0o606)),
    ],
)
def test_only_users_who_can_write_the_index_can_open_the_lock(
    root: Path, umask: int, index: int, lock: int
) -> None:
    """A user that can only read the index cannot open the lock file, for any umask."""
    (root / "index.json").chmod(index)
    before = os.umask(umask)
    try:
        with locked(root, timeout=0):
            assert mode_of(root) == lock
    finally:
        os.umask(before)


@pytest.mark.parametrize("before", [0o644, 0o666, 0o600, 0o777])
def test_a_looser_lock_file_of_ours_is_tightened(root: Path, before: int) -> None:
    """A lock file of an older version gets the mode of today."""
    (root / "index.json").chmod(0o644)
    (root / "index.json.lock").touch()
    (root / "index.json.lock").chmod(before)
    with locked(root, timeout=0):
        assert mode_of(root) == 0o600


def test_without_an_index_the_umask_decides(tmp_path: Path) -> None:
    """While a layout is created, there is no index to take the mode from."""
    before = os.umask(0o002)
    try:
        with locked(tmp_path, timeout=0):
            assert mode_of(tmp_path) == 0o660
    finally:
        os.umask(before)


def test_a_held_lock_times_out_and_says_what_to_do(root: Path) -> None:
    """A lock of another holder, also in the same thread, is waited for and then an error."""
    with (
        locked(root, timeout=0),
        pytest.raises(LockTimeoutError, match=r"index\.json\.lock was held .*lock_timeout"),
        locked(root, timeout=0.01),
    ):
        pytest.fail("two hold it")
    with locked(root, timeout=0):
        pass


def test_a_forked_child_does_not_keep_the_lock(root: Path) -> None:
    """Releasing the lock releases it also for a child that was forked meanwhile."""
    with locked(root, timeout=0):
        child = os.fork()
        if not child:
            signal.pause()
    try:
        with locked(root, timeout=0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_nothing_stays_open(root: Path) -> None:
    """Neither taking the lock nor failing to take it leaves a descriptor behind."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with locked(root, timeout=0), pytest.raises(LockTimeoutError), locked(root, timeout=0):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("number", NO_LOCKS)
@pytest.mark.parametrize("made", [True, False])
def test_the_error_of_a_file_system_without_locks_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, made: bool
) -> None:
    """The error names the lock file and says what to do; a new lock file is deleted again."""

    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    if not made:
        (root / "index.json.lock").touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="mount it with flock") as caught, locked(root, timeout=0):
        pass
    assert caught.value.errno == number
    assert caught.value.filename == str(root / "index.json.lock")
    assert (root / "index.json.lock").exists() != made


@pytest.mark.parametrize("number", NO_LOCKS)
def test_a_put_without_locks_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A temporary file that cannot be locked is deleted, and the error names it."""
    layout = Layout.create(tmp_path / "layout")

    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(3):
        with pytest.raises(OSError, match="mount it with flock") as caught:
            layout.blobs.put(b"new", media_type=OCI_LAYER)
        assert Path(caught.value.filename).parent == layout.path / "ingest"
    assert list((layout.path / "ingest").iterdir()) == []
    assert list(layout.blobs) == []


def test_other_errors_of_a_lock_pass(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that has nothing to do with missing locks is named, and not explained."""

    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="the disk is gone") as caught, locked(root, timeout=0):
        pass
    assert caught.value.filename == str(root / "index.json.lock")


def test_a_lock_that_is_released_is_taken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that others hold is tried again until they release it."""
    with (root / "index.json.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                fcntl.flock(other, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", pause)
        with locked(root, timeout=60):
            assert len(pauses) == 3


def test_a_lock_file_that_goes_and_comes_back_is_locked_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that has the name when the lock is taken is the locked one."""
    path = root / "index.json.lock"
    take = fcntl.flock
    rounds: list[int] = []

    def replaced(number: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX:
            rounds.append(number)
            if len(rounds) == 1:
                path.unlink()
            elif len(rounds) == 2:
                path.rename(path.with_name("away"))
                path.touch()
        take(number, operation)

    monkeypatch.setattr(fcntl, "flock", replaced)
    with locked(root, timeout=5):
        assert len(rounds) == 3


WITHOUT = """
import sys
sys.modules["fcntl"] = None
from datetime import timedelta
from ocilayout import Layout, Manifest, OCI_EMPTY, LockTimeoutError
layout = Layout.open(sys.argv[1], create=True, lock_timeout=0)
config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
layout.tag("a", layout.put_manifest(Manifest(config=config, layers=[])))
with layout._indexfile.locked():
    try:
        layout.untag("a")
    except LockTimeoutError:
        pass
    else:
        raise SystemExit("two hold the lock")
layout.blobs.put(b"x", media_type=OCI_EMPTY)
print(layout.tags(), len(layout.collect(grace=timedelta(0)).removed))
"""


def test_without_fcntl_the_lock_of_filelock_is_used(tmp_path: Path) -> None:
    """Where Python has no module fcntl, everything works with another lock."""
    done: Any = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "layout")],
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    assert done.stdout == "('a',) 1\n", done.stderr
