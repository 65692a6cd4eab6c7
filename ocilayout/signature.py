"""Arguments of the wrong type, refused by name before a public function runs.

`checked` reads what a function takes from its annotations, so a signature is the only place where
that is written. Values, such as the grammar of a name, are checked by the functions themselves. The
fields of documents have validators of their own.
"""

from __future__ import annotations

import inspect
import sys
from functools import wraps
from importlib import import_module
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    TypeVar,
    cast,
)

from ocilayout.errors import ArgumentError
from ocilayout.kind import ChoiceError, Kind, MisfitError, kind_of

if TYPE_CHECKING:
    from collections.abc import Container
    from types import FunctionType

_T = TypeVar("_T")

# Where names are found that the module of a function imports for type checkers alone: here, or in
# a room that is imported, as it is if there is an instance of its class.
_ELSEWHERE: Final = (
    *("builtins", "collections.abc", "typing", "pathlib", "datetime"),
    "ocilayout.model",
)
_MODULES: Final = ("os", "ssl")


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
        self._kinds: dict[str, Kind] = {}
        self.plain: tuple[int, list[Container[type]], dict[str, Container[type]]] = (0, [()], {})

    def _read(self) -> None:
        names = _Names(self._function.__module__)
        parameters = inspect.signature(self._function).parameters.values()
        self._kinds = {
            parameter.name: kind_of(names.evaluate(parameter.annotation))
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
        except MisfitError as error:
            raise ArgumentError(
                f"{function}: {error.inside}{argument} must be {error.noun or kind.noun},"
                f" not {error.found}"
            ) from None
        except ChoiceError as error:
            raise ValueError(f"{function}: {argument} must be {kind.noun}, not {error}") from None


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
        for elsewhere in (*_ELSEWHERE, *rooms):
            module = import_module(elsewhere)
            if hasattr(module, name):
                return getattr(module, name)
        raise KeyError(name)
