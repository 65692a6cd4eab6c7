"""An immutable, hashable mapping, and JSON values made of it.

Models are immutable, so their values must be as well. `types.MappingProxyType` can be neither
hashed, nor copied, nor pickled, hence this small class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
FrozenJson: TypeAlias = (
    "bool | int | float | str | tuple[FrozenJson, ...] | FrozenMap[str, FrozenJson] | None"
)


class FrozenMap(Mapping[K, V_co]):
    """A mapping that cannot change; equal to any mapping with equal items."""

    __slots__ = ("_items",)
    _items: dict[K, V_co]

    def __init__(self, items: Mapping[K, V_co] | Iterable[tuple[K, V_co]] = (), /) -> None:
        try:
            object.__setattr__(self, "_items", dict(items))
        except (TypeError, ValueError):
            raise TypeError(
                f"items must be a mapping or pairs with keys that can be hashed, not {items!r}"
            ) from None

    def __getitem__(self, key: K) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> ItemsView[K, V_co]:
        """Return a view of the items, faster than the inherited one, which looks up each value."""
        return self._items.items()

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a FrozenMap cannot change; {name} was to be set")

    def __reduce__(self) -> tuple[type[FrozenMap[K, V_co]], tuple[dict[K, V_co]]]:
        return (type(self), (dict(self._items),))


def freeze(value: Json) -> FrozenJson:
    """Return an immutable copy of a JSON value: arrays as tuples, objects as `FrozenMap`.

    Raises:
        TypeError: The value is not a JSON value.
    """
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a property's name must be a string")
        return FrozenMap({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def thaw(value: FrozenJson) -> Json:
    """Return a mutable copy of a frozen JSON value, the inverse of `freeze`."""
    if isinstance(value, FrozenMap):
        return {key: thaw(item) for key, item in cast("dict[str, FrozenJson]", value).items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value
