"""The image index: a list of manifests, one a platform as a rule."""

from __future__ import annotations

from attrs import field, frozen

from ocilayout import field as fields
from ocilayout.descriptor import Descriptor
from ocilayout.frozenmap import FrozenMap
from ocilayout.mediatype import INDEX_TYPES, OCI_INDEX


@frozen(kw_only=True)
class Index(fields.Extensible):
    """An image index, or a Docker manifest list.

    Attributes:
        schema_version: Always 2.
        media_type: The type of this document, or `None` where it does not say.
        artifact_type: The type of the artifact, if it is one: any text, since ToolHive writes one
            that is no media type.
        manifests: The children, in document order.
        subject: The manifest that this index refers to, or `None`.
        annotations: Metadata of the index.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: image-index:schema-version, image-index:media-type, image-index:media-type-set,
        image-index:manifests, image-index:subject, image-index:annotations, manifest:unambiguous.
    """

    schema_version: int = field(
        default=2, validator=fields.exactly(2), metadata=fields.key(required=True)
    )
    media_type: str | None = field(
        default=OCI_INDEX, validator=fields.optional(fields.one_of(INDEX_TYPES))
    )
    artifact_type: str | None = field(default=None, validator=fields.optional(fields.text))
    manifests: tuple[Descriptor, ...] = field(
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
        fields.require_without(self.extra, "config", "layers")
