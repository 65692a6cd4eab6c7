"""The content of a repository by its digests: blobs, and the bytes of manifests.

A registry keeps the two apart. Where there is a descriptor its media type says which is meant;
a bare digest means a blob.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ocilayout.descriptor import Descriptor, verify
from ocilayout.digest import Digest
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    RegistryError,
    TransportError,
    UnsupportedDigestError,
)
from ocilayout.mediatype import DOCUMENT_TYPES, OCTET_STREAM
from ocilayout.registry.address import join
from ocilayout.registry.content import ANY_MANIFEST, content_length, require_digest
from ocilayout.registry.referrer import add_referrer
from ocilayout.registry.session import ACCEPTED, CREATED, NOT_FOUND, OK, Session
from ocilayout.registry.upload import Upload, open_upload
from ocilayout.rules import decode_document, require_document_size
from ocilayout.stream import Source, VerifiedReader

if TYPE_CHECKING:
    from ocilayout.registry.auth import Actions


class RepositoryBlobs:
    """The content of one repository; reached as `Repository.blobs`."""

    def __init__(self, session: Session) -> None:
        """Look at a repository; nothing is sent yet.

        Args:
            session: The conversation with its registry.
        """
        self._session = session
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
            require_document_size(descriptor)
            headers["Accept"] = f"{descriptor.media_type}, {ANY_MANIFEST}"
        answer = self._session.request(
            "GET", _path(descriptor), accept={OK, NOT_FOUND}, headers=headers
        )
        if answer.status == NOT_FOUND:
            answer.drain()
            raise _missing(descriptor.digest)
        try:
            return VerifiedReader(answer, descriptor)
        except UnsupportedDigestError:
            answer.close()
            raise

    def put(
        self, source: Source, *, media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        """Send content, unless it is there.

        If it is there then the source may stay unread. A manifest or an index goes where
        manifests go.

        Args:
            source: Bytes, the path of a file, or an open binary file, read from where it
                stands and left open.
            media_type: What the returned descriptor says that the content is.
            expected: What the content must be. Without it a stream that cannot seek is first
                copied to a temporary file.

        Returns:
            A plain descriptor of the content.

        Raises:
            IntegrityError: The content is not the expected one; nothing was stored.
            UnsupportedDigestError: The expected digest cannot be computed here.
            DocumentError: The media type is none, or the content is no manifest although its
                media type says so.
            LimitExceededError: It is a manifest or an index, and too large for one.
            RegistryError: The registry refused or failed.
            OSError: The source cannot be read.

        Spec: distribution:upload, distribution:location, distribution:put-digest.
        """
        if expected is not None and not isinstance(source, bytes | bytearray | memoryview):
            wanted = Descriptor(media_type=media_type, digest=expected.digest, size=expected.size)
            if self._holds(wanted, "pull,push"):
                return wanted
        with open_upload(source, media_type=media_type, expected=expected) as upload:
            descriptor = upload.descriptor
            if media_type in DOCUMENT_TYPES:
                require_document_size(descriptor)
                self.send_manifest(upload.read_all(), descriptor, name=str(descriptor.digest))
            elif not self._holds(descriptor, "pull,push"):
                self._send(upload)
        return descriptor

    def send_manifest(self, data: bytes, descriptor: Descriptor, *, name: str) -> None:
        """Send a manifest or an index under a tag or its digest.

        If it has a subject and the registry does not say that it took note, then it is added to
        the list of the subject's referrers.

        Args:
            data: Its bytes.
            descriptor: What they are.
            name: The tag, or the digest.

        Raises:
            IntegrityError: The bytes are not what the descriptor says, or the registry says
                that it stored something else.
            DocumentError: They are no such document.
            LimitExceededError: They are too many.
            RegistryError: The registry refused or failed, or the list of referrers could not be
                brought up to date.

        Spec: distribution:manifest-type, distribution:manifest-type-said,
            distribution:subject-list.
        """
        verify(data, descriptor)
        document = decode_document(data, descriptor)
        answer = self._session.request(
            "PUT",
            f"manifests/{name}",
            accept=CREATED,
            actions="pull,push",
            headers={"Content-Type": descriptor.media_type, "Content-Length": str(len(data))},
            body=data,
        )
        with answer:
            answer.drain()
            require_digest(answer, descriptor)
            noted = answer.header("OCI-Subject") is not None
        if document.subject is not None and not noted:
            with self._listing:
                add_referrer(self._session, document.subject.digest, descriptor, document)

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

    def _send(self, upload: Upload) -> None:
        descriptor = upload.descriptor
        with self._session.request(
            "POST", "blobs/uploads/", accept={ACCEPTED}, actions="pull,push"
        ) as answer:
            answer.drain()
            where = join(answer.url, answer.header("Location"), status=answer.status)
        query = urlencode({"digest": str(descriptor.digest)})
        answer = self._session.request(
            "PUT",
            f"{where}{'&' if '?' in where else '?'}{query}",
            accept=CREATED,
            actions="pull,push",
            headers={"Content-Type": OCTET_STREAM, "Content-Length": str(descriptor.size)},
            body=upload,
        )
        with answer:
            answer.drain()
            if not upload.complete:
                raise TransportError(
                    f"the registry says that it stored {descriptor.digest} before it had all of it",
                    status=answer.status,
                )
            require_digest(answer, descriptor)


def _path(descriptor: Descriptor) -> str:
    kind = "manifests" if descriptor.media_type in DOCUMENT_TYPES else "blobs"
    return f"{kind}/{descriptor.digest}"


def _missing(digest: Digest) -> BlobNotFoundError:
    return BlobNotFoundError(f"the repository has no blob {digest}")
