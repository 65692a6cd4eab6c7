"""Requests: connections, proxies, retries and redirects.

Redirects are followed here, where it is known which origin the credentials are for; no other sees
them. Every failure of a connection becomes a `TransportError`. A request is sent again only where
that is safe: it never arrived, it was refused before anything was done, its method is idempotent,
or the caller says that it does no harm.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import urllib3
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util import make_headers, parse_url

from ocilayout.errors import RegistryError
from ocilayout.registry.address import Proxies, join, origin
from ocilayout.registry.patience import Patience, Timeouts
from ocilayout.registry.response import CONNECTION_ERRORS, Response, connection_error
from ocilayout.registry.trust import Trust
from ocilayout.registry.wire import bound

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SAME_METHOD: Final = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
_REDIRECTS: Final = _SAME_METHOD | {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
}
_MAX_REDIRECTS: Final = 5
_BLOCK: Final = 128 * 1024  # bytes of a body that are sent at a time
_CONNECTIONS: Final = 16  # that are kept open to one host

_OUR_REQUEST: Final = ContextVar("a request of ours", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _OUR_REQUEST.get()


# urllib3 logs the address of every request. The address of a redirect may be signed, which is as
# good as a password, and a registry may put a secret that it was sent into one. The filter lets the
# requests of other users of urllib3 in this process be logged.
logging.getLogger("urllib3.connectionpool").addFilter(_is_not_ours)


class BodyFailedError(Exception):
    """Carries an error of reading a request's body past urllib3.

    urllib3 would take an `OSError` for one of the connection.

    Attributes:
        reason: The error.

    Spec: distribution:upload.
    """

    def __init__(self, reason: OSError) -> None:
        self.reason = reason
        super().__init__(reason)


Follow = Literal["anywhere", "origin", "nowhere"]
"""Which redirects to follow: all, those to the same origin, or none."""


class Body(Protocol):
    """A request's body that is not held in memory."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            BodyFailedError: The body cannot be read.
        """
        ...

    def rewind(self) -> bool:
        """Go back to the beginning; tell whether that was possible."""
        ...


class Transport:
    """Connections to a registry and to the hosts that it names; safe to use from several threads.

    Args:
        registry: The address of the registry, the only host to see the client certificate.
        trust: The certificates; the authorities of the operating system if `None`.
        timeout: The longest waits, in seconds.
        patience: When to send a request again; also an attribute.
        proxies: The proxies; those of the environment if `None`.

    Raises:
        OSError: A file of certificates cannot be read.
        ValueError: A timeout is not above 0.
    """

    def __init__(
        self,
        *,
        registry: str = "",
        trust: Trust | None = None,
        timeout: float | Timeouts = 30.0,
        patience: Patience | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.patience = Patience() if patience is None else patience
        self._registry = registry and origin(registry)
        self._timeouts = Timeouts.of(timeout)
        self._trust = Trust() if trust is None else trust
        self._trust.require()
        self._proxies = Proxies.from_environment() if proxies is None else proxies
        self._unsteady: set[str] = set()
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
        accept: Collection[int] = frozenset(),
        again: bool | None = None,
        follow: Follow = "anywhere",
    ) -> Response:
        """Send a request and follow redirects.

        A redirect is followed if the request can be sent again: GET and HEAD always, others if the
        status keeps the method and the body is in memory. `follow` must be `nowhere` for a body
        with a secret. `authorization` is for the origin of `url` only. A body that is a stream
        needs a Content-Length in `headers`. For the rest see `Session.request`.

        Raises:
            InvalidNameError: The proxy that the environment names is not an http or https address.
            TransportError: The connection failed, or a certificate was not accepted.
            RegistryError: A redirect has no usable address, leads from https to http, or is one too
                many; with `origin` such a redirect is returned.
            OSError: The body could not be read.

        Spec: distribution:redirects, distribution:redirect-credentials, distribution:http,
            descriptor:no-processing.
        """
        redirects, repeated = 0, False
        while True:
            sent = {"User-Agent": "ocilayout", "Accept-Encoding": "identity", **headers}
            if authorization is not None:
                sent["Authorization"] = authorization
            try:
                response = self._send(method, url, sent, body, accept=accept, again=again)
            except BodyFailedError as error:
                raise error.reason from None
            repeated = response.repeated = response.repeated or repeated
            redirected = follow != "nowhere" and response.status in _REDIRECTS
            if not redirected or not _may_follow(method, response.status, body):
                return response
            response.drain()
            redirects += 1
            target = _redirect_target(url, response, follow=follow, redirects=redirects)
            if target is None:
                return response
            if origin(target) != origin(url):
                authorization = None  # for good, even if a later redirect leads back
            url = target

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
        accept: Collection[int],
        again: bool | None,
    ) -> Response:
        """Send a request to one host, again while that is safe and attempts are left."""
        attempts = 1 if again is False else self.patience.attempts
        harmless = _is_idempotent(method, body) if again is None else again
        repeated = False
        if again is False and origin(url) in self._unsteady:
            self._pool(url).clear()
        for attempt in range(1, attempts):
            try:
                response = self._send_once(method, url, headers, body)
            except CONNECTION_ERRORS as error:
                self._note_loss(url, error)
                unreached = isinstance(error, NewConnectionError)
                # A host that was never reached is more often a wrong name than a restart.
                given_up = unreached and 2 * attempt >= attempts
                if given_up or not _may_resend_after_error(error, harmless=harmless):
                    raise connection_error(url, error) from None
                repeated = repeated or not unreached
                delay = self.patience.backoff(attempt)
            else:
                response.repeated = repeated
                refused = response.status == HTTPStatus.TOO_MANY_REQUESTS  # nothing was done
                safe = harmless or (refused and _is_in_memory(body))
                passing = response.status in self.patience.statuses
                if not (safe and passing) or response.status in accept:
                    return response
                asked = self.patience.parse_retry_after(response.header("Retry-After"))
                allowed = self.patience.delay(attempt, asked)
                if allowed is None:
                    return response
                response.drain()
                repeated = repeated or response.status != HTTPStatus.TOO_MANY_REQUESTS
                delay = allowed
            self.patience.sleep(delay)
        try:
            response = self._send_once(method, url, headers, body)
        except CONNECTION_ERRORS as error:
            self._note_loss(url, error)
            raise connection_error(url, error) from None
        response.repeated = repeated
        return response

    def _note_loss(self, url: str, error: Exception) -> None:
        """Use no connection again that was open when one of the same host was lost.

        A host may end each behind its answer, or may have been restarted. From now on a request
        that is not sent again gets a connection of its own.
        """
        if isinstance(error, ProtocolError):
            self._unsteady.add(origin(url))
            self._pool(url).clear()

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Body | None
    ) -> Response:
        before = _OUR_REQUEST.set(True)
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
            _OUR_REQUEST.reset(before)
        return Response(response, url, timeouts=self._timeouts)

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Return the connections to an address, through its proxy if it has one."""
        target = origin(url)
        key = (self._proxies.choose(url), target.partition(":")[0], target == self._registry)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._connect(*key)
            return pool

    def _connect(self, proxy: str | None, scheme: str, own: bool) -> urllib3.PoolManager:  # noqa: FBT001 # called with a key
        options: dict[str, Any] = {
            "num_pools": 8,
            "maxsize": _CONNECTIONS,
            "retries": False,
            "timeout": urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
            "blocksize": _BLOCK,
        }
        if scheme == "https":  # loading the authorities takes a while
            options["ssl_context"] = self._trust.context(own=own)
        if proxy is None:
            manager = urllib3.PoolManager(**options)
        else:
            parsed = parse_url(proxy)
            if parsed.scheme == "https":
                options["proxy_ssl_context"] = Trust().context(own=False)
            manager = urllib3.ProxyManager(
                parsed._replace(auth=None).url,
                proxy_headers=make_headers(proxy_basic_auth=parsed.auth) if parsed.auth else None,
                **options,
            )
        bound(manager)
        return manager


