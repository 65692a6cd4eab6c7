"""Content in and out of a store: pulled from a registry, copied from a layout, pushed.

Here it is decided what may take a name, under the writer lock, and how much a source may send.
Nothing that comes in is marked as a build, and nothing that goes out carries a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout import (
    DOCKER_INDEX,
    OCI_INDEX,
    Index,
    InvalidNameError,
    Manifest,
    Reference,
    ReferenceNotFoundError,
    decode,
)
from ocilayout.copy import copy, put_and_bind, transfer
from skills import builds
from skills.errors import NotPushableError, TooLargeError
from skills.tag import require_tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout import Descriptor, Digest, Layout, Readable, RootIndex
    from ocilayout.copy import CopySource, Event, ReadableBlobs
    from ocilayout.registry import Repository

    Report = Callable[[Event], None] | None

MAX_DOCUMENT: Final = 1024 * 1024
"""The largest manifest or index that is pulled, in bytes."""

MAX_BLOB: Final = 100 * 1024 * 1024
"""The largest blob that is pulled, in bytes."""

MAX_MANIFESTS: Final = 32
"""The most manifests in an index that is pulled."""

MAX_LAYERS: Final = 64
"""The most layers in a manifest that is pulled."""


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
        bounded = Bounded(source)

        def put() -> None:
            transfer(bounded, content, self._layout, on_event=on_event)

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


class Bounded:
    """A source that is not believed when it says that a skill is huge.

    Attributes:
        blobs: Its content.
    """

    def __init__(self, source: CopySource) -> None:
        """Wrap a source."""
        self._source = source
        self.blobs = BoundedBlobs(source.blobs)

    def resolve(self, name_or_digest: str, /) -> Descriptor:
        """Return what the source does."""
        return self._source.resolve(name_or_digest)

    def referrers(self, digest: Digest, /) -> tuple[Descriptor, ...]:
        """Return what the source does."""
        return self._source.referrers(digest)


class BoundedBlobs:
    """The content of a source, as far as it is within the limits."""

    def __init__(self, blobs: ReadableBlobs) -> None:
        """Wrap the content of a source."""
        self._blobs = blobs

    def __contains__(self, digest: object, /) -> bool:
        return digest in self._blobs

    def read(self, descriptor: Descriptor, /) -> bytes:
        """Return a manifest or an index.

        Raises:
            TooLargeError: It is too large, or has too many parts.
            OciLayoutError: As the source says.
        """
        _require("manifest", descriptor.size, MAX_DOCUMENT, "bytes")
        data = self._blobs.read(descriptor)
        if descriptor.media_type in {OCI_INDEX, DOCKER_INDEX}:
            index = decode(data, Index)
            _require("index", len(index.manifests), MAX_MANIFESTS, "manifests")
        else:
            _require("manifest", len(decode(data, Manifest).layers), MAX_LAYERS, "layers")
        return data

    def open(self, descriptor: Descriptor, /) -> Readable:
        """Open a blob.

        Raises:
            TooLargeError: It is too large.
            OciLayoutError: As the source says.
        """
        _require("blob", descriptor.size, MAX_BLOB, "bytes")
        return self._blobs.open(descriptor)


def _require(what: str, count: int, limit: int, unit: str) -> None:
    if count > limit:
        raise TooLargeError(
            f"this is no skill: a part of it has {count} {unit}, the limit is {limit}",
            what=what,
            limit=limit,
        )
