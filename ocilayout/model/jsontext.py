"""The text of a JSON document before it is parsed: its encoding, its length, its number of values.

These limits come first, since a parser takes far more memory than the text has bytes.
"""

from __future__ import annotations

import re

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.limit import MAX_DOCUMENT, MAX_NODES, NODE

# RFC 8259 section 7: string = quotation-mark *char quotation-mark, where a char is a backslash with
# the character that it escapes, or any other but these two. Deviation: control characters pass, as
# the parser refuses them. The quantifiers are possessive (`*+`), so that no text takes quadratic
# time.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def require_length(length: int, limit: int) -> None:
    """Refuse a document that is too long, before it is read where its length is known before.

    Args:
        length: Its length, in bytes.
        limit: The largest accepted length.

    Raises:
        LimitExceededError: It is too long.

    Spec: considerations:limits.
    """
    if length > limit:
        raise LimitExceededError(
            f"the document has {length} bytes, the limit is {limit}", what="document", limit=limit
        )


def decode_text(data: bytes, *, limit: int = MAX_DOCUMENT) -> str:
    """Return the text of a document.

    Raises:
        DocumentError: The bytes are not UTF-8, or begin with a byte order mark.
        LimitExceededError: They are too many.
    """
    require_length(len(data), limit)
    if data.startswith(b"\xef\xbb\xbf"):
        raise DocumentError.of("bad-encoding", "begins with a byte order mark")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DocumentError.of(
            "bad-encoding", f"is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        ) from None


def count_nodes(text: str) -> int:
    """Return how many nodes a JSON text has.

    Characters in strings may be counted as nodes, too, where all together are few for the size.
    """
    count = _count_node_characters(text)
    return count if count * NODE < len(text) else _count_node_characters(_STRING.sub("", text))


def require_nodes(text: str, limit: int = MAX_NODES) -> None:
    """Refuse a text that would take far more memory than its size when it is parsed.

    Args:
        text: JSON, or the beginning of it.
        limit: The largest accepted number of nodes.

    Raises:
        LimitExceededError: The text has more.

    Spec: considerations:limits.
    """
    # Strings are left out only where it matters, as that takes ten times as long.
    if len(text) > limit and _count_node_characters(text) > limit and count_nodes(text) > limit:
        raise LimitExceededError(
            f"the document holds more than {limit} values; split it, or move the large parts to a"
            " blob of their own",
            what="nodes",
            limit=limit,
        )


def _count_node_characters(text: str) -> int:
    return sum(map(text.count, ",:[{"))
