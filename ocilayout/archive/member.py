"""The members of a tar: what each is called, what it is, and where its bytes lie.

Headers are read where they lie, and content is not. `tarfile` is not used, because it
takes a damaged header for the end, reads extended headers of any size into memory, and takes the
times in a GNU header for the front of a path. Where two readers of a tar are known to disagree
on what it holds, it is refused. Hard links, sparse files and owners
have no meaning here.

Formats: POSIX.1-2017, pax, ustar Interchange Format and pax Extended Header; GNU tar manual,
Basic Tar Format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from attrs import define, field, frozen

from ocilayout.archive.block import (
    BLOCK,
    MAX_SIZE,
    Block,
    damaged,
    read_block,
    readable,
    refused,
    text_of,
    truncated,
)
from ocilayout.errors import DocumentError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.archive.window import Window

MAX_EXTENSION: Final = 1024 * 1024
"""The largest extended header that is read, in bytes; Go's archive/tar has the same limit."""

MAX_NAME: Final = 4096
"""The longest name of a member that is read, in bytes; it is the longest path that Linux takes."""

RECORDS: Final = 100_000
"""The most extended headers and records in them of a tar, besides 20 for each member."""

_RECORDS_EACH: Final = 20

Kind = Literal["file", "folder", "other"]

_FILES: Final = frozenset({b"0", b"\0", b"7"})
_FOLDER: Final = b"5"
_SYMBOLIC_LINK: Final = b"2"
# Links, devices, folders and FIFOs are headers alone.
_BARE: Final = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS: Final = frozenset({_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK})
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?")
# Python's tarfile takes 0 for what is not a number, other readers refuse it.
_NUMBERS: Final = {
    b"size": _DECIMAL,
    b"uid": _DECIMAL,
    b"gid": _DECIMAL,
    b"mtime": _TIME,
    b"atime": _TIME,
    b"ctime": _TIME,
}


@frozen(kw_only=True)
class Member:
    """One member of a tar.

    Attributes:
        name: Its name as it stands there.
        path: Its name without `./` and needless slashes; empty for the root.
        kind: What it is; `other` is a link, a device, or of an unknown type.
        offset: Where its content begins in the tar, in bytes.
        size: How long its content is, in bytes.
        link: What a symbolic link leads to, as it stands there; empty for anything else.
    """

    name: str
    path: str
    kind: Kind
    offset: int
    size: int
    link: str = ""


@define
class _Extension:
    """The extended headers of the next member."""

    kinds: set[bytes] = field(factory=set)
    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None

    def take(self, kind: bytes, data: bytes, count: Callable[[], None], place: str) -> None:
        """Add one extended header.

        Raises:
            DocumentError: It is damaged, or readers disagree on what it means.
            LimitExceededError: There are too many records.
        """
        if kind == _PAX_GLOBAL:
            # tarfile applies these to all members behind it, Go's archive/tar to none.
            if {b"path", b"size"} & _records(data, count, place).keys():
                raise damaged("a global header names a member or gives its size", place)
            return
        if kind in self.kinds or {kind, *self.kinds} >= {_PAX, _GNU_NAME}:
            raise damaged("two extended headers speak of the same member", place)
        self.kinds.add(kind)
        if kind == _GNU_NAME:
            self.name = text_of(data) or None
        elif kind == _GNU_LINK:
            self.link = text_of(data)
        elif kind == _PAX:
            records = _records(data, count, place)
            self.name = records.get(b"path")
            self.link = records.get(b"linkpath", self.link)
            if b"size" in records:
                self.size = int(records[b"size"])


@define
class _Counter:
    """Counts extended headers and their records, of which an honest tar has few."""

    limit: int = RECORDS
    count: int = 0

    def __call__(self) -> None:
        self.count += 1
        if self.count > self.limit:
            raise LimitExceededError(
                f"the extended headers of the archive hold more than {RECORDS} records besides"
                f" {_RECORDS_EACH} for each member",
                what="records",
                limit=RECORDS,
            )


