"""How one blob gets into a repository: in one piece, in chunks, or mounted from another repository.

After a failure the registry is asked how much it has, and the rest is sent in chunks. If it forgot
the upload, the blob is sent from the beginning. An upload that is given up is cancelled.
"""

from __future__ import annotations

import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from attrs import define, field

from ocilayout.errors import AuthError, RateLimitedError, RegistryError, TransportError
from ocilayout.model import OCTET_STREAM
from ocilayout.registry.address import join
from ocilayout.registry.body import BlobBody, BodyPart
from ocilayout.registry.session import STORED, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model import Descriptor
    from ocilayout.registry.response import Response

_RESUMABLE: Final = frozenset(
    {
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,  # a chunk out of order
        HTTPStatus.NOT_FOUND,  # the registry forgot the upload
    }
)
"""The statuses after which an upload may go on, besides those of failures that pass."""

_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_NOT_MOUNTED: Final = (
    frozenset(range(200, 600)) - _LATER - {HTTPStatus.CREATED, HTTPStatus.UNAUTHORIZED}
)
"""The responses to a mount that mean an upload; 200 and 204 do not say that a blob was mounted."""

_CANCELLED: Final = {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
# distribution-spec: `Range: 0-<end-of-range>`, the position of the last byte, included.
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


class UploadLocation(NamedTuple):
    """Where to send a blob, as a registry says.

    Attributes:
        url: The address.
        min_chunk: The smallest chunk that the registry takes, in bytes.
    """

    url: str
    min_chunk: int


@define(kw_only=True)
class BlobUpload:
    """The upload of one blob.

    Args:
        session: The session with the registry.
        body: The content of the blob.
        location: Where to send it.
        is_stored: Asks the registry whether it has the blob.
        chunk_size: The size of the chunks, in bytes; `None` sends one piece, as long as nothing
            fails.

    Attributes:
        told: Whether to believe the registry about how much it has.
    """

    session: Session
    body: BlobBody
    location: UploadLocation
    is_stored: Callable[[], bool]
    chunk_size: int | None = None
    told: bool = field(default=True, init=False)

    @property
    def _descriptor(self) -> Descriptor:
        return self.body.descriptor

    def run(self) -> None:
        """Send the blob; raises as `RepositoryBlobs.put` does.

        Spec: distribution:upload, distribution:chunks, distribution:chunk-size.
        """
        try:
            self._run()
        except Exception as error:
            self._cancel(error)
            raise

    def _run(self) -> None:
        failures, farthest = 0, 0
        chunked = self.chunk_size is not None
        while True:
            try:
                if chunked:
                    self._send_chunks()
                else:
                    self._send_whole()
            except (TransportError, RegistryError) as error:
                if not self._is_resumable(error):
                    raise
                # Progress starts the count of failures again.
                failures = 1 if self.body.position > farthest else failures + 1
                farthest = max(farthest, self.body.position)
                if self._recover(error, failures):
                    return
                # Only what the registry kept needs chunks; it may not take any.
                chunked = self.chunk_size is not None or self.body.position > 0
            else:
                return

    def _is_resumable(self, error: RegistryError) -> bool:
        """Tell whether an upload may go on after a failure."""
        if isinstance(error, AuthError):
            return False
        if isinstance(error, TransportError | _ChunkLostError):
            return True
        return error.status in _RESUMABLE or error.status in self.session.patience.statuses

    def _cancel(self, error: Exception) -> None:
        """Tell the registry to forget the upload, unless it would not listen.

        Spec: distribution:cancel.
        """
        unreachable = isinstance(error, TransportError) and error.status is None
        if unreachable or isinstance(error, AuthError | RateLimitedError):
            return
        with suppress(RegistryError):
            self.session.request(
                "DELETE",
                self.location.url,
                accept=_CANCELLED,
                actions="pull,push",
                headers={"Content-Length": "0"},
                again=False,
            )

    def _follow(self, response: Response) -> None:
        """Go on at the address that a response gives for the next request.

        Spec: distribution:location.
        """
        url = join(response.url, response.header("Location"), status=response.status)
        self.location = self.location._replace(url=url)

    def _send_whole(self) -> None:
        """Send everything in the request that ends the upload."""
        length = str(self._descriptor.size)
        self._finish(self.body, {"Content-Type": OCTET_STREAM, "Content-Length": length})

    def _send_chunks(self) -> None:
        """Send the rest in chunks, and end the upload."""
        size = self._descriptor.size
        step = max(self.chunk_size or size, self.location.min_chunk)
        if not size:
            self.body.read(1)  # verifies that it is empty
        while not self.body.complete:
            start = self.body.position
            length = min(step, size - start)
            response = self.session.request(
                "PATCH",
                self.location.url,
                accept={HTTPStatus.ACCEPTED, *STORED},
                headers={
                    "Content-Type": OCTET_STREAM,
                    "Content-Length": str(length),
                    "Content-Range": f"{start}-{start + length - 1}",
                },
                body=BodyPart(self.body, length),
                again=False,
            )
            self._follow(response)
            self._require_stored(response, start + length)
        self._finish(b"", {"Content-Length": "0"})

    def _require_stored(self, response: Response, position: int) -> None:
        """Fail if a chunk was not stored as a whole."""
        stored = _stored_size(response) if self.told else None
        if self.body.position != position:
            raise TransportError(
                f"the registry answered before it had all of a chunk of {self._descriptor.digest}",
                status=response.status,
            )
        if stored is not None and stored < position and self._ask_size() < 0:
            # ECR says the end of the first chunk each time, and 404 to who asks. The chunk was
            # accepted; whether all of them were is up to the digest at the end.
            self.told = False
        elif stored is not None and stored != position:
            raise _ChunkLostError(
                f"the registry took {stored} bytes of {self._descriptor.digest} where {position}"
                " were sent",
                status=response.status,
            )

    def _finish(self, body: bytes | BlobBody, headers: dict[str, str]) -> None:
        query = urlencode({"digest": str(self._descriptor.digest)})
        url = self.location.url
        response = self.session.request(
            "PUT",
            f"{url}{'&' if '?' in url else '?'}{query}",
            accept=STORED,
            headers=headers,
            body=body,
            again=False,
        )
        if not self.body.complete:
            raise RegistryError(
                f"the registry says that it stored {self._descriptor.digest} before it had"
                " all of it",
                status=response.status,
            )
        response.require_digest(self._descriptor)

    def _recover(self, error: RegistryError, failures: int) -> bool:
        """Find out where to go on after a failure, or raise it.

        Returns:
            Whether the upload is done, as the registry has the blob.
        """
        patience = self.session.patience
        if failures >= patience.attempts:
            raise error
        asked = error.retry_after if isinstance(error, RateLimitedError) else None
        delay = patience.delay(failures, asked)
        if delay is None:
            raise error
        patience.sleep(delay)
        if self.body.complete and self.is_stored():
            return True  # only the response was lost
        if self.body.seek(self._ask_size()):
            return False
        if not self.body.rewind():
            raise error
        self.location = begin_upload(self.session, self.body.descriptor)
        return False

    def _ask_size(self) -> int:
        """Ask the registry how many bytes it has; below 0 if it does not say.

        Spec: distribution:upload-status.
        """
        try:
            response = self.session.request(
                "GET",
                self.location.url,
                accept={HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED, HTTPStatus.OK},
                actions="pull,push",
            )
        except RegistryError as error:
            if error.status is None:
                raise
            return -1  # it forgot the upload, or cannot tell
        with response:
            response.drain()
            if response.header("Location") is not None:
                self._follow(response)
            stored = _stored_size(response)
            return -1 if stored is None else stored


def begin_upload(session: Session, descriptor: Descriptor) -> UploadLocation:
    """Ask where to send a blob.

    Raises:
        RegistryError: The registry names no location; or as for `Session.request`.

    Spec: distribution:begin, distribution:digest-algorithm, distribution:location.
    """
    algorithm = descriptor.digest.algorithm
    query = "" if algorithm == "sha256" else f"?{urlencode({'digest-algorithm': algorithm})}"
    where = f"blobs/uploads/{query}"
    # An upload that the registry began and that is not used harms nothing.
    response = session.request("POST", where, accept={HTTPStatus.ACCEPTED}, again=True)
    return _read_location(response)


def mount_blob(session: Session, descriptor: Descriptor, repository: str) -> UploadLocation | None:
    """Ask the registry to take a blob from another of its repositories.

    Whatever it answers but 201, and if it does not answer, the blob is to be sent.

    Returns:
        `None` if the blob is stored now, else where to send it.

    Raises:
        DigestMismatchError: The registry says that it mounted something else.
        RegistryError: As for `begin_upload`.

    Spec: distribution:mount.
    """
    query = urlencode({"mount": str(descriptor.digest), "from": repository})
    try:
        response = session.request(
            "POST",
            f"blobs/uploads/?{query}",
            accept=_NOT_MOUNTED | {HTTPStatus.CREATED},
            again=True,
        )
        if response.status == HTTPStatus.ACCEPTED:
            return _read_location(response)
    except RateLimitedError:
        raise
    except RegistryError:
        # Among others the credentials may not read there, but may still write here.
        return begin_upload(session, descriptor)
    if response.status != HTTPStatus.CREATED:
        return begin_upload(session, descriptor)
    response.require_digest(descriptor)
    return None


def _read_location(response: Response) -> UploadLocation:
    url = join(response.url, response.header("Location"), status=response.status)
    least = response.header("OCI-Chunk-Min-Length") or ""
    return UploadLocation(url, int(least) if _LENGTH.fullmatch(least) else 0)


class _ChunkLostError(RegistryError):
    """The registry has another part of the upload than was sent."""


def _stored_size(response: Response) -> int | None:
    """Return how many bytes of an upload a registry says that it has, or `None`.

    `0-0` says nothing: registries send it for an empty upload, and for one of one byte.
    """
    match = _RANGE.fullmatch(response.header("Range") or "")
    return int(match[1]) + 1 if match is not None and int(match[1]) else None
