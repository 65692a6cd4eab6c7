"""The fields of models: their JSON keys, converters and validators.

Converters and validators run in every constructor. A converter makes an immutable value of any
sequence or mapping; a validator refuses values that the specification forbids, with a
`DocumentError` whose place is the JSON key of the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from io import IOBase
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import NOTHING, field, fields, frozen, validators

from ocilayout.errors import DocumentError
from ocilayout.model.frozenmap import FrozenJson, FrozenMap, Json, freeze
from ocilayout.model.place import join_place, wrong_type
from ocilayout.model.surrogate import has_surrogate, surrogate_error

if TYPE_CHECKING:
    from attrs import Attribute

Validator = Callable[[object, "Attribute[Any]", Any], None]

_KEY = "json"
_ALWAYS = "always"
_REQUIRED = "required"
_PART = "part"
_NOTHING: FrozenMap[str, FrozenJson] = FrozenMap()
MAX_INT64 = 2**63 - 1

# RFC 3339 section 5.6:
#   date-time   = full-date "T" full-time
#   full-date   = 4DIGIT "-" 2DIGIT "-" 2DIGIT
#   full-time   = 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*DIGIT] time-offset
#   time-offset = "Z" / ("+" / "-") 2DIGIT ":" 2DIGIT
# "T" and "Z" may be lower-case, and a leap second is the second 60. Deviation: a day need not exist
# in its month.
_DATE_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt]"
    r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def key(
    name: str | None = None, *, always: bool = False, required: bool = False, part: bool = False
) -> dict[str, str | bool | None]:
    """Return the metadata of a field.

    Args:
        name: The JSON key, where it is not the field's name in camel case.
        always: Whether an empty value is written, too.
        required: Whether a document must have the property, although the constructor has a default.
        part: Whether it holds descriptors that are not entries of an index.
    """
    return {_KEY: name, _ALWAYS: always, _REQUIRED: required, _PART: part}


def optional(
    validator: Validator,
    name: str | None = None,
    *,
    default: str | None = None,
    part: bool = False,
) -> Any:  # noqa: ANN401 # as `attrs.field`
    """Define a field that may be `None`.

    Args:
        validator: The validator of any other value.
        name: The JSON key, as for `key`.
        default: The value where the caller of the constructor gives none.
        part: As for `key`.
    """
    return field(
        default=default, validator=validators.optional(validator), metadata=key(name, part=part)
    )


def json_key(attribute: Attribute[Any]) -> str:
    """Return the JSON key of a field."""
    given: str | None = attribute.metadata.get(_KEY)
    if given is not None:
        return given
    head, *rest = attribute.name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def place_of(attribute: Attribute[Any]) -> str:
    """Return the JSON path of a field, seen from its object."""
    return join_place("$", json_key(attribute))


def always(attribute: Attribute[Any]) -> bool:
    """Tell whether an empty value of a field is written."""
    return bool(attribute.metadata.get(_ALWAYS))


def required(attribute: Attribute[Any]) -> bool:
    """Tell whether a document must have a field."""
    return attribute.default is NOTHING or bool(attribute.metadata.get(_REQUIRED))


def holds_parts(attribute: Attribute[Any]) -> bool:
    """Tell whether a field holds descriptors that are not entries of an index."""
    return bool(attribute.metadata.get(_PART))


def invalid(attribute: Attribute[Any], code: str, message: str) -> DocumentError:
    """Return the error of a field with an invalid value."""
    return DocumentError.of(code, message, place_of(attribute))


def _wrong_type(attribute: Attribute[Any], expected: str, value: object) -> DocumentError:
    return wrong_type(expected, value).at(place_of(attribute))


def to_tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    """Convert a sequence other than a string."""
    if type(values) is tuple:
        return values
    if isinstance(values, str | bytes | Mapping | IOBase) or not isinstance(values, Iterable):
        raise wrong_type("a sequence", values)
    return tuple(values)


def to_date_time(value: str | datetime | None) -> str | None:
    """Convert a time with a zone to the text of an RFC 3339 date-time."""
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise DocumentError.of(
            "bad-time",
            "a datetime needs a time zone; UTC is datetime.now(timezone.utc)",
            "$.created",
        )
    text = value.isoformat()
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text


def to_map(values: Mapping[str, Any]) -> FrozenMap[str, Any]:
    """Convert a mapping."""
    if isinstance(values, FrozenMap):
        return values
    if not isinstance(values, Mapping):
        raise wrong_type("a mapping", values)
    return FrozenMap(values)


def to_json_map(values: Mapping[str, Json]) -> FrozenMap[str, FrozenJson]:
    """Convert a mapping of JSON values."""
    if not values and isinstance(values, Mapping):
        return _NOTHING
    try:
        return FrozenMap({name: freeze(value) for name, value in to_map(values).items()})
    except TypeError as error:
        raise DocumentError.of("wrong-type", str(error)) from None


def text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require a string."""
    if not isinstance(value, str):
        raise _wrong_type(attribute, "a string", value)
    if has_surrogate(value):
        raise surrogate_error(place_of(attribute))


