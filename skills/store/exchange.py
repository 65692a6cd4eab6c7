"""Artifacts in and out of a store: pulled from a registry, copied from a layout, pushed.

No artifact that comes in is marked as a build, and none that goes out carries the mark. Whether a
tag may move is the rule of `builds.may_retag`, asked for again under the writer lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout import InvalidNameError, LimitExceededError, Limits, ReferenceNotFoundError, copy
from ocilayout.transfer import put_and_bind, transfer
from skills.errors import NotPushableError, TooLargeError
from skills.model import parse_reference, require_tag, with_latest
from skills.store import builds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor, Event, Layout, Reference
    from ocilayout.layout import RootIndex
    from ocilayout.model import Source
    from ocilayout.registry import Repository

    Report = Callable[[Event], None] | None

LIMITS: Final = Limits(document=1024 * 1024, children=32, layers=64, blob=100 * 1024 * 1024)
"""The most that a source may send; far above the size of any skill."""


class Exchange:
    """Copies artifacts between one store and registries, layouts and archives."""

    def __init__(self, layout: Layout, registry: Callable[[Reference], Repository]) -> None:
        self._layout = layout
        self._registry = registry

    def find(self, reference: str) -> Descriptor | None:
        """Resolve a reference in the store; no registry is asked.

        A reference without tag and digest is looked for as it is, and then with `latest`, the tag
        that a pull gives it.

        Returns:
            The content; `None` if the store does not have it.

        Raises:
            AmbiguousReferenceError: The entries of the tag have different digests.
            DocumentError: `index.json` breaks the specification.
        """
        for name in dict.fromkeys((reference, with_latest(reference))):
            try:
                return self._layout.resolve(name)
            except ReferenceNotFoundError:
                continue
        return None

    def pull(
        self,
        reference: str,
        *,
        name: str | None = None,
        replace: bool = False,
        on_event: Report = None,
    ) -> builds.BuildResult:
        """Pull an artifact from its registry into the store.

        Args:
            reference: `host/repository`, with a tag or a digest; with `latest` if it has neither.
            name: The tag in the store; the reference by default.
            replace: As for `copy`.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: The reference is not valid.
            InvalidTagError: The name is not a valid tag.
            SkillError: As `copy` says.
            RegistryError: The registry failed or refused.
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
            content = self.copy(repository, ref, name, replace=replace, on_event=on_event)
        return builds.BuildResult(reference=name, digest=content.digest)

    def copy(
        self,
        source: Source,
        ref: str,
        name: str | None,
        *,
        replace: bool,
        on_event: Report = None,
    ) -> Descriptor:
        """Copy an artifact of a source into the store.

        Args:
            source: A `Layout`, an `Archive` or a `Repository`.
            ref: A tag or a digest in the source.
            name: The tag in the store; without one the artifact becomes an untagged entry.
            replace: As for `builds.may_retag`.
            on_event: As for `ocilayout.copy`.

        Raises:
            LocalBuildConflictError: As `builds.may_retag` says.
            TooLargeError: The artifact exceeds one of `LIMITS`.
            OciLayoutError: As `ocilayout.copy` says.
        """
        content = source.resolve(ref)

        def put() -> None:
            try:
                transfer(source, content, self._layout, on_event=on_event, limits=LIMITS)
            except LimitExceededError as error:
                raise TooLargeError(
                    f"this is not a skill: {error}", what=error.what, limit=error.limit
                ) from error

        def bind() -> None:
            with self._layout.edit() as edit:
                if name is None:
                    edit.add(content)
                else:
                    edit.tag(name, content, when=may_retag(name))

        def may_retag(name: str) -> Callable[[RootIndex], bool]:
            return lambda root: builds.may_retag(root.named(name), name, content, replace=replace)

        if name is not None:
            # Before anything is copied, and again under the lock.
            builds.may_retag(self._layout.entries(name=name), name, content, replace=replace)
        put_and_bind(put, bind)
        return content

    def push(self, reference: str, *, on_event: Report = None) -> builds.BuildResult:
        """Push the content of a tag to the registry that the tag names.

        Args:
            reference: A tag in the store that is a full reference.
            on_event: As for `ocilayout.copy`.

        Raises:
            ReferenceNotFoundError: The store does not have the tag.
            NotPushableError: The tag has no registry, or neither tag nor digest.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy` says.
        """
        content = self._layout.resolve(reference)
        try:
            parsed = parse_reference(reference)
        except InvalidNameError:
            raise NotPushableError(reference) from None
        if (parsed.digest is not None and parsed.digest != content.digest) or not (
            parsed.tag or parsed.digest
        ):
            raise NotPushableError(reference)
        with self._registry(parsed) as repository:
            ref = str(content.digest)
            copy(self._layout, ref, repository, name=parsed.tag, on_event=on_event)
        return builds.BuildResult(reference=reference, digest=content.digest)
