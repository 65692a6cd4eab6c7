"""Listings: one row for each entry, with what its documents tell.

No layer is read. Where a document cannot be read the row says why, and the other rows are whole.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from ocilayout import model
from ocilayout.cli.operand import Root
from ocilayout.cli.terminal import content_data, counted, digest_cell, one_line, size_text
from ocilayout.cli.tree import IMAGE_CONFIGS, Kind, graph_of, platform_text
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    LimitExceededError,
    OciLayoutError,
    UnsupportedDigestError,
)
from ocilayout.layout import Layout, View
from ocilayout.model import (
    CREATED,
    DEFAULT_LIMITS,
    MAX_DOCUMENT,
    ImageConfig,
    Index,
    Limits,
    Manifest,
    decode,
    members,
)

if TYPE_CHECKING:
    from ocilayout.cli.columns import Cell
    from ocilayout.cli.operand import Source
    from ocilayout.cli.tree import Node
    from ocilayout.model import Descriptor, Digest, Document

HEADING: Final = ("NAME", "DIGEST", "KIND", "PLATFORMS", "SIZE", "AGE", "CONTENT")

DROPPED: Final = ("KIND", "AGE", "PLATFORMS", "SIZE", "CONTENT")
"""The columns that are dropped where the table is too wide, in this order."""

TimeSource = Literal["entry", "document", "config", "file"]

_MOST_PLATFORMS: Final = 3  # in a cell
_LAST_YEAR: Final = 1980  # without ages
_NO_AGE: Final = "-"
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
    """What a listing tells of an entry.

    Attributes:
        root: The entry.
        kind: What its content is; `blob` for all but manifests and indexes.
        artifact_type: The type of the artifact, where it is one.
        platforms: What it runs on, such as `linux/arm64`, in document order.
        size: The size of all content that the documents name, each digest once, in bytes.
        created: When it was created, or `None`.
        created_from: Where that is from: an annotation of the entry or of its document, the config,
            or the file, whose time is that of the last put.
        missing: How many blobs are missing; `None` for registries, which are not asked. Blobs that
            have `urls` do not count.
        wrong_size: How many blobs do not have the size that their descriptor gives; `None` as for
            `missing`.
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
        """Whether all content is there; `None` for registries, which are not asked."""
        if self.error:
            return False
        return None if self.missing is None else not (self.missing or self.wrong_size)

    def data(self) -> dict[str, object]:
        """Return the row for programs."""
        return {
            "name": self.root.name,
            "fullName": self.root.full_name,
            **content_data(self.root.descriptor),
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

    def cells(self, now: datetime) -> tuple[Cell, ...]:
        """Return the row for people, in the columns of `HEADING`."""
        digest = "" if self.root.descriptor is None else digest_cell(self.root.descriptor.digest)
        kind = self.kind if self.artifact_type is None else (self.artifact_type, "artifact")
        age = "" if self.created is None else age_text(self.created, now)
        dated = self.created_from == "file" and age != _NO_AGE
        counts = ((self.missing, "missing"), (self.wrong_size, "of wrong size"))
        content = ", ".join(f"{count} {what}" for count, what in counts if count)
        if self.complete:
            content = "whole"
        return (
            self.root.label,
            digest,
            kind,
            self._platforms_cell(),
            size_text(self.size),
            (f"{age} (file)", f"~{age}") if dated else age,
            "unreadable" if self.error else content,
        )

    def _platforms_cell(self) -> Cell:
        if not self.platforms:
            return ""
        first, *others = self.platforms
        text = ", ".join(self.platforms[:_MOST_PLATFORMS])
        if len(self.platforms) > _MOST_PLATFORMS:
            text += f" and {len(self.platforms) - _MOST_PLATFORMS} more"
        return text, f"{first} +{len(others)}" if others else first


def row_of(source: Source, root: Root, *, limits: Limits = DEFAULT_LIMITS) -> Row:
    """Return the row of an entry, which says so if its documents are beyond the limits.

    Raises:
        OSError: The file system failed.
    """
    if root.descriptor is None:
        return Row(root=root, kind="blob", error=root.error)
    nodes = graph_of(source, [root], limits=limits, of="the entry")
    node = nodes[root.descriptor.digest]
    config, error = _config_of(source, node.document)
    states = None
    if isinstance(source, View):
        states = Counter(state for one in nodes.values() for state in one.states.values())
    created, created_from = _created(source, root, node.document, config)
    return Row(
        root=root,
        kind=node.kind,
        artifact_type=node.artifact_type,
        platforms=_platforms(source, root.descriptor, nodes, config),
        # Where descriptors give one digest different sizes, the first one counts.
        size=sum(one.descriptor.size for one in nodes.values()),
        created=created,
        created_from=created_from,
        missing=None if states is None else states["missing"],
        wrong_size=None if states is None else states["wrong size"],
        error=next((one.error for one in nodes.values() if one.error), error),
    )


def age_text(created: datetime, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit, such as `3 days`.

    Times up to 1980 have no age: reproducible builds write the beginning of 1970 or of 1980.
    """
    if created.year <= _LAST_YEAR:
        return _NO_AGE
    seconds = max((now - created).total_seconds(), 0.0)
    for name, length in _UNITS:
        if seconds >= length:
            return counted(int(seconds / length), name)
    return "now"


def _config_of(source: Source, document: Document | None) -> tuple[ImageConfig | None, str]:
    """Return the config of an image, and what went wrong when it was read."""
    if not isinstance(document, Manifest):
        return None, ""
    config = document.config
    if config.media_type not in IMAGE_CONFIGS or config.size > MAX_DOCUMENT:
        return None, ""
    try:
        return decode(source.blobs.read(config), ImageConfig), ""
    except (BlobNotFoundError, DocumentError, LimitExceededError, UnsupportedDigestError):
        return None, ""  # it is listed as missing, or says nothing that a listing needs
    except (OciLayoutError, OSError) as error:
        return None, one_line(error)


def _platforms(
    source: Source,
    descriptor: Descriptor,
    nodes: dict[Digest, Node],
    config: ImageConfig | None,
) -> tuple[str, ...]:
    document = nodes[descriptor.digest].document
    if isinstance(document, Index):
        listed = members(descriptor, lambda one: nodes[one.digest].document)
        texts = (platform_text(one.platform) for one in listed)
        return tuple(text for text in dict.fromkeys(texts) if text)
    own = platform_text(config.platform) if config is not None else ""
    text = platform_text(descriptor.platform) or own
    if not text and isinstance(document, Manifest) and document.config.media_type in IMAGE_CONFIGS:
        text = model.platform_text(descriptor, source.blobs.read)  # of a config with other faults
    return (text,) if text else ()


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
