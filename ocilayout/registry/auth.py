"""Authentication at one registry: Basic, and bearer tokens from its token server.

A password or an identity token goes to two places only: to the registry that it was given for, and
to the token server that this registry names, if that is reached over TLS. No secret is shown.
"""

from __future__ import annotations

import re
import threading
import time
from http import HTTPStatus
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
from ocilayout.registry.credential import CredentialFinder, Credentials, Secrets
from ocilayout.registry.refusal import DENIED, denial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ocilayout.model import Json
    from ocilayout.registry.response import Response
    from ocilayout.registry.transport import Transport

Actions = Literal["pull", "pull,push", "*"]
"""The actions of a request on its repository, as a scope names them."""

_MAX_TOKEN_RESPONSE: Final = 1024 * 1024  # bytes
# distribution-spec's token page: without expires_in a token is valid for 60 seconds.
_DEFAULT_LIFE: Final = 60.0
_MAX_LIFE: Final = 24 * 3600.0
_MARGIN: Final = 10.0  # seconds before its end; a token must not expire on the way
_CLIENT_ID: Final = "ocilayout"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")

_REGISTERED_SCHEMES: Final = frozenset(
    {
        *("digest", "dpop", "gnap", "hoba", "mutual", "negotiate", "ntlm", "oauth"),
        *("privatetoken", "scram-sha-1", "scram-sha-256", "vapid"),
    }
)
"""Other schemes of authentication that are registered with IANA, and NTLM."""


@frozen
class _Token:
    value: str = field(repr=False)
    until: float


