"""The graph of content: what a document refers to, and walks over it.

The caller reads documents. Content is known by its digest, whatever media type a reference gives
it, and a walk ends on any graph, also one that refers back through `subject`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.limit import DEFAULT_LIMITS, Limits, require_at_most
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCUMENT_TYPES, INDEX_TYPES
from ocilayout.model.retired import ArtifactManifest, Schema1Manifest

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from ocilayout.model.digest import Digest

Document = Manifest | Index | ArtifactManifest | Schema1Manifest
"""A manifest or an index, of any type."""

Read = Callable[[Descriptor], Document | None]
"""Returns the document of a descriptor, or `None` if it is missing."""


def successors(document: Document) -> tuple[Descriptor, ...]:
    """Return what a document is made of, in document order; not its subject.

    Spec: image-index:manifest-entries, image-index:nested, media-types:retired.
    """
    if isinstance(document, Index):
        return document.manifests
    if isinstance(document, Manifest):
        return (document.config, *document.layers)
    return document.blobs if isinstance(document, ArtifactManifest) else document.layers


def document_of(descriptor: Descriptor, read: Read) -> Document | None:
    """Return the document of a descriptor, or `None` if it is missing or not a document."""
    return read(descriptor) if descriptor.media_type in DOCUMENT_TYPES else None


def members(index: Descriptor, read: Read) -> Iterator[Descriptor]:
    """Yield what an index lists, in document order, and in place of an index in it what that lists.

    Args:
        index: The index; if it is something else, that is yielded.
        read: As for `walk`.

    Spec: image-index:nested.
    """
    expanded: set[Digest] = set()
    pending = [index]
    while pending:
        descriptor = pending.pop()
        if descriptor.media_type not in INDEX_TYPES:
            yield descriptor
        elif descriptor.digest not in expanded:
            expanded.add(descriptor.digest)
            document = read(descriptor)
            if isinstance(document, Index):
                pending.extend(reversed(document.manifests))


def walk(
    roots: Iterable[Descriptor],
    read: Read,
    *,
    subjects: bool = False,
    but: Container[Digest] = (),
) -> Iterator[Descriptor]:
    """Visit everything that can be reached, each digest once, parents before their children.

    A digest to which references give different sizes is visited once for each of them: only one
    can be right, and the caller must be able to refuse the others.

    Args:
        roots: Where to begin, in order.
        read: Returns the document of a manifest or an index, or `None` if it is missing; then its
            successors are not visited.
        subjects: Whether to go on through `subject`, too.
        but: Parts of documents that are not visited.

    Raises:
        Exception: Any error of `read`.

    Spec: image-layout:entry-types, image-layout:opaque-blobs, image-index:unknown-entries,
        manifest:layer-types, manifest:unknown-layers.
    """
    visited: set[tuple[Digest, int]] = set()
    expanded: set[Digest] = set()
    pending = list(roots)[::-1]
    while pending:
        descriptor = pending.pop()
        identity = (descriptor.digest, descriptor.size)
        if identity not in visited:
            visited.add(identity)
            yield descriptor
        # One reference may call content opaque that another calls a manifest, so being visited
        # does not mean being read.
        if descriptor.media_type not in DOCUMENT_TYPES or descriptor.digest in expanded:
            continue
        expanded.add(descriptor.digest)
        document = read(descriptor)
        if document is None:
            continue
        found = [part for part in successors(document) if part.digest not in but]
        if subjects and document.subject is not None:
            found.append(document.subject)
        pending.extend(reversed(found))


def with_referrers(
    root: Descriptor,
    read: Read,
    referrers: Callable[[Digest], Iterable[Descriptor]],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Descriptor]:
    """Return content, then the referrers to it and to the documents inside, and their referrers.

    A referrer that cannot be read is left out: lists of referrers are often older than what they
    list. So is one with another subject, whatever lists it, and one that is a part of what is
    returned, since it comes along with that.

    Args:
        root: The content.
        read: As for `walk`.
        referrers: Returns the referrers to a digest.
        limits: How many documents are asked for their referrers, and how many referrers may be
            listed for all of them together: as many as there may be documents. A registry can list
            any number of referrers that do not exist, so missing ones count, too.

    Returns:
        Plain descriptors, each digest once.

    Raises:
        LimitExceededError: There are more.
        Exception: Any error of the two functions.
    """
    roots = [root]
    asked: set[Digest] = set()
    known = {root.digest}
    parts: set[Digest] = set()
    documents: list[Digest] = []
    listed = 0

    def noting(descriptor: Descriptor) -> Document | None:
        # Not what is visited: what is opaque to one reference may be a document to another.
        documents.append(descriptor.digest)
        return read(descriptor)

    for one in roots:  # which grows meanwhile
        documents.clear()
        parts.update(found.digest for found in walk([one], noting) if found.digest != one.digest)
        for digest in documents:
            if digest in asked:
                continue
            asked.add(digest)
            _require(limits, len(asked), root)
            for referrer in referrers(digest):
                listed += 1
                _require(limits, listed, root)
                if referrer.digest in known:
                    continue
                document = document_of(referrer, read)
                subject = None if document is None else document.subject
                if subject is not None and subject.digest == digest:
                    known.add(referrer.digest)
                    roots.append(referrer.plain())
    return [root, *(one for one in roots[1:] if one.digest not in parts)]


def _require(limits: Limits, count: int, root: Descriptor) -> None:
    require_at_most(
        limits.documents, count, of=f"{root.digest} with its referrers", unit="documents"
    )


def describe_referrer(plain: Descriptor, document: Document) -> Descriptor:
    """Return a descriptor as the referrers API gives it: with artifact type and annotations.

    Spec: distribution:list-type, distribution:list-annotations, manifest:artifact-type-fallback.
    """
    artifact_type = document.artifact_type or None
    if artifact_type is None and isinstance(document, Manifest):
        artifact_type = document.config.media_type
    return Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        artifact_type=artifact_type,
        annotations=document.annotations,
    )
