"""Trees on disk: written, compared and moved, whatever lies in the way."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from skills.install import swap
from skills.install.files import Changes, compare, remove_tree, write_tree
from skills.install.swap import (
    Move,
    exchange,
    inode_of,
    move_aside,
    put_back,
    swap_back,
    swap_in,
)
from skills.packaging.tar_reader import open_layer
from skills.packaging.tar_writer import compress, write_tar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skills.install.files import InstalledFile

FILES = {"SKILL.md": b"x", "docs/a": b"a" * 3_000_000, "docs/deep/er/b": b""}


def write(folder: Path, files: dict[str, bytes] | None = None) -> tuple[InstalledFile, ...]:
    with open_layer(compress(write_tar(files or FILES, 0), 0)) as layer:
        return write_tree(layer, folder, durable=True)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class TestTree:
    def test_what_is_written_is_what_was_read(self, tmp_path: Path) -> None:
        """Every file is written with its size and digest, and compares as unchanged."""
        files = write(tmp_path / "skill")
        assert content(tmp_path / "skill") == FILES
        assert [(file.path, file.size) for file in files] == [
            (path, len(data)) for path, data in FILES.items()
        ]
        assert compare(tmp_path / "skill", files) == Changes()
        assert not compare(tmp_path / "skill", files)

    def test_a_folder_that_is_there_is_not_written_into(self, tmp_path: Path) -> None:
        """A staged tree is always a new one."""
        (tmp_path / "skill").mkdir()
        with pytest.raises(FileExistsError):
            write(tmp_path / "skill")
        assert content(tmp_path / "skill") == {}

    @pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "link", "shorter", "other"])
    def test_whatever_is_in_the_place_of_a_file_is_an_edit(self, tmp_path: Path, kind: str) -> None:
        """No link is followed, and no FIFO blocks."""
        files = write(tmp_path / "skill")
        path = tmp_path / "skill" / "docs" / "a"
        if kind == "shorter":
            path.write_bytes(b"a")
        elif kind == "other":
            path.write_bytes(b"b" * 3_000_000)
        else:
            path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("../SKILL.md")
        elif kind == "socket":
            before = Path.cwd()
            os.chdir(path.parent)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("a")
            os.chdir(before)
        assert compare(tmp_path / "skill", files) == Changes(edited=("docs/a",))

    def test_a_file_that_goes_while_it_is_looked_at_is_an_edit(self, tmp_path: Path) -> None:
        """What is listed and then cannot be opened is not as it was written."""
        files = write(tmp_path / "skill")
        real = os.open

        def racing(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if path == "a":
                raise FileNotFoundError(errno.ENOENT, "gone")
            return real(path, flags, *args, **options)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "open", racing)
            assert compare(tmp_path / "skill", files).edited == ("docs/a",)

    def test_a_folder_that_is_gone_or_is_none(self, tmp_path: Path) -> None:
        """If the folder is missing, so are all files; a file or a link at its path is an edit."""
        files = write(tmp_path / "skill")
        everything = tuple(sorted(FILES))
        assert compare(tmp_path / "none", files) == Changes(missing=everything)
        (tmp_path / "link").symlink_to("skill")
        (tmp_path / "file").touch()
        for name in ("link", "file"):
            assert compare(tmp_path / name, files) == Changes(edited=(".",), missing=everything)

    def test_whatever_is_at_a_path_is_removed(self, tmp_path: Path) -> None:
        """A tree, a file, a link, and nothing; what a link leads to stays."""
        write(tmp_path / "skill")
        (tmp_path / "kept").mkdir()
        (tmp_path / "link").symlink_to("kept")
        (tmp_path / "file").touch()
        for name in ("skill", "link", "file", "nothing"):
            remove_tree(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.fixture
def move(tmp_path: Path) -> Move:
    """A staged folder, and an old one at its target."""
    write(tmp_path / "staged", {"new": b"new"})
    write(tmp_path / "target", {"old": b"old"})
    return Move(
        target=tmp_path / "target",
        staged=tmp_path / "staged",
        aside=tmp_path / "aside",
        inode=inode_of(tmp_path / "staged"),
    )


def cannot(_: Path, __: Path) -> bool:
    return False


@pytest.fixture(autouse=True)
def forget_system_call() -> Iterator[None]:
    yield
    swap._system_call.cache_clear()


class TestSwap:
    @pytest.mark.parametrize("how", [exchange, cannot])
    def test_a_tree_goes_in_and_comes_back(self, move: Move, how: swap.Swap) -> None:
        """Both ways of changing places can be undone."""
        swap_in(move, how)
        assert content(move.target) == {"new": b"new"}
        assert inode_of(move.target) == move.inode
        assert content(move.staged if how is exchange else move.aside) == {"old": b"old"}
        swap_back(move, how)
        assert content(move.target) == {"old": b"old"}
        assert content(move.staged) == {"new": b"new"}
        assert not move.done
        swap_back(move, how)
        assert content(move.target) == {"old": b"old"}

    def test_a_tree_goes_where_nothing_is(self, move: Move) -> None:
        """Then it is simply renamed, and undone by the same."""
        remove_tree(move.target)
        swap_in(move)
        assert move.done
        swap_back(move)
        assert inode_of(move.target) is None
        assert content(move.staged) == {"new": b"new"}

    def test_a_tree_that_is_aside_is_put_back(self, move: Move) -> None:
        """An old folder is moved back unless its target exists."""
        move.target.rename(move.aside)
        put_back(move)
        assert content(move.target) == {"old": b"old"}
        move.target.rename(move.aside)
        move.target.mkdir()
        put_back(move)
        assert content(move.target) == {}

    def test_a_tree_is_taken_out(self, move: Move) -> None:
        """Removing a missing folder is not an error."""
        move_aside(move)
        assert content(move.aside) == {"old": b"old"}
        move_aside(move)
        assert inode_of(move.target) is None

    def test_a_plan_without_a_tree_is_never_done(self, move: Move) -> None:
        """Before the new folder is written there is no inode to know it by."""
        early = Move(target=move.target, staged=move.staged, aside=move.aside)
        assert not early.done


class TestExchange:
    def test_two_folders_change_places(self, move: Move) -> None:
        """Each is what the other was."""
        assert exchange(move.staged, move.target)
        assert content(move.target) == {"new": b"new"}
        assert content(move.staged) == {"old": b"old"}

    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
    def test_a_system_that_cannot_says_so(
        self, move: Move, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """Where the system cannot exchange, nothing is changed and false is returned."""
        monkeypatch.setattr(swap, "_system_call", lambda: lambda *_: number)
        assert not exchange(move.staged, move.target)

    def test_other_failures_are_errors(self, move: Move) -> None:
        """A folder that is missing is not taken for a system that cannot."""
        with pytest.raises(FileNotFoundError) as caught:
            exchange(move.staged, move.aside)
        assert caught.value.filename2 == str(move.aside)

    @pytest.mark.parametrize("kind", [ImportError, OSError, AttributeError])
    def test_a_python_that_cannot_call_the_system_says_so(
        self, move: Move, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
    ) -> None:
        """Some builds have no `ctypes`, and some libraries not the call."""

        def failing(*_: object, **__: object) -> None:
            raise kind

        swap._system_call.cache_clear()
        monkeypatch.setattr(ctypes, "CDLL", failing)
        assert not exchange(move.staged, move.target)

    def test_macos_has_its_own_call(self, move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
        """There it is `renamex_np`, without the numbers of folders."""
        asked: list[tuple[object, ...]] = []

        class Library:
            """A C library that notes what it is called with."""

            @staticmethod
            def renamex_np(*arguments: object) -> int:
                asked.append(arguments)
                return 0

        swap._system_call.cache_clear()
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
        assert exchange(move.staged, move.target)
        assert asked == [(os.fsencode(move.staged), os.fsencode(move.target), 2)]
