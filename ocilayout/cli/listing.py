"""Listings: what is said of an entry in one row, found out by reading its documents.

No layer is read. What cannot be read leaves the row with its reason, and the others as they are.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from ocilayout.archive import Archive
from ocilayout.cli.place import Root
from ocilayout.cli.terminal import counted, one_line, printable, short, size_text
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    LimitExceededError,
    OciLayoutError,
    UnsupportedDigestError,
)
from ocilayout.layout import Layout, in_any_size
from ocilayout.model import (
    CREATED,
    DEFAULT_LIMITS,
    DOCKER_CONFIG,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    MAX_DOCUMENT,
    OCI_CONFIG,
    Budget,
    ImageConfig,
    Index,
    Limits,
    Manifest,
    decode,
    walk,
)

if TYPE_CHECKING:
    from ocilayout.cli.place import Source
    from ocilayout.model import Descriptor, Document, Platform

HEADING: Final = ("NAME", "DIGEST", "KIND", "PLATFORMS", "SIZE", "AGE", "CONTENT")

Kind = Literal["manifest", "index", "blob"]
TimeSource = Literal["entry", "document", "config", "file"]
State = Literal["here", "missing", "elsewhere", "wrong size"]

_IMAGE_CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_MOST_PLATFORMS: Final = 3  # in a cell
_UNKNOWN: Final = "unknown"  # the platform that BuildKit gives to attestations
_UNITS: Final = (
    ("year", 365.25 * 86400),
    ("month", 30.44 * 86400),
    ("day", 86400.0),
    ("hour", 3600.0),
    ("minute", 60.0),
    ("second", 1.0),
)  # in seconds


@frozen(kw_only=True)
class Row:
    """What is said of an entry.

    Attributes:
        root: The entry.
        kind: What its content is; `blob` for all but manifests and indexes.
        artifact_type: The type of the artifact, where it is one.
        platforms: What it runs on, such as `linux/arm64`, in document order.
        size: Of all content that is known to belong to it, each digest once, in bytes.
        created: When it was created, or `None`.
        created_from: Who says so: an annotation of the entry or of its document, the config, or
            the file, whose time is that of the last put.
        missing: How much of the content is not here; `None` where that was not asked, which is
            in registries. Content that has `urls` may be missing.
        wrong_size: How much of it is here and has not the size that its descriptor gives; `None`
            as for `missing`.
        error: What could not be read, or empty.
    """

    root: Root
    kind: Kind
    artifact_type: str | None = None
    platforms: tuple[str, ...] = ()
    size: int = 0
    created: datetime | None = None
    created_from: TimeSource | None = None
    missing: int | None = None
    wrong_size: int | None = None
    error: str = ""

    @property
    def complete(self) -> bool | None:
        """Whether all content is here; `None` where that was not asked."""
        if self.error:
            return False
        return None if self.missing is None else not (self.missing or self.wrong_size)

    def data(self) -> dict[str, object]:
        """Return the row for programs."""
        content = self.root.descriptor
        return {
            "name": self.root.name,
            "fullName": self.root.full_name,
            "digest": None if content is None else content.digest,
            "mediaType": None if content is None else content.media_type,
            "size": None if content is None else content.size,
            "annotations": dict(self.root.annotations),
            "kind": self.kind,
            "artifactType": self.artifact_type,
            "platforms": list(self.platforms),
            "totalSize": self.size,
            "created": None if self.created is None else self.created.isoformat(),
            "createdFrom": self.created_from,
            "missing": self.missing,
            "wrongSize": self.wrong_size,
            "complete": self.complete,
            "error": self.error or None,
        }

    def cells(self, now: datetime) -> tuple[str, ...]:
        """Return the row for people, in the columns of `HEADING`.

        Args:
            now: What age is measured from.
        """
        platforms = ", ".join(self.platforms[:_MOST_PLATFORMS])
        if len(self.platforms) > _MOST_PLATFORMS:
            platforms += f" and {len(self.platforms) - _MOST_PLATFORMS} more"
        age = "" if self.created is None else age_text(self.created, now)
        counts = ((self.missing, "missing"), (self.wrong_size, "of wrong size"))
        content = ", ".join(f"{count} {what}" for count, what in counts if count)
        if self.complete:
            content = "whole"
        cells = (
            self.root.label,
            "" if self.root.descriptor is None else short(self.root.descriptor.digest),
            self.artifact_type or self.kind,
            platforms,
            size_text(self.size),
            f"{age} (file)" if self.created_from == "file" else age,
            "unreadable" if self.error else content,
        )
        return tuple(map(printable, cells))


def row_of(source: Source, root: Root, *, limits: Limits = DEFAULT_LIMITS) -> Row:
    """Return what is said of an entry.

    Args:
        source: Where it is.
        root: The entry.
        limits: How large and how many its documents may be; what is beyond is not read, and the
            row says so.

    Raises:
        OSError: The file system failed.
    """
    if root.descriptor is None:
        return Row(root=root, kind="blob", error=root.error)
    reading = _Reading(source, limits)
    content = list(walk([root.descriptor], reading.read))
    states = None
    if isinstance(source, Layout | Archive):
        states = [state_of(source, found) for found in content]
    document = reading.document(root.descriptor)
    config = reading.config(document)
    created, created_from = _created(source, root, document, config)
    return Row(
        root=root,
        kind=kind_of(root.descriptor),
        artifact_type=artifact_type_of(document),
        platforms=_platforms(root.descriptor, document, config),
        # Where references give one digest different sizes, the first one counts.
        size=sum({found.digest: found.size for found in reversed(content)}.values()),
        created=created,
        created_from=created_from,
        missing=None if states is None else states.count("missing"),
        wrong_size=None if states is None else states.count("wrong size"),
        error=reading.error,
    )


def kind_of(descriptor: Descriptor) -> Kind:
    """Return what a descriptor says that its content is."""
    if descriptor.media_type not in DOCUMENT_TYPES:
        return "blob"
    return "index" if descriptor.media_type in INDEX_TYPES else "manifest"


def artifact_type_of(document: Document | None) -> str | None:
    """Return the type of an artifact; `None` for an image, and where nobody knows.

    Spec: manifest:artifact-type-fallback.
    """
    if not isinstance(document, Manifest) or document.artifact_type is not None:
        return None if document is None else document.artifact_type
    config = document.config.media_type
    return None if config in _IMAGE_CONFIGS else config


def age_text(created: datetime, now: datetime) -> str:
    """Return how long ago something was, in its largest unit, such as `3 days`."""
    seconds = max((now - created).total_seconds(), 0.0)
    for name, length in _UNITS:
        if seconds >= length:
            return counted(int(seconds / length), name)
    return "now"


class _Reading:
    """The documents of one entry, read once each, and the first thing that went wrong."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._budget = Budget(
            source.blobs.read, limits=limits, of="the entry", size=source.blobs.size
        )
        self.error = ""

    def read(self, descriptor: Descriptor) -> Document | None:
        try:
            return read_of(self._source, self._budget, descriptor)
        except OciLayoutError as error:
            self.error = self.error or one_line(error)
            return None

    def document(self, descriptor: Descriptor) -> Document | None:
        known = self._budget.documents.get(descriptor.digest)
        return None if known is None else known[2]

    def config(self, document: Document | None) -> ImageConfig | None:
        if not isinstance(document, Manifest):
            return None
        config = document.config
        if config.media_type not in _IMAGE_CONFIGS or config.size > MAX_DOCUMENT:
            return None
        try:
            return decode(self._source.blobs.read(config), ImageConfig)
        except (BlobNotFoundError, DocumentError, LimitExceededError, UnsupportedDigestError):
            return None  # it is listed as missing, or is nothing that a listing needs
        except OciLayoutError as error:
            self.error = self.error or one_line(error)
            return None


