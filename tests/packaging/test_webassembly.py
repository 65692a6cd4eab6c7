"""CPython in WebAssembly, which has neither threads nor processes nor users."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.missing import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

HERE = Path(__file__).parent
PYODIDE = "pyodide@314.0.7"  # it includes CPython 3.14 and the standard library


def pyodide(folder: Path) -> Path:
    """Return the folder of the npm package, installed into another one."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("the programs node and npm are not installed")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", folder, PYODIDE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        missing(f"npm cannot install {PYODIDE}: {done.stderr.partition(chr(10))[0]}")
    return folder / "node_modules" / "pyodide"


def test_it_works_in_webassembly(
    install: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Layouts, archives, copies, checks, collections and skills, from the wheel, under node."""
    package = pyodide(tmp_path_factory.mktemp("npm"))
    site = install("skills")
    done = subprocess.run(
        ["node", HERE / "webassembly.mjs", package, site, HERE / "one_thread.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done on emscripten\n"), done.stderr
