"""Arguments of the wrong type, refused by name before a public function runs.

`checked` reads what a function takes from its annotations, so a signature is the only place where
that is written. Values, such as the grammar of a name, are checked by the functions themselves. The
fields of documents have validators of their own.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import sys
import types
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from typing import (
    TYPE_CHECKING,
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

from ocilayout.errors import ArgumentError

if TYPE_CHECKING:
    from types import FunctionType

_T = TypeVar("_T")

# Where names are found that the module of a function imports for type checkers alone: here, or in
# a room that is imported, as it is if there is an instance of its class.
_ELSEWHERE: Final = (
    *("builtins", "collections.abc", "typing", "pathlib", "datetime"),
    "ocilayout.model",
)
_MODULES: Final = ("os", "ssl")

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
class _Kind:
    """What an argument may be.

    Attributes:
        noun: What is expected, for messages.
        fit: Returns the argument, or what the function gets in its place; it raises `_MisfitError`.
        plain: Types whose instances fit as they are.
    """

    noun: str
    fit: Callable[[Any], Any]
    plain: frozenset[type] = frozenset()


class _MisfitError(Exception):
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


def checked(thing: _T) -> _T:
    """Check the arguments of a function, or of the public methods and the constructor of a class.

    A wrong type raises `ArgumentError`, and a string outside of the listed ones `ValueError`. Text
    is a digest where a digest alone is taken.
    """
    if not isinstance(thing, type):
        return cast("_T", _checked_function(cast("FunctionType", thing)))
    for name, member in list(vars(thing).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(member, classmethod | staticmethod):
            inner = _checked_function(cast("FunctionType", member.__func__))
            setattr(thing, name, type(member)(inner))
        elif inspect.isfunction(member):
            setattr(thing, name, _checked_function(member))
    return thing


def _checked_function(function: FunctionType) -> FunctionType:
    signature = _Signature(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401 # those of the function
        # Nearly all arguments are of just the type that is expected; that is seen here at once.
        bound, positional, by_name = signature.plain
        for value, plain in zip(args[bound:], positional, strict=False):
            if type(value) not in plain:
                break
        else:
            for option, value in options.items():
                if type(value) not in by_name.get(option, ()):
                    break
            else:
                return function(*args, **options)
        args, options = signature.fit(args, options)
        return function(*args, **options)

    return cast("FunctionType", call)


class _Signature:
    """What a function takes; read when it is first called, as all rooms are imported then.

    Attributes:
        plain: How many arguments Python binds; then the types of the others that fit as they are,
            by position and by name.
    """

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._positional: list[str] = []
        self._kinds: dict[str, _Kind] = {}
        self.plain: tuple[int, list[Container[type]], dict[str, Container[type]]] = (0, [()], {})

    def _read(self) -> None:
        names = _Names(self._function.__module__)
        parameters = inspect.signature(self._function).parameters.values()
        self._kinds = {
            parameter.name: _kind_of(names.evaluate(parameter.annotation))
            for parameter in parameters
        }
        self._positional = [
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        by_name: dict[str, Container[type]] = {
            name: kind.plain for name, kind in self._kinds.items()
        }
        bound = int(self._positional[:1] in (["self"], ["cls"]))
        self.plain = (bound, [by_name[name] for name in self._positional[bound:]], by_name)

    def fit(
        self, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments as the function gets them."""
        if not self._kinds:
            self._read()
        taken = zip(self._positional, args, strict=False)
        fitted = tuple(self._fit(name, value) for name, value in taken)
        return (
            (*fitted, *args[len(fitted) :]),
            {name: self._fit(name, value) for name, value in options.items()},
        )

    def _fit(self, argument: str, value: object) -> object:
        kind = self._kinds.get(argument)
        if kind is None:  # Python itself refuses it
            return value
        function = self._function.__qualname__.removesuffix(".__init__")
        try:
            return kind.fit(value)
        except _MisfitError as error:
            raise ArgumentError(
                f"{function}: {error.inside}{argument} must be {error.noun or kind.noun},"
                f" not {error.found}"
            ) from None
        except _ChoiceError as error:
            raise ValueError(f"{function}: {argument} must be {kind.noun}, not {error}") from None


class _ChoiceError(Exception):
    """A string is not among the listed ones."""


def name_of(value: object) -> str:
    """Return what a value is, for a message; never the value, which may be a secret."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _article(type(value).__name__)


def _misfit(value: object) -> NoReturn:
    raise _MisfitError(name_of(value), near=False)


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


class _Names(dict[str, Any]):
    """The names in annotations, also those that are imported for type checkers alone."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = sys.modules[module].__dict__
        self._room = module.rpartition(".")[0]

    def evaluate(self, annotation: object) -> object:
        """Return the type that an annotation means; anything, where there is none."""
        if annotation is inspect.Parameter.empty:
            return Any
        if isinstance(annotation, str):
            return eval(annotation, {}, self)  # noqa: S307 # it is our source
        return annotation

    def __missing__(self, name: str) -> object:
        if name in self._module:
            return self._module[name]
        if name in _MODULES:
            return import_module(name)
        rooms = [room for room in sorted(sys.modules) if room.startswith("ocilayout.")]
        rooms.sort(key=lambda room: not room.startswith(self._room))  # its own first
        for elsewhere in (*_ELSEWHERE, *rooms, "hypothesis"):
            module = import_module(elsewhere)
            if hasattr(module, name):
                return getattr(module, name)
        raise KeyError(name)


# ---------------------------------------------------------------- kinds


