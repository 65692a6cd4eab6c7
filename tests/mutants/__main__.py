"""Mutates modules in a copy of the checkout, and prints which mutants no test has killed."""

from __future__ import annotations

import argparse
import ast
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

from tests.mutants.selection import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COPIED = ("ocilayout", "skills", "tests", "spec-notes", "pyproject.toml", "README.md")
TIMEOUT = 120
"""A mutant that takes longer is killed: it loops. In seconds; the slowest selection takes 25."""

Place = tuple[int, int]


def main() -> None:
    """Run the mutants of the modules that the arguments name, and report."""
    arguments = _parse()
    modules = arguments.module or list(TESTS)
    if arguments.folder is not None:
        _run(modules, arguments.folder.resolve(), again=arguments.again)
        return
    with tempfile.TemporaryDirectory() as folder:
        _run(modules, Path(folder), again=False)


def _run(modules: list[str], folder: Path, *, again: bool) -> None:
    tree = folder / "tree"
    if not tree.exists():
        _copy(tree, *COPIED)
    elif again:  # the mutants are those of the old sources, the tests are those of today
        _copy(tree, "tests")
    for module in modules:
        session = folder / (module.replace("/", ".") + ".sqlite")
        config = session.with_suffix(".toml")
        config.write_text(_config(module))
        if not session.exists():
            subprocess.run([_program(), "init", config, session], cwd=tree, check=True)
            _skip(session, set(_idle(tree / module)))
        elif again:
            _forget_survivors(session)
        # Tests that fail without a mutant would kill them all.
        subprocess.run([_program(), "baseline", config], cwd=tree, check=True)
        subprocess.run([_program(), "exec", config, session], cwd=tree, check=True)
        _report(module, session)


def _copy(tree: Path, *names: str) -> None:
    for name in names:
        source, target = ROOT / name, tree / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _program() -> str:
    return str(Path(sys.executable).with_name("cosmic-ray"))


def _config(module: str) -> str:
    tests = shlex.join(
        [
            *("env", "PYTHONPATH=.", "HYPOTHESIS_PROFILE=mutants", sys.executable, "-m", "pytest"),
            *("-q", "-x", "-n", "0", "-p", "no:cacheprovider", *TESTS[module]),
        ]
    )
    values = {"module-path": module, "timeout": TIMEOUT, "excluded-modules": []}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    lines += [f"test-command = {json.dumps(tests)}", "[cosmic-ray.distributor]", 'name = "local"']
    return "\n".join(["[cosmic-ray]", *lines, ""])


def _idle(path: Path) -> Iterator[tuple[Place, Place]]:
    """Give where a module has code that never runs: annotations, and what only checkers import."""
    for node in ast.walk(ast.parse(path.read_text())):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield (node.lineno, 0), (node.body[-1].end_lineno or 0, 999)
        for part in filter(None, found):
            yield (part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0)


def _skip(session: Path, idle: set[tuple[Place, Place]]) -> None:
    skipped = WorkResult(WorkerOutcome.SKIPPED)
    with use_db(str(session)) as database:
        for item in list(database.work_items):
            start = item.mutations[0].start_pos
            if any(first <= start <= last for first, last in idle):
                database.set_result(item.job_id, skipped)


def _forget_survivors(session: Path) -> None:
    with use_db(str(session)) as database:
        kept = [(job, result) for job, result in database.results if result.is_killed]
        items = list(database.work_items)
        database.clear()
        database.add_work_items(items)
        for job, result in kept:
            database.set_result(job, result)


def _report(module: str, session: Path) -> None:
    with use_db(str(session)) as database:
        places = {item.job_id: item.mutations[0] for item in database.work_items}
        results = [
            (places[job], result)
            for job, result in database.results
            if result.worker_outcome == WorkerOutcome.NORMAL
        ]
    survivors = [
        (mutation.start_pos, result.diff)
        for mutation, result in results
        if result.test_outcome == TestOutcome.SURVIVED
    ]
    killed = len(results) - len(survivors)
    for _, diff in sorted(survivors):
        sys.stdout.write(f"{diff}\n")
    sys.stdout.write(f"{module}: {killed} of {len(results)} killed\n")
    sys.stdout.flush()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Changes code, one spot at a time, and says which changes no test notices.",
        epilog=f"Modules: {', '.join(TESTS)}.",
    )
    parser.add_argument(
        "module", nargs="*", metavar="MODULE", type=_module, help="all by default, in their order"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the copy and the results are kept; a run goes on there"
    )
    parser.add_argument(
        "--again", action="store_true", help="try the survivors in the folder with today's tests"
    )
    return parser.parse_args()


def _module(text: str) -> str:
    if text not in TESTS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(TESTS)}")
    return text


if __name__ == "__main__":
    main()
