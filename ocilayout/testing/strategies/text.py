"""What all strategies are made of: JSON of every kind, odd text, objects with unknown members."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from ocilayout.model import CREATED, TITLE, Extensible, known_keys
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Collection

    from hypothesis.strategies import SearchStrategy

    from ocilayout.model import Json

# What JSON writers stumble over: quotes before colons, backslashes, what Go escapes for the sake
# of HTML, line separators, a character outside of the basic plane, combining and control ones.
_ODD = st.sampled_from(
    ['":', '\\":', "\\", '"', "<>&", "\u2028\u2029", "\U0001f433", "e\u0301", "\0", "\x7f", " :"]
)
# I-JSON forbids noncharacters (RFC 7493, section 2.1): `check` warns of them.
_NONCHARACTERS: Final = "".join(
    map(
        chr,
        [
            *range(0xFDD0, 0xFDF0),
            *range(0xFFFE, 0x110000, 0x10000),
            *range(0xFFFF, 0x110000, 0x10000),
        ],
    )
)
_CHARACTERS = st.characters(codec="utf-8", exclude_characters=_NONCHARACTERS)
TEXT: Final = st.one_of(st.text(_CHARACTERS, max_size=8), _ODD)
"""Any text that a document can hold, short."""

KEYS: Final = st.one_of(
    st.sampled_from(["", "x", "com.example.note", CREATED, TITLE, "Manifests", "a b"]), TEXT
)
"""Names of annotations and of unknown properties."""

ORDERS: Final = st.integers(0, 3)
"""What `ordered` takes for an order."""


@checked
def json_values(*, max_leaves: int = 5) -> SearchStrategy[Json]:
    """Give JSON values of every kind, nested; numbers are doubles.

    Args:
        max_leaves: How many values that are neither arrays nor objects stand in one, about.
    """
    leaves: SearchStrategy[Json] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53) | st.sampled_from([-(2**63), 2**64]),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)
        ),
        max_leaves=max_leaves,
    )


def texts() -> SearchStrategy[tuple[str, ...]]:
    """Give sequences of a few texts."""
    return st.lists(TEXT, max_size=2).map(tuple)


def unknown_names(model: type[Extensible], others: Collection[str] = ()) -> SearchStrategy[str]:
    """Give names that are none of a model's, in whatever case.

    Args:
        model: The model.
        others: Names that must not be given besides, in lower case.
    """
    known = {*known_keys(model), *others}
    return KEYS.filter(lambda name: name.casefold() not in known)


@cache  # strategies that are asked for while another draws would be made anew each time
def extras(model: type[Extensible], *others: str) -> SearchStrategy[dict[str, Any]]:
    """Give properties that a model does not know: as a rule none.

    Args:
        model: The model.
        others: Names that must not be given besides, in lower case.
    """
    return st.one_of(
        st.just({}),
        st.dictionaries(unknown_names(model, others), json_values(), max_size=2),
    )


def objects(
    required: dict[str, SearchStrategy[Json]],
    choices: dict[str, SearchStrategy[Json]],
    model: type[Extensible],
    *others: str,
) -> SearchStrategy[dict[str, Json]]:
    """Give objects as JSON, with unknown properties among the known ones.

    Args:
        required: The properties that all have.
        choices: The properties that some of them have.
        model: What says which properties are known.
        others: Names that must not be given besides, in lower case.
    """
    known = st.fixed_dictionaries(required, optional=choices)
    unknown = st.dictionaries(unknown_names(model, others), json_values(), max_size=2)
    return st.builds(lambda *parts: ordered(parts[0] | parts[1], parts[2]), known, unknown, ORDERS)


def ordered(members: dict[str, Json], order: int) -> dict[str, Json]:
    """Return the same object in one of four orders; to try all of them would be slow."""
    pairs = list(members.items())
    middle = len(pairs) // 2
    orders = [
        pairs,
        pairs[::-1],
        pairs[middle:] + pairs[:middle],
        [(name, members[name]) for name in sorted(members)],
    ]
    return dict(orders[order])


def as_json(value: Any) -> Json:  # noqa: ANN401 # it is JSON by construction; lists are invariant
    """Return the same value under its type."""
    found: Json = value
    return found
