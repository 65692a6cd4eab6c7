"""What an error means to a client of the server, as an HTTP status.

Where ToolHive has a status for the same thing it is that one; `spec-notes/decisions/0046-http.md`
lists where it has none, or says 500 of what the client could mend.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

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

# What a registry answered, where that has a status of its own here.
_UPSTREAM: Final[dict[int | None, HTTPStatus]] = {
    HTTPStatus.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
}


def status_of(error: Exception, layout: Layout) -> HTTPStatus:
    """Return the status of an error.

    Args:
        error: What went wrong.
        layout: The store, to tell damage in it from what a registry sent.
    """
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    if isinstance(error, RegistryError):
        return _UPSTREAM.get(error.status, HTTPStatus.BAD_GATEWAY)
    if isinstance(error, IntegrityError | DocumentError | LimitExceededError):
        return _origin_of(error, layout)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _origin_of(error: Exception, layout: Layout) -> HTTPStatus:
    """Tell what is damaged in the store from what came damaged from a registry.

    The store is at fault if its index cannot be read or it has that very blob.
    """
    try:
        layout.tags()
        local = isinstance(error, IntegrityError) and error.descriptor.digest in layout.blobs
    except OciLayoutError:
        local = True
    return HTTPStatus.INTERNAL_SERVER_ERROR if local else HTTPStatus.BAD_GATEWAY
