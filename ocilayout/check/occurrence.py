"""An occurrence: a descriptor at one place of the layout, as a check finds it.

Pure. A descriptor that is broken elsewhere still counts if its digest is valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from ocilayout.check import advice
from ocilayout.errors import DocumentError
from ocilayout.model import Descriptor, Digest, structure

if TYPE_CHECKING:
    from ocilayout.model import Json

Role = Literal["named", "unnamed", "part", "subject"]


@frozen(kw_only=True)
class Occurrence:
    """A descriptor at one place of the layout.

    Attributes:
        digest: The content.
        media_type: Its media type, empty where the descriptor does not have one.
        size: Its size in bytes, `None` where the descriptor does not have one.
        place: The place of the descriptor.
        role: What the descriptor is: an entry with or without a name, a part, or a subject.
        attestation: Whether it is an attestation or a part of one, without a platform.
    """

    digest: Digest
    media_type: str
    size: int | None
    place: str
    role: Role
    attestation: bool = False


def occurrence_of(descriptor: Descriptor, place: str, role: Role) -> Occurrence:
    """Return the occurrence of a valid descriptor."""
    return Occurrence(
        digest=descriptor.digest,
        media_type=descriptor.media_type,
        size=descriptor.size,
        place=place,
        role=role,
        attestation=advice.is_attestation(descriptor),
    )


def occurrence_if_digest(value: Json, place: str, role: Role) -> Occurrence | None:
    """Return the occurrence of what may be a broken descriptor, if its digest is valid.

    Args:
        value: The value of the property, or the item of the array.
        place: Its place.
        role: What it would be.
    """
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    try:
        digest = Digest.parse(fields.get("digest", ""))
    except DocumentError:
        return None
    try:
        return occurrence_of(structure(value, Descriptor), place, role)
    except DocumentError:
        media_type = fields.get("mediaType")
        media_type = media_type if isinstance(media_type, str) else ""
        return Occurrence(digest=digest, media_type=media_type, size=None, place=place, role=role)
