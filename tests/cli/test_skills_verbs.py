"""The verbs of `skills` that show, keep and install: the answers of each, as text and as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from ocilayout import Layout, write_archive
from ocilayout.testing.registry import LoopbackRegistry
from skills import SkillService
from skills.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shell:
    """A home folder, a store and a registry, and `skills` to run among them, in this process."""

    def __init__(self, folder: Path, registry: LoopbackRegistry) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.registry = registry
        self.reference = f"{registry.host}/team/hello:v1"

    def run(self, *arguments: str, status: int = 0) -> Result:
        """Run the command and expect an exit status."""
        done = CliRunner().invoke(main, arguments, prog_name="skills", catch_exceptions=False)
        assert done.exit_code == status, done.output
        return done

    def text(self, *arguments: str) -> str:
        """Return its standard output; it must succeed and write nothing to standard error."""
        done = self.run(*arguments)
        assert done.stderr == ""
        return done.stdout

    def answer(self, *arguments: str) -> Any:
        """Return what it answers with `--json`."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def error(self, *arguments: str) -> str:
        """Return the one line of error with which it fails."""
        done = self.run(*arguments, status=1)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.stderr

    def build(self, name: str = "hello", *, tag: str | None = None, body: str = "# Hello\n") -> str:
        """Build a skill and return its digest."""
        path = self.folder / name
        (path / "docs").mkdir(parents=True, exist_ok=True)
        (path / "SKILL.md").write_text(
            f"---\nname: {name}\ndescription: Says {name}\nversion: 1.2\nlicense: MIT\n"
            f"toolhive.requires: [ghcr.io/org/other:v1]\n---\n{body}"
        )
        (path / "docs" / "notes.md").write_text("x" * 2000)
        found: str = self.answer("build", str(path), *(("-t", tag) if tag else ()))["digest"]
        return found


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    with LoopbackRegistry() as registry:
        found = Shell(tmp_path, registry)
        monkeypatch.setenv("OCI_SKILLS_STORE", str(tmp_path / "store"))
        monkeypatch.setenv("HOME", str(found.home))
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        yield found


class TestContent:
    def test_a_skill_is_shown(self, shell: Shell) -> None:
        """The text has the metadata, the files and the whole SKILL.md."""
        shell.build()
        assert shell.text("content", "hello") == (
            "Name:        hello\nVersion:     1.2\nDescription: Says hello\nLicense:     MIT\n"
            "Files:\n  SKILL.md (120 B)\n  docs/notes.md (2.0 KiB)\n\n"
            "---\nname: hello\ndescription: Says hello\nversion: 1.2\nlicense: MIT\n"
            "toolhive.requires: [ghcr.io/org/other:v1]\n---\n# Hello\n"
        )

    def test_programs_get_the_keys_of_toolhive(self, shell: Shell) -> None:
        """Version and licence are omitted if they are empty."""
        shell.build()
        said = shell.answer("content", "hello")
        assert list(said) == ["name", "description", "version", "license", "body", "files"]
        assert said["files"] == [
            {"path": "SKILL.md", "size": 120}, {"path": "docs/notes.md", "size": 2000}
        ]  # fmt: skip
        shell.run("init", "plain")
        (shell.folder / "plain/SKILL.md").write_text("---\nname: plain\ndescription: d\n---\n")
        shell.run("build", "plain")
        assert list(shell.answer("content", "plain")) == ["name", "description", "body", "files"]

    def test_control_characters_are_escaped(self, shell: Shell) -> None:
        """A SKILL.md cannot move the cursor of the terminal."""
        shell.build(body="\x1b[2Jgone\x07\n")
        said = shell.text("content", "hello")
        assert "\x1b" not in said
        assert "\\x1b[2Jgone\\x07" in said

    def test_a_registry_is_asked_once_or_with_refresh(self, shell: Shell) -> None:
        """A second look makes no request, `--refresh` makes one."""
        shell.build(tag=shell.reference)
        shell.run("push", shell.reference)
        shell.run("builds", "remove", shell.reference)
        shell.run("content", shell.reference)
        shell.registry.requests.clear()
        shell.run("content", shell.reference)
        assert shell.registry.requests == []
        shell.run("content", shell.reference, "--refresh")
        assert len(shell.registry.requests) == 1

    def test_a_missing_skill_is_an_error(self, shell: Shell) -> None:
        """A name without a registry cannot be pulled."""
        assert "is not in the store" in shell.error("content", "nothing")


