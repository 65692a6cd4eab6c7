"""False answers with a fitting length, and other things that the registry does or ignores."""

from __future__ import annotations

import gzip as gzip_format
import itertools
import json
from typing import TYPE_CHECKING, Any

from ocilayout.model import OCI_MANIFEST, Digest
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.testing.registry.reply import Answer
    from ocilayout.testing.registry.request import Fault, Proceed, Request


@checked
def before(action: Callable[[], object]) -> Fault:
    """Do something else first, then answer correctly.

    Args:
        action: The action, such as `registry.uploads.clear`, or `expire` of a `TokenAuth`.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        action()
        return proceed()

    return fault


@checked
def after(action: Callable[[], object]) -> Fault:
    """Do what was asked, then something else, then answer.

    Args:
        action: The action.
    """
    return _changed(lambda _: action())


@checked
def ignore(*, header: str | None = None, query: str | None = None) -> Fault:
    """Ignore a part of the request.

    Args:
        header: The header to ignore, such as `Range`.
        query: The argument of the query to ignore, such as `mount`.
    """

    def fault(request: Request, proceed: Proceed) -> Answer:
        if header is not None:
            del request.headers[header]
        if query is not None:
            request.query.pop(query, None)
        return proceed()

    return fault


@checked
def header(name: str, value: str | None) -> Fault:
    """Replace a header.

    Args:
        name: The header.
        value: The value, sent to the letter with any line breaks; `None` leaves the header out.
    """
    return _changed(lambda answer: answer.set_header(name, value))


@checked
def status(value: int) -> Fault:
    """Replace the status, with the headers and the body of the right one.

    Args:
        value: The status.
    """

    def change(answer: Answer) -> None:
        answer.status = value

    return _changed(change)


@checked
def body(data: bytes) -> Fault:
    """Replace the body, with the right length.

    Args:
        data: The body.
    """
    return _rewritten(lambda _: data)


@checked
def flip(at: int = 0) -> Fault:
    """Change one bit of the body.

    Args:
        at: The position of the byte, from 0, or from -1 at the end.
    """

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at] ^= 1
        return bytes(changed)

    return _rewritten(change)


@checked
def grow(data: bytes = b"\0") -> Fault:
    """Append bytes to the body, with the right length.

    Args:
        data: The bytes.
    """
    return _rewritten(lambda body: body + data)


@checked
def shrink(by: int = 1) -> Fault:
    """Leave out the last bytes of the body, with the right length.

    Args:
        by: How many bytes to leave out, > 0.
    """
    return _rewritten(lambda data: data[:-by])


@checked
def rewrite(change: Callable[[Any], Any]) -> Fault:
    """Replace the JSON document in the body.

    Args:
        change: Returns the document to send in place of the right one.
    """
    return _rewritten(lambda data: json.dumps(change(json.loads(data))).encode())


@checked
def gzip() -> Fault:
    """Compress the body, with `Content-Encoding`, although the client did not ask for it."""

    def change(answer: Answer) -> None:
        answer.set_body(gzip_format.compress(b"".join(answer.pieces())))
        answer.set_header("Content-Encoding", "gzip")

    return _changed(change)


@checked
def endless(key: str = "tags") -> Fault:
    """Send a list without end, with one new entry on each page.

    Args:
        key: The entries of the list: `tags`, `repositories`, or `manifests` for referrers.
    """
    count = itertools.count(1)

    def change(document: dict[str, Any], number: int) -> dict[str, Any]:
        if key != "manifests":
            return {**document, key: [f"endless-{number}"]}
        digest = str(Digest.of(str(number).encode()))
        return {**document, key: [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}]}

    def fault(request: Request, proceed: Proceed) -> Answer:
        number = next(count)
        answer = rewrite(lambda document: change(document, number))(request, proceed)
        answer.set_header("Link", f'<{request.path}?page={number}>; rel="next"')
        return answer

    return fault


def _rewritten(change: Callable[[bytes], bytes]) -> Fault:
    return _changed(lambda answer: answer.set_body(change(b"".join(answer.pieces()))))


def _changed(change: Callable[[Answer], object]) -> Fault:
    """Return a fault that lets the registry answer, and changes the answer."""

    def fault(_request: Request, proceed: Proceed) -> Answer:
        answer = proceed()
        change(answer)
        return answer

    return fault
