"""What a check looks at: a file that may be anything, and content as a repair would leave it.

Files are opened without blocking, and their names are not believed. Everything else reads content
by `blobs`, which refuses what is not right.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.errors import BlobNotFoundError, LimitExceededError, OciLayoutError
from ocilayout.layout import ABSENT, File, acting, following_links, open_regular, subjects
from ocilayout.model import (
    CHUNK,
    DOCUMENT_TYPES,
    OCTET_STREAM,
    Descriptor,
    Digest,
    decode_document,
    new_hasher,
    require_document_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ocilayout.layout import Blobs


@frozen(kw_only=True)
class Outlook:
    """What a repair knows of a layout, and what it would do.

    A check takes that for done, so a dry run reports the same remaining problems as the repair.

    Attributes:
        index: The root index as it would be, `None` if it stays.
        wrong: The digests of blobs whose content has another digest.
        moved: The digests of blobs that would go to `quarantine/`.
        copied: The digests of symbolic links that a copy of the right content would replace.
    """

    index: bytes | None = None
    wrong: frozenset[Digest] = frozenset()
    moved: frozenset[Digest] = frozenset()
    copied: frozenset[Digest] = frozenset()


AS_IT_IS: Final = Outlook()
"""The layout as it is: nothing known, nothing to be done."""


def place_of(digest: Digest) -> str:
    """Return the path of a blob, relative to the layout."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def path_text(path: str) -> str:
    """Return a path as text, also if it is not valid in the encoding of the file system."""
    return os.fsencode(path).decode(errors="backslashreplace")


def status(path: Path) -> os.stat_result | None:
    """Return the status of a path, links not followed, or `None` if nothing is there.

    Raises:
        OSError: The file system cannot tell.
    """
    try:
        return path.lstat()
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def read(path: Path, *, limit: int, follow: bool = False) -> bytes:
    """Return the content of a file of at most `limit` bytes; `follow` allows it to be a link.

    Raises:
        LimitExceededError: It is larger.
        OSError: It cannot be read, or is not a regular file.
    """
    pieces: list[bytes] = []
    total = 0
    with _open(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        # In pieces: a read of as much as the limit allows would reserve that much memory.
        while size <= limit and (data := file.read(CHUNK)):
            pieces.append(data)
            total += len(data)
            size = max(size, total)
    if size > limit:
        raise LimitExceededError(
            f"the document has {size} bytes, the limit is {limit}", what="document", limit=limit
        )
    return b"".join(pieces)


def fingerprint(
    path: Path,
    algorithm: str,
    *,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> Digest | None:
    """Return the digest of a file's content, computed in pieces of 1 MiB.

    Args:
        path: The file.
        algorithm: One that can be computed here.
        follow: Whether it may be a symbolic link.
        stopped: Called before each piece; once it returns true, the result is `None`.
        on_bytes: Called with the number of bytes of each piece that was hashed.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        UnsupportedDigestError: The algorithm cannot be computed here.
    """
    hasher = new_hasher(algorithm)
    with _open(path, follow=follow) as file:
        while not stopped():
            data = file.read(CHUNK)
            if not data:
                return Digest.parse(f"{algorithm}:{hasher.hexdigest()}")
            hasher.update(data)
            on_bytes(len(data))
    return None


def _open(path: Path, *, follow: bool) -> File:
    with acting("read", path):
        return File(open_regular(path, follow=follow), "rb", str(path))


def document_behind_link(digest: Digest, blobs: Blobs) -> bytes | None:
    """Return the document that a symbolic link in the place of a blob leads to.

    Returns:
        Its bytes; `None` if they are not those of the digest, or more than a document may have.
    """
    with suppress(OciLayoutError, OSError):
        reader = following_links(blobs, digest)
        descriptor = Descriptor(media_type=OCTET_STREAM, digest=digest, size=reader.size(digest))
        require_document_size(descriptor)
        return reader.read(descriptor)
    return None


def referrers_among(digests: Iterable[Digest], blobs: Blobs) -> Iterator[tuple[Digest, Descriptor]]:
    """Give the referrers among blobs, each behind the digest of its subject.

    A referrer that breaks the specification is described as content of an unknown type: as an entry
    it then holds all digests that it names, and does not stop a collection.

    Raises:
        OSError: One cannot be read.
    """
    for digest in digests:
        reader = following_links(blobs, digest)
        for subject, referrer in subjects((digest,), blobs):
            with suppress(BlobNotFoundError):
                yield subject, _described(referrer, reader.read(referrer, verify=False))


def _described(referrer: Descriptor, data: bytes) -> Descriptor:
    if referrer.media_type in DOCUMENT_TYPES:
        try:
            decode_document(data, referrer)
        except OciLayoutError:
            return evolve(referrer, media_type=OCTET_STREAM)
    return referrer
