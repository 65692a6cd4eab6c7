"""Requests: connections, proxies, retries and redirects.

Redirects are followed here, because here it is known who may see credentials: only the origin
that they were given for. Every failure of a connection leaves as a `TransportError`. A request is
sent again only where that is safe: it was not sent, it was refused before anything was done, or
the method says that twice is as good as once.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

import urllib3
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util import make_headers, parse_url

from ocilayout.errors import RegistryError
from ocilayout.registry.address import join, origin
from ocilayout.registry.answer import FAILURES, Answer, failure
from ocilayout.registry.patience import Retry, Timeouts
from ocilayout.registry.proxy import Proxies
from ocilayout.registry.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_BLOCK: Final = 128 * 1024  # what is sent at a time, in bytes
_CONNECTIONS: Final = 16  # that are kept open to one host
_TOO_MANY: Final = 429
_PASSING: Final = frozenset({408, _TOO_MANY, 500, 502, 503, 504})
"""Failures that may be over when the request is sent again."""


_ASKING: Final = ContextVar("asking a registry", default=False)


def _is_of_others(_: logging.LogRecord) -> bool:
    return not _ASKING.get()


# urllib3 logs the address of every request. That of a redirect may be signed, which is as good as a
# password, and a registry may write into an address whatever it was sent.
logging.getLogger("urllib3.connectionpool").addFilter(_is_of_others)


class BodyFailedError(Exception):
    """Carries an error of what is sent past urllib3, which would take it for its own.

    Attributes:
        reason: The error.

    Spec: distribution:upload.
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
    """Connections to whatever hosts a registry sends us to; safe to use from several threads.

    Attributes:
        retry: When requests are sent again.
    """

    def __init__(
        self,
        *,
        registry: str = "",
        trust: Trust | None = None,
        timeout: float | Timeouts = 30.0,
        retry: Retry | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """Prepare to connect.

        Args:
            registry: The address of the registry, which alone sees a certificate of ours.
            trust: What TLS is built on; the authorities of the system if `None`.
            timeout: How long to wait, in seconds.
            retry: When to send a request again.
            proxies: Which proxies to use; those of the environment if `None`.

        Raises:
            InvalidNameError: A proxy of the environment has no address.
            OSError: A file of certificates cannot be read.
            ValueError: A timeout is not above 0.
        """
        self.retry = Retry() if retry is None else retry
        self._registry = registry and origin(registry)
        self._timeouts = Timeouts.of(timeout)
        self._trust = Trust() if trust is None else trust
        self._trust.require()
        self._proxies = Proxies.from_environment() if proxies is None else proxies
        self._pools: dict[tuple[str | None, str, bool], urllib3.PoolManager] = {}
        self._lock = Lock()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        authorization: str | None = None,
        body: bytes | Body | None = None,
        once: bool = False,
        follow: bool = True,
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
            once: Whether to send it once, whatever the answer.
            follow: Whether to follow redirects; not if the body is a secret.

        Raises:
            TransportError: The connection failed, or a certificate was not accepted.
            RegistryError: A redirect leads nowhere, in a circle or out of TLS.
            OSError: The body could not be read.

        Spec: distribution:redirects, descriptor:no-processing.
        """
        redirects, repeated = 0, False
        while True:
            sent = {"User-Agent": "ocilayout", "Accept-Encoding": "identity", **headers}
            if authorization is not None:
                sent["Authorization"] = authorization
            try:
                answer = self._send(method, url, sent, body, once=once)
            except BodyFailedError as error:
                raise error.reason from None
            repeated = answer.repeated = answer.repeated or repeated
            redirected = follow and answer.status in _REDIRECTS
            if not redirected or not _repeatable(method, answer.status, body):
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
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Body | None,
        *,
        once: bool,
    ) -> Answer:
        """Send a request to one host, as often as it is safe and there is hope."""
        attempts = 1 if once else self.retry.attempts
        repeated = False
        for attempt in range(1, attempts):
            try:
                answer = self._send_once(method, url, headers, body)
            except FAILURES as error:
                if not _lost_in_vain(method, body, error):
                    raise failure(url, error) from None
                repeated = repeated or not isinstance(error, NewConnectionError)
                delay = self.retry.backoff(attempt)
            else:
                answer.repeated = repeated
                if not _refused_for_now(method, body, answer.status):
                    return answer
                asked = self.retry.asked(answer.header("Retry-After"))
                bearable = self.retry.delay(attempt, asked)
                if bearable is None:
                    return answer
                answer.drain()
                repeated = repeated or answer.status != _TOO_MANY
                delay = bearable
            self.retry.sleep(delay)
        try:
            answer = self._send_once(method, url, headers, body)
        except FAILURES as error:
            raise failure(url, error) from None
        answer.repeated = repeated
        return answer

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Body | None
    ) -> Answer:
        before = _ASKING.set(True)
        try:
            response = self._pool(url).urlopen(
                method,
                url,
                headers=headers,
                body=body,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        finally:
            _ASKING.reset(before)
        return Answer(response, url, stall=self._timeouts.stall)

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Return the connections to an address, by the proxy that leads there."""
        target = origin(url)
        key = (self._proxies.choose(url), target.partition(":")[0], target == self._registry)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._connect(*key)
            return pool

    def _connect(self, proxy: str | None, scheme: str, own: bool) -> urllib3.PoolManager:  # noqa: FBT001 # the parts of a key
        options: dict[str, Any] = {
            "num_pools": 8,
            "maxsize": _CONNECTIONS,
            "retries": False,
            "timeout": urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
            "blocksize": _BLOCK,
        }
        if scheme == "https":  # loading authorities takes a while
            options["ssl_context"] = self._trust.context(own=own)
        if proxy is None:
            return urllib3.PoolManager(**options)
        parsed = parse_url(proxy)
        if parsed.scheme == "https":
            options["proxy_ssl_context"] = Trust().context(own=False)
        return urllib3.ProxyManager(
            parsed._replace(auth=None).url,
            proxy_headers=make_headers(proxy_basic_auth=parsed.auth) if parsed.auth else None,
            **options,
        )


def _lost_in_vain(method: str, body: bytes | Body | None, error: Exception) -> bool:
    """Tell whether a request may be sent again whose connection failed."""
    if isinstance(error, NewConnectionError):  # then nothing was sent
        return not isinstance(error, NameResolutionError)
    return isinstance(error, ProtocolError) and _idempotent(method, body)


def _refused_for_now(method: str, body: bytes | Body | None, status: int) -> bool:
    """Tell whether a request may be sent again that was answered so."""
    if status == _TOO_MANY:  # then nothing was done
        return body is None or isinstance(body, bytes)
    return status in _PASSING and _idempotent(method, body)


def _idempotent(method: str, body: bytes | Body | None) -> bool:
    """Tell whether a request that is sent twice does what one does: RFC 9110, section 9.2.2."""
    return method in {"GET", "HEAD", "PUT", "DELETE"} and (body is None or isinstance(body, bytes))


def _repeatable(method: str, status: int, body: bytes | Body | None) -> bool:
    if method in {"GET", "HEAD"}:
        return True
    return status in {307, 308} and (body is None or isinstance(body, bytes))
