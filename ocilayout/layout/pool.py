"""Pools of threads, or of the calling thread alone where a system has no threads.

WebAssembly, for example, has none: there work is done when it is submitted. This is the only module
that creates pools, so that no other module needs to ask.
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
    """Return a pool, a context manager that waits at its end for all submitted work.

    Args:
        workers: The largest number of threads, >= 1.

    Raises:
        ValueError: The number is less than 1.
    """
    if workers < 1:
        raise ValueError(f"a pool of {workers} workers does nothing; it takes at least 1")
    return ThreadPoolExecutor(workers) if _has_threads() else _CallingThread()


@cache
def _has_threads() -> bool:
    """Return whether a thread can be started: nothing but starting one tells."""
    thread = Thread(target=int)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


class _CallingThread(Executor):
    """Does all work in the thread that submits it."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Call the function at once, and return its result or its error."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 # it is raised by `Future.result`
            future.set_exception(error)
        return future

    def map(  # type: ignore[override] # `timeout`, `chunksize` and `buffersize` mean nothing here
        self, fn: Callable[..., _T], *iterables: Iterable[object]
    ) -> Iterator[_T]:
        """Call the function for each item when its result is needed, and not after an error."""
        return map(fn, *iterables)
