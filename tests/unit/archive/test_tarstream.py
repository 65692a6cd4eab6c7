"""A tar written as a stream: what its headers say, and where it may go."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import threading
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from ocilayout.archive.tarstream import TarStream, _header, open_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Reluctant(io.RawIOBase):
    """A raw file that takes a few bytes at a time, or none if it would have to wait."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self.taken = bytearray()
        self._limit = limit

    def write(self, data: bytes | memoryview, /) -> int | None:  # type: ignore[override] # the stub asks for any buffer
        self.taken += data[: self._limit or 0]
        return None if self._limit is None else min(len(data), self._limit)


def write(file: BinaryIO) -> None:
    """Write one member of each kind."""
    tar = TarStream(file)
    tar.add("a", b"abc")
    tar.add_folder("b")
    tar.add_stream("b/c", 512, io.BytesIO(b"x" * 512))
    tar.add("b/" + "d" * 150, b"")
    tar.add_link("b/e", "../a")
    tar.finish()


def write_half(path: Path) -> None:
    """Begin a file and fail."""
    with open_target(path) as file:
        file.write(b"half")
        raise ZeroDivisionError


@pytest.fixture
def expected() -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def members(data: bytes) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        yield from tar


def test_members(expected: bytes) -> None:
    """Each kind has a fixed mode, no owner and no time; members stand in the order written."""
    found = list(members(expected))
    assert [(member.name, member.size, member.mode) for member in found] == [
        ("a", 3, 0o644), ("b", 0, 0o755), ("b/c", 512, 0o644), ("b/" + "d" * 150, 0, 0o644),
        ("b/e", 0, 0o777),
    ]  # fmt: skip
    assert [member.isdir() for member in found] == [False, True, False, False, False]
    assert [member.linkname for member in found if member.issym()] == ["../a"]
    for member in found:
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == 0


def test_the_end_fills_a_record(expected: bytes) -> None:
    """A tar ends with two empty blocks at least, and is a multiple of 10240 bytes long."""
    assert len(expected) % 10240 == 0
    assert not any(expected[-1024:])
    full = io.BytesIO()
    tar = TarStream(full)
    tar.add("a", bytes(10240 - 3 * 512))
    tar.finish()
    assert len(full.getvalue()) == 10240
    assert [member.name for member in members(full.getvalue())] == ["a"]


def test_the_bytes_of_a_header() -> None:
    """A header is USTAR byte for byte, whatever the version of the standard library."""
    expected = b"a".ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"00000000003\0"
    expected += b"0" * 11 + b"\0" + b"006101\0 " + b"0" + bytes(100) + b"ustar\x0000"
    assert _header("a", 3) == expected.ljust(512, b"\0")


def test_pax_where_it_is_needed() -> None:
    """A name splits into prefix and name where it can; only what fits nowhere gets a record."""
    split = _header("blobs/sha384/" + "a" * 96, 0)
    assert (len(split), split[:96], split[345:357]) == (512, b"a" * 96, b"blobs/sha384")
    long = _header("blobs/sha512/" + "a" * 128, 0)
    assert b" path=blobs/sha512/" in long
    large = _header("a", 8 * 1024**3)
    assert b" size=8589934592\n" in large
    assert len(large) == len(long) == 3 * 512
    assert len(_header("a", 8 * 1024**3 - 1)) == 512


def test_a_file_that_takes_a_part() -> None:
    """What a raw file leaves of a write is written again, and nothing twice."""
    plain, reluctant = io.BytesIO(), Reluctant(7)
    write(plain)
    write(cast("BinaryIO", reluctant))
    assert reluctant.taken == plain.getvalue()


def test_a_file_that_does_not_wait() -> None:
    """A file that takes nothing now is an error, and not a loop."""
    with pytest.raises(BlockingIOError) as caught:
        write(cast("BinaryIO", Reluctant(None)))
    assert caught.value.errno == errno.EAGAIN


# ------------------------------------------------------------ targets


def test_a_new_file(tmp_path: Path, expected: bytes) -> None:
    """A file appears at its path when it is whole, with the usual mode, and nothing beside it."""
    path = tmp_path / "x.tar"
    mask = os.umask(0o027)
    try:
        with open_target(str(path)) as file:
            write(file)
            assert not path.exists()
    finally:
        os.umask(mask)
    assert path.read_bytes() == expected
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced(tmp_path: Path, expected: bytes) -> None:
    """A file is replaced and keeps its mode, also through a link, which stays one."""
    path, link = tmp_path / "x.tar", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o600)
    link.symlink_to(path)
    with open_target(link) as file:
        write(file)
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == expected
    assert path.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()


@pytest.mark.parametrize("before", [b"old", None])
def test_a_failure_changes_nothing(tmp_path: Path, before: bytes | None) -> None:
    """If the block raises, the path is as it was and no other file is left."""
    path = tmp_path / "x.tar"
    if before is not None:
        path.write_bytes(before)
    files = list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        write_half(path)
    assert list(tmp_path.iterdir()) == files
    assert before is None or path.read_bytes() == before


def test_a_fifo_is_written_to(tmp_path: Path, expected: bytes) -> None:
    """A FIFO at the path stays one, and gets the tar."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    with open_target(path) as file:
        write(file)
    reader.join()
    assert found == [expected]
    assert path.is_fifo()


def test_a_given_file_stays_open(expected: bytes) -> None:
    """A file that was given is written to from where it stands, and not closed."""
    given = io.BytesIO(b"before")
    given.seek(0, io.SEEK_END)
    with open_target(given) as file:
        write(file)
    assert given.getvalue() == b"before" + expected


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """What the file system refuses is its own error."""
    (tmp_path / "file").touch()
    for name in ("", "absent/x", "file/x"):
        with pytest.raises(OSError, match=r"directory"), open_target(tmp_path / name):
            pytest.fail("it was opened")
