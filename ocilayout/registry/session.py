"""One repository's conversation with its registry: authenticated requests, and their failures.

Every status that a caller did not say it accepts becomes the error that names it.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError
from ocilayout.model import DEFAULT_LIMITS, Limits
from ocilayout.registry.address import origin
from ocilayout.registry.auth import Actions, Authenticator, refusal
from ocilayout.registry.refusal import Refuser, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocilayout.registry.answer import Answer
    from ocilayout.registry.transport import Body, Transport

OK: Final = 200
CREATED: Final = frozenset({200, 201, 204})
"""What registries answer to a PUT that they accepted; the specification says 201."""
ACCEPTED: Final = 202
NO_CONTENT: Final = 204
PARTIAL: Final = 206
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
PRECONDITION_FAILED: Final = 412
RANGE_NOT_SATISFIABLE: Final = 416

_DELETED: Final = frozenset({OK, ACCEPTED, NO_CONTENT})
"""What registries answer to a DELETE that they did; the specification says 202."""

_MAX_WARNINGS: Final = 64
# distribution-spec, Warnings: 299 - "text"; a quoted-string of RFC 9110. Others are not meant.
_WARNING: Final = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


class Session:
    """Requests within one repository.

    Attributes:
        base: The address of the repository in the API, without a slash at the end.
        registry: The address of the registry.
        repository: The path of the repository.
        retry: When requests are sent again.
        limits: How much is accepted.
    """

    def __init__(
        self,
        transport: Transport,
        authenticator: Authenticator,
        *,
        registry: str,
        repository: str,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            transport: How the registry is reached.
            authenticator: Who we are.
            registry: The address of the registry, without a slash at the end.
            repository: The path of the repository.
            limits: How much is accepted.
        """
        self._transport = transport
        self._authenticator = authenticator
        self._origin = origin(registry)
        self.base = f"{registry}/v2/{repository}"
        self.registry = registry
        self.repository = repository
        self.retry = transport.retry
        self.limits = limits
        self._refuser = Refuser(
            path=repository,
            known=lambda: authenticator.known,
            reveals=authenticator.reveals,
            retry=transport.retry,
        )
        self._warnings: dict[str, None] = {}
        self._lock = Lock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the registry warned of, each text once, in the order of arrival."""
        with self._lock:
            return tuple(self._warnings)

    def request(
        self,
        method: str,
        where: str,
        *,
        accept: Collection[int],
        actions: Actions = "pull",
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        once: bool = False,
    ) -> Answer:
        """Send a request, with credentials if it goes to the registry itself.

        Args:
            method: The method.
            where: A path below the repository, or an address that the registry gave.
            accept: The statuses that are answers and not failures.
            actions: What the request does.
            headers: What to send besides what every request has.
            body: The body.
            once: Whether a failure that may pass is left to the caller.

        Returns:
            The answer, to be closed.

        Raises:
            AuthError: The registry does not accept who we are.
            RateLimitedError: It asks to come back later.
            TransportError: The connection failed.
            RegistryError: Any other failure; its status and codes are in it.
        """
        url = where if "://" in where else f"{self.base}/{where}"
        headers = {} if headers is None else headers
        ours = origin(url) == self._origin
        sent = self._authenticator.header(actions) if ours else None
        answer = self._transport.request(
            method, url, headers=headers, authorization=sent, body=body, once=once
        )
        if answer.status == UNAUTHORIZED and ours and origin(answer.url) == self._origin:
            demands = answer.headers("WWW-Authenticate")
            answer.drain()
            renewed = self._authenticator.renew(actions, demands)
            if renewed == sent:
                raise self._unauthorized()
            if not (body is None or isinstance(body, bytes) or body.rewind()):
                raise AuthError(
                    f"{self._origin} wants to know again who we are, behind a stream that cannot"
                    " be sent twice; try again",
                    status=UNAUTHORIZED,
                )
            repeated = answer.repeated
            answer = self._transport.request(
                method, url, headers=headers, authorization=renewed, body=body, once=once
            )
            answer.repeated = answer.repeated or repeated
        self._take_warnings(answer)
        if answer.status in accept:
            return answer
        with answer:
            raise self._refuser.error(answer, method)

    def delete(self, where: str) -> bool:
        """Delete something; tell whether it was there.

        A DELETE whose answer was lost, or that a gateway gave up, is sent again. If it is not found
        then, the first one may have removed it, and it is gone as was asked for.

        Args:
            where: What, as a path below the repository.

        Raises:
            RegistryError: As for `request`; many registries do not delete.

        Spec: distribution:delete-done.
        """
        with self.request(
            "DELETE", where, accept={*_DELETED, NOT_FOUND}, actions="delete"
        ) as answer:
            answer.drain()
            return answer.status != NOT_FOUND or answer.repeated

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def _unauthorized(self) -> AuthError:
        return AuthError(
            f"{self._origin} {refusal(known=self._authenticator.known)}", status=UNAUTHORIZED
        )

    def _take_warnings(self, answer: Answer) -> None:
        """Keep what a registry warns of; it changes nothing else.

        Spec: distribution:no-action-on-warnings, distribution:warnings.
        """
        texts = answer.headers("Warning")
        if not texts or origin(answer.url) != self._origin:
            return
        found = [
            shown(re.sub(r"\\(.)", r"\1", text)) for text in _WARNING.findall(", ".join(texts))
        ]
        with self._lock:
            for text in found:
                if len(self._warnings) < _MAX_WARNINGS and not self._authenticator.reveals(text):
                    self._warnings[text] = None
