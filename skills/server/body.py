"""What a client asks for: a JSON object of a bounded size, its fields as Go would take them."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn

from attrs import frozen
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY: Final = 1024 * 1024
"""The largest body of a request, in bytes."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@frozen
class Fields:
    """The fields of a request; one that is absent or null is empty, and more do not matter."""

    values: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a string.

        Raises:
            HTTPException: It is something else.
        """
        return _text(name, self.values.get(name))

    def texts(self, name: str) -> list[str]:
        """Return a list of strings.

        Raises:
            HTTPException: It is something else.
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
            HTTPException: It is something else.
        """
        found = self.values.get(name)
        if found is not None and not isinstance(found, bool):
            _refuse(f"{name} must be true or false")
        return bool(found)


async def read_fields(request: Request) -> Fields:
    """Read the body of a request.

    Raises:
        HTTPException: It is too large, or no JSON object.
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
        found = json.loads(data.decode(), parse_constant=_no_number)
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError as error:  # of UTF-8 as well
        _refuse(str(error))
    if not isinstance(found, dict):
        _refuse("it is no object")
    return Fields(found)


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(f"{name} must be a string")
    # Half of a surrogate pair is no text; Go takes it for U+FFFD, too.
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _refuse(reason: str) -> NoReturn:
    raise HTTPException(HTTPStatus.BAD_REQUEST, f"invalid request body: {reason}")
