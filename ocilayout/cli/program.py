"""The program around a command: its streams, the signals that end it, and its exit status.

Here are the exit statuses besides 0, 1 and 2. This module imports the standard library alone, so
that it holds from the first moment on.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_SIGNAL: Final = 128
"""What shells add to the number of the signal that ended a program."""

INTERRUPTED: Final = _BY_SIGNAL + signal.SIGINT
"""The exit status that shells report of a program that SIGINT ended."""

UNREAD: Final = _BY_SIGNAL + 13  # not all systems have the signal
"""The exit status that shells report of a program that SIGPIPE ended."""

_ENDING: Final = ("SIGTERM", "SIGHUP")  # the latter where there is one


def run(command: Callable[[], int]) -> NoReturn:
    """Run a command as the program that this process is, and exit with its status.

    SIGTERM and SIGHUP end it in the way of Ctrl-C, so that temporary files go and the terminal is
    left clean, with the status 143 or 129. A signal that the parent process chose to ignore, as
    `nohup` does, stays ignored. What comes after the command, such as waiting for threads, is
    ended at once by a second Ctrl-C.
    """
    received: list[int] = []

    def end(number: int, frame: object) -> NoReturn:
        del frame
        received.append(number)
        raise KeyboardInterrupt

    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # while the program was loaded
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for name in _ENDING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
        _reopen_closed_streams()
        status = command()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except SystemExit as done:  # click, where a shell asked for completion
        status = done.code if isinstance(done.code, int) else 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _discard_unwritten()
    sys.exit(_BY_SIGNAL + received[0] if received and status == INTERRUPTED else status)


def _reopen_closed_streams() -> None:
    """Put something in the place of standard streams that are closed.

    A file that is opened would get the number of the closed stream, so that a message could be
    written into a blob. What is put there cannot be read or written, hence using it is an error,
    except that messages to standard error are lost.
    """
    modes = (
        ("stdin", os.O_WRONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    )
    for number, (name, flags, mode) in enumerate(modes):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, flags)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 # until the end


def _discard_unwritten() -> None:
    """Discard what could not be written, on which the interpreter would fail when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            discard(stream.fileno())


def discard(number: int) -> None:
    """Let everything that is written to a file descriptor go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
