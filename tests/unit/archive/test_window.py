"""A file that is read at offsets: by threads, from files of other kinds, and unpacked."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from ocilayout.archive import window as window_module
from ocilayout.archive.window import MOST_TIMES, Window, open_window
from ocilayout.errors import DocumentError, LimitExceededError, NotALayoutError
from ocilayout.model.stream import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = bytes(range(256)) * 64


class Grudging(io.BytesIO):
    """A file that gives a few bytes at a time, as a raw file may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, 7))


def buffered(path: Path) -> BinaryIO:
    return path.open("rb")


def raw(path: Path) -> BinaryIO:
    return cast("BinaryIO", path.open("rb", buffering=0))


def in_memory(path: Path) -> BinaryIO:
    return io.BytesIO(path.read_bytes())


def grudging(path: Path) -> BinaryIO:
    return Grudging(path.read_bytes())


def packed(path: Path) -> BinaryIO:
    """Return a file whose `fileno` is that of other bytes."""
    other = path.with_suffix(".gz")
    other.write_bytes(gzip.compress(path.read_bytes()))
    return cast("BinaryIO", gzip.open(other, "rb"))


def buffered_twice(path: Path) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", packed(path))))


def zipped(path: Path) -> BinaryIO:
    other = path.with_suffix(".zip")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "x")
    return cast("BinaryIO", zipfile.ZipFile(other).open("x"))


ALL = [buffered, raw, in_memory, grudging, packed, buffered_twice, zipped]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("opener", ALL)
def test_every_kind_of_file(opener: Callable[[Path], BinaryIO], path: Path) -> None:
    """Threads read the same bytes at once from files and from what only looks like one."""
    with opener(path) as file:
        file.seek(100)
        window = Window(file, "x", owned=False)
        assert window.size == len(DATA) - 100
        assert file.tell() == 100
        places = [(start, size) for start in range(0, 4000, 97) for size in (0, 1, 300)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda place: window.read(*place), places))
        assert found == [DATA[100 + start :][:size] for start, size in places]


def test_the_end(path: Path) -> None:
    """Only at the end are there fewer bytes than asked for, and none behind it."""
    for opener in (raw, grudging):
        with opener(path) as file:
            window = Window(file, "x", owned=False)
            assert window.read(len(DATA) - 10, 100) == DATA[-10:]
            assert window.read(len(DATA), 1) == b""
            assert window.read(len(DATA) * 2, 1) == b""


def test_sections(path: Path) -> None:
    """A section is a stream that ends where the part does, and leaves the file open."""
    with closing(open_window(path, unpack_limit=None)) as window:
        section = window.section(10, 20)
        assert section.read(5) == DATA[10:15]
        assert section.read() == DATA[15:30]
        assert section.read(1) == b""
        section.close()
        assert window.section(0, 0).read(1) == b""
        assert window.section(0, 3).read(100) == DATA[:3]


def test_who_closes_the_file(path: Path) -> None:
    """A file that the window opened is closed with it, and a given file is not."""
    window = open_window(path, unpack_limit=None)
    window.close()
    with pytest.raises(ValueError, match="closed"):
        window.read(0, 1)
    with path.open("rb") as file:
        open_window(file, unpack_limit=None).close()
        assert file.read(1) == DATA[:1]


def test_what_it_is_called(path: Path) -> None:
    """A window is named by its path, as far as there is one."""
    for given, name in ((path, str(path)), (str(path), str(path)), (io.BytesIO(b""), "the open")):
        with closing(open_window(given, unpack_limit=None)) as window:
            assert window.name.startswith(name)
    with path.open("rb") as file:
        assert open_window(file, unpack_limit=None).name == str(path)
    with tempfile.TemporaryFile() as nameless:
        assert open_window(nameless, unpack_limit=None).name == "the open file"


def test_no_file(tmp_path: Path) -> None:
    """A path that is not that of a regular file is not an archive."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    for name, why in (
        ("absent", "no such file"),
        ("file/x", "no such file"),
        ("", "it is a folder; a layout in a folder is written oci:PATH"),
        ("fifo", "it is not a regular file"),
    ):
        with pytest.raises(NotALayoutError, match=why):
            open_window(tmp_path / name, unpack_limit=None)


def test_a_pipe_cannot_be_read_at_offsets() -> None:
    """What cannot seek is refused by the operating system's error."""
    read, write = os.pipe()
    os.close(write)
    with io.FileIO(read) as file, pytest.raises(OSError, match="seek"):
        open_window(file, unpack_limit=None)


# ------------------------------------------------------------ gzip


@pytest.mark.parametrize("parts", [1, 3])
def test_gzip_is_unpacked(parts: int, path: Path) -> None:
    """A gzip stream of one or several members is read as what it unpacks to."""
    size = len(DATA) // parts + 1
    data = b"".join(gzip.compress(DATA[at : at + size]) for at in range(0, len(DATA), size))
    path.write_bytes(data)
    with closing(open_window(path, unpack_limit=len(DATA))) as window:
        assert window.size == len(DATA)
        assert window.read(100, 100) == DATA[100:200]
        assert window.name == str(path)


