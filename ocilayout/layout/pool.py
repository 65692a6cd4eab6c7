"""Threads for work that can be done side by side, or none where a system has none.

WebAssembly, for one, has no threads: there the same work is done when it is submitted. This is the
only module that makes pools, so that no other has to ask.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_P = ParamSpec("_P")
_T = TypeVar("_T")


def thread_pool(workers: int) -> Executor:
    """Return a pool, which is a context manager and waits at its end for what was submitted.

    Args:
        workers: How many threads it has at most, >= 1.

    Raises:
        ValueError: There are no workers.
    """
    if workers < 1:
        raise ValueError(f"a pool of {workers} workers does nothing; it takes at least 1")
    return ThreadPoolExecutor(workers) if _has_threads() else _CallingThread()


@cache
def _has_threads() -> bool:
    """Tell whether a thread can be started, which is known by starting one and by nothing else."""
    thread = Thread(target=int)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


class _CallingThread(Executor):
    """Does the work in the thread that submits it."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Call at once, and return what came of it."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 # it is raised by `Future.result`
            future.set_exception(error)
        return future

    def map(  # type: ignore[override] # `timeout`, `chunksize` and `buffersize` mean nothing here
        self, fn: Callable[..., _T], *iterables: Iterable[object]
    ) -> Iterator[_T]:
        """Call for each when its result is asked for, so that none is after one that failed."""
        return map(fn, *iterables)
