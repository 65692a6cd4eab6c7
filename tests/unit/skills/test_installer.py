"""Installing: what is decided for each state of folders and record."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    InvalidNameError,
)
from skills import (
    ClientError,
    LocalEditsError,
    NotInstalledError,
    ScopeError,
    SkillService,
    TargetError,
    TargetExistsError,
)

if TYPE_CHECKING:
    from ocilayout import Reference
    from ocilayout.registry import Repository

from tests.unit.skills.conftest import AGENTS, CLAUDE, CURSOR, World

NOBODY = 65534  # the number of a user that owns nothing


class TestFresh:
    def test_a_skill_is_installed_with_its_files_and_noted(self, world: World) -> None:
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
        """It is a JSON file with path, size and SHA-256 of what was installed."""
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
        """No file is executable, whatever mode the tar has, and the umask applies."""
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

    def test_by_default_it_is_for_every_client_that_is_there(self, world: World) -> None:
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
    def test_local_edits_are_noticed_and_kept(self, world: World, how: str) -> None:
        """Whatever was changed or added is named; only force takes it away."""
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
    def test_what_is_missing_is_restored(self, world: World, how: str) -> None:
        """Nobody loses anything by it, so no force is needed; the record alone is not believed."""
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

    def test_what_programs_leave_behind_is_not_an_edit(self, world: World) -> None:
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

    def test_a_new_client_gets_what_the_others_have(self, world: World) -> None:
        """The same digest for another client writes only its folder."""
        world.build()
        world.install()
        inode = world.notes().stat().st_ino
        assert world.install(clients=["cursor"]).clients == ("claude-code", "cursor")
        assert world.notes().stat().st_ino == inode
        assert world.notes(CURSOR).read_text() == "1"

    def test_a_client_that_shares_a_folder_is_only_noted(self, world: World) -> None:
        """Nothing is written for it, and when it was installed stays."""
        world.build()
        first = world.install(clients=["codex"])
        inode = world.notes(AGENTS).stat().st_ino
        again = world.install(clients=["goose"])
        assert again.clients == ("codex", "goose")
        assert again.installed_at == first.installed_at
        assert world.notes(AGENTS).stat().st_ino == inode

    def test_another_name_for_the_same_digest_is_noted(self, world: World) -> None:
        """The reference is that of the last install; files stay."""
        digest = world.build()
        world.install()
        inode = world.notes().stat().st_ino
        again = world.install(digest)
        assert (again.reference, again.digest) == (digest, digest)
        assert world.notes().stat().st_ino == inode

    def test_without_clients_those_that_have_it_are_meant(self, world: World) -> None:
        """An update needs no list of clients, even if none is found."""
        world.build()
        world.install()
        world.build(version="2")
        assert world.install(clients=[]).clients == ("claude-code",)
        assert world.notes().read_text() == "2"

    def test_a_client_that_is_not_known_any_more_is_left_alone(self, world: World) -> None:
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
        """What the file system refuses is not taken for an edit."""
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


class TestFailures:
    @pytest.mark.parametrize("existing", [False, True])
    def test_a_full_disk_leaves_everything_as_it_was(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, existing: bool
    ) -> None:
        """If a file cannot be written, no folder has changed, and no part is left over."""
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
            monkeypatch.setattr(world.service._installer, "_swap", lambda *_: False)
        real = Path.rename

        def refusing(self: Path, target: Path) -> Path:
            if CURSOR in str(target) and self.name.endswith(".new"):
                raise OSError(5, "broken")
            return real(self, target)

        if existing and not aside:
            swap = world.service._installer._swap

            def swapping(one: Path, other: Path) -> bool:
                if CURSOR in str(other):
                    raise OSError(5, "broken")
                return swap(one, other)

            monkeypatch.setattr(world.service._installer, "_swap", swapping)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", refusing)
            with pytest.raises(OSError, match="broken"):
                world.install(clients=["claude-code", "cursor"])
        assert world.tree() == before
        assert world.service.list_installed() == listed

    def test_what_cannot_be_removed_now_is_removed_later(
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

    def test_what_was_left_over_never_comes_back(
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

    def test_a_removal_that_fails_half_way_is_noted_so(
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

    def test_an_install_that_was_cut_short_is_pending_until_it_is_repeated(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If one folder has the new files and one the old ones, the skill is listed as pending."""
        world.build()
        world.install(clients=["claude-code", "cursor"])
        world.build(version="2")
        swap = world.service._installer._swap

        class Killed(BaseException):
            """What ends a process without letting it clean up."""

        def swapping(one: Path, other: Path) -> bool:
            if CURSOR in str(other):
                raise Killed
            return swap(one, other)

        with monkeypatch.context() as patched:
            patched.setattr(world.service._installer, "_swap", swapping)
            patched.setattr("skills.install.operation.swap_back", lambda *_: None)
            with pytest.raises(Killed):
                world.install()
        (found,) = world.service.list_installed()
        assert (found.status, found.version) == ("pending", "2")
        assert found.clients == ("claude-code", "cursor")
        assert (world.notes().read_text(), world.notes(CURSOR).read_text()) == ("2", "1")
        assert world.install().status == "installed"
        assert world.notes(CURSOR).read_text() == "2"


