"""What a copy leaves behind: content of the source that is named where it is not understood.

A copy brings what it knows to be a part. A document of an unknown type may name more, and so may
an unknown property; whether that belongs to the content only its maker knows. It stays where it is
and is reported, so that the copy is not taken for the whole.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from ocilayout.errors import BlobNotFoundError, OciLayoutError
from ocilayout.model import (
    CHUNK,
    DOCUMENT_TYPES,
    JSON_HEAD,
    MAX_DOCUMENT,
    Mentions,
    begins_as_json,
    document_mentions,
    extra_mentions,
    is_understood,
)
from ocilayout.transfer.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from ocilayout.layout import RootEntry
    from ocilayout.model import Descriptor, Digest, Document, Readable
    from ocilayout.transfer.endpoint import ReadableBlobs

_MOST: Final = 1000
"""How many digests of one document are looked for in the source."""

_MOST_OF_ALL: Final = 10_000
"""How many are looked for in one copy, so that it ends soon after its content was copied."""

_MOST_REQUESTS: Final = 50
"""How many are looked for in one copy from a registry, which is asked for each."""


def opener(blobs: ReadableBlobs, *, remote: bool) -> Callable[[Descriptor], Readable | None]:
    """Return what opens content of an unknown type, to be looked through.

    Args:
        blobs: Where it lies.
        remote: Whether each look is a request. Then only small content is looked through, and only
            if its type says that it is JSON.
    """

    def open_blob(descriptor: Descriptor) -> Readable | None:
        is_json = descriptor.media_type.endswith("json") and descriptor.size <= MAX_DOCUMENT
        return blobs.open(descriptor) if is_json or not remote else None

    return open_blob


class LeftBehind:
    """What the content of a copy names where it is not understood, and what did not come along."""

    def __init__(self, *, remote: bool = False) -> None:
        """Begin with nothing copied.

        Args:
            remote: Whether each look for a digest in the source is a request. Then fewer are
                looked for.
        """
        self._most = _MOST_REQUESTS if remote else _MOST_OF_ALL
        self._copied: set[Digest] = set()
        self._named: dict[Digest, tuple[Descriptor, set[Digest]]] = {}

    def note(
        self,
        copied: Iterable[Descriptor],
        documents: Mapping[Digest, Document],
        open_blob: Callable[[Descriptor], Readable | None],
    ) -> None:
        """Look through content that was copied, or is about to be.

        Args:
            copied: The content.
            documents: The documents among it.
            open_blob: Opens content of an unknown type; `None` for content that is not looked into.

        Raises:
            Exception: Whatever `open_blob` and its stream raise, but `BlobNotFoundError`.
        """
        for descriptor in copied:
            if descriptor.digest not in self._copied:
                self._copied.add(descriptor.digest)
                named = _named(descriptor, documents, open_blob)
                self._add(descriptor, named)

    def note_entries(self, entries: Iterable[RootEntry]) -> None:
        """Note what entries name in unknown properties, which no copy takes along.

        Args:
            entries: The entries of what is copied, in the source.
        """
        for entry in entries:
            self._add(entry.descriptor.plain(), extra_mentions(entry.descriptor))

    def _add(self, descriptor: Descriptor, named: set[Digest]) -> None:
        if named:
            _, known = self._named.setdefault(descriptor.digest, (descriptor, set()))
            known |= named

    def events(
        self, source: Container[object], target: Callable[[Digest], bool] | None = None
    ) -> Iterator[Event]:
        """Give an event for each content that names more of the source than the target has.

        The copy is complete by now, so a source that fails is taken not to have it, and where
        very many digests are named only the first ones are looked for.

        Args:
            source: The content of the source.
            target: Tells whether the target has content. It is asked for what the source has.

        Spec: media-types:unknown.
        """
        known: dict[Digest, bool] = {}
        for descriptor, named in self._named.values():
            others = sorted(named - self._copied)[:_MOST]
            for digest in others:
                if digest not in known and len(known) < self._most:
                    known[digest] = _is_in(source, digest) and not (target and target(digest))
            left = tuple(digest for digest in others if known.get(digest))
            if left:
                yield Event(kind="left", descriptor=descriptor, digests=left)


def _is_in(source: Container[object], digest: Digest) -> bool:
    try:
        return digest in source
    except (OciLayoutError, OSError):
        return False


def _named(
    descriptor: Descriptor,
    documents: Mapping[Digest, Document],
    open_blob: Callable[[Descriptor], Readable | None],
) -> set[Digest]:
    if descriptor.media_type in DOCUMENT_TYPES:
        document = documents.get(descriptor.digest)
        return set() if document is None else document_mentions(document)
    if is_understood(descriptor.media_type):
        return set()
    mentions = Mentions()
    try:
        stream = open_blob(descriptor)
    except BlobNotFoundError:  # content that only its `urls` lead to
        stream = None
    if stream is None:
        return set()
    with closing(stream):
        data = stream.read(JSON_HEAD)
        if begins_as_json(data) or descriptor.media_type.endswith("json"):
            while data:
                mentions.take(data)
                data = stream.read(CHUNK)
    return mentions.found
