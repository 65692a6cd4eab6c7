"""A manifest on its way into a repository: under a tag, under its digest, or under both.

Under a tag alone a registry computes the digest itself, by sha256. A digest of another algorithm is
therefore tagged by the query of a push by digest, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ocilayout.errors import DigestMismatchError, RegistryError
from ocilayout.registry.content import content_digest
from ocilayout.registry.session import CREATED, Session

if TYPE_CHECKING:
    from ocilayout.model import Descriptor
    from ocilayout.registry.answer import Answer

_UNKNOWN_DIGEST: Final = frozenset({400, 404, 405, 415, 422, 501})
"""What registries answer that do not know the algorithm of a digest."""

_UNKNOWN_DIGEST_CODES: Final = frozenset(
    {"DIGEST_INVALID", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "UNKNOWN", "UNSUPPORTED"}
)
"""The codes beside; another code names another reason."""


def send(session: Session, data: bytes, descriptor: Descriptor, tag: str | None) -> Answer:
    """Send a manifest or an index.

    Args:
        session: The conversation with the registry.
        data: Its bytes.
        descriptor: What they are.
        tag: The tag to set, or `None` for none.

    Returns:
        The answer, to be closed. Whether the tag was set says `require_tagged`.

    Raises:
        RegistryError: The registry refused or failed.

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
            accept=CREATED,
            actions="pull,push",
            headers={"Content-Type": descriptor.media_type, "Content-Length": str(len(data))},
            body=data,
        )
    except RegistryError as error:
        unknown = error.status in _UNKNOWN_DIGEST and set(error.codes) <= _UNKNOWN_DIGEST_CODES
        if not (by_digest and unknown):
            raise
        algorithm = descriptor.digest.algorithm
        raise RegistryError(
            f"{error}: the registry may take no {algorithm} digests; nothing was tagged. Push"
            " to a registry that takes them, or make the content again with sha256",
            status=error.status,
            codes=error.codes,
        ) from error


def require_tagged(answer: Answer, descriptor: Descriptor, tag: str | None) -> None:
    """Refuse the answer to a push by digest that does not say that it set the tag.

    Args:
        answer: The answer.
        descriptor: What was pushed.
        tag: The tag that was to be set, or `None` for none.

    Raises:
        DigestMismatchError: It says that it stored the manifest under another digest.
        RegistryError: It does not say that it set the tag; a registry that does not know the query
            set none.

    Spec: distribution:digest-and-tag.
    """
    if tag is None or not _is_tagged_by_digest(descriptor):
        return
    said = content_digest(answer)
    if said is not None and said != descriptor.digest:
        raise DigestMismatchError(
            f"the registry tags {said} where {descriptor.digest} was meant",
            descriptor=descriptor,
            actual=str(said),
        )
    # RFC 9110, section 5.6.1: several in one header or one in each of several.
    tagged = {part.strip() for text in answer.headers("OCI-Tag") for part in text.split(",")}
    if tag not in tagged:
        algorithm = descriptor.digest.algorithm
        raise RegistryError(
            f"the registry stored {descriptor.digest} and set no tag {tag}: it does not tag"
            f" {algorithm} digests. Pull it by its digest, push to a registry that tags them, or"
            " make the content again with sha256",
            status=answer.status,
        )


def _is_tagged_by_digest(descriptor: Descriptor) -> bool:
    return descriptor.digest.algorithm != "sha256"
