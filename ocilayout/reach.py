"""Reach: what the entries of a layout hold on to, which is all that nothing may delete.

Held is what a root is made of and what it refers to as its subject, and so on. Where it is not
known what content refers to, every digest that it names is held. A manifest that no entry lists and
whose subject is held is held, too, with all that it is made of: `cosign save` and others leave
signatures so. What cannot be read stops the search, since nothing can tell what it reaches; what is
missing reaches nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from attrs import evolve, frozen

from ocilayout.descriptor import Descriptor, verify
from ocilayout.digest import Digest
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    SizeMismatchError,
)
from ocilayout.ijson import MAX_DOCUMENT, parse
from ocilayout.link import UNKNOWN, Link, link_of, link_to, links
from ocilayout.mediatype import DOCUMENT_TYPES, OCTET_STREAM, is_media_type, is_understood
from ocilayout.mention import HEAD, Mentions, begins_as_json, mentioned_by
from ocilayout.rules import document_type, require_document_size
from ocilayout.stream import CHUNK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ocilayout.blobs import Blobs
    from ocilayout.field import Extensible
    from ocilayout.rootindex import RootIndex


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
    unlisted: list[Descriptor] = []
    others = blobs.others(search.found)
    about = list(subjects((digest for digest in others if digest not in removed), blobs))
    while more := [one for to, one in about if to in search.found]:
        about = [pair for pair in about if pair[0] not in search.found]
        for one in more:
            if one.digest not in search.found:
                unlisted.append(one)
                search.reach_unlisted(link_to(one))
    return Held(
        digests=search.found,
        unlisted=tuple(unlisted),
        others=tuple(digest for digest in others if digest not in search.found),
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
    return [Link(UNKNOWN, digest, 0) for digest in sorted(mentioned_by(*holders))]


class _Search:
    """A search through the graph of a layout, which may be continued from more roots."""

    def __init__(self, blobs: Blobs) -> None:
        self.found: set[Digest] = set()
        self._blobs = blobs
        self._opened: set[Digest] = set()
        self._searched: set[Digest] = set()

    def reach(self, roots: Iterable[Link]) -> None:
        """Add all that can be reached from roots, the roots included."""
        pending = list(roots)
        while pending:
            link = pending.pop()
            self.found.add(link.digest)
            # One reference may call content opaque that another calls a manifest.
            is_document = link.media_type in DOCUMENT_TYPES
            if not is_document and is_understood(link.media_type):
                continue
            followed = self._opened if is_document else self._searched
            if link.digest in followed:
                continue
            followed.add(link.digest)
            pending.extend(self._links(link) if is_document else self._mentions(link))

    def reach_unlisted(self, link: Link) -> None:
        """Add what an unlisted manifest reaches, also if it breaks the specification."""
        try:
            self.reach([link])
        except (DocumentError, LimitExceededError):
            self.reach([Link(UNKNOWN, link.digest, link.size)])

    def _links(self, link: Link) -> list[Link]:
        descriptor = Descriptor(media_type=link.media_type, digest=link.digest, size=link.size)
        require_document_size(descriptor)
        try:
            return links(self._read(descriptor), descriptor)
        except BlobNotFoundError:
            self._require_not_quarantined(link.digest)
            return []

    def _read(self, descriptor: Descriptor) -> bytes:
        # What cannot be verified is read all the same: here it matters only what it refers to. A
        # reference that gives a wrong size is the fault of what refers, and not of the content.
        verifiable = descriptor.digest.verifiable
        try:
            return self._blobs.read(descriptor, verify=verifiable)
        except SizeMismatchError:
            size = self._blobs.size(descriptor.digest)
            descriptor = evolve(descriptor, size=size)
            require_document_size(descriptor)
            return self._blobs.read(descriptor, verify=verifiable)

    def _mentions(self, link: Link) -> list[Link]:
        try:
            named = named_in(link.digest, self._blobs, is_json=link.media_type.endswith("json"))
        except BlobNotFoundError:
            if link.media_type != UNKNOWN:
                self._require_not_quarantined(link.digest)
            return []
        return [Link(UNKNOWN, digest, 0) for digest in sorted(named)]

    def _require_not_quarantined(self, digest: Digest) -> None:
        if self._blobs.is_quarantined(digest):
            raise IntegrityError(
                f"{digest} is damaged and in quarantine, so nothing can tell what it refers to;"
                " copy it again, or untag what leads to it",
                descriptor=Descriptor(media_type=OCTET_STREAM, digest=digest, size=0),
                actual="in quarantine",
            )


def named_in(digest: Digest, blobs: Blobs, *, is_json: bool = False) -> set[Digest]:
    """Return the digests that content of an unknown type names, if it is a JSON document.

    Args:
        digest: The content.
        blobs: Where it lies.
        is_json: Whether its media type says so; otherwise its first bytes do.

    Raises:
        BlobNotFoundError: It is not there.
        IntegrityError: It is damaged, so that what it names cannot be known.
    """
    descriptor = Descriptor(media_type=OCTET_STREAM, digest=digest, size=blobs.size(digest))
    with blobs.open_unverified(descriptor) as file:
        if not (is_json or begins_as_json(file.read(HEAD))):
            return set()
    mentions = Mentions()
    verifiable = digest.verifiable
    with blobs.open(descriptor) if verifiable else blobs.open_unverified(descriptor) as file:
        while data := file.read(CHUNK):
            mentions.take(data)
    return mentions.found


def subjects(digests: Iterable[Digest], blobs: Blobs) -> Iterator[tuple[Digest, Descriptor]]:
    """Give the documents among blobs that have a subject, each behind the digest of that.

    Args:
        digests: Those that are looked into.
        blobs: Where they lie.
    """
    for digest in digests:
        try:
            size = blobs.size(digest)
            opaque = Descriptor(media_type=OCTET_STREAM, digest=digest, size=size)
            data = _document(opaque, blobs) if size <= MAX_DOCUMENT else b""
            if b"subject" in data or b"\\u" in data:
                if digest.verifiable:
                    verify(data, opaque)
                yield from ((to, evolve(opaque, media_type=kind)) for to, kind in subjects_of(data))
        except (BlobNotFoundError, IntegrityError):
            continue  # another process removed it, or it is not what its name says


def _document(descriptor: Descriptor, blobs: Blobs) -> bytes:
    """Return a blob that may be a JSON document, and nothing of any other."""
    with blobs.open_unverified(descriptor) as file:
        head = file.read(HEAD)
        return head + file.readall() if begins_as_json(head) else b""


def subjects_of(data: bytes) -> list[tuple[Digest, str]]:
    """Return the digest of a document's subject, and the media type of the document.

    Of a document that breaks the rules of JSON or of digests, all that it names is returned.

    Args:
        data: The document.
    """
    try:
        subject = parse(data).get("subject")
        if not isinstance(subject, dict):
            return []
        kind = document_type(data)
        to = Digest(cast("str", subject.get("digest")))
        return [(to, kind if is_media_type(kind) else OCTET_STREAM)]
    except (DocumentError, LimitExceededError):
        mentions = Mentions()
        mentions.take(data)
        return [(digest, OCTET_STREAM) for digest in mentions.found]
