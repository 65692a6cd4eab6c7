"""The OCI image layout in pure Python.

This is the facade: what users need, by its short name. A name is imported from its room when it is
first used (PEP 562), so that `import ocilayout` alone costs next to nothing. A registry is reached
with `ocilayout.registry.Repository`. Nothing inside the package imports the facade.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocilayout.archive import Archive, write_archive
    from ocilayout.check import Action, RepairReport
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
        TlsError,
        TransportError,
        UnsupportedDigestError,
        UnsupportedVersionError,
    )
    from ocilayout.layout import Blobs, CollectReport, Edit, Layout, RootEntry
    from ocilayout.model import (
        CONTAINERD_IMAGE_NAME,
        CREATED,
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
        REF_NAME,
        TITLE,
        ArtifactManifest,
        ContainerConfig,
        Descriptor,
        Digest,
        FrozenMap,
        Header,
        History,
        ImageConfig,
        Index,
        Limits,
        Manifest,
        Platform,
        Reference,
        RootFs,
        Schema1Manifest,
        decode,
        encode,
    )
    from ocilayout.transfer import Event, copy, copy_all

__version__ = "0.1.0"

__all__ = [
    "CONTAINERD_IMAGE_NAME",
    "CREATED",
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
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
    "ArtifactManifest",
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
    "Event",
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
    "Limits",
    "LockTimeoutError",
    "Manifest",
    "NotALayoutError",
    "NotFoundError",
    "OciLayoutError",
    "Platform",
    "Problem",
    "RateLimitedError",
    "Reference",
    "ReferenceNotFoundError",
    "RegistryError",
    "RepairReport",
    "RootEntry",
    "RootFs",
    "Schema1Manifest",
    "SizeMismatchError",
    "TlsError",
    "TransportError",
    "UnsupportedDigestError",
    "UnsupportedVersionError",
    "copy",
    "copy_all",
    "decode",
    "encode",
    "write_archive",
]

# From the lowest up, so that a name is found before a room is imported that it does not need.
_ROOMS = ("errors", "model", "layout", "transfer", "archive", "check")

if not TYPE_CHECKING:  # for a type checker, it would make every name one of the facade's

    def __getattr__(name: str) -> object:
        """Import a name of the facade, or a room, when it is first used."""
        if name in _ROOMS:
            return import_module(f"{__name__}.{name}")
        if name in __all__:
            for room in _ROOMS:
                module = import_module(f"{__name__}.{room}")
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted([*__all__, *_ROOMS, "__version__"])
