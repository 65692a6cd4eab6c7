"""Correct answers to requests that write: uploads of blobs, manifests and tags, and deletions."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ocilayout.errors import OciLayoutError
from ocilayout.model import (
    MAX_DOCUMENT,
    Descriptor,
    Digest,
    Index,
    decode_document,
    is_digest,
    is_tag,
)
from ocilayout.testing.registry.reply import Answer, refusal, reply

if TYPE_CHECKING:
    from ocilayout.testing.registry.request import Request
    from ocilayout.testing.registry.storage import Storage

_CONTENT_RANGE: Final = re.compile(r"(?:bytes )?(?P<first>[0-9]+)-(?P<last>[0-9]+)(?:/[0-9*]+)?")


def begin_upload(storage: Storage, request: Request) -> Answer:
    """Mount a blob, store the one in the body, or begin an upload."""
    mounted, source = request.argument("mount"), request.argument("from")
    if mounted and (source, mounted) in storage.blobs:
        storage.blobs[request.name, mounted] = storage.blobs[source, mounted]
        return _blob_created(request, mounted)
    digest = request.argument("digest")
    if digest:
        return _store_blob(storage, request, digest, request.body)
    upload = secrets.token_hex(8)
    storage.uploads[request.name, upload] = bytearray()
    return _accepted(request, upload, 0)


def append_upload(storage: Storage, request: Request) -> Answer:
    """Store a chunk; of one that broke off, store what arrived, as registries do."""
    upload = storage.uploads.get((request.name, request.reference))
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    with storage.lock:
        if not _is_in_order(request, len(upload)):
            return _out_of_order(request, len(upload))
        upload += request.body
    return _accepted(request, request.reference, len(upload))


def finish_upload(storage: Storage, request: Request) -> Answer:
    """Store the last chunk, if there is one, and the blob."""
    key = (request.name, request.reference)
    upload = storage.uploads.get(key)
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    if not _is_in_order(request, len(upload)):
        return _out_of_order(request, len(upload))
    if not request.whole:
        upload += request.body
        return _accepted(request, request.reference, len(upload))
    storage.uploads.pop(key, None)
    data = request.body  # a blob in one piece, which may be large, is not copied
    if upload:
        upload += data
        data = bytes(upload)
    return _store_blob(storage, request, request.argument("digest"), data)


def show_upload(storage: Storage, request: Request) -> Answer:
    """Say how much of an upload has arrived."""
    upload = storage.uploads.get((request.name, request.reference))
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    headers = _progress(request.name, request.reference, len(upload))
    return reply(HTTPStatus.NO_CONTENT, headers=headers)


def cancel_upload(storage: Storage, request: Request) -> Answer:
    """Forget an upload."""
    if storage.uploads.pop((request.name, request.reference), None) is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    return reply(HTTPStatus.NO_CONTENT)


def put_manifest(
    storage: Storage,
    request: Request,
    *,
    subject_header: bool,
    tag_by_digest: bool,
    sparse_indexes: bool,
) -> Answer:
    """Store a manifest that is valid and whose parts are stored; see `LoopbackRegistry`."""
    data, reference = request.body, request.reference
    if len(data) > MAX_DOCUMENT:
        return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "SIZE_INVALID")
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    by_digest = is_digest(reference)
    try:
        digest = Digest.of(data, Digest.parse(reference).algorithm if by_digest else "sha256")
        document = decode_document(data, Descriptor.of(data, media_type))
    except OciLayoutError as error:
        return refusal(HTTPStatus.BAD_REQUEST, "MANIFEST_INVALID", str(error))
    tags = request.query.get("tag", []) if by_digest and tag_by_digest else []
    code = None
    if by_digest and digest != reference:
        code = "DIGEST_INVALID"
    elif not all(map(is_tag, tags)):
        code = "TAG_INVALID"
    elif not storage.has_parts(request.name, document) and not (
        sparse_indexes and isinstance(document, Index)
    ):
        code = "MANIFEST_BLOB_UNKNOWN"
    if code is not None:
        return refusal(HTTPStatus.BAD_REQUEST, code)
    condition = request.headers.get("If-Match")
    with storage.lock:
        current = storage.digest_of(request.name, reference)
        if condition is not None and condition.strip('"') != current:
            return refusal(HTTPStatus.PRECONDITION_FAILED, "DENIED", "it was changed meanwhile")
        storage.manifests[request.name, digest] = (media_type, data)
        for tag in tags if by_digest else [reference]:
            storage.tags[request.name, tag] = digest
    headers = {
        "Location": f"/v2/{request.name}/manifests/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    if document.subject is not None and subject_header:
        headers["OCI-Subject"] = str(document.subject.digest)
    answer = reply(HTTPStatus.CREATED, headers=headers)
    answer.headers.extend(("OCI-Tag", tag) for tag in tags)
    return answer


def delete_manifest(storage: Storage, request: Request) -> Answer:
    """Delete a tag, or a manifest with all its tags."""
    key = (request.name, request.reference)
    if not is_digest(request.reference):
        deleted = storage.tags.pop(key, None) is not None
    else:
        deleted = storage.manifests.pop(key, None) is not None
        for (name, tag), digest in list(storage.tags.items()):
            if (name, digest) == key:
                storage.tags.pop((name, tag), None)
    if not deleted:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
    return reply(HTTPStatus.ACCEPTED)


def delete_blob(storage: Storage, request: Request) -> Answer:
    """Delete a blob of a repository."""
    if storage.blobs.pop((request.name, request.reference), None) is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
    return reply(HTTPStatus.ACCEPTED)


def _store_blob(storage: Storage, request: Request, digest: str, data: bytes) -> Answer:
    wanted = Digest.parse(digest) if is_digest(digest) else None
    if wanted is None or not wanted.verifiable or Digest.of(data, wanted.algorithm) != wanted:
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
    storage.blobs[request.name, digest] = data
    return _blob_created(request, digest)


def _is_in_order(request: Request, stored: int) -> bool:
    """Tell whether a chunk begins where the upload ends, and has the size that it says."""
    text = request.headers.get("Content-Range")
    size = len(request.body)
    if text is None or not (request.whole or size):
        return True
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or int(match["first"]) != stored:
        return False
    return not request.whole or int(match["last"]) == stored + size - 1


def _out_of_order(request: Request, stored: int) -> Answer:
    return refusal(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        "BLOB_UPLOAD_INVALID",
        headers=_progress(request.name, request.reference, stored),
    )


def _blob_created(request: Request, digest: str) -> Answer:
    headers = {"Location": f"/v2/{request.name}/blobs/{digest}", "Docker-Content-Digest": digest}
    return reply(HTTPStatus.CREATED, headers=headers)


def _accepted(request: Request, upload: str, stored: int) -> Answer:
    return reply(HTTPStatus.ACCEPTED, headers=_progress(request.name, upload, stored))


def _progress(name: str, upload: str, stored: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Docker-Upload-UUID": upload,
        "Range": f"0-{max(stored - 1, 0)}",
    }
