"""What a graph refers to and its source does not have: the platforms of a sparse index, mostly.

`docker save` and others write an index as it was pulled, with the content of one of its platforms.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from attrs import frozen

from ocilayout.errors import BlobNotFoundError, OciLayoutError, some
from ocilayout.model import DOCUMENT_TYPES, INDEX_TYPES, Descriptor, Index, successors, walk
from ocilayout.transfer.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.model import Digest, Platform, Read
    from ocilayout.transfer.event import Report


@frozen(kw_only=True)
class MissingPart:
    """A part of a document that the source does not have.

    Attributes:
        descriptor: The part, as its parent refers to it.
        parent: The document.
        entry: The descriptor in an index through which the part is reached, which has the platform;
            the part itself if an index lists it. `None` if no index leads to it.
    """

    descriptor: Descriptor
    parent: Descriptor
    entry: Descriptor | None


def missing_parts(
    roots: Iterable[Descriptor], read: Read, is_missing: Callable[[Descriptor], bool]
) -> list[MissingPart]:
    """Return what some graphs refer to and the source does not have, parents first.

    Args:
        roots: The roots of the graphs.
        read: Returns a document, or `None` for one that is missing.
        is_missing: Tells whether a blob other than a document is missing.
    """
    missing: list[MissingPart] = []
    entries: dict[Digest, Descriptor] = {}
    absent: set[Digest] = set()  # documents, which the walk would ask a registry for again
    for parent in walk(roots, read, but=absent):
        document = read(parent) if parent.media_type in DOCUMENT_TYPES else None
        for part in successors(document) if document is not None else ():
            entry = part if isinstance(document, Index) else entries.get(parent.digest)
            if entry is not None:
                entries.setdefault(part.digest, entry)
            if part.media_type not in DOCUMENT_TYPES:
                gone = is_missing(part)
            elif gone := part.digest in absent or read(part) is None:
                absent.add(part.digest)
            if gone:
                missing.append(MissingPart(descriptor=part, parent=parent, entry=entry))
    return missing


@contextmanager
def without_missing(
    find: Callable[[], list[MissingPart]], report: Report, *, sparse: bool
) -> Iterator[dict[Digest, Descriptor]]:
    """Give the entries of indexes that a sparse copy leaves out, with all that they are made of.

    A copy that is not sparse leaves out nothing; if it fails for what is missing, the error names
    all of that and what refers to it.

    Args:
        find: Returns what is missing.
        report: Gets an event for each entry that is left out.
        sparse: Whether the copy is sparse.

    Raises:
        BlobNotFoundError: Something is missing that is not left out.
    """
    if sparse:
        missing = find()
        for part in missing:
            if part.entry is None:
                raise _not_there([part])
        out = {part.entry.digest: part.entry for part in missing if part.entry is not None}
        for entry in out.values():
            report(Event(kind="missing", descriptor=entry))
        yield out
        return
    try:
        yield {}
    except BlobNotFoundError:
        missing = []
        with suppress(OciLayoutError):  # the first error counts, this is to say more of it
            missing = find()
        if missing:
            raise _not_there(missing) from None
        raise


def require_chosen(
    ref: str, manifest: Descriptor, platform: Platform | str | None, read: Read
) -> None:
    """Refuse the manifest that was chosen for a platform if it is missing.

    Args:
        ref: The reference that was searched for the platform.
        manifest: The manifest.
        platform: The platform, or its text; `None` if none was asked for.
        read: Returns a document, or `None` for one that is missing.

    Raises:
        BlobNotFoundError: It is missing.
    """
    if platform is None or manifest.media_type not in DOCUMENT_TYPES or read(manifest):
        return
    raise BlobNotFoundError(
        f"{ref} lists {manifest.digest} for {platform}, which is not there, as is nothing else that"
        " fits; `tree` shows what is there"
    )


def _not_there(missing: list[MissingPart]) -> BlobNotFoundError:
    """Return the error of a copy that is not sparse, for at least one part."""
    first = missing[0]
    if first.entry is None:
        noun = "manifest" if first.parent.media_type not in INDEX_TYPES else "index"
        return BlobNotFoundError(
            f"there is no blob {first.descriptor.digest}, which the {noun} {first.parent.digest}"
            " is made of; bring it, or copy other content"
        )
    entries = {part.entry.digest: part for part in missing if part.entry is not None}
    listed = some(map(_describe, entries.values()))
    indexes = {part.parent.digest for part in missing if part.parent.media_type in INDEX_TYPES}
    lists = f"and {len(indexes) - 1} more list" if len(indexes) > 1 else "lists"
    return BlobNotFoundError(
        f"{first.parent.digest} {lists} what is not there: {listed}; choose a platform that is"
        " there, or make a sparse copy (`--sparse`), which leaves these out and keeps the index as"
        " it is"
    )


def _describe(part: MissingPart) -> str:
    entry = part.entry or part.descriptor
    text = f"{entry.platform} {entry.digest}" if entry.platform else str(entry.digest)
    if entry.digest == part.descriptor.digest:
        return text
    return f"{text} (without its part {part.descriptor.digest})"
