"""Layers that are compressed, unpacked while they are read.

What a layer is, its first bytes say, and not its media type: in archives of Docker it has none, and
programs give uncompressed layers the media type of compressed ones.
"""

from __future__ import annotations

import gzip
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from ocilayout.archive.block import COMPRESSIONS
from ocilayout.archive.window import GZIP
from ocilayout.errors import DocumentError, LimitExceededError

if TYPE_CHECKING:
    from types import ModuleType

    from ocilayout.model import Readable

HEAD: Final = 4
"""How many bytes tell how content is compressed."""

_HEADS: Final = {GZIP: "gzip", **COMPRESSIONS}


def compression_of(head: bytes) -> str:
    """Return the program that compressed content with these first bytes; empty if none did."""
    return next((name for magic, name in _HEADS.items() if head.startswith(magic)), "")


class Peeked:
    """A stream of which the first bytes are known before they are read.

    Attributes:
        head: Its first bytes, `HEAD` of them unless it is shorter.
    """

    def __init__(self, raw: Readable) -> None:
        """Read the first bytes of a stream, which is not closed with this one."""
        self._raw = raw
        head = b""
        while len(head) < HEAD and (data := raw.read(HEAD - len(head))):
            head += data
        self.head = self._unread = head

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if self._unread:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        return self._raw.read(size)

    def close(self) -> None:
        """Do nothing."""


class Unpacked:
    """A compressed stream, unpacked."""

    def __init__(self, raw: Readable, program: str, *, limit: int, place: str) -> None:
        """Begin to unpack; nothing is read yet.

        Args:
            raw: The stream, which is closed with this one.
            program: The program that compressed it, as `compression_of` returns it.
            limit: How much it may unpack to, in bytes.
            place: Where it is, for messages.

        Raises:
            DocumentError: This Python cannot unpack it.
        """
        self._raw = raw
        self._program = program
        self._place = place
        self._left = self._limit = limit
        self._errors: tuple[type[Exception], ...] = (EOFError,)
        if program == "gzip":
            self._stream: Readable = gzip.GzipFile(fileobj=cast("BinaryIO", raw), mode="rb")
            self._errors += (zlib.error, gzip.BadGzipFile)
        else:
            zstd = _zstd() if program == "zstd" else None
            if zstd is None:
                raise _unsupported(program, place)
            self._stream = zstd.ZstdFile(raw, "rb")
            self._errors += (zstd.ZstdError,)

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end.

        Raises:
            DocumentError: The compressed content is damaged or truncated.
            LimitExceededError: It unpacks to more than the limit.
        """
        try:
            data = self._stream.read(size)
        except self._errors as error:
            message = f"the layer is not {self._program} as a whole: {error}"
            raise DocumentError.of("bad-layer", message, self._place) from None
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._place, self._limit)
        return data

    def close(self) -> None:
        """Close this stream and the compressed one."""
        self._stream.close()
        self._raw.close()


def too_large(place: str, limit: int) -> LimitExceededError:
    """Return the error of layers that unpack to more than is allowed, in bytes."""
    return LimitExceededError(
        f"{place}: the layers unpack to more than {limit} bytes up to here; if they are meant to,"
        " allow more with unpack_limit, which commands take as --unpack-limit (cp:"
        " --from-unpack-limit)",
        what="unpacked layers",
        limit=limit,
    )


def _zstd() -> ModuleType | None:
    """Return Python's own module for zstd, or the package that has it for older versions."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _unsupported(program: str, place: str) -> DocumentError:
    message = f"the layer is compressed with {program}, which is not supported"
    if program == "zstd":
        message = (
            "the layer is compressed with zstd, which this Python cannot unpack; use Python 3.14"
            " or install the package backports.zstd"
        )
    return DocumentError.of("bad-layer", message, place)
