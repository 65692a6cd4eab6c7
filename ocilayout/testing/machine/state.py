"""What the model keeps a record of: entries, what a collection did, and what must be refused."""

from __future__ import annotations

from attrs import define, field, frozen

from ocilayout.model import CONTAINERD_IMAGE_NAME, Digest


class RefusalError(LookupError):
    """A store must not do that; most often because what is asked for is not there."""


class AmbiguityError(RefusalError):
    """A store must not do that: a name means entries of different content."""


@define(eq=False)
class Entry:
    """An entry of the root index.

    Attributes:
        name: Its name, or `None`.
        digest: The digest of its content.
        notes: Its annotations, without the name.
        extra: Properties that the specification does not know.
    """

    name: str | None
    digest: Digest
    notes: dict[str, str]
    extra: dict[str, object] = field(factory=dict)

    @property
    def full_name(self) -> str | None:
        """Its full name, as containerd writes it, or `None`."""
        return self.notes.get(CONTAINERD_IMAGE_NAME) or None

    @property
    def is_named(self) -> bool:
        """Whether it has a name or a full name."""
        return bool(self.name or self.full_name)

    @property
    def value(self) -> tuple[str | None, str, dict[str, str], dict[str, object]]:
        """What can be seen of it in the file."""
        return self.name, str(self.digest), self.notes, self.extra


@frozen
class Collected:
    """What a collection removes, and what it keeps without an entry.

    Attributes:
        removed: The digests of blobs.
        dropped: The digests of entries, in document order.
        unlisted: The digests of manifests that stay for their subject alone.
    """

    removed: frozenset[Digest]
    dropped: tuple[Digest, ...]
    unlisted: tuple[Digest, ...] = ()
