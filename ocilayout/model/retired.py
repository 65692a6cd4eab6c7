"""Manifests of retired types, which are still found in stores.

They are read, so that the content that they refer to is walked, copied and kept; they are not
written. Their specifications are no longer maintained, so all other properties are kept unchecked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from ocilayout.model import attribute as fields
from ocilayout.model.descriptor import Descriptor, to_digest
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap
from ocilayout.model.mediatype import ARTIFACT_TYPES, DOCKER_LAYER_GZIP, SCHEMA1_TYPES
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(kw_only=True)
class ArtifactManifest(fields.Extensible):
    """An artifact manifest of image-spec 1.1.0-rc2, or of ORAS before it.

    Attributes:
        media_type: The media type of this document, or `None` where it is absent.
        artifact_type: The type of the artifact, or `None`.
        blobs: The blobs of the artifact, in document order.
        subject: The manifest that this one refers to, or `None`.
        annotations: Metadata of the manifest.

    Spec: media-types:retired.
    """

    media_type: str | None = fields.optional(fields.one_of(ARTIFACT_TYPES))
    artifact_type: str | None = fields.optional(fields.text)
    blobs: tuple[Descriptor, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(Descriptor),
        metadata=fields.key(part=True),
    )
    subject: Descriptor | None = fields.optional(fields.instance(Descriptor), part=True)
    annotations: FrozenMap[str, str] = field(
        default=FrozenMap(), converter=fields.to_map, validator=fields.strings
    )

    def __attrs_post_init__(self) -> None:
        fields.require_without(self.extra, "manifests", "layers", "config")


@frozen(kw_only=True)
class FsLayer(fields.Extensible):
    """A layer of a schema 1 manifest.

    Attributes:
        blob_sum: The digest of the layer.
        size: Its length in bytes. Programs do not write it; it is 0 until `Schema1Manifest.sized`
            sets it.

    Raises:
        DocumentError: The digest is not valid.
    """

    blob_sum: Digest = field(converter=to_digest, validator=fields.instance(Digest))
    size: int = field(default=0, validator=fields.size)


@frozen(kw_only=True)
class Schema1Manifest(fields.Extensible):
    """A Docker image manifest of schema 1, signed or not.

    Attributes:
        media_type: The media type of this document; mostly `None`, as few programs write it.
        fs_layers: The layers, from the top down; a layer may be listed several times.

    Spec: media-types:retired.
    """

    media_type: str | None = fields.optional(fields.one_of(SCHEMA1_TYPES))
    fs_layers: tuple[FsLayer, ...] = field(
        default=(), converter=fields.to_tuple, validator=fields.each(FsLayer)
    )

    def __attrs_post_init__(self) -> None:
        fields.require_without(self.extra, "manifests", "layers", "config", "blobs")

    @checked
    def sized(self, size: Callable[[Digest], int]) -> Schema1Manifest:
        """Return the same manifest with the sizes of its layers, 0 for a missing one."""
        sizes = {layer.blob_sum: 0 for layer in self.fs_layers}
        sizes = {digest: size(digest) for digest in sizes}
        layers = [evolve(layer, size=sizes[layer.blob_sum]) for layer in self.fs_layers]
        return evolve(self, fs_layers=layers)

    @property
    def artifact_type(self) -> None:
        """Always `None`: a schema 1 manifest describes an image."""
        return None

    @property
    def subject(self) -> None:
        """Always `None`: the type is older than subjects."""
        return None

    @property
    def annotations(self) -> FrozenMap[str, str]:
        """Always empty: the type is older than annotations."""
        return FrozenMap()

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers as descriptors, each once, in the order of `fs_layers`."""
        return tuple(
            Descriptor(media_type=DOCKER_LAYER_GZIP, digest=digest, size=size)
            for digest, size in {layer.blob_sum: layer.size for layer in self.fs_layers}.items()
        )
