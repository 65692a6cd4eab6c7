"""One request as it arrived, and the answer to it.

An answer is sent as it stands here, to the letter: nothing is added, counted or escaped on the
way out. That is what lets a fault tell a lie. `reply` makes one that is right.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from email.message import Message
    from typing import Self

PIECE: Final = 1024 * 1024
"""How much of a body is read or written at a time, in bytes."""

Content = bytes | Path
"""What a blob is: bytes in memory, or a file that is read while it is sent."""


class HangUpError(Exception):
    """Raised by a fault to close the connection at once, wherever the exchange stands."""


class _Line(NamedTuple):
    method: str
    path: str


class Request(_Line):
    """A request. It is the pair of its method and path, and compares and unpacks like one.

    The body is read when somebody asks for it first, so a fault can act before it arrived.

    Attributes:
        target: Path and query as they were sent.
        query: The arguments behind the path, decoded; each may stand there several times.
        headers: The headers; names in any case.
        endpoint: Which part of the API it is for, one of `ENDPOINTS`; empty for none of them.
        name: The repository, empty for endpoints that have none.
        reference: The tag, the digest or the id of an upload that ends the path, else empty.
        whole: Whether the body arrived to its end; true until it is known that it did not.
    """

    target: str
    query: dict[str, list[str]]
    headers: Message
    endpoint: str
    name: str
    reference: str
    whole: bool

    def __new__(
        cls,
        method: str,
        target: str,
        headers: Message,
        incoming: Iterable[bytes],
        arrived: Callable[[bytes], object] = bool,
    ) -> Self:
        """Note a request whose body was not read yet.

        Args:
            method: The method.
            target: Path and query.
            headers: The headers.
            incoming: The body, in pieces; raises `EOFError` if the connection ends before it.
            arrived: Called with the body, if it is not empty, once it was read.
        """
        parts = urlsplit(target)
        made = super().__new__(cls, method, unquote(parts.path))
        made.target = target
        made.query = parse_qs(parts.query, keep_blank_values=True)
        made.headers = headers
        made.endpoint = made.name = made.reference = ""
        made.whole = True
        made._incoming = iter(incoming)
        made._arrived = arrived
        made._body = None
        return made

    _incoming: Iterator[bytes]
    _arrived: Callable[[bytes], object]
    _body: bytes | None

    def argument(self, name: str) -> str:
        """Return the first argument of a name in the query, empty if there is none."""
        return self.query.get(name, [""])[0]

    @property
    def body(self) -> bytes:
        """The body; what arrived of it, if the connection broke."""
        return self.receive()

    def receive(self, limit: int | None = None) -> bytes:
        """Read the body, if that was not done, and return it.

        Args:
            limit: Read no further than so many bytes, >= 0; the rest is lost, and so is the
                connection.
        """
        if self._body is None:
            parts: list[bytes] = []
            size = 0
            try:
                while limit is None or size < limit:
                    parts.append(next(self._incoming))
                    size += len(parts[-1])
                self.whole = False
            except StopIteration:
                pass
            except (EOFError, OSError):
                self.whole = False
            self._body = b"".join(parts)[:limit]
            if self._body:
                self._arrived(self._body)
        return self._body


@define
class Answer:
    """What is sent back.

    Attributes:
        status: The status.
        headers: Names and values, in the order in which they are sent.
        body: What comes behind them: bytes, a file, or pieces that are made while they are sent.
            Pieces may wait, and may raise `HangUpError`.
        close: Whether the connection ends behind it.
        raw: If not `None`, these bytes are sent in place of all the above, and the connection
            ends.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(factory=list)
    body: Content | Iterable[bytes] = b""
    close: bool = False
    raw: bytes | None = None

    def header(self, name: str) -> str | None:
        """Return the first header of a name, or `None`."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def set_header(self, name: str, value: str | None) -> None:
        """Have exactly one header of a name, or none of it if the value is `None`."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        if isinstance(self.body, Path):
            with self.body.open("rb") as file:
                while data := file.read(PIECE):
                    yield data
        elif isinstance(self.body, bytes):
            yield self.body
        else:
            yield from self.body

    def set_body(self, data: bytes) -> None:
        """Replace the body, and say its length."""
        self.body = data
        self.set_header("Content-Length", str(len(data)))


def reply(
    status: int,
    body: Content | Iterable[bytes] = b"",
    *,
    media_type: str | None = None,
    length: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an answer that is in order.

    Args:
        status: The status.
        body: The body.
        media_type: What the body is, if there is one.
        length: The length of the body in bytes; needed where that is not told by the body.
        headers: More headers.
    """
    answer = Answer(status=status, body=body)
    if media_type is not None:
        answer.headers.append(("Content-Type", media_type))
    if status != HTTPStatus.NO_CONTENT:
        answer.headers.append(("Content-Length", str(_length(body) if length is None else length)))
    answer.headers.extend((headers or {}).items())
    return answer


def refusal(
    status: int, code: str, message: str = "", *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error as the distribution-spec words it.

    Args:
        status: The status.
        code: The code, such as `MANIFEST_UNKNOWN`.
        message: What to say; the status in words if empty.
        headers: More headers.
    """
    text = message or HTTPStatus(status).phrase
    body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
    return reply(status, body, media_type="application/json", headers=headers)


def _length(body: Content | Iterable[bytes]) -> int:
    if isinstance(body, Path):
        return body.stat().st_size
    return len(body) if isinstance(body, bytes) else 0
