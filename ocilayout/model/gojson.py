"""The writer of JSON: the bytes that Go's encoding/json writes for the same value.

Then the same document has the same digest, whichever program wrote it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from ocilayout.errors import DocumentError
from ocilayout.model.surrogate import has_surrogate, replace_surrogates, surrogate_error

if TYPE_CHECKING:
    from ocilayout.model.frozenmap import Json

_SPACES: Final = " \t\n\r"

# A run of tokens without white space between them: RFC 8259 strings, in which a backslash escapes
# the next character, and anything else but white space. The quantifiers are possessive (`*+`), as
# text of megabytes would otherwise be tried again from every position.
_UNSPACED = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^" \t\n\r]++)++')


def dump_json(document: Json, *, lossy: bool = False) -> bytes:
    """Write a JSON value as Go's encoding/json does, keeping the order of its properties.

    Args:
        document: The value.
        lossy: Whether to write U+FFFD for half of a surrogate pair, as Go does for bytes that are
            not UTF-8, instead of refusing it.

    Raises:
        DocumentError: It holds a number or a string that JSON cannot express.

    Spec: considerations:canonical.
    """
    # A deviation: fractions keep the form that Python gives them, which reads back as the same
    # number. Documents of the specification hold integers only.
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DocumentError.of("bad-number", f"cannot be written: {error}") from None
    # Go escapes these for HTML and JavaScript. Outside of strings they cannot occur.
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    if has_surrogate(text):
        if not lossy:
            raise surrogate_error()
        text = replace_surrogates(text, r"\ufffd")
    return text.encode()


def compact(text: str) -> str:
    """Return whole tokens of JSON text without the white space between them."""
    if not any(space in text for space in _SPACES):
        return text
    return "".join(_UNSPACED.findall(text))
