"""What an argument may be, as its annotation says, and how a value that does not fit is named."""

from __future__ import annotations

import inspect
import io
import os
import re
import types
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import (
    Any,
    BinaryIO,
    Final,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from attrs import frozen

_DOCUMENT: Final = "Extensible"
"""The class of all documents, of which users know only the subclasses."""

_UNDIVIDED: Final = (str, bytes, bytearray, io.IOBase)
"""What Python iterates over, and still is not several arguments."""

_STREAMS: Final = {"Readable": "read", "Seekable": "read", "Writable": "write"}
"""The protocols of streams, each with the method that it needs."""

_NOUNS: Final[Mapping[Any, str]] = {
    bool: "a boolean",
    bytes: "bytes",
    dict: "a dict",
    float: "a number",
    int: "an integer",
    list: "a list",
    memoryview: "a memoryview",
    os.PathLike: "a path",
    str: "a string",
    Mapping: "a mapping",
    types.NoneType: "None",
}


@frozen
class Kind:
    """What an argument may be.

    Attributes:
        noun: What is expected, for messages.
        fit: Returns the argument, or what the function gets in its place; it raises `MisfitError`.
        plain: Types whose instances fit as they are.
    """

    noun: str
    fit: Callable[[Any], Any]
    plain: frozenset[type] = frozenset()


class MisfitError(Exception):
    """An argument does not fit.

    Attributes:
        found: What it is instead.
        inside: Where the misfit is inside the argument, such as `a member of `.
        noun: What is expected there, if it is inside.
        near: Whether it fits but for a detail, so that it says more than that of another kind.
    """

    def __init__(self, found: str, inside: str = "", noun: str = "", *, near: bool = True) -> None:
        super().__init__(found)
        self.found, self.inside, self.noun, self.near = found, inside, noun, near


class ChoiceError(Exception):
    """A string is not among the listed ones."""


def name_of(value: object) -> str:
    """Return what a value is, for a message; never the value, which may be a secret."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _article(type(value).__name__)


def _misfit(value: object) -> NoReturn:
    raise MisfitError(name_of(value), near=False)


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def kind_of(annotation: Any) -> Kind:  # noqa: ANN401, C901, PLR0911 # a table in the form of code
    """Return what an argument with an annotation may be."""
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation)
    if origin in (Any, object):
        return Kind("anything", lambda value: value)
    if origin is None:
        return kind_of(types.NoneType)
    if isinstance(origin, TypeVar):
        return kind_of(origin.__bound__ or object)
    if origin in (Union, types.UnionType):
        return _union([kind_of(argument) for argument in arguments])
    if origin is Literal:
        return _choice(arguments)
    if origin is type:
        return _subclass(arguments[0])
    if origin is Callable or origin is types.FunctionType:
        return Kind("a function", lambda value: value if callable(value) else _misfit(value))
    verb = "read" if origin is BinaryIO else _STREAMS.get(getattr(origin, "__name__", ""))
    if verb is not None:
        return Kind("an open binary file", lambda value: _stream(value, verb))
    if origin in (str, bool, bytes):
        return _instance(origin)
    if origin is int or origin is float:
        return _number(origin)
    if isinstance(origin, type) and issubclass(origin, str) and hasattr(origin, "parse"):
        return _text(origin)
    if isinstance(origin, type) and issubclass(origin, Iterable | Container) and arguments:
        return _container(origin, arguments)
    return _instance(origin)


def _noun_of(origin: Any) -> str:  # noqa: ANN401 # a class or a protocol
    if origin.__name__ == _DOCUMENT:
        return "a document, such as a Manifest"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", origin.__name__).split()
    plain = origin.__module__.startswith(("collections", "typing"))
    return _NOUNS.get(origin) or _article(" ".join(words).lower() if plain else origin.__name__)


def _instance(expected: Any) -> Kind:  # noqa: ANN401 # a class or a protocol
    def fit(value: object) -> object:
        return value if isinstance(value, expected) else _misfit(value)

    return Kind(_noun_of(expected), fit, frozenset({expected}))


def _number(expected: type) -> Kind:
    accepted = (int,) if expected is int else (int, float)

    def fit(value: object) -> object:
        if isinstance(value, accepted) and not isinstance(value, bool):
            return value
        _misfit(value)

    return Kind(_NOUNS[expected], fit, frozenset(accepted))


def _text(expected: Any) -> Kind:  # noqa: ANN401 # a subclass of `str` with `parse`
    def fit(value: object) -> object:
        return expected.parse(value) if isinstance(value, str) else _misfit(value)

    return Kind(_noun_of(expected), fit, frozenset({expected}))


def _choice(choices: tuple[object, ...]) -> Kind:
    def fit(value: object) -> object:
        if type(value) not in {type(choice) for choice in choices}:
            _misfit(value)
        if value not in choices:
            raise ChoiceError(repr(value))
        return value

    return Kind(_either(map(repr, choices)), fit)


def _subclass(bound: Any) -> Kind:  # noqa: ANN401 # a class or a type variable
    parent: Any = bound.__bound__ if isinstance(bound, TypeVar) else bound

    def fit(value: object) -> object:
        if isinstance(value, type) and issubclass(value, parent):
            return value
        _misfit(value)

    if parent.__name__ == _DOCUMENT:
        return Kind("the class of a document, such as Manifest", fit)
    return Kind(f"a subclass of {parent.__name__}", fit)


def _union(kinds: list[Kind]) -> Kind:
    plain = frozenset[type]().union(*(kind.plain for kind in kinds))

    def fit(value: object) -> object:
        if type(value) in plain:
            return value
        nearest: Exception | None = None
        for kind in kinds:
            try:
                return kind.fit(value)
            except (MisfitError, ChoiceError) as error:
                if not isinstance(error, MisfitError) or error.near:
                    nearest = error
        if nearest is not None:
            raise nearest
        _misfit(value)

    return Kind(_either(dict.fromkeys(kind.noun for kind in kinds)), fit, plain)


def _either(nouns: Iterable[str]) -> str:
    *others, last = nouns
    return f"{', '.join(others)} or {last}" if others else last


def _container(origin: Any, arguments: tuple[Any, ...]) -> Kind:  # noqa: ANN401 # a class
    members = [kind_of(argument) for argument in arguments if argument is not ...]
    of_strings = members[0].noun == "a string"
    length = len(members) if origin is tuple and ... not in arguments else None

    def fit(value: object) -> object:
        if of_strings and isinstance(value, str):
            raise MisfitError(f"one string; give [{value!r}]")
        if isinstance(value, _UNDIVIDED) or not isinstance(value, origin):
            _misfit(value)
        if (
            isinstance(value, Iterator) and members[0].noun != "bytes"
        ):  # a body is read as it is sent
            value = tuple(value)
        if length is not None and len(cast("tuple[object, ...]", value)) != length:
            raise MisfitError(f"one of {len(cast('tuple[object, ...]', value))} members")
        _fit_members(value, members)
        return value

    # Our own maps are made of what fits.
    plain = frozenset({origin}) if origin.__module__.startswith("ocilayout.") else frozenset()
    return Kind(_noun_of(origin) + " of strings" * of_strings, fit, plain)


def _fit_members(value: object, kinds: list[Kind]) -> None:
    if isinstance(value, Mapping):
        for key, member in value.items():
            _fit_member("a key of ", key, kinds[0])
            _fit_member("a value of ", member, kinds[-1])
    elif isinstance(value, Collection):
        for position, member in enumerate(value):
            _fit_member("a member of ", member, kinds[min(position, len(kinds) - 1)])


def _fit_member(inside: str, value: object, kind: Kind) -> None:
    if type(value) not in kind.plain:
        try:
            kind.fit(value)
        except MisfitError as error:
            noun = error.noun or kind.noun
            raise MisfitError(error.found, inside + error.inside, noun) from None


def _stream(value: object, name: str) -> object:
    if isinstance(value, io.TextIOBase):
        raise MisfitError("a text stream; open it in binary mode")
    verb = getattr(value, name, None)
    if isinstance(value, type) or not callable(verb):
        _misfit(value)
    if getattr(value, "closed", False) is True:
        raise MisfitError("a closed one")
    if not isinstance(value, io.IOBase):
        try:
            inspect.signature(verb).bind(1)
        except TypeError:
            raise MisfitError(
                f"{_article(type(value).__name__)} whose {name}() takes no argument"
            ) from None
        except ValueError:  # it is not written in Python, and does not tell
            pass
    return value
