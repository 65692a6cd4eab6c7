"""Content in and out of a store: pulled from a registry, copied from a layout, pushed.

Here it is decided what may take a name, under the writer lock, and how much a source may send.
Nothing that comes in is marked as a build, and nothing that goes out carries a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout import InvalidNameError, LimitExceededError, Reference, ReferenceNotFoundError
from ocilayout.copy import Limits, copy, put_and_bind, transfer
from skills import builds
from skills.errors import NotPushableError, TooLargeError
from skills.tag import require_tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor, Layout, RootIndex
    from ocilayout.copy import CopySource, Event
    from ocilayout.registry import Repository

    Report = Callable[[Event], None] | None

LIMITS: Final = Limits(document=1024 * 1024, children=32, layers=64, blob=100 * 1024 * 1024)
"""The most that is brought: no skill comes near it."""


class Exchange:
    """What brings content into one store, and out of it."""

    def __init__(self, layout: Layout, registry: Callable[[Reference], Repository]) -> None:
        """Use a store.

        Args:
            layout: The store.
            registry: Makes the repository of a reference; it is closed after use.
        """
        self._layout = layout
        self._registry = registry

    def find(self, reference: str) -> Descriptor | None:
        """Return what a reference means in the store, or nothing; no registry is asked.

        A reference without tag and digest is looked for as it stands, and then with `latest`,
        which is how it was pulled.

        Raises:
            AmbiguousReferenceError: It means several things.
            DocumentError: `index.json` breaks the specification.
        """
        for name in dict.fromkeys((reference, with_tag(reference))):
            try:
                return self._layout.resolve(name)
            except ReferenceNotFoundError:
                continue
        return None

    def pull(
        self, reference: str, *, name: str | None, replace: bool, on_event: Report
    ) -> builds.BuildResult:
        """Bring an artifact from its registry into the store; see `SkillService.pull`."""
        reference = with_tag(reference)
        parsed = parse(reference)
        if name is None:
            name = reference
        else:
            require_tag(name)
        with self._registry(parsed) as repository:
            ref = str(parsed.digest or parsed.tag)
            content = self.bring(repository, ref, name, replace=replace, on_event=on_event)
        return builds.BuildResult(reference=name, digest=content.digest)

    def bring(
        self,
        source: CopySource,
        ref: str,
        name: str | None,
        *,
        replace: bool,
        on_event: Report = None,
    ) -> Descriptor:
        """Bring what a source has under a name into the store.

        Args:
            source: A `Layout`, an `Archive` or a `Repository`.
            ref: A name or a digest in it.
            name: What to call it in the store; nothing if it is not given.
            replace: Whether a local build may lose the name.
            on_event: As for `ocilayout.copy.copy`.

        Raises:
            LocalBuildConflictError: Other content was built here under that name.
            TooLargeError: A part of it is larger than any skill's.
            OciLayoutError: As `ocilayout.copy.copy` says.
        """
        content = source.resolve(ref)

        def put() -> None:
            try:
                transfer(source, content, self._layout, on_event=on_event, limits=LIMITS)
            except LimitExceededError as error:
                raise TooLargeError(
                    f"this is no skill: {error}", what=error.what, limit=error.limit
                ) from error

        def bind() -> None:
            with self._layout.edit() as edit:
                if name is None:
                    edit.add(content)
                else:
                    edit.tag(name, content, when=may_bind(name))

        def may_bind(name: str) -> Callable[[RootIndex], bool]:
            return lambda root: builds.may_bind(root.named(name), name, content, replace=replace)

        if name is not None:
            # Asked twice: here, so that nothing is brought in vain, and under the lock.
            builds.may_bind(self._layout.entries(name=name), name, content, replace=replace)
        put_and_bind(put, bind)
        return content

    def push(self, reference: str, *, on_event: Report) -> builds.BuildResult:
        """Send what the store has under a reference to its registry; see `SkillService.push`."""
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
    """Read a reference that says where its content comes from.

    Raises:
        InvalidNameError: It names no repository, or is none.
    """
    if "/" not in reference:
        raise InvalidNameError(
            f"{reference!r} names no registry; write host/repository:tag,"
            " such as ghcr.io/org/skill:v1"
        )
    return Reference.parse(reference)


def with_tag(reference: str) -> str:
    """Return a reference with the tag that is meant where none is said; other text as it is."""
    try:
        parsed = parse(reference)
    except InvalidNameError:
        return reference
    return reference if parsed.tag or parsed.digest else f"{reference}:latest"
