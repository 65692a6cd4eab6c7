"""Authenticated requests within one repository, and the errors of those that failed.

Every status that the caller does not accept becomes the error that names it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError, RegistryError
from ocilayout.model import DEFAULT_LIMITS, Limits
from ocilayout.registry.address import origin
from ocilayout.registry.auth import Authenticator
from ocilayout.registry.challenge import parse_challenges
from ocilayout.registry.refusal import DENIED, denial, shown, status_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ocilayout.registry.auth import Actions
    from ocilayout.registry.credential import CredentialFinder, Credentials
    from ocilayout.registry.response import Response
    from ocilayout.registry.transport import Body, Follow, Transport

OK_OR_MISSING: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})
STORED: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
"""The responses of registries to a PUT that they accepted; the specification says 201."""

MANIFEST_STORED: Final = STORED | {HTTPStatus.ACCEPTED}
"""The responses to the PUT of a manifest that was stored; older Quay says 202."""

_REFUSED: Final = frozenset(range(400, 600)) - {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,  # the answer comes later
}
HEAD_ANSWERED: Final = OK_OR_MISSING | _REFUSED
"""The responses to a HEAD to take; all but 200 and 404 say nothing about the content."""

_WITHOUT_CHALLENGE: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
"""The responses to strangers of registries that do not tell what they have."""

_DELETED: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
"""The responses of registries to a DELETE that they carried out; the specification says 202."""

# Quay knows no action `delete`; as skopeo does, everything is asked for.
_ACTIONS: Final[dict[str, Actions]] = {"GET": "pull", "HEAD": "pull", "DELETE": "*"}
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
        plain_http: Whether the caller said that nothing need be encrypted.
        limits: How large and how many documents may be; also an attribute.

    Attributes:
        base: The address of the repository in the API, without a slash at the end.
        patience: When to send requests again.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        registry: str,
        repository: str,
        name: str,
        credentials: Credentials | CredentialFinder | None = None,
        plain_http: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._transport = transport
        self._authenticator = Authenticator(
            transport,
            registry=registry,
            repository=repository,
            name=name,
            credentials=credentials,
            plain_http=plain_http,
        )
        self._origin = origin(registry)
        self._name = name
        self.base = f"{registry}/v2/{repository}"
        self.registry = registry
        self.repository = repository
        self.patience = transport.patience
        self.limits = limits
        self._warnings: dict[str, None] = {}
        self._lock = Lock()
        self._asking = Lock()
        self._asked = False

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
        again: bool | None = None,
        follow: Follow = "anywhere",
    ) -> Response:
        """Send a request, with credentials if it goes to the registry itself.

        The response is drained, unless it is one with content to a GET: nothing else in a body is
        of use.

        Args:
            method: The method.
            where: A path below the repository, or an address that the registry gave.
            accept: The statuses that are not failures, and not waited for to pass.
            actions: The actions to be authorized for; by default those of the method.
            headers: The headers, apart from those that every request has.
            body: The body.
            again: Whether the request may be sent again after a failure; `None` goes by the method.
            follow: Which redirects to follow.

        Returns:
            The response, to be closed if it was not drained.

        Raises:
            AuthError: The registry does not accept the credentials.
            RateLimitedError: The registry asks to come back later.
            TransportError: The connection failed.
            RegistryError: Any other failure, with its status and codes.
        """
        url = where if "://" in where else f"{self.base}/{where}"
        actions = actions or _ACTIONS.get(method, "pull,push")

        def send(authorization: str | None) -> Response:
            return self._transport.request(
                method,
                url,
                headers=headers or {},
                authorization=authorization,
                body=body,
                accept=accept,
                again=again,
                follow=follow,
            )

        try:
            return self._request(send, method, url, accept=accept, actions=actions, body=body)
        except RegistryError as error:
            error.repository = self._name
            raise

    def look(
        self,
        where: str,
        *,
        actions: Actions | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Ask for some content without its bytes: by HEAD, or by GET where HEAD is refused.

        Returns:
            The response, whose status is 200 or 404.

        Raises:
            RegistryError: As for `request`; the reason of a refusal is only in an answer to GET.

        Spec: distribution:head.
        """
        response = self.request(
            "HEAD", where, accept=HEAD_ANSWERED, actions=actions, headers=headers
        )
        if response.status not in OK_OR_MISSING:
            response = self.request(
                "GET", where, accept=OK_OR_MISSING, actions=actions, headers=headers
            )
            response.close()
        return response

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

    def _request(
        self,
        send: Callable[[str | None], Response],
        method: str,
        url: str,
        *,
        accept: Collection[int],
        actions: Actions,
        body: bytes | Body | None,
    ) -> Response:
        """Send a request by a function of its `Authorization`; for the rest see `request`."""
        ours = origin(url) == self._origin
        sent = self._authenticator.header(actions) if ours else None
        response = send(sent)
        # A challenge of another origin, reached by a redirect, must not draw out credentials.
        if ours and origin(response.url) == self._origin:
            try:
                renewed = self._authorize(response, actions, sent, named=url.startswith(self.base))
            except BaseException:
                response.close()
                raise
            if renewed not in {None, sent}:
                response.drain()
                if not (body is None or isinstance(body, bytes) or body.rewind()):
                    raise AuthError(
                        f"{self._origin} asks for credentials again after a stream that cannot be"
                        " sent twice; try again",
                        status=response.status,
                    )
                repeated, sent = response.repeated, renewed
                response = send(sent)
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
                registry=self._origin,
                repository=self.repository,
                denied=denial(logged_in=self._authenticator.logged_in, offered=sent is not None),
                reveals=self._authenticator.reveals,
                patience=self.patience,
            )

    def _authorize(
        self, response: Response, actions: Actions, sent: str | None, *, named: bool
    ) -> str | None:
        """Return the value of `Authorization` to send a request again with, or `None`.

        Args:
            response: The registry's response to the request.
            actions: The actions to be authorized for.
            sent: The value that was sent.
            named: Whether the request was for the repository; `/v2/` may ask for any scope.

        Raises:
            AuthError: There are no credentials that the registry would accept.
            RegistryError: The token server failed.
        """
        texts = response.headers("WWW-Authenticate")
        hidden = response.status in _WITHOUT_CHALLENGE and not any(map(parse_challenges, texts))
        if sent is None and hidden:
            missing = response.status == HTTPStatus.NOT_FOUND
            if not missing or self._authenticator.may_log_in:
                offered = self._ask_registry(actions)
                if offered is not None:
                    return offered
        if response.status in DENIED and texts:
            return self._authenticator.renew(actions, texts, extra=named)
        return None

    def _ask_registry(self, actions: Actions) -> str | None:
        """Return the value of `Authorization` that meets the challenge of the registry as a whole.

        Some registries answer strangers that there is nothing, and ask for credentials only here.
        It is `None` if the registry does not ask, or cannot be satisfied: then the first answer
        stands.
        """
        with self._asking:
            try:
                if not self._asked:
                    self._asked = True
                    url = f"{self.registry}/v2/"
                    response = self._transport.request("GET", url, headers={}, follow="origin")
                    response.drain()
                    if response.status == HTTPStatus.UNAUTHORIZED:
                        texts = response.headers("WWW-Authenticate")
                        return self._authenticator.renew(actions, texts, extra=False)
                return self._authenticator.header(actions)
            except RegistryError:
                return None

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
