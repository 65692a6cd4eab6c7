"""The README's commands: two, a line each, where people and the gate look for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_a_command_is_one_line_in_a_block_of_its_own(heading: str) -> None:
    """Under each heading stands exactly one block of shell, and it is a single line."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert block.count("\n") == 1
    assert block.startswith("python3 -m venv ")
