"""What a removal freed, and which entries hold on to the rest.

The children of an index may be entries of their own, as oras-go makes them; a signature keeps what
it is about; and other tags may have parts in common with what was removed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout.rootentry import RootEntry  # used by attrs
from ocilayout.model import Digest  # used by attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.reach import Trace
    from ocilayout.layout.rootindex import RootIndex

How = Literal["part", "referrer", "other"]


@frozen(kw_only=True)
class Holder:
    """An entry that holds on to some of what was removed.

    Attributes:
        ref: A reference that means its content alone.
        entry: The entry.
        how: `part` if its content is a part of what was removed; `referrer` if it refers to that as
            its subject, or to such a referrer; otherwise `other`, as for another tag of the same
            content, or of content that has parts in common.
    """

    ref: str
    entry: RootEntry
    how: How


@frozen(kw_only=True)
class RemoveReport:
    """What became of the content of removed entries, or would.

    Attributes:
        removed: The digests of the deleted blobs, sorted.
        freed: Their size, in bytes.
        kept: The size of the blobs that stay, in bytes.
        holders: The entries that hold on to these, in document order. There may be none where an
            unknown property names them, or where they cannot be verified.
    """

    removed: tuple[Digest, ...] = ()
    freed: int = 0
    kept: int = 0
    holders: tuple[Holder, ...] = ()


def sizes_of(digests: Iterable[Digest], blobs: Blobs) -> dict[Digest, int]:
    """Return the sizes of the blobs that exist, in bytes."""
    sizes: dict[Digest, int] = {}
    for digest in digests:
        with suppress(BlobNotFoundError):
            sizes[digest] = blobs.size(digest)
    return sizes


def holders(
    index: RootIndex, trace: Trace, removed: Collection[Digest], kept: Iterable[Digest]
) -> tuple[Holder, ...]:
    """Return the entries that hold on to content.

    Args:
        index: The root index after the removal.
        trace: The ways to all that was removed, or would have been.
        removed: The content of the removed entries.
        kept: The blobs of it that stay.
    """
    above = _upward(kept, trace.holding)
    parts = trace.of.difference(removed)
    about = _upward(trace.of, trace.about).difference(trace.of)
    return tuple(
        Holder(ref=ref, entry=entry, how=_how(entry.descriptor.digest, parts, about))
        for ref, entry in index.refs()
        if entry.descriptor.digest in above
    )


def _how(digest: Digest, parts: Collection[Digest], about: Collection[Digest]) -> How:
    if digest in parts:
        return "part"
    return "referrer" if digest in about else "other"


def _upward(digests: Iterable[Digest], ways: dict[Digest, list[Digest]]) -> set[Digest]:
    """Return content with all that leads to it."""
    pending = list(digests)
    found = set(pending)
    while pending:
        for above in ways.get(pending.pop(), ()):
            if above not in found:
                found.add(above)
                pending.append(above)
    return found
