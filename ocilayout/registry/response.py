"""A response of a registry: its body, what its headers say of the content, and broken connections.

The body is read undecoded, in pieces, and no further than the caller asks.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as ExpiredError

from ocilayout.errors import (
    DigestMismatchError,
    DocumentError,
    LimitExceededError,
    RegistryError,
    TlsError,
    TransportError,
)
from ocilayout.model import (
    CHUNK,
    DOCUMENT_TYPES,
    MAX_DOCUMENT,
    SCHEMA1_TYPES,
    Descriptor,
    Digest,
    decode_document,
    document_type,
    parse_json,
)
from ocilayout.registry.address import origin

if TYPE_CHECKING:
    from typing import Self

    from urllib3 import BaseHTTPResponse

    from ocilayout.registry.patience import Timeouts

_MAX_DRAIN: Final = 64 * 1024  # bytes; to read more costs more than another connection
_LENGTH: Final = re.compile(r"[0-9]{1,18}")  # below 2**63

CONNECTION_ERRORS: Final = (HTTPError, OSError, http.client.HTTPException)
"""What urllib3 raises when a connection fails, including what it lets through from below."""

# Without schema 1: a registry that has to choose may convert an image to it.
ANY_MANIFEST: Final = ", ".join(sorted(DOCUMENT_TYPES - SCHEMA1_TYPES, reverse=True))
"""The value of `Accept` for any manifest or index; the media types of OCI come first."""


class Response:
    """A response: status, headers, and a body that is read at most once.

    Args:
        response: The response of urllib3, its body unread.
        url: The address that it came from, after all redirects; also an attribute. Unlike
            `origin(url)` it may hold secrets.
        timeouts: The least rate of the body, and the time over which it has to keep to it.

    Attributes:
        status: The HTTP status.
        repeated: Whether the request was sent before, so that the registry may have done then what
            was asked.
    """

    def __init__(self, response: BaseHTTPResponse, url: str, *, timeouts: Timeouts) -> None:
        self.status = response.status
        self.url = url
        self.repeated = False
        self._response = response
        self._timeouts = timeouts
        self._waited = 0.0
        self._received = 0

    def header(self, name: str) -> str | None:
        """Return a header, several of one name joined with commas, or `None`."""
        return self._response.headers.get(name)

    def headers(self, name: str) -> list[str]:
        """Return all headers of a name."""
        return self._response.headers.getlist(name)

    # ------------------------------------------------------------ the body

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes of the body, none at the end.

        Raises:
            TransportError: The connection failed, stalled, or ended too early.
        """
        before = time.monotonic()
        try:
            # Not `read`: http.client takes a chunk of negative size as "to the end".
            data = self._response.read1(min(size, CHUNK), decode_content=False) or b""
        except CONNECTION_ERRORS as error:
            raise connection_error(self.url, error) from None
        # Only waiting for the registry counts, as the caller may be slow as well.
        self._waited += time.monotonic() - before
        self._received += len(data)
        stall, least = self._timeouts.stall, self._timeouts.least_rate
        if self._waited > stall:
            if data and self._received < least * stall:
                self.close()
                raise TransportError(
                    f"{origin(self.url)}: the content comes slower than {least:.0f} bytes a second;"
                    " it has stalled"
                )
            self._waited, self._received = 0.0, 0
        return data

    def read_all(self, limit: int) -> bytes:
        """Return the whole body, of at most `limit` bytes.

        Raises:
            LimitExceededError: The body is larger.
            TransportError: The connection failed, or ended too early.
        """
        body = bytearray()
        while data := self.read(limit + 1 - len(body)):
            body += data
            if len(body) > limit:
                raise LimitExceededError(
                    f"{origin(self.url)} sent more than {limit} bytes where no more are accepted",
                    what="response",
                    limit=limit,
                )
        return bytes(body)

    def close(self) -> None:
        """Drop the rest of the body, and the connection with it."""
        self._response.close()

    def drain(self) -> None:
        """Close, but keep the connection if little of the body is left."""
        try:
            self.read_all(_MAX_DRAIN)
        except (LimitExceededError, TransportError):
            pass
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ what the headers say

    def media_type(self) -> str:
        """Return the media type without parameters, in lower case; empty if there is none.

        Spec: distribution:content-type-parameters, media-types:returned.
        """
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    def content_length(self) -> int | None:
        """Return the size that the headers state, in bytes, or `None`."""
        text = self.header("Content-Length") or ""
        return int(text) if _LENGTH.fullmatch(text) else None

    def content_digest(self) -> Digest | None:
        """Return the digest that the headers state, or `None`.

        Raises:
            RegistryError: It is not a valid digest.
        """
        text = self.header("Docker-Content-Digest")
        if text is None:
            return None
        try:
            return Digest.parse(text)
        except DocumentError:
            raise RegistryError(
                "the registry's Docker-Content-Digest is not a valid digest", status=self.status
            ) from None

    def require_digest(self, descriptor: Descriptor) -> None:
        """Refuse headers that state another digest; one of another algorithm proves nothing.

        Raises:
            DigestMismatchError: They state another digest.
            RegistryError: They state an invalid one.

        Spec: distribution:digest-header, distribution:put-digest.
        """
        stated = self.content_digest()
        if stated is None or stated.algorithm != descriptor.digest.algorithm:
            return
        if stated != descriptor.digest:
            raise DigestMismatchError(
                f"the registry answers for {stated} instead of {descriptor.digest}",
                descriptor=descriptor,
                actual=str(stated),
            )

    # ------------------------------------------------------------ manifests

    def describe_manifest(self, wanted: Digest | None) -> Descriptor | None:
        """Return the descriptor of a manifest, if the headers alone state it.

        `wanted` is the digest that was asked for, or `None` if it was a tag.

        Raises:
            DigestMismatchError: They state another digest than was asked for.
            RegistryError: They state an invalid digest.
        """
        media_type = self.media_type()
        size = self.content_length()
        stated = self.content_digest()
        # No manifest is empty, so a size of 0 is wrong.
        if media_type not in DOCUMENT_TYPES or not size or stated is None:
            return None
        if wanted is not None and stated.algorithm != wanted.algorithm:
            return None
        descriptor = Descriptor(media_type=media_type, digest=wanted or stated, size=size)
        self.require_digest(descriptor)
        return descriptor

    def read_manifest(self, wanted: Digest | None) -> tuple[bytes, Descriptor]:
        """Return the bytes of a manifest and its descriptor; for `wanted` see `describe_manifest`.

        Raises:
            DigestMismatchError: The bytes have another digest than was asked for, or than the
                headers state.
            LimitExceededError: The body is too large for a manifest.
            RegistryError: The body is not a manifest or an index.
            UnsupportedDigestError: The algorithm of the digest cannot be computed here.

        Spec: distribution:digest-header, distribution:verify-manifest,
            distribution:docker-headers.
        """
        data = self.read_all(MAX_DOCUMENT)
        media_type = self.media_type()
        if media_type not in DOCUMENT_TYPES:
            media_type = self._manifest_type(data)
        meant = wanted or self.content_digest()
        algorithm = "sha256" if meant is None else meant.algorithm
        descriptor = Descriptor.of(data, media_type, algorithm)
        if meant is not None and meant != descriptor.digest:
            raise DigestMismatchError(
                f"the registry answers with {descriptor.digest} instead of {meant}",
                descriptor=Descriptor(media_type=media_type, digest=meant, size=len(data)),
                actual=str(descriptor.digest),
            )
        self.require_digest(descriptor)
        return data, descriptor

    def _manifest_type(self, data: bytes) -> str:
        """Return the media type of a manifest whose headers do not state one."""
        try:
            media_type = document_type(data)
            decode_document(data, Descriptor.of(data, media_type))
        except (DocumentError, LimitExceededError):
            what = "neither a manifest nor an index"
            with suppress(DocumentError, LimitExceededError):
                if parse_json(data).get("schemaVersion") == 1:
                    what = "an image of Docker's schema 1 that cannot be read; push it again"
            raise RegistryError(f"the registry answers with {what}", status=self.status) from None
        return media_type


def connection_error(url: str, error: Exception) -> TransportError:
    """Return our error for one of `CONNECTION_ERRORS`.

    It does not repeat what the other side sent, which may have a secret.
    """
    if isinstance(error, LocationValueError):
        return TransportError("the registry's host is not an address that can be connected to")
    if isinstance(error, SSLError | ssl.SSLError):
        failure = f"{origin(url)}: TLS failed, {error}"
        return TlsError(
            f"{failure}; give ca_certs for a registry with an authority of its own, or plain_http"
            " for one without TLS",
            failure=failure,
        )
    if isinstance(error, ProxyError):
        reason = (
            "the proxy that leads there cannot be reached or refuses; look at HTTPS_PROXY,"
            " HTTP_PROXY and NO_PROXY"
        )
    elif isinstance(error, NameResolutionError):
        reason = "the host name cannot be resolved"
    elif isinstance(error, NewConnectionError):
        reason = f"no connection, {error.__cause__ or 'refused'}"
    elif isinstance(error, ExpiredError | TimeoutError):
        reason = "no answer within the timeout"
    else:
        reason = "the connection broke, or what came over it is not HTTP"
    return TransportError(f"{origin(url)}: {reason}")