def read_of(source: Source, budget: Budget, descriptor: Descriptor) -> Document | None:
    """Return a document, or nothing if it is missing; in a layout, whatever size it is given.

    Raises:
        OciLayoutError: As `Budget.read` says.
    """
    if isinstance(source, Layout | Archive):
        return in_any_size(budget.read_if_there, descriptor, source.blobs)
    return budget.read_if_there(descriptor)


def _platforms(
    descriptor: Descriptor, document: Document | None, config: ImageConfig | None
) -> tuple[str, ...]:
    found: list[Platform | ImageConfig | None] = [config or descriptor.platform]
    if isinstance(document, Index):
        found = [child.platform for child in document.manifests]
    texts = dict.fromkeys(map(platform_text, found))
    return tuple(text for text in texts if text)


def platform_text(platform: Platform | ImageConfig | None) -> str:
    """Return a platform such as `linux/arm64/v8`; empty for none, and that of an attestation."""
    if platform is None or platform.os == platform.architecture == _UNKNOWN:
        return ""
    parts = (platform.os, platform.architecture, platform.variant)
    return "/".join(part for part in parts if part)


def _created(
    source: Source, root: Root, document: Document | None, config: ImageConfig | None
) -> tuple[datetime | None, TimeSource | None]:
    said: list[tuple[TimeSource, str | None]] = [("entry", root.annotations.get(CREATED))]
    if document is not None:
        said.append(("document", document.annotations.get(CREATED)))
    if config is not None:
        said.append(("config", config.created))
    for origin, text in said:
        time = _time(text)
        if time is not None:
            return time, origin
    if isinstance(source, Layout) and root.descriptor is not None:
        with suppress(BlobNotFoundError, OSError, OverflowError, ValueError):  # may be any time
            modified = source.blobs.modified(root.descriptor.digest)
            return datetime.fromtimestamp(modified, UTC), "file"
    return None, None


def _time(text: str | None) -> datetime | None:
    if text is None or text.startswith("0001-01-01T"):  # what Go writes for no time
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def state_of(source: Layout | Archive, descriptor: Descriptor) -> State:
    """Tell whether content is here, in its size."""
    try:
        size = source.blobs.size(descriptor.digest)
    except BlobNotFoundError:
        return "elsewhere" if descriptor.urls else "missing"
    return "here" if size == descriptor.size else "wrong size"
