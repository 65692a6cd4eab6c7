"""The events of a transfer."""

from __future__ import annotations

import io

from ocilayout.model.descriptor import Descriptor
from ocilayout.transfer.event import Event, ReportingStream, ignore


def test_a_stream_reports_what_is_read() -> None:
    """Each read reports its size and returns the bytes of the wrapped stream."""
    descriptor = Descriptor.of(b"abcdef", "text/plain")
    events: list[Event] = []
    raw = io.BytesIO(b"abcdef")
    stream = ReportingStream(lambda: raw, descriptor, events.append)
    assert [stream.read(4), stream.read(), stream.read(4)] == [b"abcd", b"ef", b""]
    assert [(event.kind, event.descriptor, event.count) for event in events] == [
        ("bytes", descriptor, count) for count in (4, 2, 0)
    ]
    stream.close()
    assert raw.closed


def test_an_event_can_be_ignored() -> None:
    """`ignore` accepts any event and does nothing."""
    ignore(Event(kind="done", descriptor=Descriptor.of(b"", "text/plain")))
