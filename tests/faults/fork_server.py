"""Runs verbs of `ocilayout` in forks of this process, which has everything imported.

A program of its own, since a fork of a process with threads, such as that of the tests, may hang.
A fork reads a request in JSON from each line of standard input, and answers it with a line: the
exit status of the verb, or minus the number of the signal that ended the fork. A line with `null`
ends the fork, and the next one begins; this is answered, too, as no line may be read in advance.
While a verb runs, another fork may swap a folder for a symbolic link over and over.

The arguments are limits: processor time of a verb in seconds, and in bytes the memory of a fork,
stacks of threads included, and the length of a file.
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
from pathlib import Path
from typing import Any, Final, TextIO

import ocilayout
from ocilayout.cli.command import main

PATIENCE: Final = 2  # seconds of wall clock for each of processor time; then a verb hangs
CRASHED: Final = 70
LINGERS: Final = 71
NEXT: Final = 72


def load() -> None:
    """Import what a verb may need, or each fork would do it again."""
    for module in pkgutil.walk_packages(ocilayout.__path__, "ocilayout."):
        if not module.name.startswith(("ocilayout.testing", "ocilayout.registry")):
            import_module(module.name)
    for name in ("click.shell_completion", "concurrent.futures.thread", "tarfile"):
        import_module(name)
    gc.collect()
    gc.freeze()


def run(request: dict[str, Any], processor_seconds: int) -> int:
    """Run a verb as the program would, and return its exit status."""
    for number, path in enumerate((os.devnull, request["out"], request["err"])):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    for name in ("_OCILAYOUT_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        os.environ.pop(name, None)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + processor_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    signal.alarm(PATIENCE * processor_seconds)
    try:
        main(request["arguments"], prog_name="ocilayout", standalone_mode=True)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 # shown as the interpreter would
        traceback.print_exc()
        status = CRASHED
    # The interpreter would wait for them at its end.
    if threading.active_count() > 1:
        status = LINGERS
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    signal.alarm(0)
    return status


def swap(path: str, target: str, times: int) -> None:
    """Swap a folder for a symbolic link and back, over and over."""
    aside, link = f"{path}.aside", f"{path}.link"
    Path(link).symlink_to(target)
    for _ in range(times):
        with contextlib.suppress(OSError):  # the verb has it for a moment, or made it anew
            os.rename(path, aside)  # noqa: PTH104 # a tight loop
            os.rename(link, path)  # noqa: PTH104
            os.rename(path, link)  # noqa: PTH104
            os.rename(aside, path)  # noqa: PTH104


def answer(request: dict[str, Any], processor_seconds: int) -> int:
    """Run what was asked for, and return how it ended."""
    if request["swap"] is None:
        return run(request, processor_seconds)
    swapping = os.fork()
    if not swapping:
        try:
            swap(*request["swap"])
        finally:
            os._exit(0)
    try:
        return run(request, processor_seconds)
    finally:
        os.kill(swapping, signal.SIGKILL)
        os.waitpid(swapping, 0)


def serve(
    requests: TextIO, answers: int, processor_seconds: int, memory: int, longest_file: int
) -> None:
    """Answer requests until one says that the next fork is to begin, or there are no more."""
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, longest_file),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    for line in requests:
        request = json.loads(line)
        if request is None:
            os.write(answers, b"0\n")
            os._exit(NEXT)
        os.write(answers, b"%d\n" % answer(request, processor_seconds))
    os._exit(0)


if __name__ == "__main__":
    load()
    # What a fork reads it answers before there is more to read, so none reads what is another's.
    lines, said = os.fdopen(os.dup(0)), os.dup(1)
    status = NEXT
    while status:
        number = os.fork()
        if not number:
            serve(lines, said, *map(int, sys.argv[1:]))
        status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        if status not in (0, NEXT):
            os.write(said, b"%d\n" % status)
