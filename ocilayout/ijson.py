"""JSON as documents of the specification may use it: bytes to values and back.

Reading is strict where two readers could disagree (RFC 7493, I-JSON): UTF-8 without a byte
order mark, no duplicate properties, no NaN, no number out of range, no half of a surrogate pair,
nothing behind the document, bounded in depth and size. Writing gives the bytes that Go's
encoding/json gives for the same value, because then the same document has the same digest
whoever wrote it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from ocilayout.errors import (
    DocumentError,
    LimitExceededError,
    Problem,
    join_place,
    wrong_type,
)
from ocilayout.frozenmap import Json

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

MAX_DOCUMENT: Final = 4 * 1024 * 1024
"""The largest document in a blob that is read, in bytes; registries have the same limit."""

MAX_DEPTH: Final = 128
"""The deepest nesting of arrays and objects that is read."""

_SPACES: Final = " \t\n\r"
_UNSPACED = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^" \t\n\r]++)++')
_HALF = re.compile("[\ud800-\udfff]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(data: bytes, *, limit: int = MAX_DOCUMENT) -> dict[str, Json]:
    """Read bytes as one JSON object.

    Raises:
        DocumentError: The bytes are no I-JSON, or not an object.
        LimitExceededError: They are too many, or nested too deeply.

    Spec: considerations:json, considerations:duplicate-keys, considerations:numbers-and-texts,
        considerations:limits, annotations:unique-keys.
    """
    text = decode_text(data, limit=limit)
    document = _refusing(_DECODER.decode, text)
    require_shown(document, text)
    if not isinstance(document, dict):
        raise wrong_type("an object", document)
    return document


def decode_text(data: bytes, *, limit: int = MAX_DOCUMENT) -> str:
    """Return the text of a document.

    Raises:
        DocumentError: The bytes are no UTF-8, or begin with a byte order mark.
        LimitExceededError: They are too many.
    """
    if len(data) > limit:
        raise LimitExceededError(
            f"the document has {len(data)} bytes, the limit is {limit}",
            what="document",
            limit=limit,
        )
    if data.startswith(b"\xef\xbb\xbf"):
        raise DocumentError.of("bad-encoding", "begins with a byte order mark")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DocumentError.of(
            "bad-encoding", f"is no UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        ) from None


def scan(text: str, start: int = 0) -> tuple[Json, int]:
    """Read one value inside of a text. What it does not show is left to `require_shown`.

    Args:
        text: The text.
        start: Where the value begins.

    Returns:
        The value, and where it ends.

    Raises:
        DocumentError: There is no JSON value.
        LimitExceededError: It is nested too deeply.
    """
    return _refusing(_DECODER.raw_decode, text, start)


def require_shown(document: Json, text: str, *, depth: int = 0) -> None:
    """Refuse what I-JSON does not allow and a value does not show: what its text said twice.

    Args:
        document: The value.
        text: What it was read from.
        depth: In how many arrays and objects it stands.

    Raises:
        DocumentError: An object has a property twice, or a string holds half of a surrogate pair.
        LimitExceededError: It is nested too deeply.
    """
    if _count_keys(document, depth) != _count_pairs(text):
        _refuse_duplicates(_CAREFUL.decode(text))
    if "\\" in text and _SURROGATE.search(text):
        _refuse_surrogates(document)


def shows_all(objects: list[dict[str, Json]], text: str) -> bool:
    """Tell at a glance that `require_shown` would find nothing; if not, it has to be asked.

    Args:
        objects: Those that are known to be in an array; they are in each other at most.
        text: The text of the array, with its brackets.
    """
    # If there is no other array, and no name but those of these objects, then any other object in
    # there is empty.
    return (
        text.find("[", 1) < 0 and "\\" not in text and sum(map(len, objects)) == _count_pairs(text)
    )


def dump(document: Json, *, lossy: bool = False) -> bytes:
    """Write a JSON value as Go's encoding/json does, keeping the order of its properties.

    Fractions keep the form that Python gives them, so that reading them again gives the same.

    Args:
        document: The value.
        lossy: Whether to write half of a surrogate pair as U+FFFD, as Go does for bytes that are
            not UTF-8, and not to refuse it.

    Raises:
        DocumentError: It holds a number or a string that no document can.

    Spec: considerations:canonical.
    """
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DocumentError.of("bad-number", f"cannot be written: {error}") from None
    # These characters cannot stand outside of a string.
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    if lossy:
        text = _HALF.sub(r"\\ufffd", text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DocumentError.of("bad-unicode", "a string holds half of a surrogate pair") from None


def compact(text: str) -> str:
    """Return JSON text without the white space between its tokens, and otherwise as it is.

    Args:
        text: Any number of tokens, each of them whole.
    """
    if not any(space in text for space in _SPACES):
        return text
    return "".join(_UNSPACED.findall(text))


class _Object(dict[str, Json]):
    """An object of a document that remembers which of its properties stood there twice."""

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.twice: list[str] = []
        if len(self) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.twice = sorted(name for name, count in counts.items() if count > 1)


def _refusing(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a reader, with its errors as ours."""
    try:
        return read(*args, **kwargs)
    except DocumentError:
        raise
    except json.JSONDecodeError as error:
        raise DocumentError.of(
            "bad-json", f"is no JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError as error:  # an integer of thousands of digits
        raise DocumentError.of("bad-number", f"holds a number out of range: {error}") from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> LimitExceededError:
    return LimitExceededError(
        f"the document is nested deeper than {MAX_DEPTH}", what="depth", limit=MAX_DEPTH
    )


def _refuse_constant(name: str) -> None:
    raise DocumentError.of("bad-json", f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise DocumentError.of("bad-number", f"holds a number out of range: {text[:32]}")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_CAREFUL: Final = json.JSONDecoder(object_pairs_hook=_Object)


def _count_pairs(text: str) -> int | None:
    """Return at least as many as there are names before a value; `None` if nobody can tell."""
    # A name ends with a quote before a colon, unless there is white space between. A string may
    # hold more such pairs. One character is found far quicker than two, hence the first tests.
    if (
        (" " in text and " :" in text)
        or ("\n" in text and "\n:" in text)
        or ("\t" in text and "\t:" in text)
        or ("\r" in text and "\r:" in text)
    ):
        return None
    return text.count('":')


def _count_keys(document: Json, depth: int) -> int:
    keys = 0
    level: list[Any] = [document] if isinstance(document, dict | list) else []
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        deeper: list[Any] = []
        for node in level:
            if node.__class__ is dict:
                keys += len(node)
                values = node.values()
            else:
                values = node
            for item in values:
                kind = item.__class__
                if kind is dict or kind is list:
                    deeper.append(item)
        level = deeper
    return keys


def _refuse_duplicates(document: Json) -> None:
    problems = [
        Problem(
            code="duplicate-property",
            message=f"{name!r} stands here more than once",
            place=join_place(place, name),
        )
        for place, node in _nodes(document)
        if isinstance(node, _Object)
        for name in node.twice
    ]
    if problems:
        raise DocumentError(problems)


def _refuse_surrogates(document: Json) -> None:
    for place, node in _nodes(document):
        texts = [node] if isinstance(node, str) else node if isinstance(node, dict) else []
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise DocumentError.of(
                    "bad-unicode", "a string holds half of a surrogate pair", place
                ) from None


def _nodes(document: Json) -> list[tuple[str, Json]]:
    found: list[tuple[str, Json]] = []
    pending: list[tuple[str, Json]] = [("$", document)]
    while pending:
        place, node = pending.pop()
        found.append((place, node))
        if isinstance(node, dict):
            pending.extend((join_place(place, name), item) for name, item in node.items())
        elif isinstance(node, list):
            pending.extend((f"{place}[{number}]", item) for number, item in enumerate(node))
    return found
