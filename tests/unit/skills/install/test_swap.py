"""Folders that are swapped in, and back, whether the system can exchange them or not."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from skills.install import swap
from skills.install.files import remove_tree
from skills.install.swap import (
    Move,
    exchange,
    inode_of,
    move_aside,
    put_back,
    swap_back,
    swap_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def move(tmp_path: Path) -> Move:
    """A staged folder, and an old one at its target."""
    for folder, name in (("staged", "new"), ("target", "old")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(name)
    return Move(
        target=tmp_path / "target",
        staged=tmp_path / "staged",
        aside=tmp_path / "aside",
        inode=inode_of(tmp_path / "staged"),
    )


@pytest.fixture(autouse=True)
def forget_system_call() -> Iterator[None]:
    yield
    swap._system_call.cache_clear()


class TestSwap:
    @pytest.mark.parametrize("can", [True, False])
    def test_a_folder_is_swapped_in_and_back(
        self, move: Move, monkeypatch: pytest.MonkeyPatch, *, can: bool
    ) -> None:
        """Both ways of changing places can be undone."""
        if not can:
            monkeypatch.setattr(swap, "exchange", lambda *_: False)
        swap_in(move)
        assert content(move.target) == {"new": b"new"}
        assert inode_of(move.target) == move.inode
        assert content(move.staged if can else move.aside) == {"old": b"old"}
        swap_back(move)
        assert content(move.target) == {"old": b"old"}
        assert content(move.staged) == {"new": b"new"}
        assert not move.done
        swap_back(move)
        assert content(move.target) == {"old": b"old"}

    def test_a_folder_is_swapped_in_where_the_target_is_missing(self, move: Move) -> None:
        """Then it is simply renamed, and undone by the same."""
        remove_tree(move.target)
        swap_in(move)
        assert move.done
        swap_back(move)
        assert inode_of(move.target) is None
        assert content(move.staged) == {"new": b"new"}

    def test_a_folder_that_was_moved_aside_is_put_back(self, move: Move) -> None:
        """An old folder is moved back unless its target exists."""
        move.target.rename(move.aside)
        put_back(move)
        assert content(move.target) == {"old": b"old"}
        move.target.rename(move.aside)
        move.target.mkdir()
        put_back(move)
        assert content(move.target) == {}

    def test_a_folder_is_moved_aside(self, move: Move) -> None:
        """Removing a missing folder is not an error."""
        move_aside(move)
        assert content(move.aside) == {"old": b"old"}
        move_aside(move)
        assert inode_of(move.target) is None

    def test_a_move_without_a_new_folder_is_never_done(self, move: Move) -> None:
        """Before the new folder is written there is no inode to know it by."""
        early = Move(target=move.target, staged=move.staged, aside=move.aside)
        assert not early.done


class TestExchange:
    def test_two_folders_are_exchanged(self, move: Move) -> None:
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
