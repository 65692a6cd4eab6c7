"""Bytes to models and back, with cattrs, which no other module uses.

Unknown properties are kept. A case variant of a known property is refused, since programs that
ignore case would read another document. `null` for an optional property means that it is absent,
because Go programs write it so. All problems of a document are reported, each with its JSON path.
"""

from __future__ import annotations

import base64
import binascii
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter

from ocilayout.errors import MAX_PROBLEMS, DocumentError, Problem, UnsupportedVersionError
from ocilayout.model.attribute import (
    Extensible,
    always,
    holds_parts,
    json_key,
    known_keys,
    place_of,
    required,
)
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap, Json, thaw
from ocilayout.model.gojson import dump_json
from ocilayout.model.ijson import parse_json
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import UNSUPPORTED_VERSION
from ocilayout.model.place import join_place, wrong_type
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from attrs import Attribute

    Structure = Callable[[Any, Any], Any]

M = TypeVar("M", bound=Extensible)


@checked
def decode(data: bytes, model: type[M], *, limit: int = MAX_DOCUMENT) -> M:
    """Read a document.

    Reading stops after 100 problems.

    Args:
        data: The bytes of the document.
        model: The class of the document, such as `Manifest`.
        limit: The largest accepted size, in bytes.

    Raises:
        DocumentError: The bytes break the specification; the error lists all problems.
        LimitExceededError: The document is too large, holds too many values, or is nested too
            deeply.

    Spec: considerations:property-types, considerations:unknown-properties, considerations:case,
        considerations:order.
    """
    return _converter.structure(parse_json(data, limit=limit), model)


def structure(value: Json, model: type[M]) -> M:
    """Read a part of a document from its parsed JSON.

    Raises:
        DocumentError: The value breaks the specification; the error lists all problems.

    Spec: considerations:property-types.
    """
    return _converter.structure(value, model)


@checked
def encode(model: Extensible) -> bytes:
    """Write a document: compact, properties in the order of the specification's Go types.

    Absent properties and empty arrays and maps are left out, except those that the specification
    requires. Maps are sorted by key; unknown properties follow the known ones, sorted as well.

    Raises:
        DocumentError: An unknown property has a value that JSON cannot express.

    Spec: considerations:canonical, annotations:none.
    """
    return dump_json(_converter.unstructure(model))


def _require(expected: type, noun: str) -> Callable[[object, type], object]:
    def structure(value: object, _: type) -> object:
        if type(value) is not expected:
            raise wrong_type(noun, value)
        return value

    return structure


def _structure_digest(value: object, _: type) -> Digest:
    if not isinstance(value, str):
        raise wrong_type("a string", value)
    return Digest.parse(value)


