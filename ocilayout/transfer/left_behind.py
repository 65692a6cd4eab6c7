"""Content that a copy leaves behind: digests that documents name where they are not understood.

A copy takes the parts that it knows. A document of an unknown type may name more digests, and so
may an unknown property; whether these are parts of it, only its author knows. They are not copied
but reported, so that an incomplete copy is not taken for a complete one.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from ocilayout.errors import BlobNotFoundError, OciLayoutError
from ocilayout.model import (
    DOCUMENT_TYPES,
    JSON_HEAD,
    MAX_DOCUMENT,
    begins_as_json,
    document_mentions,
    extra_mentions,
    is_understood,
    search_mentions,
)
from ocilayout.transfer.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from ocilayout.layout import RootEntry
    from ocilayout.model import Descriptor, Digest, Document, Readable, SourceBlobs

_MOST: Final = 1000
"""How many digests that one document names are looked up in the source."""

_MOST_OF_ALL: Final = 10_000
"""How many digests are looked up for one copy, so that it ends soon after the transfer."""

_MOST_REQUESTS: Final = 50
"""How many digests are looked up in a registry for one copy; each is a request."""


def opener(blobs: SourceBlobs, *, remote: bool) -> Callable[[Descriptor], Readable | None]:
    """Return a function that opens blobs of unknown types for a search through them.

    Args:
        blobs: The blobs.
        remote: Whether reading one is a request. Then only small blobs are searched whose media
            type says that they are JSON; the function returns `None` for the others.
    """

    def open_blob(descriptor: Descriptor) -> Readable | None:
        is_json = descriptor.media_type.endswith("json") and descriptor.size <= MAX_DOCUMENT
        return blobs.open(descriptor) if is_json or not remote else None

    return open_blob


class LeftBehind:
    """The digests that the content of one copy names where it is not understood.

    If the source is remote, looking up a digest is a request, so fewer are looked up.
    """

    def __init__(self, *, remote: bool = False) -> None:
        self._most = _MOST_REQUESTS if remote else _MOST_OF_ALL
        self._copied: set[Digest] = set()
        self._named: dict[Digest, tuple[Descriptor, set[Digest]]] = {}

    def note(
        self,
        copied: Iterable[Descriptor],
        documents: Mapping[Digest, Document],
        open_blob: Callable[[Descriptor], Readable | None],
    ) -> None:
        """Search content that was copied, or is about to be, for digests.

        Args:
            copied: The content.
            documents: The documents among it.
            open_blob: Opens a blob of an unknown type; it returns `None` to leave one out.

        Raises:
            Exception: Any error of `open_blob` and its stream but `BlobNotFoundError`.
        """
        for descriptor in copied:
            if descriptor.digest not in self._copied:
                self._copied.add(descriptor.digest)
                named = _named(descriptor, documents, open_blob)
                self._add(descriptor, named)

    def note_entries(self, entries: Iterable[RootEntry]) -> None:
        """Note digests in unknown properties of entries, which no copy takes along."""
        for entry in entries:
            self._add(entry.descriptor.plain(), extra_mentions(entry.descriptor))

    def _add(self, descriptor: Descriptor, named: set[Digest]) -> None:
        if named:
            _, known = self._named.setdefault(descriptor.digest, (descriptor, set()))
            known |= named

    def events(
        self, source: Container[object], target: Callable[[Digest], bool] | None = None
    ) -> Iterator[Event]:
        """Yield an event for each document that names content of the source that the target lacks.

        The transfer is done by now, so an error of the source counts as an absent blob, and of
        very many digests only the first are looked up.

        Args:
            source: The blobs of the source.
            target: Tells whether the target has a digest; asked only for digests of the source.

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
    try:
        stream = open_blob(descriptor)
    except BlobNotFoundError:  # a blob that only its `urls` lead to
        return set()
    if stream is None:
        return set()
    with closing(stream):
        head = stream.read(JSON_HEAD)
        if begins_as_json(head) or descriptor.media_type.endswith("json"):
            return search_mentions(stream, head).found
    return set()
