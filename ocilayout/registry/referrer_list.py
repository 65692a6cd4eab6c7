"""Lists of referrers in a registry: by the referrers API, or under the fallback tag.

A registry with the API lists referrers by itself and says so, with `OCI-Subject`, when one is
pushed. For other registries clients keep the list: an index under a tag that is made from the
digest of the subject. Of clients that change it at the same time, one may undo the change of the
other; what is done about that, and what cannot be, is in spec-notes/decisions/0030.

All functions raise what `Session.request` raises, besides what they list.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from attrs import evolve

from ocilayout.errors import (
    AuthError,
    DocumentError,
    LimitExceededError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
    TransportError,
)
from ocilayout.model import (
    MAX_DOCUMENT,
    OCI_INDEX,
    Digest,
    Index,
    decode,
    decode_document,
    describe_referrer,
    encode,
    fallback_tag,
    parse_json,
    require_at_most,
)
from ocilayout.registry.page import iter_pages
from ocilayout.registry.response import ANY_MANIFEST
from ocilayout.registry.session import MANIFEST_STORED, OK_OR_MISSING, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.model import Descriptor, Document
    from ocilayout.registry.response import Response

_NO_API: Final = (
    frozenset(range(201, 500)) - {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
) | {HTTPStatus.NOT_IMPLEMENTED}
"""The responses of registries without the referrers API, which the specification wants to be 404.

Other 5xx are failures of a registry that may have it: to read the fallback tag then would hide
signatures."""

_ATTEMPTS: Final = 8
_PAUSE: Final = 0.02  # seconds; the longest pause before the second attempt, doubled for each next


def list_referrers(
    session: Session, digest: Digest, artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return the referrers of a subject; see `Repository.referrers`.

    Spec: distribution:referrers, distribution:referrers-filter, distribution:referrers-fallback,
        distribution:referrers-none, distribution:older-registries.
    """
    referrers: dict[Digest, Descriptor] = {}
    for descriptor in _iter_referrers(session, digest, artifact_type):
        referrers.setdefault(descriptor.digest, descriptor)
        require_at_most(
            session.limits.listed,
            len(referrers),
            of="the registry's list of referrers",
            unit="referrers",
        )
    return tuple(referrers.values())


def add_referrer(session: Session, subject: Digest, plain: Descriptor, document: Document) -> None:
    """Add a referrer to the list under the fallback tag of its subject, unless it is there.

    The referrer is in the registry already.

    Raises:
        RegistryError: The tag names something else than a list, or other clients changed the list
            each time. The referrer is stored and not listed.

    Spec: distribution:subject-list, distribution:list-empty, distribution:list-other,
        distribution:list-once, distribution:list-condition.
    """

    def change(current: Index) -> Index | None:
        if any(listed.digest == plain.digest for listed in current.manifests):
            return None
        return evolve(current, manifests=(*current.manifests, describe_referrer(plain, document)))

    outcome = f"{plain.digest} was stored and is not listed as a referrer"
    if not _change_list(session, subject, change, outcome):
        raise RegistryError(
            f"{outcome}: the tag {fallback_tag(subject)} names something else than a list of"
            " referrers; move that tag away and push again"
        )


def remove_referrer(session: Session, subject: Digest, referrer: Digest) -> None:
    """Remove a referrer from the list under the fallback tag of its subject, if it is there.

    Nothing is done in a registry with the referrers API, or if the tag is not of a list. The
    referrer is deleted already.

    Raises:
        RegistryError: Other clients changed the list each time.

    Spec: distribution:delete.
    """
    with session.request(
        "GET",
        f"referrers/{subject}",
        accept=_NO_API | {HTTPStatus.OK},
        headers={"Accept": OCI_INDEX},
        follow="origin",
    ) as response:
        if _read_page(response) is not None:
            return

    def change(current: Index) -> Index | None:
        left = tuple(listed for listed in current.manifests if listed.digest != referrer)
        return None if len(left) == len(current.manifests) else evolve(current, manifests=left)

    _change_list(session, subject, change, f"{referrer} was deleted and is listed as a referrer")


def read_subject(session: Session, digest: Digest) -> Digest | None:
    """Return the digest of the subject of a manifest that is going to be deleted.

    The manifest need not be valid, as an invalid one can be deleted as well. `None` means that it
    has no subject or cannot be read.
    """
    try:
        with session.request(
            "GET",
            f"manifests/{digest}",
            accept={HTTPStatus.OK},
            headers={"Accept": f"{ANY_MANIFEST}, */*"},
        ) as response:
            data = response.read_all(MAX_DOCUMENT)
        if Digest.of(data, digest.algorithm) != digest:
            return None
        subject = parse_json(data).get("subject")
        text = subject.get("digest") if isinstance(subject, dict) else None
        return Digest.parse(text) if isinstance(text, str) else None
    except (AuthError, RateLimitedError, TransportError):
        raise
    except OciLayoutError:  # refused, too large, an unknown algorithm, or not JSON
        return None


