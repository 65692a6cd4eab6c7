"""Blobs: what is stored, what is read, and what is refused."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import (
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    SizeMismatchError,
    UnsupportedDigestError,
)
from ocilayout.layout.blobs import MAX_READ, Blobs
from ocilayout.layout.garbage import sweep
from ocilayout.layout.layout import Layout
from ocilayout.layout.newblob import PIECE
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.stream import VerifiedReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model.stream import Source

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
    return Descriptor(media_type=TEXT, digest=Digest(name), size=3)


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


def read_promised(reader: VerifiedReader, step: int, pieces: list[bytes]) -> None:
    """Read as many bytes as were promised and no more, as callers do who know the size."""
    while sum(map(len, pieces)) < len(DATA):
        pieces.append(reader.read(step) or b"")


def files(root: Path) -> list[str]:
    """List everything below a folder that is no folder."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def place(blobs: Blobs, digest: Digest, data: bytes) -> Path:
    """Lay a file in a blob's place, as another program does."""
    path = blobs.path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    root = tmp_path / "layout"
    (root / "blobs").mkdir(parents=True)
    return Blobs(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "layout"


# ---------------------------------------------------------------- put


def as_text_path(path: Path) -> Source:
    return str(path)


SOURCES: list[Callable[[Path], Source]] = [
    lambda path: path.read_bytes(),
    lambda path: bytearray(path.read_bytes()),
    lambda path: memoryview(path.read_bytes()),
    lambda path: path,
    as_text_path,
    lambda path: io.BytesIO(path.read_bytes()),
    lambda path: Trickle(path.read_bytes()),
]
KINDS = ["bytes", "bytearray", "memoryview", "path", "str", "file", "trickle"]


@pytest.mark.spec("image-layout:blob-content")
@pytest.mark.parametrize("expecting", [False, True])
@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_every_source_gives_the_same_blob(
    blobs: Blobs, root: Path, tmp_path: Path, source: Callable[[Path], Source], *, expecting: bool
) -> None:
    """Whatever content comes from, it lies under its digest, and nothing else is left."""
    (tmp_path / "source").write_bytes(DATA)
    expected = described() if expecting else None
    put = blobs.put(source(tmp_path / "source"), media_type=TEXT, expected=expected)
    assert put == described()
    assert files(root) == [f"blobs/sha256/{put.digest.encoded}"]
    assert blobs.path(put.digest).read_bytes() == DATA


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, 5 * PIECE, 5 * PIECE + 17])
@pytest.mark.parametrize("expecting", [False, True])
@pytest.mark.parametrize("wrap", [bytes, io.BytesIO])
def test_more_than_a_piece_is_stored_whole(
    blobs: Blobs, size: int, wrap: Callable[[bytes], Source], *, expecting: bool
) -> None:
    """Content larger than what is written at a time comes back as it was."""
    data = os.urandom(size)
    expected = described(data) if expecting else None
    put = blobs.put(wrap(data), media_type=TEXT, expected=expected)
    assert put == described(data)
    assert blobs.read(put) == data


@pytest.mark.parametrize("size", [4 * PIECE - 1, 4 * PIECE, 4 * PIECE + 1])
def test_large_content_that_was_not_promised_is_not_stored(
    blobs: Blobs, root: Path, size: int
) -> None:
    """Another size or another byte is found in content of several pieces, too."""
    expected = sized(described(b"x" * 4 * PIECE), 4 * PIECE)
    with pytest.raises(IntegrityError):
        blobs.put(io.BytesIO(b"y" * size), media_type=TEXT, expected=expected)
    assert files(root) == []


def test_an_endless_stream_of_large_pieces_is_cut_off(blobs: Blobs, root: Path) -> None:
    """What is taken in beside the writing still ends the writing soon."""

    class Endless(Trickle):
        def read(self, size: int, /) -> bytes:
            self.reads += 1
            return b"x" * size

    source = Endless(b"")
    with pytest.raises(SizeMismatchError):
        blobs.put(source, media_type=TEXT, expected=sized(described(), 1000))
    assert source.reads < 9
    assert files(root) == []


