"""Putting blobs: what is written, what is kept, and what is refused."""

from __future__ import annotations

import errno
import fcntl
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import (
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    SizeMismatchError,
    UnsupportedDigestError,
)
from ocilayout.layout.garbage import sweep
from ocilayout.layout.newblob import PIECE
from ocilayout.model.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.layout.blobs import Blobs
    from ocilayout.model.stream import BlobSource

from tests.unit.layout.contents import (
    DATA,
    LONG_AGO,
    TEXT,
    Trickle,
    described,
    files,
    place,
    sized,
    unknown,
)


def as_text_path(path: Path) -> BlobSource:
    return str(path)


SOURCES: list[Callable[[Path], BlobSource]] = [
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
    blobs: Blobs,
    root: Path,
    tmp_path: Path,
    source: Callable[[Path], BlobSource],
    *,
    expecting: bool,
) -> None:
    """Content from any source is stored under its digest, and nothing else stays behind."""
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
    blobs: Blobs, size: int, wrap: Callable[[bytes], BlobSource], *, expecting: bool
) -> None:
    """Content of several pieces is read back as it was."""
    data = os.urandom(size)
    expected = described(data) if expecting else None
    put = blobs.put(wrap(data), media_type=TEXT, expected=expected)
    assert put == described(data)
    assert blobs.read(put) == data


@pytest.mark.parametrize("size", [4 * PIECE - 1, 4 * PIECE, 4 * PIECE + 1])
def test_large_content_other_than_expected_is_not_stored(
    blobs: Blobs, root: Path, size: int
) -> None:
    """Another size or another byte is found in content of several pieces, too."""
    expected = sized(described(b"x" * 4 * PIECE), 4 * PIECE)
    with pytest.raises(IntegrityError):
        blobs.put(io.BytesIO(b"y" * size), media_type=TEXT, expected=expected)
    assert files(root) == []


def test_an_endless_stream_of_large_pieces_is_cut_off(blobs: Blobs, root: Path) -> None:
    """An error of the hashing thread ends the writing soon."""

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
    """An error of a source after several pieces is raised as it is, and no file stays behind."""
    source = Trickle(b"x" * 3 * PIECE, PIECE, breaks=True)
    with pytest.raises(OSError, match="cable"):
        blobs.put(source, media_type=TEXT)
    assert files(root) == []


def test_empty_content_is_stored(blobs: Blobs) -> None:
    """Empty content is a blob like any other."""
    put = blobs.put(io.BytesIO(), media_type=TEXT)
    assert put == described(b"")
    assert blobs.read(put) == b""


def test_a_file_is_read_from_where_it_stands_and_left_open(blobs: Blobs) -> None:
    """An open file is read from its position, and the caller has to close it."""
    file = io.BytesIO(b"headbody")
    file.seek(4)
    assert blobs.put(file, media_type=TEXT) == described(b"body")
    assert not file.closed


def test_put_returns_a_plain_descriptor_of_the_given_type(blobs: Blobs) -> None:
    """The annotations and the media type of the expected descriptor are not returned."""
    expected = Descriptor(
        media_type=TEXT, digest=described().digest, size=len(DATA), annotations={"a": "b"}
    )
    assert blobs.put(DATA, media_type="x/y", expected=expected) == Descriptor.of(DATA, "x/y")


@pytest.mark.spec("descriptor:sha512", "descriptor:prefer-sha256")
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("wrap", [bytes, Trickle])
def test_the_expected_digest_chooses_the_algorithm(
    blobs: Blobs, algorithm: str, wrap: Callable[[bytes], BlobSource]
) -> None:
    """Content is stored under the algorithm of the expected digest."""
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
    source: Callable[[Path], BlobSource],
    expected: Descriptor,
    error: type[IntegrityError],
) -> None:
    """Unexpected content is refused with its digest or size, and leaves no file."""
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
def test_content_that_cannot_be_verified_is_not_stored(blobs: Blobs, root: Path) -> None:
    """An expected digest of an unknown algorithm is refused before anything is read."""
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
    """An error of the source is raised as it is, and no file stays behind."""
    with pytest.raises(OSError, match="cable"):
        blobs.put(Trickle(b"x" * 20, breaks=True), media_type=TEXT, expected=expected)
    assert files(root) == []


