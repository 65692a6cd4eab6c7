"""What was pulled into a store: names that nobody built here, and how old they are.

Nothing is recorded for it. What is not marked as a build was pulled, and when that was is the time
of the root's blob: a pull sets it, also one that finds everything in place.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import frozen

from ocilayout import BlobNotFoundError, Digest, OciLayoutError
from skills.builds import is_local_build
from skills.errors import NotCachedError
from skills.tag import parse_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from ocilayout import Descriptor, Layout, RootIndex

    When = Callable[[RootIndex], bool]


@frozen(kw_only=True)
class CachedSkill:
    """Something that was pulled into the store.

    Attributes:
        reference: The name in the store.
        digest: The digest of its root.
        size: How large all that it is made of is, in bytes; what others share is counted, too.
        pulled: When it was pulled last; `None` if its root is missing.
    """

    reference: str
    digest: Digest
    size: int
    pulled: datetime | None


def list_cache(layout: Layout) -> list[CachedSkill]:
    """Return what was pulled into a store, sorted bytewise by reference.

    That is every name which is not a local build. Of each the manifests are read, for the size.

    Raises:
        DocumentError: `index.json` breaks the specification.
    """
    return [_describe(layout, name, content) for name, content in _cached(layout)]


def remove_cached(layout: Layout, reference: str) -> None:
    """Take something that was pulled away, with the content that nothing else in the store needs.

    Args:
        layout: The store.
        reference: The name in the store.

    Raises:
        NotCachedError: The name is not there, or was built here.
        OciLayoutError: As `Layout.remove` says.
    """

    def pulled(root: RootIndex) -> bool:
        entries = root.named(reference)
        if not entries:
            raise NotCachedError(reference, "is not in the store; list the cache to see the names")
        if is_local_build(entries):
            raise NotCachedError(reference, "was built here; delete it as a build if it is to go")
        return True

    with layout.edit() as edit:
        edit.remove(reference, when=pulled)


def prune_cache(
    layout: Layout, *, older_than: timedelta | None = None, dry_run: bool = False
) -> list[CachedSkill]:
    """Take away what was pulled and can be pulled again.

    A name that does not say from where, such as `hello`, stays: nobody could bring it back by it,
    and it may be a build from before builds were marked. `remove_cached` takes it away by name.

    Args:
        layout: The store.
        older_than: How long ago the last pull must be; any time if it is not given.
        dry_run: Whether to change nothing, and say what would go.

    Returns:
        What went, sorted bytewise by reference.

    Raises:
        OciLayoutError: As `Layout.remove` says.
    """
    limit = None if older_than is None else time.time() - older_than.total_seconds()
    found = [
        _describe(layout, name, content)
        for name, content in _cached(layout)
        if parse_source(name) is not None and _is_older(layout, content, limit)
    ]
    if dry_run:
        return found
    gone: set[str] = set()

    def still(skill: CachedSkill) -> When:
        """Decide again under the lock: somebody may have built it or pulled it anew meanwhile."""

        def decide(root: RootIndex) -> bool:
            entries = root.named(skill.reference)
            goes = bool(entries) and not is_local_build(entries)
            goes = goes and _is_older(layout, entries[-1].descriptor, limit)
            (gone.add if goes else gone.discard)(skill.reference)
            return goes

        return decide

    with layout.edit() as edit:
        for skill in found:
            edit.remove(skill.reference, when=still(skill))
    return [skill for skill in found if skill.reference in gone]


def _cached(layout: Layout) -> Iterator[tuple[str, Descriptor]]:
    for name in layout.tags():
        entries = layout.entries(name=name)
        if entries and not is_local_build(entries):
            yield name, entries[-1].descriptor


def _describe(layout: Layout, name: str, content: Descriptor) -> CachedSkill:
    try:
        pulled = datetime.fromtimestamp(layout.blobs.modified(content.digest), UTC)
    except (BlobNotFoundError, OSError, OverflowError, ValueError):  # it may be any time
        pulled = None
    return CachedSkill(
        reference=name, digest=content.digest, size=_size(layout, content), pulled=pulled
    )


def _size(layout: Layout, content: Descriptor) -> int:
    """Return the size of all that is known to belong to content; damage hides what is below."""
    size = 0
    parts = layout.walk(content)
    while True:
        try:
            size += next(parts).size
        except (StopIteration, OciLayoutError):
            return size


def _is_older(layout: Layout, content: Descriptor, limit: float | None) -> bool:
    try:
        return limit is None or layout.blobs.modified(content.digest) <= limit
    except BlobNotFoundError:
        return True
