"""JSON as Go's encoding/json writes it: in labels, where each byte counts, and over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any, Final

# Escaped so that JSON can stand in HTML and in JavaScript.
_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
# What is left of bytes that are no UTF-8.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def go_json(value: Any) -> str:  # noqa: ANN401 # what JSON can say
    """Return a value as compact JSON; keys stay in their order."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _SURROGATE.sub(r"\\ufffd", text)
