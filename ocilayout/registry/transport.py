"""Requests: connections, the authorities that they trust, retries and redirects.

Redirects are followed here, because here it is known who may see credentials: only the origin
that they were given for. Every failure of a connection leaves as a `TransportError`. Environment
variables that name proxies are not regarded.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import urllib3
from urllib3.exceptions import NewConnectionError, ProtocolError

from ocilayout.errors import RegistryError
from ocilayout.registry.address import join, origin
from ocilayout.registry.answer import FAILURES, Answer, failure

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_ATTEMPTS: Final = 3
_BLOCK: Final = 128 * 1024  # what is sent at a time, in bytes


class BodyFailedError(Exception):
    """Carries an error of what is sent past urllib3, which would take it for its own.

    Attributes:
        reason: The error.
    """

    def __init__(self, reason: OSError) -> None:
        self.reason = reason
        super().__init__(reason)


class Body(Protocol):
    """What is sent and not held in memory."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            BodyFailedError: The body cannot be read on.
        """
        ...

    def rewind(self) -> bool:
        """Go back to the beginning; tell whether that was possible."""
        ...


class Transport:
    """Connections to whatever hosts a registry sends us to; safe to use from several threads."""

    def __init__(
        self, *, ca_certs: str | os.PathLike[str] | None = None, timeout: float = 30.0
    ) -> None:
        """Prepare to connect.

        Args:
            ca_certs: A PEM file of the authorities to trust; those of the system if `None`.
            timeout: The longest wait for a connection and for each single read, in seconds.

        Raises:
            OSError: The PEM file cannot be read or holds no certificate.
            ValueError: The timeout is not above 0.
        """
        self._pool = urllib3.PoolManager(
            num_pools=8,
            maxsize=8,
            retries=False,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            ssl_context=_system_trust() if ca_certs is None else _trust(ca_certs),
            blocksize=_BLOCK,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        authorization: str | None = None,
        body: bytes | Body | None = None,
    ) -> Answer:
        """Send a request and follow redirects.

        A redirect is followed if the request can be sent again: always for GET and HEAD, for
        others if the status says that the method stays and the body is in memory.

        Args:
            method: The method.
            url: Where to.
            headers: What to send besides what every request has.
            authorization: The value of `Authorization`, for the origin of `url` alone.
            body: The body; needs a Content-Length in `headers` if it is a stream.

        Raises:
            TransportError: The connection failed, or a certificate was not accepted.
            RegistryError: A redirect leads nowhere, in a circle or out of TLS.
            OSError: The body could not be read.

        Spec: distribution:redirects, descriptor:no-processing.
        """
        redirects = 0
        while True:
            sent = {"User-Agent": "ocilayout", "Accept-Encoding": "identity", **headers}
            if authorization is not None:
                sent["Authorization"] = authorization
            answer = self._send(method, url, sent, body)
            if answer.status not in _REDIRECTS or not _repeatable(method, answer.status, body):
                return answer
            answer.drain()
            following = join(url, answer.header("Location"), status=answer.status)
            if origin(following) != origin(url):
                authorization = None  # for good, even if a later redirect leads back
            url = following
            redirects += 1
            if redirects > _MAX_REDIRECTS:
                raise RegistryError(
                    f"{origin(url)} is behind more than {_MAX_REDIRECTS} redirects; not followed",
                    status=answer.status,
                )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.clear()

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Body | None
    ) -> Answer:
        attempts = _ATTEMPTS if method in {"GET", "HEAD"} else 1
        while True:
            attempts -= 1
            try:
                response = self._pool.urlopen(
                    method,
                    url,
                    headers=headers,
                    body=body,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            except BodyFailedError as error:
                raise error.reason from None
            except FAILURES as error:
                if attempts > 0 and isinstance(error, NewConnectionError | ProtocolError):
                    continue
                raise failure(url, error) from None
            return Answer(response, url)


@cache
def _system_trust() -> ssl.SSLContext:
    # Loading the authorities of a system takes tens of milliseconds.
    return ssl.create_default_context()


def _trust(ca_certs: str | os.PathLike[str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_certs)


def _repeatable(method: str, status: int, body: bytes | Body | None) -> bool:
    if method in {"GET", "HEAD"}:
        return True
    return status in {307, 308} and (body is None or isinstance(body, bytes))
