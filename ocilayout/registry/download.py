"""A download that goes on where it stopped, if the connection breaks.

What was read stays read: who hashes it goes on, and nothing is hashed twice. Not in here:
whether the bytes are the right ones, which the reader of a descriptor sees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.errors import RegistryError, TransportError
from ocilayout.model import CHUNK
from ocilayout.registry.session import (
    NOT_FOUND,
    OK,
    PARTIAL,
    RANGE_NOT_SATISFIABLE,
    Session,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocilayout.registry.answer import Answer

_PROGRESS: Final = 16 * 1024
"""How far a connection has to come for the attempts to be counted anew, in bytes."""

# RFC 9110, section 14.4: Content-Range = range-unit SP first "-" last "/" (length / "*")
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")


class Download:
    """The body of an answer, asked for again from where it stopped."""

    def __init__(
        self, session: Session, path: str, headers: Mapping[str, str], answer: Answer
    ) -> None:
        """Take the first answer.

        Args:
            session: The conversation with the registry.
            path: What was asked for, below the repository.
            headers: What was sent besides what every request has.
            answer: The answer, its body unread; closed with this stream.
        """
        self._session = session
        self._path = path
        self._headers = headers
        self._answer = answer
        self._position = 0
        self._attempts = 0
        self._begun_at = 0
        self._passed_over = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            TransportError: The connection broke, too often without coming any further.
            RegistryError: The registry does not give the rest.

        Spec: distribution:resume.
        """
        while not self._ended:
            try:
                # What is there already is passed over, if the registry began anew.
                data = self._answer.read(min(self._passed_over, CHUNK) or size)
            except TransportError as error:
                self._resume(error)
                continue
            if not self._passed_over:
                self._position += len(data)
                return data
            if not data:
                break  # it is shorter now
            self._passed_over -= len(data)
        return b""

    def close(self) -> None:
        """Drop what was not read."""
        self._answer.close()

    def _resume(self, error: TransportError) -> None:
        """Ask for the rest once, or give up.

        Raises:
            TransportError: It broke too often, or it breaks again before the rest begins.
            RegistryError: The registry does not give the rest.
        """
        self._answer.close()
        if self._position - self._begun_at >= _PROGRESS:
            self._attempts = 0
        self._attempts += 1
        if self._attempts >= self._session.retry.attempts:
            raise error
        if self._attempts > 1:
            self._session.retry.sleep(self._session.retry.backoff(self._attempts))
        self._begun_at = self._position
        answer = self._session.request(
            "GET",
            self._path,
            accept={OK, PARTIAL, RANGE_NOT_SATISFIABLE},
            headers={**self._headers, "Range": f"bytes={self._position}-"},
        )
        self._answer = answer
        self._passed_over = self._position if answer.status == OK else 0
        if answer.status == OK:
            return
        said = answer.header("Content-Range") or ""
        begins = _CONTENT_RANGE.fullmatch(said)
        if answer.status == PARTIAL and begins is not None and int(begins[1]) == self._position:
            return
        answer.close()
        self._ended = answer.status == RANGE_NOT_SATISFIABLE and said == f"bytes */{self._position}"
        if not self._ended:
            raise RegistryError(
                f"the registry broke off at byte {self._position} of {self._path} and does not"
                " go on from there; try again",
                status=answer.status,
            ) from error


def read_range(session: Session, path: str, start: int, length: int) -> bytes | None:
    """Return a part of a body, `None` if there is no such content.

    Args:
        session: The conversation with the registry.
        path: What to ask for, below the repository.
        start: Where the part begins, in bytes.
        length: How long it is, in bytes, above 0.

    Returns:
        The part; less if the content ends before.

    Raises:
        RegistryError: The registry refused or failed, or answers with another part.
    """
    with session.request(
        "GET",
        path,
        accept={OK, PARTIAL, NOT_FOUND, RANGE_NOT_SATISFIABLE},
        headers={"Range": f"bytes={start}-{start + length - 1}"},
    ) as answer:
        if answer.status == NOT_FOUND:
            answer.drain()
            return None
        if answer.status == RANGE_NOT_SATISFIABLE:
            answer.drain()
            return b""
        begins = _CONTENT_RANGE.fullmatch(answer.header("Content-Range") or "")
        if answer.status == PARTIAL and (begins is None or int(begins[1]) != start):
            raise RegistryError(
                f"the registry answers with another part of {path}", status=answer.status
            )
        skip = start if answer.status == OK else 0
        found = bytearray()
        while len(found) < length and (data := answer.read(CHUNK)):
            found += data[skip:]
            skip = max(0, skip - len(data))
        return bytes(found[:length])
