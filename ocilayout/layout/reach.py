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

from attrs import evolve, frozen

from ocilayout.errors import (
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    SizeMismatchError,
)
from ocilayout.model import (
    DOCUMENT_TYPES,
    JSON_HEAD,
    MAX_DOCUMENT,
    OCTET_STREAM,
    UNKNOWN,
    Descriptor,
    Digest,
    Link,
    Mentions,
    begins_as_json,
    document_type,
    extra_mentions,
    is_media_type,
    is_understood,
    link_of,
    link_to,
    links,
    may_be_document,
    parse_json,
    require_document_size,
    search_mentions,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ocilayout.layout.blobs import Blobs
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Extensible


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


def held(roots: Iterable[Link], blobs: Blobs, *, removed: Collection[Digest] = ()) -> Held:
    """Return what roots hold on to.

    Args:
        roots: The roots.
        blobs: The content of the layout.
        removed: Manifests that go although their subject stays, since they were removed by name.

    Raises:
        IntegrityError: A reachable document is damaged, or is in quarantine.
        DocumentError: One breaks the specification.
        LimitExceededError: One is too large.

    Spec: image-layout:garbage, image-layout:unlisted-referrers, media-types:unknown.
    """
    search = _Search(blobs)
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
                search.reach_unlisted(link_to(one))
    return Held(
        digests=search.found,
        unlisted=tuple(unlisted),
        others=tuple(one for one in others if one not in search.found and one in blobs),
    )


def roots_of(index: RootIndex) -> list[Link]:
    """Return what a root index holds: its entries, its subject, and what it names besides.

    Raises:
        DocumentError: An entry breaks the specification.
    """
    roots = links_beside(index)
    for position, entry in index.raw_entries():
        link = link_of(entry)
        roots += [link] if link is not None else links_to(index.at(position).descriptor)
    return roots


def links_beside(index: RootIndex) -> list[Link]:
    """Return what a root index holds apart from its entries: its subject, and what it names."""
    subject = () if index.shell.subject is None else (index.shell.subject,)
    return [*map(link_to, subject), *_named_by(index.shell, *subject)]


def links_to(descriptor: Descriptor) -> list[Link]:
    """Return the link that a descriptor is, and those to what its unknown properties name."""
    return [link_to(descriptor), *_named_by(descriptor)]


def _named_by(*holders: Extensible) -> list[Link]:
    return [Link(UNKNOWN, digest, 0) for digest in sorted(extra_mentions(*holders))]


class _Search:
    """A search through the graph of a layout, which may be continued from more roots.

    Attributes:
        found: All that was reached.
        order: The same, in the order in which it was reached.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.found: set[Digest] = set()
        self.order: list[Digest] = []
        self._blobs = blobs
        self._opened: set[Digest] = set()
        self._searched: set[Digest] = set()
        self._opaque: set[Digest] = set()
        self._there: set[str] | None = None

    def reach(self, roots: Iterable[Link]) -> None:
        """Add all that can be reached from roots, the roots included."""
        pending = list(roots)
        named: list[Link] = []  # looked into at the end: a reference may say what it is
        while pending or named:
            if not pending:
                link = named.pop()
                if link.digest not in self._opaque and link.digest not in self._searched:
                    self._searched.add(link.digest)
                    pending.extend(self._mentions(link))
                continue
            link = pending.pop()
            if link.digest not in self.found:
                self.found.add(link.digest)
                self.order.append(link.digest)
            # One reference may call content opaque that another calls a manifest.
            if link.media_type in DOCUMENT_TYPES:
                if link.digest not in self._opened:
                    self._opened.add(link.digest)
                    pending.extend(self._links(link))
            elif link.media_type == UNKNOWN:
                named.append(link)
            elif is_understood(link.media_type):
                self._opaque.add(link.digest)
            elif link.digest not in self._searched:
                self._searched.add(link.digest)
                pending.extend(self._mentions(link))

    def reach_unlisted(self, link: Link) -> None:
        """Add what an unlisted manifest reaches, also if it breaks the specification."""
        try:
            self.reach([link])
        except (DocumentError, LimitExceededError):
            self.reach([Link(UNKNOWN, link.digest, link.size)])

    def _links(self, link: Link) -> list[Link]:
        descriptor = Descriptor(media_type=link.media_type, digest=link.digest, size=link.size)
        try:
            return links(self._read(descriptor), descriptor)
        except BlobNotFoundError:
            self._require_absent(link.digest)
            return [] if link.data is None else links(link.data, descriptor)

    def _read(self, descriptor: Descriptor) -> bytes:
        try:  # without a look before: a collection comes by here for every document
            return self._read_from(self._blobs, descriptor)
        except DigestMismatchError:
            raise
        except IntegrityError:  # it is not a regular file, but may be a link to one
            return self._read_from(looking(self._blobs, descriptor.digest), descriptor)

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

    def _mentions(self, link: Link) -> list[Link]:
        blobs = looking(self._blobs, link.digest)
        try:
            named = named_in(link.digest, blobs, media_type=link.media_type)
        except BlobNotFoundError:
            self._require_absent(link.digest)
            return []
        return [Link(UNKNOWN, digest, 0) for digest in sorted(named)]

    def _require_absent(self, digest: Digest) -> None:
        """Refuse to go on where content is not simply missing."""
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


def looking(blobs: Blobs, digest: Digest) -> Blobs:
    """Return what reads a blob to see what it refers to.

    A link in the place of a blob is followed for that, since the digest tells whether the content
    is right; where it cannot tell, no link is followed.
    """
    return blobs.following if digest.verifiable else blobs


def named_in(digest: Digest, blobs: Blobs, *, media_type: str) -> set[Digest]:
    """Return the digests that content of an unknown type names, if it is a JSON document.

    Its first bytes say whether it is, but for a type that says so itself. They are only believed
    of content that is whole, as far as that is small enough to be a document, and of a type that
    documents may have.

    Args:
        digest: The content.
        blobs: Where it lies.
        media_type: Its type, or `link.UNKNOWN`.

    Raises:
        BlobNotFoundError: It is not there.
        IntegrityError: It is damaged, so that what it names cannot be known.
    """
    descriptor = Descriptor(media_type=OCTET_STREAM, digest=digest, size=blobs.size(digest))
    with blobs.open_unverified(descriptor) as file:
        is_json = media_type.endswith("json") or begins_as_json(file.read(JSON_HEAD))
    if not is_json:
        if may_be_document(media_type) and digest.verifiable and descriptor.size <= MAX_DOCUMENT:
            blobs.read(descriptor)
        return set()
    verifiable = digest.verifiable
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
            reader = looking(blobs, digest)
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
        to = Digest(cast("str", subject.get("digest")))
        return [(to, kind if is_media_type(kind) else OCTET_STREAM)]
    except (DocumentError, LimitExceededError):
        mentions = Mentions()
        mentions.take(data)
        return [(digest, OCTET_STREAM) for digest in mentions.found]
