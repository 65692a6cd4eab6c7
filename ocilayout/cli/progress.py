"""Progress: an account of what a copy does, and a bar that shows it on a terminal."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from ocilayout.cli.terminal import counted, size_text
from ocilayout.errors import some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.model import Descriptor, Digest
    from ocilayout.transfer import Event


_MOST_DIGESTS: Final = 3  # that a sentence lists


class Account:
    """What a copy did so far, by its events, which may come from any number of threads.

    A step that is repeated, because another process deleted content meanwhile, counts once.

    Attributes:
        watcher: Called after every step, by one thread at a time, with the number of bytes that
            were copied and that of all planned ones.
    """

    def __init__(self) -> None:
        self.watcher: Callable[[int, int], object] = lambda *_: None
        self._lock = threading.Lock()
        self._stopped = False
        self._sizes: dict[Digest, int] = {}
        self._moved: dict[Digest, int] = {}
        self._copied: set[Digest] = set()
        self._left_behind: dict[Digest, Event] = {}
        self._missing: dict[Digest, Descriptor] = {}
        self._elsewhere: dict[Digest, int] = {}  # the sizes of blobs that `urls` lead to
        self._planned_bytes = 0
        self._moved_bytes = 0

    def tell(self, event: Event) -> None:
        """Record an event; `on_event` of a copy.

        Raises:
            KeyboardInterrupt: The account was stopped; this ends the transfer.
        """
        if self._stopped:
            raise KeyboardInterrupt
        digest, size = event.descriptor.digest, event.descriptor.size
        with self._lock:
            if event.kind == "left":
                self._left_behind[digest] = event
            elif event.kind == "missing":
                self._missing[digest] = event.descriptor
            elif event.kind == "planned":
                self._planned_bytes += 0 if digest in self._sizes else size
                self._sizes[digest] = size
            elif event.kind == "bytes":
                self._move(digest, self._moved[digest] + event.count)
            elif event.kind == "started":
                self._move(digest, 0)
            else:
                self._move(digest, size)
                if event.kind == "done":
                    self._copied.add(digest)
                elif event.descriptor.urls:
                    self._elsewhere[digest] = size
            self.watcher(self._moved_bytes, self._planned_bytes)

    def stop(self) -> None:
        """End every transfer at its next step."""
        self._stopped = True

    def data(self) -> dict[str, object]:
        """Return the totals for programs, and what a sparse copy left out."""
        missing = [
            {"digest": entry.digest, "platform": str(entry.platform) if entry.platform else None}
            for entry in self._missing.values()
        ]
        return {**self._totals(), "missing": missing}

    def _totals(self) -> dict[str, int]:
        copied = [size for digest, size in self._sizes.items() if digest in self._copied]
        skipped = [size for digest, size in self._sizes.items() if digest not in self._copied]
        return {
            "copied": len(copied),
            "copiedBytes": sum(copied),
            "skipped": len(skipped),
            "skippedBytes": sum(skipped),
        }

    def left_behind(self) -> Iterator[str]:
        """Give a sentence for each document that names blobs of the source that were not copied."""
        for event in self._left_behind.values():
            content, digests = event.descriptor, event.digests
            shown: list[str] = [*digests[:_MOST_DIGESTS]]
            if len(digests) > _MOST_DIGESTS:
                shown.append(f"{len(digests) - _MOST_DIGESTS} more")
            yield (
                f"{content.digest} ({content.media_type}) names content that was not copied:"
                f" {', '.join(shown)}; copy it by its digest if it is needed"
            )

    def text(self) -> str:
        """Return the totals for people, as one or more lines."""
        total = self._totals()
        text = f"{counted(total['copied'], 'blob')} copied ({size_text(total['copiedBytes'])})"
        elsewhere = len(self._elsewhere.keys() - self._copied)
        size = sum(size for digest, size in self._elsewhere.items() if digest not in self._copied)
        if total["skipped"] > elsewhere:
            already = size_text(total["skippedBytes"] - size)
            text += f", {total['skipped'] - elsewhere} there already ({already})"
        if elsewhere:
            text += f", {elsewhere} not copied, which `urls` lead to ({size_text(size)})"
        if self._missing:
            entries = self._missing.values()
            listed = some(str(entry.platform or entry.digest) for entry in entries)
            text += f"\nNot there, and left out: {listed}"
        return text

    def _move(self, digest: Digest, moved: int) -> None:
        self._moved_bytes += moved - self._moved.get(digest, 0)
        self._moved[digest] = moved


@contextmanager
def accounted() -> Iterator[Account]:
    """Give an account, which is drawn on standard error if that is a terminal.

    Ctrl-C stops it, so that no thread goes on copying a large blob.
    """
    account = Account()
    with _stopping(account):
        if sys.stderr.isatty():
            with _drawing(account):
                yield account
        else:
            yield account


@contextmanager
def _stopping(account: Account) -> Iterator[None]:
    def stop(number: int, frame: object) -> NoReturn:
        del number, frame
        account.stop()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _drawing(account: Account) -> Iterator[None]:
    from rich.console import Console  # noqa: PLC0415 # not loaded before it is needed
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        account.watcher = lambda moved, planned: bar.update(task, completed=moved, total=planned)
        yield
