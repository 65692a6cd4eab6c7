"""The body of an upload: any source, described before it is sent and verified while it is sent."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ocilayout.model import (
    CHUNK,
    BlobSource,
    Descriptor,
    Digest,
    Readable,
    Seekable,
    Verifier,
    is_seekable,
    new_hasher,
    read_bytes,
    verify,
)
from ocilayout.registry.transport import BodyFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class BlobBody:
    """The content of a blob to send; it fails before its last bytes if they are not as expected.

    Each byte is hashed once, even if it has to be sent twice.

    Args:
        file: The source of the bytes, from its current position on; it is not closed here.
        descriptor: The expected content; also an attribute.

    Attributes:
        position: How many bytes were read.

    Raises:
        UnsupportedDigestError: The algorithm of the digest cannot be computed here.
    """

    def __init__(self, file: Readable, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.position = 0
        self._file = file
        self._start = _find_start(file)
        self._verifier = Verifier(descriptor)
        self._verified = False

    @property
    def complete(self) -> bool:
        """Whether all bytes were read."""
        return self.position == self.descriptor.size

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            IntegrityError: The bytes are not what the descriptor says.
            BodyFailedError: The file cannot be read.
        """
        try:
            return self._read(size)
        except OSError as error:
            raise BodyFailedError(error) from error

    def read_all(self) -> bytes:
        """Return all bytes.

        Raises:
            IntegrityError: The bytes are not what the descriptor says.
            OSError: The file cannot be read.
        """
        return b"".join(iter(lambda: self._read(CHUNK), b""))

    def seek(self, position: int) -> bool:
        """Go to a position that was read before, never below 0; tell whether that is possible.

        Raises:
            OSError: The file does not seek although it says that it can.
        """
        if position == self.position:
            return True
        if self._start is None or not 0 <= position <= self._verifier.seen:
            return False
        file, start = self._start
        file.seek(start + position)
        self.position = position
        return True

    def rewind(self) -> bool:
        """Go back to the beginning, and tell whether that is possible.

        Raises:
            OSError: As for `seek`.
        """
        return self.seek(0)

    def _read(self, size: int) -> bytes:
        if size <= 0:
            return b""
        data = read_bytes(self._file, size)
        self.position += len(data)
        # After seeking back, only bytes beyond those that were hashed before are new.
        new = self.position - self._verifier.seen
        if new > 0:
            self._verifier.update(data[-new:])
        # The last bytes are returned only after all bytes were verified, so that a registry never
        # gets the whole of wrong content. One byte more shows whether the file is longer.
        if not self._verified and (not data or self.complete):
            self._verifier.update(read_bytes(self._file, 1) if data else b"")
            self._verifier.finish()
            self._verified = True
        return data


class BodyPart:
    """A part of a body from its current position on, sent as one chunk; its size is in bytes."""

    def __init__(self, whole: BlobBody, size: int) -> None:
        self._whole = whole
        self._start = whole.position
        self._size = size

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end; raises as `BlobBody.read` does."""
        left = self._start + self._size - self._whole.position
        return self._whole.read(min(size, left)) if left > 0 else b""

    def rewind(self) -> bool:
        """Go back to the beginning of the part; see `BlobBody.seek`."""
        return self._whole.seek(self._start)


@contextmanager
def open_body(
    source: BlobSource, *, media_type: str, expected: Descriptor | None
) -> Iterator[BlobBody]:
    """Open a source as a body, with the descriptor of its content.

    Without `expected` a path or a file that can seek is read once to hash it, and any other stream
    is copied to a temporary file. With `expected` nothing is read ahead.

    The arguments are those of `RepositoryBlobs.put`.

    Raises:
        IntegrityError: Bytes are not the expected ones; files are compared while they are sent.
        UnsupportedDigestError: The expected digest cannot be computed here.
        DocumentError: The media type is not valid.
        OSError: The source cannot be read.
    """
    with ExitStack() as stack:
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
            file: Readable = io.BytesIO(data)
            if expected is not None:
                verify(data, expected)
        elif isinstance(source, str | os.PathLike):
            file = stack.enter_context(Path(source).open("rb"))
        else:
            file = source
        if expected is None:
            start = _find_start(file)
            if start is None:
                copy = stack.enter_context(tempfile.TemporaryFile())
                while data := read_bytes(file, CHUNK):
                    copy.write(data)
                copy.seek(0)
                file, start = copy, (copy, 0)
            expected = _describe(*start, media_type)
        yield BlobBody(
            file,
            Descriptor(media_type=media_type, digest=expected.digest, size=expected.size),
        )


def _find_start(file: Readable) -> tuple[Seekable, int] | None:
    """Return a file that can seek with its current position, or `None` if it cannot."""
    if not is_seekable(file):
        return None
    seekable = cast("Seekable", file)
    return seekable, seekable.tell()


def _describe(file: Seekable, start: int, media_type: str) -> Descriptor:
    hasher = new_hasher("sha256")
    size = 0
    while data := read_bytes(file, CHUNK):
        hasher.update(data)
        size += len(data)
    file.seek(start)
    digest = Digest.parse(f"sha256:{hasher.hexdigest()}")
    return Descriptor(media_type=media_type, digest=digest, size=size)