def date_time(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require a string that is an RFC 3339 date-time.

    Spec: config:created.
    """
    if not isinstance(value, str):
        raise _wrong_type(attribute, "a string", value)
    if _DATE_TIME.fullmatch(value) is None:
        raise invalid(attribute, "bad-time", f"{value!r} is not an RFC 3339 date-time")


maybe_date_time: Validator = validators.optional(date_time)


def size(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require a number of bytes: an integer from 0 to 2**63 - 1.

    Spec: descriptor:size.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(attribute, "an integer", value)
    if not 0 <= value <= MAX_INT64:
        raise invalid(attribute, "bad-size", f"{value} is not a valid size: 0 to 2**63 - 1 bytes")


def exactly(expected: int) -> Validator:
    """Require a given integer."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if type(value) is not int or value != expected:
            raise invalid(attribute, "bad-version", f"must be {expected}, found {value!r}")

    return check


def one_of(choices: Iterable[str]) -> Validator:
    """Require one of several strings."""
    known = frozenset(choices)

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, str) or value not in known:
            raise invalid(
                attribute, "wrong-value", f"must be {' or '.join(sorted(known))}, found {value!r}"
            )

    return check


def instance(expected: type, noun: str = "") -> Validator:
    """Require an instance of a class.

    Args:
        expected: The class.
        noun: Its name in messages, with an article; by default, made of the name of the class.
    """
    noun = noun or f"a {expected.__name__}"

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, expected):
            raise _wrong_type(attribute, noun, value)

    return check


def each(expected: type) -> Validator:
    """Require that all members of a sequence are instances of a class."""

    def check(_: object, attribute: Attribute[Any], value: tuple[object, ...]) -> None:
        for position, member in enumerate(value):
            if not isinstance(member, expected):
                raise wrong_type(f"a {expected.__name__}", member).at(
                    f"{place_of(attribute)}[{position}]"
                )
            if isinstance(member, str) and has_surrogate(member):
                raise surrogate_error(f"{place_of(attribute)}[{position}]")

    return check


def strings(_: object, attribute: Attribute[Any], value: Mapping[object, object]) -> None:
    """Require a mapping of strings to strings.

    Spec: annotations:map, annotations:unknown-keys.
    """
    for name, member in value.items():
        if not isinstance(name, str):
            raise wrong_type("a string", name).at(join_place(place_of(attribute), str(name)))
        if not isinstance(member, str):
            raise wrong_type("a string", member).at(join_place(place_of(attribute), name))
        if has_surrogate(name):
            raise surrogate_error(place_of(attribute))
        if has_surrogate(member):
            raise surrogate_error(join_place(place_of(attribute), name))


def known_keys(model: type) -> dict[str, str]:
    """Return the JSON keys of a model by their case-folded form.

    Go programs match keys without regard to case: they read `Manifests` as `manifests`, while other
    programs ignore it as unknown. So a key is refused if it differs from a known key only in case.
    """
    return {
        json_key(attribute).casefold(): json_key(attribute)
        for attribute in fields(model)
        if attribute.name != "extra"
    }


def _require_unknown(
    model: Extensible, _: Attribute[Any], value: FrozenMap[str, FrozenJson]
) -> None:
    if value is _NOTHING:  # as nearly always, and asked for each model
        return
    known = known_keys(type(model))
    for name in value:
        if not isinstance(name, str):
            raise wrong_type("a string", name)
        twin = known.get(name.casefold())
        if twin == name and name in type(model).foreign and getattr(model, name) is None:
            continue
        if twin is not None:
            raise DocumentError.of(
                "case-variant" if twin != name else "known-property",
                f"{name!r} is not an extra property, it would be read as {twin!r}",
                join_place("$", name),
            )


@frozen(kw_only=True)
class Extensible:
    """A document or a part of one, which may have properties unknown to the specification.

    Attributes:
        extra: The unknown properties by their JSON keys; kept when read, written back by `encode`.
        foreign: The known properties that are unknown ones in some places, where any value is kept.

    Raises:
        DocumentError: A value breaks the specification, or an extra property is a known property
            or a case variant of one.

    Spec: considerations:unknown-properties.
    """

    foreign: ClassVar[frozenset[str]] = frozenset()
    extra: FrozenMap[str, FrozenJson] = field(
        default=FrozenMap(), converter=to_json_map, validator=_require_unknown
    )


def require_without(extra: Mapping[str, object], *names: str) -> None:
    """Refuse a document that could be read as a document of another kind.

    Raises:
        DocumentError: One of the names is among the extra properties, in upper or lower case.

    Spec: manifest:unambiguous.
    """
    for name in extra:
        if name.casefold() in names:
            raise DocumentError.of(
                "ambiguous-document",
                f"{name!r} belongs to a document of another kind; this one could be read as either",
                join_place("$", name),
            )
