"""Authenticated requests within one repository, and the errors of those that failed.

Every status that the caller does not accept becomes the error that names it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError
from ocilayout.model import DEFAULT_LIMITS, Limits
from ocilayout.registry.address import origin
from ocilayout.registry.auth import Authenticator
from ocilayout.registry.refusal import denial, shown, status_error

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocilayout.registry.auth import Actions
    from ocilayout.registry.credential import CredentialFinder, Credentials
    from ocilayout.registry.response import Response
    from ocilayout.registry.transport import Body, Transport

OK_OR_MISSING: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})
STORED: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
"""The responses of registries to a PUT that they accepted; the specification says 201."""

_DELETED: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
"""The responses of registries to a DELETE that they carried out; the specification says 202."""

_ACTIONS: Final[dict[str, Actions]] = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}
_MAX_WARNINGS: Final = 64
# distribution-spec, Warnings: 299 - "text"; a quoted-string of RFC 9110. Others are not meant.
_WARNING: Final = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


class Session:
    """Requests within one repository.

    Args:
        transport: The connections to the registry.
        registry: The address of the registry, without a slash at the end; also an attribute.
        repository: The path of the repository; also an attribute.
        name: The argument for a finder of credentials.
        credentials: As for `Repository`.
        limits: How large and how many documents may be; also an attribute.

    Attributes:
        base: The address of the repository in the API, without a slash at the end.
        retry: When to send requests again.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        registry: str,
        repository: str,
        name: str,
        credentials: Credentials | CredentialFinder | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._transport = transport
        self._authenticator = Authenticator(
            transport,
            registry=registry,
            repository=repository,
            name=name,
            credentials=credentials,
        )
        self._origin = origin(registry)
        self.base = f"{registry}/v2/{repository}"
        self.registry = registry
        self.repository = repository
        self.retry = transport.retry
        self.limits = limits
        self._warnings: dict[str, None] = {}
        self._lock = Lock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of the registry, each text once, in order of arrival."""
        with self._lock:
            return tuple(self._warnings)

    def request(
        self,
        method: str,
        where: str,
        *,
        accept: Collection[int],
        actions: Actions | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        once: bool = False,
    ) -> Response:
        """Send a request, with credentials if it goes to the registry itself.

        The response is drained, unless it is one with content to a GET: nothing else in a body is
        of use.

        Args:
            method: The method.
            where: A path below the repository, or an address that the registry gave.
            accept: The statuses that are not failures.
            actions: The actions to be authorized for; by default those of the method.
            headers: The headers, apart from those that every request has.
            body: The body.
            once: Whether to leave it to the caller to send the request again.

        Returns:
            The response, to be closed if it was not drained.

        Raises:
            AuthError: The registry does not accept the credentials.
            RateLimitedError: The registry asks to come back later.
            TransportError: The connection failed.
            RegistryError: Any other failure, with its status and codes.
        """
        url = where if "://" in where else f"{self.base}/{where}"
        headers = {} if headers is None else headers
        actions = actions or _ACTIONS.get(method, "pull,push")
        ours = origin(url) == self._origin
        sent = self._authenticator.header(actions) if ours else None
        response = self._transport.request(
            method, url, headers=headers, authorization=sent, body=body, once=once
        )
        # A challenge of another origin, reached by a redirect, must not draw out credentials.
        unauthorized = response.status == HTTPStatus.UNAUTHORIZED
        if unauthorized and ours and origin(response.url) == self._origin:
            challenges = response.headers("WWW-Authenticate")
            response.drain()
            renewed = self._authenticator.renew(actions, challenges)
            if renewed == sent:
                raise self._unauthorized(denial(logged_in=self._authenticator.logged_in))
            if not (body is None or isinstance(body, bytes) or body.rewind()):
                raise self._unauthorized(
                    "asks for credentials again after a stream that cannot be sent twice; try again"
                )
            repeated = response.repeated
            response = self._transport.request(
                method, url, headers=headers, authorization=renewed, body=body, once=once
            )
            response.repeated = response.repeated or repeated
        self._keep_warnings(response)
        if response.status in accept:
            if method != "GET" or response.status == HTTPStatus.NOT_FOUND:
                response.drain()
            return response
        with response:
            raise status_error(
                response,
                method,
                repository=self.repository,
                logged_in=self._authenticator.logged_in,
                reveals=self._authenticator.reveals,
                retry=self.retry,
            )

    def delete(self, where: str) -> bool:
        """Delete something, and tell whether it was there.

        A DELETE is sent again if its response was lost or a gateway gave up. If the second one
        finds nothing, the first may have deleted it, so it counts as deleted.

        Raises:
            RegistryError: As for `request`; many registries do not delete.

        Spec: distribution:delete-done.
        """
        accept = {*_DELETED, HTTPStatus.NOT_FOUND}
        response = self.request("DELETE", where, accept=accept)
        return response.status != HTTPStatus.NOT_FOUND or response.repeated

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def _unauthorized(self, text: str) -> AuthError:
        return AuthError(f"{self._origin} {text}", status=HTTPStatus.UNAUTHORIZED)

    def _keep_warnings(self, response: Response) -> None:
        """Keep the warnings of a response; nothing depends on them.

        Spec: distribution:no-action-on-warnings, distribution:warnings.
        """
        headers = response.headers("Warning")
        if not headers or origin(response.url) != self._origin:
            return
        texts = _WARNING.findall(", ".join(headers))
        with self._lock:
            for text in (shown(re.sub(r"\\(.)", r"\1", text)) for text in texts):
                if len(self._warnings) < _MAX_WARNINGS and not self._authenticator.reveals(text):
                    self._warnings[text] = None
