"""The members of a tar: what each is called, what it is, and where its bytes lie.

Every header is read where it lies and nothing of the content is. `tarfile` is not used, because it
takes a damaged header for the end, reads extended headers of any size into memory, and takes the
times in a GNU header for the front of a path. Where two readers of a tar are known to disagree
on what it holds, it is refused. Links, sparse files and owners mean nothing here, and what a
layout needs of the members is not known here.

Formats: POSIX.1-2017, pax, ustar Interchange Format and pax Extended Header; GNU tar manual,
Basic Tar Format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from attrs import define, field, frozen

from ocilayout.errors import DocumentError, LimitExceededError, NotALayoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.archive.window import Window

BLOCK: Final = 512
"""The unit of a tar, in bytes."""

MAX_EXTENSION: Final = 1024 * 1024
"""The largest extended header that is read, in bytes; Go's archive/tar has the same limit."""

_MAX_SIZE: Final = 2**63 - 1
_POSIX_MAGIC: Final = b"ustar\0"

Kind = Literal["file", "folder", "other"]

_FILES: Final = frozenset({b"0", b"\0", b"7"})
_FOLDER: Final = b"5"
# Links, devices, folders and FIFOs are headers alone.
_BARE: Final = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS: Final = frozenset({_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK})
# Readers disagree on where the content of the one ends, and on what the other says at all.
_REFUSED: Final = {b"S": "a sparse file", b"X": "a header of Solaris tar"}

# An octal number between blanks; GNU ends it at the end of the field, others with a blank or NUL.
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_DECIMAL = re.compile(rb"[0-9]{1,19}")


@frozen(kw_only=True)
class Member:
    """One member of a tar.

    Attributes:
        name: Its name as it stands there.
        path: Its name without `./` and needless slashes; empty for the root.
        kind: What it is; `other` is a link, a device, or what nobody here knows.
        offset: Where its content begins in the tar, in bytes.
        size: How long its content is, in bytes.
    """

    name: str
    path: str
    kind: Kind
    offset: int
    size: int


@frozen
class _Header:
    """A block that says what follows it."""

    name: bytes
    kind: bytes
    size: int


@define
class _Extension:
    """What extended headers say of the member behind them."""

    kinds: set[bytes] = field(factory=set)
    name: bytes | None = None
    size: int | None = None

    def take(self, header: _Header, data: bytes, place: str) -> None:
        """Take in one extended header.

        Raises:
            DocumentError: It is damaged, or readers disagree on what it means.
        """
        if header.kind == _PAX_GLOBAL:
            # tarfile applies these to all members behind it, Go's archive/tar to none.
            if {b"path", b"size"} & _records(data, place).keys():
                raise _damaged("a global header names a member or gives its size", place)
            return
        if header.kind in self.kinds or {header.kind, *self.kinds} >= {_PAX, _GNU_NAME}:
            raise _damaged("two extended headers speak of the same member", place)
        self.kinds.add(header.kind)
        if header.kind == _GNU_NAME:
            self.name = _text(data) or None
        elif header.kind == _PAX:
            self._take_records(_records(data, place), place)

    def _take_records(self, records: dict[bytes, bytes], place: str) -> None:
        # An empty value takes a record back.
        self.name = records.get(b"path") or None
        size = records.get(b"size")
        if size:
            if _DECIMAL.fullmatch(size) is None or int(size) > _MAX_SIZE:
                raise _damaged("the size is no number", place)
            self.size = int(size)


def iter_members(window: Window) -> Iterator[Member]:
    """Give the members of a tar in their order.

    The content of a member was found to be there in its length when the member is given, and
    the end of the tar to be there when there are no more.

    Args:
        window: The tar, not compressed.

    Raises:
        NotALayoutError: It is no tar.
        DocumentError: It is damaged or truncated, a name is absolute or leads out of it, or
            readers of a tar disagree on what it holds. The place is the name of the member.
        LimitExceededError: An extended header is larger than 1 MiB.
    """
    offset, place = 0, "."
    says = _Extension()
    while (header := _read_header(window, offset, place)) is not None:
        offset += BLOCK
        if header.kind in _EXTENSIONS:
            size = header.size
            says.take(header, _read_extension(window, offset, size, place), place)
        else:
            member = _member(header, says, offset)
            if offset + member.size > window.size:
                raise _truncated(member.name)
            yield member
            place, size, says = member.name, member.size, _Extension()
        offset += size + -size % BLOCK
    if says.kinds:
        raise _damaged("an extended header has no member behind it", place)


