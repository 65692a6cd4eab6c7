"""Correct answers to requests that read: manifests, blobs, and lists in pages."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ocilayout.model import OCI_INDEX, OCTET_STREAM, Index, encode, is_digest
from ocilayout.testing.registry.reply import PIECE, Answer, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.testing.registry.reply import Content
    from ocilayout.testing.registry.request import Request
    from ocilayout.testing.registry.storage import Storage

# RFC 9110, section 14.2. Several ranges are answered with everything, as servers may.
_RANGE: Final = re.compile(r"bytes=(?P<first>[0-9]*)-(?P<last>[0-9]*)")


def get_manifest(storage: Storage, request: Request) -> Answer:
    """Answer with a manifest."""
    digest = storage.digest_of(request.name, request.reference)
    manifest = storage.manifests.get((request.name, digest))
    if manifest is None:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
    media_type, data = manifest
    headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
    return reply(HTTPStatus.OK, data, media_type=media_type, headers=headers)


def get_blob(storage: Storage, request: Request) -> Answer:
    """Answer with a blob, or with the range of it that was asked for."""
    content = storage.blobs.get((request.name, request.reference))
    if content is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    headers = {"Docker-Content-Digest": request.reference, "Accept-Ranges": "bytes"}
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match[0] == "bytes=-":
        return reply(HTTPStatus.OK, content, media_type=OCTET_STREAM, headers=headers)
    first, stop = _parse_range(match["first"], match["last"], size)
    if first >= stop:
        return refusal(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "RANGE_INVALID",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return reply(
        HTTPStatus.PARTIAL_CONTENT,
        _part(content, first, stop),
        media_type=OCTET_STREAM,
        length=stop - first,
        headers={**headers, "Content-Range": f"bytes {first}-{stop - 1}/{size}"},
    )


def _parse_range(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:  # `-5` means the last five bytes
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _part(content: Content, first: int, stop: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for start in range(first, stop, PIECE):
            yield content[start : min(start + PIECE, stop)]
        return
    with content.open("rb") as file:
        file.seek(first)
        while data := file.read(min(PIECE, stop - file.tell())):
            yield data


def list_tags(storage: Storage, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of the tags of a repository."""
    if not storage.has_repository(request.name):
        return refusal(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
    tags = [tag for name, tag in list(storage.tags) if name == request.name]
    return _page_of_names(request, tags, page_size, {"name": request.name}, "tags")


def list_repositories(storage: Storage, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of the names of all repositories."""
    parts = (storage.manifests, storage.blobs, storage.tags)
    names = {name for part in parts for name, _ in list(part)}
    return _page_of_names(request, names, page_size, {}, "repositories")


def list_referrers(storage: Storage, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of the referrers of a digest."""
    if not is_digest(request.reference):
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
    wanted = request.query.get("artifactType")
    after = request.argument("last")
    left = [
        referrer
        for referrer in storage.referrers(request.name, request.reference)
        if (wanted is None or referrer.artifact_type in wanted) and referrer.digest > after
    ]
    page = left[:page_size]
    headers = {} if wanted is None else {"OCI-Filters-Applied": "artifactType"}
    if len(page) < len(left):
        filters = {} if wanted is None else {"artifactType": wanted[0]}
        headers["Link"] = _next_link(request, {**filters, "last": page[-1].digest})
    return reply(
        HTTPStatus.OK, encode(Index(manifests=page)), media_type=OCI_INDEX, headers=headers
    )


def _page_of_names(
    request: Request, names: Iterable[str], page_size: int | None, more: dict[str, str], key: str
) -> Answer:
    asked = request.argument("n")
    if asked and not asked.isdecimal():
        return refusal(HTTPStatus.BAD_REQUEST, "PAGINATION_NUMBER_INVALID")
    limits = [limit for limit in (page_size, int(asked) if asked else None) if limit is not None]
    left = sorted(name for name in names if name > request.argument("last"))
    page = left[: min(limits)] if limits else left
    headers = {}
    if page and len(page) < len(left):
        headers["Link"] = _next_link(request, {"n": str(len(page)), "last": page[-1]})
    body = json.dumps({**more, key: page}).encode()
    return reply(HTTPStatus.OK, body, media_type="application/json", headers=headers)


def _next_link(request: Request, query: dict[str, str]) -> str:
    return f'<{request.path}?{urlencode(query)}>; rel="next"'
