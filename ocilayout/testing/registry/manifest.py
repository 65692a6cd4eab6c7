"""Manifests in order: had, stored and deleted, by tag and by digest."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ocilayout.errors import OciLayoutError
from ocilayout.model import MAX_DOCUMENT, Descriptor, Digest, decode_document, is_digest, is_tag
from ocilayout.testing.registry.exchange import Answer, Request, refusal, reply

if TYPE_CHECKING:
    from ocilayout.testing.registry.content import Holdings


def get_manifest(held: Holdings, request: Request) -> Answer:
    """Answer with a manifest."""
    digest = _digest_of(held, request)
    found = held.manifests.get((request.name, digest))
    if found is None:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
    media_type, data = found
    headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
    return reply(HTTPStatus.OK, data, media_type=media_type, headers=headers)


def put_manifest(
    held: Holdings, request: Request, *, note_subject: bool, tag_by_digest: bool
) -> Answer:
    """Store a manifest that can be read and whose parts are there.

    Args:
        held: What the registry holds.
        request: The request.
        note_subject: Whether to answer with `OCI-Subject`.
        tag_by_digest: Whether to set the tags in the query of a push by digest, and to answer with
            `OCI-Tag`; if not, the query is not regarded.
    """
    data, reference = request.body, request.reference
    if len(data) > MAX_DOCUMENT:
        return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "SIZE_INVALID")
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    by_digest = is_digest(reference)
    try:
        digest = Digest.of(data, Digest(reference).algorithm if by_digest else "sha256")
        document = decode_document(data, Descriptor.of(data, media_type))
    except OciLayoutError as error:
        return refusal(HTTPStatus.BAD_REQUEST, "MANIFEST_INVALID", str(error))
    tags = request.query.get("tag", []) if by_digest and tag_by_digest else []
    code = None
    if by_digest and digest != reference:
        code = "DIGEST_INVALID"
    elif not all(map(is_tag, tags)):
        code = "TAG_INVALID"
    elif not held.has_parts(request.name, document):
        code = "MANIFEST_BLOB_UNKNOWN"
    if code is not None:
        return refusal(HTTPStatus.BAD_REQUEST, code)
    condition = request.headers.get("If-Match")
    with held.lock:
        if condition is not None and condition.strip('"') != _digest_of(held, request):
            return refusal(HTTPStatus.PRECONDITION_FAILED, "DENIED", "it was changed meanwhile")
        held.manifests[request.name, digest] = (media_type, data)
        for tag in tags if by_digest else [reference]:
            held.tags[request.name, tag] = digest
    headers = {
        "Location": f"/v2/{request.name}/manifests/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    if document.subject is not None and note_subject:
        headers["OCI-Subject"] = str(document.subject.digest)
    found = reply(HTTPStatus.CREATED, headers=headers)
    found.headers.extend(("OCI-Tag", tag) for tag in tags)
    return found


def delete_manifest(held: Holdings, request: Request) -> Answer:
    """Delete a tag, or a manifest with all its tags."""
    key = (request.name, request.reference)
    if not is_digest(request.reference):
        found = held.tags.pop(key, None) is not None
    else:
        found = held.manifests.pop(key, None) is not None
        for (name, tag), digest in list(held.tags.items()):
            if (name, digest) == key:
                held.tags.pop((name, tag), None)
    if not found:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
    return reply(HTTPStatus.ACCEPTED)


def _digest_of(held: Holdings, request: Request) -> str:
    if is_digest(request.reference):
        return request.reference
    return held.tags.get((request.name, request.reference), "")
