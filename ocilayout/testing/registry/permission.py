"""Who may do what: Basic authentication, and bearer tokens from the registry's own `/token`."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable
from urllib.parse import parse_qs

from attrs import define, field

from ocilayout.signature import checked
from ocilayout.testing.registry.reply import Answer, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ocilayout.testing.registry.request import Request

_READS: Final = frozenset({"GET", "HEAD"})


@runtime_checkable
class Auth(Protocol):
    """Decides which requests are allowed."""

    def challenge(self, request: Request, url: str) -> Answer | None:
        """Return a refusal, or `None` if a request is allowed.

        Args:
            request: The request.
            url: The address of the registry, without a slash at the end.
        """
        ...

    def grant(self, request: Request) -> Answer:
        """Answer a request for a token."""
        ...


@checked
@define
class BasicAuth:
    """Allows requests with the name and the password of a user.

    Attributes:
        users: Passwords by user names.
    """

    users: Mapping[str, str]

    def challenge(self, request: Request, url: str) -> Answer | None:
        """Return a refusal, or `None` if a request has the name and password of a user."""
        del url
        if _user(request, self.users):
            return None
        demand = {"WWW-Authenticate": 'Basic realm="loopback"'}
        return refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", headers=demand)

    def grant(self, request: Request) -> Answer:
        """Refuse, as Basic authentication has no tokens."""
        del request
        return refusal(HTTPStatus.NOT_FOUND, "UNSUPPORTED")


@checked
@define
class Token:
    """A token that was issued.

    Attributes:
        value: The token.
        access: What it allows, as `repository:team/app:pull`, one action each.
        user: The user that it was issued to; empty for anonymous.
        left: How many more requests it is valid for; `None` for any number.
    """

    value: str
    access: frozenset[str]
    user: str
    left: int | None = None


@checked
@define
class TokenAuth:
    """Allows requests with a token for what they do, which `/token` issues to users.

    Tokens do not expire by the clock, which a test could not rely on, but when `expire` is called,
    or after a number of requests.

    Attributes:
        users: Passwords by user names.
        anonymous_pull: Whether to issue tokens to pull without a password.
        uses: How many requests a token is valid for; `None` for any number.
        life: The stated life of a token, in seconds; `None` to state none.
        service: The name of the service in challenges.
        realm: The token server in challenges; the registry's own `/token` if `None`.
        insufficient: The status for a token that does not allow the request: 401 as in CNCF's
            registry, or 403 as in RFC 6750 and others.
        issued: Every token that was issued, expired ones too, in order.
    """

    users: Mapping[str, str]
    anonymous_pull: bool = False
    uses: int | None = None
    life: int | None = 300
    service: str = "loopback"
    realm: str | None = None
    insufficient: int = HTTPStatus.UNAUTHORIZED
    issued: list[Token] = field(factory=list, init=False)
    _valid: dict[str, Token] = field(factory=dict, init=False)
    _refresh: dict[str, str] = field(factory=dict, init=False)

    def expire(self) -> None:
        """Make all tokens invalid; refresh tokens stay valid."""
        self._valid.clear()

    def challenge(self, request: Request, url: str) -> Answer | None:
        """Return a refusal, or `None` if a request has a token that allows it."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        token = self._valid.get(value.strip()) if scheme.lower() == "bearer" else None
        needed = required_access(request)
        if token is not None and needed <= token.access:
            if token.left is not None:
                token.left -= 1
                if token.left <= 0:
                    self._valid.pop(token.value, None)
            return None
        demand = f'Bearer realm="{self.realm or url + "/token"}",service="{self.service}"'
        if needed:
            demand += f',scope="{_as_scopes(needed)}"'
        if scheme:
            demand += f',error="{"invalid_token" if token is None else "insufficient_scope"}"'
        status = HTTPStatus.UNAUTHORIZED if token is None else self.insufficient
        return refusal(status, "UNAUTHORIZED", headers={"WWW-Authenticate": demand})

    def grant(self, request: Request) -> Answer:
        """Issue a token for a GET with Basic authentication or an OAuth2 POST."""
        if request.method == "POST":
            form = parse_qs(request.body.decode("latin-1"))
        else:
            form = request.query
        user = self._grantee(request, form)
        if user is None:
            return refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
        scopes = " ".join(form.get("scope", []))
        access = {one for one in _accesses(scopes) if user or one.endswith(":pull")}
        token = Token(secrets.token_hex(16), frozenset(access), user, self.uses)
        self.issued.append(token)
        self._valid[token.value] = token
        document: dict[str, object] = {"token": token.value, "access_token": token.value}
        if self.life is not None:
            document["expires_in"] = self.life
        if "offline" in form.get("access_type", []) or form.get("offline_token") == ["true"]:
            document["refresh_token"] = self.refresh_token(user)
        body = json.dumps(document).encode()
        return reply(HTTPStatus.OK, body, media_type="application/json")

    def refresh_token(self, user: str) -> str:
        """Return a new refresh token of a user, which clients store as an identity token."""
        value = secrets.token_hex(16)
        self._refresh[value] = user
        return value

    def _grantee(self, request: Request, form: Mapping[str, list[str]]) -> str | None:
        """Return the user to issue a token to; empty for anonymous, `None` for a refusal."""
        kind = form.get("grant_type", [""])[0] if request.method == "POST" else ""
        if kind == "refresh_token":
            return self._refresh.get(form.get("refresh_token", [""])[0])
        if kind == "password":
            name = form.get("username", [""])[0]
            right = name in self.users and form.get("password") == [self.users[name]]
            return name if right else None
        if "Authorization" in request.headers:
            return _user(request, self.users)
        return "" if self.anonymous_pull else None


def required_access(request: Request) -> frozenset[str]:
    """Return the access that a request needs, as `repository:team/app:pull`, one action each."""
    if request.endpoint == "catalog":
        return frozenset({"registry:catalog:*"})
    if not request.name:
        return frozenset()
    if request.method in _READS and request.endpoint != "upload":
        actions = {"pull"}
    else:
        actions = {"delete"} if request.method == "DELETE" else {"pull", "push"}
    return frozenset(f"repository:{request.name}:{action}" for action in actions)


def _as_scopes(accesses: Iterable[str]) -> str:
    grouped: dict[str, list[str]] = {}
    for access in sorted(accesses):
        resource, _, action = access.rpartition(":")
        grouped.setdefault(resource, []).append(action)
    return " ".join(f"{resource}:{','.join(actions)}" for resource, actions in grouped.items())


def _accesses(scopes: str) -> Iterable[str]:
    for scope in scopes.split():
        resource, _, actions = scope.rpartition(":")
        yield from (f"{resource}:{action}" for action in actions.split(","))


def _user(request: Request, users: Mapping[str, str]) -> str | None:
    """Return the user whose name and password a request has, or `None`."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if users.get(name) == password else None
