"""The OCI image layout in pure Python."""

from __future__ import annotations

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, CREATED, LOCAL_BUILD, REF_NAME, TITLE
from ocilayout.archive import (
    Archive,
    Member,
    Window,
    iter_members,
    open_window,
    write_archive,
)
from ocilayout.blobs import Blobs
from ocilayout.check import Action, RepairReport
from ocilayout.codec import decode, encode
from ocilayout.collect import CollectReport
from ocilayout.config import ContainerConfig, History, ImageConfig, RootFs
from ocilayout.descriptor import Descriptor, Platform
from ocilayout.digest import Digest
from ocilayout.edit import Edit
from ocilayout.errors import (
    AmbiguousReferenceError,
    AuthError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    InvalidNameError,
    LayoutExistsError,
    LimitExceededError,
    LockTimeoutError,
    NotALayoutError,
    NotFoundError,
    OciLayoutError,
    Problem,
    RateLimitedError,
    ReferenceNotFoundError,
    RegistryError,
    SizeMismatchError,
    TransportError,
    UnsupportedDigestError,
    UnsupportedVersionError,
)
from ocilayout.frozenmap import FrozenMap
from ocilayout.header import Header
from ocilayout.ijson import dump as dump_json
from ocilayout.index import Index
from ocilayout.layout import Layout
from ocilayout.manifest import Manifest
from ocilayout.mediatype import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
)
from ocilayout.reference import Reference
from ocilayout.rootentry import RootEntry
from ocilayout.rootindex import RootIndex
from ocilayout.stream import Readable, VerifiedReader

__all__ = [
    "CONTAINERD_IMAGE_NAME",
    "CREATED",
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
    "LOCAL_BUILD",
    "OCI_CONFIG",
    "OCI_EMPTY",
    "OCI_INDEX",
    "OCI_LAYER",
    "OCI_LAYER_GZIP",
    "OCI_LAYER_ZSTD",
    "OCI_MANIFEST",
    "REF_NAME",
    "TITLE",
    "Action",
    "AmbiguousReferenceError",
    "Archive",
    "AuthError",
    "BlobNotFoundError",
    "Blobs",
    "CollectReport",
    "ContainerConfig",
    "Descriptor",
    "Digest",
    "DigestMismatchError",
    "DocumentError",
    "Edit",
    "FrozenMap",
    "Header",
    "History",
    "ImageConfig",
    "Index",
    "IntegrityError",
    "InvalidNameError",
    "Layout",
    "LayoutExistsError",
    "LimitExceededError",
    "LockTimeoutError",
    "Manifest",
    "Member",
    "NotALayoutError",
    "NotFoundError",
    "OciLayoutError",
    "Platform",
    "Problem",
    "RateLimitedError",
    "Readable",
    "Reference",
    "ReferenceNotFoundError",
    "RegistryError",
    "RepairReport",
    "RootEntry",
    "RootFs",
    "RootIndex",
    "SizeMismatchError",
    "TransportError",
    "UnsupportedDigestError",
    "UnsupportedVersionError",
    "VerifiedReader",
    "Window",
    "decode",
    "dump_json",
    "encode",
    "iter_members",
    "open_window",
    "write_archive",
]
