"""The graph of content: what a document refers to, and walks over it.

Pure: reading is given to it. Content is known by its digest alone, whatever media type a
reference gives it, and a walk ends on any graph, also one that refers back through `subject`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.index import Index
from ocilayout.limit import DEFAULT, Limits, require_at_most
from ocilayout.mediatype import DOCUMENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.descriptor import Descriptor
    from ocilayout.digest import Digest
    from ocilayout.manifest import Manifest

    Read = Callable[[Descriptor], Manifest | Index | None]


def successors(document: Manifest | Index) -> tuple[Descriptor, ...]:
    """Return what a document is made of, in document order; not its subject.

    Spec: image-index:manifest-entries, image-index:nested.
    """
    if isinstance(document, Index):
        return document.manifests
    return (document.config, *document.layers)


def document_of(descriptor: Descriptor, read: Read) -> Manifest | Index | None:
    """Return the document of a descriptor; `None` if it is of something else, or not to be had."""
    return read(descriptor) if descriptor.media_type in DOCUMENT_TYPES else None


def walk(
    roots: Iterable[Descriptor], read: Read, *, subjects: bool = False
) -> Iterator[Descriptor]:
    """Visit everything that can be reached, each digest once, parents before their children.

    Args:
        roots: Where to begin, in order.
        read: Gives the document of a descriptor whose media type is that of a manifest or an
            index, or `None` where it is not to be had; then its successors are not visited.
        subjects: Whether to go on through `subject`, too.

    Raises:
        Exception: Whatever `read` raises.

    Spec: image-layout:entry-types, image-layout:opaque-blobs, image-index:unknown-entries,
        manifest:layer-types, manifest:unknown-layers.
    """
    visited: set[Digest] = set()
    expanded: set[Digest] = set()
    pending = list(roots)[::-1]
    while pending:
        descriptor = pending.pop()
        if descriptor.digest not in visited:
            visited.add(descriptor.digest)
            yield descriptor
        # One reference may call content opaque that another calls a manifest, so being visited
        # does not mean being read.
        if descriptor.media_type not in DOCUMENT_TYPES or descriptor.digest in expanded:
            continue
        expanded.add(descriptor.digest)
        document = read(descriptor)
        if document is None:
            continue
        found = list(successors(document))
        if subjects and document.subject is not None:
            found.append(document.subject)
        pending.extend(reversed(found))


def with_referrers(
    root: Descriptor,
    read: Read,
    referrers: Callable[[Digest], Iterable[Descriptor]],
    *,
    limits: Limits = DEFAULT,
) -> list[Descriptor]:
    """Return content and, after it, all that refers to it or to a document inside, and so on.

    A referrer that is not to be had is left out: lists of referrers are often older than what
    they list. So is one that is about something else, whoever lists it.

    Args:
        root: The content.
        read: As for `walk`.
        referrers: Gives what refers to a digest.
        limits: How many documents are asked for their referrers, and how many referrers may be
            listed for all of them together: as many as there may be documents. Referrers are made
            up easily, so those that are not to be had count, too.

    Returns:
        Plain descriptors, each digest once.

    Raises:
        LimitExceededError: There are more.
        Exception: Whatever the two raise.
    """
    roots = [root]
    asked: set[Digest] = set()
    known = {root.digest}
    listed = 0
    for one in roots:  # which grows meanwhile
        for found in walk([one], read):
            if found.media_type not in DOCUMENT_TYPES or found.digest in asked:
                continue
            asked.add(found.digest)
            _require(limits, len(asked), root)
            for referrer in referrers(found.digest):
                listed += 1
                _require(limits, listed, root)
                if referrer.digest in known:
                    continue
                document = document_of(referrer, read)
                subject = None if document is None else document.subject
                if subject is not None and subject.digest == found.digest:
                    known.add(referrer.digest)
                    roots.append(referrer.plain())
    return roots


def _require(limits: Limits, count: int, root: Descriptor) -> None:
    require_at_most(
        limits.documents, count, of=f"{root.digest} with its referrers", unit="documents"
    )
