"""Limits: how much of what others say is taken in before it is refused."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from ocilayout.errors import LimitExceededError
from ocilayout.model.ijson import MAX_DOCUMENT


@frozen(kw_only=True)
class Limits:
    """The most that is accepted of content from elsewhere.

    With these, no verb takes more memory than 40 times what it reads of documents, and 150 MB; nor
    more time than 2 seconds for each 1 MB of them, besides reading and hashing of blobs. Apart from
    them a document has 262,144 values at most, nested 128 deep, and 100 problems are collected of
    it. `ls` and `tree` have the limits by default, `copy` and `write_archive` take others.

    Attributes:
        document: Bytes of a manifest or an index; 4 MiB at most, which is what is read at all.
        children: Manifests in one index.
        layers: Layers in one manifest.
        blob: Bytes of a blob that is neither; any by default.
        documents: Manifests and indexes in one graph, all together; also referrers that are listed
            for it.
        total: Bytes of all manifests and indexes in one graph together; they are held in memory.
            One that holds more than a value for each 16 bytes counts 16 bytes for each value.
        listed: Tags, or referrers, in a list of a registry.
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
"""Those that hold where no others are said."""


def require_at_most(limit: int, count: int, *, of: str, unit: str) -> None:
    """Refuse what there is too much of.

    Args:
        limit: How much is accepted.
        count: How much there is.
        of: What has it.
        unit: What is counted; also what the error says was measured.

    Raises:
        LimitExceededError: There is more.
    """
    if count > limit:
        raise LimitExceededError(f"{of} has more than {limit} {unit}", what=unit, limit=limit)
