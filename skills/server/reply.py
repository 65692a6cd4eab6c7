"""What is sent back: JSON as Go writes it, and errors as a line of text, as ToolHive has both."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from skills.gojson import go_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def json_reply(
    value: Any,  # noqa: ANN401 # what JSON can say
    status: int = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a value as the JSON that Go's encoder writes, with a line end."""
    text = f"{go_json(value)}\n"
    return Response(text, status, media_type="application/json", headers=dict(headers or {}))


def error_reply(status: int, message: str) -> Response:
    """Return an error as a line of text; that of an internal one is the status alone."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        message = HTTPStatus(status).phrase
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", message)
    return Response(
        f"{text}\n",
        status,
        media_type="text/plain",
        headers={"X-Content-Type-Options": "nosniff"},
    )
