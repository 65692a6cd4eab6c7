"""The documents of a layout: its header, image manifests and image indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from ocilayout.errors import UnsupportedVersionError
from ocilayout.model import attribute as fields
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.frozenmap import FrozenMap
from ocilayout.model.mediatype import INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST
from ocilayout.model.place import wrong_type

if TYPE_CHECKING:
    from attrs import Attribute

LAYOUT_VERSION = "1.0.0"
UNSUPPORTED_VERSION = "unsupported-version"

MAX_HEADER: Final = 64 * 1024
"""The largest `oci-layout` that is read, in bytes."""


def _version(_: object, attribute: Attribute[Any], value: object) -> None:
    fields.text(_, attribute, value)
    if value != LAYOUT_VERSION:
        error = fields.invalid(
            attribute, UNSUPPORTED_VERSION, f"only {LAYOUT_VERSION} is known, found {value!r}"
        )
        raise UnsupportedVersionError(error.problems)


@frozen(kw_only=True)
class Header(fields.Extensible):
    """The content of `oci-layout`.

    Attributes:
        image_layout_version: Always `1.0.0`.

    Raises:
        UnsupportedVersionError: The version is another.
        DocumentError: The version is not a string.

    Spec: image-layout:oci-layout-file, image-layout:header-extra, image-layout:version.
    """

    image_layout_version: str = field(
        default=LAYOUT_VERSION, validator=_version, metadata=fields.key(required=True)
    )


@frozen(kw_only=True)
class Index(fields.Extensible):
    """An image index, or a Docker manifest list.

    Attributes:
        schema_version: Always 2.
        media_type: The media type of this document, or `None` where it is absent.
        artifact_type: The type of the artifact, or `None`. Any text, because ToolHive's is not a
            media type.
        manifests: The children, in document order.
        subject: The manifest that this index refers to, or `None`.
        annotations: Metadata of the index.

    Spec: image-index:schema-version, image-index:media-type, image-index:media-type-set,
        image-index:manifests, image-index:subject, image-index:annotations, manifest:unambiguous.
    """

    schema_version: int = field(
        default=2, validator=fields.exactly(2), metadata=fields.key(required=True)
    )
    media_type: str | None = fields.optional(fields.one_of(INDEX_TYPES), default=OCI_INDEX)
    artifact_type: str | None = fields.optional(fields.text)
    manifests: tuple[Descriptor, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(Descriptor),
        metadata=fields.key(always=True),
    )
    subject: Descriptor | None = fields.optional(fields.instance(Descriptor), part=True)
    annotations: FrozenMap[str, str] = field(
        default=FrozenMap(), converter=fields.to_map, validator=fields.strings
    )

    def __attrs_post_init__(self) -> None:
        fields.require_without(self.extra, "config", "layers")
        for position, entry in enumerate(self.manifests):
            if "platform" in entry.extra:  # as the constructor of a descriptor allows
                raise wrong_type("a platform", entry.extra["platform"]).at(
                    f"$.manifests[{position}].platform"
                )


@frozen(kw_only=True)
class Manifest(fields.Extensible):
    """An image manifest, OCI or Docker schema 2.

    Attributes:
        schema_version: Always 2.
        media_type: The media type of this document, or `None` where it is absent.
        artifact_type: The type of the artifact, or `None`. Any text, because ToolHive's is not a
            media type.
        config: The config.
        layers: The layers, from the base up.
        subject: The manifest that this one refers to, or `None`.
        annotations: Metadata of the manifest.

    Spec: manifest:schema-version, manifest:media-type, manifest:media-type-set,
        manifest:unknown-artifact-type, manifest:config, manifest:layers, manifest:layer-order,
        manifest:subject, manifest:annotations, manifest:unambiguous.
    """

    schema_version: int = field(
        default=2, validator=fields.exactly(2), metadata=fields.key(required=True)
    )
    media_type: str | None = fields.optional(fields.one_of(MANIFEST_TYPES), default=OCI_MANIFEST)
    artifact_type: str | None = fields.optional(fields.text)
    config: Descriptor = field(
        validator=fields.instance(Descriptor), metadata=fields.key(part=True)
    )
    layers: tuple[Descriptor, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(Descriptor),
        metadata=fields.key(always=True, part=True),
    )
    subject: Descriptor | None = fields.optional(fields.instance(Descriptor), part=True)
    annotations: FrozenMap[str, str] = field(
        default=FrozenMap(), converter=fields.to_map, validator=fields.strings
    )

    def __attrs_post_init__(self) -> None:
        fields.require_without(self.extra, "manifests")
