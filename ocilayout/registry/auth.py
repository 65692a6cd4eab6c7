"""Who we are to a registry: Basic credentials, and bearer tokens from its token server.

A password goes to two places only: to the registry that it was given for, and to the token
server that this registry names, if that is reached over TLS. Nothing in here shows one.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode

from attrs import field, frozen

from ocilayout.errors import (
    AuthError,
    InvalidNameError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
)
from ocilayout.ijson import parse
from ocilayout.registry.address import is_loopback, origin, parse_address
from ocilayout.registry.challenge import Challenge, parse_challenges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ocilayout.frozenmap import Json
    from ocilayout.registry.transport import Transport

Actions = Literal["pull", "pull,push"]
"""What a request does to its repository, as scopes name it."""

_MAX_TOKEN_ANSWER: Final = 1024 * 1024  # bytes
# distribution-spec's token page: without expires_in a token is good for 60 seconds.
_DEFAULT_LIFE: Final = 60.0
_MAX_LIFE: Final = 24 * 3600.0
_MARGIN: Final = 10.0  # a token is not used in its last seconds, lest it expires on the way
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


@frozen
class Credentials:
    """A user of a registry.

    Attributes:
        username: The name; without a colon, which ends it in Basic authentication.
        password: The password, or a token that the registry takes in its place.

    Raises:
        InvalidNameError: The name holds a colon.
    """

    username: str
    password: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidNameError("a user name must not hold a colon")

    def basic(self) -> str:
        """Return the value of `Authorization` for Basic authentication: RFC 7617, in UTF-8."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


@frozen
class _Token:
    value: str = field(repr=False)
    until: float


