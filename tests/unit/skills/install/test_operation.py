"""Operations that fail or are killed: what they leave, and how the next command ends them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from skills.install import swap
from tests.unit.skills.conftest import CLAUDE, CURSOR, World


class TestFailures:
    @pytest.mark.parametrize("existing", [False, True])
    def test_a_full_disk_changes_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, existing: bool
    ) -> None:
        """If a file cannot be written, no folder has changed, and no temporary folder remains."""
        world.build()
        if existing:
            world.install(clients=["claude-code", "cursor"])
        before, listed = world.tree(), world.service.list_installed()
        world.build(version="2")
        real = os.fdopen
        count = 0

        def full(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += "wb" in arguments
            if count == 4:
                os.close(arguments[0])
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdopen", full)
            with pytest.raises(OSError, match="No space"):
                world.install(clients=["claude-code", "cursor"])
        assert world.tree() == before
        assert world.service.list_installed() == listed
        world.install(clients=["claude-code", "cursor"])

    @pytest.mark.parametrize("existing", [False, True])
    @pytest.mark.parametrize("aside", [False, True])
    def test_if_the_second_folder_fails_the_first_is_put_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, existing: bool, aside: bool
    ) -> None:
        """An install is made for all clients or for none."""
        world.build()
        if existing:
            world.install(clients=["claude-code", "cursor"])
        before, listed = world.tree(), world.service.list_installed()
        world.build(version="2")
        if aside:
            monkeypatch.setattr(swap, "exchange", lambda *_: False)
        real = Path.rename

        def refusing(self: Path, target: Path) -> Path:
            if CURSOR in str(target) and self.name.endswith(".new"):
                raise OSError(5, "broken")
            return real(self, target)

        if existing and not aside:
            exchange = swap.exchange

            def swapping(one: Path, other: Path) -> bool:
                if CURSOR in str(other):
                    raise OSError(5, "broken")
                return exchange(one, other)

            monkeypatch.setattr(swap, "exchange", swapping)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", refusing)
            with pytest.raises(OSError, match="broken"):
                world.install(clients=["claude-code", "cursor"])
        assert world.tree() == before
        assert world.service.list_installed() == listed

    def test_an_old_folder_that_cannot_be_removed_now_is_removed_later(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new files are at their target and recorded; the next command removes the old ones."""
        world.build()
        world.install()
        world.build(version="2")

        def refusing(folder: Path) -> None:
            if folder.exists():
                raise OSError(16, "busy")

        with monkeypatch.context() as patched:
            patched.setattr("skills.install.operation.remove_tree", refusing)
            installed = world.install()
            assert installed.version == "2"
            assert world.service.list_installed() == [installed]
            left = [path.name for path in (world.home / CLAUDE).iterdir() if path.name[0] == "."]
            assert len(left) == 1
        assert world.service.list_installed() == [installed]
        assert [path.name for path in (world.home / CLAUDE).iterdir()] == ["hello"]

    def test_an_old_folder_that_was_not_removed_never_comes_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An old folder that could not be removed is not restored later."""
        world.build()
        world.install()
        with monkeypatch.context() as patched:
            patched.setattr(
                "skills.install.operation.remove_tree",
                lambda _: (_ for _ in ()).throw(OSError(16, "busy")),
            )
            world.service.uninstall("hello")
        assert world.service.list_installed() == []
        assert world.tree() == {}

    def test_a_removal_that_fails_half_way_is_recorded(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Removed folders are not listed, and the others can be removed later."""
        world.build()
        world.install(clients=["claude-code", "cursor"])
        real = Path.rename

        def refusing(self: Path, target: Path) -> Path:
            if CURSOR in str(target):
                raise OSError(5, "broken")
            return real(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", refusing)
            with pytest.raises(OSError, match="broken"):
                world.service.uninstall("hello")
        (found,) = world.service.list_installed()
        assert (found.clients, found.status) == (("cursor",), "installed")
        assert world.notes(CURSOR).exists()
        assert not world.notes().exists()
        world.service.uninstall("hello")
        assert world.tree() == {}

    def test_an_interrupted_install_is_pending_until_it_is_repeated(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If one folder has the new files and one the old ones, the skill is listed as pending."""
        world.build()
        world.install(clients=["claude-code", "cursor"])
        world.build(version="2")
        exchange = swap.exchange

        class Killed(BaseException):
            """Ends a process without letting it clean up."""

        def swapping(one: Path, other: Path) -> bool:
            if CURSOR in str(other):
                raise Killed
            return exchange(one, other)

        with monkeypatch.context() as patched:
            patched.setattr(swap, "exchange", swapping)
            patched.setattr("skills.install.operation.swap_back", lambda *_: None)
            with pytest.raises(Killed):
                world.install()
        (found,) = world.service.list_installed()
        assert (found.status, found.version) == ("pending", "2")
        assert found.clients == ("claude-code", "cursor")
        assert (world.notes().read_text(), world.notes(CURSOR).read_text()) == ("2", "1")
        assert world.install().status == "installed"
        assert world.notes(CURSOR).read_text() == "2"