class TestCache:
    @pytest.fixture
    def pulled(self, shell: Shell) -> str:
        digest = shell.build(tag=shell.reference)
        shell.run("push", shell.reference)
        shell.run("builds", "remove", shell.reference)
        shell.run("pull", shell.reference)
        return digest

    def test_pulled_skills_are_listed(self, shell: Shell, pulled: str) -> None:
        """Reference, digest, size and time, as a table and as data."""
        shell.build()
        (found,) = shell.answer("cache")
        assert list(found) == ["reference", "digest", "size", "pulled"]
        assert (found["reference"], found["digest"]) == (shell.reference, pulled)
        heading, row = shell.text("cache").splitlines()
        assert heading.split() == ["REFERENCE", "DIGEST", "SIZE", "PULLED"]
        size = f"{found['size'] / 1024:.1f} KiB"
        assert re.split(" {3,}", row) == [
            shell.reference, f"{pulled[:19]}", size, found["pulled"]
        ]  # fmt: skip
        age = datetime.now(UTC) - datetime.fromisoformat(found["pulled"])
        assert timedelta(seconds=-5) < age < timedelta(hours=1)
        assert shell.text("cache", "list") == shell.text("cache")
        assert shell.answer("cache", "list") == [found]

    def test_a_missing_root_has_no_time(self, shell: Shell, pulled: str) -> None:
        """It is shown as missing, and is `null` for programs."""
        layout = Layout.open(shell.folder / "store")
        layout.blobs.delete(layout.resolve(shell.reference).digest)
        assert shell.text("cache").splitlines()[1].endswith("missing")
        assert shell.answer("cache")[0]["pulled"] is None
        assert pulled

    def test_one_is_removed(self, shell: Shell, pulled: str) -> None:
        """A pulled skill is removed by its name; a build is not."""
        shell.build()
        assert "was built here" in shell.error("cache", "remove", "hello")
        said = shell.text("cache", "remove", shell.reference)
        assert said == f'Removed "{shell.reference}" from the cache\n'
        assert shell.text("cache") == "No pulled skill artifacts found\n"
        assert shell.answer("cache") == []
        shell.run("pull", shell.reference)
        assert shell.answer("cache", "remove", shell.reference) == {"removed": shell.reference}
        assert pulled

    def test_old_ones_are_pruned(self, shell: Shell, pulled: str) -> None:
        """Skills are pruned by age; `--dry-run` only lists them."""
        assert shell.text("cache", "prune", "--older-than", "30d") == "Nothing to remove\n"
        layout = Layout.open(shell.folder / "store")
        os.utime(layout.blobs.path(layout.resolve(shell.reference).digest), (0, 0))
        said = shell.text("cache", "prune", "--older-than", "30d", "--dry-run")
        assert said == f'Would remove "{shell.reference}" from the cache\n'
        assert shell.answer("cache", "prune", "--older-than", "4w", "--dry-run") == {
            "removed": [shell.reference], "dryRun": True
        }  # fmt: skip
        said = shell.text("cache", "prune")
        assert said == f'Removed "{shell.reference}" from the cache\n'
        assert shell.answer("cache", "prune") == {"removed": [], "dryRun": False}
        assert pulled

    @pytest.mark.parametrize("age", ["30", "d", "1.5d", "-1d", "30days", "", "999999999w"])
    def test_an_age_is_a_number_and_a_unit(self, shell: Shell, age: str) -> None:
        """Anything else is wrong use."""
        said = shell.run("cache", "prune", "--older-than", age, status=2).stderr
        assert "such as 30d" in said


