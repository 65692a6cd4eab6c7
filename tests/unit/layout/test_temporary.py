"""Temporary files: which names they have, and when their writer is dead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ocilayout.layout.temporary import DAY, TemporaryFile, temporary_files

if TYPE_CHECKING:
    from pathlib import Path

NAME = "123-0123456789abcdef"


@pytest.mark.parametrize(
    ("place", "ours"),
    [
        (f"ingest/{NAME}", True),
        (f"blobs/sha256/{NAME}.tmp", True),
        (f"index.json.{NAME}.tmp", True),
        ("index.json.oci-layout.12.tmp", True),
        (f"ingest/{NAME}.tmp", False),
        (f"blobs/sha256/{NAME}", None),
        (f"blobs/{NAME}.tmp", None),
        ("index.json.lock", None),
        ("ingest.tmp", None),
    ],
)
def test_a_temporary_is_known_by_its_place(tmp_path: Path, place: str, ours: bool | None) -> None:  # noqa: FBT001
    """A file that is not a temporary file of any program is not listed."""
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    found = [(each.place, each.path, each.ours) for each in temporary_files(tmp_path)]
    assert found == ([] if ours is None else [(place, path, ours)])


def test_an_empty_temporary_file_lives_as_long_as_its_process(tmp_path: Path) -> None:
    """An empty file of ours is that of a living writer as long as its process lives."""
    for process, dead in ((os.getpid(), False), (2**22 + 1, True)):
        name = f"{process}-0123456789abcdef.tmp"
        (tmp_path / name).write_bytes(b"")
        assert TemporaryFile(root=tmp_path, name=name, ours=True).is_dead(2.0**40) == dead


def test_the_age_of_a_folder_is_that_of_its_youngest_file(tmp_path: Path) -> None:
    """A folder of another program is dead a day after anything in it was placed."""
    inner = tmp_path / ".umoci-1" / "a" / "b"
    inner.mkdir(parents=True)
    found = TemporaryFile(root=tmp_path, name=".umoci-1", ours=False)
    os.utime(inner, (2**32, 2**32))
    os.utime(tmp_path / ".umoci-1", (0, 0))
    assert found.changed() == 2**32
    assert not found.is_dead(2**32 + DAY - 1)
    assert found.is_dead(2**32 + DAY + 1)
    found.remove()
    found.remove()
    assert list(tmp_path.iterdir()) == []
