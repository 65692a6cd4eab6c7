"""Delivery: how one blob gets into a repository, in one piece or in chunks, or by a mount.

If something fails on the way the registry is asked how much it has, and the rest is sent in
chunks. A registry that forgot the upload gets the blob from the beginning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ocilayout.errors import AuthError, RateLimitedError, RegistryError, TransportError
from ocilayout.model import OCTET_STREAM
from ocilayout.registry.address import join
from ocilayout.registry.content import require_digest
from ocilayout.registry.session import (
    ACCEPTED,
    CREATED,
    NO_CONTENT,
    NOT_FOUND,
    OK,
    Session,
)
from ocilayout.registry.upload import Part, Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model import Descriptor
    from ocilayout.registry.answer import Answer

_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Failures behind which an upload may go on."""

_OUT_OF_ORDER: Final = 416
_LENGTH: Final = re.compile(r"[0-9]{1,18}")

# distribution-spec: `Range: 0-<end-of-range>`, the last byte that is there, both included.
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


class Delivery:
    """One blob on its way into a repository."""

    def __init__(
        self,
        session: Session,
        upload: Upload,
        place: Place,
        *,
        holds: Callable[[], bool],
        chunk_size: int | None = None,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            session: The conversation with the registry.
            upload: The blob.
            place: Where it goes.
            holds: Tells whether the registry has the blob.
            chunk_size: How large the chunks are, in bytes; `None` for one piece, as long as
                nothing fails.
        """
        self._session = session
        self._upload = upload
        self._descriptor = upload.descriptor
        self._holds = holds
        self._chunk_size = chunk_size
        self._where, self._least = place

    def run(self) -> None:
        """Bring the blob there.

        Raises:
            IntegrityError: The content is not the expected one, or the registry says that it
                stored something else; nothing was stored.
            AuthError: The registry does not accept who we are.
            RateLimitedError: It asks to come back later.
            TransportError: The connection failed, again and again.
            RegistryError: The registry refused or failed.
            OSError: The source cannot be read.

        Spec: distribution:upload, distribution:chunks, distribution:chunk-size.
        """
        failures, reached = 0, 0
        chunked = self._chunk_size is not None
        while True:
            try:
                if chunked:
                    self._send_chunks()
                else:
                    self._send_whole()
            except (TransportError, RegistryError) as error:
                if not _may_pass(error):
                    raise
                failures = 1 if self._upload.position > reached else failures + 1
                reached = max(reached, self._upload.position)
                if self._recover(error, failures):
                    return
                chunked = True
            else:
                return

    def _follow(self, answer: Answer) -> None:
        """Go on where the registry says.

        Spec: distribution:location.
        """
        self._where = join(answer.url, answer.header("Location"), status=answer.status)

    def _send_whole(self) -> None:
        """Send everything in the request that ends the upload."""
        length = str(self._descriptor.size)
        self._end(self._upload, {"Content-Type": OCTET_STREAM, "Content-Length": length})

    def _send_chunks(self) -> None:
        """Send what is left, in chunks, and end the upload."""
        size = self._descriptor.size
        step = max(self._chunk_size or size, self._least)
        if not size:
            self._upload.read(1)  # so that it is verified
        while not self._upload.complete:
            start = self._upload.position
            length = min(step, size - start)
            with self._session.request(
                "PATCH",
                self._where,
                accept={ACCEPTED, OK, NO_CONTENT, 201},
                actions="pull,push",
                headers={
                    "Content-Type": OCTET_STREAM,
                    "Content-Length": str(length),
                    "Content-Range": f"{start}-{start + length - 1}",
                },
                body=Part(self._upload, length),
                once=True,
            ) as answer:
                answer.drain()
                self._follow(answer)
                self._require_taken(answer, start + length)
        self._end(b"", {"Content-Length": "0"})

    def _require_taken(self, answer: Answer, position: int) -> None:
        """Refuse to go on behind a chunk that was not taken as a whole."""
        taken = _taken(answer)
        if self._upload.position != position:
            raise TransportError(
                f"the registry answered before it had all of a chunk of {self._descriptor.digest}",
                status=answer.status,
            )
        if taken is not None and taken != position:
            raise _PartlyTakenError(
                f"the registry took {taken} bytes of {self._descriptor.digest} where {position}"
                " were sent",
                status=answer.status,
            )

    def _end(self, body: bytes | Upload, headers: dict[str, str]) -> None:
        query = urlencode({"digest": str(self._descriptor.digest)})
        with self._session.request(
            "PUT",
            f"{self._where}{'&' if '?' in self._where else '?'}{query}",
            accept=CREATED,
            actions="pull,push",
            headers=headers,
            body=body,
            once=True,
        ) as answer:
            answer.drain()
            if not self._upload.complete:
                raise RegistryError(
                    f"the registry says that it stored {self._descriptor.digest} before it had"
                    " all of it",
                    status=answer.status,
                )
            require_digest(answer, self._descriptor)

    def _recover(self, error: RegistryError, failures: int) -> bool:
        """Find out where to go on behind a failure, or raise it.

        Returns:
            Whether the registry has the blob, and nothing is left to do.
        """
        retry = self._session.retry
        if failures >= retry.attempts:
            raise error
        asked = error.retry_after if isinstance(error, RateLimitedError) else None
        delay = retry.delay(failures, asked)
        if delay is None:
            raise error
        retry.sleep(delay)
        if self._upload.complete and self._holds():
            return True  # the answer was lost, and nothing else
        if self._upload.go_to(self._ask()):
            return False
        if not self._upload.rewind():
            raise error
        self._where, self._least = begin(self._session)
        return False

    def _ask(self) -> int:
        """Ask the registry how many bytes it has; less than none if it does not say."""
        try:
            answer = self._session.request(
                "GET", self._where, accept={NO_CONTENT, ACCEPTED, OK}, actions="pull,push"
            )
        except RegistryError as error:
            if error.status is None:
                raise
            return -1  # it forgot the upload, or cannot tell
        with answer:
            answer.drain()
            if answer.header("Location") is not None:
                self._follow(answer)
            taken = _taken(answer)
            return -1 if taken is None else taken


Place = tuple[str, int]
"""Where an upload goes, and how large its chunks have to be at least, in bytes."""


def begin(session: Session) -> Place:
    """Ask for a place to send a blob to.

    Raises:
        RegistryError: The registry refused or failed, or names no place.

    Spec: distribution:location.
    """
    with session.request(
        "POST", "blobs/uploads/", accept={ACCEPTED}, actions="pull,push"
    ) as answer:
        answer.drain()
        return _place(answer)


def mount(session: Session, descriptor: Descriptor, repository: str) -> Place | None:
    """Ask for a blob of another repository.

    Args:
        session: The conversation with the registry.
        descriptor: The blob.
        repository: The path of the other repository.

    Returns:
        `None` if the blob is there now, else a place to send it to.

    Raises:
        DigestMismatchError: The registry says that it mounted something else.
        RegistryError: The registry refused or failed, or names no place.

    Spec: distribution:mount.
    """
    query = urlencode({"mount": str(descriptor.digest), "from": repository})
    try:
        answer = session.request(
            "POST",
            f"blobs/uploads/?{query}",
            accept={ACCEPTED, *CREATED},
            actions="pull,push",
        )
    except AuthError:
        return begin(session)  # who may not read there may write here
    with answer:
        answer.drain()
        if answer.status == ACCEPTED:
            return _place(answer)
        require_digest(answer, descriptor)
        return None


def _place(answer: Answer) -> Place:
    where = join(answer.url, answer.header("Location"), status=answer.status)
    least = answer.header("OCI-Chunk-Min-Length") or ""
    return where, int(least) if _LENGTH.fullmatch(least) else 0


class _PartlyTakenError(RegistryError):
    """The registry has another part of the upload than was sent."""


def _may_pass(error: RegistryError) -> bool:
    """Tell whether an upload may go on behind a failure."""
    if isinstance(error, AuthError):
        return False
    if isinstance(error, TransportError | _PartlyTakenError):
        return True
    return error.status in _PASSING or error.status in {_OUT_OF_ORDER, NOT_FOUND}


def _taken(answer: Answer) -> int | None:
    """Return how many bytes a registry says it has, or `None`.

    `0-0` says nothing: registries answer it for an upload that is empty, and for one byte.
    """
    found = _RANGE.fullmatch(answer.header("Range") or "")
    return int(found[1]) + 1 if found is not None and int(found[1]) else None
