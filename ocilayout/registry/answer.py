"""One response of a registry, and what a broken connection is called.

A body is read undecoded, in pieces, and no further than somebody asked.
"""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING, Final

from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as ExpiredError

from ocilayout.errors import LimitExceededError, TransportError
from ocilayout.model import CHUNK
from ocilayout.registry.address import origin

if TYPE_CHECKING:
    from typing import Self

    from urllib3 import BaseHTTPResponse

_SLOWEST: Final = 1024  # bytes a second
_MAX_DRAIN: Final = 64 * 1024  # what is read only to use the connection again, in bytes

FAILURES: Final = (HTTPError, OSError, http.client.HTTPException)
"""What urllib3 raises when a connection fails; some of it from below."""


class Answer:
    """A response: status, headers, and a body that is read at most once.

    Attributes:
        status: The HTTP status.
        url: Where it came from, behind all redirects. May hold secrets, unlike `origin`.
        repeated: Whether the request was sent before, and the registry may have done it then.
    """

    def __init__(self, response: BaseHTTPResponse, url: str, *, stall: float) -> None:
        """Take a response.

        Args:
            response: The response, its body unread.
            url: Where it came from.
            stall: Over how long a time the body must not bring less than 1 KiB a second.
        """
        self.status = response.status
        self.url = url
        self.repeated = False
        self._response = response
        self._stall = stall
        self._waited = 0.0
        self._brought = 0

    def header(self, name: str) -> str | None:
        """Return a header, several joined with commas, or `None`."""
        return self._response.headers.get(name)

    def headers(self, name: str) -> list[str]:
        """Return all headers of a name."""
        return self._response.headers.getlist(name)

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes of the body, none at the end.

        Raises:
            TransportError: The connection failed, stalled, or ended too early.
        """
        before = time.monotonic()
        try:
            # Not `read`: http.client takes a chunk of negative size for all that there is.
            data = self._response.read1(min(size, CHUNK), decode_content=False) or b""
        except FAILURES as error:
            raise failure(self.url, error) from None
        # Only the time that was spent waiting counts: whoever takes the bytes may be slow, too.
        self._waited += time.monotonic() - before
        self._brought += len(data)
        if self._waited > self._stall:
            if data and self._brought < _SLOWEST * self._stall:
                self.close()
                raise TransportError(f"{origin(self.url)}: what it sends has stalled")
            self._waited, self._brought = 0.0, 0
        return data

    def read_all(self, limit: int) -> bytes:
        """Return the whole body.

        Args:
            limit: The most that is accepted, in bytes.

        Raises:
            LimitExceededError: It is larger.
            TransportError: The connection failed, or ended too early.
        """
        found = bytearray()
        while data := self.read(limit + 1 - len(found)):
            found += data
            if len(found) > limit:
                raise LimitExceededError(
                    f"{origin(self.url)} sent more than {limit} bytes where no more are accepted",
                    what="response",
                    limit=limit,
                )
        return bytes(found)

    def close(self) -> None:
        """Drop what was not read, and with it the connection."""
        self._response.close()

    def drain(self) -> None:
        """Close, but keep the connection if little is left to read."""
        try:
            self.read_all(_MAX_DRAIN)
        except (LimitExceededError, TransportError):
            pass
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def failure(url: str, error: Exception) -> TransportError:
    """Say what went wrong, without what the other side said: it may repeat what it was sent."""
    if isinstance(error, LocationValueError):
        return TransportError("the registry's host is no address that can be connected to")
    if isinstance(error, SSLError | ssl.SSLError):
        reason = (
            f"TLS failed, {error}; a registry with an authority of its own needs ca_certs, one"
            " without TLS plain_http"
        )
    elif isinstance(error, ProxyError):
        reason = (
            "the proxy that leads there cannot be reached or refuses; look at HTTPS_PROXY,"
            " HTTP_PROXY and NO_PROXY"
        )
    elif isinstance(error, NameResolutionError):
        reason = "the host name cannot be resolved"
    elif isinstance(error, NewConnectionError):
        reason = f"no connection, {error.__cause__ or 'refused'}"
    elif isinstance(error, ExpiredError | TimeoutError):
        reason = "no answer within the timeout"
    else:
        reason = "the connection broke, or what came over it is not HTTP"
    return TransportError(f"{origin(url)}: {reason}")
