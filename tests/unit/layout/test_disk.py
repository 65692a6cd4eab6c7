"""Single files: how they are forced onto the disk, and how an error names them."""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import LockTimeoutError
from ocilayout.layout.disk import acting, describe, force, fsync, open_regular, path_of

if TYPE_CHECKING:
    from pathlib import Path

FULL = 51  # what macOS calls F_FULLFSYNC


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return what was forced to the disk, and how, on a system that can do more than fsync."""
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", FULL, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda number, what: seen.append(("full", number + what)))
    monkeypatch.setattr(os, "fsync", lambda number: seen.append(("fsync", number)))
    return seen


def test_a_sync_empties_the_cache_of_the_disk_where_possible(calls: list[tuple[str, int]]) -> None:
    """On macOS, fsync leaves content in the cache of the disk."""
    force(5)
    assert calls == [("full", 5 + FULL)]


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EINVAL, errno.ENOTTY])
def test_a_sync_is_fsync_where_the_file_system_refuses_more(
    calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A file system on macOS that lacks F_FULLFSYNC has fsync."""

    def refuse(*_: int) -> None:
        raise OSError(number, "not here")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    force(5)
    assert calls == [("fsync", 5)]


def test_a_sync_is_fsync_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing else is known, fsync is called alone."""
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", seen.append)
    force(5)
    assert seen == [5]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_sync_skips_a_file_that_may_not_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Only that: an error of the disk is not."""

    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(number, "closed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        fsync(tmp_path / "file")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(PermissionError):
        fsync(tmp_path)
    with pytest.raises(FileNotFoundError):
        fsync(tmp_path / "missing")


def test_an_error_is_named_once_by_the_innermost_act() -> None:
    """Type, number and text of the error stay; the file and the act are added."""
    with (
        pytest.raises(PermissionError) as caught,
        acting("copy", "outer"),
        acting("write", "inner"),
    ):
        raise OSError(errno.EACCES, "Permission denied", "x", None, "y")
    error = caught.value
    assert (error.errno, error.strerror, error.filename) == (
        errno.EACCES,
        "Permission denied",
        "inner",
    )
    assert describe(error) == "cannot write inner: Permission denied"
    assert str(error) == "[Errno 13] Permission denied: 'inner'"
    assert describe(pickle.loads(pickle.dumps(error))) == describe(error)


def test_our_errors_and_errors_of_other_kinds_are_not_changed() -> None:
    """An error of the lock is one of the system by its class, and says all that there is to say."""
    with pytest.raises(LockTimeoutError) as timeout, acting("write", "x"):
        raise LockTimeoutError("held")
    assert describe(timeout.value) == "held"
    with pytest.raises(KeyError), acting("write", "x"):
        raise KeyError("no")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("text alone"), "text alone"),
        (OSError(errno.EIO, "broken"), "broken"),
        (OSError(errno.EIO, "broken", "file"), "file: broken"),
    ],
)
def test_an_error_without_an_act_is_described_by_its_message(error: OSError, said: str) -> None:
    assert describe(error) == said


def test_a_device_is_not_opened_for_a_file() -> None:
    """The error of a file of another kind says its kind."""
    with pytest.raises(OSError, match="it is a device, not a regular file"):
        open_regular("/dev/null")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        open_regular("/")


def test_a_path_of_any_bytes_is_a_path() -> None:
    """Names in no encoding are accepted; only names that the system cannot have are refused."""
    assert os.fsencode(path_of(os.fsdecode(b"\xff"))) == b"\xff"
