"""What the registry says: other headers, other bytes, with a length that fits them."""

from __future__ import annotations

import gzip as gzip_format
import itertools
import json
from typing import TYPE_CHECKING, Any

from ocilayout.model import OCI_MANIFEST, Digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.testing.registry.exchange import Answer, Request
    from ocilayout.testing.registry.rule import Fault

    Proceed = Callable[[], Answer]


def header(name: str, value: str | None) -> Fault:
    """Say something else in a header.

    Args:
        name: The header.
        value: Its value, sent to the letter, line breaks too; `None` leaves the header out.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_header(name, value)
        return found

    return fault


def status(value: int) -> Fault:
    """Say another status, with the headers and the body of the right one.

    Args:
        value: The status.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.status = value
        return found

    return fault


def body(data: bytes) -> Fault:
    """Send another body, of a length that fits its header.

    Args:
        data: The body.
    """
    return _rewritten(lambda _: data)


def flip(at: int = 0) -> Fault:
    """Send a body of the right length with one wrong bit.

    Args:
        at: Which byte holds it, from 0, or from -1 at the end.
    """

    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        return bytes(spoilt)

    return _rewritten(change)


def grow(data: bytes = b"\0") -> Fault:
    """Send a body with more behind it, of a length that fits its header.

    Args:
        data: What comes behind it.
    """
    return _rewritten(lambda honest: honest + data)


def shrink(by: int = 1) -> Fault:
    """Send a body without its last bytes, of a length that fits its header.

    Args:
        by: How many bytes are missing, > 0.
    """
    return _rewritten(lambda data: data[:-by])


def rewrite(change: Callable[[Any], Any]) -> Fault:
    """Send another JSON document.

    Args:
        change: Given the right document, returns the one to send.
    """
    return _rewritten(lambda data: json.dumps(change(json.loads(data))).encode())


def gzip() -> Fault:
    """Send a body compressed, with `Content-Encoding`, although nobody asked for that."""

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_body(gzip_format.compress(b"".join(found.pieces())))
        found.set_header("Content-Encoding", "gzip")
        return found

    return fault


def endless(key: str = "tags") -> Fault:
    """Let a list go on without end, one new name a page.

    Args:
        key: What the list is of: `tags`, `repositories`, or `manifests` for referrers.
    """
    count = itertools.count(1)

    def change(document: dict[str, Any], number: int) -> dict[str, Any]:
        if key != "manifests":
            return {**document, key: [f"endless-{number}"]}
        digest = str(Digest.of(str(number).encode()))
        return {**document, key: [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}]}

    def fault(request: Request, proceed: Proceed) -> Answer:
        number = next(count)
        found = rewrite(lambda document: change(document, number))(request, proceed)
        found.set_header("Link", f'<{request.path}?page={number}>; rel="next"')
        return found

    return fault


def _rewritten(change: Callable[[bytes], bytes]) -> Fault:
    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        found.set_body(change(b"".join(found.pieces())))
        return found

    return fault
