"""What a registry says no with: the error of a status, with its codes, its words and advice.

The words of a registry are shown if they hold no secret that it was sent, without what a terminal
would obey, and cut short.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.errors import AuthError, OciLayoutError, RateLimitedError, RegistryError
from ocilayout.model import parse_json
from ocilayout.registry.address import origin
from ocilayout.registry.auth import refusal
from ocilayout.registry.patience import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.model import Json
    from ocilayout.registry.answer import Answer

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429

_MAX_ERROR: Final = 64 * 1024  # bytes
_MAX_ENTRIES: Final = 16
_MAX_WORDS: Final = 200  # characters of what a registry says that are shown
# distribution-spec, Error codes: upper-case letters, digits and _.
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

_ADVICE: Final = {
    "BLOB_UPLOAD_INVALID": "try again; the registry gave the upload up",
    "BLOB_UPLOAD_UNKNOWN": "try again; the registry forgot the upload",
    "DIGEST_INVALID": "something on the way changes content, or the registry knows only sha256",
    "MANIFEST_BLOB_UNKNOWN": "push what the manifest refers to first",
    "NAME_INVALID": "the registry takes no repository of that name",
    "NAME_UNKNOWN": "look at the name of the repository; maybe it has to be made first",
    "SIZE_INVALID": "the registry has a limit for what it takes, or something changes content",
    "TOOMANYREQUESTS": "come back later, or log in for a higher limit",
    "UNSUPPORTED": "the registry does not do that, or was told not to",
}
_ADVICE_BY_STATUS: Final = {
    405: "the registry does not do that, or was told not to",
    413: "it is larger than the registry, or a proxy before it, takes",
    500: "that is the registry's own failure; try again later",
    502: "what stands before the registry does not reach it; try again later",
    503: "the registry is not available; try again later",
    504: "what stands before the registry does not reach it; try again later",
}


@frozen(kw_only=True)
class Refuser:
    """Makes errors of the answers to one repository's requests.

    Attributes:
        path: The path of the repository.
        known: Tells whether there are credentials.
        reveals: Tells whether a text holds a secret.
        retry: How a `Retry-After` is read.
    """

    path: str
    known: Callable[[], bool]
    reveals: Callable[[str], bool]
    retry: Retry

    def error(self, answer: Answer, method: str) -> RegistryError:
        """Return the error of an answer whose status is a failure.

        Spec: distribution:errors, distribution:docker-codes.
        """
        status, host = answer.status, origin(answer.url)
        entries = _read_entries(answer)
        codes = tuple(code for code, _ in entries)
        words = self._words(text for _, text in entries)
        said = ", ".join(codes) + (f": {words}" if words and codes else words)
        named = f" ({said})" if said else ""
        if status in {_UNAUTHORIZED, _FORBIDDEN}:
            reason = refusal(known=self.known())
            return AuthError(f"{host} {reason}{named}", status=status, codes=codes)
        if status == _TOO_MANY:
            wait = self.retry.asked(answer.header("Retry-After"))
            when = "later" if wait is None else f"in {wait:.0f} seconds"
            return RateLimitedError(
                f"{host} has had too many requests; come back {when}{named}",
                status=status,
                codes=codes,
                retry_after=wait,
            )
        advice = next((_ADVICE[code] for code in codes if code in _ADVICE), None)
        advice = advice or _ADVICE_BY_STATUS.get(status)
        return RegistryError(
            f"{host} answers {status}{named} to {method} in {self.path}"
            + (f"; {advice}" if advice else ""),
            status=status,
            codes=codes,
        )

    def _words(self, texts: Iterator[str]) -> str:
        """Return what a registry says in its own words, as far as it may be shown."""
        found = dict.fromkeys(text for text in texts if text)
        return shown("; ".join(text for text in found if not self.reveals(text)))


def shown(text: str) -> str:
    """Return somebody else's text for a person: in one line, printable, and cut short."""
    line = " ".join(text.split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= _MAX_WORDS else f"{line[:_MAX_WORDS]}..."


def _read_entries(answer: Answer) -> list[tuple[str, str]]:
    """Return codes and messages of a body, none if it is not what the specification says."""
    try:
        errors = parse_json(answer.read_all(_MAX_ERROR)).get("errors")
    except OciLayoutError:
        return []
    found = map(_read_entry, errors if isinstance(errors, list) else [])
    return [entry for entry in found if entry is not None][:_MAX_ENTRIES]


def _read_entry(entry: Json) -> tuple[str, str] | None:
    if not isinstance(entry, dict):
        return None
    code, message = entry.get("code"), entry.get("message")
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        return None
    return code, message if isinstance(message, str) else ""
