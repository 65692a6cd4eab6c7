"""The image manifest: one config and an ordered list of layers."""

from __future__ import annotations

from attrs import field, frozen

from ocilayout import field as fields
from ocilayout.descriptor import Descriptor
from ocilayout.frozenmap import FrozenMap
from ocilayout.mediatype import MANIFEST_TYPES, OCI_MANIFEST


@frozen(kw_only=True)
class Manifest(fields.Extensible):
    """An image manifest, OCI or Docker schema 2.

    Attributes:
        schema_version: Always 2.
        media_type: The type of this document, or `None` where it does not say.
        artifact_type: The type of the artifact, if it is one: any text, since ToolHive writes one
            that is no media type.
        config: The configuration.
        layers: The layers, base first.
        subject: The manifest that this one refers to, or `None`.
        annotations: Metadata of the manifest.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: manifest:schema-version, manifest:media-type, manifest:media-type-set,
        manifest:unknown-artifact-type, manifest:config, manifest:layers, manifest:layer-order,
        manifest:subject, manifest:annotations, manifest:unambiguous.
    """

    schema_version: int = field(
        default=2, validator=fields.exactly(2), metadata=fields.key(required=True)
    )
    media_type: str | None = field(
        default=OCI_MANIFEST, validator=fields.optional(fields.one_of(MANIFEST_TYPES))
    )
    artifact_type: str | None = field(default=None, validator=fields.optional(fields.text))
    config: Descriptor = field(validator=fields.instance(Descriptor))
    layers: tuple[Descriptor, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(Descriptor),
        metadata=fields.key(always=True),
    )
    subject: Descriptor | None = field(
        default=None, validator=fields.optional(fields.instance(Descriptor))
    )
    annotations: FrozenMap[str, str] = field(
        default=FrozenMap(), converter=fields.to_map, validator=fields.strings
    )

    def __attrs_post_init__(self) -> None:
        fields.require_without(self.extra, "manifests")
