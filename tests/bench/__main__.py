"""Runs cases and prints the measurements."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import contents, indexes, registry
from tests.bench.measure import Case, Result, measure
from tests.bench.memory import measure_growth
from tests.bench.report import Report

CASES = {case.name: case for case in (*indexes.CASES, *contents.CASES, *registry.CASES)}


def main() -> None:
    """Measure the cases that the arguments choose."""
    arguments = _parse()
    chosen = arguments.case or list(CASES.values())
    results: list[Result] = []
    for case in chosen:
        missing = [program for program in case.needs if shutil.which(program) is None]
        if missing:
            sys.stderr.write(f"{case.name}: left out, there is no {missing[0]} here\n")
            continue
        for size in _sizes(case, quick=arguments.quick):
            sys.stderr.write(f"{case.name}: {case.about}, {size:,} {case.unit} ...\n")
            repetitions = arguments.repetitions or (3 if arguments.quick else None)
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                results.append(measure(case, size, Path(folder), repetitions=repetitions))
    memory = None
    if CASES["put"] in chosen:
        size = _sizes(CASES["put"], quick=arguments.quick)[-1]
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            memory = measure_growth(Path(folder), size), size
    grows = frozenset(case.name for case in chosen if case.grows)
    report = Report(results=results, grows=grows, memory=memory)
    sys.stdout.write(report.as_json() + "\n" if arguments.json else report.as_text())


def _sizes(case: Case, *, quick: bool) -> tuple[int, ...]:
    if not quick:
        return case.sizes
    return (min(case.sizes[0], {"MiB": 64, "artifacts": 20}.get(case.unit, 1_000)),)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures against yardsticks, both by turns, and prints ratios of medians.",
        epilog=f"Cases: {', '.join(CASES)}. A case is left out if its yardstick is not installed.",
    )
    parser.add_argument("case", nargs="*", type=_case, metavar="CASE", help="all by default")
    parser.add_argument("--quick", action="store_true", help="small sizes and few repetitions")
    parser.add_argument("--json", action="store_true", help="print JSON, with every single time")
    parser.add_argument(
        "--repetitions", type=_count, help="of each side; as many as there is time for by default"
    )
    parser.add_argument("--folder", type=Path, help="where to work; the file system matters")
    return parser.parse_args()


def _case(name: str) -> Case:
    if name not in CASES:
        raise argparse.ArgumentTypeError(f"there is no case {name!r}; there are {', '.join(CASES)}")
    return CASES[name]


def _count(text: str) -> int:
    count = int(text)
    if count < 2:
        raise argparse.ArgumentTypeError("at least 2, for a spread")
    return count


main()
