"""The cache: the tags of a store that are not local builds, and when they were pulled.

A tag without the mark of a build was pulled, at the modification time of its root's blob: each pull
sets it, even if the store has all blobs already. Nothing else is recorded.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from ocilayout import BlobNotFoundError, Digest, OciLayoutError
from skills.errors import NotCachedError
from skills.model import origin_of
from skills.store.builds import Builds, is_local_build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from ocilayout import Descriptor, Layout
    from ocilayout.layout import RootIndex


@frozen(kw_only=True)
class CachedSkill:
    """An artifact that was pulled into the store.

    Attributes:
        reference: The tag in the store.
        digest: The digest of its root.
        size: The size of all its blobs in bytes, shared ones included.
        pulled: The time of the last pull; `None` if the root is missing.
    """

    reference: str
    digest: Digest
    size: int
    pulled: datetime | None


class Cache(Builds):
    """The pulled artifacts of a store, besides its local builds."""

    def list_cache(self) -> list[CachedSkill]:
        """Return the pulled artifacts of the store, sorted bytewise by reference.

        Their manifests are read for the size.

        Raises:
            DocumentError: `index.json` breaks the specification.
        """
        return [_describe(self.layout, name, content) for name, content in _cached(self.layout)]

    def remove_cached(self, reference: str) -> None:
        """Remove a pulled artifact, and the blobs that only it reached.

        Raises:
            NotCachedError: The tag is missing, or is a local build.
            OciLayoutError: As `Layout.remove` says.
        """

        def pulled(root: RootIndex) -> bool:
            entries = root.named(reference)
            if not entries:
                raise NotCachedError(
                    reference, "is not in the store; list the cache to see the names"
                )
            if is_local_build(entries):
                raise NotCachedError(reference, "was built here; delete it as a build")
            return True

        with self.layout.edit() as edit:
            edit.remove(reference, when=pulled)

    def prune_cache(
        self, *, older_than: timedelta | None = None, dry_run: bool = False
    ) -> list[CachedSkill]:
        """Remove the pulled artifacts that can be pulled again.

        A tag that does not name a registry, such as `hello`, stays: it cannot be pulled again by
        that name, and may be a build from before builds were marked. `remove_cached` removes it.

        Args:
            older_than: The minimum time since the last pull; any time by default.
            dry_run: Whether to change nothing, and only return the artifacts that would be removed.

        Returns:
            The removed artifacts, sorted bytewise by reference.

        Raises:
            OciLayoutError: As `Layout.remove` says.
        """
        limit = None if older_than is None else time.time() - older_than.total_seconds()
        skills = [
            _describe(self.layout, name, content)
            for name, content in _cached(self.layout)
            if origin_of(name) is not None and _is_older(self.layout, content, limit)
        ]
        if dry_run:
            return skills
        removed: dict[str, bool] = {}

        def may_go(root: RootIndex, name: str) -> bool:
            """Decide again under the lock: the tag may have been built or pulled meanwhile."""
            entries = root.named(name)
            pulled = bool(entries) and not is_local_build(entries)
            removed[name] = pulled and _is_older(self.layout, entries[-1].descriptor, limit)
            return removed[name]

        with self.layout.edit() as edit:
            for skill in skills:
                edit.remove(skill.reference, when=partial(may_go, name=skill.reference))
        return [skill for skill in skills if removed.get(skill.reference)]


def _cached(layout: Layout) -> Iterator[tuple[str, Descriptor]]:
    for name in layout.tags():
        entries = layout.entries(name=name)
        if entries and not is_local_build(entries):
            yield name, entries[-1].descriptor


def _describe(layout: Layout, name: str, content: Descriptor) -> CachedSkill:
    try:
        pulled = datetime.fromtimestamp(layout.blobs.modified(content.digest), UTC)
    except (BlobNotFoundError, OSError, OverflowError, ValueError):  # the time may be out of range
        pulled = None
    return CachedSkill(
        reference=name, digest=content.digest, size=_size(layout, content), pulled=pulled
    )


def _size(layout: Layout, content: Descriptor) -> int:
    """Return the size of all blobs of an artifact, up to the first that is damaged."""
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
