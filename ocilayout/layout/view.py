"""The reading verbs of a layout: tags, entries, manifests and referrers, over an index and blobs.

Where the two come from is not defined here: `Layout` has them in a folder, `Archive` in a tar.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import evolve

from ocilayout.errors import (
    MOST_LISTED,
    AmbiguousReferenceError,
    BlobNotFoundError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    ReferenceNotFoundError,
    SizeMismatchError,
)
from ocilayout.layout.referrer import Referrers
from ocilayout.model import (
    DOCUMENT_TYPES,
    MAX_DOCUMENT,
    OCTET_STREAM,
    Descriptor,
    Digest,
    SourceBlobs,
    decode_document,
    is_digest,
    parse_json,
    platform_text,
    require_document_size,
    walk,
)
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ocilayout.layout.rootentry import RootEntry
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Document


T = TypeVar("T")
B = TypeVar("B", bound=SourceBlobs)


@checked
class View(ABC, Generic[B]):
    """The reading verbs of a layout.

    Attributes:
        blobs: The blobs.

    Raises:
        DocumentError: `index.json`, or an entry that is returned, breaks the specification.
    """

    blobs: B
    _referrers: tuple[RootIndex, Referrers] | None = None

    @abstractmethod
    def _snapshot(self) -> RootIndex:
        """Return the root index as it is now, to be read only."""

    @abstractmethod
    def _read_unverified(self, descriptor: Descriptor) -> bytes:
        """Return the bytes of a blob whose digest cannot be computed here."""

    def tags(self, *, annotations: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return the names of all entries, each once, sorted bytewise.

        Args:
            annotations: Return only names whose entries all have these annotations.
        """
        return self._snapshot().names(annotations or {})

    def entries(self, *, name: str | None = None) -> tuple[RootEntry, ...]:
        """Return all entries in document order, named and untagged.

        Args:
            name: Return only the entries that this name, full name, digest or `NAME@DIGEST` means;
                see `RootIndex.matching`.
        """
        root = self._snapshot()
        return root.entries() if name is None else root.matching(name)

    def refs(self, *, name: str | None = None) -> tuple[tuple[str, RootEntry], ...]:
        """Return entries in document order, each with a reference that means its content alone.

        It is a name if possible, and for an untagged entry its digest; see `RootIndex.refs`.

        Args:
            name: As for `entries`.
        """
        return self._snapshot().refs(name)

    def entry(self, name: str) -> RootEntry:
        """Return an entry with its annotations.

        Args:
            name: A name, a full name, a digest or `NAME@DIGEST`; see `RootIndex.matching`.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            DocumentError: `index.json` or the entry breaks the specification.
        """
        return self._find(self._snapshot(), name)

    def resolve(self, name_or_digest: str | Digest) -> Descriptor:
        """Return the plain descriptor that a reference means: media type, digest and size only.

        If several entries have one content, the first one with the right size counts. A blob
        without an entry has the media type that it gives itself, or `application/octet-stream`.

        Args:
            name_or_digest: As for `entry`, or the digest of a blob without an entry.

        Raises:
            ReferenceNotFoundError: It means no entry, and no blob.
            AmbiguousReferenceError: It means entries of different content.
            DocumentError: `index.json` or the entry breaks the specification.
            IntegrityError: The blob of a digest without an entry is damaged.

        Spec: annotations:same-name.
        """
        root = self._snapshot()
        if not is_digest(name_or_digest):
            first = self._find(root, name_or_digest)  # refuses entries of different content
            return self._right([first, *root.matching(name_or_digest)])
        digest = Digest.parse(name_or_digest)
        found = root.of(digest)
        return self._right(found) if found else self._describe_blob(digest)

    def alternatives(self, name_or_digest: str | Digest) -> tuple[Descriptor, ...]:
        """Return what a reference means as `resolve` does, or the parts of a flat image index.

        Some programs list the manifests of an image for several platforms in `index.json` itself,
        all under one name. Where entries have the reference name and the full name in common, they
        are such parts.

        Returns:
            Descriptors with the platform and the `data` of their entry, and otherwise plain.

        Raises:
            Exception: As `resolve` raises, if entries of different content are not one image.

        Spec: image-layout:flat.
        """
        root = self._snapshot()
        entries = root.matching(name_or_digest)
        if not entries:
            return (self.resolve(name_or_digest),)
        if not are_one_image(entries):
            self._find(root, name_or_digest)  # refuses entries of different content
        same: dict[Digest, list[RootEntry]] = {}
        for entry in entries:
            same.setdefault(entry.descriptor.digest, []).append(entry)
        right = {digest: self._right(found) for digest, found in same.items()}
        return tuple(
            evolve(
                right[entry.descriptor.digest],
                platform=entry.descriptor.platform,
                data=entry.descriptor.data,
            )
            for entry in entries
        )

    def read_manifest(self, descriptor: Descriptor) -> Document:
        """Return a manifest or an index, verified: of OCI, of Docker, or of a retired type.

        Raises:
            BlobNotFoundError: It is missing.
            IntegrityError: It is not as the descriptor says.
            DocumentError: It breaks the specification, or the descriptor is not of a manifest.
            LimitExceededError: It is larger than 4 MiB.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, considerations:property-types, considerations:limits.
        """
        return self._read_document(descriptor, verify=True)

    def walk(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Yield a descriptor and all that it is made of, each once, parents before children.

        Missing content is visited as well, without its children.

        Raises:
            IntegrityError: A manifest on the way is damaged.
            DocumentError: A manifest on the way breaks the specification.
            LimitExceededError: A manifest on the way is larger than 4 MiB.

        Spec: image-layout:missing-blobs.
        """
        return walk([descriptor], self._read_if_there)

    def referrers(
        self, digest: Digest | str, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """Return the referrers to content: signatures, bills of materials and other manifests.

        `Referrers` says where they are found. Every manifest that entries lead to is read, once as
        long as `index.json` stays the same.

        Args:
            digest: The content.
            artifact_type: Return only referrers of this type.

        Returns:
            Descriptors with the artifact type and the annotations that each manifest gives itself,
            each digest once: first manifests that entries lead to, in document order, then those
            that the fallback tag lists.

        Raises:
            DocumentError: The digest is not a valid one, or a manifest or `index.json` breaks the
                specification.
            IntegrityError: A manifest is damaged.

        Spec: image-layout:referrers.
        """
        digest = Digest.parse(digest)
        return tuple(
            descriptor
            for descriptor in self._find_referrers().of(digest)
            if artifact_type is None or descriptor.artifact_type == artifact_type
        )

    def _find(self, root: RootIndex, name: str) -> RootEntry:
        """Return the entry that a reference means; an error names platforms in configs, too."""
        try:
            return root.find(name)
        except AmbiguousReferenceError as error:
            listed = root.matching(name)[:MOST_LISTED]
            raise AmbiguousReferenceError(
                error.name,
                error.digests,
                full_names=error.full_names,
                platforms=[platform_text(one.descriptor, self.blobs.read) for one in listed],
            ) from None

    def _find_referrers(self) -> Referrers:
        # A copy asks for many digests; the manifests are read once for all of them.
        root = self._snapshot()
        known = self._referrers
        # A manifest that is missing may come later, without any change of the root index.
        if (
            known is not None
            and known[0] is root
            and not any(digest in self.blobs for digest in known[1].missing)
        ):
            return known[1]
        fresh = Referrers(root, self._read_if_there, self._in_its_size)
        self._referrers = (root, fresh)
        return fresh

    def _read_if_there(self, descriptor: Descriptor) -> Document | None:
        # A document that cannot be verified is read all the same: only its references matter here.
        verify = descriptor.digest.verifiable
        try:
            return in_any_size(
                lambda one: self._read_document(one, verify=verify), descriptor, self.blobs
            )
        except BlobNotFoundError:
            return None

    def _in_its_size(self, descriptor: Descriptor) -> Descriptor:
        """Return a plain descriptor with the size of the blob, if that exists."""
        try:
            size = self.blobs.size(descriptor.digest)
        except BlobNotFoundError:
            size = descriptor.size
        return evolve(descriptor.plain(), size=size)

    def _right(self, entries: Sequence[RootEntry]) -> Descriptor:
        """Return the plain descriptor of entries of one content: the first with the right size."""
        plain = [entry.descriptor.plain() for entry in entries]
        if len({descriptor.size for descriptor in plain}) > 1:
            size = self._in_its_size(plain[0]).size
            return next((one for one in plain if one.size == size), plain[0])
        return plain[0]

    def _read_document(self, descriptor: Descriptor, *, verify: bool) -> Document:
        require_document_size(descriptor)
        read = self.blobs.read if verify else self._read_unverified
        data = read(descriptor)
        return decode_document(data, descriptor, size=self.blobs.size)

    def _describe_blob(self, digest: Digest) -> Descriptor:
        if digest not in self.blobs:
            raise ReferenceNotFoundError(f"there is no content {digest}")
        opaque = Descriptor(media_type=OCTET_STREAM, digest=digest, size=self.blobs.size(digest))
        if opaque.size > MAX_DOCUMENT or not digest.verifiable:
            return opaque
        try:
            said = parse_json(self.blobs.read(opaque)).get("mediaType")
        except (DocumentError, LimitExceededError):
            return opaque
        if not isinstance(said, str) or said not in DOCUMENT_TYPES:
            return opaque
        return evolve(opaque, media_type=said)


def in_any_size(read: Callable[[Descriptor], T], descriptor: Descriptor, blobs: SourceBlobs) -> T:
    """Read content by its digest, although a reference may give a wrong size.

    A wrong size is a fault of the referring document, and not of the content.

    Args:
        read: Reads content, verified; it is called again with the size of the blob.
        descriptor: The content.
        blobs: The blobs.

    Raises:
        Exception: An error of `read`; of damaged content, the first one.
    """
    try:
        return read(descriptor)
    except (LimitExceededError, SizeMismatchError) as error:
        right = evolve(descriptor.plain(), size=blobs.size(descriptor.digest))
        if right.size == descriptor.size:
            raise
        try:
            return read(right)
        except IntegrityError:
            raise error from None


def are_one_image(entries: Iterable[RootEntry]) -> bool:
    """Return whether entries may be parts of one image: they have both names in common, or none."""
    return len({(entry.name, entry.full_name) for entry in entries}) <= 1
