"""Documents as their descriptors say: the model for a media type, its size, and its agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout.errors import BlobNotFoundError, DocumentError, LimitExceededError
from ocilayout.model.codec import structure
from ocilayout.model.ijson import parse_json
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    ARTIFACT_TYPES,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1_TYPES,
)
from ocilayout.model.retired import ArtifactManifest, Schema1Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model.descriptor import Descriptor
    from ocilayout.model.digest import Digest
    from ocilayout.model.graph import Document

MODELS: Final[dict[str, type[Document]]] = {
    **dict.fromkeys(INDEX_TYPES, Index),
    **dict.fromkeys(MANIFEST_TYPES, Manifest),
    **dict.fromkeys(ARTIFACT_TYPES, ArtifactManifest),
    **dict.fromkeys(SCHEMA1_TYPES, Schema1Manifest),
}
"""The models of documents by their media types."""


def require_document_size(descriptor: Descriptor) -> None:
    """Raise an error for a manifest or an index that is too large to be read by its descriptor.

    Raises:
        LimitExceededError: The size is above 4 MiB.

    Spec: considerations:limits, distribution:manifest-size.
    """
    if descriptor.size > MAX_DOCUMENT:
        raise LimitExceededError(
            f"{descriptor.digest} has {descriptor.size} bytes, the limit for a manifest is"
            f" {MAX_DOCUMENT}",
            what="document",
            limit=MAX_DOCUMENT,
        )


def require_document_type(descriptor: Descriptor) -> None:
    """Raise an error for a descriptor whose media type is not that of a manifest or an index.

    Raises:
        DocumentError: The media type is another one.
    """
    if descriptor.media_type not in DOCUMENT_TYPES:
        raise DocumentError.of(
            "not-a-manifest",
            f"{descriptor.digest} is not a manifest or an index, but {descriptor.media_type}",
        )


def decode_document(
    data: bytes, descriptor: Descriptor, *, size: Callable[[Digest], int] | None = None
) -> Document:
    """Read a manifest or an index.

    Args:
        data: The bytes, verified already.
        descriptor: The descriptor, whose media type decides how the bytes are read.
        size: Returns the size of a blob in bytes, or raises `BlobNotFoundError`. It is needed for
            schema 1 manifests, which lack the sizes of their layers; a missing layer gets size 0.

    Raises:
        DocumentError: The bytes break the specification, the media type is not that of a manifest
            or an index, or the document itself names another media type (CVE-2021-41190).
        LimitExceededError: The document is too large or nested too deeply.

    Spec: image-index:media-type, image-index:manifest-entries, manifest:media-type,
        distribution:media-type-matches, distribution:manifest-type-said.
    """
    require_document_type(descriptor)
    try:  # not `with read_from(...)`: a garbage collection decodes every document of a store
        document: Document = structure(parse_json(data), MODELS[descriptor.media_type])
        if document.media_type not in (None, descriptor.media_type):
            raise DocumentError.of(
                "media-type-differs",
                f"the document says {document.media_type}, its descriptor {descriptor.media_type}",
                "$.mediaType",
            )
    except (DocumentError, LimitExceededError) as error:
        raise error.read_from(str(descriptor.digest)) from None
    if not isinstance(document, Schema1Manifest) or size is None:
        return document

    def size_or_zero(digest: Digest) -> int:
        try:
            return size(digest)
        except BlobNotFoundError:
            return 0

    return document.sized(size_or_zero)


def document_type(data: bytes) -> str:
    """Return the media type that a manifest or an index names, or that its properties suggest.

    Raises:
        DocumentError: The bytes are not a JSON object.
        LimitExceededError: They are too many, or nested too deeply.

    Spec: considerations:json.
    """
    document = parse_json(data)
    media_type = document.get("mediaType")
    if isinstance(media_type, str):
        return media_type
    if "fsLayers" in document:
        return DOCKER_SCHEMA1_SIGNED if "signatures" in document else DOCKER_SCHEMA1
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST
