"""Layers: the files of harmless tars, also of other programs."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from ocilayout import Digest
from skills import LayerError, TooLargeError
from skills.packaging.folder import MAX_DEPTH, MAX_FILES, MAX_PATH, MAX_SKILL_MD
from skills.packaging.tar_reader import (
    MAX_FILE,
    MAX_MEMBERS,
    MAX_NAME,
    MAX_UNPACKED,
    LayerFile,
    open_layer,
)
from skills.packaging.tar_writer import compress, write_tar


def files_of(data: bytes) -> dict[str, bytes]:
    with open_layer(data) as layer:
        return {file.path: layer.read(file) for file in layer.files}


def packed(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 # tarfile's name
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=format) as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    return found


def test_packaged_files_are_read_back() -> None:
    """Paths, contents and their order are those of the tar, also where PAX records hold them."""
    files = {"SKILL.md": b"x", "d/é": b"", "d" * 200 + "/" + "f" * 150: bytes(5000), "a\nb": b"y"}
    data = compress(write_tar(files, 0), 0)
    assert files_of(data) == files
    with open_layer(data, diff_id=Digest.of(write_tar(files, 0))) as layer:
        assert [file.path for file in layer.files] == list(files)
        assert layer.find("SKILL.md") == layer.files[0]
        assert layer.find("skill.md") is None
        for file in layer.files:
            assert b"".join(layer.chunks(file)) == files[file.path]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_of_other_programs_is_read(format: int) -> None:  # noqa: A002 # tarfile's name
    """Folders are passed over, `./` and needless slashes mean nothing, and all formats will do."""
    long = "/".join(["part" * 20] * 5)
    data = packed(
        (member("./", tarfile.DIRTYPE), b""),
        (member("./SKILL.md"), b"x"),
        (member("docs/", tarfile.DIRTYPE), b""),
        (member(".//docs/./a"), b"y"),
        (member("docs", tarfile.DIRTYPE), b""),
        (member(long), b"z"),
        (member("empty/folder/", tarfile.DIRTYPE), b""),
        (member("old", tarfile.AREGTYPE), b"o"),
        (member("contiguous", tarfile.CONTTYPE), b"c"),
        format=format,
    )
    assert files_of(data) == {
        "SKILL.md": b"x", "docs/a": b"y", long: b"z", "old": b"o", "contiguous": b"c"
    }  # fmt: skip


def test_gzip_of_several_members_is_one_stream() -> None:
    """Two gzip members in a row unpack to one tar, as in RFC 1952."""
    tar = write_tar({"a": b"x"}, 0)
    assert files_of(gzip.compress(tar[:600]) + gzip.compress(tar[600:])) == {"a": b"x"}


def test_a_large_file_comes_in_pieces() -> None:
    """A file is given in chunks that make it up."""
    data = bytes(range(256)) * 10_000
    with open_layer(compress(write_tar({"a": data, "b": b"end"}, 0), 0)) as layer:
        first, second = layer.files
        assert first == LayerFile(path="a", size=len(data), offset=512)
        chunks = list(layer.chunks(first))
        assert len(chunks) == 3
        assert b"".join(chunks) == data
        assert layer.read(second) == b"end"


def test_as_many_files_as_the_limit_are_read_and_one_more_is_not() -> None:
    """The number of files counts, and so does that of all members."""
    files = {f"f{number}": b"" for number in range(MAX_FILES)}
    assert len(files_of(compress(write_tar(files, 0), 0))) == MAX_FILES
    with pytest.raises(TooLargeError) as caught:
        files_of(compress(write_tar({**files, "more": b""}, 0), 0))
    assert (caught.value.what, caught.value.limit) == ("files", MAX_FILES)
    folders = [(member("d/", tarfile.DIRTYPE), b"")] * MAX_MEMBERS
    assert files_of(packed(*folders)) == {}
    with pytest.raises(TooLargeError) as caught:
        files_of(packed(*folders, (member("a"), b"")))
    assert caught.value.what == "members"


def test_names_and_paths_have_their_limits() -> None:
    """The longest path, part and depth are read, and one more is not."""
    path = "/".join(["d" * 127] * 8) + "x"
    assert len(path) == MAX_PATH
    good = ["a" * MAX_NAME, "/".join("d" * MAX_DEPTH), path]
    assert list(files_of(compress(write_tar(dict.fromkeys(good, b""), 0), 0))) == good
    for bad in ("a" * (MAX_NAME + 1), "/".join("d" * (MAX_DEPTH + 1)), path + "x"):
        with pytest.raises(LayerError) as caught:
            files_of(compress(write_tar({bad: b""}, 0), 0))
        assert caught.value.path == bad


def test_unpacking_a_bomb_stops_at_the_limit() -> None:
    """A layer that unpacks to more than the limit is refused, and so is a larger file."""
    bomb = gzip.compress(bytes(MAX_UNPACKED + 1), compresslevel=1)
    with pytest.raises(TooLargeError) as caught:
        files_of(bomb)
    assert (caught.value.what, caught.value.limit) == ("unpacked archive", MAX_UNPACKED)


def test_a_file_that_is_too_large_is_refused() -> None:
    """A single file has a limit of its own."""
    tar = write_tar({"a": b""}, 0)
    head = bytearray(tar[:512])
    head[124:136] = b"%011o\0" % (MAX_FILE + 1)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    body = bytes(head) + bytes(MAX_FILE + 1) + bytes(-(MAX_FILE + 1) % 512) + bytes(1024)
    with pytest.raises(TooLargeError) as caught:
        files_of(gzip.compress(body, compresslevel=1))
    assert (caught.value.what, caught.value.limit) == ("file", MAX_FILE)


def test_only_sha256_is_compared() -> None:
    """A diff id of another algorithm is not looked at; the compressed layer was verified anyway."""
    data = compress(write_tar({"a": b""}, 0), 0)
    with open_layer(data, diff_id=Digest.parse("sha512:" + "0" * 128)) as layer:
        assert len(layer.files) == 1
    with (
        pytest.raises(LayerError, match="not the one in the config"),
        open_layer(data, diff_id=Digest.parse("sha256:" + "0" * 64)),
    ):
        raise AssertionError


def test_too_many_records_are_refused() -> None:
    """A layer of a few KB that unpacks to very many extended headers is refused at once."""
    info = member("g", b"g")
    info.size = 5 * 50_000
    storm = info.tobuf(tarfile.PAX_FORMAT) + b"5 a=\n" * 50_000 + bytes(-info.size % 512)
    with pytest.raises(TooLargeError, match="more than 100000 of records") as caught:
        files_of(gzip.compress(storm * 200 + bytes(1024)))
    assert caught.value.what == "records"


def test_fields_that_are_not_numbers_are_refused() -> None:
    """A layer in which some readers end in silence and some go on is refused."""
    for start, size in ((100, 8), (108, 8), (116, 8), (136, 12), (329, 8), (337, 8)):
        head = bytearray(write_tar({"a": b""}, 0)[:512])
        head[start : start + size] = b"x" * size
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        with pytest.raises(LayerError, match="is not a number"):
            files_of(gzip.compress(bytes(head) + bytes(1024)))


def test_a_skill_md_that_is_too_large_is_refused() -> None:
    """SKILL.md is shown as a whole, so it has a limit of its own."""
    good = compress(write_tar({"SKILL.md": bytes(MAX_SKILL_MD)}, 0), 0)
    assert len(files_of(good)["SKILL.md"]) == MAX_SKILL_MD
    with pytest.raises(TooLargeError, match=r"SKILL\.md has") as caught:
        files_of(compress(write_tar({"SKILL.md": bytes(MAX_SKILL_MD + 1)}, 0), 0))
    assert (caught.value.what, caught.value.limit) == ("SKILL.md", MAX_SKILL_MD)
