"""Faults in how an answer is sent: cut, stalled, in chunks, with a wrong length."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ocilayout.signature import checked
from ocilayout.testing.registry.reply import Answer, HangUpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.testing.registry.request import Fault, Proceed, Request


@checked
def cut(after: int) -> Fault:
    """Close the connection in the middle of the body.

    Args:
        after: How many bytes of it to send before, >= 0.
    """

    def pieces(answer: Answer) -> Iterator[bytes]:
        left = after
        for piece in answer.pieces():
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                raise HangUpError

    return _sent(pieces)


@checked
def promise(length: int) -> Fault:
    """Send another Content-Length than the body has, and close the connection after the body.

    Args:
        length: The Content-Length, in bytes.
    """

    def pieces(answer: Answer) -> Iterator[bytes]:
        yield from answer.pieces()
        raise HangUpError

    def fault(request: Request, proceed: Proceed) -> Answer:
        answer = _sent(pieces)(request, proceed)
        answer.set_header("Content-Length", str(length))
        return answer

    return fault


@checked
def overflow(data: bytes = b"\0") -> Fault:
    """Send more bytes than the Content-Length says.

    Args:
        data: The bytes after the body.
    """

    def pieces(answer: Answer) -> Iterator[bytes]:
        yield from answer.pieces()
        yield data
        raise HangUpError

    return _sent(pieces)


@checked
def chunked(*, broken_after: int | None = None, size: int = 1000) -> Fault:
    """Send a body in chunks, without its length.

    Args:
        broken_after: Close the connection in the middle of the chunk with this byte of the body;
            `None` sends all.
        size: The size of a chunk, in bytes, > 0.
    """

    def pieces(answer: Answer) -> Iterator[bytes]:
        data = b"".join(answer.pieces())
        for start in range(0, len(data), size):
            chunk = data[start : start + size]
            framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            if broken_after is not None and broken_after < start + len(chunk):
                yield framed[: len(framed) // 2]
                raise HangUpError
            yield framed
        yield b"0\r\n\r\n"

    def fault(request: Request, proceed: Proceed) -> Answer:
        answer = _sent(pieces)(request, proceed)
        answer.set_header("Content-Length", None)
        answer.set_header("Transfer-Encoding", "chunked")
        return answer

    return fault


@checked
class Stall:
    """Stop in the middle of the body until the test says to go on.

    Attributes:
        reached: Set once an answer has stopped.
    """

    def __init__(self, *, after: int = 0) -> None:
        """Create a fault that stops every answer that it meets.

        Args:
            after: How many bytes of the body to send before, >= 0.
        """
        self._after = after
        self._go_on = threading.Event()
        self.reached = threading.Event()

    def release(self) -> None:
        """Go on, and do not stop later answers; the registry calls this when it stops."""
        self._go_on.set()

    def __call__(self, request: Request, proceed: Proceed) -> Answer:
        """Answer correctly up to the byte where to stop."""
        return _sent(self._pieces)(request, proceed)

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        left = self._after
        for piece in answer.pieces():
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
        answer = proceed()
        correct = Answer(body=answer.body)
        answer.body = pieces(correct)
        return answer

    return fault
