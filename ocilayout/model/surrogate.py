"""Lone surrogates: halves of UTF-16 pairs, which JSON can escape and UTF-8 cannot encode.

RFC 7493 (I-JSON), section 2.1, forbids them: two programs could not agree on the text.
"""

from __future__ import annotations

import re

from ocilayout.errors import DocumentError

_SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogate(text: str) -> bool:
    """Return whether text holds half of a surrogate pair, so that UTF-8 cannot encode it."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def replace_surrogates(text: str, replacement: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Return text with a replacement for each half of a surrogate pair, as Go reads it."""
    return _SURROGATE.sub(lambda _: replacement, text)


def surrogate_error(place: str = "$") -> DocumentError:
    """Return the error of a string that holds half of a surrogate pair.

    Args:
        place: The JSON path of the string, or of the object where it is a property's name.
    """
    return DocumentError.of("bad-unicode", "a string holds half of a surrogate pair", place)
