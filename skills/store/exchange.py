"""Artifacts in and out of a store: pulled from a registry, copied from a layout, pushed.

No artifact that comes in is marked as a build, and none that goes out carries the mark. Whether a
tag may move is the rule of `may_retag`, asked for again under the writer lock.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ocilayout import InvalidNameError, LimitExceededError, Limits, ReferenceNotFoundError, copy
from ocilayout.transfer import put_and_bind, transfer
from skills.errors import NotPushableError, TooLargeError
from skills.model import origin_of, parse_reference, require_tag, with_latest
from skills.packaging import read_content
from skills.store.builds import BuildResult, Builds, may_retag

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor, Event, Layout, Reference
    from ocilayout.layout import RootIndex
    from ocilayout.model import Source
    from ocilayout.registry import Repository
    from skills.packaging import SkillContent

    Report = Callable[[Event], None] | None

LIMITS: Final = Limits(document=1024 * 1024, children=32, layers=64, blob=100 * 1024 * 1024)
"""The most that a source may send; far above the size of any skill."""


class Exchange(Builds):
    """Copies artifacts between a store and registries, layouts and archives."""

    def __init__(self, layout: Layout, registry: Callable[[Reference], Repository]) -> None:
        super().__init__(layout)
        self._registry = registry

    def pull(
        self,
        reference: str,
        *,
        name: str | None = None,
        replace: bool = False,
        on_event: Report = None,
    ) -> BuildResult:
        """Pull an artifact from its registry into the store.

        Args:
            reference: `host/repository`, with a tag or a digest; with `latest` if it has neither.
            name: The tag in the store; the reference by default.
            replace: As for `may_retag`.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: The reference is not valid.
            InvalidTagError: The name is not a valid tag.
            LocalBuildConflictError: As `may_retag` says.
            TooLargeError: The artifact exceeds one of `LIMITS`.
            OciLayoutError: As `ocilayout.copy` says.
        """
        reference = with_latest(reference)
        parsed = parse_reference(reference)
        if name is None:
            name = reference
        else:
            require_tag(name)
        with self._registry(parsed) as repository:
            ref = str(parsed.digest or parsed.tag)
            return self._copy(repository, ref, name, replace=replace, on_event=on_event)

    def copy(self, source: Source, ref: str, *, name: str, replace: bool = False) -> BuildResult:
        """Copy an artifact into the store.

        Args:
            source: A `Layout`, an `Archive` or a `Repository`.
            ref: A tag or a digest in the source.
            name: The tag in the store.
            replace: As for `may_retag`.

        Raises:
            InvalidTagError: The name is not a valid tag.
            SkillError: As `pull` says.
            OciLayoutError: As `ocilayout.copy` says.
        """
        require_tag(name)
        return self._copy(source, ref, name, replace=replace)

    def push(self, reference: str, *, on_event: Report = None) -> BuildResult:
        """Push the content of a tag to the registry that the tag names.

        Args:
            reference: A tag in the store that is a full reference.
            on_event: As for `ocilayout.copy`.

        Raises:
            ReferenceNotFoundError: The store does not have the tag.
            NotPushableError: The tag has no registry, or neither tag nor digest.
            OciLayoutError: As `ocilayout.copy` says.
        """
        content = self.layout.resolve(reference)
        parsed = origin_of(reference)
        if parsed is None or parsed.digest not in (None, content.digest):
            raise NotPushableError(reference)
        with self._registry(parsed) as repository:
            ref = str(content.digest)
            copy(self.layout, ref, repository, name=parsed.tag, on_event=on_event)
        return BuildResult(reference=reference, digest=content.digest)

    def get_content(
        self, reference: str, *, refresh: bool = False, on_event: Report = None
    ) -> SkillContent:
        """Return the content of a skill, which is pulled if the store does not have it.

        No registry is asked for a skill in the store, whether built or pulled. A pulled one stays
        in the store until the cache is pruned.

        Args:
            reference: A tag or a digest in the store, or a full reference.
            refresh: Whether to pull it again, since its tag may have moved.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: The reference is not in the store, and does not name a registry.
            SkillError: As `pull` and `read_content` say.
            OciLayoutError: As `pull` and `read_content` say.
        """
        content = None if refresh else self._find(reference)
        if content is None:
            if not refresh and "/" not in reference:
                raise InvalidNameError(
                    f"{reference!r} is not in the store, and does not name a registry to pull from"
                )
            content = self.layout.resolve(self.pull(reference, on_event=on_event).reference)
        return read_content(self.layout, content, reference)

    def _find(self, reference: str) -> Descriptor | None:
        """Return the content of a reference in the store, also by the tag that a pull gives it."""
        for name in dict.fromkeys((reference, with_latest(reference))):
            with suppress(ReferenceNotFoundError):
                return self.layout.resolve(name)
        return None

    def _copy(
        self,
        source: Source,
        ref: str,
        name: str | None,
        *,
        replace: bool,
        on_event: Report = None,
    ) -> BuildResult:
        """Copy an artifact into the store; without a name it becomes an untagged entry."""
        content = source.resolve(ref)

        def put() -> None:
            try:
                transfer(source, content, self.layout, on_event=on_event, limits=LIMITS)
            except LimitExceededError as error:
                raise TooLargeError(
                    f"this is not a skill: {error}", what=error.what, limit=error.limit
                ) from error

        def bind() -> None:
            with self.layout.edit() as edit:
                if name is None:
                    edit.add(content)
                else:
                    edit.tag(name, content, when=may_move(name))

        def may_move(name: str) -> Callable[[RootIndex], bool]:
            return lambda root: may_retag(root.named(name), name, content, replace=replace)

        if name is not None:
            # Before anything is copied, and again under the lock.
            may_retag(self.layout.entries(name=name), name, content, replace=replace)
        put_and_bind(put, bind)
        return BuildResult(reference=name or str(content.digest), digest=content.digest)
