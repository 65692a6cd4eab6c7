"""Streams of content, and their verification."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Final, Protocol, cast

from ocilayout.errors import ArgumentError
from ocilayout.kind import name_of
from ocilayout.model.descriptor import Verifier

if TYPE_CHECKING:
    from ocilayout.model.descriptor import Descriptor

CHUNK: Final = 1024 * 1024
"""How much is read and written at a time, in bytes."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...

    def close(self) -> None:
        """Release the resources of the stream."""
        ...


class Seekable(Readable, Protocol):
    """A stream that can be read again."""

    def tell(self) -> int:
        """Return the position, in bytes."""
        ...

    def seek(self, position: int, /) -> int:
        """Go to a position that `tell` returned."""
        ...


def read_bytes(stream: Readable, size: int) -> bytes:
    """Read from a stream that a caller gave.

    Raises:
        TypeError: It gives something else than bytes, such as text, or `None` for want of data.
    """
    data: object = stream.read(size)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ArgumentError(f"the stream must give bytes, not {name_of(data)}")
    return cast("bytes", data)


def is_seekable(stream: Readable) -> bool:
    """Return whether a stream can be read again; a stream without `seekable` cannot."""
    seekable = getattr(stream, "seekable", None)
    return seekable is not None and bool(seekable())


BlobSource = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable
"""The content of a new blob: bytes, the path of a file, or an open binary file."""


class VerifiedReader(io.RawIOBase):
    """A stream that fails at its end if its bytes do not match a descriptor.

    It returns the last bytes only after all bytes are verified, so a caller who reads as many bytes
    as the descriptor says need not read on to be safe. Closing it closes the stream behind it.

    Raises:
        UnsupportedDigestError: The algorithm of the digest cannot be computed here.

    Spec: descriptor:verify.
    """

    def __init__(self, raw: Readable, descriptor: Descriptor) -> None:
        super().__init__()
        # `io` closes this object even if the constructor fails; then `raw` stays with the caller.
        self._raw: Readable = io.BytesIO()
        self._verifier = Verifier(descriptor)
        self._raw = raw
        self._done = False

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # the stub asks for any buffer; io passes these
        """Read into a buffer.

        Returns:
            The number of bytes, 0 at the end.

        Raises:
            IntegrityError: The bytes do not match the descriptor.
        """
        if self._done or not len(buffer):
            return 0
        data = self._raw.read(len(buffer))
        self._verifier.update(data)
        if not data or self._verifier.seen == self._verifier.descriptor.size:
            # A stream that goes on behind the size is refused, too.
            self._verifier.update(self._raw.read(1) if data else b"")
            self._verifier.finish()
            self._done = True
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return the remaining bytes, verified.

        Raises:
            IntegrityError: The bytes do not match the descriptor.
        """
        return b"".join(iter(lambda: self.read(CHUNK) or b"", b""))

    def detach(self) -> Readable:
        """Return the stream behind this one, for a caller who verifies it; this one ends.

        Raises:
            ValueError: Bytes were read already.
        """
        if self._verifier.seen or self._done:
            raise ValueError("bytes were read already; read on, they are verified at the end")
        # This object is closed when it is collected, and must not close the returned stream then.
        raw, self._raw, self._done = self._raw, io.BytesIO(), True
        return raw

    def close(self) -> None:
        """Close this stream and the stream behind it."""
        if not self.closed:
            self._raw.close()
        super().close()
