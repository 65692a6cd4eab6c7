"""Events: what is told while content travels, so that somebody can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from ocilayout.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.stream import Readable

    Report = Callable[["Event"], None]


@frozen(kw_only=True)
class Event:
    """A step of a copy, or of writing an archive.

    Attributes:
        kind: `planned` for everything that is to be there at the end, then `skipped` for what is
            there already, or `started`, any number of `bytes`, and `done`. All of it comes again
            if another process deleted content before it had a name.
        descriptor: What the step is about.
        count: How many bytes have just passed, for `bytes`; 0 otherwise.
    """

    kind: Literal["planned", "started", "bytes", "skipped", "done"]
    descriptor: Descriptor
    count: int = field(default=0)


class Told:
    """A stream that reports how much of it was read."""

    def __init__(self, raw: Readable, descriptor: Descriptor, report: Report) -> None:
        """Wrap a stream.

        Args:
            raw: Where the bytes come from; closed with this stream.
            descriptor: What they are.
            report: Called with an event for each piece.
        """
        self._raw = raw
        self._descriptor = descriptor
        self._report = report

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        data = self._raw.read(size)
        self._report(Event(kind="bytes", descriptor=self._descriptor, count=len(data)))
        return data

    def close(self) -> None:
        """Close the stream behind it."""
        self._raw.close()


def ignore(_: Event) -> None:
    """Report to nobody."""
