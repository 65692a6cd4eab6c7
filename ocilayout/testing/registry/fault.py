"""Ways to misbehave, for `LoopbackRegistry.misbehave`.

Some answer in place of the registry, and then nothing is stored, deleted or begun. The others have
the registry answer, and spoil what it says. Several for one request are applied in the order in
which they were given. A way that is not here is a function like any of these:

    def shout(request: Request, proceed: Callable[[], Answer]) -> Answer:
        answer = proceed()                   # what the registry answers; left out, it does nothing
        answer.set_body(answer.body.upper())
        return answer
"""

from __future__ import annotations

import gzip as gzip_format
import itertools
import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ocilayout.digest import Digest
from ocilayout.testing.registry.exchange import Answer, HangUpError, Request, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ocilayout.testing.registry.rule import Fault

    Proceed = Callable[[], Answer]


# ------------------------------------------------------------------ in place of the registry


def answer(
    status: int,
    body: bytes = b"",
    *,
    media_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fault:
    """Answer this, whatever was asked.

    Args:
        status: The status.
        body: The body.
        media_type: What the body is said to be.
        headers: More headers.
    """
    return lambda _request, _proceed: reply(status, body, media_type=media_type, headers=headers)


def refuse(
    status: int, code: str = "UNKNOWN", *, headers: Mapping[str, str] | None = None
) -> Fault:
    """Refuse with an error as the distribution-spec words it.

    Args:
        status: The status, such as 503.
        code: The code of the error.
        headers: More headers, such as `{"Retry-After": "1"}`.
    """
    return lambda _request, _proceed: refusal(status, code, headers=headers)


def redirect(
    to: str, *, status: int = HTTPStatus.TEMPORARY_REDIRECT, keep_path: bool = False
) -> Fault:
    """Redirect.

    Args:
        to: The value of `Location`.
        status: The status.
        keep_path: Whether to put the path and the query of the request behind `to`.
    """

    def fault(request: Request, _proceed: Proceed) -> Answer:
        return reply(status, headers={"Location": to + request.target if keep_path else to})

    return fault


def redirect_forever(status: int = HTTPStatus.TEMPORARY_REDIRECT) -> Fault:
    """Redirect to the same place again and again, with another query each time.

    Args:
        status: The status.
    """
    count = itertools.count(1)

    def fault(request: Request, _proceed: Proceed) -> Answer:
        return reply(status, headers={"Location": f"{request.path}?hop={next(count)}"})

    return fault


def pretend(digest: str | None = None) -> Fault:
    """Answer a PUT of a manifest or of an upload with 201, and store nothing.

    Args:
        digest: What `Docker-Content-Digest` says; the right digest if `None`.
    """

    def fault(request: Request, _proceed: Proceed) -> Answer:
        stored = request.argument("digest") or Digest.of(request.body)
        kind = "blobs" if request.endpoint == "upload" else "manifests"
        headers = {
            "Location": f"/v2/{request.name}/{kind}/{stored}",
            "Docker-Content-Digest": digest or stored,
        }
        return reply(HTTPStatus.CREATED, headers=headers)

    return fault


def raw(data: bytes) -> Fault:
    """Send bytes in place of an answer, and close the connection.

    Args:
        data: The bytes, the status line with them.
    """
    return lambda _request, _proceed: Answer(raw=data)


def hang_up(*, received: int | None = None) -> Fault:
    """Close the connection instead of answering.

    Args:
        received: Read so many bytes of the request's body before, all of it if `None`. What is
            read of an upload counts: it can be asked for and continued.
    """

    def fault(request: Request, proceed: Proceed) -> Answer:
        request.receive(received)
        if request.endpoint == "upload" and not request.whole:
            proceed()
        raise HangUpError

    return fault


# ------------------------------------------------------------------ around the registry


def before(action: Callable[[], object]) -> Fault:
    """Do something else first, then answer in order.

    Args:
        action: What to do, such as `registry.uploads.clear`, or `expire` of a `TokenAuth`.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        action()
        return proceed()

    return fault


def after(action: Callable[[], object]) -> Fault:
    """Do what was asked, then something else, then answer.

    Args:
        action: What to do.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        action()
        return found

    return fault


def ignore(*, header: str | None = None, query: str | None = None) -> Fault:
    """Do as if a part of the request were not there.

    Args:
        header: A header that is not regarded, such as `Range`.
        query: An argument that is not regarded, such as `mount`.
    """

    def fault(request: Request, proceed: Proceed) -> Answer:
        if header is not None:
            del request.headers[header]
        if query is not None:
            request.query.pop(query, None)
        return proceed()

    return fault


# ------------------------------------------------------------------ what the registry says


def header(name: str, value: str | None) -> Fault:
    """Say something else in a header.

    Args:
        name: The header.
        value: Its value, sent to the letter, line breaks too; `None` leaves the header out.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_header(name, value)
        return found

    return fault


def status(value: int) -> Fault:
    """Say another status, with the headers and the body of the right one.

    Args:
        value: The status.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.status = value
        return found

    return fault


def body(data: bytes) -> Fault:
    """Send another body, of a length that fits its header.

    Args:
        data: The body.
    """
    return _rewritten(lambda _: data)


def flip(at: int = 0) -> Fault:
    """Send a body of the right length with one wrong bit.

    Args:
        at: Which byte holds it, from 0, or from -1 at the end.
    """

    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        return bytes(spoilt)

    return _rewritten(change)


def grow(data: bytes = b"\0") -> Fault:
    """Send a body with more behind it, of a length that fits its header.

    Args:
        data: What comes behind it.
    """
    return _rewritten(lambda honest: honest + data)


def shrink(by: int = 1) -> Fault:
    """Send a body without its last bytes, of a length that fits its header.

    Args:
        by: How many bytes are missing, > 0.
    """
    return _rewritten(lambda data: data[:-by])


def rewrite(change: Callable[[Any], Any]) -> Fault:
    """Send another JSON document.

    Args:
        change: Given the right document, returns the one to send.
    """
    return _rewritten(lambda data: json.dumps(change(json.loads(data))).encode())


def gzip() -> Fault:
    """Send a body compressed, with `Content-Encoding`, although nobody asked for that."""

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_body(gzip_format.compress(b"".join(found.pieces())))
        found.set_header("Content-Encoding", "gzip")
        return found

    return fault


def endless(key: str = "tags") -> Fault:
    """Let a list go on without end, one new name a page.

    Args:
        key: What the list is of: `tags`, `repositories`, or `manifests` for referrers.
    """
    count = itertools.count(1)

    def change(document: dict[str, Any], number: int) -> dict[str, Any]:
        if key != "manifests":
            return {**document, key: [f"endless-{number}"]}
        digest = str(Digest.of(str(number).encode()))
        media_type = "application/vnd.oci.image.manifest.v1+json"
        return {**document, key: [{"mediaType": media_type, "digest": digest, "size": 1}]}

    def fault(request: Request, proceed: Proceed) -> Answer:
        number = next(count)
        found = rewrite(lambda document: change(document, number))(request, proceed)
        found.set_header("Link", f'<{request.path}?page={number}>; rel="next"')
        return found

    return fault


# ------------------------------------------------------------------ how it is sent


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


def _rewritten(change: Callable[[bytes], bytes]) -> Fault:
    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_body(change(b"".join(found.pieces())))
        return found

    return fault


def _sent(pieces: Callable[[Answer], Iterator[bytes]]) -> Fault:
    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        honest = Answer(body=found.body)
        found.body = pieces(honest)
        return found

    return fault
