"""The sdist: it has all files of a checkout, so that it can be tested and changed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout, so git lists no files")
def test_it_has_every_file_of_the_checkout(tmp_path: Path) -> None:
    """And the metadata, and no other file."""
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.strip("\0").split("\0")  # fmt: skip
    (path,) = tmp_path.iterdir()
    with tarfile.open(path) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert held == {*filter(lambda name: (ROOT / name).exists(), listed), "PKG-INFO"}
