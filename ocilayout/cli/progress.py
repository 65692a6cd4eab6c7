"""Progress: an account of what a copy does, which is shown on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ocilayout.cli.terminal import counted, size_text
from ocilayout.cli.work import Work
from ocilayout.errors import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.model import Descriptor, Digest
    from ocilayout.transfer import Event


_MOST_DIGESTS: Final = 3  # that a sentence lists


class Account(Work):
    """What a copy did so far, by its events, which may come from any number of threads.

    A step that is repeated, because another process deleted content meanwhile, counts once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[Digest, int] = {}
        self._copied: set[Digest] = set()
        self._left_behind: dict[Digest, Event] = {}
        self._missing: dict[Digest, Descriptor] = {}
        self._elsewhere: dict[Digest, int] = {}  # the sizes of blobs that `urls` lead to

    def tell(self, event: Event) -> None:
        """Record an event; `on_event` of a copy.

        Raises:
            KeyboardInterrupt: The account was stopped; this ends the transfer.
        """
        self.require_going()
        digest, size = event.descriptor.digest, event.descriptor.size
        if event.kind == "left":
            self._left_behind[digest] = event
        elif event.kind == "missing":
            self._missing[digest] = event.descriptor
        elif event.kind == "planned":
            self._sizes[digest] = size
            self.plan(digest, size)
        elif event.kind == "bytes":
            self.move(digest, event.count)
        elif event.kind == "started":
            self.begin(digest, size)
        else:
            if event.kind == "done":
                self._copied.add(digest)
            elif event.descriptor.urls:
                self._elsewhere[digest] = size
            self.end(digest, size)

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


@contextmanager
def accounted() -> Iterator[Account]:
    """Give an account, which is drawn on standard error if that is a terminal."""
    account = Account()
    with account.shown():
        yield account
