"""Blobs: which exist, how they are read, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ocilayout.errors import (
    ArgumentError,
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
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.stream import VerifiedReader
from tests.unit.layout.contents import (
    DATA,
    LONG_AGO,
    MEBIBYTE,
    TEXT,
    Trickle,
    described,
    files,
    place,
    sized,
    unknown,
)


def read_promised(reader: VerifiedReader, step: int, pieces: list[bytes]) -> None:
    """Read as many bytes as were promised and no more, like a caller that knows the size."""
    while sum(map(len, pieces)) < len(DATA):
        pieces.append(reader.read(step) or b"")


# ---------------------------------------------------------------- other kinds of files


@pytest.mark.spec("image-layout:links")
def test_a_symlink_is_not_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    """A link in place of a blob is neither followed nor listed, even to the right content."""
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
    """A link in place of a blob is replaced by the blob; its target is not written."""
    (tmp_path / "secret").write_bytes(b"mine")
    path = place(blobs, described().digest, b"")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    blobs.put(DATA, media_type=TEXT)
    assert not path.is_symlink()
    assert blobs.read(described()) == DATA
    assert (tmp_path / "secret").read_bytes() == b"mine"


def test_a_fifo_is_not_a_blob_and_blocks_no_reader(blobs: Blobs) -> None:
    """A FIFO in place of a blob is refused at once, and replaced by a put."""
    path = place(blobs, described().digest, b"")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(IntegrityError):
        blobs.open(described())
    assert described().digest not in blobs
    blobs.put(DATA, media_type=TEXT)
    assert blobs.read(described()) == DATA


def test_a_folder_is_not_a_blob(blobs: Blobs, root: Path) -> None:
    """A folder in place of a blob is refused, also by a put, which leaves nothing behind."""
    blobs.path(described().digest).mkdir(parents=True)
    with pytest.raises(IntegrityError):
        blobs.open(described())
    assert described().digest not in blobs
    with pytest.raises(OSError, match=described().digest.encoded):
        blobs.put(DATA, media_type=TEXT)
    assert files(root) == []


# ---------------------------------------------------------------- which blobs exist


@pytest.mark.spec("descriptor:digest-algorithm")
def test_blobs_of_unknown_algorithms_are_listed_and_not_readable(blobs: Blobs) -> None:
    """A blob that cannot be verified is listed, has a size, and is not read."""
    for name in ("newhash:abc", "md5:xyz", "sha256+b64u:Ab_-="):
        place(blobs, Digest.parse(name), b"abc")
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
def test_iterating_yields_sorted_digests_and_skips_other_files(blobs: Blobs) -> None:
    """Files whose names are not digests are not listed, in any folder."""
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
    """A missing folder counts as empty, and the first put creates it."""
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
    """A file in place of a folder of blobs is like a missing folder to a reader."""
    (root / "blobs" / "sha256").write_bytes(b"x")
    assert list(blobs) == []
    assert described().digest not in blobs
    with pytest.raises(BlobNotFoundError):
        blobs.read(described())


def test_containment_takes_digests_and_their_text(blobs: Blobs) -> None:
    """A digest is found by its text as well; other text is not found."""
    digest = blobs.put(DATA, media_type=TEXT).digest
    assert digest in blobs
    assert str(digest) in blobs
    assert "sha256:../../index.json" not in blobs
    assert 7 not in blobs


def test_size_is_that_of_the_file(blobs: Blobs) -> None:
    """The size is that on disk, and not that of a descriptor."""
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
    """A damaged blob is not returned, and the error has both digests or sizes."""
    place(blobs, described().digest, there)
    with pytest.raises(error) as caught:
        blobs.read(described())
    assert caught.value.descriptor == described()
    assert caught.value.actual == actual


def test_a_missing_blob_is_an_error(blobs: Blobs) -> None:
    """The error of a missing blob names its digest."""
    with pytest.raises(BlobNotFoundError, match=str(described().digest)):
        blobs.open(described())


@pytest.mark.spec("descriptor:size")
def test_a_forged_size_allocates_nothing(blobs: Blobs) -> None:
    """A descriptor that promises four exbibytes takes no more memory than the file has bytes."""
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
    """A stream can be read whole, in pieces, into a buffer, or through the standard library."""
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
    """Pieces of any length, from a source that returns other lengths, make up the content."""
    reader = VerifiedReader(Trickle(DATA), described())
    pieces = list(iter(lambda: reader.read(step), b""))
    assert b"".join(piece or b"" for piece in pieces) == DATA


def test_reading_no_bytes_gives_none_and_breaks_nothing() -> None:
    """A read of zero bytes is not the end of the stream."""
    reader = VerifiedReader(io.BytesIO(DATA), described())
    assert reader.read(0) == b""
    assert reader.read(5) == DATA[:5]
    assert reader.read(0) == b""
    assert reader.read() == DATA[5:]


@pytest.mark.spec("descriptor:verify")
@pytest.mark.parametrize("step", [1, 100, len(DATA)])
def test_a_reader_that_stops_after_the_promised_size_is_safe(step: int) -> None:
    """The last bytes come only if all are right, so a caller need not read on to the end."""
    wrong = b"?" + DATA[1:]
    reader = VerifiedReader(io.BytesIO(wrong), described())
    pieces: list[bytes] = []
    with pytest.raises(DigestMismatchError):
        read_promised(reader, step, pieces)
    assert sum(map(len, pieces)) < len(DATA)


@pytest.mark.parametrize("step", [1, 100, len(DATA), 2 * len(DATA)])
def test_a_longer_stream_fails_before_its_last_promised_byte(step: int) -> None:
    """A caller that reads only the promised size notices bytes beyond it."""
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


def test_a_stream_that_failed_fails_again() -> None:
    """A stream that failed fails again at the next read, and does not just end."""
    reader = VerifiedReader(io.BytesIO(b"?" + DATA[1:]), described())
    for _ in range(3):
        with pytest.raises(DigestMismatchError):
            reader.readall()


def test_closing_closes_the_wrapped_stream() -> None:
    """A stream closes its source with it, once."""
    source = Trickle(DATA)
    with VerifiedReader(source, described()) as reader:
        assert source.closes == 0
    reader.close()
    assert source.closes == 1


def test_a_reader_that_is_refused_closes_nothing() -> None:
    """The interpreter closes it, from Python 3.13 on with a warning if that fails."""
    source = io.BytesIO(DATA)
    unknown = Descriptor(media_type=TEXT, digest=Digest.parse("md5:abc"), size=len(DATA))
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


def test_a_blob_as_large_as_the_limit_is_read(blobs: Blobs) -> None:
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


# ---------------------------------------------------------------- links that are followed


@pytest.fixture
def linked(root: Path, tmp_path: Path) -> Blobs:
    """Return blobs with one link, where links are followed."""
    (root / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "shared").write_bytes(DATA)
    Blobs(root).path(described().digest).symlink_to(tmp_path / "shared")
    return Blobs(root, follow_links=True)


@pytest.mark.spec("image-layout:links")
def test_a_link_to_a_blob_is_a_blob_where_links_are_followed(linked: Blobs, root: Path) -> None:
    """It is contained, listed, read and verified; by default it is refused."""
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


def test_a_link_to_damaged_content_is_not_read(linked: Blobs, tmp_path: Path) -> None:
    """The target of a link is verified like any other content."""
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
    """A put that finds a link refreshes the time of the link; its target is not touched."""
    path = linked.path(described().digest)
    os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    before = (tmp_path / "shared").stat()
    assert linked.put(DATA, media_type=TEXT) == described()
    assert path.lstat().st_mtime > LONG_AGO
    assert (tmp_path / "shared").stat() == before
    assert linked.changed(described().digest) > LONG_AGO
    linked.sync([described().digest])


def test_deleting_a_link_leaves_its_target(linked: Blobs, root: Path, tmp_path: Path) -> None:
    """A link is deleted without its target."""
    assert sweep(root, linked, [described().digest]) == [described().digest]
    assert list(linked) == []
    assert (tmp_path / "shared").read_bytes() == DATA


class Whole:
    """A stream that can only be read as a whole."""

    def read(self) -> bytes:
        return DATA


class Odd:
    """A stream that gives something else than bytes."""

    def __init__(self, data: object) -> None:
        self.data = data

    def read(self, size: int) -> Any:
        del size
        return self.data

    def close(self) -> None: ...


def test_a_stream_is_read_in_pieces(layout: Layout) -> None:
    """A gzip stream gives what it unpacks to; a stream that takes no size is refused by name."""
    with gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(DATA))) as stream:
        assert layout.blobs.put(stream, media_type=TEXT).digest == Digest.of(DATA)
    with pytest.raises(ArgumentError, match=r"source must be .* whose read\(\) takes no argument"):
        layout.blobs.put(Whole(), media_type=TEXT)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["text", None, 5])
def test_a_stream_gives_bytes(layout: Layout, data: object) -> None:
    """Text, and `None` from a file that does not wait, are errors and not the end of a blob."""
    with pytest.raises(ArgumentError, match="the stream must give bytes, not"):
        layout.blobs.put(Odd(data), media_type=TEXT)
    assert list(layout.blobs) == []


def test_text_is_a_digest(layout: Layout) -> None:
    """Wherever a digest is taken, its text will do, and other text is refused."""
    found = str(layout.blobs.put(DATA, media_type=TEXT).digest)
    assert layout.blobs.path(found).read_bytes() == DATA
    assert layout.blobs.size(found) == len(DATA)
    layout.blobs.delete(found)
    assert list(layout.blobs) == []
    for verb in (layout.blobs.path, layout.blobs.size, layout.blobs.delete):
        with pytest.raises(DocumentError, match="not a valid digest"):
            verb("../../oci-layout")