def iter_members(window: Window) -> Iterator[Member]:
    """Give the members of a tar in their order.

    When a member is given, its content was found to be there in its length; after the last one, so
    was the end of the tar.

    Args:
        window: The tar, not compressed.

    Raises:
        NotALayoutError: It is not a tar.
        DocumentError: It is damaged or truncated, a name is absolute or leads out of it, or
            readers of a tar disagree on what it holds. The place is the name of the member.
        LimitExceededError: An extended header is larger than 1 MiB, there are too many, or a name
            is longer than 4096 bytes.
    """
    offset, place = 0, "."
    says, count = _Extension(), _Counter()
    while (block := read_block(window, offset, place)) is not None:
        offset += BLOCK
        if block.kind in _EXTENSIONS:
            size = block.size
            count()
            says.take(block.kind, _read_extension(window, offset, size, place), count, place)
        else:
            member = _member(block, says, offset, place)
            if offset + member.size > window.size:
                raise truncated(member.name)
            yield member
            count.limit += _RECORDS_EACH
            place, size, says = member.name, member.size, _Extension()
        offset += size + -size % BLOCK
    if says.kinds:
        raise damaged("an extended header has no member behind it", place)


def _member(header: Block, says: _Extension, offset: int, place: str) -> Member:
    raw = header.name if says.name is None else says.name
    if len(raw) > MAX_NAME:
        raise LimitExceededError(
            f"{place}: the member behind it has a name of {len(raw)} bytes, the limit is"
            f" {MAX_NAME}",
            what="name",
            limit=MAX_NAME,
        )
    name = readable(raw)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise DocumentError.of("unsafe-member", "the name leads out of the archive", name)
    if b"\0" in raw:
        raise damaged("a name holds a NUL", name)
    size = header.size if says.size is None else says.size
    kind: Kind = "other"
    # Before there was a type for folders, a slash at the end of the name said it.
    if header.kind == _FOLDER or (header.kind == b"\0" and name.endswith("/")):
        kind = "folder"
    elif header.kind in _FILES and not name.endswith("/"):
        kind = "file"
    if size and (kind == "folder" or header.kind in _BARE):
        raise damaged("it has content and is not a file: some readers skip that", name)
    link = header.link if says.link is None else says.link
    return Member(
        name=name,
        path="/".join(parts),
        kind=kind,
        offset=offset,
        size=size,
        link=readable(link) if header.kind == _SYMBOLIC_LINK else "",
    )


def _read_extension(window: Window, offset: int, size: int, place: str) -> bytes:
    if size > MAX_EXTENSION:
        raise LimitExceededError(
            f"{place}: an extended header behind it has {size} bytes, the limit is {MAX_EXTENSION}",
            what="extended header",
            limit=MAX_EXTENSION,
        )
    data = window.read(offset, size)
    if len(data) < size:
        raise truncated(place)
    return data


def _records(data: bytes, count: Callable[[], None], place: str) -> dict[bytes, bytes]:
    # record = length " " keyword "=" value "\n", where length is decimal and counts it all
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        blank = data.find(b" ", start, start + 8)
        length = data[start : max(blank, start)]
        end = start + int(length) if _DECIMAL.fullmatch(length) else 0
        key, _, value = data[blank + 1 : end].partition(b"=") if end else (b"", b"", b"")
        if end > len(data) or not key or not value.endswith(b"\n"):
            raise damaged("a record of an extended header is damaged", place)
        if key.startswith(b"GNU.sparse."):
            raise refused("a sparse file", place)
        value = value[:-1]
        if key in _NUMBERS and not (_NUMBERS[key].fullmatch(value) and _is_small(key, value)):
            raise damaged(f"the {key.decode()} of an extended header is not a number", place)
        if key == b"path" and not value:
            # An empty value takes back the record: to POSIX, but not to Python's tarfile.
            raise damaged("the path of an extended header is empty", place)
        records[key] = value
        start = end
        count()
    return records


def _is_small(key: bytes, value: bytes) -> bool:
    return key != b"size" or int(value) <= MAX_SIZE
