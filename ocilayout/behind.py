"""What a copy leaves behind: content of the source that is named where it is not understood.

A copy brings what it knows to be a part. A document of an unknown type may name more, and so may
an unknown property; whether that belongs to the content only its maker knows. It stays where it is
and is reported, so that the copy is not taken for the whole.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from ocilayout.errors import OciLayoutError
from ocilayout.event import Event
from ocilayout.mediatype import DOCUMENT_TYPES, is_understood
from ocilayout.mention import HEAD, Mentions, begins_as_json, mentioned_besides
from ocilayout.stream import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from ocilayout.descriptor import Descriptor
    from ocilayout.digest import Digest
    from ocilayout.graph import Read
    from ocilayout.stream import Readable

_MOST: Final = 1000
"""How many digests of one document are looked for in the source; a registry is asked for each."""


def left_behind(
    copied: Iterable[Descriptor],
    read: Read,
    open_blob: Callable[[Descriptor], Readable | None],
    source: Container[object],
) -> Iterator[Event]:
    """Give an event for each content that names more of the source than was copied.

    The copy is complete by now, so what cannot be looked at any more is passed over.

    Args:
        copied: All that was copied.
        read: Gives the documents among it.
        open_blob: Opens content of an unknown type; `None` for content that is not looked into.
        source: The content of the source.

    Spec: media-types:unknown.
    """
    there = {descriptor.digest: descriptor for descriptor in copied}
    known: dict[Digest, bool] = {}
    for descriptor in there.values():
        named: set[Digest] = set()
        with suppress(OciLayoutError, OSError):
            named = _named(descriptor, read, open_blob) - there.keys()
        some = sorted(named)[:_MOST]
        for digest in some:
            if digest not in known:
                known[digest] = _is_in(source, digest)
        left = tuple(digest for digest in some if known[digest])
        if left:
            yield Event(kind="left", descriptor=descriptor, digests=left)


def _is_in(source: Container[object], digest: Digest) -> bool:
    try:
        return digest in source
    except (OciLayoutError, OSError):
        return False


def _named(
    descriptor: Descriptor, read: Read, open_blob: Callable[[Descriptor], Readable | None]
) -> set[Digest]:
    if descriptor.media_type in DOCUMENT_TYPES:
        document = read(descriptor)
        return set() if document is None else mentioned_besides(document)
    if is_understood(descriptor.media_type):
        return set()
    mentions = Mentions()
    stream = open_blob(descriptor)
    if stream is None:
        return set()
    with closing(stream):
        data = stream.read(HEAD)
        if begins_as_json(data) or descriptor.media_type.endswith("json"):
            while data:
                mentions.take(data)
                data = stream.read(CHUNK)
    return mentions.found
