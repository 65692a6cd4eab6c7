"""The packages as programs, and their version."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import ocilayout
import skills


@pytest.mark.parametrize("package", ["ocilayout", "skills"])
def test_a_package_runs_as_its_command(package: str) -> None:
    """`python -m` does what the script does, and its help shows how it was called."""
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: python -m {package} [OPTIONS] COMMAND [ARGS]...\n")


def test_both_packages_have_the_version_of_the_distribution() -> None:
    assert ocilayout.__version__ == skills.__version__ == version("ocilayout")
