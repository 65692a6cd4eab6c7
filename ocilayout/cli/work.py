"""Work on blobs that takes long: how far it is, shown on a terminal, and stopped by a signal."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import define, field, frozen

from ocilayout.cli.columns import GAP, Cell, cell_width, fit, padded
from ocilayout.cli.screen import Screen
from ocilayout.cli.terminal import can_write, counted, digest_cell, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import FrameType

    from ocilayout.model import Digest

_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_BAR: Final = (10, 30)  # the least and the greatest width of a bar, in cells
_LEAST_TIME: Final = 0.1  # seconds, below which a rate says nothing


@define
class _Part:
    """A blob that is worked on.

    Attributes:
        size: Its size in bytes, or `None` if it is not known.
        moved: How many of them are done.
        since: When it was begun, in seconds of the monotonic clock.
    """

    size: int | None
    moved: int = 0
    since: float = field(factory=time.monotonic)


class Work:
    """Work on blobs, of any number of threads.

    A blob that is planned or worked on again counts once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._since = time.monotonic()
        self._planned: dict[Digest, int] = {}
        self._running: dict[Digest, _Part] = {}
        self._ended: dict[Digest, int] = {}
        self._moved = 0  # bytes that went by, those of repeated work too
        self._screen = Screen(self.lines)

    def plan(self, digest: Digest, size: int) -> None:
        """Say that a blob is to be worked on."""
        with self._lock:
            self._planned[digest] = size

    def begin(self, digest: Digest, size: int | None) -> None:
        """Begin the work on a blob, whose size may not be known."""
        with self._lock:
            self._ended.pop(digest, None)
            self._running[digest] = _Part(size)

    def move(self, digest: Digest, count: int) -> None:
        """Say that so many more bytes of a blob are done."""
        with self._lock:
            self._running[digest].moved += count
            self._moved += count

    def end(self, digest: Digest, size: int | None = None) -> None:
        """End the work on a blob, or say that there is nothing to do; by default what was done."""
        with self._lock:
            part = self._running.pop(digest, None)
            moved = 0 if part is None else part.moved
            self._ended[digest] = moved if size is None else size

    def stop(self) -> None:
        """End all work at its next step."""
        self._stopped = True

    def require_going(self) -> None:
        """Do nothing, unless the work was stopped.

        Raises:
            KeyboardInterrupt: It was; this ends the thread that works.
        """
        if self._stopped:
            raise KeyboardInterrupt

    @contextmanager
    def shown(self) -> Iterator[Self]:
        """Show the work on standard error if that is a terminal, until the end of the block.

        A signal that ends the command stops the work, so that no thread goes on with a large blob.
        """
        with _stopping(self), self._screen.shown():
            yield self

    def removed(self) -> AbstractContextManager[None]:
        """Make room on the terminal while the block writes to it."""
        return self._screen.removed()

    def lines(self, width: int, height: int) -> list[str]:
        """Return a line for each blob that is worked on, as many as fit, and one for the total."""
        now = time.monotonic()
        with self._lock:
            running = [*self._running.items()]
            done = sum(self._ended.values()) + sum(part.moved for _, part in running)
            planned = {**self._planned, **self._ended}
            ended = len(self._ended)
            rate = self._moved / max(now - self._since, _LEAST_TIME)
            whole = sum(planned.values()) if self._planned else None
        if not running and not planned:
            return []
        count = f"{ended} of {counted(len(planned), 'blob')}" if whole else counted(ended, "blob")
        left = int((whole - done) / rate) if whole and rate else 0
        rows = [
            *(
                _Row(digest_cell(digest), part.moved, part.size, now - part.since)
                for digest, part in running[: height - 1]
            ),
            _Row(count, done, whole, now - self._since, rate, f"{left // 60}:{left % 60:02} left"),
        ]
        return _drawn(rows, width)


class Hashing(Work):
    """The hashing of the blobs of a layout.

    Args:
        root: The folder of the layout.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def tell(self, digest: Digest, count: int | None) -> None:
        """Record a step; `on_hash` of a check.

        Raises:
            KeyboardInterrupt: The work was stopped.
        """
        if count is None:
            self.end(digest)
        elif count == 0:
            self.begin(digest, self._size(digest))
        else:
            self.move(digest, count)
            self.require_going()

    def _size(self, digest: Digest) -> int | None:
        try:
            return (self._root / "blobs" / digest.algorithm / digest.encoded).lstat().st_size
        except OSError:
            return None


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show what the block does, and for how long, on standard error if that is a terminal."""
    since = time.monotonic()

    def lines(width: int, height: int) -> list[str]:
        del height
        seconds = f"{int(time.monotonic() - since)} s"
        ((text, time_text),) = fit([[what, seconds]], width, whole=(1,), prose=(0,))
        return [(" " * GAP).join((text, time_text)).rstrip()]

    with Screen(lines).shown():
        yield


@frozen
class _Row:
    """A line of progress: of a blob, or the total.

    Attributes:
        name: What it is about.
        done: How many bytes are done.
        size: How many there are, or `None` if that is not known.
        seconds: Since when.
        rate: The bytes in a second; by default those that are done.
        left: How long the rest may take, or empty.
    """

    name: Cell
    done: int
    size: int | None
    seconds: float
    rate: float | None = None
    left: str = ""

    def cells(self) -> list[Cell]:
        """Return its cells: name, percent, size, rate, and time left."""
        rate = self.done / max(self.seconds, _LEAST_TIME) if self.rate is None else self.rate
        share = self.share
        return [
            self.name,
            "" if share is None else f"{share:4.0%}",
            size_text(self.done if self.size is None else self.size),
            f"{size_text(int(rate))}/s",
            self.left if share is not None and share < 1 else "",
        ]

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1."""
        return min(self.done / self.size, 1.0) if self.size else None


def _drawn(rows: list[_Row], width: int) -> list[str]:
    """Return rows as lines: the time left goes first, then rate and size; bars fill the width."""
    cells = fit([row.cells() for row in rows], width, drop=(4, 3, 2))
    room = width - GAP - cell_width((" " * GAP).join(cells[0]))
    if room >= _BAR[0]:
        bar = min(room, _BAR[1])
        char = "━" if can_write("━", sys.stderr) else "#"
        for row, line in zip(rows, cells, strict=True):
            line.insert(1, padded(char * int(bar * (row.share or 0)), bar))
    return [(" " * GAP).join(line).rstrip() for line in cells]


@contextmanager
def _stopping(work: Work) -> Iterator[None]:
    """Let the signals that end the command stop the work first."""
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        work.stop()
        before[number](number, frame)

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
