"""Streams of content: what bytes are read from, and a stream that verifies what it reads."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Final, Protocol, cast

from ocilayout.model.descriptor import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model.descriptor import Descriptor

CHUNK: Final = 1024 * 1024
"""How much is read and written at a time, in bytes."""


class Readable(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        ...

    def close(self) -> None:
        """Release what is behind it."""
        ...


class Seekable(Readable, Protocol):
    """What can be read again."""

    def tell(self) -> int:
        """Return where it stands, in bytes."""
        ...

    def seek(self, position: int, /) -> int:
        """Go to where it stood."""
        ...


def is_seekable(stream: Readable) -> bool:
    """Tell whether a stream can be read again; one that has only `read` cannot."""
    seekable = getattr(stream, "seekable", None)
    return seekable is not None and bool(seekable())


BlobSource = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable
"""What a blob may be made of: bytes, the path of a file, or an open binary file."""


class LateStream:
    """A stream that is opened once somebody wants to read.

    Attributes:
        opened: Whether somebody did.
    """

    def __init__(self, open_raw: Callable[[], Readable]) -> None:
        """Prepare to open a stream.

        Args:
            open_raw: Opens it.
        """
        self.opened = False
        self._open = open_raw
        self._stream: Readable | None = None

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            Exception: Whatever opening and reading the stream raises.
        """
        return self._raw().read(size)

    def seekable(self) -> bool:
        """Tell whether the stream can be read again."""
        return is_seekable(self._raw())

    def tell(self) -> int:
        """Return where the stream stands, in bytes."""
        return cast("Seekable", self._raw()).tell()

    def seek(self, position: int, /) -> int:
        """Go to a place, in bytes; only if `seekable` says so."""
        return cast("Seekable", self._raw()).seek(position)

    def close(self) -> None:
        """Close the stream, if it was opened."""
        if self._stream is not None:
            self._stream.close()

    def _raw(self) -> Readable:
        if self._stream is None:
            self.opened = True
            self._stream = self._open()
        return self._stream


class VerifiedReader(io.RawIOBase):
    """A stream that fails instead of ending when it was not the content of its descriptor.

    The last bytes are handed out only after all of them were found to be right, so a caller who
    reads as many bytes as the descriptor says need not read on to be safe.

    Spec: descriptor:verify.
    """

    def __init__(self, raw: Readable, descriptor: Descriptor) -> None:
        """Wrap a stream.

        Args:
            raw: Where the bytes come from; closed with this stream.
            descriptor: What they must be.

        Raises:
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
        """
        super().__init__()
        # This object is closed even if it is refused here, and the stream stays the caller's then.
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
            How many bytes were read; 0 at the end.

        Raises:
            IntegrityError: The stream is not what its descriptor says.
        """
        if self._done or not len(buffer):
            return 0
        data = self._raw.read(len(buffer))
        self._verifier.update(data)
        if not data or self._verifier.seen == self._verifier.descriptor.size:
            self._verifier.update(self._raw.read(1) if data else b"")
            self._verifier.finish()
            self._done = True
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all that is left, verified.

        Raises:
            IntegrityError: The stream is not what its descriptor says.
        """
        return b"".join(iter(lambda: self.read(CHUNK) or b"", b""))

    def detach(self) -> Readable:
        """Return the stream behind, for somebody who verifies it himself; this one is done with.

        Raises:
            ValueError: Something was read already.
        """
        if self._verifier.seen or self._done:
            raise ValueError("something was read already; read on, it is verified at the end")
        # Whoever forgets this one closes it, and must not close what he was given.
        raw, self._raw, self._done = self._raw, io.BytesIO(), True
        return raw

    def close(self) -> None:
        """Close this stream and the one behind it."""
        if not self.closed:
            self._raw.close()
        super().close()