@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_a_bad_media_type_stores_nothing(
    blobs: Blobs, root: Path, tmp_path: Path, source: Callable[[Path], BlobSource]
) -> None:
    """Content without a valid descriptor is not stored."""
    (tmp_path / "source").write_bytes(DATA)
    with pytest.raises(DocumentError):
        blobs.put(source(tmp_path / "source"), media_type="no type")
    assert files(root) == []


@pytest.mark.parametrize("source", SOURCES, ids=KINDS)
def test_a_good_blob_is_kept_and_its_time_refreshed(
    blobs: Blobs, root: Path, tmp_path: Path, source: Callable[[Path], BlobSource]
) -> None:
    """An existing blob is not written again, but its modification time is refreshed."""
    (tmp_path / "source").write_bytes(DATA)
    path = blobs.path(blobs.put(DATA, media_type=TEXT).digest)
    os.utime(path, (LONG_AGO, LONG_AGO))
    before = path.stat()
    blobs.put(source(tmp_path / "source"), media_type=TEXT)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns > before.st_mtime_ns
    assert files(root) == [f"blobs/sha256/{path.name}"]


def test_a_source_stays_unread_if_its_content_is_stored(blobs: Blobs) -> None:
    """The source is not read if the expected blob exists."""
    blobs.put(DATA, media_type=TEXT)
    source = Trickle(b"")
    assert blobs.put(source, media_type=TEXT, expected=described()) == described()
    assert source.reads == 0


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"x"], ids=["empty", "short", "long"])
@pytest.mark.parametrize("expecting", [False, True])
def test_a_blob_of_the_wrong_size_is_replaced(
    blobs: Blobs, damaged: bytes, *, expecting: bool
) -> None:
    """A damaged blob is replaced by a new file; an open reader goes on with the old file."""
    path = place(blobs, described().digest, damaged)
    with path.open("rb") as reader:
        blobs.put(io.BytesIO(DATA), media_type=TEXT, expected=described() if expecting else None)
        assert reader.read() == damaged
    assert blobs.read(described()) == DATA


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077, 0])
def test_blobs_have_the_usual_mode(blobs: Blobs, umask: int) -> None:
    """The umask decides who may read and write a blob."""
    before = os.umask(umask)
    try:
        put = blobs.put(DATA, media_type=TEXT)
    finally:
        os.umask(before)
    assert blobs.path(put.digest).stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_blob_that_vanishes_while_it_is_looked_at_is_written(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put whose blob another process deletes at that moment writes it, and does not fail."""
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
    """A good blob whose times cannot be changed is kept as it is."""

    def refuse(_: Path, **__: Any) -> None:
        raise OSError(number, "not to be had")

    blobs.put(DATA, media_type=TEXT)
    monkeypatch.setattr(os, "utime", refuse)
    assert blobs.holds(described())
    assert blobs.put(DATA, media_type=TEXT) == described()


def test_holds_asks_for_the_size_too(blobs: Blobs) -> None:
    """`holds` is true for a blob of the right size, and false for any other or a missing blob."""
    assert not blobs.holds(described())
    blobs.put(DATA, media_type=TEXT)
    assert blobs.holds(described())
    assert not blobs.holds(sized(described(), 1))


def test_a_blob_that_was_put_is_held(blobs: Blobs) -> None:
    """Blobs that a put wrote or found are remembered, and no others."""
    assert blobs.put_here == set()
    place(blobs, described(b"there").digest, b"there")
    put, found = blobs.put(DATA, media_type=TEXT), blobs.put(b"there", media_type=TEXT)
    assert blobs.put_here == {put.digest, found.digest}


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


def test_a_temporary_file_that_was_deleted_before_its_lock_is_not_used(
    blobs: Blobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a collection deletes a new file as that of a dead writer, a second file is created."""
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
