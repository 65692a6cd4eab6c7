"""Credentials: who somebody is to a registry. None of them shows what is secret in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus

from attrs import field, frozen

from ocilayout.errors import InvalidNameError

_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


@frozen
class Credentials:
    """A user of a registry.

    Attributes:
        username: The name; without a colon, which ends it in Basic authentication.
        password: The password, or a token that the registry takes in its place.
        identity_token: What a login left in place of a password: it is exchanged for tokens at
            the token server, by OAuth2. Empty if there is none; with one, name and password are
            not used.

    Raises:
        InvalidNameError: The name holds a colon.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidNameError("a user name must not hold a colon")

    def basic(self) -> str:
        """Return the value of `Authorization` for Basic authentication: RFC 7617, in UTF-8."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    def secrets(self) -> tuple[str, ...]:
        """Return what nobody else may see."""
        found = (self.password, self.identity_token)
        return tuple(secret for secret in (*found, self.basic().removeprefix("Basic ")) if secret)


Finder = Callable[[str], Credentials | None]
"""Finds out who to be to a repository, `host/path`; `None` for nobody."""


def is_token(value: object) -> bool:
    """Tell whether something can stand in a header as a token."""
    return isinstance(value, str) and _HEADER_SAFE.fullmatch(value) is not None


class Secrets:
    """What must not be shown, so that it is known again when somebody else says it."""

    def __init__(self) -> None:
        """Know of nothing."""
        self._known: set[str] = set()

    def add(self, *secrets: str) -> None:
        """Take note of secrets, as they are and as they stand in an address or in Base64."""
        for secret in secrets:
            coded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode("ascii")
            plain = secret.encode("utf-8", "replace").decode()
            forms = (secret, quote(plain), quote(plain, safe=""), quote_plus(plain), coded)
            self._known.update(form.rstrip("=").lower() for form in forms)
        self._known.discard("")

    def within(self, text: str) -> bool:
        """Tell whether a text holds one of them, in whatever case."""
        text = text.lower()
        return any(secret in text for secret in self._known)
