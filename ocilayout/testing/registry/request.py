"""Requests, the endpoints that they are for, and the rules that say which of them meet a fault."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field

from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message
    from typing import Self

    from ocilayout.testing.registry.reply import Answer

# distribution-spec, Pulling manifests; the grammar of <name>
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = rf"/v2/(?P<name>{_COMPONENT}(?:/{_COMPONENT})*)"
_END: Final = r"(?P<reference>[^/]+)"

_PATHS: Final = {
    "api": re.compile(r"/v2/?"),
    "token": re.compile(r"/token"),
    "catalog": re.compile(r"/v2/_catalog"),
    "tags": re.compile(rf"{_NAME}/tags/list"),
    "referrers": re.compile(rf"{_NAME}/referrers/{_END}"),
    "manifest": re.compile(rf"{_NAME}/manifests/{_END}"),
    "uploads": re.compile(rf"{_NAME}/blobs/uploads/?"),
    "upload": re.compile(rf"{_NAME}/blobs/uploads/{_END}"),
    "blob": re.compile(rf"{_NAME}/blobs/{_END}"),
}

ENDPOINTS: Final = tuple(_PATHS)
"""The endpoints of the API by name: `api` is its root, `uploads` begins an upload, and `upload` is
an upload that was begun."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods of the API."""


class _Line(NamedTuple):
    method: str
    path: str


class Request(_Line):
    """A request. It compares and unpacks like the pair of its method and path.

    The body is read when it is asked for, so a fault can act before it arrives.

    Attributes:
        target: Path and query as they were sent.
        query: The decoded arguments of the query; each may have several values.
        headers: The headers; names in any case.
        endpoint: The endpoint, one of `ENDPOINTS`, or empty for any other path.
        name: The repository, or empty.
        reference: The tag, the digest or the id of an upload at the end of the path, or empty.
        whole: Whether the body arrived to its end; true until it is known that it did not.
    """

    target: str
    query: dict[str, list[str]]
    headers: Message
    endpoint: str
    name: str
    reference: str
    whole: bool

    def __new__(
        cls,
        method: str,
        target: str,
        headers: Message,
        incoming: Iterable[bytes],
        on_body: Callable[[bytes], object] = bool,
    ) -> Self:
        """Create a request whose body was not read yet.

        Args:
            method: The method.
            target: Path and query.
            headers: The headers.
            incoming: The body, in pieces; raises `EOFError` if the connection ends before it.
            on_body: Called with the body, if it is not empty, once it was read.
        """
        parts = urlsplit(target)
        made = super().__new__(cls, method, unquote(parts.path))
        made.target = target
        made.query = parse_qs(parts.query, keep_blank_values=True)
        made.headers = headers
        made.endpoint = made.name = made.reference = ""
        for endpoint, pattern in _PATHS.items():
            match = pattern.fullmatch(made.path)
            if match is not None:
                groups = match.groupdict()
                made.endpoint = endpoint
                made.name = groups.get("name", "")
                made.reference = groups.get("reference", "")
                break
        made.whole = True
        made._incoming = iter(incoming)
        made._on_body = on_body
        made._body = None
        return made

    _incoming: Iterator[bytes]
    _on_body: Callable[[bytes], object]
    _body: bytes | None

    def argument(self, name: str) -> str:
        """Return the first argument of a name in the query, or an empty text."""
        return self.query.get(name, [""])[0]

    @property
    def body(self) -> bytes:
        """The body, as much of it as arrived before the connection broke."""
        return self.receive()

    def receive(self, limit: int | None = None) -> bytes:
        """Read the body, unless it was read before, and return it.

        Args:
            limit: The most bytes to read, >= 0; the rest is lost, and so is the connection.
        """
        if self._body is None:
            parts: list[bytes] = []
            size = 0
            try:
                while limit is None or size < limit:
                    parts.append(next(self._incoming))
                    size += len(parts[-1])
                self.whole = False
            except StopIteration:
                pass
            except (EOFError, OSError):
                self.whole = False
            self._body = b"".join(parts)[:limit]
            if self._body:
                self._on_body(self._body)
        return self._body


Proceed = Callable[[], "Answer"]
"""Lets the registry answer a request correctly."""

Fault = Callable[["Request", Proceed], "Answer"]
"""A way to misbehave: returns the answer to a request.

If it does not call `Proceed`, then nothing is stored, deleted or begun.
"""


@checked
@define(eq=False)
class Rule:
    """A fault, and the requests that meet it; `LoopbackRegistry.misbehave` documents the others.

    Attributes:
        skip: How many such requests are answered correctly before the next that meets it.
        count: How many requests have met it so far.

    Raises:
        ValueError: `on` is not a method and an endpoint.
    """

    on: str
    fault: Fault
    name: str | None = None
    reference: str | None = None
    skip: int = 0
    times: int | None = None
    count: int = field(default=0, init=False)
    _kind: tuple[str | None, str | None] = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._kind = _parse_kind(self.on)

    def matches(self, request: Request) -> bool:
        """Tell whether a request meets the fault, and count it."""
        expected = (*self._kind, self.name, self.reference)
        actual = (request.method, request.endpoint, request.name, request.reference)
        pairs = zip(expected, actual, strict=True)
        if any(wanted not in (None, value) for wanted, value in pairs):
            return False
        with self._lock:
            if self.skip > 0:
                self.skip -= 1
                return False
            if self.times is not None and self.count >= self.times:
                return False
            self.count += 1
            return True


def _parse_kind(on: str) -> tuple[str | None, str | None]:
    words = on.split()
    method = words.pop(0) if words and words[0] in METHODS else None
    endpoint = words.pop(0) if words and words[0] in ENDPOINTS else None
    if words or not on.strip():
        raise ValueError(
            f"{on!r} is not a kind of request; say a method ({', '.join(METHODS)}), an endpoint"
            f" ({', '.join(ENDPOINTS)}), or one after the other, such as 'GET blob'"
        )
    return method, endpoint
