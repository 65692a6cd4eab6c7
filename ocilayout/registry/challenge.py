"""The grammar of `WWW-Authenticate`, by which a server asks for credentials.

Which challenge is met, and how, is decided in `ocilayout.registry.auth`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

# RFC 9110, sections 5.6 and 11:
#   WWW-Authenticate = #challenge
#   challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
#   auth-param       = token BWS "=" BWS ( token / quoted-string )
#   quoted-string    = DQUOTE *( qdtext / quoted-pair ) DQUOTE
# token68 is letters, digits and -._~+/, then any number of =. A list may have empty elements.
# The bytes of obs-text, above 0x7F, are taken as they are. Registries write more than that: a value
# such as realm=/ without quotes is accepted, a parameter that stands there twice counts as it is
# first, and what cannot be read is skipped up to the next comma.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 # a grammar rule
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\U0010ffff]|\\[\t \x21-\x7e\x80-\U0010ffff])*"'
_BARE = r"(?!=*[ \t]*(?:,|\Z))[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+"
_COMMAS = re.compile(r"[ \t,]*")
_SCHEME = re.compile(rf"({_TOKEN})(?=[ \t,]|\Z)")
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_QUOTED}|{_BARE})[ \t]*(?=,|\Z)")
# Tried where auth-param does not match: `abc=` and `abc==` can only be a token68.
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|\Z)")
_SPACES = re.compile(r"[ \t]+")
# Quotes are not regarded here, or a hostile header would take the square of its length.
_UNREADABLE = re.compile(r"[^,]*")
_ESCAPED = re.compile(r"\\(.)")


@frozen(kw_only=True)
class Challenge:
    """One challenge.

    Attributes:
        scheme: The scheme in lower case, such as `bearer`.
        parameters: Values without quotes, by names in lower case.
        token68: The value in place of parameters, or `None`.
    """

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict)
    token68: str | None = None


def parse_challenges(text: str) -> tuple[Challenge, ...]:
    """Return the challenges in the value of a `WWW-Authenticate` header, in order.

    What is outside the grammar is left out: a challenge, or some of its parameters.
    """
    challenges: list[Challenge] = []
    position = _end(_COMMAS, text, 0)
    while position < len(text):
        scheme = _SCHEME.match(text, position)
        if scheme is None:
            position = _end(_UNREADABLE, text, position)
        else:
            challenge, position = _parse_challenge(scheme[1].lower(), text, scheme.end())
            challenges.append(challenge)
        position = _end(_COMMAS, text, position)
    return tuple(challenges)


def _parse_challenge(scheme: str, text: str, position: int) -> tuple[Challenge, int]:
    spaces = _SPACES.match(text, position)
    parameters: dict[str, str] = {}
    if spaces is not None:
        position = spaces.end()
        token68 = _TOKEN68.match(text, position)
        if token68 is not None and _PARAMETER.match(text, position) is None:
            return Challenge(scheme=scheme, token68=token68[1]), token68.end()
    while position < len(text):
        parameter = _PARAMETER.match(text, position)
        if parameter is not None:
            parameters.setdefault(parameter[1].lower(), _unquote(parameter[2]))
            position = parameter.end()
        elif text[position] != ",":
            position = _end(_UNREADABLE, text, position)
        following = _end(_COMMAS, text, position)
        if _SCHEME.match(text, following) is not None and not _PARAMETER.match(text, following):
            break
        position = following
    return Challenge(scheme=scheme, parameters=parameters), position


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _unquote(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