class Authenticator:
    """Meets the challenges of one registry, for one repository.

    After the first challenge it sends the right `Authorization` unasked.

    Args:
        transport: The connections to token servers.
        registry: The address of the registry, such as `https://ghcr.io`.
        repository: The path of the repository.
        name: The argument for a finder of credentials, which is called at the first challenge.
        credentials: As for `Repository`.
        plain_http: Whether the caller said that nothing need be encrypted.
        clock: Returns the time in seconds, for the age of tokens.

    Spec: distribution:authentication.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        registry: str,
        repository: str,
        name: str = "",
        credentials: Credentials | CredentialFinder | None = None,
        plain_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._registry = registry
        self._repository = repository
        self._name = name
        self._find: CredentialFinder | None = None
        self._credentials: Credentials | None = None
        self._identity = ""
        self._secrets = Secrets()
        if credentials is None or isinstance(credentials, Credentials):
            self._use(credentials)
        else:
            self._find = credentials
        self._plain_http = plain_http
        self._clock = clock
        self._lock = threading.RLock()
        self._basic: str | None = None
        self._bearer: Challenge | None = None
        self._tokens: dict[Actions, _Token] = {}

    @property
    def logged_in(self) -> bool:
        """Whether there are credentials."""
        return self._credentials is not None

    @property
    def may_log_in(self) -> bool:
        """Whether there are credentials, or may be some once they are looked for."""
        return self._credentials is not None or self._find is not None

    def reveals(self, text: str) -> bool:
        """Tell whether a text contains a secret, so that it must not be shown."""
        with self._lock:
            return self._secrets.appear_in(text)

    def header(self, actions: Actions) -> str | None:
        """Return the value of `Authorization` to send with a request at first, or `None`.

        Raises:
            RegistryError: A token had expired and could not be replaced.
        """
        with self._lock:
            if self._bearer is None:
                return self._basic
            token = self._tokens.get(actions)
            if token is not None and self._clock() < token.until:
                return f"Bearer {token.value}"
            return self._fetch(self._bearer, actions)

    def renew(self, actions: Actions, texts: Iterable[str], *, extra: bool = True) -> str:
        """Return the value of `Authorization` that meets the challenges of a refusal.

        Args:
            actions: The actions to be authorized for.
            texts: The values of `WWW-Authenticate`; what cannot be read in them is skipped.
            extra: Whether to ask for scopes that the challenge names beyond the repository's own.
                They are for this request alone: the next one may not be given them.

        Raises:
            AuthError: There are no credentials that the registry would accept, or they would have
                to be sent where they must not go.
            RegistryError: The token server failed.
        """
        challenges = [challenge for text in texts for challenge in parse_challenges(text)]
        bearers = [one for one in challenges if one.scheme == "bearer"]
        # One whose realm cannot be read is of use only to name it in the error.
        bearer = next((one for one in bearers if "realm" in one.parameters), None)
        schemes = {challenge.scheme for challenge in challenges}
        if bearer is None and bearers and "basic" not in schemes:
            bearer = bearers[0]
        with self._lock:
            if self._find is not None:
                find, self._find = self._find, None
                self._use(find(self._name))
            if bearer is not None:
                scopes = self._extra_scopes(bearer, actions) if extra else ()
                authorization = self._fetch(bearer, actions, scopes)
                self._bearer = bearer
                return authorization
            if "basic" not in schemes:
                # A word that is not registered may be a secret that the registry sends back.
                names = sorted(schemes & _REGISTERED_SCHEMES)
                names += ["another scheme"] * bool(schemes - _REGISTERED_SCHEMES)
                if not names:
                    raise self._error(
                        "asks for credentials in a WWW-Authenticate that cannot be read"
                    )
                raise self._error(f"asks for {', '.join(names)}, known are Basic and Bearer")
            if self._credentials is None or self._identity:
                raise self._error("wants a user name and a password; pass Credentials")
            self._basic = self._credentials.basic()
            return self._basic

    def _error(self, text: str) -> AuthError:
        return AuthError(f"{self._registry} {text}", status=HTTPStatus.UNAUTHORIZED)

    def _use(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        if credentials is not None:
            self._identity = credentials.identity_token
            self._secrets.add(*credentials.secrets())

    def _own_scope(self, actions: Actions) -> str:
        return f"repository:{self._repository}:{actions}"

    def _extra_scopes(self, challenge: Challenge, actions: Actions) -> tuple[str, ...]:
        """Return the scopes that a registry asks for in addition to the request's own."""
        asked = challenge.parameters.get("scope", "").split()
        return tuple(scope for scope in asked if not _covers(self._own_scope(actions), scope))

    def _fetch(self, challenge: Challenge, actions: Actions, extra: tuple[str, ...] = ()) -> str:
        asked_at = self._clock()
        token, life = self._request_token(challenge, (self._own_scope(actions), *extra))
        self._secrets.add(token)
        if not extra:
            self._tokens[actions] = _Token(token, asked_at + life - _MARGIN)
        return f"Bearer {token}"

    def _request_token(self, challenge: Challenge, scopes: Iterable[str]) -> tuple[str, float]:
        realm = self._require_realm(challenge.parameters.get("realm", ""))
        service = challenge.parameters.get("service")
        query = [] if service is None else [("service", service)]
        request = self._request_by_oauth2 if self._identity else self._request_by_basic
        with request(realm, query, scopes) as response:
            if response.status != HTTPStatus.OK:
                raise self._refused(response.status, realm)
            body = response.read_all(_MAX_TOKEN_RESPONSE)
        try:
            document = parse_json(body)
            token = _read_token(document)
        except (OciLayoutError, ValueError):
            # Not chained: the reason may quote the token.
            raise RegistryError(
                f"the token server {origin(realm)} answered without a usable token",
                status=HTTPStatus.OK,
            ) from None
        following = document.get("refresh_token")
        if self._identity and isinstance(following, str) and following:
            self._identity = following  # the server may accept each one once only
            self._secrets.add(following)
        return token

    def _request_by_basic(
        self, realm: str, query: list[tuple[str, str]], scopes: Iterable[str]
    ) -> Response:
        """Request a token as distribution-spec's token page says, with a password if any."""
        query = query + [("scope", scope) for scope in scopes]
        return self._transport.request(
            "GET",
            f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}",
            headers={"Accept": "application/json"},
            authorization=None if self._credentials is None else self._credentials.basic(),
        )

    def _request_by_oauth2(
        self, realm: str, query: list[tuple[str, str]], scopes: Iterable[str]
    ) -> Response:
        """Request a token by OAuth2, RFC 6749 section 6, with an identity token."""
        form = [
            ("grant_type", "refresh_token"),
            *query,
            ("client_id", _CLIENT_ID),
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
            follow="nowhere",
        )

    def _require_realm(self, realm: str) -> str:
        parsed = parse_address(realm)
        own = parse_address(self._registry)
        if parsed is None or own is None:
            raise self._error(
                "names no token server that can be asked, or its WWW-Authenticate cannot be read"
            )
        both_here = is_loopback(own.host or "") and is_loopback(parsed.host or "")
        # Where the registry itself may be asked in the clear, Basic would go out in the clear, too.
        plain = own.scheme == "http" and (both_here or self._plain_http or not self.logged_in)
        if parsed.scheme == "http" and not plain:
            raise self._error(
                f"wants a token from {origin(parsed.url)}, which is not encrypted; nothing was sent"
                " there"
            )
        return parsed.url

    def _refused(self, status: int, realm: str) -> RegistryError:
        server = f"the token server {origin(realm)}"
        if status in DENIED:
            return AuthError(f"{server} {denial(logged_in=self.logged_in)}", status=status)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError(f"{server} asks to come back later", status=status)
        return RegistryError(f"{server} answers {status}", status=status)


def _covers(own: str, scope: str) -> bool:
    """Tell whether a scope includes all that another one asks for."""
    resource, _, actions = scope.rpartition(":")
    own_resource, _, own_actions = own.rpartition(":")
    return resource == own_resource and set(actions.split(",")) <= set(own_actions.split(","))


def _read_token(document: Mapping[str, Json]) -> tuple[str, float]:
    """Return a token and its life in seconds.

    Raises:
        ValueError: There is no token, or it cannot be sent in a header.
    """
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or _VISIBLE.fullmatch(token) is None:
        raise ValueError
    life = document.get("expires_in")
    if isinstance(life, bool) or not isinstance(life, int | float):
        return token, _DEFAULT_LIFE
    return token, float(min(max(life, 0), _MAX_LIFE))
