"""Runs verbs of `ocilayout`, each in a fork of this process, which has everything imported.

A program of its own, since a fork of a process with threads, such as that of the tests, may hang.
It reads a request in JSON from each line of standard input, and answers it with a line: the exit
status of the verb, or minus the number of the signal that ended it. While the verb runs, another
fork may swap a folder for a symbolic link over and over.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pkgutil
import resource
import signal
import sys
import threading
import traceback
from importlib import import_module
from typing import Any, Final

import ocilayout
from ocilayout.cli.command import main

SECONDS: Final = 30  # of wall clock, after which a verb hangs
PROCESSOR_SECONDS: Final = 15
MEMORY: Final = 768 * 2**20  # bytes of address space, stacks of threads included
LONGEST_FILE: Final = 64 * 2**20  # bytes; more than any layout here takes
CRASHED: Final = 70
LINGERS: Final = 71


def load() -> None:
    """Import what a verb may need, or each fork would do it again."""
    for module in pkgutil.walk_packages(ocilayout.__path__, "ocilayout."):
        if not module.name.startswith(("ocilayout.testing", "ocilayout.registry")):
            import_module(module.name)
    for name in ("click.shell_completion", "concurrent.futures.thread", "tarfile"):
        import_module(name)
    gc.collect()
    gc.freeze()


def run(request: dict[str, Any]) -> int:
    """Run a verb as the program would, and return its exit status."""
    for number, path in enumerate((os.devnull, request["out"], request["err"])):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, LONGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    signal.alarm(SECONDS)
    try:
        main(request["arguments"], prog_name="ocilayout", standalone_mode=True)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 # shown as the interpreter would
        traceback.print_exc()
        status = CRASHED
    # The interpreter would wait for them at its end; the alarm tells if that took too long.
    lingering = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if lingering:
        status = LINGERS
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return status


def swap(path: str, target: str, times: int) -> None:
    """Swap a folder for a symbolic link and back, over and over."""
    aside, link = f"{path}.aside", f"{path}.link"
    os.symlink(target, link)
    for _ in range(times):
        with contextlib.suppress(OSError):  # the verb has it for a moment, or made it anew
            os.rename(path, aside)  # noqa: PTH104 # a tight loop
            os.rename(link, path)  # noqa: PTH104
            os.rename(path, link)  # noqa: PTH104
            os.rename(aside, path)  # noqa: PTH104


def fork(act: Any, *arguments: Any) -> int:
    """Do something in a fork, and return the number of its process."""
    number = os.fork()
    if number:
        return number
    status = CRASHED
    try:
        status = act(*arguments) or 0
    finally:
        os._exit(status)


def answer(request: dict[str, Any]) -> int:
    """Run what was asked for, and return how it ended."""
    swapping = fork(swap, *request["swap"]) if request["swap"] else None
    _, ended = os.waitpid(fork(run, request), 0)
    if swapping is not None:
        os.kill(swapping, signal.SIGKILL)
        os.waitpid(swapping, 0)
    return os.waitstatus_to_exitcode(ended)


if __name__ == "__main__":
    load()
    for line in sys.stdin:
        sys.stdout.write(f"{answer(json.loads(line))}\n")
        sys.stdout.flush()
