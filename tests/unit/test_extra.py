"""What is said where a package is missing that an extra brings."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ocilayout.cli
from ocilayout.cli.extra import advice, command_of


def test_advice() -> None:
    """A package of an extra is told with the extra; of others nothing is known."""
    error = ModuleNotFoundError("No module named 'ruamel.yaml'", name="ruamel.yaml")
    assert advice(error) == "ruamel is not installed; pip install 'ocilayout[skills]' brings it"
    assert advice(ModuleNotFoundError("x", name="ocilayout.nothing")) is None
    assert advice(ModuleNotFoundError("x")) is None


def test_a_defect_is_no_missing_extra() -> None:
    """A module of ours that is missing shows as what it is."""
    with pytest.raises(ModuleNotFoundError, match=r"ocilayout\.nothing"):
        command_of("ocilayout.nothing")
    with pytest.raises(AttributeError, match="nothing"):
        _ = ocilayout.cli.nothing


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("ocilayout", "click", "cli"),
        ("skills", "click", "cli"),
        ("ocilayout", "rich", None),  # not before it is needed
    ],
)
def test_a_command_without_its_extra(command: str, missing: str, extra: str | None) -> None:
    """A command that lacks a package says in one line what to install."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = [{command!r}, '--version'];"
        f"from {command}.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    if extra is None:
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {missing} is not installed; pip install 'ocilayout[{extra}]' brings it\n"
    )
