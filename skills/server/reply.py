"""Replies: values as the JSON that Go writes, and errors as a status and a line of text.

An error has the same status as in ToolHive; `spec-notes/decisions/0046-http.md` lists those that
ToolHive lacks, or answers with 500 though the client can correct them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from ocilayout import (
    AmbiguousReferenceError,
    AuthError,
    DocumentError,
    IntegrityError,
    InvalidNameError,
    LimitExceededError,
    LockTimeoutError,
    NotFoundError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
    UnsupportedDigestError,
)
from ocilayout.model import dump_json, replace_surrogates
from skills.errors import (
    AmbiguousSkillError,
    ClientError,
    FrontmatterError,
    InvalidTagError,
    LayerError,
    LocalBuildConflictError,
    NameMismatchError,
    NotALocalBuildError,
    NotASkillError,
    NotInstalledError,
    NotPushableError,
    ScopeError,
    SkillFolderError,
    TargetError,
    TooLargeError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocilayout import Layout

_STATUS: Final[dict[type[Exception], HTTPStatus]] = {
    ClientError: HTTPStatus.BAD_REQUEST,
    FrontmatterError: HTTPStatus.BAD_REQUEST,
    InvalidNameError: HTTPStatus.BAD_REQUEST,
    InvalidTagError: HTTPStatus.BAD_REQUEST,
    NotPushableError: HTTPStatus.BAD_REQUEST,
    ScopeError: HTTPStatus.BAD_REQUEST,
    SkillFolderError: HTTPStatus.BAD_REQUEST,
    ValidationError: HTTPStatus.BAD_REQUEST,
    AuthError: HTTPStatus.UNAUTHORIZED,
    NotALocalBuildError: HTTPStatus.NOT_FOUND,
    NotFoundError: HTTPStatus.NOT_FOUND,
    NotInstalledError: HTTPStatus.NOT_FOUND,
    AmbiguousReferenceError: HTTPStatus.CONFLICT,
    AmbiguousSkillError: HTTPStatus.CONFLICT,
    LocalBuildConflictError: HTTPStatus.CONFLICT,
    TargetError: HTTPStatus.CONFLICT,
    LayerError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NameMismatchError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotASkillError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooLargeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnsupportedDigestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    LockTimeoutError: HTTPStatus.SERVICE_UNAVAILABLE,
}

# The statuses of a registry that are passed on; any other becomes 502, bad gateway.
_UPSTREAM: Final[dict[int | None, HTTPStatus]] = {
    HTTPStatus.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
}


def json_reply(
    value: Any,  # noqa: ANN401 # what JSON can say
    status: int = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a value as the JSON that Go's encoder writes, and a line end."""
    data = dump_json(value, lossy=True) + b"\n"
    return Response(data, status, media_type="application/json", headers=dict(headers or {}))


def error_reply(status: int, message: str) -> Response:
    """Return an error as a line of text; for an internal error that is its status alone."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        message = HTTPStatus(status).phrase
    return Response(
        f"{replace_surrogates(message)}\n",
        status,
        media_type="text/plain",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def status_of(error: Exception, layout: Layout) -> HTTPStatus:
    """Return the status of an error.

    Args:
        error: The error.
        layout: The store, to tell damage in it from damaged content of a registry.
    """
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    if isinstance(error, RegistryError):
        return _UPSTREAM.get(error.status, HTTPStatus.BAD_GATEWAY)
    if isinstance(error, IntegrityError | DocumentError | LimitExceededError):
        return _status_of_damage(error, layout)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _status_of_damage(error: Exception, layout: Layout) -> HTTPStatus:
    """Tell damage in the store from damaged content of a registry.

    The store is damaged if its index cannot be read, or if it has the blob of the error.
    """
    try:
        layout.tags()
        local = isinstance(error, IntegrityError) and error.descriptor.digest in layout.blobs
    except OciLayoutError:
        local = True
    return HTTPStatus.INTERNAL_SERVER_ERROR if local else HTTPStatus.BAD_GATEWAY