def test_a_large_source_that_breaks_leaves_nothing(blobs: Blobs, root: Path) -> None:
    """An error of a source after several pieces passes as it is, and no file is left."""
    source = Trickle(b"x" * 3 * PIECE, PIECE, breaks=True)
    with pytest.raises(OSError, match="cable"):
        blobs.put(source, media_type=TEXT)
    assert files(root) == []


def test_empty_content_is_content(blobs: Blobs) -> None:
    """No bytes at all are a blob like any other."""
    put = blobs.put(io.BytesIO(), media_type=TEXT)
    assert put == described(b"")
    assert blobs.read(put) == b""


def test_a_file_is_read_from_where_it_stands_and_left_open(blobs: Blobs) -> None:
    """An open file gives what follows its position, and stays the caller's to close."""
    file = io.BytesIO(b"headbody")
    file.seek(4)
    assert blobs.put(file, media_type=TEXT) == described(b"body")
    assert not file.closed


def test_the_answer_is_plain_and_of_the_type_that_was_given(blobs: Blobs) -> None:
    """Annotations of the expected descriptor do not come back, nor does its media type."""
    expected = Descriptor(
        media_type=TEXT, digest=described().digest, size=len(DATA), annotations={"a": "b"}
    )
    assert blobs.put(DATA, media_type="x/y", expected=expected) == Descriptor.of(DATA, "x/y")


@pytest.mark.spec("descriptor:sha512", "descriptor:prefer-sha256")
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("wrap", [bytes, Trickle])
def test_the_expected_digest_chooses_the_algorithm(
    blobs: Blobs, algorithm: str, wrap: Callable[[bytes], Source]
) -> None:
    """Content is stored under the algorithm of the digest that it was promised by."""
    expected = described(algorithm=algorithm)
    assert blobs.put(wrap(DATA), media_type=TEXT, expected=expected) == expected
    assert blobs.read(expected) == DATA
    assert list(blobs) == [expected.digest]


@pytest.mark.spec("image-layout:blob-content", "descriptor:verify")
@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (sized(described(b"other"), len(DATA)), DigestMismatchError),
        (sized(described(), len(DATA) - 1), SizeMismatchError),
        (sized(described(), len(DATA) + 1), SizeMismatchError),
        (sized(described(), 2**62), SizeMismatchError),
    ],
    ids=["digest", "longer", "shorter", "forged"],
)
@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_other_content_than_expected_is_not_stored(
    blobs: Blobs,
    root: Path,
    tmp_path: Path,
    source: Callable[[Path], Source],
    expected: Descriptor,
    error: type[IntegrityError],
) -> None:
    """Content that was not promised raises, says what it is instead, and leaves no file."""
    (tmp_path / "source").write_bytes(DATA)
    with pytest.raises(error) as caught:
        blobs.put(source(tmp_path / "source"), media_type=TEXT, expected=expected)
    assert caught.value.descriptor is expected
    assert caught.value.actual
    assert files(root) == []


@pytest.mark.spec("descriptor:size-first")
def test_an_endless_stream_is_cut_off(blobs: Blobs, root: Path) -> None:
    """A stream that does not end is refused at the first byte too many."""

    class Endless(Trickle):
        def read(self, size: int, /) -> bytes:
            self.reads += 1
            return b"x" * min(size, 100)

    source = Endless(b"")
    with pytest.raises(SizeMismatchError):
        blobs.put(source, media_type=TEXT, expected=sized(described(), 1000))
    assert source.reads == 11
    assert files(root) == []


@pytest.mark.spec("descriptor:digest-algorithm")
def test_what_cannot_be_verified_is_not_stored(blobs: Blobs, root: Path) -> None:
    """A promise by an unknown algorithm is refused before anything is read."""
    source = Trickle(b"abc")
    with pytest.raises(UnsupportedDigestError):
        blobs.put(source, media_type=TEXT, expected=unknown())
    with pytest.raises(UnsupportedDigestError):
        blobs.put(b"abc", media_type=TEXT, expected=unknown())
    assert source.reads == 0
    assert files(root) == []


