"""How an answer is sent: cut, stalled, in chunks, with a length that is not its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ocilayout.testing.registry.exchange import Answer, HangUpError, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.testing.registry.rule import Fault

    Proceed = Callable[[], Answer]


def cut(after: int) -> Fault:
    """Close the connection in the middle of the body.

    Args:
        after: How many bytes of it are sent before, >= 0.
    """

    def pieces(found: Answer) -> Iterator[bytes]:
        left = after
        for piece in found.pieces():
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                raise HangUpError

    return _sent(pieces)


def promise(length: int) -> Fault:
    """Say another Content-Length than the body has, and close the connection behind the body.

    Args:
        length: What it says, in bytes.
    """

    def pieces(found: Answer) -> Iterator[bytes]:
        yield from found.pieces()
        raise HangUpError

    def fault(request: Request, proceed: Proceed) -> Answer:
        found = _sent(pieces)(request, proceed)
        found.set_header("Content-Length", str(length))
        return found

    return fault


def overflow(data: bytes = b"\0") -> Fault:
    """Send more than the Content-Length says.

    Args:
        data: What comes behind the body.
    """

    def pieces(found: Answer) -> Iterator[bytes]:
        yield from found.pieces()
        yield data
        raise HangUpError

    return _sent(pieces)


def chunked(*, broken_after: int | None = None, size: int = 1000) -> Fault:
    """Send a body in chunks, without its length.

    Args:
        broken_after: Close the connection in the middle of the chunk that holds this byte of the
            body; `None` sends all.
        size: The size of a chunk, in bytes, > 0.
    """

    def pieces(found: Answer) -> Iterator[bytes]:
        data = b"".join(found.pieces())
        for start in range(0, len(data), size):
            chunk = data[start : start + size]
            framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            if broken_after is not None and broken_after < start + len(chunk):
                yield framed[: len(framed) // 2]
                raise HangUpError
            yield framed
        yield b"0\r\n\r\n"

    def fault(request: Request, proceed: Proceed) -> Answer:
        found = _sent(pieces)(request, proceed)
        found.set_header("Content-Length", None)
        found.set_header("Transfer-Encoding", "chunked")
        return found

    return fault


class Stall:
    """Stop in the middle of the body until the test says to go on.

    Attributes:
        reached: Set once a request stands still.
    """

    def __init__(self, *, after: int = 0) -> None:
        """Be ready to stop.

        Args:
            after: How many bytes of the body are sent before, >= 0.
        """
        self._after = after
        self._go_on = threading.Event()
        self.reached = threading.Event()

    def release(self) -> None:
        """Go on, now and with every later request; the end of the registry does it, too."""
        self._go_on.set()

    def __call__(self, request: Request, proceed: Proceed) -> Answer:
        """Answer in order, up to the place where to stop."""
        return _sent(self._pieces)(request, proceed)

    def _pieces(self, found: Answer) -> Iterator[bytes]:
        left = self._after
        for piece in found.pieces():
            if 0 <= left < len(piece):
                yield piece[:left]
                self.reached.set()
                self._go_on.wait()
                yield piece[left:]
            else:
                yield piece
            left -= len(piece)


def _sent(pieces: Callable[[Answer], Iterator[bytes]]) -> Fault:
    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        honest = Answer(body=found.body)
        found.body = pieces(honest)
        return found

    return fault
