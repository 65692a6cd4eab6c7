"""Events: the steps of a transfer, reported while they happen, for a progress display."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from attrs import field, frozen

from ocilayout.model import Descriptor, Digest, is_seekable
from ocilayout.signature import checked

if TYPE_CHECKING:
    from ocilayout.model import Readable, Seekable


@checked
@frozen(kw_only=True)
class Event:
    """A step of a copy, or of writing an archive.

    Attributes:
        kind: In a sparse copy, `missing` for each entry of an index that the source does not have
            whole. Then `planned` for all content that the target will hold. Then, for each of
            these, `skipped` if the target has it, or else `started`, any number of `bytes`, and
            `done`. These come again if another process deletes content before it is tagged. At the
            end `left` for each document that names, in a property or a media type that is not
            understood, content of the source that was not copied.
        descriptor: The content.
        count: For `bytes`, how many bytes were just read; 0 otherwise.
        digests: For `left`, the content that was not copied, sorted; empty otherwise.
    """

    kind: Literal["planned", "started", "bytes", "skipped", "done", "left", "missing"]
    descriptor: Descriptor
    count: int = field(default=0)
    digests: tuple[Digest, ...] = field(default=())


class ReportingStream:
    """A stream that is opened when it is first used, and reports how much of it was read.

    Bytes that are read again count once.
    """

    def __init__(
        self, open_raw: Callable[[], Readable], descriptor: Descriptor, report: Report
    ) -> None:
        """Wrap a stream.

        Args:
            open_raw: Opens the stream; it is closed with this one.
            descriptor: The content of the stream.
            report: Gets an event for each read.
        """
        self._open = open_raw
        self._stream: Readable | None = None
        self._descriptor = descriptor
        self._report = report
        self._position = 0
        self._reported = 0

    @property
    def _raw(self) -> Readable:
        if self._stream is None:
            self._stream = self._open()
        return self._stream

    @property
    def opened(self) -> bool:
        """Whether the stream was opened."""
        return self._stream is not None

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        data = self._raw.read(size)
        self._position += len(data)
        new = max(0, self._position - self._reported)
        self._reported += new
        self._report(Event(kind="bytes", descriptor=self._descriptor, count=new))
        return data

    def seekable(self) -> bool:
        """Return whether the stream can be read again."""
        return is_seekable(self._raw)

    def tell(self) -> int:
        """Return the position in the wrapped stream, in bytes."""
        return cast("Seekable", self._raw).tell()

    def seek(self, position: int, /) -> int:
        """Go to a position of the wrapped stream, in bytes; only if it is seekable."""
        raw = cast("Seekable", self._raw)
        start = raw.tell() - self._position
        raw.seek(position)
        self._position = position - start
        return position

    def close(self) -> None:
        """Close the wrapped stream, if it was opened."""
        if self._stream is not None:
            self._stream.close()


Report = Callable[[Event], None]
"""Gets the events of a transfer, one call at a time."""


def ignore(_: Event) -> None:
    """Ignore the event."""
