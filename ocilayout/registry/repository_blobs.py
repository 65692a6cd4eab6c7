"""The content of a repository by its digests: blobs, and the bytes of manifests.

A registry keeps the two apart. The media type of a descriptor says which one is meant; a bare
digest means a blob.
"""

from __future__ import annotations

import io
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING

from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    RateLimitedError,
    RegistryError,
    UnsupportedDigestError,
)
from ocilayout.model import (
    DOCUMENT_TYPES,
    BlobSource,
    Descriptor,
    Digest,
    VerifiedReader,
    decode_document,
    is_digest,
    require_at_most,
    require_document_size,
    require_repository,
    require_tag,
    verify,
)
from ocilayout.registry.body import open_body
from ocilayout.registry.download import Download, read_range
from ocilayout.registry.referrer_list import add_referrer
from ocilayout.registry.response import ANY_MANIFEST
from ocilayout.registry.session import OK_OR_MISSING, Session
from ocilayout.registry.tagging import push_manifest, require_tagged
from ocilayout.registry.upload import BlobUpload, UploadLocation, begin_upload, mount_blob
from ocilayout.signature import checked

if TYPE_CHECKING:
    from ocilayout.registry.auth import Actions


@checked
class RepositoryBlobs:
    """The content of one repository; reached as `Repository.blobs`.

    Its methods raise `RegistryError` and `UnsupportedDigestError` as those of `Repository` do.

    Args:
        session: The session with the registry.
        chunk_size: As for `Repository`.

    Raises:
        ValueError: The size of chunks is not above 0.
    """

    def __init__(self, session: Session, *, chunk_size: int | None = None) -> None:
        if chunk_size is not None and chunk_size <= 0:
            raise ValueError(f"chunks have a size above 0, not {chunk_size!r}")
        self._session = session
        self._chunk_size = chunk_size
        # The threads of one process need not compete for a list of referrers.
        self._list_lock = Lock()

    def __contains__(self, digest: object) -> bool:
        if isinstance(digest, str):
            try:
                digest = Digest.parse(digest)
            except DocumentError:
                return False
        if not isinstance(digest, Digest):
            return False
        response = self._session.look(f"blobs/{digest}")
        return response.status == HTTPStatus.OK

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether the repository has the content of a descriptor.

        It does not if the registry states another size.

        Spec: distribution:head.
        """
        return self._is_there(descriptor, "pull")

    def size(self, digest: Digest) -> int:
        """Return the size that the registry states for a blob, in bytes.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is not valid.
            RegistryError: The registry states no size.
        """
        digest = Digest.parse(digest)  # a caller without types may pass any text
        response = self._session.look(f"blobs/{digest}")
        if response.status == HTTPStatus.NOT_FOUND:
            raise _missing(digest)
        size = response.content_length()
        if size is None:
            raise RegistryError(
                f"the registry does not state the size of {digest}", status=response.status
            )
        return size

    def read(self, descriptor: Descriptor) -> bytes:
        """Return content, verified.

        Raises:
            BlobNotFoundError: The repository does not have it.
            IntegrityError: It is not what the descriptor says.
            LimitExceededError: It is a manifest or an index, and too large for one.

        Spec: distribution:verify-blob, media-types:mismatch.
        """
        with self.open(descriptor) as stream:
            return stream.readall()

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open content, or the bytes in the descriptor of what is missing; verified at the end.

        If the connection breaks, the stream goes on where it stopped.

        Returns:
            The stream, to be closed. Its `read` raises `IntegrityError`.

        Raises:
            BlobNotFoundError: The repository does not have it.
            LimitExceededError: It is a manifest or an index, and too large for one.

        Spec: distribution:accept, distribution:verify-manifest, distribution:verify-blob,
            media-types:mismatch, descriptor:data.
        """
        headers = {}
        if descriptor.media_type in DOCUMENT_TYPES:
            self._require_document_size(descriptor)
            headers["Accept"] = f"{descriptor.media_type}, {ANY_MANIFEST}"
        path = _path(descriptor)
        response = self._session.request("GET", path, accept=OK_OR_MISSING, headers=headers)
        if response.status == HTTPStatus.NOT_FOUND:
            if descriptor.data is None:
                raise _missing(descriptor.digest)
            return VerifiedReader(io.BytesIO(descriptor.data), descriptor)
        try:
            return VerifiedReader(Download(self._session, path, headers, response), descriptor)
        except UnsupportedDigestError:
            response.close()
            raise

    def read_unverified(self, digest: Digest | str, *, start: int, length: int) -> bytes:
        """Return a part of a blob, which cannot be verified: the digest is of the whole.

        Args:
            digest: The digest of the blob.
            start: The position of the first byte, 0 or more.
            length: The number of bytes, above 0.

        Returns:
            The part; shorter, or empty, if the blob ends before.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is not valid.
            ValueError: The position or the number is too small.
            RegistryError: The registry answers with another part.
        """
        digest = Digest.parse(digest)
        if start < 0 or length <= 0:
            raise ValueError("a part begins at 0 or later and has at least one byte")
        data = read_range(self._session, f"blobs/{digest}", start, length)
        if data is None:
            raise _missing(digest)
        return data

    def delete(self, digest: Digest | str) -> None:
        """Delete a blob, even if manifests refer to it.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is not valid.
            RegistryError: Many registries do not delete.

        Spec: distribution:delete-done.
        """
        digest = Digest.parse(digest)
        if not self._session.delete(f"blobs/{digest}"):
            raise _missing(digest)

    def mount_source(self, other: object) -> str | None:
        """Return the path of another repository to mount blobs from, or `None`.

        Only the content of a repository in the same registry has one.
        """
        if not isinstance(other, RepositoryBlobs):
            return None
        ours, theirs = self._session, other._session  # noqa: SLF001 # of the same class
        return theirs.repository if theirs.registry == ours.registry else None

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Let the registry take a blob from another of its repositories, without sending it.

        Args:
            descriptor: The blob.
            repository: The path of the other repository, such as `org/base`.

        Returns:
            Whether the blob is stored now. It is not if the other repository does not have it, if
            the credentials may not read it there, or if the registry does not mount.

        Raises:
            InvalidNameError: The path is not that of a repository.

        Spec: distribution:mount.
        """
        require_repository(repository)
        return mount_blob(self._session, descriptor, repository) is None

    def put(
        self,
        source: BlobSource,
        *,
        media_type: str,
        expected: Descriptor | None = None,
        mount_from: str | None = None,
    ) -> Descriptor:
        """Send content, unless the repository has it.

        A manifest or an index is stored as such. If the connection breaks, what the registry lacks
        is sent again, from a source that can seek.

        Args:
            source: Bytes, the path of a file, or an open binary file, which is read from its
                position and not closed. It may stay unread if the content is expected.
            media_type: The media type of the content.
            expected: The expected content. Without it a stream that cannot seek is copied to a
                temporary file first.
            mount_from: The path of another repository of the registry to mount the content from.

        Returns:
            A plain descriptor of the content.

        Raises:
            IntegrityError: The content is not as expected; nothing was stored.
            DocumentError: The media type is not valid, or says that the content is a manifest,
                which it is not.
            InvalidNameError: The path to mount from is not that of a repository.
            LimitExceededError: The content is a manifest or an index, and too large for one.
            OSError: The source cannot be read.

        Spec: distribution:upload, distribution:put-digest.
        """
        if mount_from is not None:
            require_repository(mount_from)
        location = None
        # Bytes are verified before anything is sent, and other sources while they are sent.
        asked = expected is not None and not isinstance(source, bytes | bytearray | memoryview)
        if expected is not None and asked:
            wanted = Descriptor(media_type=media_type, digest=expected.digest, size=expected.size)
            stored, location = self._find_or_mount(wanted, mount_from)
            if stored:
                return wanted
        with open_body(source, media_type=media_type, expected=expected) as body:
            descriptor = body.descriptor
            if media_type in DOCUMENT_TYPES:
                self._require_document_size(descriptor)
                self.send_manifest(body.read_all(), descriptor, name=str(descriptor.digest))
                return descriptor
            if not asked:
                stored, location = self._find_or_mount(descriptor, mount_from)
                if stored:
                    return descriptor
            BlobUpload(
                session=self._session,
                body=body,
                location=location or begin_upload(self._session, descriptor),
                is_stored=lambda: self._is_there(descriptor, "pull,push"),
                chunk_size=self._chunk_size,
            ).run()
        return descriptor

    def send_manifest(self, data: bytes, descriptor: Descriptor, *, name: str) -> None:
        """Send a manifest or an index under a tag or its digest.

        A tag is set by digest, or not at all, if the digest is not of sha256: for a push under a
        tag the registry would compute sha256, so that the tag would stand for another digest than
        the descriptor has.

        If the document has a subject and the registry does not list the referrer by itself, it is
        added to the list under the fallback tag.

        Args:
            data: The bytes.
            descriptor: Their descriptor.
            name: The tag, or the digest.

        Raises:
            IntegrityError: The bytes are not what the descriptor says, or the registry says that it
                stored something else.
            InvalidNameError: The name is not a tag or a digest.
            DocumentError: The bytes are not such a document.
            LimitExceededError: The document is too large.
            RegistryError: The registry does not tag digests of this algorithm; or the list of
                referrers could not be changed.

        Spec: distribution:manifest-type, distribution:manifest-type-said,
            distribution:subject-list, distribution:digest-and-tag.
        """
        tag = None if is_digest(name) else name
        if tag is not None:
            require_tag(tag)
        verify(data, descriptor)
        document = decode_document(data, descriptor)
        response = push_manifest(self._session, data, descriptor, tag)
        response.require_digest(descriptor)
        if document.subject is not None and response.header("OCI-Subject") is None:
            with self._list_lock:
                add_referrer(self._session, document.subject.digest, descriptor, document)
        require_tagged(response, descriptor, tag)

    def _is_there(self, descriptor: Descriptor, actions: Actions) -> bool:
        headers = {"Accept": ANY_MANIFEST} if descriptor.media_type in DOCUMENT_TYPES else {}
        response = self._session.look(_path(descriptor), actions=actions, headers=headers)
        size = response.content_length()
        return response.status == HTTPStatus.OK and size in {None, descriptor.size}

    def _find_or_mount(
        self, descriptor: Descriptor, mount_from: str | None
    ) -> tuple[bool, UploadLocation | None]:
        """Tell whether content is stored, perhaps by mounting it now, and else where to send it."""
        # A refusal to look is not one to write; what forbids both is said when it is sent.
        try:
            if self._is_there(descriptor, "pull,push"):
                return True, None
        except RegistryError as error:
            if error.status is None or isinstance(error, RateLimitedError):
                raise
        if mount_from is None or descriptor.media_type in DOCUMENT_TYPES:
            return False, None
        location = mount_blob(self._session, descriptor, mount_from)
        return location is None, location

    def _require_document_size(self, descriptor: Descriptor) -> None:
        require_document_size(descriptor)
        require_at_most(
            self._session.limits.document, descriptor.size, of=str(descriptor.digest), unit="bytes"
        )


def _path(descriptor: Descriptor) -> str:
    kind = "manifests" if descriptor.media_type in DOCUMENT_TYPES else "blobs"
    return f"{kind}/{descriptor.digest}"


def _missing(digest: Digest) -> BlobNotFoundError:
    return BlobNotFoundError(f"the repository has no blob {digest}")
