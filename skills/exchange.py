"""Content in and out of a store: pulled from a registry, copied from a layout, pushed.

What may replace a local build is decided here, under the writer lock, and how much a source may
send. Nothing that comes in is marked as a build, and nothing that goes out carries the mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout import (
    InvalidNameError,
    LimitExceededError,
    Limits,
    Reference,
    ReferenceNotFoundError,
    copy,
)
from ocilayout.transfer import put_and_bind, transfer
from skills import builds
from skills.errors import NotPushableError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor, Event, Layout
    from ocilayout.layout import RootIndex
    from ocilayout.model import Source
    from ocilayout.registry import Repository

    Report = Callable[[Event], None] | None

LIMITS: Final = Limits(document=1024 * 1024, children=32, layers=64, blob=100 * 1024 * 1024)
"""The most that a source may send: no skill comes near it."""


class Exchange:
    """The exchange of one store with registries and other layouts."""

    def __init__(self, layout: Layout, registry: Callable[[Reference], Repository]) -> None:
        """Use a store.

        Args:
            layout: The store.
            registry: Makes the repository of a reference; it is closed after use.
        """
        self._layout = layout
        self._registry = registry

    def find(self, reference: str) -> Descriptor | None:
        """Resolve a reference in the store, without asking a registry.

        A reference without tag and digest is looked for as it stands, and then with `latest`,
        which is how it was pulled.

        Returns:
            The content, or nothing if the store does not have it.

        Raises:
            AmbiguousReferenceError: Its entries have different digests.
            DocumentError: `index.json` breaks the specification.
        """
        for name in dict.fromkeys((reference, with_tag(reference))):
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
        """Pull an artifact from its registry into the store. It is not listed as a local build.

        Args:
            reference: `host/repository`, with a tag or a digest; `latest` if it has neither.
            name: The tag in the store; the reference by default.
            replace: As for `copy`.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: The reference is not valid.
            InvalidTagError: The name is not a valid tag.
            LocalBuildConflictError: As `copy` says.
            TooLargeError: As `copy` says.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy` says.
        """
        reference = with_tag(reference)
        parsed = parse(reference)
        if name is None:
            name = reference
        else:
            builds.require_tag(name)
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
            ref: A tag or a digest in it.
            name: The tag in the store; without one it becomes an untagged entry.
            replace: Whether a local build with other content may lose the tag; its content stays
                as an untagged entry.
            on_event: As for `ocilayout.copy`.

        Raises:
            LocalBuildConflictError: The tag is a local build with other content.
            TooLargeError: A part of the artifact is larger than that of any skill.
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
            # Asked twice: here, so that nothing is copied in vain, and under the lock.
            builds.may_retag(self._layout.entries(name=name), name, content, replace=replace)
        put_and_bind(put, bind)
        return content

    def push(self, reference: str, *, on_event: Report = None) -> builds.BuildResult:
        """Push what a tag of the store points to to the registry that the tag names.

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
            parsed = parse(reference)
        except InvalidNameError:
            raise NotPushableError(reference) from None
        if (parsed.digest is not None and parsed.digest != content.digest) or not (
            parsed.tag or parsed.digest
        ):
            raise NotPushableError(reference)
        with self._registry(parsed) as repository:
            copy(
                self._layout,
                str(content.digest),
                repository,
                name=parsed.tag,
                on_event=on_event,
            )
        return builds.BuildResult(reference=reference, digest=content.digest)


def parse(reference: str) -> Reference:
    """Read a reference to a registry.

    Raises:
        InvalidNameError: It does not name a repository, or is not valid.
    """
    if "/" not in reference:
        raise InvalidNameError(
            f"{reference!r} names no registry; write host/repository:tag,"
            " such as ghcr.io/org/skill:v1"
        )
    return Reference.parse(reference)


def with_tag(reference: str) -> str:
    """Return a reference without tag and digest with the tag `latest`; other text as it is."""
    try:
        parsed = parse(reference)
    except InvalidNameError:
        return reference
    return reference if parsed.tag or parsed.digest else f"{reference}:latest"


def parse_source(name: str) -> Reference | None:
    """Return the reference by which the content of a tag could be pulled again, if it is one.

    That is a repository with a tag or a digest. Without a registry it is one of Docker Hub, where
    ToolHive pulls it from.
    """
    try:
        reference = parse(name)
    except InvalidNameError:
        return None
    return reference if reference.tag or reference.digest else None
