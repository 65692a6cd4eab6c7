"""Contents of blobs under test, and streams that give them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.layout.blobs import Blobs


TEXT = "text/plain"
DATA = bytes(range(256)) * 20
LONG_AGO = 1_000_000_000
MEBIBYTE = 1024 * 1024


def described(data: bytes = DATA, algorithm: str = "sha256") -> Descriptor:
    """Describe bytes as text."""
    return Descriptor.of(data, TEXT, algorithm)


def sized(descriptor: Descriptor, size: int) -> Descriptor:
    """Return a descriptor that promises another size."""
    return Descriptor(media_type=TEXT, digest=descriptor.digest, size=size)


def unknown(name: str = "newhash:abc") -> Descriptor:
    """Describe content that cannot be verified here."""
    return Descriptor(media_type=TEXT, digest=Digest.parse(name), size=3)


class Trickle:
    """A stream that gives less than it is asked for, and may break off with an error."""

    def __init__(self, data: bytes, step: int = 7, *, breaks: bool = False) -> None:
        self._file = io.BytesIO(data)
        self._step = step
        self._breaks = breaks
        self.reads = 0
        self.closes = 0

    def read(self, size: int, /) -> bytes:
        self.reads += 1
        data = self._file.read(min(size, self._step))
        if self._breaks and not data:
            raise OSError("the cable was pulled")
        return data

    def close(self) -> None:
        self.closes += 1


def files(root: Path) -> list[str]:
    """List the files below a folder."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def place(blobs: Blobs, digest: Digest, data: bytes) -> Path:
    """Lay a file in a blob's place, as another program does."""
    path = blobs.path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
