"""Referrers in a registry: the referrers API, and the tag that stands in for it.

A registry with the API finds referrers by itself and says so, with `OCI-Subject`, when one is
pushed. For the others clients keep a list, an index under a tag that is made from the subject's
digest. Clients that change it at the same time may lose what the other wrote; what is done about
that, and what cannot be, is in spec-notes/decisions/0030.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from attrs import evolve

from ocilayout.errors import (
    AuthError,
    DocumentError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
    TransportError,
)
from ocilayout.layout import describe_referrer, fallback_tag
from ocilayout.model import (
    MAX_DOCUMENT,
    OCI_INDEX,
    Digest,
    Index,
    decode,
    decode_document,
    encode,
    parse_json,
    require_at_most,
)
from ocilayout.registry.content import ANY_MANIFEST, fetched
from ocilayout.registry.page import iter_pages
from ocilayout.registry.session import CREATED, NOT_FOUND, OK, PRECONDITION_FAILED, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.model import Descriptor, Document
    from ocilayout.registry.answer import Answer

_ATTEMPTS: Final = 8
_PAUSE: Final = 0.02  # seconds; the longest pause before the second attempt, doubled for each more


def list_referrers(
    session: Session, digest: Digest, artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return what has content as its subject, each digest once, in the registry's order.

    Args:
        session: The conversation with the registry.
        digest: The content.
        artifact_type: The only type that is wanted, or `None` for all.

    Raises:
        LimitExceededError: There are too many.
        RegistryError: The registry refused or failed, or its list cannot be read or does not end.

    Spec: distribution:referrers, distribution:referrers-filter, distribution:referrers-fallback,
        distribution:referrers-none, distribution:older-registries.
    """
    found: dict[Digest, Descriptor] = {}
    for descriptor in _listed(session, digest, artifact_type):
        found.setdefault(descriptor.digest, descriptor)
        require_at_most(
            session.limits.listed,
            len(found),
            of="the registry's list of referrers",
            unit="referrers",
        )
    return tuple(found.values())


def add_referrer(session: Session, subject: Digest, plain: Descriptor, document: Document) -> None:
    """Make sure that a referrer is in the list under its subject's fallback tag.

    Args:
        session: The conversation with the registry.
        subject: The content that it refers to.
        plain: The descriptor of the referrer; it is in the registry already.
        document: The referrer.

    Raises:
        RegistryError: The registry refused or failed, the tag names something else than a list,
            or others changed the list each time. The referrer is there and not listed.

    Spec: distribution:subject-list, distribution:list-empty, distribution:list-other,
        distribution:list-once, distribution:list-condition.
    """

    def change(current: Index) -> Index | None:
        if any(listed.digest == plain.digest for listed in current.manifests):
            return None
        return evolve(current, manifests=(*current.manifests, describe_referrer(plain, document)))

    said = f"{plain.digest} was stored and is not listed as a referrer"
    if not _change_list(session, subject, change, said):
        raise RegistryError(
            f"{said}: the tag {fallback_tag(subject)} names something else than a list of"
            " referrers; move that tag away and push again"
        )


def remove_referrer(session: Session, subject: Digest, referrer: Digest) -> None:
    """Make sure that something is not in the list under its subject's fallback tag.

    A registry with the referrers API has none to keep, and what names something else is left.

    Args:
        session: The conversation with the registry.
        subject: The content that it referred to.
        referrer: The referrer; it is deleted already.

    Raises:
        RegistryError: The registry refused or failed, or others changed the list each time.

    Spec: distribution:delete.
    """
    with session.request(
        "GET", f"referrers/{subject}", accept={OK, NOT_FOUND}, headers={"Accept": OCI_INDEX}
    ) as answer:
        answer.drain()
        if answer.status == OK:
            return

    def change(current: Index) -> Index | None:
        left = tuple(listed for listed in current.manifests if listed.digest != referrer)
        return None if len(left) == len(current.manifests) else evolve(current, manifests=left)

    _change_list(session, subject, change, f"{referrer} was deleted and is listed as a referrer")