@pytest.mark.parametrize("expected", [None, sized(described(b"x" * 50), 50)])
def test_a_source_that_breaks_leaves_nothing(
    blobs: Blobs, root: Path, expected: Descriptor | None
) -> None:
    """An error of the source passes as it is, and no file is left."""
    with pytest.raises(OSError, match="cable"):
        blobs.put(Trickle(b"x" * 20, breaks=True), media_type=TEXT, expected=expected)
    assert files(root) == []


@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_a_bad_media_type_stores_nothing(
    blobs: Blobs, root: Path, tmp_path: Path, source: Callable[[Path], Source]
) -> None:
    """What cannot be described is not stored."""
    (tmp_path / "source").write_bytes(DATA)
    with pytest.raises(DocumentError):
        blobs.put(source(tmp_path / "source"), media_type="no type")
    assert files(root) == []


@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_a_good_blob_is_kept_and_made_young(
    blobs: Blobs, root: Path, tmp_path: Path, source: Callable[[Path], Source]
) -> None:
    """A blob that is there is not written again, but looks as if it had been just now."""
    (tmp_path / "source").write_bytes(DATA)
    path = blobs.path(blobs.put(DATA, media_type=TEXT).digest)
    os.utime(path, (LONG_AGO, LONG_AGO))
    before = path.stat()
    blobs.put(source(tmp_path / "source"), media_type=TEXT)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns > before.st_mtime_ns
    assert files(root) == [f"blobs/sha256/{path.name}"]


