"""What may be deleted: blobs that no root reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.graph import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocilayout.descriptor import Descriptor
    from ocilayout.digest import Digest
    from ocilayout.graph import Read


def only_reached(
    dropped: Iterable[Descriptor], kept: Iterable[Descriptor], read: Read
) -> list[Digest]:
    """Return what the dropped roots reach and no kept root does, children before parents.

    A kept root also holds what it refers to as its subject; a dropped one does not take it along.

    Args:
        dropped: Roots that go.
        kept: All roots that stay, named or not.
        read: Gives documents, `None` for missing ones.

    Raises:
        Exception: Whatever `read` raises. Then nothing is known, and nothing may be deleted.
    """
    live = {descriptor.digest for descriptor in walk(kept, read, subjects=True)}
    return [
        descriptor.digest for descriptor in walk(dropped, read) if descriptor.digest not in live
    ][::-1]