class Authenticator:
    """Meets the challenges of one registry, for one repository.

    What it learnt from the first challenge it offers unasked from then on.

    Spec: distribution:authentication.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        registry: str,
        repository: str,
        credentials: Credentials | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            transport: How token servers are reached.
            registry: The address of the registry, `https://ghcr.io` say.
            repository: The path of the repository.
            credentials: Who we are; nobody if `None`.
            clock: What tells the age of tokens, in seconds.
        """
        self._transport = transport
        self._registry = registry
        self._repository = repository
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.RLock()
        self._basic: str | None = None
        self._bearer: Challenge | None = None
        self._extra: dict[Actions, tuple[str, ...]] = {}
        self._tokens: dict[Actions, _Token] = {}

    @property
    def known(self) -> bool:
        """Whether there are credentials."""
        return self._credentials is not None

    def header(self, actions: Actions) -> str | None:
        """Return the value of `Authorization` that a request should begin with, if any.

        Raises:
            RegistryError: A token had to be renewed, and could not.
        """
        with self._lock:
            if self._bearer is None:
                return self._basic
            token = self._tokens.get(actions)
            if token is not None and self._clock() < token.until:
                return f"Bearer {token.value}"
            return self._fetch(self._bearer, actions)

    def renew(self, actions: Actions, demands: Iterable[str]) -> str:
        """Return the value of `Authorization` that answers a refusal.

        Args:
            actions: What the request does.
            demands: The `WWW-Authenticate` headers of the refusal.

        Raises:
            AuthError: Nothing that we have would be accepted, or it should be sent where it
                must not go.
            RegistryError: The token server failed.
        """
        challenges = [found for text in demands for found in parse_challenges(text)]
        bearer = next((found for found in challenges if found.scheme == "bearer"), None)
        with self._lock:
            if bearer is not None:
                self._bearer = bearer
                self._extra[actions] = self._more_scopes(bearer, actions)
                return self._fetch(bearer, actions)
            if not any(found.scheme == "basic" for found in challenges):
                names = ", ".join(sorted({found.scheme for found in challenges})) or "nothing"
                raise AuthError(
                    f"{self._registry} asks for {names}, known are Basic and Bearer", status=401
                )
            if self._credentials is None:
                raise AuthError(
                    f"{self._registry} wants a user name and a password; pass Credentials",
                    status=401,
                )
            self._basic = self._credentials.basic()
            return self._basic

    def _own_scope(self, actions: Actions) -> str:
        return f"repository:{self._repository}:{actions}"

    def _more_scopes(self, challenge: Challenge, actions: Actions) -> tuple[str, ...]:
        """Return what a registry says that a request needs, beyond what we know it needs."""
        asked = challenge.parameters.get("scope", "").split()
        return tuple(scope for scope in asked if not _covers(self._own_scope(actions), scope))

    def _scopes(self, actions: Actions) -> tuple[str, ...]:
        return (self._own_scope(actions), *self._extra.get(actions, ()))

    def _fetch(self, challenge: Challenge, actions: Actions) -> str:
        scopes = self._scopes(actions)
        asked_at = self._clock()
        token, life = self._ask(challenge, scopes)
        self._tokens[actions] = _Token(token, asked_at + life - _MARGIN)
        return f"Bearer {token}"

    def _ask(self, challenge: Challenge, scopes: Iterable[str]) -> tuple[str, float]:
        realm = self._require_realm(challenge.parameters.get("realm", ""))
        query = [("scope", scope) for scope in scopes]
        if "service" in challenge.parameters:
            query.insert(0, ("service", challenge.parameters["service"]))
        answer = self._transport.request(
            "GET",
            f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}",
            headers={"Accept": "application/json"},
            authorization=None if self._credentials is None else self._credentials.basic(),
        )
        with answer:
            if answer.status != 200:  # noqa: PLR2004 # the status named OK
                raise self._refused(answer.status, realm)
            body = answer.read_all(_MAX_TOKEN_ANSWER)
        try:
            return _read_token(parse(body))
        except (OciLayoutError, ValueError):
            # Not chained: the reason could quote the token.
            raise RegistryError(
                f"the token server {origin(realm)} answered without a usable token", status=200
            ) from None

    def _require_realm(self, realm: str) -> str:
        parsed = parse_address(realm)
        own = parse_address(self._registry)
        if parsed is None or own is None:
            raise AuthError(f"{self._registry} names no token server that can be asked", status=401)
        both_here = is_loopback(own.host or "") and is_loopback(parsed.host or "")
        if parsed.scheme == "http" and not (own.scheme == "http" and both_here):
            raise AuthError(
                f"{self._registry} wants a token from {origin(parsed.url)}, which is not encrypted;"
                " nothing was sent there",
                status=401,
            )
        return parsed.url

    def _refused(self, status: int, realm: str) -> RegistryError:
        server = f"the token server {origin(realm)}"
        if status in {401, 403}:
            return AuthError(f"{server} {refusal(known=self.known)}", status=status)
        if status == 429:  # noqa: PLR2004 # the status named Too Many Requests
            return RateLimitedError(f"{server} asks to come back later", status=status)
        return RegistryError(f"{server} answers {status}", status=status)


def refusal(*, known: bool) -> str:
    """Say what was refused and what to do.

    Args:
        known: Whether there were credentials.
    """
    if known:
        return "refuses these credentials; check the user name, the password and its rights"
    return "does not serve strangers; pass Credentials"


def _covers(own: str, scope: str) -> bool:
    """Tell whether one scope asks for all that another does."""
    resource, _, actions = scope.rpartition(":")
    own_resource, _, own_actions = own.rpartition(":")
    return resource == own_resource and set(actions.split(",")) <= set(own_actions.split(","))


def _read_token(answer: Mapping[str, Json]) -> tuple[str, float]:
    """Return a token and its life in seconds.

    Raises:
        ValueError: There is none, or it cannot stand in a header.
    """
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or _HEADER_SAFE.fullmatch(token) is None:
        raise ValueError
    life = answer.get("expires_in")
    if isinstance(life, bool) or not isinstance(life, int | float):
        return token, _DEFAULT_LIFE
    return token, float(min(max(life, 0), _MAX_LIFE))
