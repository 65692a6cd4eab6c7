"""Durability: blobs are forced onto the disk, each once."""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ocilayout.layout.blobs import Blobs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

from tests.unit.layout.contents import (
    DATA,
    TEXT,
    described,
)


def test_sync_forces_each_blob_and_its_folders(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync forces the files, then the folders that name them; missing blobs are skipped."""
    put = blobs.put(DATA, media_type=TEXT)
    synced: list[int] = []
    force = os.fsync

    def note(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        force(number)

    monkeypatch.setattr(os, "fsync", note)
    blobs.sync([put.digest, described(b"missing").digest])
    path = blobs.path(put.digest)
    assert synced == [at.stat().st_ino for at in (path, path.parent, root / "blobs")]
    blobs.sync([put.digest])
    assert len(synced) == 3
    path.write_bytes(b"")
    blobs.put(DATA, media_type=TEXT)
    blobs.sync([put.digest])
    assert path.stat().st_ino in synced[3:]


def test_a_blob_that_was_deleted_and_put_again_is_synced_again(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file is synced also if it has the inode of the old one, as on ext4."""
    synced: list[bytes] = []
    force = os.fsync

    def note(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            synced.append(os.pread(number, 10, 0))
        force(number)

    monkeypatch.setattr(os, "fsync", note)
    status = os.lstat

    def one_inode(path: Any, **options: Any) -> Any:
        found = status(path, **options)
        return SimpleNamespace(
            st_ino=1, st_mtime_ns=found.st_mtime_ns, st_size=found.st_size, st_mode=found.st_mode
        )

    monkeypatch.setattr(os, "lstat", one_inode)
    for _ in range(2):
        descriptor = blobs.put(b"x", media_type="a/b")
        blobs.sync([descriptor.digest])
        blobs.sync([descriptor.digest])
        blobs.delete(descriptor.digest)
    assert synced == [b"x", b"x"]


def test_a_blob_that_others_put_again_is_missed_or_synced_again(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync returns missing blobs, and a new file of the same name does not count as synced."""
    first, second = (blobs.put(data, media_type=TEXT).digest for data in (b"1", b"2"))
    assert blobs.sync([first, second]) == set()
    Blobs(root).delete(first)
    assert blobs.sync([first, second]) == {first}
    Blobs(root).put(b"1", media_type=TEXT)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    assert blobs.sync([first, second]) == set()
    assert blobs.path(first).stat().st_ino in synced
    assert blobs.path(second).stat().st_ino not in synced
