"""The error that a failed response becomes, with the registry's codes, its messages, and advice.

Messages of a registry are shown without secrets that it was sent and without what would control a
terminal, and cut short.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError, OciLayoutError, RateLimitedError, RegistryError
from ocilayout.model import parse_json
from ocilayout.registry.address import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model import Json
    from ocilayout.registry.patience import Patience
    from ocilayout.registry.response import Response

_MAX_BODY: Final = 64 * 1024  # bytes
_MAX_ENTRIES: Final = 16
_MAX_MESSAGE: Final = 200  # characters
# distribution-spec, Error codes: upper-case letters, digits and _.
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

_UNSUPPORTED: Final = "the registry does not do that, or was told not to"
_UNREACHABLE: Final = "the server in front of the registry does not reach it; try again later"
_ADVICE: Final[dict[str | int, str]] = {
    "BLOB_UPLOAD_INVALID": "try again; the registry gave the upload up",
    "BLOB_UPLOAD_UNKNOWN": "try again; the registry forgot the upload",
    "DIGEST_INVALID": "something on the way changes content, or the registry knows only sha256",
    "MANIFEST_BLOB_UNKNOWN": "push what the manifest refers to first",
    "NAME_INVALID": "the registry takes no repository of that name",
    "NAME_UNKNOWN": "look at the name of the repository; maybe it has to be made first",
    "SIZE_INVALID": "the registry has a limit for what it takes, or something changes content",
    "TOOMANYREQUESTS": "come back later, or log in for a higher limit",
    "UNSUPPORTED": _UNSUPPORTED,
    HTTPStatus.METHOD_NOT_ALLOWED: _UNSUPPORTED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "it is larger than the registry or its proxy takes in one"
    " request; a blob can be sent in chunks",
    HTTPStatus.INTERNAL_SERVER_ERROR: "that is the registry's own failure; try again later",
    HTTPStatus.BAD_GATEWAY: _UNREACHABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: "the registry is not available; try again later",
    HTTPStatus.GATEWAY_TIMEOUT: _UNREACHABLE,
}
"""What to do about a code of the distribution-spec, or about a status."""

DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""The statuses of a request that needs other credentials."""


def denial(*, logged_in: bool, offered: bool = True) -> str:
    """Return what to do about a denied request, as the rest of a sentence on the server.

    Many registries deny what does not exist, so as not to tell that it does not.

    Args:
        logged_in: Whether there are credentials.
        offered: Whether they were sent.
    """
    if not logged_in:
        reason = "does not allow anonymous access; pass Credentials, or log in"
    elif offered:
        reason = "refuses these credentials; check the user name, the password and its rights"
    else:
        reason = "denies access and asks for no credentials, so none were sent"
    return f"{reason}; the repository may not exist, either"


def status_error(
    response: Response,
    method: str,
    *,
    registry: str,
    repository: str,
    denied: str,
    reveals: Callable[[str], bool],
    patience: Patience,
) -> RegistryError:
    """Return the error for a response whose status is a failure.

    Spec: distribution:errors, distribution:docker-codes.
    """
    status, host = response.status, origin(response.url)
    entries = _read_entries(response)
    codes = tuple(code for code, _ in entries)
    messages = dict.fromkeys(text for _, text in entries if text and not reveals(text))
    details = ": ".join(filter(None, (", ".join(codes), shown("; ".join(messages)))))
    details = f" ({details})" if details else ""
    if status in DENIED and host != registry:
        # Credentials do not go there, so others would not help.
        error = AuthError if status == HTTPStatus.UNAUTHORIZED else RegistryError
        return error(
            f"{host}, to which {registry} redirects, answers {status}{details} to {method}; its"
            " address may have expired, or something on the way blocks it: try again",
            status=status,
            codes=codes,
        )
    if status in DENIED:
        return AuthError(f"{host} {denied}{details}", status=status, codes=codes)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = patience.parse_retry_after(response.header("Retry-After"))
        when = "later" if wait is None else f"in {wait:.0f} seconds"
        return RateLimitedError(
            f"{host} has had too many requests; come back {when}{details}",
            status=status,
            codes=codes,
            retry_after=wait,
        )
    advice = next((_ADVICE[key] for key in (*codes, status) if key in _ADVICE), None)
    return RegistryError(
        f"{host} answers {status}{details} to {method} in {repository}"
        + (f"; {advice}" if advice else ""),
        status=status,
        codes=codes,
    )


def shown(text: str) -> str:
    """Return a registry's text for people: one line, printable, and cut short."""
    line = " ".join(text.split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]}..."


def _read_entries(response: Response) -> list[tuple[str, str]]:
    """Return the codes and messages of a body; none if it is not as the specification says."""
    try:
        errors = parse_json(response.read_all(_MAX_BODY)).get("errors")
    except OciLayoutError:
        return []
    entries = map(_read_entry, errors if isinstance(errors, list) else [])
    return [entry for entry in entries if entry is not None][:_MAX_ENTRIES]


def _read_entry(entry: Json) -> tuple[str, str] | None:
    if not isinstance(entry, dict):
        return None
    code, message = entry.get("code"), entry.get("message")
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        return None
    return code, message if isinstance(message, str) else ""
