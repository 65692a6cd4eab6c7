"""What a layout costs as it grows, as the table of spec-notes/scaling.md.

Each verb runs once in a process of its own, on layouts of rising size. The start of Python and the
imports are not part of the time. `python -m tests.bench.scaling` prints the table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocilayout import Layout
from tests.bench.material import make_store, put_something
from tests.bench.memory import peak

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT: Final = Path(__file__).parents[2]
_SIZES: Final = (1_000, 10_000, 100_000)
_EXTRAPOLATED: Final = 1_000_000
_VERBS: Final[dict[str, Callable[[Path], object]]] = {
    "open and tags()": lambda folder: Layout.open(folder).tags(),
    "open and entries()": lambda folder: Layout.open(folder).entries(),
    "open and tag(), synced": lambda folder: Layout.open(folder).tag("new", put_something(folder)),
    "open and collect()": lambda folder: Layout.open(folder).collect(),
    "open and check(content=False)": lambda folder: Layout.open(folder).check(content=False),
    "open and check()": lambda folder: Layout.open(folder).check(),
}


def _measure(folder: Path, verb: str) -> tuple[float, float]:
    """Return the seconds of a verb in a new process, and the growth of its peak in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.scaling", folder, verb],
        cwd=_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, grown = json.loads(done.stdout)
    return seconds, grown / 2**20


def _run(folder: Path, verb: str) -> None:
    before, start = peak(), time.perf_counter()
    _VERBS[verb](folder)
    seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps((seconds, peak() - before)))


def _row(head: str, cells: list[str]) -> str:
    return f"| {' | '.join((head, *cells))} |\n"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _main(sizes: tuple[int, ...] = _SIZES) -> None:
    measured: dict[str, list[tuple[float, float]]] = {verb: [] for verb in _VERBS}
    index = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_store(Path(folder), size)
            index.append((Path(folder) / "index.json").stat().st_size / 2**20)
            for verb, figures in measured.items():
                figures.append(_measure(Path(folder), verb))
    beyond = _EXTRAPOLATED / sizes[-1]
    heads = [f"{size:,}" for size in sizes] + [f"{_EXTRAPOLATED:,}, extrapolated"]
    sys.stdout.write(_row("entries", heads))
    sys.stdout.write(_row("---", ["---"] * len(heads)))
    cells = [f"{size:.1f} MiB" for size in (*index, index[-1] * beyond)]
    sys.stdout.write(_row("`index.json`", cells))
    for verb, figures in measured.items():
        seconds, grown = figures[-1]
        both = (*figures, (seconds * beyond, grown * beyond))
        sys.stdout.write(
            _row(verb, [f"{_duration(took)}, {memory:.0f} MiB" for took, memory in both])
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _run(Path(sys.argv[1]), sys.argv[2])
    else:
        _main()
