"""What is sent as a blob: any source, described before it is sent and verified while it is."""

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
    verify,
)
from ocilayout.registry.transport import BodyFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Upload:
    """What is sent: it fails before its last bytes if it is not what it should be.

    Each byte is hashed once, also if it has to be sent twice.

    Attributes:
        descriptor: What it must be.
        position: Where it stands, in bytes.
    """

    def __init__(self, file: Readable, descriptor: Descriptor) -> None:
        """Begin where a file stands.

        Args:
            file: Where the bytes come from; never closed here.
            descriptor: What they must be.

        Raises:
            UnsupportedDigestError: The digest's algorithm cannot be computed here.
        """
        self.descriptor = descriptor
        self.position = 0
        self._file = file
        self._again = _start(file)
        self._verifier = Verifier(descriptor)
        self._checked = False

    @property
    def complete(self) -> bool:
        """Whether all bytes were read."""
        return self.position == self.descriptor.size

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            IntegrityError: The bytes are not what the descriptor says.
            BodyFailedError: The file cannot be read.
        """
        try:
            return self._read(size)
        except OSError as error:
            raise BodyFailedError(error) from error

    def read_all(self) -> bytes:
        """Return all bytes, for what is sent from memory.

        Raises:
            IntegrityError: The bytes are not what the descriptor says.
            OSError: The file cannot be read.
        """
        return b"".join(iter(lambda: self._read(CHUNK), b""))

    def go_to(self, position: int) -> bool:
        """Go to where it shall be read on; tell whether that was possible.

        Args:
            position: The place, in bytes from the beginning; one below 0 is none.

        Raises:
            OSError: The file does not go there although it said that it does.
        """
        if position == self.position:
            return True
        if self._again is None or not 0 <= position <= self._verifier.seen:
            return False
        file, start = self._again
        file.seek(start + position)
        self.position = position
        return True

    def rewind(self) -> bool:
        """Go back to the beginning; tell whether that was possible.

        Raises:
            OSError: The file does not go back although it said that it does.
        """
        return self.go_to(0)

    def _read(self, size: int) -> bytes:
        if size <= 0:
            return b""
        data = self._file.read(size)
        self.position += len(data)
        new = self.position - self._verifier.seen
        if new > 0:
            self._verifier.update(data[-new:])
        # The last bytes are given away only after all were found to be right.
        if not self._checked and (not data or self.complete):
            self._verifier.update(self._file.read(1) if data else b"")
            self._verifier.finish()
            self._checked = True
        return data


class Part:
    """A part of an upload, as a body of its own."""

    def __init__(self, upload: Upload, size: int) -> None:
        """Begin where an upload stands.

        Args:
            upload: The whole.
            size: How long the part is, in bytes.
        """
        self._upload = upload
        self._start = upload.position
        self._size = size

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            IntegrityError: The bytes of the whole are not what its descriptor says.
            BodyFailedError: The file cannot be read.
        """
        left = self._start + self._size - self._upload.position
        return self._upload.read(min(size, left)) if left > 0 else b""

    def rewind(self) -> bool:
        """Go back to the beginning of the part; tell whether that was possible.

        Raises:
            OSError: The file does not go back although it said that it does.
        """
        return self._upload.go_to(self._start)


@contextmanager
def open_upload(
    source: BlobSource, *, media_type: str, expected: Descriptor | None
) -> Iterator[Upload]:
    """Open a source and find out what it holds.

    A path or a file that can seek is read once to hash it; any other stream is copied to a
    temporary file. With `expected` nothing is read ahead.

    Args:
        source: Bytes, the path of a file, or an open binary file, read from where it stands.
        media_type: The media type of the content.
        expected: What the content must be, or `None` if that is to be found out.

    Raises:
        IntegrityError: Bytes are not the expected ones; files are compared while they are sent.
        UnsupportedDigestError: The expected digest cannot be computed here.
        DocumentError: The media type is none.
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
            again = _start(file)
            if again is None:
                spooled = stack.enter_context(tempfile.TemporaryFile())
                while data := file.read(CHUNK):
                    spooled.write(data)
                spooled.seek(0)
                file = spooled
                again = (spooled, 0)
            expected = _describe(*again, media_type)
        yield Upload(
            file,
            Descriptor(media_type=media_type, digest=expected.digest, size=expected.size),
        )


def _start(file: Readable) -> tuple[Seekable, int] | None:
    """Return a file with the place where it stands, or `None` if it cannot go back there."""
    if not is_seekable(file):
        return None
    again = cast("Seekable", file)
    return again, again.tell()


def _describe(file: Seekable, start: int, media_type: str) -> Descriptor:
    hasher = new_hasher("sha256")
    size = 0
    while data := file.read(CHUNK):
        hasher.update(data)
        size += len(data)
    file.seek(start)
    digest = Digest(f"sha256:{hasher.hexdigest()}")
    return Descriptor(media_type=media_type, digest=digest, size=size)
