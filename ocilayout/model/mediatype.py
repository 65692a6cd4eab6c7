"""Media types: their grammar, and the types that a store tells apart.

A store reads manifests and indexes, also those of retired types. Configs and layers are opaque to
it; whether content of any other type refers to blobs is unknown.

Spec: media-types:names, media-types:docker.
"""

from __future__ import annotations

import re
from functools import lru_cache

OCI_LAYOUT_HEADER = "application/vnd.oci.layout.header.v1+json"
OCI_DESCRIPTOR = "application/vnd.oci.descriptor.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

# Retired: the artifact manifests of image-spec 1.1.0-rc2 and of ORAS before it, Docker's schema 1.
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
ORAS_ARTIFACT = "application/vnd.cncf.oras.artifact.manifest.v1+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

OCTET_STREAM = "application/octet-stream"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
ARTIFACT_TYPES = frozenset({OCI_ARTIFACT, ORAS_ARTIFACT})
SCHEMA1_TYPES = frozenset({DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED})
RETIRED_TYPES = ARTIFACT_TYPES | SCHEMA1_TYPES
# Documents with successors, which walks read.
DOCUMENT_TYPES = INDEX_TYPES | MANIFEST_TYPES | RETIRED_TYPES

# Content that refers to no blob of a store, although it may hold digests: those in a config are of
# unpacked layers.
_OPAQUE = frozenset({OCI_CONFIG, OCI_EMPTY, DOCKER_CONFIG})
_MEDIA = ("text/", "image/", "audio/", "video/", "font/", "model/")
_COMPRESSED = ("tar", "gzip", "zstd", "zip", "xml", "yaml", "+wasm")
_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")

# RFC 6838 section 4.2: type-name "/" subtype-name, each a restricted-name.
#   restricted-name       = restricted-name-first *126restricted-name-chars
#   restricted-name-first = ALPHA / DIGIT
#   restricted-name-chars = ALPHA / DIGIT / "!" / "#" / "$" / "&" / "-" / "^" / "_" / "." / "+"
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")


@lru_cache(maxsize=1024)  # a store has few media types, and every descriptor asks
def is_media_type(text: str) -> bool:
    """Return whether text is a media type as of RFC 6838, without parameters.

    Spec: descriptor:media-type.
    """
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_understood(media_type: str) -> bool:
    """Return whether a media type is known: that of a document, a config or a layer.

    Spec: media-types:unknown.
    """
    if media_type in DOCUMENT_TYPES or media_type in _OPAQUE:
        return True
    return media_type.startswith(_LAYERS) and not media_type.endswith("json")


def may_be_document(media_type: str) -> bool:
    """Return whether content of an unknown type may be a JSON document.

    Text, pictures, sound and compressed content are not; for any other type the content must tell.
    """
    return not (media_type.startswith(_MEDIA) or media_type.endswith(_COMPRESSED))