def _read_header(window: Window, offset: int, place: str) -> _Header | None:
    """Return the header at an offset, and `None` if the end is there."""
    block = window.read(offset, BLOCK)
    if len(block) < BLOCK:
        if offset == 0:
            raise _no_tar(window)
        # Two empty blocks end a tar; without them nobody knows what was cut off.
        raise _truncated(place)
    if not any(block):
        if any(window.read(offset + BLOCK, BLOCK)):
            raise _damaged("a lone empty block: some readers end there and some do not", place)
        return None
    checksum = _octal(block[148:156])
    if checksum != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        if offset == 0:
            raise _no_tar(window)
        raise _damaged("the checksum of the next header is wrong", place)
    name = _text(block[:100])
    prefix = _text(block[345:500])
    if prefix and block[257:263] == _POSIX_MAGIC:
        name = prefix + b"/" + name
    size = _number(block[124:136])
    if size is None:
        raise _damaged("the size is no number", _readable(name))
    kind = block[156:157]
    if kind in _REFUSED:
        raise _refused(_REFUSED[kind], _readable(name))
    return _Header(name, kind, size)


def _member(header: _Header, says: _Extension, offset: int) -> Member:
    raw = header.name if says.name is None else says.name
    name = _readable(raw)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise DocumentError.of("unsafe-member", "the name leads out of the archive", name)
    if b"\0" in raw:
        raise _damaged("a name holds a NUL", name)
    size = header.size if says.size is None else says.size
    kind: Kind = "other"
    # Before there was a type for folders, a slash at the end of the name said it.
    if header.kind == _FOLDER or (header.kind == b"\0" and name.endswith("/")):
        kind = "folder"
    elif header.kind in _FILES and not name.endswith("/"):
        kind = "file"
    if size and (kind == "folder" or header.kind in _BARE):
        raise _damaged("it has content and is no file: some readers skip that", name)
    return Member(name=name, path="/".join(parts), kind=kind, offset=offset, size=size)


def _read_extension(window: Window, offset: int, size: int, place: str) -> bytes:
    if size > MAX_EXTENSION:
        raise LimitExceededError(
            f"{place}: an extended header behind it has {size} bytes, the limit is {MAX_EXTENSION}",
            what="extended header",
            limit=MAX_EXTENSION,
        )
    data = window.read(offset, size)
    if len(data) < size:
        raise _truncated(place)
    return data


def _records(data: bytes, place: str) -> dict[bytes, bytes]:
    """Return the records of a PAX header by their keywords; of two, the last one counts."""
    # record = length " " keyword "=" value "\n", where length is decimal and counts it all
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        blank = data.find(b" ", start, start + 8)
        length = data[start : max(blank, start)]
        end = start + int(length) if _DECIMAL.fullmatch(length) else 0
        key, _, value = data[blank + 1 : end].partition(b"=") if end else (b"", b"", b"")
        if end > len(data) or not key or not value.endswith(b"\n"):
            raise _damaged("a record of an extended header is damaged", place)
        if key.startswith(b"GNU.sparse."):
            raise _refused("a sparse file", place)
        records[key] = value[:-1]
        start = end
    return records


def _octal(data: bytes) -> int | None:
    match = _OCTAL.fullmatch(data)
    return None if match is None else int(match[1] or b"0", 8)


def _number(data: bytes) -> int | None:
    """Return a number, octal or base 256, and `None` if it is none or less than 0."""
    if not data[0] & 0x80:
        return _octal(data)
    # The first bit says base 256, the second one is the sign.
    value = int.from_bytes(data) - (0x80 << 8 * (len(data) - 1))
    return value if value <= _MAX_SIZE else None


def _text(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _readable(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _no_tar(window: Window) -> NotALayoutError:
    return NotALayoutError(f"{window.name} is no OCI archive: it is no tar, nor gzip of one")


def _damaged(message: str, place: str) -> DocumentError:
    return DocumentError.of("bad-archive", message, place)


def _refused(what: str, place: str) -> DocumentError:
    return DocumentError.of("bad-archive", f"{what} is not read; pack without it", place)


def _truncated(place: str) -> DocumentError:
    return DocumentError.of("truncated-archive", "the archive ends too early", place)
