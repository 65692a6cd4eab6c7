"""The record of what is installed: read, replaced, locked, and turned from its old form."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import pytest
from attrs import evolve

from ocilayout import (
    LockTimeoutError,
)
from skills import (
    RecordError,
    SkillService,
)
from skills.install.installed import Document, Operation
from skills.install.record import Record, default_state, open_record, read_record
from skills.install.swap import Move, inode_of

if TYPE_CHECKING:
    from collections.abc import Callable


from tests.unit.skills.conftest import CLAUDE, CURSOR, World
from tests.unmeasured import unmeasured

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
    "a time without its offset": lambda data: data.replace(b"+00:00", b""),
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


class TestRecord:
    def test_the_record_is_in_the_state_folder_of_the_platform(
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
        """It is neither overwritten nor read as an empty record."""
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
            with pytest.raises(RecordError, match="it was not changed") as caught:
                act()
            assert caught.value.path == str(path)
        assert path.read_bytes() == before
        assert world.notes().exists()

    def test_only_one_writer_at_a_time_opens_the_record(self, world: World) -> None:
        """A writer that waits for the lock too long gets an error."""
        path = world.home / "state"
        with open_record(path) as record:
            assert record.document.is_empty
            with (
                pytest.raises(LockTimeoutError, match="another process"),
                open_record(path, wait=False),
            ):
                raise AssertionError
        assert not path.exists()

    def test_a_temporary_file_of_a_killed_writer_is_replaced(self, world: World) -> None:
        """The temporary file of a killed writer is ignored, and replaced by the next writer."""
        world.record.parent.mkdir(parents=True)
        new = world.record.with_name("installed.json.new")
        new.write_text("{")
        assert world.service.list_installed() == []
        world.build()
        world.install()
        world.service.uninstall("hello")
        assert list(world.record.parent.iterdir()) == []

    @pytest.mark.parametrize("step", ["open", "fsync", "replace"])
    def test_a_failed_write_leaves_the_record_unchanged(
        self, world: World, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        """The file is the old or the new one, and no temporary file remains."""
        with open_record(world.folder / "state") as record:
            record.save(Document(folders=(world.folder,)))
            before = record.path.read_bytes()

            def fail(*_: object, **__: object) -> None:
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
        """A FIFO at the path of the record does not block."""
        world.record.parent.mkdir(parents=True)
        os.mkfifo(world.record)
        with pytest.raises(RecordError, match="not a regular file"):
            world.service.list_installed()

    def test_readers_need_no_lock(self, world: World) -> None:
        """While a writer is at work, readers see the old record."""
        world.build()
        found = world.install()
        with open_record(world.record.parent) as record:
            assert world.service.list_installed() == [found]
            operation = plan_of(record, "uninstall")
            record.save(evolve(record.document, operations=(operation,)))
            assert world.service.list_installed() == [found]
            record.save(evolve(record.document, operations=()))

    @pytest.mark.parametrize("cut_short", [False, True])
    def test_the_record_is_read_on_a_read_only_disk(self, *, cut_short: bool) -> None:
        """Installed folders are listed, also after a writer was killed, and nothing is changed."""
        with TemporaryDirectory() as place:
            world = World(Path(place))
            world.build()
            world.install()
            if cut_short:
                with open_record(world.record.parent) as record:
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
        """It is logged and kept, other skills can be changed, and it ends as soon as it can."""
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

    def test_on_a_full_disk_space_is_freed_before_any_is_needed(
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

    def test_a_finished_install_counts_before_the_record_is_written(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The recorded operation is enough to list the new files, now and later."""
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

    def test_a_record_of_the_old_form_is_converted(self, world: World) -> None:
        """Skills, folders, clients and what is under way are taken over; the old file is kept."""
        world.build()
        installed = world.install(clients=["claude-code", "cursor"])
        with open_record(world.record.parent) as record:
            document = record.document
            stale = evolve(plan_of(record, "install"), settled=True)
        world.record.unlink()
        old = write_database(world.record.parent, evolve(document, operations=(stale,)))
        data = old.read_bytes()
        assert read_record(world.record.parent).find(("hello", "user", "")) == document.skills[0]
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
        write_database(world.record.parent, read_record(world.record.parent))
        world.record.with_name("installed.db.old").touch()
        world.service.uninstall("hello")
        assert world.service.list_installed() == []
        left = sorted(path.name for path in world.record.parent.iterdir())
        assert left == ["installed.db.old", "installed.db.old1"]

    @pytest.mark.parametrize("how", ["garbage", "later", "plan", "empty"])
    def test_an_old_record_that_cannot_be_read(self, world: World, how: str) -> None:
        """The error names the damaged file; an empty database has nothing in it."""
        world.build()
        world.install()
        document = read_record(world.record.parent)
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
        command = [sys.executable, "-c", code, str(store), str(world.home)]
        subprocess.run(command, check=True, env=unmeasured())

    def test_the_folder_may_be_removed_while_a_writer_waits(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that finds the folder missing creates it again."""
        path = world.home / "deep" / "state"
        real = Path.mkdir
        gone: list[Path] = []

        def vanishing(self: Path, *args: Any, **options: Any) -> None:
            real(self, *args, **options)
            if self == path and not gone:
                gone.append(self)
                self.rmdir()

        monkeypatch.setattr(Path, "mkdir", vanishing)
        with open_record(path) as record:
            assert record.document.is_empty
            assert gone == [path]
        assert not (world.home / "deep").exists()


def test_a_document_is_decoded_as_it_was_encoded(world: World) -> None:
    """A record can be read back, with paths of any bytes."""
    world.build()
    world.install()
    odd = Path(os.fsdecode(b"/tmp/\xff"))
    move = Move(target=odd, staged=odd, aside=odd)
    document = read_record(world.record.parent)
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
