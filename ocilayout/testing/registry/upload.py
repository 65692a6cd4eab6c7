"""Uploads in order: begun, mounted, sent in one piece or in chunks, looked at, ended, cancelled."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from ocilayout.model import Digest, is_digest
from ocilayout.testing.registry.exchange import Answer, Request, refusal, reply

if TYPE_CHECKING:
    from ocilayout.testing.registry.content import Holdings

_CONTENT_RANGE = re.compile(r"(?:bytes )?(?P<first>[0-9]+)-(?P<last>[0-9]+)(?:/[0-9*]+)?")


def begin_upload(held: Holdings, request: Request) -> Answer:
    """Mount a blob, store one that comes along, or begin an upload."""
    mounted, source = request.argument("mount"), request.argument("from")
    if mounted and (source, mounted) in held.blobs:
        held.blobs[request.name, mounted] = held.blobs[source, mounted]
        return _created(request, mounted)
    digest = request.argument("digest")
    if digest:
        return _store(held, request, digest, request.body)
    session = secrets.token_hex(8)
    held.uploads[request.name, session] = bytearray()
    return _accepted(request, session, 0)


def append_upload(held: Holdings, request: Request) -> Answer:
    """Take a chunk. What arrived of one that broke off is kept, as registries do."""
    upload = held.uploads.get((request.name, request.reference))
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    with held.lock:
        if not _in_order(request, len(upload)):
            return _out_of_order(request, len(upload))
        upload += request.body
    return _accepted(request, request.reference, len(upload))


def finish_upload(held: Holdings, request: Request) -> Answer:
    """Take the last chunk, if there is one, and store the blob."""
    key = (request.name, request.reference)
    upload = held.uploads.get(key)
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    if not _in_order(request, len(upload)):
        return _out_of_order(request, len(upload))
    if not request.whole:
        upload += request.body
        return _accepted(request, request.reference, len(upload))
    held.uploads.pop(key, None)
    data = request.body  # a blob that came in one piece is not copied
    if upload:
        upload += data
        data = bytes(upload)
    return _store(held, request, request.argument("digest"), data)


def show_upload(held: Holdings, request: Request) -> Answer:
    """Say how much of an upload is there."""
    upload = held.uploads.get((request.name, request.reference))
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    return reply(
        HTTPStatus.NO_CONTENT, headers=_progress(request.name, request.reference, len(upload))
    )


def cancel_upload(held: Holdings, request: Request) -> Answer:
    """Forget an upload."""
    if held.uploads.pop((request.name, request.reference), None) is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    return reply(HTTPStatus.NO_CONTENT)


def _store(held: Holdings, request: Request, digest: str, data: bytes) -> Answer:
    wanted = Digest(digest) if is_digest(digest) else None
    if wanted is None or not wanted.verifiable or Digest.of(data, wanted.algorithm) != wanted:
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
    held.blobs[request.name, digest] = data
    return _created(request, digest)


def _in_order(request: Request, have: int) -> bool:
    text = request.headers.get("Content-Range")
    size = len(request.body)
    if text is None or not (request.whole or size):
        return True
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or int(match["first"]) != have:
        return False
    return not request.whole or int(match["last"]) == have + size - 1


def _out_of_order(request: Request, have: int) -> Answer:
    return refusal(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        "BLOB_UPLOAD_INVALID",
        headers=_progress(request.name, request.reference, have),
    )


def _created(request: Request, digest: str) -> Answer:
    headers = {"Location": f"/v2/{request.name}/blobs/{digest}", "Docker-Content-Digest": digest}
    return reply(HTTPStatus.CREATED, headers=headers)


def _accepted(request: Request, session: str, have: int) -> Answer:
    return reply(HTTPStatus.ACCEPTED, headers=_progress(request.name, session, have))


def _progress(name: str, session: str, have: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{session}",
        "Docker-Upload-UUID": session,
        "Range": f"0-{max(have - 1, 0)}",
    }
