"""What is told of content on its way."""

from __future__ import annotations

import io

from ocilayout.model.descriptor import Descriptor
from ocilayout.transfer.event import Event, ReportingStream, ignore


def test_a_stream_tells_what_is_read() -> None:
    """Every piece is told with its size, and what is read is what the stream holds."""
    descriptor = Descriptor.of(b"abcdef", "text/plain")
    told: list[Event] = []
    raw = io.BytesIO(b"abcdef")
    stream = ReportingStream(raw, descriptor, told.append)
    assert [stream.read(4), stream.read(), stream.read(4)] == [b"abcd", b"ef", b""]
    assert [(event.kind, event.descriptor, event.count) for event in told] == [
        ("bytes", descriptor, count) for count in (4, 2, 0)
    ]
    stream.close()
    assert raw.closed


def test_nobody_is_told() -> None:
    """The report to nobody takes any event."""
    ignore(Event(kind="done", descriptor=Descriptor.of(b"", "text/plain")))
