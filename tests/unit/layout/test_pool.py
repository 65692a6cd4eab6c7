"""The pool: threads where there are some, and the same answers where there are none."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout.layout import pool as module
from ocilayout.layout.pool import thread_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]

# What CPython calls to start a thread, before and from 3.13 on; the error is that of a system
# without threads.
REFUSE_THREADS = """
import threading

def refuse(*_, **__):
    raise RuntimeError("can't start new thread")

threading._start_new_thread = threading._start_joinable_thread = refuse
"""


@pytest.fixture(params=[True, False], ids=["threads", "no threads"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Let threads be started, or none."""
    if not request.param:

        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("can't start new thread")

        for name in ("_start_new_thread", "_start_joinable_thread"):
            monkeypatch.setattr(threading, name, refuse, raising=False)
    module._has_threads.cache_clear()
    yield bool(request.param)
    module._has_threads.cache_clear()


def fail(number: int) -> int:
    if number == 2:
        raise LookupError(number)
    return number


def test_work_is_done_in_other_threads_where_there_are_some(*, threads: bool) -> None:
    """Where no thread can be started, work is done in the thread that submits it."""
    with thread_pool(2) as workers:
        done_by = workers.submit(threading.get_ident).result()
    assert (done_by != threading.get_ident()) is threads


@pytest.mark.usefixtures("threads")
def test_results_can_be_requested_in_any_order() -> None:
    with thread_pool(2) as workers:
        futures = [workers.submit(pow, 2, each) for each in range(8)]
        assert [future.result() for future in reversed(futures)] == [128, 64, 32, 16, 8, 4, 2, 1]
        assert workers.submit(int, "11", base=2).result() == 3


@pytest.mark.usefixtures("threads")
def test_a_map_yields_results_in_order() -> None:
    with thread_pool(2) as workers:
        assert list(workers.map(pow, [2, 3, 4], [3, 2, 1])) == [8, 9, 4]


@pytest.mark.usefixtures("threads")
def test_an_error_is_raised_where_its_result_is_requested() -> None:
    with thread_pool(1) as workers:
        future = workers.submit(fail, 2)
        assert workers.submit(fail, 1).result() == 1
        with pytest.raises(LookupError):
            future.result()
        results = workers.map(fail, range(4))
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(LookupError):
            next(results)


def test_without_threads_no_work_follows_an_error(*, threads: bool) -> None:
    """With threads, work that was started is finished."""
    done: list[int] = []
    with thread_pool(1) as workers, pytest.raises(LookupError):
        for _ in workers.map(lambda each: done.append(fail(each)), range(50)):
            pass
    assert threads or done == [0, 1]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("workers", [0, -1])
def test_a_pool_has_workers(workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        thread_pool(workers)


def test_it_is_the_only_module_that_makes_pools() -> None:
    """The others would fail where no thread can be started, and a test would have to find each."""
    named = {
        path.relative_to(ROOT).as_posix()
        for package in ("ocilayout", "skills")
        for path in (ROOT / package).rglob("*.py")
        if "ThreadPoolExecutor" in path.read_text()
    }
    assert named == {"ocilayout/layout/pool.py"}


def test_everything_works_where_no_thread_can_be_started() -> None:
    """Layouts, archives, copies, checks and skills: the program that WebAssembly runs, too."""
    program = (ROOT / "tests" / "packaging" / "one_thread.py").read_text()
    done = subprocess.run(
        [sys.executable, "-c", REFUSE_THREADS + program.partition("annotations\n")[2]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"done on {sys.platform}\n"), done.stderr