class TestInstall:
    def test_a_skill_is_installed_listed_and_removed(self, shell: Shell) -> None:
        """The text is that of ToolHive."""
        assert shell.text("list") == "No skills installed\n"
        shell.build(tag="ghcr.io/org/hello:v1")
        said = shell.text("install", "hello", "--clients", "cursor,claude-code")
        assert said == "Installed hello\n"
        assert shell.text("list") == (
            "NAME    VERSION   SCOPE   STATUS      CLIENTS               REFERENCE\n"
            "hello   1.2       user    installed   claude-code, cursor   ghcr.io/org/hello:v1\n"
        )
        assert shell.text("ls") == shell.text("list")
        assert (shell.home / ".cursor/skills/hello/SKILL.md").exists()
        assert shell.text("list", "--client", "codex") == "No skills found matching filters\n"
        assert shell.text("uninstall", "hello") == "Uninstalled hello\n"
        assert list(shell.home.iterdir()) == []

    def test_programs_get_the_keys_of_toolhive(self, shell: Shell) -> None:
        """The answers of `install` and `list` are the same."""
        digest = shell.build(tag="ghcr.io/org/hello:v1")
        said = shell.answer("install", "hello", "--clients", "codex")
        assert said == {
            "metadata": {
                "name": "hello", "version": "1.2", "description": "Says hello", "author": ""
            },
            "scope": "user",
            "reference": "ghcr.io/org/hello:v1",
            "tag": "v1",
            "digest": digest,
            "status": "installed",
            "installed_at": said["installed_at"],
            "clients": ["codex"],
            "dependencies": [{"reference": "ghcr.io/org/other:v1"}],
            "managed": True,
        }  # fmt: skip
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["installed_at"])
        assert shell.answer("list") == [said]
        assert shell.answer("uninstall", "hello") == {"uninstalled": "hello"}
        assert shell.answer("list") == []

    def test_a_project_has_its_own(self, shell: Shell) -> None:
        """The root of a project is enough, and is in the answer."""
        root = shell.folder / "project"
        (root / ".git").mkdir(parents=True)
        shell.build()
        options = ["--project-root", str(root)]
        said = shell.answer("install", "hello", "--clients", "vscode", *options)
        assert (said["scope"], said["project_root"]) == ("project", str(root))
        assert (root / ".github/skills/hello/SKILL.md").exists()
        assert shell.answer("list", "--scope", "project") == [said]
        assert shell.answer("list", *options) == [said]
        assert shell.answer("list", "--scope", "user") == []
        assert "is not installed for the user" in shell.error("uninstall", "hello")
        shell.run("uninstall", "hello", "--scope", "project", *options)
        assert [path.name for path in root.iterdir()] == [".git"]

    def test_edits_need_force(self, shell: Shell) -> None:
        """Local edits are named, and kept unless `--force` is given."""
        shell.build()
        shell.run("install", "hello", "--clients", "codex")
        notes = shell.home / ".agents/skills/hello/docs/notes.md"
        notes.write_text("mine")
        assert "'docs/notes.md'" in shell.error("install", "hello", "--clients", "codex")
        assert "'docs/notes.md'" in shell.error("uninstall", "hello")
        assert notes.read_text() == "mine"
        shell.run("install", "hello", "--force")
        notes.write_text("mine")
        shell.run("uninstall", "hello", "--force")
        assert not notes.exists()

    def test_a_reference_or_an_archive_is_installed(self, shell: Shell) -> None:
        """A path is known by its beginning; a local build is replaced only with --replace."""
        shell.build(tag=shell.reference)
        shell.run("push", shell.reference)
        write_archive(Layout.open(shell.folder / "store"), None, shell.folder / "a.tar")
        shell.run("builds", "remove", shell.reference)
        bare = shell.reference.removesuffix(":v1")
        said = shell.answer("install", bare, "--version", "v1", "--clients", "codex")
        assert said["reference"] == shell.reference
        for source in (
            "./a.tar",
            str(shell.folder / "a.tar"),
            f"oci-archive:a.tar:{shell.reference}",
        ):
            assert shell.answer("install", source, "--clients", "codex")["digest"] == said["digest"]
        shell.build(tag=shell.reference, body="# Mine\n")
        assert "was built here" in shell.error("install", shell.reference)
        shell.run("install", shell.reference, "--replace")
        assert shell.answer("builds") == []

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["install", "nothing", "--clients", "codex"], "no build in the store is the skill"),
            (["install", "hello"], "no client was found"),
            (["install", "hello", "--clients", "codex,all"], "give it alone"),
            (["install", "hello", "--clients", ","], "there is no client ''"),
            (["install", "hello", "--scope", "project", "--clients", "codex"], "needs the root"),
            (["uninstall", "hello"], "is not installed"),
            (["list", "--client", "emacs"], "there is no client"),
            (["list", "--project-root", "."], "is not a project"),
        ],
    )
    def test_errors_are_one_line(self, shell: Shell, arguments: list[str], message: str) -> None:
        """Each error names what is wrong, and nothing is changed."""
        shell.build()
        assert message in shell.error(*arguments)
        assert list(shell.home.iterdir()) == []

    def test_an_unknown_scope_is_wrong_use(self, shell: Shell) -> None:
        """There are two scopes; any other is a usage error."""
        assert "'team' is not one of" in shell.run("list", "--scope", "team", status=2).stderr


