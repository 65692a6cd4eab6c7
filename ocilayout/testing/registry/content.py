"""What a registry holds: blobs, manifests, tags and unfinished uploads, all in memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.errors import OciLayoutError
from ocilayout.layout import describe_referrer
from ocilayout.model import (
    OCI_MANIFEST,
    OCTET_STREAM,
    Descriptor,
    Digest,
    decode_document,
    document_type,
    encode,
    new_hasher,
    successors,
)
from ocilayout.testing.registry.exchange import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocilayout.model import Document
    from ocilayout.testing.registry.exchange import Content


class Holdings:
    """The content of a registry, for a test to look at and to change while it serves.

    What a test puts here itself is not checked: that is how a registry comes to hold what a right
    one would have refused.

    Attributes:
        blobs: Every blob, by repository and digest.
        manifests: Media type and bytes of every manifest, by repository and digest.
        tags: The digest of every tag, by repository and tag.
        uploads: What arrived of every unfinished upload, by repository and id.
        lock: Held while something is looked at and changed by what was seen.
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
        """Have a blob, checked by nobody.

        Args:
            name: The repository.
            content: Bytes, or the path of a file that is read while it is sent.
            media_type: What the descriptor says that it is.
            digest: The digest that it is to be had by; its own if `None`.

        Returns:
            A descriptor of it, with its size as it is and its digest as it was given.

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
        """Have a manifest or an index, checked by nobody.

        Args:
            name: The repository.
            document: The model, or any bytes.
            tag: A tag for it.
            media_type: What to call it; if `None`, what it says itself, or what its properties
                show; a manifest, if it cannot be read.
            digest: The digest that it is to be had by; its own if `None`.

        Returns:
            A descriptor of it, with its size as it is and its digest as it was given.
        """
        data = document if isinstance(document, bytes) else encode(document)
        media_type = media_type or _document_type(data)
        digest = digest or Digest.of(data)
        self.manifests[name, digest] = (media_type, data)
        if tag is not None:
            self.tags[name, tag] = digest
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    def put_manifests(self, name: str, documents: Iterable[bytes], *, tag: str) -> Descriptor:
        """Have many manifests, checked by nobody, and a tag for the last of them.

        Args:
            name: The repository.
            documents: Their bytes, at least one; see `ocilayout.testing.registry.bomb`.
            tag: The tag.

        Returns:
            A descriptor of the last.
        """
        *others, root = documents
        for document in others:
            self.put_manifest(name, document)
        return self.put_manifest(name, root, tag=tag)

    def has_repository(self, name: str) -> bool:
        """Tell whether anything was ever pushed to a repository and is there."""
        return any(
            repository == name
            for held in (self.manifests, self.blobs, self.tags, self.uploads)
            for repository, _ in list(held)
        )

    def has_parts(self, name: str, document: Document) -> bool:
        """Tell whether a repository holds all that a document is made of.

        Content that is to be had elsewhere, by `urls`, need not be there.
        """
        return all(
            part.urls or (name, part.digest) in self.blobs or (name, part.digest) in self.manifests
            for part in successors(document)
        )

    def referrers(self, name: str, digest: str) -> list[Descriptor]:
        """Return the manifests of a repository that have a digest as their subject."""
        found = []
        for (repository, known_by), (media_type, data) in sorted(self.manifests.items()):
            try:
                descriptor = Descriptor.of(data, media_type, Digest(known_by).algorithm)
                document = decode_document(data, descriptor)
            except OciLayoutError:
                continue  # put here by hand
            subject = document.subject
            if repository == name and subject is not None and subject.digest == digest:
                found.append(describe_referrer(descriptor, document))
        return found


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
    return Digest(f"sha256:{hasher.hexdigest()}")
