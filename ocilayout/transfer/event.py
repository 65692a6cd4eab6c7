"""Events: what is told while content travels, so that somebody can draw it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from attrs import field, frozen

from ocilayout.model import Descriptor, Digest, is_seekable

if TYPE_CHECKING:
    from ocilayout.model import Readable, Seekable


@frozen(kw_only=True)
class Event:
    """A step of a copy, or of writing an archive.

    Attributes:
        kind: `planned` for everything that is to be there at the end, then `skipped` for what is
            there already, or `started`, any number of `bytes`, and `done`. All of it comes again
            if another process deleted content before it had a name. At the end `left` for content
            that names more content of the source, in a place that is not understood, which was
            not copied.
        descriptor: What the step is about.
        count: How many bytes have just passed, for `bytes`; 0 otherwise.
        digests: What was not copied, sorted, for `left`; empty otherwise.
    """

    kind: Literal["planned", "started", "bytes", "skipped", "done", "left"]
    descriptor: Descriptor
    count: int = field(default=0)
    digests: tuple[Digest, ...] = field(default=())


class Told:
    """A stream that reports how much of it was read; what is read again is reported once."""

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
        self._position = 0
        self._told = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        data = self._raw.read(size)
        self._position += len(data)
        new = max(0, self._position - self._told)
        self._told += new
        self._report(Event(kind="bytes", descriptor=self._descriptor, count=new))
        return data

    def seekable(self) -> bool:
        """Tell whether the stream can be read again."""
        return is_seekable(self._raw)

    def tell(self) -> int:
        """Return where the stream behind stands, in bytes."""
        return cast("Seekable", self._raw).tell()

    def seek(self, position: int, /) -> int:
        """Go to a place of the stream behind, in bytes; only if `seekable` says so."""
        raw = cast("Seekable", self._raw)
        start = raw.tell() - self._position
        raw.seek(position)
        self._position = position - start
        return position

    def close(self) -> None:
        """Close the stream behind it."""
        self._raw.close()


Report = Callable[[Event], None]
"""Gets the events of a transfer, one call at a time."""


def ignore(_: Event) -> None:
    """Report to nobody."""
