"""The reader of I-JSON, RFC 7493: the JSON that no two programs read differently.

It accepts UTF-8 without a byte order mark, and refuses duplicate properties, NaN, numbers beyond
the range of a double, lone surrogates, and text behind the document. The depth is limited here,
size and number of values in `jsontext`. Deviation: noncharacters are read, and integers that a
double would round, as a size has 64 bits; a check reports both. A parsed value hides duplicates and
surrogates from the parser's caller, so they are searched for afterwards, with `require_ijson`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from ocilayout.errors import MAX_PROBLEMS, DocumentError, LimitExceededError, Problem
from ocilayout.model.frozenmap import Json
from ocilayout.model.jsontext import decode_text, require_nodes
from ocilayout.model.limit import MAX_DEPTH, MAX_DOCUMENT, MAX_NODES
from ocilayout.model.place import join_place, wrong_type
from ocilayout.model.surrogate import has_surrogate, surrogate_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

# The escape of half a surrogate pair, \uD800 to \uDFFF; two of them may be a whole pair.
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_FIRST_GUESS: Final = 4096  # of the length of a value, in characters
# An integer of up to 308 digits is in the range of a double. Among those of a longer one are 16 of
# every 19th character of the text, and looking at these alone is as good as free.
_STEP: Final = 19
_HUGE = re.compile("[0-9]{16}")


def parse_json(
    data: bytes, *, limit: int = MAX_DOCUMENT, nodes: int = MAX_NODES
) -> dict[str, Json]:
    """Read bytes as one JSON object.

    Args:
        data: The bytes.
        limit: The largest accepted size, in bytes.
        nodes: The largest accepted number of nodes.

    Raises:
        DocumentError: The bytes are not I-JSON, or not an object.
        LimitExceededError: They are too many, hold too many values, or are nested too deeply.

    Spec: considerations:json, considerations:duplicate-keys, considerations:numbers,
        considerations:texts, considerations:limits, annotations:unique-keys.
    """
    document = parse_value(data, limit=limit, nodes=nodes)
    if not isinstance(document, dict):
        raise wrong_type("an object", document)
    return document


def parse_value(data: bytes, *, limit: int = MAX_DOCUMENT, nodes: int = MAX_NODES) -> Json:
    """Read bytes as one JSON value of any type; see `parse_json`.

    Raises:
        DocumentError: The bytes are not I-JSON.
        LimitExceededError: As for `parse_json`.
    """
    text = decode_text(data, limit=limit)
    require_nodes(text, nodes)
    document: Json = _decode(text)
    require_ijson(document, text)
    return document


def _translated(read: Callable[P, T]) -> Callable[P, T]:
    """Make a reader raise this library's errors for those of `json`."""

    # A decorator, because a context manager would double the time of a short value.
    @wraps(read)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except DocumentError:  # a ValueError as well
            raise
        except json.JSONDecodeError as error:
            raise DocumentError.of(
                "bad-json", f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
            ) from None
        except ValueError as error:  # an integer of more digits than Python converts
            raise DocumentError.of("bad-number", f"holds a number out of range: {error}") from None
        except RecursionError:
            raise _too_deep() from None

    return translated


@_translated
def scan(text: str, start: int = 0) -> tuple[Json, int]:
    """Read one value inside of a text; `require_ijson` must follow.

    Args:
        text: The text.
        start: Where the value begins.

    Returns:
        The value, and where it ends.

    Raises:
        DocumentError: There is not a JSON value.
        LimitExceededError: It is nested too deeply.
    """
    return _DECODER.raw_decode(text, start)


@_translated
def scan_cut(text: str) -> tuple[Json, int] | None:
    """Read the value at the beginning of a text that may be cut; `None` if the cut is inside of it.

    Raises:
        DocumentError: As for `scan`, and no text behind the cut could make it right.
        LimitExceededError: As for `scan`.
    """
    try:
        return _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        # Callers cut behind a brace that seems to end a value. If it does not, the parser gets as
        # far as the last two characters, or reports a string without an end, at its beginning. Any
        # other error is in front of the cut.
        if error.pos < len(text) - 1 and not error.msg.startswith("Unterminated"):
            raise
        return None


