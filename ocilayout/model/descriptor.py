"""Descriptors: the type, digest and size of content, and the verification of content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve, field, frozen

from ocilayout.errors import DigestMismatchError, DocumentError, SizeMismatchError
from ocilayout.model import attribute as fields
from ocilayout.model.digest import Digest, new_hasher
from ocilayout.model.frozenmap import FrozenMap
from ocilayout.model.mediatype import is_media_type
from ocilayout.model.platform import Platform
from ocilayout.signature import checked

if TYPE_CHECKING:
    from attrs import Attribute


def _require_media_type(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require a media type.

    Spec: descriptor:media-type, manifest:config-type-form, manifest:layer-type-form.
    """
    fields.text(_, attribute, value)
    if not is_media_type(str(value)):
        raise fields.invalid(
            attribute, "bad-media-type", f"{value!r} is not a media type as of RFC 6838"
        )


def to_digest(value: Digest | str) -> Digest:
    """Convert text to a digest.

    Raises:
        DocumentError: The text is not a valid digest.
    """
    if isinstance(value, Digest):
        return value
    try:
        return Digest.parse(value)
    except DocumentError as error:
        raise error.at("$.digest") from None


@frozen(kw_only=True)
class Descriptor(fields.Extensible):
    """A reference to content by its digest.

    Attributes:
        media_type: The type of the content.
        digest: The digest of the content. The constructor accepts its text.
        size: The length of the content in bytes, 0 to 2**63 - 1.
        urls: Other sources of the content, in document order. Not fetched by default.
        annotations: Metadata of this reference, not of the content.
        data: The content itself, embedded; it agrees with digest and size.
        platform: The platform that the content runs on. It is defined for the entries of an index;
            elsewhere a value that is not a platform is kept as an unknown property.
        artifact_type: The type of the artifact, where the content is the manifest of an artifact.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: descriptor:media-type, descriptor:digest, descriptor:size, descriptor:annotations,
        descriptor:data.
    """

    foreign: ClassVar[frozenset[str]] = frozenset({"platform"})
    media_type: str = field(validator=_require_media_type)
    digest: Digest = field(converter=to_digest, validator=fields.instance(Digest))
    size: int = field(validator=fields.size)
    urls: tuple[str, ...] = field(default=(), converter=fields.to_tuple, validator=fields.each(str))
    annotations: FrozenMap[str, str] = field(
        default=FrozenMap(), converter=fields.to_map, validator=fields.strings
    )
    data: bytes | None = fields.optional(fields.instance(bytes, "bytes"))
    platform: Platform | None = fields.optional(fields.instance(Platform))
    artifact_type: str | None = fields.optional(fields.text)

    def __attrs_post_init__(self) -> None:
        # Spec: descriptor:data, descriptor:data-verify.
        # Where the digest cannot be computed, the size is checked alone.
        if self.data is not None and (
            len(self.data) != self.size
            or (
                self.digest.verifiable
                and Digest.of(self.data, self.digest.algorithm) != self.digest
            )
        ):
            raise DocumentError.of("bad-data", "differs from the digest or the size", "$.data")

    @classmethod
    @checked
    def of(cls, data: bytes, media_type: str, algorithm: str = "sha256") -> Descriptor:
        """Return the descriptor of bytes.

        Raises:
            DocumentError: The media type is not valid.
            UnsupportedDigestError: The algorithm cannot be computed here.
        """
        return cls(media_type=media_type, digest=Digest.of(data, algorithm), size=len(data))

    def plain(self) -> Descriptor:
        """Return a descriptor with the media type, the digest and the size only."""
        others = (self.data, self.platform, self.artifact_type)
        if not (self.urls or self.annotations or self.extra) and others == (None, None, None):
            return self
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)

    def located(self) -> Descriptor:
        """Return a plain descriptor that keeps `data`, which stands in for a missing blob."""
        plain = self.plain()
        return plain if self.data is None else evolve(plain, data=self.data)


class Verifier:
    """A check of a stream of bytes against a descriptor.

    It fails at the first byte too many, or at the end.

    Attributes:
        descriptor: The descriptor that the bytes must match.
        seen: The number of bytes so far.

    Raises:
        UnsupportedDigestError: The algorithm of the digest cannot be computed here.

    Spec: descriptor:verify, descriptor:size-trust.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.seen = 0
        self._hasher = new_hasher(descriptor.digest.algorithm)

    def update(self, data: bytes | memoryview) -> None:
        """Check the next bytes.

        Raises:
            SizeMismatchError: There are more bytes than the descriptor says.
        """
        self.seen += len(data)
        if self.seen > self.descriptor.size:
            raise self._wrong_size("more")
        self._hasher.update(data)

    def finish(self) -> None:
        """Finish the check, after the last bytes.

        Raises:
            SizeMismatchError: There were fewer bytes than the descriptor says.
            DigestMismatchError: The digest of the bytes is not the one in the descriptor.
        """
        if self.seen != self.descriptor.size:
            raise self._wrong_size("fewer")
        encoded = self._hasher.hexdigest()
        if encoded != self.descriptor.digest.encoded:
            actual = f"{self.descriptor.digest.algorithm}:{encoded}"
            raise DigestMismatchError(
                f"{self.descriptor.digest} was promised, the content is {actual}",
                descriptor=self.descriptor,
                actual=actual,
            )

    def _wrong_size(self, how: str) -> SizeMismatchError:
        return SizeMismatchError(
            f"{self.descriptor.digest} has {how} bytes than the {self.descriptor.size} promised:"
            f" {self.seen} so far",
            descriptor=self.descriptor,
            actual=str(self.seen),
        )


def require_size(descriptor: Descriptor, size: int) -> None:
    """Refuse content whose size is not the one in its descriptor.

    Args:
        descriptor: The descriptor.
        size: The size of the content, in bytes.

    Raises:
        SizeMismatchError: The sizes differ.

    Spec: descriptor:size-trust.
    """
    if size != descriptor.size:
        raise SizeMismatchError(
            f"{descriptor.digest} has {size} bytes, {descriptor.size} were promised",
            descriptor=descriptor,
            actual=str(size),
        )


def verify(data: bytes, descriptor: Descriptor) -> None:
    """Check that bytes match a descriptor.

    Raises:
        IntegrityError: They do not.
        UnsupportedDigestError: The algorithm of the digest cannot be computed here.

    Spec: descriptor:verify.
    """
    verifier = Verifier(descriptor)
    verifier.update(data)
    verifier.finish()