class TestCompletion:
    def complete(self, *arguments: str) -> list[str]:
        """Return what a shell would be offered."""
        *before, last = arguments
        found = ShellComplete(main, {}, "skills", "_SKILLS_COMPLETE").get_completions(before, last)
        return [item.value for item in found]

    def test_names_of_the_store(self, shell: Shell) -> None:
        """Names are completed where an argument is a name; completion creates no store."""
        assert self.complete("content", "") == []
        assert not (shell.folder / "store").exists()
        shell.build()
        shell.build("other")
        for verb in (["content"], ["push"], ["install"], ["builds", "remove"], ["cache", "remove"]):
            assert self.complete(*verb, "o") == ["other"]
        SkillService.open(shell.folder / "second").build(shell.folder / "hello")
        assert self.complete("--store", "second", "content", "") == ["hello"]

    def test_installed_skills(self, shell: Shell) -> None:
        """`uninstall` completes installed skills, and nothing if the record cannot be read."""
        assert self.complete("uninstall", "") == []
        shell.build()
        shell.run("install", "hello", "--clients", "codex")
        assert self.complete("uninstall", "h") == ["hello"]
        assert self.complete("uninstall", "x") == []
        (shell.home / ".local/state/ocilayout/skills/installed.json").write_text("garbage" * 100)
        assert self.complete("uninstall", "h") == []

    def test_names_that_a_shell_would_interpret_are_not_offered(self, shell: Shell) -> None:
        """Names of the store and lists of clients are text to every shell."""
        shell.build()
        layout = Layout.open(shell.folder / "store", strict_names=False)
        layout.tag("h;touch${IFS}x;", layout.resolve("hello"))
        layout.tag("h$(touch x)", layout.resolve("hello"))
        assert self.complete("content", "h") == ["hello"]
        assert self.complete("install", "hello", "--clients", "$(touch x),") == []
        assert self.complete("install", "hello", "--clients", "codex,codex,cl") != []

    @pytest.mark.parametrize("name", ["installed.json", "installed.lock"])
    @pytest.mark.parametrize("how", ["FIFO", "folder", "loop"])
    def test_a_hostile_record_offers_nothing(
        self, shell: Shell, capfd: pytest.CaptureFixture[str], name: str, how: str
    ) -> None:
        """If the record is not a regular file, nothing hangs or is shown; a list needs no lock."""
        shell.build()
        shell.run("install", "hello", "--clients", "codex")
        path = shell.home / ".local/state/ocilayout/skills" / name
        path.unlink(missing_ok=True)
        if how == "FIFO":
            os.mkfifo(path)
        elif how == "folder":
            path.mkdir()
        else:
            path.symlink_to(name)
        capfd.readouterr()
        expected = ["hello"] if name == "installed.lock" else []
        assert self.complete("uninstall", "h") == expected
        assert capfd.readouterr() == ("", "")

    def test_commands_are_listed_in_the_order_of_use(self) -> None:
        """As in the help."""
        assert self.complete("") == [
            "init", "validate", "build", "builds", "content", "push", "pull", "cache", "install",
            "list", "uninstall", "serve",
        ]  # fmt: skip


def on_terminal(folder: Path, *arguments: str) -> str:
    """Run the command on a terminal of its own, and return what is written there."""
    control, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from skills.cli import main; main(prog_name='skills')", *arguments],
        cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "70"},
    )  # fmt: skip
    os.close(terminal)
    said = b""
    while True:
        assert select.select([control], [], [], 60)[0], said
        try:
            data = os.read(control, 65536)
        except OSError:  # how Linux tells the end of a terminal
            break
        if not data:
            break
        said += data
    os.close(control)
    assert process.wait() == 0, said
    return said.decode().replace("\r\n", "\n")


class TestTerminal:
    def test_tables_fit_and_have_a_heading(self, shell: Shell) -> None:
        """On a terminal tables are drawn to its width."""
        shell.build(tag="ghcr.io/organisation/with/a/long/name/hello:version-1")
        said = on_terminal(shell.folder, "builds")
        assert "\x1b[1m" in said
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
        assert max(map(len, plain.splitlines())) <= 70

    def test_a_pull_and_a_push_leave_their_answer_alone(self, shell: Shell) -> None:
        """Progress that was drawn on a terminal is gone; elsewhere there is only the answer."""
        digest = shell.build(tag=shell.reference)
        for verb in ("push", "pull"):
            said = on_terminal(shell.folder, verb, shell.reference)
            (left,) = said.rpartition("\x1b[J")[2].split("\r")[-1].splitlines()
            assert left.endswith(f"{shell.reference} {digest}")
            assert shell.run(verb, shell.reference).stderr == ""
