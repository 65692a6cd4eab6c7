"""The content of a repository by its digests: blobs, and the bytes of manifests.

A registry keeps the two apart. Where there is a descriptor its media type says which is meant;
a bare digest means a blob.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
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
from ocilayout.registry.content import ANY_MANIFEST, content_length, require_digest
from ocilayout.registry.delivery import Delivery, begin, mount
from ocilayout.registry.download import Download, read_range
from ocilayout.registry.referrer import add_referrer
from ocilayout.registry.session import NOT_FOUND, OK, Session
from ocilayout.registry.tagging import require_tagged, send
from ocilayout.registry.upload import open_upload

if TYPE_CHECKING:
    from ocilayout.registry.auth import Actions
    from ocilayout.registry.delivery import Place
    from ocilayout.registry.upload import Upload


class RepositoryBlobs:
    """The content of one repository; reached as `Repository.blobs`."""

    def __init__(self, session: Session, *, chunk_size: int | None = None) -> None:
        """Look at a repository; nothing is sent yet.

        Args:
            session: The conversation with its registry.
            chunk_size: How large the chunks are that blobs are sent in, in bytes; `None` for
                blobs in one piece.

        Raises:
            ValueError: The size of chunks is not above 0.
        """
        if chunk_size is not None and chunk_size <= 0:
            raise ValueError(f"chunks have a size above 0, not {chunk_size!r}")
        self._session = session
        self._chunk_size = chunk_size
        self._listing = Lock()  # two of our own threads need not race for a list of referrers

    def __contains__(self, digest: object) -> bool:
        if isinstance(digest, str):
            try:
                digest = Digest.parse(digest)
            except DocumentError:
                return False
        if not isinstance(digest, Digest):
            return False
        with self._session.request("HEAD", f"blobs/{digest}", accept={OK, NOT_FOUND}) as answer:
            answer.drain()
            return answer.status == OK

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether the content of a descriptor is there.

        If the registry says a size and it is another, then it is not.

        Raises:
            RegistryError: The registry refused or failed.

        Spec: distribution:head.
        """
        return self._holds(descriptor, "pull")

    def size(self, digest: Digest) -> int:
        """Return the size that the registry says a blob has, in bytes.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is none.
            RegistryError: The registry refused or failed, or does not say.
        """
        digest = Digest.parse(digest)  # a string would do for the type, and make a path
        with self._session.request("HEAD", f"blobs/{digest}", accept={OK, NOT_FOUND}) as answer:
            answer.drain()
            if answer.status == NOT_FOUND:
                raise _missing(digest)
            size = content_length(answer)
        if size is None:
            raise RegistryError(f"the registry does not say the size of {digest}", status=OK)
        return size

    def read(self, descriptor: Descriptor) -> bytes:
        """Return content, verified.

        Raises:
            BlobNotFoundError: It is not there.
            IntegrityError: It is not what the descriptor says.
            LimitExceededError: It is a manifest or an index, and too large for one.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
            RegistryError: The registry refused or failed.

        Spec: distribution:verify-blob, media-types:mismatch.
        """
        with self.open(descriptor) as stream:
            return stream.readall()

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open content for reading; it is verified at the end of the stream.

        If the connection breaks the rest is asked for, from where it stopped.

        Returns:
            The stream, to be closed. It raises what `read` raises.

        Raises:
            BlobNotFoundError: It is not there.
            LimitExceededError: It is a manifest or an index, and too large for one.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
            RegistryError: The registry refused or failed.

        Spec: distribution:accept, distribution:verify-manifest, distribution:verify-blob,
            media-types:mismatch.
        """
        headers = {}
        if descriptor.media_type in DOCUMENT_TYPES:
            self._require_document_size(descriptor)
            headers["Accept"] = f"{descriptor.media_type}, {ANY_MANIFEST}"
        path = _path(descriptor)
        answer = self._session.request("GET", path, accept={OK, NOT_FOUND}, headers=headers)
        if answer.status == NOT_FOUND:
            answer.drain()
            raise _missing(descriptor.digest)
        try:
            return VerifiedReader(Download(self._session, path, headers, answer), descriptor)
        except UnsupportedDigestError:
            answer.close()
            raise

    def read_unverified(self, digest: Digest | str, *, start: int, length: int) -> bytes:
        """Return a part of a blob, which nobody can verify: only a whole has a digest.

        Args:
            digest: The blob.
            start: Where the part begins, in bytes, 0 or more.
            length: How long it is, in bytes, above 0.

        Returns:
            The part; less, or nothing, if the blob ends before.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is none.
            ValueError: There is no such part.
            RegistryError: The registry refused or failed, or answers with another part.
        """
        digest = Digest.parse(digest)
        if start < 0 or length <= 0:
            raise ValueError("a part begins at 0 or later and has one byte at least")
        data = read_range(self._session, f"blobs/{digest}", start, length)
        if data is None:
            raise _missing(digest)
        return data

    def delete(self, digest: Digest | str) -> None:
        """Delete a blob, whatever refers to it.

        Raises:
            BlobNotFoundError: There is no such blob.
            DocumentError: The digest is none.
            RegistryError: The registry refused or failed; many do not delete.

        Spec: distribution:delete-done.
        """
        digest = Digest.parse(digest)
        if not self._session.delete(f"blobs/{digest}"):
            raise _missing(digest)

    def beside(self, other: object) -> str | None:
        """Return the path of another repository if it is in the same registry, else `None`.

        Args:
            other: The content of a repository, or anything else.
        """
        if not isinstance(other, RepositoryBlobs):
            return None
        ours, theirs = self._session, other._session  # noqa: SLF001 # of the same class
        return theirs.repository if theirs.registry == ours.registry else None

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Take a blob over from another repository of the registry, without sending it.

        Args:
            descriptor: The blob.
            repository: The path of the other repository, such as `org/base`.

        Returns:
            Whether it is there now. If not, the registry does not have it there, does not let
            us read it there, or does not mount.

        Raises:
            InvalidNameError: The path is none.
            RegistryError: The registry refused or failed.

        Spec: distribution:mount.
        """
        require_repository(repository)
        return mount(self._session, descriptor, repository) is None

    def put(
        self,
        source: BlobSource,
        *,
        media_type: str,
        expected: Descriptor | None = None,
        mount_from: str | None = None,
    ) -> Descriptor:
        """Send content, unless it is there.

        If it is there then the source may stay unread. A manifest or an index goes where
        manifests go. If the connection breaks on the way then what the registry lacks is sent
        again, from a source that can seek.

        Args:
            source: Bytes, the path of a file, or an open binary file, read from where it
                stands and left open.
            media_type: What the returned descriptor says that the content is.
            expected: What the content must be. Without it a stream that cannot seek is first
                copied to a temporary file.
            mount_from: The path of another repository of the registry, which may have it; then
                the source may stay unread, too.

        Returns:
            A plain descriptor of the content.

        Raises:
            IntegrityError: The content is not the expected one; nothing was stored.
            UnsupportedDigestError: The expected digest cannot be computed here.
            DocumentError: The media type is none, or the content is no manifest although its
                media type says so.
            InvalidNameError: The path to mount from is none.
            LimitExceededError: It is a manifest or an index, and too large for one.
            RegistryError: The registry refused or failed.
            OSError: The source cannot be read.

        Spec: distribution:upload, distribution:put-digest.
        """
        if mount_from is not None:
            require_repository(mount_from)
        place = None
        asked = expected is not None and not isinstance(source, bytes | bytearray | memoryview)
        if expected is not None and asked:
            wanted = Descriptor(media_type=media_type, digest=expected.digest, size=expected.size)
            if self._holds(wanted, "pull,push"):
                return wanted
            if mount_from is not None and media_type not in DOCUMENT_TYPES:
                place = mount(self._session, wanted, mount_from)
                if place is None:
                    return wanted
        with open_upload(source, media_type=media_type, expected=expected) as upload:
            descriptor = upload.descriptor
            if media_type in DOCUMENT_TYPES:
                self._require_document_size(descriptor)
                self.send_manifest(upload.read_all(), descriptor, name=str(descriptor.digest))
            elif asked or not self._holds(descriptor, "pull,push"):
                if place is None and mount_from is not None and not asked:
                    place = mount(self._session, descriptor, mount_from)
                    if place is None:
                        return descriptor
                self._deliver(upload, place or begin(self._session))
        return descriptor

    def _deliver(self, upload: Upload, place: Place) -> None:
        Delivery(
            self._session,
            upload,
            place,
            holds=lambda: self._holds(upload.descriptor, "pull,push"),
            chunk_size=self._chunk_size,
        ).run()

    def send_manifest(self, data: bytes, descriptor: Descriptor, *, name: str) -> None:
        """Send a manifest or an index under a tag or its digest.

        If its digest is not of sha256 a tag is set by digest, or not at all: a registry would
        compute that of sha256, and the tag would mean another digest than the descriptor says.

        If it has a subject and the registry does not say that it took note, then it is added to
        the list of the subject's referrers.

        Args:
            data: Its bytes.
            descriptor: What they are.
            name: The tag, or the digest.

        Raises:
            IntegrityError: The bytes are not what the descriptor says, or the registry says
                that it stored something else.
            InvalidNameError: The name is neither.
            DocumentError: They are no such document.
            LimitExceededError: They are too many.
            RegistryError: The registry refused or failed, or does not tag by a digest of this
                algorithm; or the list of referrers could not be brought up to date.

        Spec: distribution:manifest-type, distribution:manifest-type-said,
            distribution:subject-list, distribution:digest-and-tag.
        """
        tag = None if is_digest(name) else name
        if tag is not None:
            require_tag(tag)
        verify(data, descriptor)
        document = decode_document(data, descriptor)
        with send(self._session, data, descriptor, tag) as answer:
            answer.drain()
            require_digest(answer, descriptor)
            noted = answer.header("OCI-Subject") is not None
        if document.subject is not None and not noted:
            with self._listing:
                add_referrer(self._session, document.subject.digest, descriptor, document)
        require_tagged(answer, descriptor, tag)

    def _holds(self, descriptor: Descriptor, actions: Actions) -> bool:
        headers = {"Accept": ANY_MANIFEST} if descriptor.media_type in DOCUMENT_TYPES else {}
        answer = self._session.request(
            "HEAD",
            _path(descriptor),
            accept={OK, NOT_FOUND},
            actions=actions,
            headers=headers,
        )
        with answer:
            answer.drain()
            size = content_length(answer)
            return answer.status == OK and size in {None, descriptor.size}

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
