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
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from ocilayout.errors import (
    MAX_PROBLEMS,
    DocumentError,
    LimitExceededError,
    Problem,
    join_place,
    wrong_type,
)
from ocilayout.model.frozenmap import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

MAX_DOCUMENT: Final = 4 * 1024 * 1024
"""The largest document in a blob that is read, in bytes; registries have the same limit."""

MAX_DEPTH: Final = 128
"""The deepest nesting of arrays and objects that is read."""

NODE: Final = 16
"""What a node of a document counts for at least where sizes are added up, in bytes.

A node is a comma, a colon or an opening bracket outside of strings; parsed, each takes some 100
bytes. Entries and annotations as programs write them have more than 16 bytes of text for each."""

MAX_NODES: Final = MAX_DOCUMENT // NODE
"""The most nodes of a document that are read: 262,144, as many as 10,000 layers with 9 annotations
each have."""

_SPACES: Final = " \t\n\r"
_UNSPACED = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^" \t\n\r]++)++')
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NODES: Final = ",:[{"
_GLANCE: Final = 4096  # how much of a text is looked at first, in characters
_HALF = re.compile("[\ud800-\udfff]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(
    data: bytes, *, limit: int = MAX_DOCUMENT, nodes: int = MAX_NODES
) -> dict[str, Json]:
    """Read bytes as one JSON object.

    Args:
        data: The bytes.
        limit: The largest accepted size, in bytes.
        nodes: The most nodes that are accepted.

    Raises:
        DocumentError: The bytes are no I-JSON, or not an object.
        LimitExceededError: They are too many, hold too many values, or are nested too deeply.

    Spec: considerations:json, considerations:duplicate-keys, considerations:numbers-and-texts,
        considerations:limits, annotations:unique-keys.
    """
    text = decode_text(data, limit=limit)
    require_nodes(text, nodes)
    document = _refusing(_DECODER.decode, text)
    require_ijson(document, text)
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


def count_nodes(text: str) -> int:
    """Return how many nodes a JSON text has.

    What stands in strings may be counted, too, as long as there is little of it.
    """
    count = _count_seeming(text)
    return count if count * NODE < len(text) else _count_seeming(_STRING.sub("", text))


def require_nodes(text: str, limit: int = MAX_NODES) -> None:
    """Refuse a text that would take far more memory than its size when it is parsed.

    Args:
        text: JSON, or the beginning of it.
        limit: How many nodes are accepted.

    Raises:
        LimitExceededError: It has more.

    Spec: considerations:limits.
    """
    # What stands in strings is told apart only where that matters: it takes ten times as long.
    if len(text) > limit and _count_seeming(text) > limit and count_nodes(text) > limit:
        raise LimitExceededError(
            f"the document holds more than {limit} values; split it, or keep what is large in"
            " a blob of its own",
            what="nodes",
            limit=limit,
        )


def scan(text: str, start: int = 0) -> tuple[Json, int]:
    """Read one value inside of a text. What it does not show is left to `require_ijson`.

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


def scan_cut(text: str) -> tuple[Json, int] | None:
    """Read one value of a text that may have been cut short; `None` if it was.

    Raises:
        DocumentError: There is no JSON value, whatever may follow.
        LimitExceededError: It is nested too deeply.
    """
    return _refusing(_read_cut, text)


def scan_bounded(text: str, start: int) -> tuple[Json, int]:
    """Read one value inside of a text of which it may be any part, and refuse one that is large.

    Args:
        text: The text.
        start: Where the value begins.

    Returns:
        The value, and where it ends.

    Raises:
        DocumentError: There is no JSON value.
        LimitExceededError: It is nested too deeply, or has more than `MAX_NODES` nodes.
    """
    size = _GLANCE
    while start + size < len(text):
        glance = text[start : start + size]
        require_nodes(glance)
        with suppress(DocumentError):
            value, length = scan(glance)
            if length < size:  # a number that seems to end with the glance may go on
                return value, start + length
        size *= 2
    require_nodes(text[start:])
    return scan(text, start)


def require_ijson(document: Json, text: str, *, depth: int = 0) -> None:
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


def surely_ijson(objects: list[dict[str, Json]], text: str) -> bool:
    """Tell at a glance that `require_ijson` would find nothing; if not, it has to be asked.

    Args:
        objects: Those that are known to be in an array; they are in each other at most.
        text: The text of the array, with its brackets.
    """
    # If there is no other array, and no name but those of these objects, then any other object in
    # there is empty.
    return (
        text.find("[", 1) < 0 and "\\" not in text and sum(map(len, objects)) == _count_pairs(text)
    )


def dump_json(document: Json, *, lossy: bool = False) -> bytes:
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


def _read_cut(text: str) -> tuple[Json, int] | None:
    try:
        return _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        # A string without an end may have it behind the cut, all else that is wrong has not.
        if error.pos < len(text) - 1 and not error.msg.startswith("Unterminated"):
            raise
        return None


def _count_seeming(text: str) -> int:
    return sum(map(text.count, _NODES))


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
    problems = (
        Problem(
            code="duplicate-property",
            message=f"{name!r} stands here more than once",
            place=join_place(_place(node), name),
        )
        for node in _nodes(document)
        if isinstance(node.value, _Object)
        for name in node.value.twice
    )
    some = list(islice(problems, MAX_PROBLEMS))
    if some:
        raise DocumentError(some)


def _refuse_surrogates(document: Json) -> None:
    for node in _nodes(document):
        value = node.value
        texts = [value] if isinstance(value, str) else value if isinstance(value, dict) else []
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise DocumentError.of(
                    "bad-unicode", "a string holds half of a surrogate pair", _place(node)
                ) from None


class _Node(NamedTuple):
    """A value, and the step that leads to it; a place for each would be far more text."""

    value: Json
    above: _Node | None = None
    step: str | int = ""


def _nodes(document: Json) -> Iterator[_Node]:
    pending = [_Node(document)]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node.value, dict):
            pending.extend(_Node(item, node, name) for name, item in node.value.items())
        elif isinstance(node.value, list):
            pending.extend(_Node(item, node, number) for number, item in enumerate(node.value))


def _place(node: _Node) -> str:
    steps: list[str | int] = []
    while node.above is not None:
        steps.append(node.step)
        node = node.above
    place = "$"
    for step in reversed(steps):
        place = f"{place}[{step}]" if isinstance(step, int) else join_place(place, step)
    return place
