"""The README: its commands run as shown, and print the output shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ocilayout.cli import main
from ocilayout.testing.registry import LoopbackRegistry
from skills import package
from skills.cli import main as skills_main

README = (Path(__file__).parents[2] / "README.md").read_text()


def section(heading: str) -> str:
    """Return the text under a heading."""
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    return str(found)


def block(language: str, heading: str) -> str:
    """Return the only block in a language under a heading."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE
    )
    return str(found)


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_a_command_is_one_line_in_a_block_of_its_own(heading: str) -> None:
    """Each heading has exactly one block of shell, and it is a single line."""
    command = block("sh", heading)
    assert command.count("\n") == 1
    assert command.startswith("python3 -m venv ")


def test_the_command_prints_the_output_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of the command runs with the layout of the program above it."""
    (program,) = re.findall(
        r"^```python\n(.*?^layout\.tag[^\n]*)", README, re.DOTALL | re.MULTILINE
    )
    example = block("console", "The command")
    tmp_path.joinpath("notes.txt").write_text("Remember the milk.\n")
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    said = ""
    for line in re.findall(r"^\$ (.*)$", example, re.MULTILINE):
        _, *arguments = shlex.split(line)
        done = CliRunner().invoke(main, arguments, prog_name="ocilayout", catch_exceptions=False)
        assert done.exit_code == 0
        said += f"$ {line}\n{done.stdout}"
    # The age of a new file depends on the machine, and so does the padding.
    aged = re.compile(r"(now|\d+ seconds?) \(file\)")
    blanks = re.compile(" +")
    assert [blanks.sub(" ", aged.sub("now (file)", line)) for line in said.splitlines()] == [
        blanks.sub(" ", line) for line in example.splitlines()
    ]


def test_every_verb_is_in_the_table() -> None:
    """The table of verbs has the verbs of the command, in its order."""
    verbs = re.findall(r"^\| `([a-z]+) [A-Z]", section("The command"), re.MULTILINE)
    assert verbs == main.list_commands(click.Context(main))
    verbs = re.findall(r"^\| `skills ([a-z]+)", section("Skills"), re.MULTILINE)
    assert sorted(dict.fromkeys(verbs)) == sorted(skills_main.commands)


class Reader:
    """A reader with an empty home folder who types the lines of the README."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        monkeypatch.chdir(folder)
        for variable in [name for name in os.environ if "XDG" in name]:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("OCI_SKILLS_STORE", str(folder / "store"))

    def type(self, line: str) -> str:
        """Run a line that begins with `skills`, and return its output."""
        program, *arguments = shlex.split(line)
        assert program == "skills"
        done = CliRunner().invoke(skills_main, arguments, prog_name=program)
        assert (done.exit_code, done.stderr) == (0, ""), line
        return done.stdout


def without_what_differs(text: str, host: str, digest: str) -> list[str]:
    """Return lines without the registry's address, times, a digest, and padding.

    The digest depends on a compressed layer, whose bytes differ between deflate libraries.
    """
    text = re.sub(f"{digest[:19]}[0-9a-f]*", "DIGEST", text.replace(host, "HOST"))
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return [re.sub(" +", " ", line) for line in text.splitlines()]


def test_the_round_of_a_skill_prints_the_output_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of the example of skills runs with a registry on loopback, and leaves the home
    folder empty, as it was at the start."""
    example = block("console", "Skills")
    (shown,) = set(re.findall(r"sha256:[0-9a-f]{64}", example))
    reader = Reader(tmp_path, monkeypatch)
    with LoopbackRegistry() as registry:
        said = ""
        for line in re.findall(r"^\$ (.*)$", example, re.MULTILINE):
            said += f"$ {line}\n{reader.type(line.replace('127.0.0.1:5000', registry.host))}"
            said = said.replace(registry.host, "127.0.0.1:5000")
    made = package(tmp_path / "hello", epoch=0).index.digest
    assert without_what_differs(said, "127.0.0.1:5000", made) == without_what_differs(
        example, "127.0.0.1:5000", shown
    )
    verbs = set(re.findall(r"^\$ skills ([a-z]+)", example, re.MULTILINE))
    assert verbs == skills_main.commands.keys() - {"serve"}
    assert list(reader.home.iterdir()) == []


def test_the_first_try_prints_the_output_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `skills` commands in the line under "Try it" print the text below it."""
    shown = block("text", "Try it")
    reader = Reader(tmp_path, monkeypatch)
    lines = [part.strip(" )\n") for part in block("sh", "Try it").split("&&")]
    said = "".join(reader.type(line) for line in lines if line.startswith("skills "))
    made = package(tmp_path / "hello", epoch=0).index.digest
    (digest,) = re.findall(r"sha256:[0-9a-f]{12}", shown)
    assert without_what_differs(said, "HOST", made) == without_what_differs(shown, "HOST", digest)
