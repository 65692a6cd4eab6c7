"""Lists in order: tags, repositories and referrers, page by page."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ocilayout.model import OCI_INDEX, Index, encode, is_digest
from ocilayout.testing.registry.exchange import Answer, Request, refusal, reply

if TYPE_CHECKING:
    from ocilayout.testing.registry.content import Holdings


def list_tags(held: Holdings, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of the tags of a repository."""
    if not held.has_repository(request.name):
        return refusal(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
    tags = [tag for name, tag in list(held.tags) if name == request.name]
    return _names(request, tags, page_size, {"name": request.name}, "tags")


def list_repositories(held: Holdings, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of the names of all repositories."""
    names = {name for part in (held.manifests, held.blobs, held.tags) for name, _ in list(part)}
    return _names(request, list(names), page_size, {}, "repositories")


def list_referrers(held: Holdings, request: Request, page_size: int | None) -> Answer:
    """Answer with a page of what has a digest as its subject."""
    if not is_digest(request.reference):
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
    wanted = request.query.get("artifactType")
    found = [
        one
        for one in held.referrers(request.name, request.reference)
        if wanted is None or one.artifact_type in wanted
    ]
    after = request.argument("last")
    left = [one for one in found if one.digest > after]
    page = left[:page_size]
    headers = {} if wanted is None else {"OCI-Filters-Applied": "artifactType"}
    if len(page) < len(left):
        filters = {} if wanted is None else {"artifactType": wanted[0]}
        headers["Link"] = _next(request, {**filters, "last": page[-1].digest})
    return reply(
        HTTPStatus.OK, encode(Index(manifests=page)), media_type=OCI_INDEX, headers=headers
    )


def _names(
    request: Request, names: list[str], page_size: int | None, more: dict[str, str], key: str
) -> Answer:
    asked = request.argument("n")
    if asked and not asked.isdecimal():
        return refusal(HTTPStatus.BAD_REQUEST, "PAGINATION_NUMBER_INVALID")
    limits = [limit for limit in (page_size, int(asked) if asked else None) if limit is not None]
    left = sorted(name for name in names if name > request.argument("last"))
    page = left[: min(limits)] if limits else left
    headers = {}
    if page and len(page) < len(left):
        headers["Link"] = _next(request, {"n": str(len(page)), "last": page[-1]})
    body = json.dumps({**more, key: page}).encode()
    return reply(HTTPStatus.OK, body, media_type="application/json", headers=headers)


def _next(request: Request, query: dict[str, str]) -> str:
    return f'<{request.path}?{urlencode(query)}>; rel="next"'
