"""Reach: what the entries of a layout hold on to, which is all that nothing may delete.

Held is what a root is made of and what it refers to as its subject, and so on. Where it is not
known what content refers to, every digest that it names is held. A manifest that no entry lists and
whose subject is held is held, too, with all that it is made of: `cosign save` and others leave
signatures so. What cannot be read stops the search, since nothing can tell what it reaches; what is
missing reaches nothing here.
"""

from __future__ import annotations

import os
from operator import attrgetter
from typing import TYPE_CHECKING, NoReturn, cast

from attrs import evolve, field, frozen

from ocilayout.errors import (
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    SizeMismatchError,
)
from ocilayout.layout.blobs import cannot_exist
from ocilayout.model import (
    DOCUMENT_TYPES,
    JSON_HEAD,
    MAX_DOCUMENT,
    OCI_LAYER,
    OCTET_STREAM,
    Descriptor,
    Digest,
    Mentions,
    begins_as_json,
    decode_document,
    document_mentions,
    document_type,
    extra_mentions,
    is_media_type,
    is_understood,
    may_be_document,
    parse_json,
    require_document_size,
    search_mentions,
    successors,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Document

Pointer = Descriptor | Digest
"""A reference to content: a descriptor, or the digest alone where it stands in an unknown property
or in a document of an unknown type."""


@frozen
class Trace:
    """The ways that lead to some content, as a search finds them.

    Attributes:
        of: The content.
        holding: What refers to content, by the digest of that. Of other leaves of the graph, which
            are many, nothing is noted.
        about: The same for what refers to it as its subject.
    """

    of: set[Digest]
    holding: dict[Digest, list[Digest]] = field(factory=dict)
    about: dict[Digest, list[Digest]] = field(factory=dict)

    def note(self, digest: Digest, to: Pointer) -> None:
        """Note that content refers to other content."""
        target = to if isinstance(to, Digest) else to.digest
        if isinstance(to, Digest) or to.media_type in DOCUMENT_TYPES or target in self.of:
            self.holding.setdefault(target, []).append(digest)

    def note_subject(self, digest: Digest, subject: Digest) -> None:
        """Note that content has a subject."""
        self.about.setdefault(subject, []).append(digest)


@frozen(kw_only=True)
class Held:
    """What some roots hold on to.

    Attributes:
        digests: All of it, whether it is there or not.
        unlisted: The manifests in it that are held for their subject alone, in the order of their
            digests for each step from the roots.
        others: The blobs that are there and not held, sorted.
    """

    digests: set[Digest]
    unlisted: tuple[Descriptor, ...]
    others: tuple[Digest, ...]


def held(
    roots: Iterable[Pointer],
    blobs: Blobs,
    *,
    removed: Collection[Digest] = (),
    trace: Trace | None = None,
) -> Held:
    """Return what roots hold on to.

    Args:
        roots: The roots.
        blobs: The content of the layout.
        removed: Manifests that go although their subject stays, since they were removed by name.
        trace: Where the ways to some content are noted.

    Raises:
        IntegrityError: A reachable document is damaged, or is in quarantine.
        DocumentError: One breaks the specification.
        LimitExceededError: One is too large.

    Spec: image-layout:garbage, image-layout:unlisted-referrers, media-types:unknown.
    """
    search = _Search(blobs, trace)
    search.reach(roots)
    others = blobs.others(search.found, links=True)
    about: dict[Digest, list[Descriptor]] = {}
    for to, one in subjects((digest for digest in others if digest not in removed), blobs):
        about.setdefault(to, []).append(one)
    unlisted: list[Descriptor] = []
    start = 0
    while start < len(search.order):  # a round for each step from the roots
        reached, start = search.order[start:], len(search.order)
        more = [one for digest in reached for one in about.pop(digest, ())]
        for one in sorted(more, key=attrgetter("digest")):
            if one.digest not in search.found:
                unlisted.append(one)
                search.reach_unlisted(one)
    return Held(
        digests=search.found,
        unlisted=tuple(unlisted),
        others=tuple(one for one in others if one not in search.found and one in blobs),
    )


def roots_of(index: RootIndex) -> list[Pointer]:
    """Return what a root index refers to: by its entries, its subject and its unknown properties.

    Raises:
        DocumentError: An entry breaks the specification.
    """
    roots = roots_beside(index)
    for entry in index.entries():
        roots += roots_at(entry.descriptor)
    return roots


def roots_beside(index: RootIndex) -> list[Pointer]:
    """Return what a root index refers to apart from its entries."""
    subject = () if index.shell.subject is None else (index.shell.subject,)
    return [*subject, *sorted(extra_mentions(index.shell, *subject))]


def roots_at(descriptor: Descriptor) -> list[Pointer]:
    """Return a descriptor, and the digests that its unknown properties name."""
    return [descriptor, *sorted(extra_mentions(descriptor))]


def references(document: Document) -> list[Pointer]:
    """Return what a document refers to: its parts, its subject, and what it names besides."""
    subject = () if document.subject is None else (document.subject,)
    return [*successors(document), *subject, *sorted(document_mentions(document))]


class _Search:
    """A search through the graph of a layout, which may be continued from more roots.

    Attributes:
        found: All that was reached.
        order: The same, in the order in which it was reached.
    """

    def __init__(self, blobs: Blobs, trace: Trace | None = None) -> None:
        self.found: set[Digest] = set()
        self.order: list[Digest] = []
        self._blobs = blobs
        self._trace = trace
        # Each reference counts, so what was read for one of another type is read again.
        self._opened: set[tuple[Digest, str]] = set()
        self._searched: set[tuple[Digest, bool, bool]] = set()
        self._opaque: set[Digest] = set()
        self._there: set[str] | None = None

    def reach(self, roots: Iterable[Pointer]) -> None:
        """Add all that can be reached from roots, the roots included."""
        pending = list(roots)
        named: list[Digest] = []  # looked into at the end: a descriptor may say what it is
        while pending or named:
            if not pending:
                digest = named.pop()
                # One reference may name what another calls a layer, so it is looked into. Its
                # first bytes are believed then, since most layers are large and not documents.
                kind = OCI_LAYER if digest in self._opaque else ""
                pending.extend(self._noted(digest, self._mentions(digest, kind)))
                continue
            to = pending.pop()
            digest = to if isinstance(to, Digest) else to.digest
            if digest not in self.found:
                self.found.add(digest)
                self.order.append(digest)
            # One reference may call content opaque that another calls a manifest.
            if isinstance(to, Digest):
                named.append(to)
            elif to.media_type in DOCUMENT_TYPES:
                pending.extend(self._noted(digest, self._references(to)))
            elif is_understood(to.media_type):
                self._opaque.add(digest)
            else:
                pending.extend(self._noted(digest, self._mentions(digest, to.media_type)))

    def reach_unlisted(self, descriptor: Descriptor) -> None:
        """Add what an unlisted manifest reaches, also if it breaks the specification."""
        try:
            self.reach([descriptor])
        except (DocumentError, LimitExceededError):
            self.reach([descriptor.digest])

    def _noted(self, digest: Digest, found: Sequence[Pointer]) -> Sequence[Pointer]:
        """Note what content refers to, as far as the ways to it are asked for."""
        if self._trace is not None:
            for to in found:
                self._trace.note(digest, to)
        return found

    def _references(self, descriptor: Descriptor) -> list[Pointer]:
        opened = (descriptor.digest, descriptor.media_type)
        if opened in self._opened:
            return []
        try:
            data = self._read(descriptor)
        except BlobNotFoundError:
            self._require_absent(descriptor.digest)
            if descriptor.data is None:
                return []
            data = descriptor.data
        self._opened.add(opened)
        document = decode_document(data, descriptor)
        if self._trace is not None and document.subject is not None:
            self._trace.note_subject(descriptor.digest, document.subject.digest)
        return references(document)

    def _read(self, descriptor: Descriptor) -> bytes:
        try:  # without a look before: a collection comes by here for every document
            return self._read_from(self._blobs, descriptor)
        except DigestMismatchError:
            raise
        except IntegrityError:  # it is not a regular file, but may be a link to one
            return self._read_from(following_links(self._blobs, descriptor.digest), descriptor)

    def _read_from(self, blobs: Blobs, descriptor: Descriptor) -> bytes:
        # What cannot be verified is read all the same: here it matters only what it refers to. A
        # reference that gives a wrong size is the fault of what refers, and not of the content.
        verifiable = descriptor.digest.verifiable
        try:
            require_document_size(descriptor)
            return blobs.read(descriptor, verify=verifiable)
        except (LimitExceededError, SizeMismatchError):
            descriptor = evolve(descriptor, size=blobs.size(descriptor.digest))
            require_document_size(descriptor)
            return blobs.read(descriptor, verify=verifiable)

    def _mentions(self, digest: Digest, media_type: str = "") -> list[Digest]:
        search = (digest, media_type.endswith("json"), may_be_document(media_type))
        if search in self._searched:
            return []
        self._searched.add(search)
        try:
            named = named_in(digest, following_links(self._blobs, digest), media_type=media_type)
        except BlobNotFoundError:
            self._require_absent(digest)
            return []
        return sorted(named)

    def _require_absent(self, digest: Digest) -> None:
        """Refuse to go on where content is not simply missing."""
        if cannot_exist(digest):
            return
        if os.path.lexists(self._blobs.path(digest)):
            self._refuse(digest, "is not a regular file, nor a link to one; repair the layout")
        if self._blobs.is_quarantined(digest):
            self._refuse(digest, "is damaged and in quarantine; copy it again")
        if self._there is None:
            self._there = {one.algorithm for one in self._blobs.others((), links=True)}
        if self._there and digest.algorithm not in self._there:
            self._refuse(digest, f"is missing, as are all blobs of {digest.algorithm}; bring these")

    def _refuse(self, digest: Digest, how: str) -> NoReturn:
        raise IntegrityError(
            f"{digest} {how}, or untag what leads to it: without it nothing can tell what is"
            " referred to",
            descriptor=Descriptor(media_type=OCTET_STREAM, digest=digest, size=0),
            actual=how,
        )


def following_links(blobs: Blobs, digest: Digest) -> Blobs:
    """Return what reads a blob to see what it refers to.

    A link in the place of a blob is followed for that, since the digest tells whether the content
    is right; where it cannot tell, no link is followed.
    """
    return blobs.following if digest.verifiable else blobs


def named_in(digest: Digest, blobs: Blobs, *, media_type: str = "") -> set[Digest]:
    """Return the digests that content of an unknown type names, if it is a JSON document.

    Its first bytes say whether it is, but for a type that says so itself. They are only believed
    of content that is whole, as far as that is small enough to be a document, and of a type that
    documents may have.

    Args:
        digest: The content.
        blobs: Where it lies.
        media_type: Its type; empty where that is not known.

    Raises:
        BlobNotFoundError: It is not there.
        IntegrityError: It is damaged, so that what it names cannot be known.
    """
    descriptor = Descriptor(media_type=OCTET_STREAM, digest=digest, size=blobs.size(digest))
    verifiable = digest.verifiable
    with blobs.open_unverified(descriptor) as file:
        head = file.read(JSON_HEAD)
        if not (media_type.endswith("json") or begins_as_json(head)):
            if may_be_document(media_type) and verifiable and descriptor.size <= MAX_DOCUMENT:
                verify(head + file.readall(), descriptor)
            return set()
    with blobs.open(descriptor) if verifiable else blobs.open_unverified(descriptor) as file:
        return search_mentions(file).found


def subjects(digests: Iterable[Digest], blobs: Blobs) -> Iterator[tuple[Digest, Descriptor]]:
    """Give the documents among blobs that have a subject, each behind the digest of that.

    Args:
        digests: Those that are looked into.
        blobs: Where they lie.
    """
    for digest in digests:
        try:
            reader = following_links(blobs, digest)
            opaque = Descriptor(media_type=OCTET_STREAM, digest=digest, size=reader.size(digest))
            with reader.open_unverified(opaque) as file:
                if not begins_as_json(file.read(JSON_HEAD)):
                    continue
                file.seek(0)
                if opaque.size > MAX_DOCUMENT:  # its subject may be all that it names
                    mentions = search_mentions(file)
                    yield from ((to, opaque) for to in mentions.found if mentions.has_subject)
                    continue
                data = file.readall()
            if b"subject" in data or b"\\u" in data:
                if digest.verifiable:
                    verify(data, opaque)
                yield from ((to, evolve(opaque, media_type=kind)) for to, kind in subjects_of(data))
        except (BlobNotFoundError, IntegrityError):
            continue  # another process removed it, or it is not what its name says


def subjects_of(data: bytes) -> list[tuple[Digest, str]]:
    """Return the digest of a document's subject, and the media type of the document.

    Of a document that breaks the rules of JSON or of digests, all that it names is returned.

    Args:
        data: The document.
    """
    try:
        subject = parse_json(data).get("subject")
        if not isinstance(subject, dict):
            return []
        kind = document_type(data)
        to = Digest.parse(cast("str", subject.get("digest")))
        return [(to, kind if is_media_type(kind) else OCTET_STREAM)]
    except (DocumentError, LimitExceededError):
        mentions = Mentions()
        mentions.take(data)
        return [(digest, OCTET_STREAM) for digest in mentions.found]
