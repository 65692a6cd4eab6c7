"""A document that is about to be spoiled, and what is known of ways to do so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from attrs import frozen
from hypothesis import strategies as st

from ocilayout.model import Extensible, Header, ImageConfig, Index, Manifest
from ocilayout.testing.strategies.draft import Members
from ocilayout.testing.strategies.site import Site, sites
from ocilayout.testing.strategies.tree import File

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

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