def scan_bounded(text: str, start: int) -> tuple[Json, int]:
    """Read one value as `scan` does, but refuse a large one.

    Raises:
        DocumentError: As for `scan`.
        LimitExceededError: As for `scan`, or the value has more than `MAX_NODES` nodes.
    """
    # The text goes on behind the value, and counting its nodes would refuse the value for them. So
    # the end of the value is guessed, and the guess doubled until the value is whole in it.
    size = _FIRST_GUESS
    while start + size < len(text):
        part = text[start : start + size]
        require_nodes(part)
        with suppress(DocumentError):
            value, length = scan(part)
            if length < size:  # else it may be a number that goes on behind the part
                return value, start + length
        size *= 2
    require_nodes(text[start:])
    return scan(text, start)


def require_ijson(document: Json, text: str, *, depth: int = 0) -> None:
    """Refuse what I-JSON forbids and a parsed value does not show.

    Args:
        document: The value.
        text: The text that it was read from.
        depth: The number of arrays and objects around it.

    Raises:
        DocumentError: An object has a property twice, a string holds half of a surrogate pair, or
            an integer is beyond the range of a double.
        LimitExceededError: It is nested too deeply.
    """
    # The text has at least as many pairs as names. So if it has no more pairs than the objects have
    # names, then no name was dropped as a duplicate. Otherwise the text is parsed again, slowly.
    if _count_keys(document, depth) != _count_pairs(text):
        _refuse_duplicates(_PAIRS_DECODER.decode(text))
    if "\\" in text and _ESCAPED_SURROGATE.search(text):
        _refuse_surrogates(document)
    if _HUGE.search(text[::_STEP]):
        _refuse_huge(document)


def surely_ijson(objects: list[dict[str, Json]], text: str) -> bool:
    """Tell quickly whether `require_ijson` would accept an array; if not, it may still do so.

    Args:
        objects: The known objects in the array, nested in each other at most.
        text: The text of the array, with its brackets.
    """
    # If there is no other array, and no name but those of the known objects, then any other object
    # is empty.
    return (
        text.find("[", 1) < 0
        and "\\" not in text
        and _HUGE.search(text[::_STEP]) is None
        and sum(map(len, objects)) == _count_pairs(text)
    )


class _Object(dict[str, Json]):
    """An object of a document that remembers which properties its text has more than once."""

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.duplicates: list[str] = []
        if len(self) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.duplicates = sorted(name for name, count in counts.items() if count > 1)


def _too_deep() -> LimitExceededError:
    return LimitExceededError(
        f"the document is nested deeper than {MAX_DEPTH}", what="depth", limit=MAX_DEPTH
    )


def _refuse_constant(name: str) -> None:  # NaN, Infinity and -Infinity, which `json` reads
    raise DocumentError.of("bad-json", f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise DocumentError.of("bad-number", f"holds a number out of range: {text[:32]}")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_PAIRS_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Object)
_decode = _translated(_DECODER.decode)


def _count_pairs(text: str) -> int | None:
    """Return the number of names before a value, or more; `None` if it takes a parser to tell."""
    # A name ends with a quote before a colon, unless there is white space between the two; a string
    # may hold more such pairs. The first tests are there for speed: one character is found far
    # quicker than two.
    if (
        (" " in text and " :" in text)
        or ("\n" in text and "\n:" in text)
        or ("\t" in text and "\t:" in text)
        or ("\r" in text and "\r:" in text)
    ):
        return None
    return text.count('":')


def _count_keys(document: Json, depth: int) -> int:
    # Level by level, as that bounds the depth without recursion; comparing classes is quicker than
    # `isinstance`, and the parser makes no subclasses.
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
            message=f"{name!r} occurs more than once",
            place=join_place(_place(node), name),
        )
        for node in _nodes(document)
        if isinstance(node.value, _Object)
        for name in node.value.duplicates
    )
    first = list(islice(problems, MAX_PROBLEMS))
    if first:
        raise DocumentError(first)


def _refuse_surrogates(document: Json) -> None:
    for node in _nodes(document):
        value = node.value
        texts = [value] if isinstance(value, str) else value if isinstance(value, dict) else []
        if any(map(has_surrogate, texts)):
            raise surrogate_error(_place(node))


def _refuse_huge(document: Json) -> None:
    for node in _nodes(document):
        if isinstance(node.value, int):
            try:
                float(node.value)
            except OverflowError:
                message = f"holds a number out of range: {str(node.value)[:32]}"
                raise DocumentError.of("bad-number", message, _place(node)) from None


class _Node(NamedTuple):
    """A value, and the step that leads to it; a path for each would take far more memory."""

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