def _structure_bytes(value: object, _: type) -> bytes:
    if not isinstance(value, str):
        raise wrong_type("a string", value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise DocumentError.of("bad-base64", "is not base64") from None


def _array(kind: Any, hook_of_member: Structure | None = None) -> Structure:  # noqa: ANN401
    member = get_args(kind)[0]
    structure = hook_of_member or _converter.get_structure_hook(member)

    def hook(value: object, _: type) -> object:
        if not isinstance(value, list):
            raise wrong_type("an array", value)
        items: list[object] = []
        problems: list[Problem] = []
        for number, item in enumerate(value):
            try:
                items.append(structure(item, member))
            except DocumentError as error:
                problems.extend(error.at(f"$[{number}]").problems)
                if len(problems) >= MAX_PROBLEMS:
                    break
        if problems:
            raise DocumentError(problems)
        return tuple(items)

    return hook


def _map(kind: Any) -> Structure:  # noqa: ANN401
    of_strings = get_args(kind)[1] is str

    def hook(value: object, _: type) -> object:
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        problems = (
            problem
            for name, item in value.items()
            if of_strings and not isinstance(item, str)
            for problem in wrong_type("a string", item).at(join_place("$", name)).problems
        )
        first = list(islice(problems, MAX_PROBLEMS))
        if first:
            raise DocumentError(first)
        return value

    return hook


def _hook_of(attribute: Attribute[Any]) -> Structure:
    if not holds_parts(attribute):
        return _converter.get_structure_hook(attribute.type)
    return _array(attribute.type, _part()) if _is_array(attribute.type) else _part()


def _part() -> Structure:
    """Return the reader of a descriptor that is not an entry of an index.

    Properties that are defined for entries alone are unknown ones here; what is not valid is kept.
    """
    structure = _converter.get_structure_hook(Descriptor)

    def hook(value: Any, kind: type) -> Descriptor:  # noqa: ANN401
        try:
            return cast("Descriptor", structure(value, kind))
        except DocumentError:
            foreign = Descriptor.foreign.intersection(value if isinstance(value, dict) else ())
            if not foreign:
                raise
        bare = {name: item for name, item in value.items() if name not in foreign}
        descriptor: Descriptor = structure(bare, kind)
        unknown: dict[str, Any] = {name: value[name] for name in foreign}
        unknown.update(descriptor.extra)
        return attrs.evolve(descriptor, extra=unknown)

    return hook


def _object(model: type[Extensible]) -> Structure:
    members = {
        json_key(attribute): (attribute, _hook_of(attribute))
        for attribute in attrs.fields(attrs.resolve_types(model))
        if attribute.name != "extra"
    }
    attributes = [attribute for attribute, _ in members.values()]
    needed = {attribute.name for attribute in attributes if required(attribute)}
    folded = known_keys(model)
    # A property that the document lacks is `None`; the default of the constructor, such as a media
    # type, is for documents that are written.
    absent = {a.name: None for a in attributes if NoneType in get_args(a.type)}

    def hook(value: object, _: type) -> Extensible:
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        problems: list[Problem] = []
        extra: dict[str, Json] = {}
        values: dict[str, Any] = {"extra": extra, **absent}
        for name, item in value.items():
            member = members.get(name)
            if member is not None:
                attribute, structure = member
                try:
                    if item is not None:
                        values[attribute.name] = structure(item, attribute.type)
                except DocumentError as error:
                    problems.extend(error.at(place_of(attribute)).problems)
            elif name.casefold() in folded:
                problems.append(_case_variant(name, folded[name.casefold()]))
            else:
                extra[name] = item
        if problems or not needed <= values.keys():
            raise _refusal([*problems, *_each_problem(attributes, values, value)])
        try:
            return model(**values)
        except DocumentError as error:  # a constructor stops at the first problem
            raise _refusal([*_each_problem(attributes, values, value)] or error.problems) from None

    return hook


def _refusal(problems: Sequence[Problem]) -> DocumentError:
    unsupported = any(problem.code == UNSUPPORTED_VERSION for problem in problems)
    return UnsupportedVersionError(problems) if unsupported else DocumentError(problems)


def _each_problem(
    attributes: list[Attribute[Any]], values: dict[str, Any], document: dict[str, Json]
) -> Iterator[Problem]:
    """Give the problems of the properties of an object, each validated on its own."""
    for attribute in attributes:
        if required(attribute) and document.get(json_key(attribute)) is None:
            place = place_of(attribute)
            yield Problem(code="missing-property", message="is required", place=place)
        elif attribute.validator is not None and values.get(attribute.name) is not None:
            try:
                attribute.validator(cast("Any", None), attribute, values[attribute.name])
            except DocumentError as error:
                yield from error.problems


def _case_variant(name: str, known: str) -> Problem:
    return Problem(
        code="case-variant",
        message=f"{name!r} would be read as {known!r} by programs that ignore case",
        place=join_place("$", name),
    )


def _unstructure_model(model: Extensible) -> dict[str, Json]:
    document: dict[str, Json] = {}
    for attribute in attrs.fields(type(model)):
        value = getattr(model, attribute.name)
        if attribute.name == "extra" or value is None:
            continue
        if value in ((), {}) and not always(attribute):
            continue
        document[json_key(attribute)] = _converter.unstructure(value)
    for name in sorted(model.extra):
        document[name] = thaw(model.extra[name])
    return document


def _unstructure_map(value: FrozenMap[str, Any]) -> dict[str, Json]:
    return {name: thaw(value[name]) for name in sorted(value)}


def _make_converter() -> Converter:
    # The hooks of cattrs convert: "10" to 10, 1 to True, None to "None". JSON types are strict
    # here, and registered by type, since cattrs prefers its own hook for `int` to a predicate.
    converter = Converter()
    converter.register_structure_hook(str, _require(str, "a string"))
    converter.register_structure_hook(int, _require(int, "an integer"))
    converter.register_structure_hook(bool, _require(bool, "a boolean"))
    converter.register_structure_hook(bytes, _structure_bytes)
    converter.register_structure_hook(Digest, _structure_digest)
    converter.register_structure_hook_factory(_is_array, _array)
    converter.register_structure_hook_factory(_is_map, _map)
    converter.register_structure_hook_factory(_is_model, _object)
    converter.register_unstructure_hook(Digest, str)
    converter.register_unstructure_hook(
        bytes, lambda value: base64.b64encode(value).decode("ascii")
    )
    converter.register_unstructure_hook(FrozenMap, _unstructure_map)
    converter.register_unstructure_hook_func(_is_model, _unstructure_model)
    return converter


def _is_array(kind: object) -> bool:
    return get_origin(kind) is tuple


def _is_map(kind: object) -> bool:
    return get_origin(kind) is FrozenMap


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Extensible)


_converter: Final = _make_converter()
