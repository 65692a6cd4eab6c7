"""Runs the programs on all cases and writes `spec-notes/behaviours.md`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.peers.behaviours.asking import ask_all, programs, versions
from tests.peers.behaviours.table import PAGE, render


def main() -> None:
    """Write the page; with `--check`, compare it instead."""
    with tempfile.TemporaryDirectory(suffix="x") as name, programs(Path(name)) as found:
        page = render(ask_all(found, Path(name)), versions(found))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page)
    elif page != PAGE.read_text():
        sys.exit(f"{PAGE.name} differs from the programs' behaviour; run this without --check")


main()
