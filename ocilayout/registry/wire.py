"""Answers as they come over a connection: bounded in time and in bytes wherever HTTP has no bound.

The timeout of a socket is for a single read of it, and a byte a second keeps to any timeout. Here
it is for the whole head of an answer, with all interim answers before it, and for each read of the
body with what belongs to its framing: sizes and extensions of chunks, and trailers.
"""

from __future__ import annotations

import http.client
import io
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket

    import urllib3
    from typing_extensions import Buffer

_MAX_HEAD: Final = 256 * 1024
"""The most bytes of all heads before a body; others have limits of 8 to 300 KiB."""

_VERSION: Final = b"HTTP/"
_MAX_FRAMING: Final = 64 * 1024
"""The most bytes of framing in one read of a body, apart from what is read ahead."""


def bound(manager: urllib3.PoolManager) -> None:
    """Let every connection of a manager be read with bounds."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Meter(io.RawIOBase):
    """The bytes that come from a socket, as many and for as long as was allowed last."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        # A reference that keeps the socket open while the answer is read, as http.client relies on.
        self._raw = connection.makefile("rb", buffering=0)
        self._timeout = connection.gettimeout()
        self.allow(_MAX_HEAD)  # for the answer of a proxy, which is read without `begin`

    def allow(self, size: int) -> None:
        """Allow so many bytes from now on, within the timeout of the connection."""
        self._left = size
        self._until = time.monotonic() + (self._timeout or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        if self._left <= 0:
            raise http.client.HTTPException("the answer has no end")
        if self._timeout is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
        count = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose head and framing are bounded."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 # passed on
        super().__init__(sock, *args, **kwargs)
        self._meter = _Meter(sock)
        self.fp.close()
        self.fp: io.BufferedReader = io.BufferedReader(self._meter)

    def begin(self) -> None:
        """Read the head, and the interim answers before it, all of which http.client knows is 100.

        Raises:
            OSError: It did not come within the timeout, or the connection failed.
            HTTPException: It is too long, or is not HTTP.
        """
        self._meter.allow(_MAX_HEAD)
        # What comes first may be the body of an error behind the answer to a HEAD, where none may
        # be. It has no end of a line, for which http.client would wait.
        first = self.fp.peek(1)[: len(_VERSION)]
        if not _VERSION.startswith(first):
            raise http.client.BadStatusLine("")
        super().begin()
        while HTTPStatus.SWITCHING_PROTOCOLS < self.status < HTTPStatus.OK:
            self.headers = None  # type: ignore[assignment] # begin reads another one
            super().begin()

    def read1(self, n: int = -1) -> bytes:
        """Return at most `n` bytes of the body; raises as `begin` does."""
        self._meter.allow(max(n, 0) + io.DEFAULT_BUFFER_SIZE + _MAX_FRAMING)
        return super().read1(n)


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # pyright: ignore[reportAssignmentType] # as urllib3's own


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # pyright: ignore[reportAssignmentType] # as urllib3's own
