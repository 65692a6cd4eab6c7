"""A document that is about to be spoiled: its objects, with their JSON paths, and its flaws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from attrs import fields, frozen
from hypothesis import strategies as st

from ocilayout.model import (
    ContainerConfig,
    Descriptor,
    Extensible,
    Header,
    History,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    RootFs,
    join_place,
    json_key,
    required,
)
from ocilayout.testing.strategies.draft import Members
from ocilayout.testing.strategies.filetree import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy


_PARTS: Final[dict[type[Extensible], dict[str, type[Extensible]]]] = {
    Manifest: {"config": Descriptor, "layers": Descriptor, "subject": Descriptor},
    Index: {"manifests": Descriptor, "subject": Descriptor},
    Descriptor: {"platform": Platform},
    ImageConfig: {"config": ContainerConfig, "rootfs": RootFs, "history": History},
}


@frozen
class Site:
    """An object in a document.

    Attributes:
        place: Its JSON path.
        members: The object; changes to it are changes to the document.
        model: What it is.
    """

    place: str
    members: Members
    model: type[Extensible]

    def at(self, name: str) -> str:
        """Return the JSON path of a property."""
        return join_place(self.place, name)

    def known(self) -> list[str]:
        """Return the properties that are there and that the model knows, in document order."""
        keys = set(keys_of(self.model)) - foreign(self.model, self.place)
        return [name for name in self.members if name in keys]

    def required(self) -> list[str]:
        """Return the properties that the object must have."""
        return [
            json_key(attribute)
            for attribute in fields(self.model)
            if attribute.name != "extra" and required(attribute)
        ]


def keys_of(model: type[Extensible]) -> list[str]:
    """Return the JSON keys of a model."""
    return [json_key(attribute) for attribute in fields(model) if attribute.name != "extra"]


def foreign(model: type[Extensible], place: str) -> frozenset[str]:
    """Return the properties of a model that may have any value at a place."""
    return frozenset() if place.startswith("$.manifests[") else model.foreign


def sites(document: Members, model: type[Extensible], place: str = "$") -> Iterator[Site]:
    """Give the objects of a document, from the outside in."""
    yield Site(place, document, model)
    for name, part in _PARTS.get(model, {}).items():
        value: Any = document.get(name)
        inside = join_place(place, name)
        if name in foreign(model, place):
            continue
        if isinstance(value, dict):
            yield from sites(value, part, inside)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from sites(item, part, f"{inside}[{number}]")


DOCUMENTS: Final[tuple[type[Extensible], ...]] = (Header, Index, Manifest, ImageConfig)
"""What can be a whole document."""


@frozen
class Specimen:
    """A document that is right so far.

    Attributes:
        members: The document as JSON; a flaw changes it.
        model: What it is.
        untouched: The beginnings of the JSON paths of objects that must stay as they are.
    """

    members: Members
    model: type[Extensible]
    untouched: tuple[str, ...] = ()

    def sites(self, *models: type[Extensible]) -> SearchStrategy[Site]:
        """Give the objects in it that are of some models, of any by default."""
        return st.sampled_from(
            [
                site
                for site in sites(self.members, self.model)
                if (not models or site.model in models)
                and not site.place.startswith(self.untouched)
            ]
        )


@frozen
class Spoiled:
    """What became of a document.

    Attributes:
        place: The JSON path of the defect.
        data: The bytes, where they are not those of the JSON.
    """

    place: str
    data: bytes | File | None = None


class Flaw(Protocol):
    """A way to spoil a document."""

    def __call__(self, draw: DrawFn, specimen: Specimen, /) -> Spoiled:
        """Spoil a document, which is changed."""
        ...


F = TypeVar("F", bound=Flaw)

BEARERS: Final[dict[str, tuple[type[Extensible], ...]]] = {}
"""Which documents can have a defect, by its code."""


def register(
    table: dict[str, Flaw], code: str, *, bearers: tuple[type[Extensible], ...] = DOCUMENTS
) -> Callable[[F], F]:
    """Return a decorator that enters a flaw in a table under its code.

    Args:
        table: The table.
        code: What is wrong with a document then.
        bearers: Which documents can have the flaw.
    """

    def enter(flaw: F) -> F:
        table[code] = flaw
        BEARERS[code] = bearers
        return flaw

    return enter


def noted(members: Members) -> dict[str, Any]:
    """Return the annotations of an object, empty if it has none."""
    found: Any = members.get("annotations")
    return dict(found) if isinstance(found, dict) else {}
