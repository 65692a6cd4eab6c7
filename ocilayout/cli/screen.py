"""A few lines on a terminal that are drawn again and again, and are gone at the end.

They are plain text, so nothing has to be restored where a process is killed. They are drawn on
standard error, and only if it is a terminal that can move its cursor.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.cli.columns import cell_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PERIOD: Final = 0.1  # seconds between two drawings
_CLEAR: Final = "\x1b[J"  # from the cursor to the end of the screen
_UP: Final = "\x1b[{}A"


class Screen:
    """Lines that a thread draws.

    Args:
        draw: Returns the lines, given the width of each in cells, >= 1, and their number, >= 1.
    """

    def __init__(self, draw: Callable[[int, int], list[str]]) -> None:
        self._draw = draw
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._widths: list[int] = []  # of the lines that are drawn

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the end of the block, and remove what was drawn."""
        if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
            yield
            return
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            with self.removed():
                pass
            thread.join()

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Remove the lines while the block writes to the terminal; they come back below it."""
        with self._lock:
            if self._widths:
                self._write([])
            yield

    def _run(self) -> None:
        while not self._ended.wait(_PERIOD):
            with self._lock:
                columns, rows = shutil.get_terminal_size()
                # The last column stays empty: some terminals go to the next line behind it.
                lines = self._draw(max(columns - 1, 1), max(rows - 1, 1))
                if (lines or self._widths) and not self._ended.is_set():
                    self._write(lines)

    def _write(self, lines: list[str]) -> None:
        columns = shutil.get_terminal_size().columns
        # Where the terminal was made narrower, what is drawn takes more rows now.
        above = sum(max(-(-width // columns), 1) for width in self._widths) - 1
        start = "\r" + (_UP.format(above) if above > 0 else "") + _CLEAR
        self._widths = [cell_width(line) for line in lines]
        with suppress(OSError, ValueError):  # the terminal is gone, which is not why to fail
            sys.stderr.write(start + "\n".join(lines))
            sys.stderr.flush()
