"""What makes a document wrong beyond its own properties: how it fits the descriptor of it."""

from __future__ import annotations

from ocilayout.codec import decode
from ocilayout.descriptor import Descriptor
from ocilayout.errors import DocumentError
from ocilayout.index import Index
from ocilayout.manifest import Manifest
from ocilayout.mediatype import DOCUMENT_TYPES, INDEX_TYPES


def decode_document(data: bytes, descriptor: Descriptor) -> Manifest | Index:
    """Read a manifest or an index as its descriptor says.

    Args:
        data: The bytes, verified already.
        descriptor: The descriptor; its media type says what the bytes are.

    Raises:
        DocumentError: The bytes break the specification, the media type is that of no document
            with successors, or the document says that it is of another type (CVE-2021-41190).
        LimitExceededError: The document is too large or nested too deeply.

    Spec: manifest.md and image-index.md, mediaType.
    """
    if descriptor.media_type not in DOCUMENT_TYPES:
        raise DocumentError.of(
            "not-a-manifest",
            f"{descriptor.digest} is {descriptor.media_type}, no manifest and no index",
        )
    model = Index if descriptor.media_type in INDEX_TYPES else Manifest
    document = decode(data, model)
    if document.media_type not in (None, descriptor.media_type):
        raise DocumentError.of(
            "media-type-differs",
            f"the document says {document.media_type}, its descriptor {descriptor.media_type}",
            "$.mediaType",
        )
    return document
