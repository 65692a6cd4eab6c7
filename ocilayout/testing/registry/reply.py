"""The answer to a request.

It is sent as it is, to the letter: nothing is added, counted or escaped on the way. That is what
lets a fault tell a lie. `reply` and `refusal` make correct ones.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field

from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PIECE: Final = 1024 * 1024
"""How much of a body is read or written at a time, in bytes."""

Content = bytes | Path
"""The content of a blob: bytes in memory, or a file that is read while it is sent."""


class HangUpError(Exception):
    """Raised by a fault to close the connection at once, before or while an answer is sent."""


@checked
@define
class Answer:
    """What is sent back.

    Attributes:
        status: The status.
        headers: Names and values, in the order in which they are sent.
        body: The body: bytes, a file, or pieces that are made while they are sent. Pieces may wait,
            and may raise `HangUpError`.
        close: Whether to close the connection afterwards.
        raw: If not `None`, these bytes are sent in place of all the above, and the connection is
            closed.
    """

    status: int = HTTPStatus.OK
    headers: list[tuple[str, str]] = field(factory=list)
    body: Content | Iterable[bytes] = b""
    close: bool = False
    raw: bytes | None = None

    def header(self, name: str) -> str | None:
        """Return the first header of a name, or `None`."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def set_header(self, name: str, value: str | None) -> None:
        """Replace all headers of a name with one, or remove them if the value is `None`."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces."""
        if isinstance(self.body, Path):
            with self.body.open("rb") as file:
                while data := file.read(PIECE):
                    yield data
        elif isinstance(self.body, bytes):
            yield self.body
        else:
            yield from self.body

    def set_body(self, data: bytes) -> None:
        """Replace the body, with the right `Content-Length`."""
        self.body = data
        self.set_header("Content-Length", str(len(data)))


@checked
def reply(
    status: int,
    body: Content | Iterable[bytes] = b"",
    *,
    media_type: str | None = None,
    length: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return a correct answer.

    Args:
        status: The status.
        body: The body.
        media_type: The media type of the body, if there is one.
        length: The length of the body in bytes; needed if the body is in pieces.
        headers: More headers.
    """
    answer = Answer(status=status, body=body)
    if media_type is not None:
        answer.headers.append(("Content-Type", media_type))
    if status != HTTPStatus.NO_CONTENT:
        answer.headers.append(("Content-Length", str(_length(body) if length is None else length)))
    answer.headers.extend((headers or {}).items())
    return answer


@checked
def refusal(
    status: int, code: str, message: str = "", *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error in the form of the distribution-spec.

    Args:
        status: The status.
        code: The code, such as `MANIFEST_UNKNOWN`.
        message: The message; the phrase of the status if empty.
        headers: More headers.
    """
    text = message or HTTPStatus(status).phrase
    body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
    return reply(status, body, media_type="application/json", headers=headers)


def _length(body: Content | Iterable[bytes]) -> int:
    if isinstance(body, Path):
        return body.stat().st_size
    return len(body) if isinstance(body, bytes) else 0
