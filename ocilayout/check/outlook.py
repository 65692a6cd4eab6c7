"""What a repair would do, and content as it would be then.

A check takes it for done, so that a dry run says what is left as the repair does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.check import probe
from ocilayout.errors import BlobNotFoundError, LimitExceededError, OciLayoutError
from ocilayout.layout import subjects, subjects_of
from ocilayout.model import (
    DOCUMENT_TYPES,
    MAX_DOCUMENT,
    OCTET_STREAM,
    Descriptor,
    Digest,
    decode_document,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from ocilayout.layout import Blobs


@frozen(kw_only=True)
class Outlook:
    """What a repair found out about a layout, and what it would do.

    Attributes:
        index: The root index as it would be, `None` if it stays.
        wrong: The digests of blobs that are not what their names say.
        moved: Those whose blobs would go to `quarantine/`.
        copied: Those of links that a copy of the right content would replace.
    """

    index: bytes | None = None
    wrong: frozenset[Digest] = frozenset()
    moved: frozenset[Digest] = frozenset()
    copied: frozenset[Digest] = frozenset()


AS_IT_IS: Final = Outlook()
"""Nothing is known, and nothing would be done."""


def place_of(digest: Digest) -> str:
    """Return the path of a blob, relative to the layout."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def behind_link(blobs: Blobs, digest: Digest) -> bytes | None:
    """Return the content that a link in the place of a blob leads to.

    Returns:
        The content; `None` if there is no link, it leads to anything but the right content, or
        that is larger than a document may be.
    """
    path = blobs.path(digest)
    with suppress(LimitExceededError, OSError):
        if digest.verifiable and path.is_symlink():
            data = probe.read(path, limit=MAX_DOCUMENT, follow=True)
            return data if Digest.of(data, digest.algorithm) == digest else None
    return None


def referrers_among(
    digests: Iterable[Digest], blobs: Blobs, copied: Container[Digest]
) -> Iterator[tuple[Digest, Descriptor]]:
    """Give the referrers among blobs, each behind the digest of its subject.

    One that breaks the specification is described as content of an unknown type, so that as an
    entry it holds all that it names and stops no collection.

    Args:
        digests: Those that are looked into.
        blobs: Where they lie.
        copied: Those of links that a copy of the right content would replace.

    Raises:
        OSError: One cannot be read.
    """
    for digest in digests:
        if digest not in copied:
            for subject, referrer in subjects((digest,), blobs):
                with suppress(BlobNotFoundError):
                    yield subject, _described(referrer, blobs.read(referrer, verify=False))
        elif data := behind_link(blobs, digest):
            for subject, kind in subjects_of(data):
                referrer = Descriptor(media_type=kind, digest=digest, size=len(data))
                yield subject, _described(referrer, data)


def _described(referrer: Descriptor, data: bytes) -> Descriptor:
    if referrer.media_type in DOCUMENT_TYPES:
        try:
            decode_document(data, referrer)
        except OciLayoutError:
            return evolve(referrer, media_type=OCTET_STREAM)
    return referrer
