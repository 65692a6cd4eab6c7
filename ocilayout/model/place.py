"""Places in a document: JSON paths, and the words for a value of the wrong type."""

from __future__ import annotations

import json
import re
from typing import Final

from ocilayout.errors import DocumentError, shortened

# A name that a JSON path takes after a dot; any other is written in brackets, as a JSON string.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME: Final = 200  # of a property in a place, in characters


def join_place(place: str, name: str) -> str:
    """Return the JSON path of a property, given the path of its object.

    A name longer than 200 characters is cut, so that places stay short.
    """
    if len(name) <= _LONGEST_NAME and _PLAIN_NAME.fullmatch(name):
        return f"{place}.{name}"
    return f"{place}[{json.dumps(shortened(name, _LONGEST_NAME))}]"


_JSON_NOUNS = {
    "NoneType": "null",
    "bool": "a boolean",
    "dict": "an object",
    "float": "a number",
    "int": "an integer",
    "list": "an array",
    "str": "a string",
}


def wrong_type(expected: str, value: object) -> DocumentError:
    """Return the error of a value of the wrong type, named as JSON names it."""
    actual = type(value).__name__
    return DocumentError.of(
        "wrong-type", f"expected {expected}, found {_JSON_NOUNS.get(actual, actual)}"
    )
