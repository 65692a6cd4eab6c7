"""Requests and answers: JSON as Go reads and writes it, and errors as a status and a line of text.

Where ToolHive has a status for an error it is the same one; `spec-notes/decisions/0046-http.md`
lists where it has none, or answers 500 to what the client could mend.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn

from attrs import frozen
from starlette.exceptions import HTTPException
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

    from starlette.requests import Request

    from ocilayout import Layout

MAX_BODY: Final = 1024 * 1024
"""The largest body of a request, in bytes."""

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

# The statuses of a registry that are passed on; any other is a bad gateway.
_UPSTREAM: Final[dict[int | None, HTTPStatus]] = {
    HTTPStatus.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
}


@frozen
class Fields:
    """The fields of a request. Absent and null fields are empty; unknown ones are ignored."""

    values: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a string.

        Raises:
            HTTPException: The field is not a string.
        """
        return _text(name, self.values.get(name))

    def texts(self, name: str) -> list[str]:
        """Return a list of strings.

        Raises:
            HTTPException: The field is not a list of strings.
        """
        found = self.values.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            _refuse(f"{name} must be a list of strings")
        return [_text(name, item) for item in found]

    def flag(self, name: str) -> bool:
        """Return a boolean.

        Raises:
            HTTPException: The field is not a boolean.
        """
        found = self.values.get(name)
        if found is not None and not isinstance(found, bool):
            _refuse(f"{name} must be true or false")
        return bool(found)


async def read_fields(request: Request) -> Fields:
    """Read the body of a request.

    Raises:
        HTTPException: The body is too large, or is not a JSON object.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {MAX_BODY} bytes",
            )
    try:
        found = json.loads(data.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError as error:  # of UTF-8 as well
        _refuse(str(error))
    if not isinstance(found, dict):
        _refuse("it is not an object")
    return Fields(found)


def json_reply(
    value: Any,  # noqa: ANN401 # what JSON can say
    status: int = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a value as the JSON that Go's encoder writes, with a line end."""
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
        layout: The store, to tell damage in it from what a registry sent.
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
    """Tell damage in the store from content that a registry sent damaged.

    The store is damaged if its index cannot be read, or if it has the blob in question.
    """
    try:
        layout.tags()
        local = isinstance(error, IntegrityError) and error.descriptor.digest in layout.blobs
    except OciLayoutError:
        local = True
    return HTTPStatus.INTERNAL_SERVER_ERROR if local else HTTPStatus.BAD_GATEWAY


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(f"{name} must be a string")
    return replace_surrogates(value)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _refuse(reason: str) -> NoReturn:
    raise HTTPException(HTTPStatus.BAD_REQUEST, f"invalid request body: {reason}")