def read_subject(session: Session, digest: Digest) -> Digest | None:
    """Return what a manifest has as its subject, as far as that can be known.

    The manifest is going to be deleted, so it need not be one that can be decoded.

    Args:
        session: The conversation with the registry.
        digest: The manifest.

    Returns:
        The digest of the subject; `None` if there is none, or the manifest cannot be read.

    Raises:
        AuthError: The registry does not accept who we are.
        RateLimitedError: It asks to come back later.
        TransportError: The connection failed.
    """
    try:
        with session.request(
            "GET",
            f"manifests/{digest}",
            accept={OK},
            headers={"Accept": f"{ANY_MANIFEST}, */*"},
        ) as answer:
            data = answer.read_all(MAX_DOCUMENT)
        if Digest.of(data, digest.algorithm) != digest:
            return None
        subject = parse_json(data).get("subject")
        found = subject.get("digest") if isinstance(subject, dict) else None
        return Digest.parse(found) if isinstance(found, str) else None
    except (AuthError, RateLimitedError, TransportError):
        raise
    except OciLayoutError:  # refused, too large, of an algorithm that is not known, or not JSON
        return None


def _change_list(
    session: Session, subject: Digest, change: Callable[[Index], Index | None], said: str
) -> bool:
    """Change a list of referrers until it stays changed.

    Args:
        session: The conversation with the registry.
        subject: The content that the list is of.
        change: Returns the list as it should be, or `None` if it is so.
        said: What is the case if it does not stay, for the error.

    Returns:
        Whether there is a list; not if its tag names something else.

    Raises:
        RegistryError: The registry refused or failed, or others changed the list each time.
    """
    tag = fallback_tag(subject)
    for attempt in range(_ATTEMPTS):
        if attempt:
            session.retry.sleep(session.retry.uniform() * _PAUSE * 2**attempt)
        current, etag = _read_list(session, tag)
        if current is None:
            return False
        wanted = change(current)
        if wanted is None:
            return True
        _write_list(session, tag, wanted, etag)
    raise RegistryError(f"{said}: others changed the list {tag} each of {_ATTEMPTS} times")


def _listed(session: Session, digest: Digest, artifact_type: str | None) -> Iterator[Descriptor]:
    query = "" if artifact_type is None else "?" + urlencode({"artifactType": artifact_type})
    pages = iter_pages(
        session,
        f"referrers/{digest}{query}",
        what="referrers",
        accept={OK, NOT_FOUND},
        headers={"Accept": OCI_INDEX},
    )
    for page in pages:
        if page.status == NOT_FOUND:
            page.drain()
            current, _ = _read_list(session, fallback_tag(digest))
            yield from _of_type(() if current is None else current.manifests, artifact_type)
        else:
            filtered = "artifacttype" in (page.header("OCI-Filters-Applied") or "").lower()
            listed = _decode_page(page).manifests
            yield from _of_type(listed, artifact_type, filtered=filtered)


def _of_type(
    descriptors: Iterable[Descriptor], wanted: str | None, *, filtered: bool = False
) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        unsaid = filtered and descriptor.artifact_type is None  # then the registry knows it
        if wanted is None or descriptor.artifact_type == wanted or unsaid:
            yield descriptor


def _decode_page(page: Answer) -> Index:
    try:
        return decode(page.read_all(MAX_DOCUMENT), Index)
    except DocumentError as error:
        raise RegistryError(f"the list of referrers cannot be read: {error}", status=OK) from error


def _read_list(session: Session, tag: str) -> tuple[Index | None, str | None]:
    """Return the list under a tag with its ETag.

    Returns:
        The list, an empty one if there is none, and `None` if the tag names something else.

    Raises:
        RegistryError: The registry refused or failed, or it cannot be read.
    """
    with session.request(
        "GET", f"manifests/{tag}", accept={OK, NOT_FOUND}, headers={"Accept": ANY_MANIFEST}
    ) as answer:
        if answer.status == NOT_FOUND:
            answer.drain()
            return Index(), None
        try:
            document = decode_document(*fetched(answer, None))
        except DocumentError as error:
            raise RegistryError(f"the list {tag} cannot be read: {error}", status=OK) from error
        return (document if isinstance(document, Index) else None), answer.header("ETag")


def _write_list(session: Session, tag: str, index: Index, etag: str | None) -> None:
    """Write a list unless it was changed meanwhile, as far as the registry looks."""
    data = encode(index)
    condition = {} if etag is None else {"If-Match": etag}
    with session.request(
        "PUT",
        f"manifests/{tag}",
        accept=CREATED | {PRECONDITION_FAILED},
        actions="pull,push",
        headers={
            "Content-Type": index.media_type or OCI_INDEX,
            "Content-Length": str(len(data)),
            **condition,
        },
        body=data,
    ) as answer:
        answer.drain()
