"""The message about a missing package that an extra brings."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ocilayout.cli
from ocilayout.cli.extra import command_of
from ocilayout.extra import advice

if TYPE_CHECKING:
    from pathlib import Path


def test_advice() -> None:
    """The message names the extra of a package; other packages have no message."""
    error = ModuleNotFoundError("No module named 'ruamel.yaml'", name="ruamel.yaml")
    assert advice(error) == "ruamel is not installed; pip install 'ocilayout[skills]' brings it"
    assert advice(ModuleNotFoundError("x", name="ocilayout.nothing")) is None
    assert advice(ModuleNotFoundError("x")) is None


def test_a_defect_is_not_a_missing_extra() -> None:
    """A missing module of this library raises the error of the import."""
    with pytest.raises(ModuleNotFoundError, match=r"ocilayout\.nothing"):
        command_of("ocilayout.nothing")
    with pytest.raises(AttributeError, match="nothing"):
        _ = ocilayout.cli.nothing  # type: ignore[attr-defined] # the name that is refused


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("ocilayout", "click", "cli"),
        ("skills", "click", "skills,cli"),
        ("skills", "ruamel", "skills,cli"),
        ("skills", "platformdirs", "skills,cli"),
        ("ocilayout", "rich", None),  # not before it is needed
        ("skills", "starlette", None),
    ],
)
def test_a_command_without_its_extra(command: str, missing: str, extra: str | None) -> None:
    """A command that lacks a package says in one line which extra to install."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = [{command!r}, '--version'];"
        f"from importlib.metadata import entry_points;"
        f"(script,) = entry_points(group='console_scripts', name={command!r}); script.load()()"
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


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "anyio"])
def test_a_verb_without_its_extra(missing: str, tmp_path: Path) -> None:
    """A verb that needs one more extra says so, and the others work without it."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['skills', 'serve'];"
        "from skills.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OCI_SKILLS_STORE": str(tmp_path / "store")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {missing} is not installed; pip install 'ocilayout[server]' brings it\n"
    )
