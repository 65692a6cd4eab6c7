"""The header blocks of a tar, one by one.

A header is refused where two readers of it are known to disagree. Extended headers, which may
rename the member behind them, are the matter of `member`.

Formats: POSIX.1-2017, pax, ustar Interchange Format; GNU tar manual, Basic Tar Format.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.errors import DocumentError, NotALayoutError

if TYPE_CHECKING:
    from ocilayout.archive.window import Window

BLOCK: Final = 512
"""The unit of a tar, in bytes."""

MAX_SIZE: Final = 2**63 - 1
"""The largest size of a member, in bytes."""

_POSIX_MAGIC: Final = b"ustar\0"
_GNU_MAGIC: Final = b"ustar  \0"
_STAR_PREFIX: Final = 131  # in bytes; star has times behind it, in the field of POSIX

# Python's tarfile takes a header in which one of these is not a number for the end of the archive.
_NUMBERS: Final = {
    "mode": slice(100, 108),
    "owner": slice(108, 116),
    "group": slice(116, 124),
    "size": slice(124, 136),
    "time": slice(136, 148),
    "major device number": slice(329, 337),
    "minor device number": slice(337, 345),
}
_SIZE: Final = _NUMBERS["size"]
_CHECKSUM: Final = slice(148, 156)
_LINK: Final = slice(157, 257)
_PREFIX: Final = slice(345, 500)

# What GNU tar has in place of a prefix: two times and an offset, then fields of sparse files.
_GNU_NUMBERS: Final = (slice(345, 357), slice(357, 369), slice(369, 381))
_GNU_REST: Final = slice(381, 500)

# Readers disagree on where the content of the first ends, and on the meaning of the second.
_REFUSED: Final = {b"S": "a sparse file", b"X": "a header of Solaris tar"}

# An octal number between blanks. One that begins with NUL is 0 to some readers, and one that goes
# on behind a NUL is another number to each.
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")

COMPRESSIONS: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x04\x22\x4d\x18": "lz4",
}
"""What compressed content begins with, and the program for it; gzip is read here."""


@frozen
class Block:
    """A header.

    Attributes:
        name: The name in it, which an extended header may replace.
        kind: The type of the member, one byte.
        size: The size of its content, in bytes.
        link: What it leads to, if it is a link; an extended header may replace that, too.
    """

    name: bytes
    kind: bytes
    size: int
    link: bytes


def read_block(window: Window, offset: int, place: str) -> Block | None:
    """Return the header at an offset, and `None` if the tar ends there.

    Args:
        window: The tar.
        offset: Where the header begins, in bytes.
        place: The name of the member before it, for messages.

    Raises:
        NotALayoutError: The file does not begin with a header.
        DocumentError: The header is damaged, truncated, or read in different ways.
    """
    data = window.read(offset, BLOCK)
    if len(data) < BLOCK:
        if offset == 0:
            raise _not_a_tar(window, data)
        # Two empty blocks end a tar; without them it may have been cut off anywhere.
        raise truncated(place)
    if not any(data):
        if any(window.read(offset + BLOCK, BLOCK)):
            raise damaged("a lone empty block: some readers end there and some do not", place)
        return None
    if _octal(data[_CHECKSUM]) != sum(data) - sum(data[_CHECKSUM]) + 8 * ord(" "):
        if offset == 0:
            raise _not_a_tar(window, data)
        raise damaged("the checksum of the next header is wrong", place)
    return _block(data)


def _block(data: bytes) -> Block:
    """Return the fields of a header; refuse those that readers take differently."""
    prefix = _prefix(data)
    name = text_of(data[:100])
    if prefix:
        name = prefix + b"/" + name
    for what, part in _NUMBERS.items():
        if _number(data[part]) is None:
            raise damaged(f"the {what} is not a number", readable(name))
    size = _number(data[_SIZE])
    kind = data[156:157]
    if kind in _REFUSED:
        raise refused(_REFUSED[kind], readable(name))
    return Block(name, kind, size or 0, text_of(data[_LINK]))


def _prefix(data: bytes) -> bytes:
    """Return the prefix of the name; refuse what only some readers take for one."""
    prefix = text_of(data[_PREFIX])
    if data[257:263] == _POSIX_MAGIC:
        fits = not data.endswith(b"tar\0") or len(prefix) <= _STAR_PREFIX
    elif data[257:265] == _GNU_MAGIC:
        numbers = all(_number(data[part]) is not None for part in _GNU_NUMBERS)
        fits, prefix = numbers and not any(data[_GNU_REST]), b""
    else:
        fits = not any(data[_PREFIX])
    if not fits:
        name = readable(text_of(data[:100]))
        raise damaged("some readers take a field for the front of the name, some do not", name)
    return prefix


def _octal(data: bytes) -> int | None:
    match = _OCTAL.fullmatch(data)
    return None if match is None else int(match[1] or b"0", 8)


def _number(data: bytes) -> int | None:
    """Return a number, octal or base 256; `None` if it is neither, is negative or too large."""
    if not data[0] & 0x80:
        return _octal(data)
    # The first bit says base 256. The rest of the byte is that of a negative number, of one that
    # is too large, or zero; Python's tarfile takes a header with any other for the end.
    if data[0] != 0x80:  # noqa: PLR2004
        return None
    value = int.from_bytes(data[1:])
    return value if value <= MAX_SIZE else None


def text_of(data: bytes) -> bytes:
    """Return a text up to its NUL, if there is one."""
    return data.partition(b"\0")[0]


def readable(name: bytes) -> str:
    """Return a name as text."""
    return name.decode("utf-8", "backslashreplace")


def damaged(message: str, place: str) -> DocumentError:
    """Return the error of a tar that is damaged, or that readers take differently."""
    return DocumentError.of("bad-archive", message, place)


def refused(what: str, place: str) -> DocumentError:
    """Return the error of a kind of member that this library does not read."""
    return DocumentError.of("bad-archive", f"{what} is not read; pack without it", place)


def truncated(place: str) -> DocumentError:
    """Return the error of a tar that ends before its end."""
    return DocumentError.of("truncated-archive", "the archive ends too early", place)


def _not_a_tar(window: Window, data: bytes) -> NotALayoutError:
    begin = f"{window.name} is not {window.kind}: it is"
    scheme = "docker-archive" if window.kind == "a Docker archive" else "oci-archive"
    for magic, program in COMPRESSIONS.items():
        if data.startswith(magic):
            file = shlex.quote(window.name) if window.owned else "FILE"
            return NotALayoutError(
                f"{begin} compressed with {program}, which is not supported; unpack it on the way:"
                f" {program} -dc {file} | ocilayout cp {scheme}:- oci:FOLDER"
            )
    return NotALayoutError(f"{begin} neither a tar nor a tar compressed with gzip")
