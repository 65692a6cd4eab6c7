"""Installing: what is decided for each state of folders and record, and from which sources."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import pytest
from attrs import evolve

from ocilayout import (
    AuthError,
    InvalidNameError,
    Layout,
    LockTimeoutError,
    NotALayoutError,
    ReferenceNotFoundError,
    RegistryError,
    TransportError,
    write_archive,
)
from ocilayout.testing.registry import LoopbackRegistry
from skills import (
    AmbiguousSkillError,
    ClientError,
    InstalledSkill,
    LocalBuildConflictError,
    LocalEditsError,
    NameMismatchError,
    NotALocalBuildError,
    NotASkillError,
    NotInstalledError,
    RecordError,
    ScopeError,
    SkillService,
    TargetError,
    TargetExistsError,
)
from skills.install import State, default_state
from skills.install.document import Document, Operation
from skills.install.record import Record
from skills.install.swap import Move, inode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout import Reference
    from ocilayout.registry import Repository

CLAUDE, CURSOR, AGENTS = ".claude/skills", ".cursor/skills", ".agents/skills"


NOBODY = 65534  # the number of a user that owns nothing

# What may have happened to a record: how each damage is done to its bytes.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda _: b"garbage" * 1000,
    "empty": lambda _: b"",
    "cut": lambda data: data[:-10],
    "other bytes": lambda data: data + b"\xff",
    "later": lambda data: data.replace(b'"version": 2', b'"version": 99'),
    "without version": lambda data: data.replace(b'"version": 2', b'"x": 2'),
    "not an object": lambda _: b"[]",
    "deep": lambda _: b"[" * 100_000,
    "a constant": lambda data: data.replace(b'"version": 2', b'"version": NaN'),
    "without skills' names": lambda data: data.replace(b'"name"', b'"x"'),
    "null as a text": lambda data: data.replace(b'"hello"', b"null"),
    "a text as a number": lambda data: data.replace(b'"size": ', b'"size": "1", "x": '),
    "null as skills": lambda data: data.replace(b'"skills": [', b'"skills": null, "x": ['),
    "a text as an array": lambda data: data.replace(b'"requires": [', b'"requires": "x", "x": ['),
    "a relative path": lambda data: data.replace(b'"path": "/', b'"path": "'),
    "another scope": lambda data: data.replace(b'"user"', b'"team"'),
    "a time that is none": lambda data: data.replace(b"+00:00", b""),
}

# The record's form before it was JSON.
SCHEMA = """
CREATE TABLE skill (id INTEGER PRIMARY KEY, name TEXT NOT NULL, scope TEXT NOT NULL,
  root BLOB NOT NULL, reference TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
  version TEXT NOT NULL, description TEXT NOT NULL, requires TEXT NOT NULL,
  installed_at TEXT NOT NULL, UNIQUE (name, scope, root));
