"""Valid manifests that are too large, deep or many, for `LoopbackRegistry.put_manifests`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.model import (
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Digest,
    Index,
    Manifest,
    encode,
)
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

_EMPTY = Descriptor.of(b"{}", OCI_EMPTY)


@checked
def nested(depth: int) -> Iterator[bytes]:
    """Yield indexes, each inside the next, around one manifest.

    Args:
        depth: How many indexes there are, >= 0.
    """
    data = encode(Manifest(config=_EMPTY))
    media_type = OCI_MANIFEST
    yield data
    for _ in range(depth):
        data = encode(Index(manifests=[Descriptor.of(data, media_type)]))
        media_type = OCI_INDEX
        yield data


@checked
def wide(children: int) -> Iterator[bytes]:
    """Yield different manifests, and an index of all of them.

    Args:
        children: How many manifests there are, >= 0.
    """
    manifests = []
    for number in range(children):
        data = encode(Manifest(config=_EMPTY, annotations={"number": str(number)}))
        manifests.append(Descriptor.of(data, OCI_MANIFEST))
        yield data
    yield encode(Index(manifests=manifests))


@checked
def layered(layers: int) -> Iterator[bytes]:
    """Yield a manifest of many layers, which are missing.

    Args:
        layers: How many layers there are, >= 0.
    """
    descriptors = [
        Descriptor(media_type=OCI_LAYER, digest=Digest.of(str(number).encode()), size=1)
        for number in range(layers)
    ]
    yield encode(Manifest(config=_EMPTY, layers=descriptors))


@checked
def huge(size: int) -> Iterator[bytes]:
    """Yield a manifest of many bytes.

    Args:
        size: The least number of bytes.
    """
    yield encode(Manifest(config=_EMPTY, annotations={"note": "x" * size}))


@checked
def deep(depth: int) -> Iterator[bytes]:
    """Yield a manifest with an unknown property of nested arrays.

    Args:
        depth: How many arrays there are, each inside another, > 0.
    """
    manifest = encode(Manifest(config=_EMPTY))
    yield manifest[:-1] + b',"com.example.deep":' + b"[" * depth + b"]" * depth + b"}"
