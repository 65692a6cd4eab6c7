"""Links: what a document refers to, and no more of it than it takes to follow that.

Whoever wants to know what is reached in a store needs of each reference its digest and its media
type, and no models, whose making costs several times what the reading does. A document that is
plain, as most are, is looked at just as strictly without them. Any other is decoded, so there is no
document that one way refuses and the other does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.attribute import MAX_INT64
from ocilayout.model.digest import Digest
from ocilayout.model.document import decode_document
from ocilayout.model.graph import successors
from ocilayout.model.ijson import parse_json
from ocilayout.model.mediatype import INDEX_TYPES, MANIFEST_TYPES, is_media_type
from ocilayout.model.mention import document_mentions

if TYPE_CHECKING:
    from ocilayout.model.descriptor import Descriptor
    from ocilayout.model.frozenmap import Json

_PLAIN_TYPES: Final = INDEX_TYPES | MANIFEST_TYPES
_ALWAYS: Final = frozenset({"schemaVersion", "mediaType", "artifactType", "annotations", "subject"})
_OF_INDEX: Final = _ALWAYS | {"manifests"}
_OF_MANIFEST: Final = _ALWAYS | {"config", "layers"}
_OF_DESCRIPTOR: Final = frozenset({"mediaType", "digest", "size", "annotations"})


UNKNOWN: Final = ""
"""The media type of a link to content that is only named, in a place that is not understood."""


class Link(NamedTuple):
    """A reference to content.

    Attributes:
        media_type: What the reference says that the content is, or `UNKNOWN`.
        digest: The identity of the content.
        size: Its length, in bytes.
        data: The content itself, where the reference has it.
    """

    media_type: str
    digest: Digest
    size: int
    data: bytes | None = None


def link_to(descriptor: Descriptor) -> Link:
    """Return the link that a descriptor is."""
    return Link(descriptor.media_type, descriptor.digest, descriptor.size, descriptor.data)


def link_of(value: Json) -> Link | None:
    """Return the link that a descriptor is; `None` if it is not plain, whether valid or not."""
    if not isinstance(value, dict) or not value.keys() <= _OF_DESCRIPTOR:
        return None
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if (
        type(media_type) is not str
        or type(digest) is not str
        or type(size) is not int
        or not is_media_type(media_type)
        or not 0 <= size <= MAX_INT64
        or not _plain_annotations(value)
    ):
        return None
    try:
        return Link(media_type, Digest(digest), size)
    except DocumentError:
        return None


def links(data: bytes, descriptor: Descriptor) -> list[Link]:
    """Return what a document refers to: its parts, its subject, and what it names besides.

    Args:
        data: The bytes, verified already.
        descriptor: The descriptor; its media type says what the bytes are.

    Raises:
        DocumentError: As `decode_document` does.
        LimitExceededError: As `decode_document` does.
    """
    try:  # and no `with`: a collection comes by here for every document
        found = _plain_links(parse_json(data), descriptor.media_type)
    except (DocumentError, LimitExceededError) as error:
        raise error.read_from(str(descriptor.digest)) from None
    if found is not None:
        return found
    document = decode_document(data, descriptor)
    subject = () if document.subject is None else (document.subject,)
    told = (*successors(document), *subject)
    besides = sorted(document_mentions(document))
    return [
        *map(link_to, told),
        *(Link(UNKNOWN, digest, 0) for digest in besides),
    ]


def _plain_links(document: dict[str, Json], media_type: str) -> list[Link] | None:
    is_index = media_type in INDEX_TYPES
    version = document.get("schemaVersion")
    parts = document.get("manifests" if is_index else "layers")
    if (
        media_type not in _PLAIN_TYPES
        or not document.keys() <= (_OF_INDEX if is_index else _OF_MANIFEST)
        or (type(version), version) != (int, 2)
        or document.get("mediaType", media_type) != media_type
        or not isinstance(document.get("artifactType", ""), str)
        or not isinstance(parts, list)
        or not _plain_annotations(document)
    ):
        return None
    values = [*parts, *(document[name] for name in ("config", "subject") if name in document)]
    found = [link for link in map(link_of, values) if link is not None]
    return found if len(found) == len(values) and is_index != ("config" in document) else None


def _plain_annotations(value: dict[str, Json]) -> bool:
    annotations = value.get("annotations")
    if annotations is None:
        return True
    return isinstance(annotations, dict) and all(
        isinstance(text, str) for text in annotations.values()
    )