def _kind_of(annotation: Any) -> _Kind:  # noqa: ANN401, C901, PLR0911 # a table in the form of code
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation)
    if origin in (Any, object):
        return _Kind("anything", lambda value: value)
    if origin is None:
        return _kind_of(types.NoneType)
    if isinstance(origin, TypeVar):
        return _kind_of(origin.__bound__ or object)
    if origin in (Union, types.UnionType):
        return _union([_kind_of(argument) for argument in arguments])
    if origin is Literal:
        return _choice(arguments)
    if origin is type:
        return _subclass(arguments[0])
    if origin is Callable or origin is types.FunctionType:
        return _Kind("a function", lambda value: value if callable(value) else _misfit(value))
    verb = "read" if origin is BinaryIO else _STREAMS.get(getattr(origin, "__name__", ""))
    if verb is not None:
        return _Kind("an open binary file", lambda value: _stream(value, verb))
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


def _instance(expected: Any) -> _Kind:  # noqa: ANN401 # a class or a protocol
    def fit(value: object) -> object:
        return value if isinstance(value, expected) else _misfit(value)

    return _Kind(_noun_of(expected), fit, frozenset({expected}))


def _number(expected: type) -> _Kind:
    accepted = (int,) if expected is int else (int, float)

    def fit(value: object) -> object:
        if isinstance(value, accepted) and not isinstance(value, bool):
            return value
        _misfit(value)

    return _Kind(_NOUNS[expected], fit, frozenset(accepted))


def _text(expected: Any) -> _Kind:  # noqa: ANN401 # a subclass of `str` with `parse`
    def fit(value: object) -> object:
        return expected.parse(value) if isinstance(value, str) else _misfit(value)

    return _Kind(_noun_of(expected), fit, frozenset({expected}))


def _choice(choices: tuple[object, ...]) -> _Kind:
    def fit(value: object) -> object:
        if type(value) not in {type(choice) for choice in choices}:
            _misfit(value)
        if value not in choices:
            raise _ChoiceError(repr(value))
        return value

    return _Kind(_either(map(repr, choices)), fit)


def _subclass(bound: Any) -> _Kind:  # noqa: ANN401 # a class or a type variable
    parent: Any = bound.__bound__ if isinstance(bound, TypeVar) else bound

    def fit(value: object) -> object:
        if isinstance(value, type) and issubclass(value, parent):
            return value
        _misfit(value)

    if parent.__name__ == _DOCUMENT:
        return _Kind("the class of a document, such as Manifest", fit)
    return _Kind(f"a subclass of {parent.__name__}", fit)


def _union(kinds: list[_Kind]) -> _Kind:
    plain = frozenset[type]().union(*(kind.plain for kind in kinds))

    def fit(value: object) -> object:
        if type(value) in plain:
            return value
        nearest: Exception | None = None
        for kind in kinds:
            try:
                return kind.fit(value)
            except (_MisfitError, _ChoiceError) as error:
                if not isinstance(error, _MisfitError) or error.near:
                    nearest = error
        if nearest is not None:
            raise nearest
        _misfit(value)

    return _Kind(_either(dict.fromkeys(kind.noun for kind in kinds)), fit, plain)


def _either(nouns: Iterable[str]) -> str:
    *others, last = nouns
    return f"{', '.join(others)} or {last}" if others else last


def _container(origin: Any, arguments: tuple[Any, ...]) -> _Kind:  # noqa: ANN401 # a class
    members = [_kind_of(argument) for argument in arguments if argument is not ...]
    of_strings = members[0].noun == "a string"
    length = len(members) if origin is tuple and ... not in arguments else None

    def fit(value: object) -> object:
        if of_strings and isinstance(value, str):
            raise _MisfitError(f"one string; give [{value!r}]")
        if isinstance(value, _UNDIVIDED) or not isinstance(value, origin):
            _misfit(value)
        if (
            isinstance(value, Iterator) and members[0].noun != "bytes"
        ):  # a body is read as it is sent
            value = tuple(value)
        if length is not None and len(cast("tuple[object, ...]", value)) != length:
            raise _MisfitError(f"one of {len(cast('tuple[object, ...]', value))} members")
        _fit_members(value, members)
        return value

    # Our own maps are made of what fits.
    plain = frozenset({origin}) if origin.__module__.startswith("ocilayout.") else frozenset()
    return _Kind(_noun_of(origin) + " of strings" * of_strings, fit, plain)


def _fit_members(value: object, kinds: list[_Kind]) -> None:
    if isinstance(value, Mapping):
        for key, member in value.items():
            _fit_member("a key of ", key, kinds[0])
            _fit_member("a value of ", member, kinds[-1])
    elif isinstance(value, Collection):
        for position, member in enumerate(value):
            _fit_member("a member of ", member, kinds[min(position, len(kinds) - 1)])


def _fit_member(inside: str, value: object, kind: _Kind) -> None:
    if type(value) not in kind.plain:
        try:
            kind.fit(value)
        except _MisfitError as error:
            noun = error.noun or kind.noun
            raise _MisfitError(error.found, inside + error.inside, noun) from None


def _stream(value: object, name: str) -> object:
    if isinstance(value, io.TextIOBase):
        raise _MisfitError("a text stream; open it in binary mode")
    verb = getattr(value, name, None)
    if isinstance(value, type) or not callable(verb):
        _misfit(value)
    if getattr(value, "closed", False) is True:
        raise _MisfitError("a closed one")
    if not isinstance(value, io.IOBase):
        try:
            inspect.signature(verb).bind(1)
        except TypeError:
            raise _MisfitError(
                f"{_article(type(value).__name__)} whose {name}() takes no argument"
            ) from None
        except ValueError:  # it is not written in Python, and does not tell
            pass
    return value