CREATE TABLE target (path BLOB PRIMARY KEY, skill INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE client (skill INTEGER NOT NULL, name TEXT NOT NULL, target BLOB NOT NULL);
CREATE TABLE file (target BLOB NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
  sha256 TEXT NOT NULL);
CREATE TABLE folder (path BLOB PRIMARY KEY);
CREATE TABLE operation (id INTEGER PRIMARY KEY AUTOINCREMENT,
  settled INTEGER NOT NULL DEFAULT 0, plan TEXT NOT NULL);
PRAGMA user_version = 1;
"""


def write_database(folder: Path, document: Document) -> Path:
    """Write a record in its old form."""
    path = folder / "installed.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        run = connection.execute
        for number, skill in enumerate(document.skills):
            one = skill
            row = (
                number, one.name, one.scope, os.fsencode(one.root), one.reference, one.tag,
                one.digest, one.version, one.description, json.dumps(one.requires),
                one.installed_at.isoformat(),
            )  # fmt: skip
            run("INSERT INTO skill VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            for target in skill.targets:
                raw = os.fsencode(target.path)
                run("INSERT INTO target VALUES (?, ?, ?)", (raw, number, target.digest))
                for file in target.files:
                    run(
                        "INSERT INTO file VALUES (?, ?, ?, ?)",
                        (raw, file.path, file.size, file.sha256),
                    )
            for client, place in skill.clients.items():
                run("INSERT INTO client VALUES (?, ?, ?)", (number, client, os.fsencode(place)))
        for plan in json.loads(document.encode())["operations"]:
            settled, plan["clients"] = plan.pop("settled"), plan["entry"].pop("clients")
            values = (settled, json.dumps(plan))
            run("INSERT INTO operation (settled, plan) VALUES (?, ?)", values)
        for made in document.folders:
            run("INSERT INTO folder VALUES (?)", (os.fsencode(made),))
    return path


def plan_of(record: Record, kind: Literal["install", "uninstall"]) -> Operation:
    """Make an operation that moves the folders of the first skill."""
    skill = record.document.skills[0]
    moves = [
        Move(target=target.path, staged=target.path / ".new", aside=target.path / ".old")
        for target in skill.targets
    ]
    return Operation(kind=kind, entry=skill, moves=tuple(moves))


class World:
    """A store, a home folder, and skills to build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        # What is forced onto the disk makes no difference here but of time.
        self.service = SkillService.open(folder / "store", home=self.home, durability="none")

    def build(
        self, name: str = "hello", version: str = "1", *, tag: str | None = None, **files: str
    ) -> str:
        """Build a skill and return its digest."""
        path = self.folder / f"{name}-{version}" / name
        (path / "docs").mkdir(parents=True, exist_ok=True)
        (path / "SKILL.md").write_text(
            f"---\nname: {name}\ndescription: Does {name}\nversion: {version}\n"
            "toolhive.requires: [ghcr.io/org/other:v1]\n---\n"
        )
        for file, text in ({"notes": version} | files).items():
            (path / "docs" / file).write_text(text)
        return self.service.build(path, tag=tag).digest

    def install(self, source: str = "hello", **options: Any) -> InstalledSkill:
        """Install for one client, unless others are given."""
        return self.service.install(source, **{"clients": ["claude-code"], **options})

    def tree(self) -> dict[str, str | None]:
        """Return all that is in the home folder but the record."""
        return {
            str(path.relative_to(self.home)): path.read_text() if path.is_file() else None
            for path in sorted(self.home.rglob("*"))
            if ".local" not in path.parts
        }

    @property
    def record(self) -> Path:
        """The file that says what is installed."""
        return self.home / ".local/state/ocilayout/skills/installed.json"

    def notes(self, base: str = CLAUDE) -> Path:
        """Return a file of the installed skill."""
        return self.home / base / "hello" / "docs" / "notes"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class TestFresh:
    def test_a_skill_is_installed_with_its_files_and_noted(self, world: World) -> None:
        """The folder has the files, and the record says what is there."""
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
        """Nothing is executable, whatever the tar says, and the umask counts."""
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
        """Each folder is written once, and every client is noted."""
        world.build()
        found = world.install(clients=["goose", "cursor", "codex"])
        assert found.clients == ("codex", "cursor", "goose")
        assert found.folders == (
            world.home / AGENTS / "hello",
            world.home / CURSOR / "hello",
        )

    def test_by_default_it_is_for_every_client_that_is_there(self, world: World) -> None:
        """A client is there if it left a trace in the home folder."""
        (world.home / ".claude.json").touch()
        (world.home / ".codex").mkdir()
        world.build()
        assert world.install(clients=[]).clients == ("claude-code", "codex")

    def test_without_any_client_nothing_happens(self, world: World) -> None:
        """That nobody is there, or a client is unknown, leaves no trace."""
        world.build()
        for clients in ([], ["emacs"]):
            with pytest.raises(ClientError):
                world.install(clients=clients)
        assert list(world.home.iterdir()) == []

    def test_a_folder_of_somebody_else_is_not_overwritten(self, world: World) -> None:
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
    def test_what_is_no_folder_stays_even_with_force(self, world: World, kind: str) -> None:
        """A file or a link in the place of a skill is left as it is."""
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
        """The folder that is meant counts, not the way to it."""
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
        """`uninstall` takes edited files away only when it is told to."""
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

    def test_what_programs_leave_behind_is_no_edit(self, world: World) -> None:
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
        """An update needs no list of clients, though none is found."""
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
        """The new files are in their place and noted; the old ones go with the next command."""
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
        """An old tree that could not be removed is no reason to restore it later."""
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
        """What is gone is not listed, and what is there can be removed later."""
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
        """If one folder has the new files and one the old ones, the list says so."""
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
        """The root of the project decides, and is enough to say the scope."""
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
        """What was installed in it is still listed there, and can be uninstalled without force."""
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
        """One skill may be there for the user and in projects, in other versions."""
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
        """Without a record, and with one that does not have it."""
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
    """By default every file, every folder and the place of the tree are synced."""
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
        """All that was made is gone, and all that was there is there."""
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

    def test_folders_that_somebody_uses_stay(self, world: World) -> None:
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


class TestRecord:
    def test_its_place_is_that_of_the_platform(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """`XDG_STATE_HOME` counts if it is absolute."""
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert default_state() == tmp_path / "ocilayout" / "skills"
        monkeypatch.setenv("HOME", str(tmp_path))
        for value in ("", "relative"):
            monkeypatch.setenv("XDG_STATE_HOME", value)
            assert default_state().is_relative_to(tmp_path)
            assert default_state() != tmp_path / "ocilayout" / "skills"

    def test_a_service_uses_the_home_and_the_record_of_the_user(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without other places, those of the environment are used."""
        monkeypatch.setenv("HOME", str(world.home))
        monkeypatch.setenv("XDG_STATE_HOME", str(world.folder / "state"))
        world.build()
        service = SkillService(world.service.layout)
        found = service.install("hello", clients=["cursor"])
        assert found.folders == (world.home / CURSOR / "hello",)
        assert (world.folder / "state/ocilayout/skills/installed.json").exists()
        assert SkillService(world.service.layout).list_installed() == [found]
        other = SkillService(world.service.layout, state=world.folder / "elsewhere")
        assert other.list_installed() == []

    @pytest.mark.parametrize("how", DAMAGE)
    def test_a_record_that_cannot_be_read_is_left_alone(self, world: World, how: str) -> None:
        """It is neither overwritten nor taken for an empty one."""
        world.build()
        world.install()
        path = world.record
        path.write_bytes(DAMAGE[how](path.read_bytes()))
        before = path.read_bytes()
        for act in (
            world.install,
            world.service.list_installed,
            lambda: world.service.uninstall("hello"),
        ):
            with pytest.raises(RecordError, match="it was left as it is") as caught:
                act()
            assert caught.value.path == str(path)
        assert path.read_bytes() == before
        assert world.notes().exists()

    def test_one_process_at_a_time_has_it(self, world: World) -> None:
        """Whoever waits too long is told so."""
        path = world.home / "state"
        with State(path).open() as record:
            assert record.document.is_empty
            with (
                pytest.raises(LockTimeoutError, match="another process"),
                State(path, lock_timeout=0).open(),
            ):
                raise AssertionError
        assert not path.exists()

    def test_a_record_that_was_cut_short_while_it_was_made_is_made(self, world: World) -> None:
        """What a killed writer left beside it is not a record, and goes with the next one."""
        world.record.parent.mkdir(parents=True)
        new = world.record.with_name("installed.json.new")
        new.write_text("{")
        assert world.service.list_installed() == []
        world.build()
        world.install()
        world.service.uninstall("hello")
        assert list(world.record.parent.iterdir()) == []

    @pytest.mark.parametrize("step", ["fdopen", "fsync", "replace"])
    def test_a_record_that_cannot_be_written_is_as_it_was(
        self, world: World, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        """The file is the old or the new one, and nothing is left beside it."""
        with State(world.folder / "state").open() as record:
            record.save(Document(folders=(world.folder,)))
            before = record.path.read_bytes()

            def fail(*_: object) -> None:
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as patched:
                patched.setattr(os, step, fail)
                with pytest.raises(OSError, match="No space"):
                    record.save(Document())
            assert record.path.read_bytes() == before
            assert record.document == Document(folders=(world.folder,))
            left = sorted(path.name for path in record.path.parent.iterdir())
            assert left == ["installed.json", "installed.lock"]

    def test_a_record_that_is_not_a_file_is_an_error(self, world: World) -> None:
        """A pipe in its place is not waited for."""
        world.record.parent.mkdir(parents=True)
        os.mkfifo(world.record)
        with pytest.raises(RecordError, match="not a regular file"):
            world.service.list_installed()

    def test_readers_need_no_lock(self, world: World) -> None:
        """While a writer is at work, the record says what was so before."""
        world.build()
        found = world.install()
        with State(world.record.parent).open() as record:
            assert world.service.list_installed() == [found]
            operation = plan_of(record, "uninstall")
            record.save(evolve(record.document, operations=(operation,)))
            assert world.service.list_installed() == [found]
            record.save(evolve(record.document, operations=()))

    @pytest.mark.parametrize("cut_short", [False, True])
    def test_a_disk_that_cannot_be_written_is_read(self, *, cut_short: bool) -> None:
        """What is in place is listed, also if a writer was killed, and nothing is changed."""
        with TemporaryDirectory() as place:
            world = World(Path(place))
            world.build()
            world.install()
            if cut_short:
                with State(world.record.parent).open() as record:
                    target = record.document.skills[0].targets[0].path
                    fresh = evolve(plan_of(record, "install").entry, version="2", digest="x")
                    move = Move(
                        target=target,
                        staged=target / "x",
                        aside=target / "y",
                        inode=inode_of(target),
                    )
                    plan = Operation(kind="install", entry=fresh, moves=(move,))
                    record.save(evolve(record.document, operations=(plan,)))
            before = world.record.read_bytes()
            folders = [world.folder, *(path for path in world.folder.rglob("*") if path.is_dir())]
            for folder in folders:
                folder.chmod(0o555)
            user = os.geteuid()
            try:
                os.seteuid(user or NOBODY)  # modes do not bind the superuser
                (found,) = world.service.list_installed()
            finally:
                os.seteuid(user)
                for folder in folders:
                    folder.chmod(0o755)
            assert found.version == ("2" if cut_short else "1")
            assert world.record.read_bytes() == before

    def test_an_operation_that_cannot_be_ended_blocks_no_other(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is told and kept, all else goes on, and it ends as soon as it can."""
        world.build()
        world.build(name="other")
        world.install()

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        world.build(version="2")
        with monkeypatch.context() as patched:
            patched.setattr("skills.install.operation._finish", lambda *_: None)
            patched.setattr("skills.install.operation.swap_in", killed)
            with pytest.raises(KeyboardInterrupt):
                world.install()
        claude = world.home / ".claude"
        claude.rename(world.folder / "moved")
        claude.symlink_to(world.folder / "moved")
        (found,) = world.service.list_installed()
        assert (found.name, found.version) == ("hello", "1")
        assert "install of the skill 'hello' cannot be ended" in caplog.text
        with pytest.raises(OSError, match="behind a symbolic link"):
            world.service.uninstall("hello", force=True)
        world.install("other", clients=["codex"])
        assert len(world.service.list_installed()) == 2
        world.service.uninstall("other")
        assert len(list((world.folder / "moved/skills").iterdir())) == 2
        claude.unlink()
        (world.folder / "moved").rename(claude)
        assert world.service.list_installed() == [found]
        assert [path.name for path in (claude / "skills").iterdir()] == ["hello"]
        assert world.install().version == "2"

    def test_a_full_disk_gives_space_back_before_it_asks_for_some(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An update that fills the disk after its note is undone without a write."""
        world.build()
        first = world.install()
        before = world.tree()
        world.build(version="2")
        full = False

        def fill(*_: object) -> None:
            nonlocal full
            full = True
            raise OSError(28, "No space left on device")

        save = Record.save

        def saving(self: Record, document: Document) -> None:
            if full:
                raise OSError(28, "No space left on device")
            save(self, document)

        with monkeypatch.context() as patched:
            patched.setattr("skills.install.operation.swap_in", fill)
            patched.setattr(Record, "save", saving)
            with pytest.raises(OSError, match="No space"):
                world.install()
            assert world.tree() == before
            assert world.service.list_installed() == [first]
        assert world.service.list_installed() == [first]
        assert world.install().version == "2"

    def test_what_is_done_counts_though_the_record_cannot_be_written_at_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The note says enough: the new files are listed now, and after the next command."""
        world.build()
        save = Record.save

        def saving(self: Record, document: Document) -> None:
            if not document.operations:
                raise OSError(28, "No space left on device")
            save(self, document)

        with monkeypatch.context() as patched:
            patched.setattr(Record, "save", saving)
            installed = world.install()
            assert world.service.list_installed() == [installed]
            assert json.loads(world.record.read_text())["operations"]
        assert world.service.list_installed() == [installed]
        assert not json.loads(world.record.read_text())["operations"]
        world.service.uninstall("hello")
        assert world.tree() == {}

    @pytest.mark.parametrize("other", [False, True])
    def test_a_removal_needs_no_space(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, other: bool
    ) -> None:
        """On a full disk a skill can be removed, which is what makes space; the disk of the record
        must be that of the skill."""
        world.build()
        world.build(name="second")
        second = world.install("second", clients=["cursor"])
        world.install()
        before = world.tree()
        save = Record.save

        def saving(self: Record, document: Document) -> None:
            if world.notes().exists():
                raise OSError(28, "No space left on device")
            save(self, document)

        if other:
            monkeypatch.setattr("skills.install.operation._on_disk_of", lambda *_: False)
        monkeypatch.setattr(Record, "save", saving)
        if other:
            with pytest.raises(OSError, match="No space"):
                world.service.uninstall("hello")
            assert world.tree() == before
        else:
            world.service.uninstall("hello")
            assert world.service.list_installed() == [second]
            assert not (world.home / CLAUDE).exists()

    def test_a_record_of_the_old_form_becomes_the_new_one(self, world: World) -> None:
        """Skills, folders, clients and what is under way are taken over; the old file is kept."""
        world.build()
        installed = world.install(clients=["claude-code", "cursor"])
        with State(world.record.parent).open() as record:
            document = record.document
            stale = evolve(plan_of(record, "install"), settled=True)
        world.record.unlink()
        old = write_database(world.record.parent, evolve(document, operations=(stale,)))
        data = old.read_bytes()
        assert State(world.record.parent).read().find(("hello", "user", "")) == document.skills[0]
        assert world.service.list_installed() == [installed]
        assert json.loads(world.record.read_text())["operations"] == []
        assert not old.exists()
        kept = world.record.with_name("installed.db.old")
        assert kept.read_bytes() == data
        world.service.uninstall("hello")
        assert world.tree() == {}
        assert [path.name for path in world.record.parent.iterdir()] == ["installed.db.old"]
        assert world.service.list_installed() == []

    def test_a_record_of_the_old_form_is_not_read_twice(self, world: World) -> None:
        """A process that was killed between the new form and the renaming leaves both."""
        world.build()
        world.install()
        write_database(world.record.parent, State(world.record.parent).read())
        world.record.with_name("installed.db.old").touch()
        world.service.uninstall("hello")
        assert world.service.list_installed() == []
        left = sorted(path.name for path in world.record.parent.iterdir())
        assert left == ["installed.db.old", "installed.db.old1"]

    @pytest.mark.parametrize("how", ["garbage", "later", "plan", "empty"])
    def test_an_old_record_that_cannot_be_read(self, world: World, how: str) -> None:
        """Damage is told by the name of the file; an empty file has nothing in it."""
        world.build()
        world.install()
        document = State(world.record.parent).read()
        world.record.unlink()
        path = write_database(world.record.parent, document)
        if how in {"later", "plan"}:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                if how == "later":
                    connection.execute("PRAGMA user_version = 99")
                else:
                    connection.execute("INSERT INTO operation (plan) VALUES ('{}')")
        else:
            path.write_bytes(b"garbage" * 1000 if how == "garbage" else b"")
        before = path.read_bytes()
        if how == "empty":
            assert world.service.list_installed() == []
            return
        for act in (world.install, world.service.list_installed):
            with pytest.raises(RecordError) as caught:
                act()
            assert caught.value.path == str(path)
        assert path.read_bytes() == before

    def test_sqlite_is_not_loaded_without_an_old_record(self, world: World) -> None:
        """Some builds of Python lack it."""
        world.build()
        code = (
            "import sys; from skills import SkillService; s = SkillService.open(*sys.argv[1:2],"
            " home=sys.argv[2]); s.install('hello', clients=['codex']); s.list_installed();"
            " s.uninstall('hello'); sys.exit('sqlite3' in sys.modules)"
        )
        store = world.service.layout.path
        # A measurement of coverage in the child would load it.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
        command = [sys.executable, "-c", code, str(store), str(world.home)]
        subprocess.run(command, check=True, env=environment)

    def test_the_folder_may_go_while_somebody_waits(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever finds the folder gone makes it anew."""
        path = world.home / "deep" / "state"
        real = Path.mkdir
        gone: list[Path] = []

        def vanishing(self: Path, *args: Any, **options: Any) -> None:
            real(self, *args, **options)
            if self == path and not gone:
                gone.append(self)
                self.rmdir()

        monkeypatch.setattr(Path, "mkdir", vanishing)
        with State(path).open() as record:
            assert record.document.is_empty
            assert gone == [path]
        assert not (world.home / "deep").exists()


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        yield running


class TestSources:
    @pytest.fixture
    def remote(self, world: World, registry: LoopbackRegistry) -> str:
        """Push a skill from another store and return its reference."""
        reference = f"{registry.host}/team/hello:v1"
        origin = World.__new__(World)
        origin.folder = world.folder / "there"
        origin.service = SkillService.open(world.folder / "origin", durability="none")
        origin.build(tag=reference)
        origin.service.push(reference)
        registry.requests.clear()
        return reference

    def test_a_reference_is_pulled_and_installed(self, world: World, remote: str) -> None:
        """It is in the store afterwards, and no build."""
        found = world.install(remote)
        assert (found.reference, found.tag) == (remote, "v1")
        assert world.service.list_builds() == []
        assert [skill.reference for skill in world.service.list_cache()] == [remote]

    def test_a_tag_is_followed_and_a_digest_is_not_asked_for(
        self, world: World, remote: str, registry: LoopbackRegistry
    ) -> None:
        """What a tag means is asked each time; what a digest means cannot change."""
        found = world.install(remote)
        registry.requests.clear()
        world.install(remote)
        assert registry.requests == [("HEAD", "/v2/team/hello/manifests/v1")]
        pinned = remote.removesuffix(":v1") + f"@{found.digest}"
        world.install(pinned)
        registry.requests.clear()
        assert world.install(pinned).reference == pinned
        assert registry.requests == []

    def test_a_name_that_lies_about_its_digest_is_asked_for(
        self, world: World, remote: str, registry: LoopbackRegistry
    ) -> None:
        """An entry under a pinned name is not believed to be what the name says."""
        digest = world.service.pull(remote).digest
        pinned = remote.removesuffix(":v1") + f"@{digest}"
        world.build(version="evil")
        world.service.layout.tag(pinned, world.service.layout.resolve("hello"))
        registry.requests.clear()
        assert world.install(pinned).digest == digest
        assert registry.requests

    def test_a_version_is_the_tag_where_none_is_said(self, world: World, remote: str) -> None:
        """Otherwise it is `latest`; what was asked for is noted."""
        bare = remote.removesuffix(":v1")
        found = world.install(bare, version="v1")
        assert (found.reference, found.tag, found.version) == (remote, "v1", "v1")
        with pytest.raises(ReferenceNotFoundError):
            world.install(bare)

    def test_the_repository_must_be_called_as_the_skill(
        self, world: World, registry: LoopbackRegistry
    ) -> None:
        """Otherwise somebody would get another skill than the one that was typed."""
        reference = f"{registry.host}/team/innocent:v1"
        world.build(tag=reference)
        world.service.push(reference)
        with pytest.raises(NameMismatchError) as caught:
            world.install(reference)
        assert (caught.value.asked, caught.value.found) == ("innocent", "hello")
        assert list(world.home.iterdir()) == []

    def test_a_build_under_a_full_reference_needs_no_registry(self, world: World) -> None:
        """Nobody can say that it is another, so the build is meant."""
        reference = "127.0.0.1:1/team/hello:v1"
        digest = world.build(tag=reference)
        found = world.install(reference)
        assert (found.digest, found.tag) == (digest, "v1")
        with pytest.raises(TransportError):
            world.install("127.0.0.1:1/team/other:v1")
        with pytest.raises(TransportError):
            world.install(reference, replace=True)

    @pytest.mark.parametrize("kind", [AuthError, RegistryError])
    def test_a_build_that_may_not_be_asked_for_is_installed(
        self, world: World, kind: type[RegistryError]
    ) -> None:
        """A registry that does not answer does not contradict."""

        def refusing(reference: Reference) -> Repository:
            raise kind(str(reference))

        world.build(tag="ghcr.io/team/hello:v1")
        service = SkillService(world.service.layout, registry=refusing, home=world.home)
        assert service.install("ghcr.io/team/hello:v1", clients=["codex"]).status == "installed"

    def test_a_build_that_the_registry_has_otherwise_is_a_conflict(
        self, world: World, remote: str
    ) -> None:
        """It stays, and nothing is installed, unless it may be replaced."""
        world.build(version="mine", tag=remote)
        with pytest.raises(LocalBuildConflictError):
            world.install(remote)
        assert [build.tag for build in world.service.list_builds()] == [remote]
        assert list(world.home.iterdir()) == []
        assert world.install(remote, replace=True).version == "1"
        assert world.service.list_builds() == []

    def test_a_skill_is_found_among_the_builds_by_its_name(self, world: World) -> None:
        """Whatever the tag is, the name of the skill is asked for."""
        world.build(tag="ghcr.io/org/hello:v1")
        found = world.install("hello")
        assert (found.reference, found.tag) == ("ghcr.io/org/hello:v1", "v1")

    def test_several_builds_of_one_skill_need_a_version(self, world: World) -> None:
        """The tag that is the name wins; then the version or the tag decides."""
        first = world.build(version="1", tag="one")
        second = world.build(version="2", tag="two")
        with pytest.raises(AmbiguousSkillError) as caught:
            world.install("hello")
        assert caught.value.choices == (("one", "1"), ("two", "2"))
        assert world.install("hello", version="1").digest == first
        assert world.install("hello", version="two").digest == second
        third = world.build(version="3")
        assert world.install("hello").digest == third
        assert world.install("hello", version="2").digest == second
        world.build(version="2", tag="also")
        assert world.install("hello", version="2").digest == second
        with pytest.raises(ReferenceNotFoundError, match="version 9 of"):
            world.install("hello", version="9")

    def test_a_tag_of_another_skill_is_not_what_was_asked_for(self, world: World) -> None:
        """A name is that of a skill; a tag that means another one does not hide builds of it."""
        world.build(name="other", tag="hello")
        with pytest.raises(NameMismatchError):
            world.install("hello")
        digest = world.build(tag="v1")
        assert world.install("hello").digest == digest

    def test_a_pulled_name_can_be_installed(self, world: World, remote: str) -> None:
        """What was pulled under the name of the skill is found, like a build."""
        world.service.pull(remote, name="hello")
        assert world.install("hello").reference == "hello"

    @pytest.mark.parametrize(
        ("source", "kind"),
        [
            ("nothing", ReferenceNotFoundError),
            ("Not-A-Name", InvalidNameError),
            ("", InvalidNameError),
            ("x", InvalidNameError),
            ("sha256:" + "0" * 64, ReferenceNotFoundError),
            ("hello:v1", ReferenceNotFoundError),
            ("ghcr.io/UP/hello:v1", InvalidNameError),
            ("git://example.com/hello", InvalidNameError),
            ("https://example.com/hello", InvalidNameError),
            ("oci-archive:nowhere.tar", NotALayoutError),
        ],
    )
    def test_what_is_no_source(self, world: World, source: str, kind: type[Exception]) -> None:
        """Each is refused by its reason, and nothing is written."""
        with pytest.raises(kind):
            world.install(source)
        assert list(world.home.iterdir()) == []

    def test_what_is_no_skill_is_not_installed(self, world: World) -> None:
        """An artifact must be a skill, and have a skill's name."""
        layout = world.service.layout
        layout.tag("hello", layout.blobs.put(b"x", media_type="text/plain"))
        with pytest.raises(NotASkillError):
            world.install("hello")


class TestBuildsOnly:
    """What was not built here is refused, whatever it is called, if that is asked for."""

    def test_a_build_is_taken_by_its_tag_and_by_its_name(self, world: World) -> None:
        world.build(tag="v1")
        found = world.install("hello", builds_only=True)
        assert found.reference == "v1"

    @pytest.mark.parametrize("kind", ["name", "digest", "archive", "reference"])
    def test_a_pull_is_not(self, world: World, kind: str) -> None:
        world.build()
        layout = world.service.layout
        root = layout.resolve("hello")
        layout.tag("hello", root)  # as a pull leaves it
        source = {
            "name": "hello",
            "digest": str(root.digest),
            "archive": f"oci-archive:{world.folder}/x.tar",
            "reference": "127.0.0.1:1/team/hello:v1",
        }[kind]
        with pytest.raises(NotALocalBuildError):
            world.install(source, builds_only=True)
        assert world.tree() == {}


class TestArchives:
    @pytest.fixture
    def origin(self, world: World) -> World:
        there = World.__new__(World)
        there.folder = world.folder / "there"
        there.service = SkillService.open(world.folder / "origin", durability="none")
        return there

    def archive(self, origin: World, *names: str) -> Path:
        path = origin.folder / "skills.tar"
        write_archive(origin.service.layout, names or None, path)
        return path

    @pytest.mark.parametrize("form", ["path", "text", "named"])
    def test_an_archive_is_brought_into_the_store_and_installed(
        self, world: World, origin: World, form: str
    ) -> None:
        """It comes under the name that it has there, and is no build."""
        digest = origin.build(tag="ghcr.io/org/hello:v1")
        path = self.archive(origin)
        text = f"oci-archive:{path}" + (":ghcr.io/org/hello:v1" if form == "named" else "")
        found = world.service.install(path if form == "path" else text, clients=["cursor"])
        assert (found.digest, found.tag) == (digest, "v1")
        assert found.reference == "ghcr.io/org/hello:v1"
        assert world.service.list_builds() == []
        assert world.service.layout.tags() == ("ghcr.io/org/hello:v1",)

    def test_of_several_skills_one_must_be_named(self, world: World, origin: World) -> None:
        """The message lists the names."""
        origin.build()
        origin.build(name="other")
        path = self.archive(origin)
        with pytest.raises(ReferenceNotFoundError, match="'hello', 'other'"):
            world.service.install(path, clients=["cursor"])
        with pytest.raises(ReferenceNotFoundError, match="does not say which"):
            world.install(f"oci-archive:{path}:nothing")
        assert world.install(f"oci-archive:{path}:other").name == "other"

    def test_content_without_a_name_is_known_by_its_digest(
        self, world: World, origin: World
    ) -> None:
        """An archive need not name what it holds, or name it as a skill may be named."""
        digest = origin.build()
        layout = Layout.open(world.folder / "origin", strict_names=False)
        odd = world.folder / "odd.tar"  # `write_archive` writes no such name
        layout.tag("a name", layout.resolve(digest))
        layout.untag(next(tag for tag in layout.tags() if tag != "a name"))
        with tarfile.open(odd, "w") as tar:
            tar.add(layout.path, arcname=".")
        for path in (self.archive(origin, digest), odd):
            found = world.service.install(path, clients=["cursor"])
            assert (found.reference, found.tag) == (digest, "")
            assert world.service.layout.tags() == ()
        assert world.install(digest, clients=["codex"]).clients == ("codex", "cursor")

    def test_a_build_of_that_name_is_kept(self, world: World, origin: World) -> None:
        """Other content does not take the name of a build, unless it may."""
        origin.build(version="theirs")
        path = self.archive(origin)
        world.build(version="mine")
        with pytest.raises(LocalBuildConflictError):
            world.service.install(path, clients=["cursor"])
        assert len(world.service.list_builds()) == 1
        world.service.install(path, clients=["cursor"], replace=True)
        assert world.service.list_builds() == []

    def test_the_repository_must_be_called_as_the_skill(self, world: World, origin: World) -> None:
        """A full name in an archive says which skill it is to be."""
        origin.build(tag="ghcr.io/org/innocent:v1")
        with pytest.raises(NameMismatchError):
            world.service.install(self.archive(origin), clients=["cursor"])


def test_a_document_survives_as_text(world: World) -> None:
    """What the record holds can be read back, with paths of any bytes."""
    world.build()
    world.install()
    odd = Path(os.fsdecode(b"/tmp/\xff"))
    move = Move(target=odd, staged=odd, aside=odd)
    document = State(world.record.parent).read()
    plan = Operation(
        kind="install",
        entry=evolve(document.skills[0], clients={"codex": odd}),
        moves=(move, evolve(move, inode=7)),
        files=document.skills[0].targets[0].files,
        folders=(odd,),
    )
    whole = evolve(document, operations=(plan, evolve(plan, settled=True)))
    assert Document.decode(whole.encode()) == whole
    assert Document.decode(Document().encode()) == Document()
