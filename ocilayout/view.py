"""What can be asked of any layout: names, entries, and documents, over an index and blobs.

Where the two come from is not known here: `Archive` takes them from a tar.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest, is_digest
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    LimitExceededError,
    ReferenceNotFoundError,
)
from ocilayout.graph import walk
from ocilayout.ijson import MAX_DOCUMENT, parse
from ocilayout.mediatype import DOCUMENT_TYPES, OCTET_STREAM
from ocilayout.referrer import Referrers
from ocilayout.rules import decode_document, require_document_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocilayout.graph import Document
    from ocilayout.rootentry import RootEntry
    from ocilayout.rootindex import RootIndex


class ReadableBlobs(Protocol):
    """Content that can be read by its digest."""

    def __contains__(self, digest: object, /) -> bool: ...

    def size(self, digest: Digest, /) -> int:
        """Return the size of a blob, in bytes."""
        ...

    def read(self, descriptor: Descriptor, /, *, verify: bool = True) -> bytes:
        """Return a blob's bytes."""
        ...


B = TypeVar("B", bound=ReadableBlobs)


class View(ABC, Generic[B]):
    """The reading verbs of a layout.

    Attributes:
        blobs: The content.
    """

    blobs: B
    _referrers: tuple[RootIndex, Referrers] | None = None

    @abstractmethod
    def _snapshot(self) -> RootIndex:
        """Return the root index as it is now; it is not edited."""

    def tags(self, *, annotations: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return the names of all entries, each once, sorted bytewise.

        Args:
            annotations: Return only the names of which every entry has these annotations.

        Raises:
            DocumentError: `index.json` breaks the specification.
        """
        return self._snapshot().names(annotations or {})

    def entries(self, *, name: str | None = None) -> tuple[RootEntry, ...]:
        """Return all entries in document order, also those without a name.

        Args:
            name: Return only the entries that this name, full name or digest means, by the rules of
                `RootIndex.matching`: none, one, or several.

        Raises:
            DocumentError: `index.json` or one of these entries breaks the specification.
        """
        root = self._snapshot()
        return root.entries() if name is None else root.matching(name)

    def entry(self, name: str) -> RootEntry:
        """Return the entry of a name, with what is noted at it.

        Raises:
            ReferenceNotFoundError: No entry has that name.
            AmbiguousReferenceError: Several have it, for different content.
            DocumentError: `index.json` or the entry breaks the specification.
        """
        return self._snapshot().find(name)

    def resolve(self, name_or_digest: str | Digest) -> Descriptor:
        """Return what a name or a digest means: media type, digest and size, nothing else.

        Content without an entry has the media type that it gives itself, and
        `application/octet-stream` if it gives none.

        Raises:
            ReferenceNotFoundError: No entry has that name, or nothing has that digest.
            AmbiguousReferenceError: Several entries have the name, for different content.
            DocumentError: `index.json` or the entry breaks the specification.
            IntegrityError: The content of a digest without an entry is damaged.

        Spec: annotations:same-name.
        """
        if not is_digest(name_or_digest):
            return self.entry(name_or_digest).descriptor.plain()
        digest = Digest(name_or_digest)
        found = self._snapshot().of(digest)
        return found[0].descriptor.plain() if found else self._describe_blob(digest)

    def read_manifest(self, descriptor: Descriptor) -> Document:
        """Return a manifest or an index, verified: of OCI, of Docker, or of a retired type.

        Raises:
            BlobNotFoundError: It is not there.
            IntegrityError: It is not what the descriptor says.
            DocumentError: It breaks the specification, or the descriptor is of something else.
            LimitExceededError: It is larger than 4 MiB.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, considerations:property-types, considerations:limits.
        """
        return self._read_document(descriptor, verify=True)

    def walk(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Visit all that content is made of, each digest once, parents before their children.

        Content that is missing is visited, too; what only it refers to cannot be.

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
        """Return what refers to content as its subject: signatures, bills of materials and such.

        Found are entries of the root index, named or untagged, manifests inside the indexes that
        entries lead to (where BuildKit has its attestations), and what is listed under the tag of
        the distribution-spec's fallback, `sha256-<hex>`. Every manifest that entries lead to is
        read, once for as long as `index.json` stays the same.

        Args:
            digest: The content.
            artifact_type: Return only referrers of this type.

        Returns:
            Descriptors with the artifact type and the annotations that each manifest gives itself,
            each digest once; first those that entries lead to, in document order.

        Raises:
            DocumentError: The digest is none, or a manifest or `index.json` breaks the
                specification.
            IntegrityError: A manifest is damaged.

        Spec: image-layout:referrers.
        """
        digest = Digest(digest)
        return tuple(
            descriptor
            for descriptor in self._find_referrers().of(digest)
            if artifact_type is None or descriptor.artifact_type == artifact_type
        )

    def _find_referrers(self) -> Referrers:
        # A copy asks for many digests, and the manifests need reading once for all of them.
        root = self._snapshot()
        known = self._referrers
        # A manifest that is missing may come later, without any change of the root index.
        if (
            known is not None
            and known[0] is root
            and not any(digest in self.blobs for digest in known[1].missing)
        ):
            return known[1]
        found = Referrers(root, self._read_if_there)
        self._referrers = (root, found)
        return found

    def _read_if_there(self, descriptor: Descriptor) -> Document | None:
        # What cannot be verified is read all the same: here it matters only what it refers to.
        try:
            return self._read_document(descriptor, verify=descriptor.digest.verifiable)
        except BlobNotFoundError:
            return None

    def _read_document(self, descriptor: Descriptor, *, verify: bool) -> Document:
        require_document_size(descriptor)
        data = self.blobs.read(descriptor, verify=verify)
        return decode_document(data, descriptor, size=self.blobs.size)

    def _describe_blob(self, digest: Digest) -> Descriptor:
        if digest not in self.blobs:
            raise ReferenceNotFoundError(f"there is no content {digest}")
        opaque = Descriptor(media_type=OCTET_STREAM, digest=digest, size=self.blobs.size(digest))
        if opaque.size > MAX_DOCUMENT or not digest.verifiable:
            return opaque
        try:
            said = parse(self.blobs.read(opaque)).get("mediaType")
        except (DocumentError, LimitExceededError):
            return opaque
        if not isinstance(said, str) or said not in DOCUMENT_TYPES:
            return opaque
        return Descriptor(media_type=said, digest=digest, size=opaque.size)
