"""The README: commands that people and the gate run as they stand there, and answers shown."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ocilayout.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_a_command_is_one_line_in_a_block_of_its_own(heading: str) -> None:
    """Under each heading stands exactly one block of shell, and it is a single line."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert block.count("\n") == 1
    assert block.startswith("python3 -m venv ")


def test_what_the_command_answers_is_what_it_says(tmp_path: Path) -> None:
    """The example of the command, run with the layout of the program above it, answers so."""
    (program,) = re.findall(
        r"^```python\n(.*?^layout\.tag[^\n]*)", README, re.DOTALL | re.MULTILINE
    )
    (example,) = re.findall(r"^```console\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    tmp_path.joinpath("notes.txt").write_text("Remember the milk.\n")
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    run = "from ocilayout.cli import main; main(prog_name='ocilayout')"
    said = ""
    for line in re.findall(r"^\$ (.*)$", example, re.MULTILINE):
        _, *arguments = shlex.split(line)
        done = subprocess.run(
            [sys.executable, "-c", run, *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said += f"$ {line}\n{done.stdout}"
    # How old a file is that was written just now depends on the machine, and so does the padding.
    aged = re.compile(r"(now|\d+ seconds?) \(file\)")
    blanks = re.compile(" +")
    assert [blanks.sub(" ", aged.sub("now (file)", line)) for line in said.splitlines()] == [
        blanks.sub(" ", line) for line in example.splitlines()
    ]


def test_every_verb_is_in_the_table() -> None:
    """The table of verbs has those of the command, in its order."""
    (section,) = re.findall(r"^## The command\n(.*?)(?=^## )", README, re.DOTALL | re.MULTILINE)
    assert re.findall(r"^\| `([a-z]+) [A-Z]", section, re.MULTILINE) == list(main.commands)
