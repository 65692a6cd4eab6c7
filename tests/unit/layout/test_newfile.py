"""New files that get their name once they are complete."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ocilayout.layout.newfile import new_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_has_its_name_once_it_is_placed(tmp_path: Path) -> None:
    """Before, it has another name in the same folder; afterwards nothing else stays behind."""
    path = tmp_path / "x"
    with new_file(path, "x.tmp") as new:
        new.write(b"content")
        assert [found.name for found in tmp_path.iterdir()] == ["x.tmp"]
        new.place(durable=True)
        assert [found.name for found in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"content"


def test_a_file_that_is_not_placed_is_deleted(tmp_path: Path) -> None:
    """What had the name keeps it."""
    (tmp_path / "x").write_bytes(b"old")
    with new_file(tmp_path / "x", "x.tmp") as new:
        new.write(b"new")
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"old"]


def test_an_existing_file_is_never_used_as_temporary_file(tmp_path: Path) -> None:
    """A link of its name is neither followed nor removed."""
    (tmp_path / "x.tmp").symlink_to("elsewhere")
    with pytest.raises(FileExistsError), new_file(tmp_path / "x", "x.tmp"):
        pytest.fail("it was made")
    assert [found.name for found in tmp_path.iterdir()] == ["x.tmp"]


def test_a_file_that_another_program_put_in_place_does_not_get_the_name(tmp_path: Path) -> None:
    """A file that replaced the temporary file is not placed."""
    with new_file(tmp_path / "x", "x.tmp") as new:
        (tmp_path / "other").write_bytes(b"other")
        (tmp_path / "other").rename(tmp_path / "x.tmp")
        with pytest.raises(OSError, match="another program replaced the file"):
            new.place(durable=False)
    assert not (tmp_path / "x").exists()


def test_a_file_stays_in_the_folder_that_was_opened(tmp_path: Path) -> None:
    """A link in place of its folder does not lead it elsewhere."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    with new_file(folder / "x", "x.tmp") as new:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(elsewhere)
        new.place(durable=False)
    assert list(elsewhere.iterdir()) == []
    assert [found.name for found in (tmp_path / "moved").iterdir()] == ["x"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o4755])
def test_a_file_gets_the_mode_of_the_file_that_it_replaces(tmp_path: Path, mode: int) -> None:
    """It has its mode, but for the bits that lend rights; until then no other can open it."""
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    with new_file(path, "x.tmp", like=path.stat()) as new:
        new.place(durable=False)
    assert path.stat().st_mode & 0o7777 == mode & 0o777


def test_nothing_stays_open(tmp_path: Path) -> None:
    """Neither a success nor a failure leaves a descriptor behind."""
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    for name in ("x", "x" * 300):
        try:
            with new_file(tmp_path / "x", name) as new:
                new.place(durable=False)
        except OSError:
            pass
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert after == before
