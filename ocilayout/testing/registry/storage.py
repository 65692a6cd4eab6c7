"""The content of a registry in memory: blobs, manifests, tags and unfinished uploads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.errors import OciLayoutError
from ocilayout.model import (
    OCI_MANIFEST,
    OCTET_STREAM,
    Descriptor,
    Digest,
    decode_document,
    describe_referrer,
    document_type,
    encode,
    is_digest,
    new_hasher,
    successors,
)
from ocilayout.signature import checked
from ocilayout.testing.registry.reply import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocilayout.model import Document
    from ocilayout.testing.registry.reply import Content


@checked
class Storage:
    """The content of a registry, which a test may read and change while the registry serves.

    What a test stores itself is not checked. That is how a registry comes to have content that a
    correct one would have refused.

    Attributes:
        blobs: Every blob, by repository and digest.
        manifests: Media type and bytes of every manifest, by repository and digest.
        tags: The digest of every tag, by repository and tag.
        uploads: The bytes of every unfinished upload, by repository and id.
        lock: Held during a change that depends on the content.
    """

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], Content] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.uploads: dict[tuple[str, str], bytearray] = {}
        self.lock = threading.Lock()

    def put_blob(
        self,
        name: str,
        content: Content,
        *,
        media_type: str = OCTET_STREAM,
        digest: Digest | None = None,
    ) -> Descriptor:
        """Store a blob unchecked.

        Args:
            name: The repository.
            content: Bytes, or the path of a file that is read while it is sent.
            media_type: The media type of the descriptor.
            digest: The digest to serve it by; its own if `None`.

        Returns:
            A descriptor with the actual size and the digest that it is served by.

        Raises:
            OSError: The file cannot be read.
        """
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        digest = digest or _digest(content)
        self.blobs[name, digest] = content
        return Descriptor(media_type=media_type, digest=digest, size=size)

    def put_manifest(
        self,
        name: str,
        document: Document | bytes,
        *,
        tag: str | None = None,
        media_type: str | None = None,
        digest: Digest | None = None,
    ) -> Descriptor:
        """Store a manifest or an index unchecked.

        Args:
            name: The repository.
            document: The model, or any bytes.
            tag: A tag for it.
            media_type: The media type to serve it with; if `None`, what it says itself or its
                properties show, and that of a manifest if it cannot be read.
            digest: The digest to serve it by; its own if `None`.

        Returns:
            A descriptor with the actual size and the digest that it is served by.
        """
        data = document if isinstance(document, bytes) else encode(document)
        media_type = media_type or _document_type(data)
        digest = digest or Digest.of(data)
        self.manifests[name, digest] = (media_type, data)
        if tag is not None:
            self.tags[name, tag] = digest
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    def put_manifests(self, name: str, documents: Iterable[bytes], *, tag: str) -> Descriptor:
        """Store many manifests unchecked, and tag the last of them.

        Args:
            name: The repository.
            documents: The bytes of each, at least one; see `ocilayout.testing.registry.bomb`.
            tag: The tag.

        Returns:
            A descriptor of the last one.
        """
        *others, root = documents
        for document in others:
            self.put_manifest(name, document)
        return self.put_manifest(name, root, tag=tag)

    def has_repository(self, name: str) -> bool:
        """Tell whether a repository has any content."""
        return any(
            repository == name
            for part in (self.manifests, self.blobs, self.tags, self.uploads)
            for repository, _ in list(part)
        )

    def digest_of(self, name: str, reference: str) -> str:
        """Return the digest of a tag or of a digest; empty if there is no such tag."""
        return reference if is_digest(reference) else self.tags.get((name, reference), "")

    def has_parts(self, name: str, document: Document) -> bool:
        """Tell whether a repository has all that a document refers to.

        Content with `urls` may be elsewhere.
        """
        return all(
            part.urls or (name, part.digest) in self.blobs or (name, part.digest) in self.manifests
            for part in successors(document)
        )

    def referrers(self, name: str, digest: str) -> list[Descriptor]:
        """Return the referrers of a digest in a repository."""
        referrers = []
        for (repository, stored_as), (media_type, data) in sorted(self.manifests.items()):
            try:
                descriptor = Descriptor.of(data, media_type, Digest.parse(stored_as).algorithm)
                document = decode_document(data, descriptor)
            except OciLayoutError:
                continue  # stored unchecked by the test
            subject = document.subject
            if repository == name and subject is not None and subject.digest == digest:
                referrers.append(describe_referrer(descriptor, document))
        return referrers


def _document_type(data: bytes) -> str:
    try:
        return document_type(data)
    except OciLayoutError:
        return OCI_MANIFEST


def _digest(content: Content) -> Digest:
    if isinstance(content, bytes):
        return Digest.of(content)
    hasher = new_hasher("sha256")
    with content.open("rb") as file:
        while data := file.read(PIECE):
            hasher.update(data)
    return Digest.parse(f"sha256:{hasher.hexdigest()}")
