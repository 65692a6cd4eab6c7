"""The examples of the guide: as the page shows them, and in an environment of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples"
SHOWN = re.compile(
    r"<!-- (tests/examples/\w+\.py) -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


def test_the_page_shows_the_examples_that_are_run() -> None:
    """Each file is on the page, word for word; change both together."""
    shown = dict(SHOWN.findall((ROOT / "spec-notes" / "testing.md").read_text()))
    files = {f"tests/examples/{path.name}": path.read_text() for path in EXAMPLES.glob("*.py")}
    assert shown == files


def test_the_wheel_with_one_extra_is_all_that_they_need(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    """A project that installs the wheel with the extra, and pytest, runs the examples."""
    site = install("hypothesis", "pytest")
    project = shutil.copytree(
        EXAMPLES, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")
    )
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import pytest;"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-W', 'error']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        cwd=project, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTEST_ADDOPTS": ""},  # the options of the outer run
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not {path.name for path in site.iterdir()} & {"urllib3", "click", "rich", "xdist"}
