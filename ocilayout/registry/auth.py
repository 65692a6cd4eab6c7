"""Who we are to a registry: Basic credentials, and bearer tokens from its token server.

A password or an identity token goes to two places only: to the registry that it was given for,
and to the token server that this registry names, if that is reached over TLS. Nothing in here
shows one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode

from attrs import field, frozen

from ocilayout.errors import (
    AuthError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
)
from ocilayout.model import parse_json
from ocilayout.registry.address import is_loopback, origin, parse_address
from ocilayout.registry.challenge import Challenge, parse_challenges
from ocilayout.registry.credential import Credentials, Finder, Secrets, is_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ocilayout.model import Json
    from ocilayout.registry.answer import Answer
    from ocilayout.registry.transport import Transport

Actions = Literal["pull", "pull,push", "delete"]
"""What a request does to its repository, as scopes name it."""

_MAX_TOKEN_ANSWER: Final = 1024 * 1024  # bytes
# distribution-spec's token page: without expires_in a token is good for 60 seconds.
_DEFAULT_LIFE: Final = 60.0
_MAX_LIFE: Final = 24 * 3600.0
_MARGIN: Final = 10.0  # a token is not used in its last seconds, lest it expires on the way
_CLIENT: Final = "ocilayout"  # what a token server knows us by


@frozen
class _Token:
    value: str = field(repr=False)
    until: float


_REGISTERED: Final = frozenset(
    {
        *("digest", "dpop", "gnap", "hoba", "mutual", "negotiate", "ntlm", "oauth"),
        *("privatetoken", "scram-sha-1", "scram-sha-256", "vapid"),
    }
)
"""Schemes of authentication besides ours that are registered with IANA, and NTLM."""


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
        name: str = "",
        credentials: Credentials | Finder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            transport: How token servers are reached.
            registry: The address of the registry, `https://ghcr.io` say.
            repository: The path of the repository.
            name: What a finder of credentials is asked for.
            credentials: Who we are; what finds it out, once the registry asks; or `None` for
                nobody.
            clock: What tells the age of tokens, in seconds.
        """
        self._transport = transport
        self._registry = registry
        self._repository = repository
        self._name = name
        self._find: Finder | None = None
        self._credentials: Credentials | None = None
        self._identity = ""
        self._secrets = Secrets()
        if credentials is None or isinstance(credentials, Credentials):
            self._become(credentials)
        else:
            self._find = credentials
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

    def reveals(self, text: str) -> bool:
        """Tell whether a text has a secret in it that was sent, so that it is not shown."""
        with self._lock:
            return self._secrets.within(text)

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
            if self._find is not None:
                find, self._find = self._find, None
                self._become(find(self._name))
            if bearer is not None:
                self._bearer = bearer
                self._extra[actions] = self._more_scopes(bearer, actions)
                return self._fetch(bearer, actions)
            if not any(found.scheme == "basic" for found in challenges):
                named = {found.scheme for found in challenges}
                # Any other word may repeat what was sent.
                known = sorted(named & _REGISTERED) + ["another scheme"] * bool(named - _REGISTERED)
                names = ", ".join(known) or "nothing"
                raise AuthError(
                    f"{self._registry} asks for {names}, known are Basic and Bearer", status=401
                )
            if self._credentials is None or self._identity:
                raise AuthError(
                    f"{self._registry} wants a user name and a password; pass Credentials",
                    status=401,
                )
            self._basic = self._credentials.basic()
            return self._basic

    def _become(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        if credentials is not None:
            self._identity = credentials.identity_token
            self._secrets.add(*credentials.secrets())

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
        self._secrets.add(token)
        self._tokens[actions] = _Token(token, asked_at + life - _MARGIN)
        return f"Bearer {token}"

    def _ask(self, challenge: Challenge, scopes: Iterable[str]) -> tuple[str, float]:
        realm = self._require_realm(challenge.parameters.get("realm", ""))
        service = challenge.parameters.get("service")
        query = [] if service is None else [("service", service)]
        ask = self._exchange if self._identity else self._request
        with ask(realm, query, scopes) as answer:
            if answer.status != 200:  # noqa: PLR2004 # the status named OK
                raise self._refused(answer.status, realm)
            body = answer.read_all(_MAX_TOKEN_ANSWER)
        try:
            document = parse_json(body)
            found = _read_token(document)
        except (OciLayoutError, ValueError):
            # Not chained: the reason could quote the token.
            raise RegistryError(
                f"the token server {origin(realm)} answered without a usable token", status=200
            ) from None
        following = document.get("refresh_token")
        if self._identity and isinstance(following, str) and following:
            self._identity = following  # the one before may be used up
            self._secrets.add(following)
        return found

    def _request(self, realm: str, query: list[tuple[str, str]], scopes: Iterable[str]) -> Answer:
        """Ask for a token as distribution-spec's token page says, with a password or none."""
        query = query + [("scope", scope) for scope in scopes]
        return self._transport.request(
            "GET",
            f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}",
            headers={"Accept": "application/json"},
            authorization=None if self._credentials is None else self._credentials.basic(),
        )

    def _exchange(self, realm: str, query: list[tuple[str, str]], scopes: Iterable[str]) -> Answer:
        """Ask for a token by OAuth2, RFC 6749 section 6, with an identity token."""
        form = [
            ("grant_type", "refresh_token"),
            *query,
            ("client_id", _CLIENT),
            ("scope", " ".join(scopes)),
            ("refresh_token", self._identity),
        ]
        return self._transport.request(
            "POST",
            realm,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(form).encode(),
            follow=False,
        )

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
    return "does not serve strangers; pass Credentials, or log in"


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
    if not isinstance(token, str) or not is_token(token):
        raise ValueError
    life = answer.get("expires_in")
    if isinstance(life, bool) or not isinstance(life, int | float):
        return token, _DEFAULT_LIFE
    return token, float(min(max(life, 0), _MAX_LIFE))
