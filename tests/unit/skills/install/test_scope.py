"""Scopes: skills of the user and of projects, and what is refused as a scope."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    InvalidNameError,
)
from skills import (
    ClientError,
    NotInstalledError,
    ScopeError,
    SkillService,
    TargetExistsError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Reference
    from ocilayout.registry import Repository
    from tests.unit.skills.conftest import World


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

    def test_a_relative_root_and_a_link_are_resolved(
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

    def test_a_skill_of_a_deleted_project_can_be_uninstalled(self, world: World) -> None:
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

    def test_skills_of_the_user_and_of_projects_are_separate(self, world: World) -> None:
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
    def test_an_invalid_scope_is_refused(
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

    def test_a_project_path_may_have_any_bytes(self, world: World) -> None:
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
    def test_invalid_arguments_are_refused_before_a_registry_is_asked(
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
        """A skill installed for the user is not taken over by a project of the same folder."""
        (world.home / ".git").mkdir()
        world.build()
        world.install()
        with pytest.raises(TargetExistsError, match="is installed for the user"):
            world.install(project_root=world.home, force=True)
        world.service.uninstall("hello")
        world.install(project_root=world.home)
        with pytest.raises(TargetExistsError, match="is installed for the project"):
            world.install()

    def test_listing_for_an_unknown_client_is_refused(self, world: World) -> None:
        """A list for a client that does not exist is a mistake."""
        with pytest.raises(ClientError):
            world.service.list_installed(client="emacs")

    def test_a_skill_that_is_not_installed_cannot_be_removed(self, world: World) -> None:
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
