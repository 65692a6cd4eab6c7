"""The wheel, built once, and environments with only the wheel in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Install = Callable[..., Path]

ROOT = Path(__file__).parents[2]


def pip(*arguments: str | Path) -> None:
    """Run pip; a failure shows its output."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Return a function that installs the wheel, an extra and more packages in an empty folder."""

    def install(extra: str, *others: str) -> Path:
        folder = tmp_path_factory.mktemp("site")
        pip(
            *("install", "--no-warn-script-location", "--no-compile", "--target", folder),
            *(f"{wheel}[{extra}]", *others),
        )
        return folder

    return install