def _change_list(
    session: Session, subject: Digest, change: Callable[[Index], Index | None], outcome: str
) -> bool:
    """Change a list of referrers, and again until no other client undid the change.

    Args:
        session: The session with the registry.
        subject: The digest of the subject.
        change: Returns the changed list, or `None` if nothing needs to be changed.
        outcome: What happened if the change fails, for the error.

    Returns:
        Whether the fallback tag is of a list, or missing.

    Raises:
        RegistryError: Other clients changed the list each time.
    """
    tag = fallback_tag(subject)
    for attempt in range(_ATTEMPTS):
        if attempt:
            session.patience.sleep(session.patience.uniform() * _PAUSE * 2**attempt)
        current, etag = _read_list(session, tag)
        if current is None:
            return False
        wanted = change(current)
        if wanted is None:
            return True
        _write_list(session, tag, wanted, etag)
    raise RegistryError(f"{outcome}: others changed the list {tag} each of {_ATTEMPTS} times")


def _iter_referrers(
    session: Session, digest: Digest, artifact_type: str | None
) -> Iterator[Descriptor]:
    query = "" if artifact_type is None else "?" + urlencode({"artifactType": artifact_type})
    pages = iter_pages(
        session,
        f"referrers/{digest}{query}",
        of="referrers",
        accept=_NO_API | {HTTPStatus.OK},
        headers={"Accept": OCI_INDEX},
        follow="origin",
    )
    for number, page in enumerate(pages):
        found = _read_page(page)
        if found is not None:
            filtered = "artifacttype" in (page.header("OCI-Filters-Applied") or "").lower()
            yield from _of_type(found.manifests, artifact_type, filtered=filtered)
        elif number:
            raise RegistryError("the list of referrers cannot be read", status=page.status)
        else:
            current, _ = _read_list(session, fallback_tag(digest))
            yield from _of_type(() if current is None else current.manifests, artifact_type)
            return


def _of_type(
    descriptors: Iterable[Descriptor], wanted: str | None, *, filtered: bool = False
) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        # A registry that filtered may leave the type out.
        unstated = filtered and descriptor.artifact_type is None
        if wanted is None or descriptor.artifact_type == wanted or unstated:
            yield descriptor


def _read_page(page: Response) -> Index | None:
    """Return a page of the referrers API, or `None` if the answer is not one.

    Raises:
        RegistryError: It says that it is an index, and cannot be read.
    """
    if page.status != HTTPStatus.OK:
        return None
    try:
        return decode(page.read_all(MAX_DOCUMENT), Index)
    except (DocumentError, LimitExceededError) as error:
        if page.media_type() != OCI_INDEX:  # a web page
            return None
        if isinstance(error, LimitExceededError):
            raise
        raise RegistryError(
            f"the list of referrers cannot be read: {error}", status=page.status
        ) from error


def _read_list(session: Session, tag: str) -> tuple[Index | None, str | None]:
    """Return the list under a tag with its ETag.

    Returns:
        The list, which is empty if the tag is missing, or `None` if the tag is not of a list.

    Raises:
        RegistryError: The list cannot be read.
    """
    with session.request(
        "GET", f"manifests/{tag}", accept=OK_OR_MISSING, headers={"Accept": ANY_MANIFEST}
    ) as response:
        if response.status == HTTPStatus.NOT_FOUND:
            return Index(), None
        try:
            document = decode_document(*response.read_manifest(None))
        except DocumentError as error:
            raise RegistryError(
                f"the list {tag} cannot be read: {error}", status=response.status
            ) from error
        return (document if isinstance(document, Index) else None), response.header("ETag")


def _write_list(session: Session, tag: str, index: Index, etag: str | None) -> None:
    """Write a list; a registry that heeds `If-Match` refuses if it was changed meanwhile."""
    data = encode(index)
    condition = {} if etag is None else {"If-Match": etag}
    session.request(
        "PUT",
        f"manifests/{tag}",
        accept=MANIFEST_STORED | {HTTPStatus.PRECONDITION_FAILED},
        headers={
            "Content-Type": index.media_type or OCI_INDEX,
            "Content-Length": str(len(data)),
            **condition,
        },
        body=data,
    )
