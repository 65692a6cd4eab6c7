"""Answers in place of the registry's, which then stores, deletes and begins nothing."""

from __future__ import annotations

import itertools
from http import HTTPStatus
from typing import TYPE_CHECKING

from ocilayout.model import Digest, is_digest
from ocilayout.signature import checked
from ocilayout.testing.registry.reply import Answer, HangUpError, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocilayout.testing.registry.request import Fault, Proceed, Request


@checked
def answer(
    status: int,
    body: bytes = b"",
    *,
    media_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fault:
    """Give this answer to every request.

    Args:
        status: The status.
        body: The body.
        media_type: The media type of the body.
        headers: More headers.
    """
    return lambda _request, _proceed: reply(status, body, media_type=media_type, headers=headers)


@checked
def refuse(
    status: int, code: str = "UNKNOWN", *, headers: Mapping[str, str] | None = None
) -> Fault:
    """Refuse with an error in the form of the distribution-spec.

    Args:
        status: The status, such as 503.
        code: The code of the error.
        headers: More headers, such as `{"Retry-After": "1"}`.
    """
    return lambda _request, _proceed: refusal(status, code, headers=headers)


@checked
def redirect(
    to: str, *, status: int = HTTPStatus.TEMPORARY_REDIRECT, keep_path: bool = False
) -> Fault:
    """Redirect to another address.

    Args:
        to: The value of `Location`.
        status: The status.
        keep_path: Whether to append the path and the query of the request to `to`.
    """

    def fault(request: Request, _proceed: Proceed) -> Answer:
        return reply(status, headers={"Location": to + request.target if keep_path else to})

    return fault


@checked
def redirect_forever(status: int = HTTPStatus.TEMPORARY_REDIRECT) -> Fault:
    """Redirect to the same place again and again, with another query each time.

    Args:
        status: The status.
    """
    count = itertools.count(1)

    def fault(request: Request, _proceed: Proceed) -> Answer:
        return reply(status, headers={"Location": f"{request.path}?hop={next(count)}"})

    return fault


@checked
def pretend(digest: str | None = None) -> Fault:
    """Answer a PUT of a manifest or of an upload with 201, and store nothing.

    Args:
        digest: The value of `Docker-Content-Digest`; the right digest if `None`.
    """

    def fault(request: Request, _proceed: Proceed) -> Answer:
        asked = request.argument("digest") or request.reference
        stored = asked if is_digest(asked) else Digest.of(request.body)
        kind = "blobs" if request.endpoint == "upload" else "manifests"
        headers = {
            "Location": f"/v2/{request.name}/{kind}/{stored}",
            "Docker-Content-Digest": digest or stored,
        }
        return reply(HTTPStatus.CREATED, headers=headers)

    return fault


@checked
def raw(data: bytes) -> Fault:
    """Send any bytes as an answer, and close the connection.

    Args:
        data: The bytes, including the status line.
    """
    return lambda _request, _proceed: Answer(raw=data)


@checked
def hang_up(*, received: int | None = None) -> Fault:
    """Close the connection instead of answering.

    Args:
        received: How many bytes of the request's body to read before; all of it if `None`. Those of
            an upload are stored: a client can ask for their number and go on.
    """

    def fault(request: Request, proceed: Proceed) -> Answer:
        request.receive(received)
        if request.endpoint == "upload" and not request.whole:
            proceed()
        raise HangUpError

    return fault
