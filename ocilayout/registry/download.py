"""A download that goes on where it stopped if the connection breaks.

The reader does not notice the break, so nothing is read or hashed twice. Verifying the bytes is up
to the reader of a descriptor.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from attrs import define, field

from ocilayout.errors import RegistryError, TransportError
from ocilayout.model import CHUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocilayout.registry.response import Response
    from ocilayout.registry.session import Session

_PROGRESS: Final = 16 * 1024
"""How many bytes a connection has to bring for the count of attempts to start again."""

_WHOLE_OR_PART: Final = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    }
)
"""The responses to a range: everything, the range, or that there is nothing in it."""

# RFC 9110, section 14.4: Content-Range = range-unit SP first "-" last "/" (length / "*")
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")


@define
class Download:
    """The body of a response, requested again from where it stopped.

    Args:
        session: The session with the registry.
        path: The path of the content, below the repository.
        headers: The headers of the request, apart from those that every request has.
        response: The first response, its body unread; closed with this stream.
    """

    session: Session
    path: str
    headers: Mapping[str, str]
    response: Response
    _position: int = field(default=0, init=False)
    _attempts: int = field(default=0, init=False)
    _begun_at: int = field(default=0, init=False)
    _to_skip: int = field(default=0, init=False)
    _ended: bool = field(default=False, init=False)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            TransportError: The connection broke too often without progress.
            RegistryError: The registry does not send the rest.

        Spec: distribution:resume.
        """
        while not self._ended:
            try:
                # A registry without ranges begins again; what was read before is skipped.
                data = self.response.read(min(self._to_skip, CHUNK) or size)
            except TransportError as error:
                self._resume(error)
                continue
            if not self._to_skip:
                self._position += len(data)
                return data
            if not data:
                break  # the content is shorter now
            self._to_skip -= len(data)
        return b""

    def close(self) -> None:
        """Drop the rest of the body."""
        self.response.close()

    def _resume(self, error: TransportError) -> None:
        """Request the rest once, or give up.

        Raises:
            TransportError: The connection broke too often, or breaks again before the rest begins.
            RegistryError: The registry does not send the rest.
        """
        self.response.close()
        if self._position - self._begun_at >= _PROGRESS:
            self._attempts = 0
        self._attempts += 1
        if self._attempts >= self.session.patience.attempts:
            raise error
        if self._attempts > 1:
            self.session.patience.sleep(self.session.patience.backoff(self._attempts))
        self._begun_at = self._position
        response = self.session.request(
            "GET",
            self.path,
            accept=_WHOLE_OR_PART,
            headers={**self.headers, "Range": f"bytes={self._position}-"},
        )
        self.response = response
        self._to_skip = self._position if response.status == HTTPStatus.OK else 0
        if response.status == HTTPStatus.OK or _range_start(response) == self._position:
            return
        response.close()
        # The connection may break after the last byte; then there is no rest to send.
        self._ended = (
            response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            and response.header("Content-Range") == f"bytes */{self._position}"
        )
        if not self._ended:
            raise RegistryError(
                f"the registry broke off at byte {self._position} of {self.path} and does not"
                " go on from there; try again",
                status=response.status,
            ) from error


def read_range(session: Session, path: str, start: int, length: int) -> bytes | None:
    """Return a part of some content, as `RepositoryBlobs.read_unverified` does.

    It is `None` if the registry does not have the content.
    """
    with session.request(
        "GET",
        path,
        accept=_WHOLE_OR_PART | {HTTPStatus.NOT_FOUND},
        headers={"Range": f"bytes={start}-{start + length - 1}"},
    ) as response:
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.drain()
            return b""
        if response.status == HTTPStatus.PARTIAL_CONTENT and _range_start(response) != start:
            raise RegistryError(
                f"the registry answers with another part of {path}", status=response.status
            )
        # A registry without ranges sends everything.
        skip = start if response.status == HTTPStatus.OK else 0
        part = bytearray()
        while len(part) < length and (data := response.read(CHUNK)):
            part += data[skip:]
            skip = max(0, skip - len(data))
        return bytes(part[:length])


def _range_start(response: Response) -> int | None:
    """Return the position at which a partial response begins, or `None` if it does not say."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return None
    match = _CONTENT_RANGE.fullmatch(response.header("Content-Range") or "")
    return None if match is None else int(match[1])