class TestScopes:
    def project(self, world: World, name: str = "project", *, worktree: bool = False) -> Path:
        root = world.folder / name
        root.mkdir()
        if worktree:
            (root / ".git").write_text("gitdir: elsewhere")
        else:
            (root / ".git").mkdir()
        return root

    @pytest.mark.parametrize("worktree", [False, True])
    def test_a_project_has_its_own_folders(self, world: World, *, worktree: bool) -> None:
        """The root of a project implies the scope."""
        root = self.project(world, worktree=worktree)
        world.build()
        found = world.install(clients=["vscode", "claude-code"], project_root=root)
        assert (found.scope, found.project_root) == ("project", root)
        assert found.folders == (root / ".claude/skills/hello", root / ".github/skills/hello")
        assert world.tree() == {}
        world.service.uninstall("hello", scope="project", project_root=str(root))
        assert [path.name for path in root.iterdir()] == [".git"]

    def test_a_relative_root_and_a_link_are_what_they_lead_to(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However the root is written, it is one project."""
        root = self.project(world)
        (world.folder / "link").symlink_to(root)
        monkeypatch.chdir(root)
        world.build()
        first = world.install(project_root=".")
        assert world.install(project_root=world.folder / "link") == first
        assert first.project_root == root

    def test_a_project_that_is_gone_can_be_forgotten(self, world: World) -> None:
        """Skills of a removed project are still listed, and can be uninstalled without force."""
        root = self.project(world)
        world.build()
        world.install(project_root=root)
        shutil.rmtree(root)
        (found,) = world.service.list_installed(project_root=root)
        assert found.name == "hello"
        world.service.uninstall("hello", project_root=root)
        with pytest.raises(ScopeError):
            world.service.list_installed(project_root=root)
        assert world.service.list_installed() == []
        assert not root.exists()

    def test_user_and_projects_are_told_apart(self, world: World) -> None:
        """A skill may be installed for the user and in projects, in different versions."""
        one, other = self.project(world, "one"), self.project(world, "other")
        world.build()
        for_user = world.install()
        in_one = world.install(project_root=one, clients=["cursor"])
        world.build(version="2")
        in_other = world.install(project_root=other)
        listed = world.service.list_installed
        assert listed() == [in_one, in_other, for_user]
        assert listed(scope="user") == [for_user]
        assert listed(scope="project") == [in_one, in_other]
        assert listed(project_root=other) == [in_other]
        assert listed(scope="project", project_root=one) == [in_one]
        assert listed(client="claude-code") == [in_other, for_user]
        assert listed(client="goose") == []
        world.service.uninstall("hello")
        assert listed() == [in_one, in_other]
        with pytest.raises(NotInstalledError):
            world.service.uninstall("hello")

    @pytest.mark.parametrize(
        ("scope", "root", "reason"),
        [
            ("team", None, "is not a scope"),
            ("", None, "is not a scope"),
            ("user", ".", "goes with the scope project alone"),
            ("project", None, "needs the root"),
            ("project", "", "needs the root"),
            (None, "nowhere", "is not a project"),
            (None, ".", "is not a project"),
            (None, "file", "is not a project"),
            (None, "a\0b", "is not a project"),
        ],
    )
    def test_scopes_that_mean_nothing(
        self,
        world: World,
        monkeypatch: pytest.MonkeyPatch,
        scope: str | None,
        root: str | None,
        reason: str,
    ) -> None:
        """Each is refused by its reason, by every verb, and nothing is written."""
        monkeypatch.chdir(world.folder)
        (world.folder / "file").touch()
        world.build()
        with pytest.raises(ScopeError, match=reason):
            world.install(scope=scope, project_root=root)
        with pytest.raises(ScopeError, match=reason):
            world.service.uninstall("hello", scope=scope, project_root=root)
        if (scope, root) != ("project", None):
            with pytest.raises(ScopeError):
                world.service.list_installed(scope=scope, project_root=root)
        assert list(world.home.iterdir()) == []

    def test_a_project_may_be_called_by_any_bytes(self, world: World) -> None:
        """A path need not be text."""
        root = world.folder / "p\udcff"
        (root / ".git").mkdir(parents=True)
        world.build()
        installed = world.install(project_root=root)
        assert installed.project_root == root
        assert world.service.list_installed(project_root=root) == [installed]
        world.service.uninstall("hello", project_root=root)
        assert [path.name for path in root.iterdir()] == [".git"]

    @pytest.mark.parametrize(
        ("options", "kind"),
        [
            ({"scope": "all"}, ScopeError),
            ({"scope": "project"}, ScopeError),
            ({"clients": ["emacs"]}, ClientError),
            ({"clients": ["codex", "all"]}, ClientError),
            ({"version": "1\udcff"}, InvalidNameError),
            ({"version": "1\n"}, InvalidNameError),
        ],
    )
    def test_what_means_nothing_is_refused_before_a_registry_is_asked(
        self, world: World, options: dict[str, Any], kind: type[Exception]
    ) -> None:
        """No connection is made, and nothing gets into the store."""

        def repository(reference: Reference) -> Repository:
            raise AssertionError(reference)

        world.service = SkillService(world.service.layout, registry=repository, home=world.home)
        with pytest.raises(kind):
            world.install("ghcr.io/team/hello", **options)
        assert world.service.layout.tags() == ()
        assert list(world.home.iterdir()) == []

    def test_a_home_that_is_a_project_has_each_folder_once(self, world: World) -> None:
        """What is installed for the user is not taken over by a project of the same folder."""
        (world.home / ".git").mkdir()
        world.build()
        world.install()
        with pytest.raises(TargetExistsError, match="is installed for the user"):
            world.install(project_root=world.home, force=True)
        world.service.uninstall("hello")
        world.install(project_root=world.home)
        with pytest.raises(TargetExistsError, match="is installed for the project"):
            world.install()

    def test_an_unknown_client_is_refused_by_the_list(self, world: World) -> None:
        """A list for a client that does not exist is a mistake."""
        with pytest.raises(ClientError):
            world.service.list_installed(client="emacs")

    def test_what_is_not_installed_cannot_be_removed(self, world: World) -> None:
        """A skill that is not installed is not found, with and without a record."""
        with pytest.raises(NotInstalledError) as caught:
            world.service.uninstall("hello")
        assert caught.value.name == "hello"
        world.build()
        world.install()
        with pytest.raises(NotInstalledError):
            world.service.uninstall("other")
        for name in ("", "..", "hello\udcff", "hello\0"):
            with pytest.raises(NotInstalledError):
                world.service.uninstall(name)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_what_is_installed_is_forced_onto_the_disk(
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

    def test_looking_makes_no_record(self, world: World) -> None:
        """A list of nothing writes nothing."""
        assert world.service.list_installed() == []
        assert list(world.home.iterdir()) == []
