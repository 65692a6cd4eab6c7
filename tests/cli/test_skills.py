"""The command `skills`: making, building, listing, pushing and pulling a skill."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest

from ocilayout.testing.registry import LoopbackRegistry
from skills.cli import main
from tests.cli.conftest import Command


@pytest.fixture
def shell(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return `skills`, with a folder and a store of its own."""
    monkeypatch.setenv("OCI_SKILLS_STORE", str(command.folder / "store"))
    return Command(command.folder, main, "skills")


def program(*arguments: str) -> str:
    """Run `skills` as a program, which must succeed, and return its output."""
    run = "from skills.cli import main; main(prog_name='skills')"
    done = subprocess.run(
        [sys.executable, "-c", run, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_the_first_minutes(shell: Command) -> None:
    """As a program it makes, builds and lists a new skill, and the table is aligned."""
    assert program("init", "hello") == "Wrote hello/SKILL.md\n"
    assert program("builds") == "No locally-built skill artifacts found\n"
    assert program("build", "hello") == "hello\n"
    (build,) = shell.answer("builds")
    assert program("builds") == (
        "TAG     DIGEST                NAME    VERSION\n"
        f"hello   {build['digest'][:19]}   hello   0.1.0\n"
    )
    assert shell.text("builds", "list") == program("builds")


def test_answers_for_programs(shell: Command) -> None:
    """Every command that answers has JSON, with the keys that ToolHive uses."""
    assert shell.answer("init", "hello", "-d", 'Says "hello: #1"') == {"path": "hello/SKILL.md"}
    built = shell.answer("build", "hello", "--tag", "v1")
    assert built["reference"] == "v1"
    assert shell.answer("builds") == [
        {
            "tag": "v1",
            "digest": built["digest"],
            "name": "hello",
            "description": 'Says "hello: #1"',
            "version": "0.1.0",
        }
    ]
    assert shell.answer("builds", "adopt", "v1") == {"adopted": "v1"}
    assert shell.answer("builds", "remove", "v1") == {"removed": "v1"}
    assert shell.answer("builds", "list") == []


def test_push_and_pull(shell: Command) -> None:
    """A build is pushed, pulled under another name, and listed once."""
    with LoopbackRegistry() as registry:
        reference = f"{registry.host}/team/hello:v1"
        shell.run("init", "hello")
        built = shell.answer("build", "hello", "-t", reference)
        assert shell.answer("push", reference) == built
        assert shell.answer("pull", reference, "--name", "theirs") == {
            "reference": "theirs",
            "digest": built["digest"],
        }
        assert shell.run("pull", reference).stdout == f"Pulled {reference} {built['digest']}\n"
        assert shell.run("push", reference).stdout == f"Pushed {reference} {built['digest']}\n"
        listed = shell.answer("builds")
        assert [build["tag"] for build in listed] == [reference]
        shell.run("init", "other")
        shell.run("build", "other", "-t", "theirs")
        assert "was built here" in shell.error("pull", reference, "--name", "theirs")
        shell.run("pull", reference, "--name", "theirs", "--replace")


def test_a_folder_is_built_from_inside(shell: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path the current folder is the skill, under its own name."""
    shell.run("init", "hello")
    monkeypatch.chdir("hello")
    assert shell.run("build").stdout == "hello\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["builds", "remove", "nothing"], "not a local build"),
        (["builds", "adopt", "nothing"], "no entry named"),
        (["build", "nowhere"], "nowhere"),
        (["build", ".", "-t", "a b"], "is not a valid tag"),
        (["push", "nothing"], "no entry named"),
        (["pull", "nothing"], "does not name a registry"),
        (["init", "Not A Name"], "not valid"),
        (["--store", "SKILL.md/x", "builds"], "SKILL.md"),
    ],
)
def test_errors_are_one_line(shell: Command, arguments: list[str], message: str) -> None:
    """An error is one line on standard error, with exit status 1."""
    shell.folder.joinpath("SKILL.md").write_text("")
    assert message in shell.error(*arguments)


def test_a_skill_is_validated(shell: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every error is reported with its line, and exit status 1; a good skill has none."""
    shell.run("init", "hello")
    assert shell.run("validate", "hello").stdout == ""
    assert shell.answer("validate", "hello") == {"valid": True}
    file = shell.folder / "hello" / "SKILL.md"
    file.write_text("---\nname: Hello\nallowed-tools: a, b\n---\n")
    rule = "use 2 to 64 of a-z, 0-9 and -, with no - at either end and no --"
    assert shell.run("validate", "hello", status=1).stdout.splitlines() == [
        f"Error: SKILL.md line 2: name 'Hello' is not allowed; {rule}",
        "Error: SKILL.md line 2: name 'Hello' must be that of the folder, 'hello'; rename one",
        "Error: description is required",
        "Warning: SKILL.md line 3: allowed-tools is separated by commas; use spaces or a list",
    ]
    said = shell.answer("validate", "hello", status=1)
    assert list(said) == ["valid", "errors", "warnings"]
    assert (said["valid"], len(said["errors"]), len(said["warnings"])) == (False, 3, 1)
    monkeypatch.chdir("hello")
    assert "must be that of the folder, 'hello'" in shell.run("validate", status=1).stdout


def test_an_existing_skill_is_not_overwritten(shell: Command) -> None:
    """`init` does not change a SKILL.md that exists."""
    shell.run("init", "hello")
    before = shell.folder.joinpath("hello/SKILL.md").read_bytes()
    assert "it was left as it is" in shell.error("init", "hello")
    assert shell.folder.joinpath("hello/SKILL.md").read_bytes() == before


def test_an_invalid_skill_is_built_only_when_asked_for(shell: Command) -> None:
    """`--no-validate` packages what breaks the rules of skills."""
    shell.folder.joinpath("x").mkdir()
    shell.folder.joinpath("x/SKILL.md").write_text("---\nname: other\n---\n")
    assert "description" in shell.error("build", "x")
    assert shell.run("build", "x", "--no-validate").stdout == "other\n"


def test_metadata_that_is_empty_is_left_out(shell: Command) -> None:
    """A build without a version is listed without that key, and with a blank in the table."""
    shell.folder.joinpath("hello").mkdir()
    shell.folder.joinpath("hello/SKILL.md").write_text("---\nname: hello\ndescription: x\n---\n")
    shell.run("build", "hello")
    (build,) = shell.answer("builds")
    assert sorted(build) == ["description", "digest", "name", "tag"]
    assert shell.run("builds").stdout.splitlines()[1].endswith("   hello")


@pytest.mark.parametrize("arguments", [["nothing"], ["builds", "remove"], ["build", "--what"]])
def test_a_usage_error_has_its_own_status(shell: Command, arguments: list[str]) -> None:
    """Unknown commands, missing arguments and unknown options exit with 2."""
    assert "Usage:" in shell.run(*arguments, status=2).stderr


@pytest.mark.parametrize(
    "verb",
    [[], ["init"], ["validate"], ["build"], ["builds"], ["builds", "list"], ["builds", "remove"],
     ["builds", "adopt"], ["content"], ["pull"], ["push"], ["cache"], ["cache", "list"],
     ["cache", "remove"], ["cache", "prune"], ["install"], ["list"], ["uninstall"], ["serve"]],
)  # fmt: skip
def test_every_command_helps_with_examples(shell: Command, verb: list[str]) -> None:
    """`--help` describes the command and ends with two valid calls of it, one a line."""
    said = shell.run(*verb, "--help").stdout
    assert "Usage: skills" in said
    title, *examples = said.splitlines()[-3:]
    assert title == "  Examples:"
    for example in examples:
        words = shlex.split(example.partition(" && ")[0])
        assert words[: len(verb) + 1] == ["skills", *verb]
        called: Any = main
        for name in verb:
            called = called.commands[name]
        assert called.make_context("skills", words[len(verb) + 1 :]).command is called


def test_the_version_is_that_of_the_package(shell: Command) -> None:
    """`--version` names the distribution's version."""
    assert shell.run("--version").stdout.startswith("skills, version ")
