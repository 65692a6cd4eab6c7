"""Media types: their grammar, and the ones that a store has to tell apart.

Only manifests and indexes are read by a store; every other type is opaque to it.

Spec: media-types:names, media-types:docker.
"""

from __future__ import annotations

import re

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

OCTET_STREAM = "application/octet-stream"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
# What has successors, and so is read by walks.
DOCUMENT_TYPES = INDEX_TYPES | MANIFEST_TYPES

# RFC 6838 section 4.2: type-name "/" subtype-name, each a restricted-name.
#   restricted-name       = restricted-name-first *126restricted-name-chars
#   restricted-name-first = ALPHA / DIGIT
#   restricted-name-chars = ALPHA / DIGIT / "!" / "#" / "$" / "&" / "-" / "^" / "_" / "." / "+"
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")


def is_media_type(text: str) -> bool:
    """Tell whether text follows the naming rules of RFC 6838; parameters are not part of it.

    Spec: descriptor:media-type.
    """
    return _MEDIA_TYPE.fullmatch(text) is not None
