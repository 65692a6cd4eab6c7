"""One repository's conversation with its registry: authenticated requests, and their failures.

Every status that a caller did not say it accepts becomes the error that names it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError, OciLayoutError, RateLimitedError, RegistryError
from ocilayout.ijson import parse
from ocilayout.registry.address import origin
from ocilayout.registry.auth import Actions, Authenticator, refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocilayout.registry.answer import Answer
    from ocilayout.registry.transport import Body, Transport

OK: Final = 200
CREATED: Final = frozenset({200, 201, 204})
"""What registries answer to a PUT that they accepted; the specification says 201."""
ACCEPTED: Final = 202
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
PRECONDITION_FAILED: Final = 412
TOO_MANY_REQUESTS: Final = 429

_MAX_ERROR: Final = 64 * 1024  # bytes
_MAX_CODES: Final = 16
# distribution-spec, Error codes: upper-case letters, digits and _. What else a body says is not
# repeated, since it may be what it was sent.
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,9}")


class Session:
    """Requests within one repository.

    Attributes:
        base: The address of the repository in the API, without a slash at the end.
    """

    def __init__(
        self, transport: Transport, authenticator: Authenticator, *, registry: str, repository: str
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            transport: How the registry is reached.
            authenticator: Who we are.
            registry: The address of the registry, without a slash at the end.
            repository: The path of the repository.
        """
        self._transport = transport
        self._authenticator = authenticator
        self._origin = origin(registry)
        self.base = f"{registry}/v2/{repository}"

    def request(
        self,
        method: str,
        where: str,
        *,
        accept: Collection[int],
        actions: Actions = "pull",
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
    ) -> Answer:
        """Send a request, with credentials if it goes to the registry itself.

        Args:
            method: The method.
            where: A path below the repository, or an address that the registry gave.
            accept: The statuses that are answers and not failures.
            actions: What the request does.
            headers: What to send besides what every request has.
            body: The body.

        Returns:
            The answer, to be closed.

        Raises:
            AuthError: The registry does not accept who we are.
            RateLimitedError: It asks to come back later.
            TransportError: The connection failed.
            RegistryError: Any other failure; its status and codes are in it.

        Spec: distribution:errors, distribution:docker-codes.
        """
        url = where if "://" in where else f"{self.base}/{where}"
        headers = {} if headers is None else headers
        ours = origin(url) == self._origin
        sent = self._authenticator.header(actions) if ours else None
        answer = self._transport.request(
            method, url, headers=headers, authorization=sent, body=body
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
            answer = self._transport.request(
                method, url, headers=headers, authorization=renewed, body=body
            )
        if answer.status in accept:
            return answer
        with answer:
            raise self._failure(answer, method)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def _unauthorized(self) -> AuthError:
        return AuthError(
            f"{self._origin} {refusal(known=self._authenticator.known)}", status=UNAUTHORIZED
        )

    def _failure(self, answer: Answer, method: str) -> RegistryError:
        status = answer.status
        host = origin(answer.url)
        codes = _read_codes(answer)
        named = f" ({', '.join(codes)})" if codes else ""
        if status in {UNAUTHORIZED, FORBIDDEN}:
            reason = refusal(known=self._authenticator.known)
            return AuthError(f"{host} {reason}{named}", status=status, codes=codes)
        if status == TOO_MANY_REQUESTS:
            wait = _SECONDS.fullmatch(answer.header("Retry-After") or "")
            when = "later" if wait is None else f"in {wait[0]} seconds"
            return RateLimitedError(
                f"{host} has had too many requests; come back {when}{named}",
                status=status,
                codes=codes,
            )
        path = self.base.partition("/v2/")[2]
        return RegistryError(
            f"{host} answers {status}{named} to {method} in {path}", status=status, codes=codes
        )


def _read_codes(answer: Answer) -> tuple[str, ...]:
    """Return the error codes of a body, none if it is not what the specification says."""
    try:
        errors = parse(answer.read_all(_MAX_ERROR)).get("errors")
    except OciLayoutError:
        return ()
    entries = errors if isinstance(errors, list) else []
    codes = [entry.get("code") for entry in entries if isinstance(entry, dict)]
    return tuple(code for code in codes if isinstance(code, str) and _CODE.fullmatch(code))[
        :_MAX_CODES
    ]