def test_a_source_stays_unread_if_its_content_is_there(blobs: Blobs) -> None:
    """Content that is promised and there already is not asked for."""
    blobs.put(DATA, media_type=TEXT)
    source = Trickle(b"")
    assert blobs.put(source, media_type=TEXT, expected=described()) == described()
    assert source.reads == 0


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"x"], ids=["empty", "short", "long"])
@pytest.mark.parametrize("expecting", [False, True])
def test_a_blob_of_the_wrong_size_is_replaced(
    blobs: Blobs, damaged: bytes, *, expecting: bool
) -> None:
    """A damaged blob is put right by a new file; whoever reads the old one is not disturbed."""
    path = place(blobs, described().digest, damaged)
    with path.open("rb") as reader:
        blobs.put(io.BytesIO(DATA), media_type=TEXT, expected=described() if expecting else None)
        assert reader.read() == damaged
    assert blobs.read(described()) == DATA


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077, 0])
def test_blobs_have_the_usual_mode(blobs: Blobs, umask: int) -> None:
    """A blob may be read and written by whom the umask says, not by its owner alone."""
    before = os.umask(umask)
    try:
        put = blobs.put(DATA, media_type=TEXT)
    finally:
        os.umask(before)
    assert blobs.path(put.digest).stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_blob_that_vanishes_while_it_is_looked_at_is_written(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put whose blob is deleted by somebody else just now writes it, and does not fail."""
    path = blobs.path(blobs.put(DATA, media_type=TEXT).digest)
    refresh = os.utime

    def deleted_just_before(target: Path, **options: Any) -> None:
        path.unlink(missing_ok=True)
        refresh(target, **options)

    monkeypatch.setattr(os, "utime", deleted_just_before)
    assert blobs.put(DATA, media_type=TEXT) == described()
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_blob_that_cannot_be_refreshed_is_kept_too(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A good blob whose times we may not change, or not on this disk, is kept as it is."""

    def refuse(_: Path, **__: Any) -> None:
        raise OSError(number, "not to be had")

    blobs.put(DATA, media_type=TEXT)
    monkeypatch.setattr(os, "utime", refuse)
    assert blobs.holds(described())
    assert blobs.put(DATA, media_type=TEXT) == described()


def test_holds_asks_for_the_size_too(blobs: Blobs) -> None:
    """Content is held if its file has the right size, and not if it has another or is missing."""
    assert not blobs.holds(described())
    blobs.put(DATA, media_type=TEXT)
    assert blobs.holds(described())
    assert not blobs.holds(sized(described(), 1))


# ---------------------------------------------------------------- what is no regular file


@pytest.mark.spec("image-layout:links")
def test_a_symlink_is_no_blob(blobs: Blobs, tmp_path: Path) -> None:
    """A link in a blob's place is neither followed nor listed, even to the right content."""
    (tmp_path / "secret").write_bytes(DATA)
    path = place(blobs, described().digest, b"")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(IntegrityError) as caught:
        blobs.read(described())
    assert caught.value.descriptor == described()
    assert described().digest not in blobs
    assert list(blobs) == []
    with pytest.raises(BlobNotFoundError):
        blobs.size(described().digest)


@pytest.mark.spec("image-layout:links")
def test_put_replaces_a_symlink_and_leaves_its_target(blobs: Blobs, tmp_path: Path) -> None:
    """A link in a blob's place gives way to the blob; what it led to is not written."""
    (tmp_path / "secret").write_bytes(b"mine")
    path = place(blobs, described().digest, b"")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    blobs.put(DATA, media_type=TEXT)
    assert not path.is_symlink()
    assert blobs.read(described()) == DATA
    assert (tmp_path / "secret").read_bytes() == b"mine"


def test_a_fifo_is_no_blob_and_holds_nobody_up(blobs: Blobs) -> None:
    """A pipe in a blob's place is refused at once, and replaced by a put."""
    path = place(blobs, described().digest, b"")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(IntegrityError):
        blobs.open(described())
    assert described().digest not in blobs
    blobs.put(DATA, media_type=TEXT)
    assert blobs.read(described()) == DATA


def test_a_folder_is_no_blob(blobs: Blobs, root: Path) -> None:
    """A folder in a blob's place is refused, also by a put, which leaves nothing behind."""
    blobs.path(described().digest).mkdir(parents=True)
    with pytest.raises(IntegrityError):
        blobs.open(described())
    assert described().digest not in blobs
    with pytest.raises(OSError, match=described().digest.encoded):
        blobs.put(DATA, media_type=TEXT)
    assert files(root) == []


# ---------------------------------------------------------------- what is there


@pytest.mark.spec("descriptor:digest-algorithm")
def test_blobs_of_unknown_algorithms_are_listed_and_not_readable(blobs: Blobs) -> None:
    """Content that cannot be verified here is there, has a size, and is not read."""
    for name in ("newhash:abc", "md5:xyz", "sha256+b64u:Ab_-="):
        place(blobs, Digest(name), b"abc")
    assert [str(digest) for digest in blobs] == sorted(
        ["newhash:abc", "md5:xyz", "sha256+b64u:Ab_-="]
    )
    assert blobs.size(unknown().digest) == 3
    assert unknown().digest in blobs
    with pytest.raises(UnsupportedDigestError):
        blobs.read(unknown())
    with pytest.raises(UnsupportedDigestError):
        blobs.open(unknown("md5:xyz"))


@pytest.mark.spec("image-layout:blob-names")
def test_iterating_gives_sorted_digests_and_passes_over_other_files(blobs: Blobs) -> None:
    """Files whose names are no digests are not listed, wherever they lie."""
    put = [blobs.put(bytes([number]), media_type=TEXT).digest for number in range(20)]
    folder = blobs.path(put[0]).parent
    for stray in ("x.tmp", put[0].encoded + "123", put[0].encoded.upper(), ".hidden"):
        (folder / stray).write_bytes(b"x")
    (folder.parent / "stray").write_bytes(b"x")
    (folder.parent / "No Algorithm").mkdir()
    assert list(blobs) == sorted(put)
    assert len(set(put)) == 20


@pytest.mark.spec("image-layout:blobs-folder")
def test_a_layout_without_blobs_has_none(blobs: Blobs, root: Path) -> None:
    """A missing folder is an empty one, and the first put makes it."""
    (root / "blobs").rmdir()
    assert list(blobs) == []
    assert described().digest not in blobs
    with pytest.raises(BlobNotFoundError):
        blobs.size(described().digest)
    with pytest.raises(BlobNotFoundError):
        blobs.read(described())
    blobs.put(DATA, media_type=TEXT)
    assert blobs.read(described()) == DATA


def test_a_file_in_place_of_a_folder_holds_no_blobs(blobs: Blobs, root: Path) -> None:
    """A file where a folder of blobs belongs is like a missing folder to a reader."""
    (root / "blobs" / "sha256").write_bytes(b"x")
    assert list(blobs) == []
    assert described().digest not in blobs
    with pytest.raises(BlobNotFoundError):
        blobs.read(described())


def test_containment_takes_digests_and_their_text(blobs: Blobs) -> None:
    """A digest is found by its text as well; what is no digest is not there."""
    digest = blobs.put(DATA, media_type=TEXT).digest
    assert digest in blobs
    assert str(digest) in blobs
    assert "sha256:../../index.json" not in blobs
    assert 7 not in blobs


def test_size_is_that_of_the_file(blobs: Blobs) -> None:
    """The size on disk is told, whatever a descriptor may say."""
    assert blobs.size(blobs.put(DATA, media_type=TEXT).digest) == len(DATA)


def test_delete_removes_one_blob(blobs: Blobs) -> None:
    """A deleted blob is gone, others stay, and it cannot be deleted twice."""
    put, other = blobs.put(DATA, media_type=TEXT), blobs.put(b"other", media_type=TEXT)
    blobs.delete(put.digest)
    assert list(blobs) == [other.digest]
    with pytest.raises(BlobNotFoundError):
        blobs.delete(put.digest)


# ---------------------------------------------------------------- reading


@pytest.mark.spec("descriptor:verify", "descriptor:size-trust", "image-layout:blob-content")
@pytest.mark.parametrize(
    ("there", "error", "actual"),
    [
        (DATA[:-1], SizeMismatchError, str(len(DATA) - 1)),
        (DATA + b"x", SizeMismatchError, str(len(DATA) + 1)),
        (DATA[:-1] + b"?", DigestMismatchError, str(Digest.of(DATA[:-1] + b"?"))),
    ],
    ids=["short", "long", "changed"],
)
def test_damage_is_found_by_reading(
    blobs: Blobs, there: bytes, error: type[IntegrityError], actual: str
) -> None:
    """A blob that is not what its descriptor says is not handed out, and the error says both."""
    place(blobs, described().digest, there)
    with pytest.raises(error) as caught:
        blobs.read(described())
    assert caught.value.descriptor == described()
    assert caught.value.actual == actual


def test_a_missing_blob_says_so(blobs: Blobs) -> None:
    """Reading what is not there names its digest."""
    with pytest.raises(BlobNotFoundError, match=str(described().digest)):
        blobs.open(described())


@pytest.mark.spec("descriptor:size")
def test_a_forged_size_allocates_nothing(blobs: Blobs) -> None:
    """A descriptor that promises four exbibytes costs no more memory than the bytes there are."""
    place(blobs, described().digest, DATA)
    forged = sized(described(), 2**62)
    tracemalloc.start()
    try:
        with pytest.raises(SizeMismatchError):
            blobs.read(forged)
        with pytest.raises(SizeMismatchError):
            VerifiedReader(io.BytesIO(DATA), forged).readall()
        with pytest.raises(SizeMismatchError):
            blobs.put(io.BytesIO(DATA), media_type=TEXT, expected=forged)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEBIBYTE


# ---------------------------------------------------------------- streams


def test_a_verified_stream_can_be_read_in_every_way(blobs: Blobs) -> None:
    """A stream reads whole, in pieces, into a buffer, or buffered by the standard library."""
    put = blobs.put(DATA, media_type=TEXT)
    with blobs.open(put) as stream:
        assert stream.readable()
        assert stream.read() == DATA
        assert stream.read() == b""
        assert stream.read(1) == b""
    with blobs.open(put) as stream, io.BufferedReader(stream) as buffered:
        assert buffered.read(10) + buffered.read() == DATA
    with blobs.open(put) as stream:
        buffer = bytearray(len(DATA) + 5)
        assert stream.readinto(buffer) == len(DATA)
        assert buffer == DATA + bytes(5)


@pytest.mark.parametrize("step", [1, 3, 255, 256, len(DATA) - 1, len(DATA), len(DATA) + 1])
def test_odd_pieces_add_up(step: int) -> None:
    """Pieces of any length, from a source that gives others, make the content."""
    reader = VerifiedReader(Trickle(DATA), described())
    pieces = list(iter(lambda: reader.read(step), b""))
    assert b"".join(piece or b"" for piece in pieces) == DATA


def test_reading_no_bytes_gives_none_and_breaks_nothing() -> None:
    """A read of zero bytes is no end of the stream."""
    reader = VerifiedReader(io.BytesIO(DATA), described())
    assert reader.read(0) == b""
    assert reader.read(5) == DATA[:5]
    assert reader.read(0) == b""
    assert reader.read() == DATA[5:]


@pytest.mark.spec("descriptor:verify")
@pytest.mark.parametrize("step", [1, 100, len(DATA)])
def test_who_stops_after_the_promised_size_is_safe(step: int) -> None:
    """The last bytes come only if all are right, so nobody has to read on to the end."""
    wrong = b"?" + DATA[1:]
    reader = VerifiedReader(io.BytesIO(wrong), described())
    pieces: list[bytes] = []
    with pytest.raises(DigestMismatchError):
        read_promised(reader, step, pieces)
    assert sum(map(len, pieces)) < len(DATA)


@pytest.mark.parametrize("step", [1, 100, len(DATA), 2 * len(DATA)])
def test_a_longer_stream_fails_before_its_last_promised_byte(step: int) -> None:
    """Bytes beyond the promised size are noticed by who reads only that many."""
    reader = VerifiedReader(io.BytesIO(DATA + b"x"), described())
    pieces: list[bytes] = []
    with pytest.raises(SizeMismatchError):
        read_promised(reader, step, pieces)
    assert sum(map(len, pieces)) < len(DATA)


@pytest.mark.parametrize("cut", [0, 1, len(DATA) - 1])
def test_a_shorter_stream_fails_at_its_end(cut: int) -> None:
    """A stream that ends too early fails instead of ending."""
    reader = VerifiedReader(Trickle(DATA[:cut]), described())
    with pytest.raises(SizeMismatchError):
        reader.readall()


def test_an_error_does_not_wear_off() -> None:
    """A stream that was found to be wrong does not turn into an end at the next read."""
    reader = VerifiedReader(io.BytesIO(b"?" + DATA[1:]), described())
    for _ in range(3):
        with pytest.raises(DigestMismatchError):
            reader.readall()


def test_closing_closes_what_is_behind() -> None:
    """A stream closes its source with it, once."""
    source = Trickle(DATA)
    with VerifiedReader(source, described()) as reader:
        assert source.closes == 0
    reader.close()
    assert source.closes == 1


def test_a_reader_that_is_refused_closes_nothing() -> None:
    """The interpreter closes it, from Python 3.13 on with a warning if that fails."""
    source = io.BytesIO(DATA)
    unknown = Descriptor(media_type=TEXT, digest=Digest("md5:abc"), size=len(DATA))
    reader = VerifiedReader.__new__(VerifiedReader)
    with pytest.raises(UnsupportedDigestError):
        reader.__init__(source, unknown)  # type: ignore[misc] # as `VerifiedReader(...)` does
    reader.close()
    assert not source.closed


def test_a_stream_that_cannot_be_verified_is_not_opened() -> None:
    """An unknown algorithm is refused when a stream is made, and its source stays open."""
    source = Trickle(b"abc")
    with pytest.raises(UnsupportedDigestError):
        VerifiedReader(source, unknown())
    assert source.closes == 0


# ---------------------------------------------------------------- what is held, what is synced


def test_what_was_put_is_held(blobs: Blobs) -> None:
    """A put is remembered, also of what was there; what was not put is not."""
    assert blobs.put_here == set()
    place(blobs, described(b"there").digest, b"there")
    put, found = blobs.put(DATA, media_type=TEXT), blobs.put(b"there", media_type=TEXT)
    assert blobs.put_here == {put.digest, found.digest}


def test_sync_forces_each_blob_and_its_folders(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync forces the files, then the folders that name them; missing blobs are passed over."""
    put = blobs.put(DATA, media_type=TEXT)
    synced: list[int] = []
    force = os.fsync

    def note(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        force(number)

    monkeypatch.setattr(os, "fsync", note)
    blobs.sync([put.digest, described(b"missing").digest])
    path = blobs.path(put.digest)
    assert synced == [at.stat().st_ino for at in (path, path.parent, root / "blobs")]
    blobs.sync([put.digest])
    assert len(synced) == 3
    path.write_bytes(b"")
    blobs.put(DATA, media_type=TEXT)
    blobs.sync([put.digest])
    assert path.stat().st_ino in synced[3:]


def test_what_was_deleted_and_put_anew_is_synced_anew(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file system gives the new file the inode of the old one, as ext4 does."""
    synced: list[bytes] = []
    force = os.fsync

    def note(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            synced.append(os.pread(number, 10, 0))
        force(number)

    monkeypatch.setattr(os, "fsync", note)
    status = os.lstat

    def one_inode(path: Any, **options: Any) -> Any:
        found = status(path, **options)
        return SimpleNamespace(
            st_ino=1, st_mtime_ns=found.st_mtime_ns, st_size=found.st_size, st_mode=found.st_mode
        )

    monkeypatch.setattr(os, "lstat", one_inode)
    for _ in range(2):
        descriptor = blobs.put(b"x", media_type="a/b")
        blobs.sync([descriptor.digest])
        blobs.sync([descriptor.digest])
        blobs.delete(descriptor.digest)
    assert synced == [b"x", b"x"]


def test_what_was_put_anew_by_others_is_missed_or_synced_again(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync says what is missing, and another file under the name is not taken for synced."""
    first, second = (blobs.put(data, media_type=TEXT).digest for data in (b"1", b"2"))
    assert blobs.sync([first, second]) == set()
    Blobs(root).delete(first)
    assert blobs.sync([first, second]) == {first}
    Blobs(root).put(b"1", media_type=TEXT)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    assert blobs.sync([first, second]) == set()
    assert blobs.path(first).stat().st_ino in synced
    assert blobs.path(second).stat().st_ino not in synced


# ---------------------------------------------------------------- files that are not what they seem


@pytest.mark.parametrize("verified", [True, False])
def test_a_file_with_a_hole_takes_no_memory(blobs: Blobs, *, verified: bool) -> None:
    """A blob of 1 TiB that takes no space on disk is refused by its size, not by lack of memory."""
    huge = sized(described(), 2**40)
    path = place(blobs, huge.digest, b"")
    try:
        os.truncate(path, 2**40)
    except OSError:
        pytest.skip("the file system has no files with holes of this size")
    with pytest.raises(LimitExceededError, match=r"open\(\)") as caught:
        blobs.read(huge, verify=verified)
    assert caught.value.limit == MAX_READ
    with pytest.raises(SizeMismatchError):
        blobs.read(sized(huge, 5), verify=verified)
    with pytest.raises(LimitExceededError):
        blobs.read(huge, verify=verified, limit=2**40 - 1)
    with blobs.open(huge) as stream:
        assert stream.read(10) == bytes(10)


def test_a_limit_is_what_may_be_read(blobs: Blobs) -> None:
    """A blob of just the limit is read, and one byte more is not."""
    put = blobs.put(DATA, media_type=TEXT)
    assert blobs.read(put, limit=len(DATA)) == DATA
    with pytest.raises(LimitExceededError):
        blobs.read(put, limit=len(DATA) - 1)


def test_a_read_that_fails_leaves_nothing_open(blobs: Blobs) -> None:
    """A thousand reads of a wrong size, or of something odd, hold no descriptor."""
    put = blobs.put(DATA, media_type=TEXT)
    fifo = place(blobs, described(b"fifo").digest, b"")
    fifo.unlink()
    os.mkfifo(fifo)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(1000):
        with pytest.raises(SizeMismatchError):
            blobs.read(sized(put, 1))
        with pytest.raises(IntegrityError):
            blobs.open(described(b"fifo"))
        with pytest.raises(LimitExceededError):
            blobs.read(put, limit=1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_put_leaves_nothing_open(blobs: Blobs, root: Path) -> None:
    """Puts that succeed and puts that fail close all that they opened."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(100):
        blobs.delete(blobs.put(b"%d" % number, media_type=TEXT).digest)
        with pytest.raises(OSError, match="cable"):
            blobs.put(Trickle(b"x", breaks=True), media_type=TEXT)
        with pytest.raises(IsADirectoryError):
            blobs.put(root, media_type=TEXT)
        sweep(root, blobs, [described().digest])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_temporary_that_was_unlinked_before_its_lock_is_not_used(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection that takes a new file for that of a dead writer costs a second file."""
    take = fcntl.flock
    unlinked: list[Path] = []

    def collected(number: int, operation: int) -> None:
        if not unlinked:
            [path] = (root / "ingest").iterdir()
            unlinked.append(path)
            path.unlink()
        take(number, operation)

    monkeypatch.setattr(fcntl, "flock", collected)
    put = blobs.put(DATA, media_type=TEXT)
    assert unlinked
    assert blobs.read(put) == DATA
    assert files(root) == [f"blobs/sha256/{put.digest.encoded}"]


# ---------------------------------------------------------------- links that are followed


@pytest.fixture
def linked(root: Path, tmp_path: Path) -> Blobs:
    """Return blobs that may be links, of which one is."""
    (root / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "shared").write_bytes(DATA)
    Blobs(root).path(described().digest).symlink_to(tmp_path / "shared")
    return Blobs(root, follow_links=True)


@pytest.mark.spec("image-layout:links")
def test_a_link_to_a_blob_is_one_if_that_is_asked_for(linked: Blobs, root: Path) -> None:
    """It is there, listed, sized, read and verified; by default it is refused."""
    assert list(linked) == [described().digest]
    assert described().digest in linked
    assert linked.size(described().digest) == len(DATA)
    assert linked.read(described()) == DATA
    with linked.open(described()) as stream:
        assert stream.read() == DATA
    with pytest.raises(IntegrityError, match="symbolic link"):
        Blobs(root).read(described())
    opened = Layout(root, follow_links=True)
    assert opened.blobs.read(described()) == DATA


def test_a_link_to_damage_is_not_read(linked: Blobs, tmp_path: Path) -> None:
    """What a link leads to is verified like any other content."""
    (tmp_path / "shared").write_bytes(DATA[:-1] + b"?")
    with pytest.raises(DigestMismatchError):
        linked.read(described())
    (tmp_path / "shared").write_bytes(b"")
    with pytest.raises(SizeMismatchError):
        linked.read(described())


@pytest.mark.parametrize("kind", ["fifo", "folder", "missing", "loop"])
def test_a_link_to_what_is_not_a_file_is_not_a_blob(
    linked: Blobs, tmp_path: Path, kind: str
) -> None:
    """Following links does not make a FIFO or a folder content, and waits for nothing."""
    (tmp_path / "shared").unlink()
    if kind == "fifo":
        os.mkfifo(tmp_path / "shared")
    elif kind == "folder":
        (tmp_path / "shared").mkdir()
    elif kind == "loop":
        (tmp_path / "shared").symlink_to(tmp_path / "shared")
    assert described().digest not in linked
    assert list(linked) == []
    with pytest.raises((IntegrityError, BlobNotFoundError)):
        linked.read(described())
    linked.put(DATA, media_type=TEXT)
    assert linked.read(described()) == DATA


def test_a_link_that_is_kept_is_refreshed_and_not_its_target(linked: Blobs, tmp_path: Path) -> None:
    """A put that finds a link makes the link young; the file behind it is not touched."""
    path = linked.path(described().digest)
    os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    before = (tmp_path / "shared").stat()
    assert linked.put(DATA, media_type=TEXT) == described()
    assert path.lstat().st_mtime > LONG_AGO
    assert (tmp_path / "shared").stat() == before
    assert linked.changed(described().digest) > LONG_AGO
    linked.sync([described().digest])


def test_deleting_a_link_leaves_its_target(linked: Blobs, root: Path, tmp_path: Path) -> None:
    """A link that nothing needs goes alone."""
    assert sweep(root, linked, [described().digest]) == [described().digest]
    assert list(linked) == []
    assert (tmp_path / "shared").read_bytes() == DATA
