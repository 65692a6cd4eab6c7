"""Where a document can be spoiled: its objects, with their JSON paths and their models.

Needs nothing of Hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import fields, frozen

from ocilayout.errors import join_place
from ocilayout.model import (
    ContainerConfig,
    Descriptor,
    Extensible,
    History,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    RootFs,
    json_key,
    required,
)
from ocilayout.testing.strategies.draft import Members

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        keys = keys_of(self.model)
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


def sites(document: Members, model: type[Extensible], place: str = "$") -> Iterator[Site]:
    """Give the objects of a document, from the outside in."""
    yield Site(place, document, model)
    for name, part in _PARTS.get(model, {}).items():
        value: Any = document.get(name)
        inside = join_place(place, name)
        if isinstance(value, dict):
            yield from sites(value, part, inside)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from sites(item, part, f"{inside}[{number}]")
