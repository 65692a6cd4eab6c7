"""Pushing a manifest: under a tag, under its digest, or under both.

For a push under a tag the registry computes the digest itself, with sha256. A digest of another
algorithm is therefore tagged by the query of a push by digest, or not at all.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ocilayout.errors import DigestMismatchError, RegistryError
from ocilayout.registry.session import MANIFEST_STORED, Session

if TYPE_CHECKING:
    from ocilayout.model import Descriptor
    from ocilayout.registry.response import Response

_UNKNOWN_ALGORITHM: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)
"""The statuses by which registries refuse a digest whose algorithm they do not know."""

_UNKNOWN_ALGORITHM_CODES: Final = frozenset(
    {"DIGEST_INVALID", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "UNKNOWN", "UNSUPPORTED"}
)
"""The codes with these statuses; any other code names another reason."""


def push_manifest(
    session: Session, data: bytes, descriptor: Descriptor, tag: str | None
) -> Response:
    """Push a manifest or an index, and set a tag if there is one; `require_tagged` checks that.

    Raises:
        RegistryError: As for `Session.request`.

    Spec: distribution:reference, distribution:manifest-type, distribution:digest-and-tag.
    """
    by_digest = _is_tagged_by_digest(descriptor)
    name = tag or str(descriptor.digest)
    if tag is not None and by_digest:
        name = f"{descriptor.digest}?{urlencode({'tag': tag})}"
    try:
        return session.request(
            "PUT",
            f"manifests/{name}",
            accept=MANIFEST_STORED,
            headers={"Content-Type": descriptor.media_type, "Content-Length": str(len(data))},
            body=data,
        )
    except RegistryError as error:
        unknown = error.status in _UNKNOWN_ALGORITHM and _UNKNOWN_ALGORITHM_CODES.issuperset(
            error.codes
        )
        if not (by_digest and unknown):
            raise
        algorithm = descriptor.digest.algorithm
        raise RegistryError(
            f"{error}: the registry may take no {algorithm} digests; nothing was tagged. Push"
            " to a registry that takes them, or make the content again with sha256",
            status=error.status,
            codes=error.codes,
        ) from error


def require_tagged(response: Response, descriptor: Descriptor, tag: str | None) -> None:
    """Fail if the response to a push by digest does not say that the tag was set.

    Raises:
        DigestMismatchError: The registry says that it stored the manifest under another digest.
        RegistryError: The registry does not say that it set the tag. If it does not know the query,
            it set none.

    Spec: distribution:digest-and-tag.
    """
    if tag is None or not _is_tagged_by_digest(descriptor):
        return
    stored = response.content_digest()
    if stored is not None and stored != descriptor.digest:
        raise DigestMismatchError(
            f"the registry tags {stored} instead of {descriptor.digest}",
            descriptor=descriptor,
            actual=str(stored),
        )
    # RFC 9110, section 5.6.1: one header may have several values, or each its own header.
    tagged = {part.strip() for text in response.headers("OCI-Tag") for part in text.split(",")}
    if tag not in tagged:
        algorithm = descriptor.digest.algorithm
        raise RegistryError(
            f"the registry stored {descriptor.digest} and set no tag {tag}: it does not tag"
            f" {algorithm} digests. Pull it by its digest, push to a registry that tags them, or"
            " make the content again with sha256",
            status=response.status,
        )


def _is_tagged_by_digest(descriptor: Descriptor) -> bool:
    return descriptor.digest.algorithm != "sha256"