def _redirect_target(url: str, response: Response, *, follow: Follow, redirects: int) -> str | None:
    """Return where a redirect leads, or `None` if it is not to be followed.

    Raises:
        RegistryError: It leads nowhere, or is one too many; and every redirect is to be followed.
    """
    try:
        target = join(url, response.header("Location"), status=response.status)
    except RegistryError:
        if follow == "origin":
            return None
        raise
    if follow == "origin":
        return target if origin(target) == origin(url) and redirects <= _MAX_REDIRECTS else None
    if redirects > _MAX_REDIRECTS:
        raise RegistryError(
            f"{origin(target)} is behind more than {_MAX_REDIRECTS} redirects; not followed",
            status=response.status,
        )
    return target


def _may_resend_after_error(error: Exception, *, harmless: bool) -> bool:
    """Tell whether a request may be sent again after its connection failed."""
    if isinstance(error, NewConnectionError):  # nothing was sent
        return not isinstance(error, NameResolutionError)
    return isinstance(error, ProtocolError) and harmless


def _may_follow(method: str, status: int, body: bytes | Body | None) -> bool:
    """Tell whether a redirect of a request may be followed."""
    return method in {"GET", "HEAD"} or (status in _SAME_METHOD and _is_in_memory(body))


def _is_idempotent(method: str, body: bytes | Body | None) -> bool:
    """Tell whether a request has the same effect when it is sent twice: RFC 9110, 9.2.2."""
    return method in {"GET", "HEAD", "PUT", "DELETE"} and _is_in_memory(body)


def _is_in_memory(body: bytes | Body | None) -> bool:
    return body is None or isinstance(body, bytes)
