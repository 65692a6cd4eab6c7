"""Limits: how much content from elsewhere is read before it is refused."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from ocilayout.errors import LimitExceededError
from ocilayout.signature import checked

MAX_DOCUMENT: Final = 4 * 1024 * 1024
"""The largest document in a blob that is read, in bytes; registries have the same limit."""

MAX_DEPTH: Final = 128
"""The deepest nesting of arrays and objects that is read."""

NODE: Final = 16
"""The least size of a node where sizes are added up, in bytes.

A node is a comma, a colon or an opening bracket outside of strings; parsed, each takes about 100
bytes. Programs write entries and annotations with more than 16 bytes of text for each."""

MAX_NODES: Final = MAX_DOCUMENT // NODE
"""The most nodes of a document that are read: 262,144, enough for 10,000 layers with 9 annotations
each."""


@checked
@frozen(kw_only=True)
class Limits:
    """The most that is accepted of content from elsewhere.

    With the default limits a verb takes at most 150 MB of memory plus 40 times the size of the
    documents that it reads, and at most 2 seconds for each 1 MB of them, besides reading and
    hashing blobs. Other limits are fixed: a document has at most 262,144 values, nested 128 deep,
    and 100 of its problems are collected. `ls` and `tree` use the default limits; `copy` and
    `write_archive` accept others.

    Attributes:
        document: Bytes of a manifest or an index; at most 4 MiB, the fixed limit.
        children: Manifests in one index.
        layers: Layers in one manifest.
        blob: Bytes of any other blob; unlimited by default.
        documents: Manifests and indexes in one graph; also the referrers that are listed for it.
        total: Bytes of all manifests and indexes in one graph together; they are held in memory.
            A document with more than one value for each 16 bytes counts 16 bytes for each value.
        listed: Tags or referrers in a list of a registry.
        pages: Pages of such a list.
    """

    document: int = MAX_DOCUMENT
    children: int = 10_000
    layers: int = 10_000
    blob: int = 2**63 - 1
    documents: int = 10_000
    total: int = 128 * 1024 * 1024
    listed: int = 1_000_000
    pages: int = 10_000


DEFAULT_LIMITS: Final = Limits()
"""The limits that hold where the caller gives none."""


def require_at_most(limit: int, count: int, *, of: str, unit: str) -> None:
    """Raise an error for a count above its limit.

    Args:
        limit: The most that is accepted.
        count: The count.
        of: The content that was counted in, for the message.
        unit: The thing that was counted; also `LimitExceededError.what`.

    Raises:
        LimitExceededError: The count is above the limit.
    """
    if count > limit:
        raise LimitExceededError(f"{of} has more than {limit} {unit}", what=unit, limit=limit)