def test_gzip_from_where_the_file_stands(path: Path) -> None:
    """Of a file that was given, what lies before its position does not matter."""
    with path.open("wb+") as file:
        file.write(b"before" + gzip.compress(DATA))
        file.seek(6)
        with closing(open_window(file, unpack_limit=None)) as window:
            assert window.read(0, len(DATA) + 1) == DATA


def test_the_temporary_file_has_no_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking leaves no name behind, also while the window is open, or when it fails."""
    folder = path.parent / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path.write_bytes(gzip.compress(DATA))
    with closing(open_window(path, unpack_limit=None)):
        assert list(folder.iterdir()) == []
    path.write_bytes(gzip.compress(DATA)[:-1])
    with pytest.raises(DocumentError):
        open_window(path, unpack_limit=None)
    assert list(folder.iterdir()) == []


def test_damaged_gzip(path: Path) -> None:
    """A gzip stream that is damaged, cut off or followed by something else is refused."""
    good = gzip.compress(DATA)
    flipped = bytearray(good)
    flipped[-6] ^= 1  # the checksum of the content
    for data in (good[:-1], good[:5], good[:40], bytes(flipped), good + b"x", b"\x1f\x8b" * 20):
        path.write_bytes(data)
        with pytest.raises(DocumentError, match="gzip stream is damaged") as caught:
            open_window(path, unpack_limit=None)
        assert [problem.code for problem in caught.value.problems] == ["bad-gzip"]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_gzip_of_any_ratio_is_unpacked_to_its_end(size: int, path: Path) -> None:
    """What unpacks to many pieces of the size that is taken at a time is whole, too."""
    noise = bytes(range(256)) * (size // 256 + 1)
    for content in (bytes(size), noise[:size], os.urandom(size)):
        path.write_bytes(gzip.compress(content, 1) + gzip.compress(content) + bytes(2000))
        with closing(open_window(path, unpack_limit=None)) as window:
            assert window.read(0, 2 * size + 1) == 2 * content


def test_gzip_with_all_that_its_header_may_have(path: Path) -> None:
    """A name, a comment, an extra field and a checksum of the header are passed over."""
    plain = gzip.compress(DATA)
    for flags, fields in (
        (8, b"a" * 70_000 + b"\0"),
        (16, b"a" * 70_000 + b"\0"),
        (4, b"\xff\xff" + bytes(65_535)),
        (4 | 8 | 16, b"\x01\x00x" + b"name\0" + b"comment\0"),
    ):
        packed = plain[:3] + bytes([flags]) + plain[4:10] + fields + plain[10:]
        path.write_bytes(packed + bytes(1000) + packed)
        with closing(open_window(path, unpack_limit=None)) as window:
            assert window.read(0, 3 * len(DATA)) == 2 * DATA


class Counted(io.BytesIO):
    """A file that counts how often it is read, and how much."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads = self.size = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.size += len(data)
        return data


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"\x1f\x8b\x08\x08" + bytes(5) + b"\xff" + b"a" * 1_000_000, False),
        (b"\x1f\x8b\x08\x10" + bytes(5) + b"\xff" + b"a" * 1_000_000, False),
        (gzip.compress(b"x") + bytes(1_000_000), True),
        (gzip.compress(b"") * 20_000, True),
        (gzip.compress(bytes(40_000)) * 5000, True),
        (gzip.compress(os.urandom(600)) * 2000, True),
    ],
    ids=["name", "comment", "padding", "empty members", "dense members", "small members"],
)
def test_gzip_is_read_a_piece_at_a_time(data: bytes, *, whole: bool) -> None:
    """No part of a gzip stream takes many reads for its size, and none is read again and again."""
    file = Counted(data)
    try:
        open_window(file, unpack_limit=None).close()
    except DocumentError:
        assert not whole
    else:
        assert whole
    members = data.count(b"\x1f\x8b\x08")
    assert file.reads <= len(data) // 10_000 + 3 * members + 20
    assert file.size <= 3 * len(data) + 600 * members


def test_gzip_that_unpacks_to_too_much(path: Path) -> None:
    """A limit ends the unpacking."""
    path.write_bytes(gzip.compress(DATA))
    with pytest.raises(LimitExceededError, match="unpacks to more than") as caught:
        open_window(path, unpack_limit=len(DATA) - 1)
    assert (caught.value.what, caught.value.limit) == ("unpacked archive", len(DATA) - 1)


def test_what_gzip_unpacks_to_is_bounded_by_its_size(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit it is a multiple of the size, and the error says how to allow more."""
    monkeypatch.setattr(window_module, "LEAST_UNPACKED", 0)
    path.write_bytes(gzip.compress(bytes(200_000)))
    times = f"{MOST_TIMES} times its size"
    with pytest.raises(LimitExceededError, match=f"{times}.*allow more with unpack_limit.*--unp"):
        open_window(path, unpack_limit=None)
    with closing(open_window(path, unpack_limit=200_000)) as window:
        assert window.size == 200_000
    monkeypatch.undo()
    with closing(open_window(path, unpack_limit=None)) as window:
        assert window.size == 200_000
