"""Installing: what is decided for each state of folders and record."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skills import (
    ClientError,
    LocalEditsError,
    SkillService,
    TargetError,
    TargetExistsError,
)
from tests.unit.skills.conftest import AGENTS, CLAUDE, CURSOR, World

NOBODY = 65534  # the number of a user that owns nothing


class TestFresh:
    def test_a_skill_is_installed_with_its_files_and_recorded(self, world: World) -> None:
        """The folder has the files, and the record lists them."""
        digest = world.build()
        before = datetime.now(UTC) - timedelta(seconds=5)
        found = world.install()
        assert (found.name, found.version, found.description) == ("hello", "1", "Does hello")
        assert (found.scope, found.project_root) == ("user", None)
        assert (found.reference, found.tag, found.digest) == ("hello", "", digest)
        assert (found.status, found.clients) == ("installed", ("claude-code",))
        assert found.dependencies == ("ghcr.io/org/other:v1",)
        assert found.folders == (world.home / CLAUDE / "hello",)
        assert before < found.installed_at < datetime.now(UTC) + timedelta(seconds=5)
        assert world.service.list_installed() == [found]
        assert world.notes().read_text() == "1"
        assert sorted(world.tree()) == [
            ".claude", CLAUDE, f"{CLAUDE}/hello", f"{CLAUDE}/hello/SKILL.md",
            f"{CLAUDE}/hello/docs", f"{CLAUDE}/hello/docs/notes",
        ]  # fmt: skip

    def test_the_record_has_the_digest_of_every_file(self, world: World) -> None:
        """It is a JSON file with path, size and SHA-256 of each installed file."""
        world.build()
        world.install()
        (skill,) = json.loads(world.record.read_text())["skills"]
        found = {file["path"]: file["sha256"] for file in skill["targets"][0]["files"]}
        root = world.home / CLAUDE / "hello"
        assert found == {
            name: hashlib.sha256((root / name).read_bytes()).hexdigest()
            for name in ("SKILL.md", "docs/notes")
        }

    def test_modes_are_those_of_new_files(self, world: World) -> None:
        """No file is executable, even if the tar says so, and the umask applies."""
        world.build()
        before = os.umask(0o027)
        try:
            world.install()
        finally:
            os.umask(before)
        root = world.home / CLAUDE / "hello"
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (root, root / "docs")}
        assert modes == {0o750}
        assert stat.S_IMODE(world.notes().stat().st_mode) == 0o640

    def test_clients_that_share_a_folder_share_the_files(self, world: World) -> None:
        """Each folder is written once, and every client is recorded."""
        world.build()
        found = world.install(clients=["goose", "cursor", "codex"])
        assert found.clients == ("codex", "cursor", "goose")
        assert found.folders == (
            world.home / AGENTS / "hello",
            world.home / CURSOR / "hello",
        )

    def test_by_default_a_skill_is_installed_for_every_client_found(self, world: World) -> None:
        """A client counts as installed if it has a trace in the home folder."""
        (world.home / ".claude.json").touch()
        (world.home / ".codex").mkdir()
        world.build()
        assert world.install(clients=[]).clients == ("claude-code", "codex")

    def test_without_any_client_nothing_happens(self, world: World) -> None:
        """Without a client, or with an unknown one, nothing is written."""
        world.build()
        for clients in ([], ["emacs"]):
            with pytest.raises(ClientError):
                world.install(clients=clients)
        assert list(world.home.iterdir()) == []

    def test_a_folder_of_the_user_is_not_overwritten(self, world: World) -> None:
        """It is refused, for all clients at once; with force it is replaced."""
        world.build()
        theirs = world.home / CURSOR / "hello" / "theirs"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("precious")
        before = world.tree()
        with pytest.raises(TargetExistsError, match="not installed from here") as caught:
            world.install(clients=["claude-code", "cursor"])
        assert caught.value.path == str(theirs.parent)
        assert world.tree() == before
        assert world.service.list_installed() == []
        world.install(clients=["claude-code", "cursor"], force=True)
        assert not theirs.exists()
        assert world.notes(CURSOR).exists()

    @pytest.mark.parametrize("kind", ["file", "link", "link to nothing"])
    def test_a_file_at_the_target_stays_even_with_force(self, world: World, kind: str) -> None:
        """A file or a link at the path of a skill is not changed."""
        world.build()
        target = world.home / CLAUDE / "hello"
        target.parent.mkdir(parents=True)
        if kind == "file":
            target.write_text("x")
        else:
            target.symlink_to(world.folder if kind == "link" else "nowhere")
        with pytest.raises(TargetError, match="is not a folder"):
            world.install(force=True)
        assert os.path.lexists(target)

    def test_links_above_the_skill_are_followed_within_the_home(self, world: World) -> None:
        """Settings in a repository that is linked to are used; leading out is refused."""
        world.build()
        dotfiles = world.home / "dotfiles" / "claude"
        dotfiles.mkdir(parents=True)
        (world.home / ".claude").symlink_to("dotfiles/claude")
        found = world.install()
        assert found.folders == (dotfiles / "skills" / "hello",)
        world.service.uninstall("hello")
        assert list(dotfiles.iterdir()) == []
        outside = world.folder / "outside"
        outside.mkdir()
        (world.home / ".cursor").symlink_to(outside)
        with pytest.raises(TargetError, match="out of"):
            world.install(clients=["cursor"])
        assert list(outside.iterdir()) == []

    def test_two_clients_with_one_folder_by_a_link_share_it(self, world: World) -> None:
        """The real path of the folder counts, not the links on the way."""
        world.build()
        (world.home / ".claude").mkdir()
        (world.home / ".cursor").symlink_to(".claude")
        found = world.install(clients=["claude-code", "cursor"])
        assert found.folders == (world.home / CLAUDE / "hello",)
        assert found.clients == ("claude-code", "cursor")


class TestAgain:
    def test_the_same_digest_changes_nothing(self, world: World) -> None:
        """Files, their times and the record stay as they are."""
        world.build()
        first = world.install()
        before = world.notes().stat()
        noted = world.record.read_bytes()
        assert world.install() == first
        after = world.notes().stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert world.record.read_bytes() == noted

    @pytest.mark.parametrize("how", ["changed", "added", "folder", "link", "replaced", "by link"])
    def test_local_edits_are_detected_and_kept(self, world: World, how: str) -> None:
        """Changed and added files are named; only force removes them."""
        world.build()
        installed = world.install()
        root = world.home / CLAUDE / "hello"
        if how == "changed":
            world.notes().write_text("2")
        elif how == "added":
            (root / ".env").write_text("SECRET=1")
        elif how == "folder":
            (root / "mine").mkdir()
        elif how == "link":
            (root / "link").symlink_to("/etc/passwd")
        elif how == "replaced":
            world.notes().unlink()
            world.notes().mkdir()
        else:
            (root / "docs").rename(world.folder / "docs")
            (root / "docs").symlink_to(world.folder / "docs")
        edited = world.tree()
        for act in (world.install, lambda: world.service.uninstall("hello")):
            with pytest.raises(LocalEditsError) as caught:
                act()
            assert caught.value.path == str(root)
            assert len(caught.value.changes) == 1
            assert repr(caught.value.changes[0]) in str(caught.value)
        world.build(version="2")
        with pytest.raises(LocalEditsError):
            world.install()
        assert world.tree() == edited
        assert world.service.list_installed() == [installed]
        world.install(force=True)
        assert sorted(world.tree()) == [
            ".claude", CLAUDE, f"{CLAUDE}/hello", f"{CLAUDE}/hello/SKILL.md",
            f"{CLAUDE}/hello/docs", f"{CLAUDE}/hello/docs/notes",
        ]  # fmt: skip
        assert world.notes().read_text() == "2"

    def test_edits_can_be_removed_with_force(self, world: World) -> None:
        """`uninstall` removes edited files only with `force`."""
        world.build()
        world.install()
        world.notes().write_text("2")
        world.service.uninstall("hello", force=True)
        assert world.tree() == {}

    def test_a_folder_that_became_a_link_is_only_unlinked(self, world: World) -> None:
        """Removing with force removes the link, and nothing behind it."""
        world.build()
        world.install()
        root = world.home / CLAUDE / "hello"
        moved = root.rename(world.folder / "moved")
        root.symlink_to(moved)
        with pytest.raises(LocalEditsError):
            world.service.uninstall("hello")
        world.service.uninstall("hello", force=True)
        assert not os.path.lexists(root)
        assert sorted(path.name for path in moved.iterdir()) == ["SKILL.md", "docs"]

    def test_many_edits_are_counted(self, world: World) -> None:
        """The message names three, the error all of them."""
        world.build()
        world.install()
        for number in range(5):
            (world.notes().parent / f"n{number}").touch()
        with pytest.raises(LocalEditsError, match="and 2 more") as caught:
            world.install()
        assert len(caught.value.changes) == 5

    @pytest.mark.parametrize("how", ["file", "folder"])
    def test_missing_files_are_restored(self, world: World, how: str) -> None:
        """No files are lost, so no force is needed; the record alone is not believed."""
        world.build()
        first = world.install()
        if how == "file":
            world.notes().unlink()
        else:
            for path in sorted(world.home.rglob(".claude/**/*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            (world.home / ".claude").rmdir()
        again = world.install()
        assert world.notes().read_text() == "1"
        assert again.digest == first.digest

    def test_files_made_by_programs_are_not_edits(self, world: World) -> None:
        """Compiled scripts and a file manager's notes do not stand in the way."""
        world.build()
        world.install()
        (world.notes().parent / "__pycache__").mkdir()
        (world.notes().parent / "__pycache__" / "x.pyc").write_text("x")
        (world.home / CLAUDE / "hello" / ".DS_Store").write_text("x")
        world.install()
        world.service.uninstall("hello")
        assert world.tree() == {}

    def test_another_digest_replaces_the_files_everywhere(self, world: World) -> None:
        """An update reaches every client that has the skill, and those that are named."""
        world.build()
        first = world.install(clients=["claude-code", "cursor"])
        world.build(version="2", extra="x")
        second = world.install(clients=["codex"])
        assert second.clients == ("claude-code", "codex", "cursor")
        assert (second.version, second.status) == ("2", "installed")
        assert second.installed_at >= first.installed_at
        for base in (CLAUDE, CURSOR, AGENTS):
            assert world.notes(base).read_text() == "2"
            assert (world.notes(base).parent / "extra").exists()
        world.build(version="3")
        world.install(clients=["cursor"])
        assert not (world.notes().parent / "extra").exists()

    def test_a_new_client_gets_the_same_files(self, world: World) -> None:
        """The same digest for another client writes only its folder."""
        world.build()
        world.install()
        inode = world.notes().stat().st_ino
        assert world.install(clients=["cursor"]).clients == ("claude-code", "cursor")
        assert world.notes().stat().st_ino == inode
        assert world.notes(CURSOR).read_text() == "1"

    def test_a_client_that_shares_a_folder_is_only_recorded(self, world: World) -> None:
        """No file is written for it, and the time of the install stays."""
        world.build()
        first = world.install(clients=["codex"])
        inode = world.notes(AGENTS).stat().st_ino
        again = world.install(clients=["goose"])
        assert again.clients == ("codex", "goose")
        assert again.installed_at == first.installed_at
        assert world.notes(AGENTS).stat().st_ino == inode

    def test_another_reference_to_the_same_digest_is_recorded(self, world: World) -> None:
        """The reference is that of the last install; files stay."""
        digest = world.build()
        world.install()
        inode = world.notes().stat().st_ino
        again = world.install(digest)
        assert (again.reference, again.digest) == (digest, digest)
        assert world.notes().stat().st_ino == inode

    def test_without_clients_an_update_is_for_those_that_have_the_skill(self, world: World) -> None:
        """An update needs no list of clients, even if none is found."""
        world.build()
        world.install()
        world.build(version="2")
        assert world.install(clients=[]).clients == ("claude-code",)
        assert world.notes().read_text() == "2"

    def test_a_client_that_is_no_longer_known_is_left_alone(self, world: World) -> None:
        """The record may name a client of another version."""
        world.build()
        world.install()
        world.record.write_text(world.record.read_text().replace("claude-code", "gone"))
        assert world.install(clients=["cursor"]).clients == ("cursor", "gone")
        world.service.uninstall("hello")
        assert world.tree() == {}

    def test_a_file_that_cannot_be_read_is_an_error(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that the file system refuses to read is not taken for an edit."""
        world.build()
        world.install()
        real = os.open

        def refusing(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if path == "notes":
                raise PermissionError(13, "no", path)
            return real(path, flags, *args, **options)

        monkeypatch.setattr(os, "open", refusing)
        with pytest.raises(PermissionError):
            world.install()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_installed_files_are_forced_onto_the_disk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default every file, every folder and the parent of the folder are synced."""
    world.build()
    synced: list[str] = []
    real = os.fsync

    def noting(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", noting)
    world.install()
    assert synced == []
    service = SkillService(world.service.layout, home=world.home)
    service.install("hello", clients=["cursor"])
    assert {"SKILL.md", "notes", "docs", "skills"} < set(synced)


class TestHomeFolder:
    def test_install_list_and_uninstall_leave_it_as_it_was(self, world: World) -> None:
        """Everything that was made is removed, and everything from before is kept."""
        (world.home / ".claude" / "skills").mkdir(parents=True)
        (world.home / ".cursor").mkdir()
        (world.home / ".cursor" / "mine").write_text("mine")
        before = {path: path.stat().st_mode for path in world.home.rglob("*")}
        world.build()
        world.build(name="other")
        clients = ["claude-code", "cursor", "codex", "windsurf", "opencode"]
        world.install(clients=clients)
        world.install("other", clients=clients[::-1])
        assert len(world.service.list_installed()) == 2
        world.service.uninstall("hello")
        world.service.uninstall("other")
        assert {path: path.stat().st_mode for path in world.home.rglob("*")} == before

    def test_folders_in_use_stay(self, world: World) -> None:
        """A folder that was made here is only removed if it is empty."""
        world.build()
        world.install()
        (world.home / ".claude" / "mine").write_text("mine")
        world.service.uninstall("hello")
        assert world.tree() == {".claude": None, ".claude/mine": "mine"}

    def test_listing_creates_no_record(self, world: World) -> None:
        """A list of nothing writes nothing."""
        assert world.service.list_installed() == []
        assert list(world.home.iterdir()) == []
