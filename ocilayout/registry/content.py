"""What an answer says of the content that it carries or stands for: type, size and digest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocilayout.errors import (
    DigestMismatchError,
    DocumentError,
    LimitExceededError,
    RegistryError,
)
from ocilayout.model import (
    DOCUMENT_TYPES,
    MAX_DOCUMENT,
    SCHEMA1_TYPES,
    Descriptor,
    Digest,
    decode_document,
    document_type,
)

if TYPE_CHECKING:
    from ocilayout.registry.answer import Answer

# Not those of schema 1: a registry that has to choose may turn an image into that.
ANY_MANIFEST = ", ".join(sorted(DOCUMENT_TYPES - SCHEMA1_TYPES, reverse=True))
"""What to accept where any manifest or index will do; those of OCI stand first."""

_LENGTH = re.compile(r"[0-9]{1,18}")  # below 2**63


def content_type(answer: Answer) -> str:
    """Return the media type of an answer without parameters, in lower case.

    Spec: distribution:content-type-parameters, media-types:returned.
    """
    return (answer.header("Content-Type") or "").partition(";")[0].strip().lower()


def content_length(answer: Answer) -> int | None:
    """Return the size that an answer says its content has, in bytes, or `None`."""
    text = answer.header("Content-Length") or ""
    return int(text) if _LENGTH.fullmatch(text) else None


def content_digest(answer: Answer) -> Digest | None:
    """Return the digest that an answer says its content has, or `None`.

    Raises:
        RegistryError: What it says is no digest.
    """
    text = answer.header("Docker-Content-Digest")
    if text is None:
        return None
    try:
        return Digest.parse(text)
    except DocumentError:
        raise RegistryError(
            "the registry's Docker-Content-Digest is no digest", status=answer.status
        ) from None


def require_digest(answer: Answer, descriptor: Descriptor) -> None:
    """Refuse an answer that speaks of other content; one of another algorithm does not tell.

    Raises:
        DigestMismatchError: It does.
        RegistryError: What it says is no digest.

    Spec: distribution:digest-header, distribution:put-digest.
    """
    said = content_digest(answer)
    if said is None or said.algorithm != descriptor.digest.algorithm:
        return
    if said != descriptor.digest:
        raise DigestMismatchError(
            f"the registry speaks of {said} where {descriptor.digest} was meant",
            descriptor=descriptor,
            actual=str(said),
        )


def described(answer: Answer, wanted: Digest | None) -> Descriptor | None:
    """Return the manifest that headers alone describe, or `None` where they do not say enough.

    Args:
        answer: The answer.
        wanted: The digest that was asked for, or `None` if it was a tag.

    Raises:
        DigestMismatchError: They speak of another digest than was asked for.
        RegistryError: The digest is none.
    """
    media_type = content_type(answer)
    size = content_length(answer)
    said = content_digest(answer)
    # No manifest is empty; a registry that says so has not looked.
    if media_type not in DOCUMENT_TYPES or not size or said is None:
        return None
    if wanted is not None and said.algorithm != wanted.algorithm:
        return None
    descriptor = Descriptor(media_type=media_type, digest=wanted or said, size=size)
    require_digest(answer, descriptor)
    return descriptor


def fetched(answer: Answer, wanted: Digest | None) -> tuple[bytes, Descriptor]:
    """Return a body with the manifest that it is.

    Args:
        answer: The answer.
        wanted: The digest that was asked for, or `None` if it was a tag.

    Raises:
        DigestMismatchError: It is not what was asked for, or what its headers say.
        LimitExceededError: It is too large for a manifest.
        RegistryError: It is no manifest.
        UnsupportedDigestError: Its digest's algorithm cannot be computed here.

    Spec: distribution:digest-header, distribution:verify-manifest, distribution:docker-headers.
    """
    data = answer.read_all(MAX_DOCUMENT)
    media_type = content_type(answer)
    if media_type not in DOCUMENT_TYPES:
        media_type = _look_into(data, status=answer.status)
    meant = wanted or content_digest(answer)
    descriptor = Descriptor.of(data, media_type, "sha256" if meant is None else meant.algorithm)
    if meant is not None and meant != descriptor.digest:
        raise DigestMismatchError(
            f"the registry answers with {descriptor.digest} where {meant} was meant",
            descriptor=Descriptor(media_type=media_type, digest=meant, size=len(data)),
            actual=str(descriptor.digest),
        )
    require_digest(answer, descriptor)
    return data, descriptor


def _look_into(data: bytes, *, status: int) -> str:
    """Return the media type of a manifest that came without one.

    Raises:
        RegistryError: It is no manifest.
    """
    try:
        media_type = document_type(data)
        decode_document(data, Descriptor.of(data, media_type))
    except (DocumentError, LimitExceededError):
        raise RegistryError(
            "the registry answers with neither a manifest nor an index", status=status
        ) from None
    return media_type
