"""The bearers of a name: entries that have it, as far as a check compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable


@define
class Bearers:
    """The digests of the entries with one name, as far as they are needed to compare the next one.

    Two different digests are enough: any other digest differs from at least one of them.

    Attributes:
        digests: The first two digests, in document order.
        full_names: The first two digests of each full name; `None` stands for entries without one.
    """

    digests: list[str] = field(factory=list)
    full_names: dict[str | None, list[str]] = field(factory=dict)

    def take(self, digest: str, full: str | None) -> None:
        """Remember an entry."""
        for digests in (self.digests, self.full_names.setdefault(full, [])):
            if len(digests) < 2 and digest not in digests:  # noqa: PLR2004 # as above
                digests.append(digest)

    def other_than(self, digest: str) -> str | None:
        """Return the first other digest, if there is one."""
        return _other(self.digests, digest)

    def are_told_apart(self, digest: str, full: str) -> bool:
        """Tell whether all entries with other digests have another full name."""
        return all(_other(self.full_names.get(key, []), digest) is None for key in (None, full))


def _other(digests: Iterable[str], digest: str) -> str | None:
    return next((other for other in digests if other != digest), None)
