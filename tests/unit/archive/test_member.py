"""The members of a tar: found where they lie, and refused where readers of a tar disagree."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
from typing import TYPE_CHECKING, Literal

import pytest

from ocilayout.archive.member import MAX_EXTENSION, MAX_NAME, RECORDS, Member, iter_members
from ocilayout.archive.window import Window
from ocilayout.errors import DocumentError, LimitExceededError, NotALayoutError

if TYPE_CHECKING:
    from pathlib import Path

END = bytes(1024)
LONG = "a" * 120 + "/" + "b" * 90
GIB = 1024**3


def header(
    name: str, size: int = 0, kind: bytes = b"0", *, form: Literal[0, 1, 2] = tarfile.GNU_FORMAT
) -> bytes:
    """Return the header of a member, or headers, as the standard library writes them."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(form)


def block(name: str, kind: bytes, data: bytes = b"") -> bytes:
    """Return a member of any kind and with any content."""
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def records(*pairs: tuple[str, str]) -> bytes:
    """Return the content of a PAX header."""
    found = b""
    for key, value in pairs:
        rest = f" {key}={value}\n".encode()
        size = len(rest) + 1
        while len(str(size)) + len(rest) != size:
            size += 1
        found += str(size).encode() + rest
    return found


def pax(*pairs: tuple[str, str], kind: bytes = b"x") -> bytes:
    return block("pax", kind, records(*pairs))


def patched(data: bytes, start: int, value: bytes) -> bytes:
    """Return a header with a field replaced, and the checksum made right again."""
    found = bytearray(data)
    found[start : start + len(value)] = value
    found[148:156] = b" " * 8
    found[148:156] = b"%06o\0 " % sum(found[:512])
    return bytes(found)


def members(data: bytes) -> list[Member]:
    """Return the members of a tar without its end."""
    return list(iter_members(window(data + END)))


def window(data: bytes) -> Window:
    return Window(io.BytesIO(data), "x.tar", owned=False)


def problem(data: bytes) -> tuple[str, str, str]:
    """Return code, message and place of what is wrong with a tar without its end."""
    with pytest.raises(DocumentError) as caught:
        members(data)
    (found,) = caught.value.problems
    return found.code, found.message, found.place


# ------------------------------------------------------------ found


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["x", "./x/y", LONG, "ü/" + "x" * 98])
def test_files_lie_where_they_are_said_to(form: Literal[0, 1, 2], name: str) -> None:
    """A file of every format is found by its name, with the place and the size of its content."""
    data = header(name, 3, form=form) + b"abc".ljust(512, b"\0")
    (member,) = members(data)
    assert member.name == name
    assert member.path == name.removeprefix("./")
    assert member.kind == "file"
    assert (data + END)[member.offset :][: member.size] == b"abc"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_sizes_above_8_gib(form: Literal[0, 1, 2], tmp_path: Path) -> None:
    """A size that does not fit in octal is read in base 256 and from a PAX record."""
    path = tmp_path / "x.tar"
    front = header("large", 9 * GIB, form=form)
    with path.open("wb+") as file:
        file.write(front)
        file.seek(9 * GIB, io.SEEK_CUR)
        file.write(block("small", b"0", b"x"))
        file.write(END)
        file.seek(0)
        large, small = iter_members(Window(file, "x.tar", owned=False))
    assert (large.size, large.offset) == (9 * GIB, len(front))
    assert (small.size, small.offset) == (1, len(front) + 9 * GIB + 512)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./", ""),
        (".", ""),
        ("", ""),
        ("././a//b/./c", "a/b/c"),
        ("a/", "a"),
        ("..a/b..", "..a/b.."),
    ],
)
def test_names_are_normalised(name: str, path: str) -> None:
    """Dots and slashes that lead nowhere are left out of a path and stay in the name."""
    (member,) = members(header(name))
    assert (member.name, member.path) == (name, path)


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("x", b"0", "file"), ("x", b"\0", "file"), ("x", b"7", "file"),
        ("x", b"5", "folder"), ("x/", b"5", "folder"), ("x/", b"\0", "folder"),
        ("x/", b"0", "other"), ("x/", b"7", "other"),
        ("x", b"1", "other"), ("x", b"2", "other"), ("x", b"3", "other"), ("x", b"4", "other"),
        ("x", b"6", "other"), ("x", b"D", "other"), ("x", b"V", "other"), ("x", b"?", "other"),
    ],
)  # fmt: skip
def test_kinds(name: str, kind: bytes, found: str) -> None:
    """A regular file is one of three types, and a slash at the end of an old name is a folder."""
    (member,) = members(patched(header(name), 156, kind))
    assert member.kind == found


def test_content_of_an_unknown_type_is_skipped() -> None:
    """A member of an unknown type has content, as POSIX says."""
    first, second = members(block("a", b"Z", bytes(600)) + block("b", b"0", b"x"))
    assert (first.kind, second.name, second.offset) == ("other", "b", 4 * 512)


def test_a_prefix_is_one_in_posix_headers_only() -> None:
    """The prefix field of a GNU header has times, and is not a part of the path."""
    posix = patched(header("x", form=tarfile.USTAR_FORMAT), 345, b"folder")
    gnu = patched(header("x"), 345, b"14000000000\0")
    assert [member.name for member in members(posix + gnu)] == ["folder/x", "x"]


def test_a_pax_header_speaks_of_the_next_member_only() -> None:
    """Name and size of a PAX header count for one member, and other records for none."""
    data = pax(("mtime", "1.5"), ("path", "a"), ("size", "3")) + header("?") + b"abc".ljust(512)
    first, second = members(data + header("b"))
    assert (first.name, first.size) == ("a", 3)
    assert (second.name, second.size) == ("b", 0)


def test_of_two_records_the_last_one_counts() -> None:
    """A record of the same keyword replaces one before it."""
    data = pax(("path", "a"), ("size", "1"), ("path", "b"), ("size", "0")) + header("?")
    assert [(member.name, member.size) for member in members(data)] == [("b", 0)]


def test_headers_that_say_nothing_here() -> None:
    """A comment for all members and a long target of a link change no member."""
    data = pax(("comment", "x"), kind=b"g") + pax(("comment", "y"), kind=b"g")
    data += block("././@LongLink", b"K", b"target\0") + block("././@LongLink", b"L", b"name\0")
    assert [member.name for member in members(data + header("x"))] == ["name"]
    data = block("././@LongLink", b"L", b"\0") + header("x")
    assert [member.name for member in members(data)] == ["x"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_where_symbolic_links_lead(form: Literal[0, 1, 2]) -> None:
    """A symbolic link says what it leads to, however long that is; nothing else says so."""
    long = "../" + "d" * 150 if form != tarfile.USTAR_FORMAT else "../d"
    infos = []
    for kind, target in (
        (tarfile.SYMTYPE, "../a"),
        (tarfile.SYMTYPE, long),
        (tarfile.LNKTYPE, "b"),
    ):
        info = tarfile.TarInfo("x")
        info.type, info.linkname = kind, target
        infos.append(info.tobuf(form))
    assert [member.link for member in members(b"".join(infos))] == ["../a", long, ""]


def test_what_lies_behind_the_end_is_not_read() -> None:
    """Two empty blocks end a tar; one at the very end of the file does, too."""
    assert [member.name for member in members(header("x") + END + b"?" * 512)] == ["x"]
    assert [member.name for member in iter_members(window(header("x") + bytes(512)))] == ["x"]


# ------------------------------------------------------------ refused


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 511, b"x" * 2048, b"{}" + bytes(1022)])
def test_a_file_that_is_not_a_tar(data: bytes) -> None:
    """A file that does not begin with a header is not a tar."""
    with pytest.raises(NotALayoutError, match=r"x\.tar is not an OCI archive: it is neither a tar"):
        list(iter_members(window(data)))


@pytest.mark.parametrize("name", ["/x", "//x", "/", "../x", "a/../b", "a/..", "..", "./../x"])
def test_names_that_lead_out(name: str) -> None:
    """An absolute name and one with a parent folder are refused wherever they stand."""
    assert problem(header("a") + header(name)) == (
        "unsafe-member", "the name leads out of the archive", name,
    )  # fmt: skip
    assert problem(pax(("path", name)) + header("a"))[0] == "unsafe-member"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (patched(header("x"), 124, b"-0000000001\0"), "x"),
        (patched(header("x"), 124, b"0x000000001\0"), "x"),
        (patched(header("x"), 124, b"0_000000001\0"), "x"),
        (patched(header("x"), 124, b"00000000008\0"), "x"),
        (patched(header("x"), 124, b"\xff" * 12), "x"),
        (patched(header("x"), 124, b"\x80" + b"\xff" * 11), "x"),
    ],
)
def test_sizes_that_are_not_numbers(data: bytes, place: str) -> None:
    """A size is a number from 0 to 2**63 - 1, in one of the two forms of a header."""
    assert problem(data) == ("bad-archive", "the size is not a number", place)


@pytest.mark.parametrize("key", ["size", "uid", "gid", "mtime", "atime", "ctime"])
@pytest.mark.parametrize("value", ["", "x", "1e3", " 1", "0x1", "9" * 20, "--1"])
def test_numbers_of_records(key: str, value: str) -> None:
    """Python's tarfile takes 0 for a record that is not a number, and others refuse it."""
    expected = ("bad-archive", f"the {key} of an extended header is not a number", "a")
    for kind in (b"x", b"g") if key != "size" else (b"x",):
        assert problem(header("a") + pax((key, value), kind=kind) + header("x")) == expected


@pytest.mark.parametrize("value", ["-1", "1.0", str(2**63)])
def test_sizes_of_records(value: str) -> None:
    """A size in a record is a number from 0 to 2**63 - 1, and a time may be more than that."""
    code, message, _ = problem(pax(("size", value)) + header("x"))
    assert (code, message) == ("bad-archive", "the size of an extended header is not a number")
    assert len(members(pax(("mtime", value)) + header("x"))) == 1


def test_an_empty_path() -> None:
    """An empty path takes back the record to POSIX, and is the name to Python's tarfile."""
    code, message, _ = problem(pax(("path", "a"), ("path", "")) + header("x"))
    assert (code, message) == ("bad-archive", "the path of an extended header is empty")


NUMBERS = {
    "mode": (100, 8),
    "owner": (108, 8),
    "group": (116, 8),
    "size": (124, 12),
    "time": (136, 12),
    "major device number": (329, 8),
    "minor device number": (337, 8),
}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("what", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [b"x", b"8", b"-1", b"+1", b"1_0", b"0o7", b"1 1", b"1\x001", b"\x001", b"\xff" * 12, b"\x81"],
)
def test_fields_that_are_not_numbers(form: Literal[0, 1], what: str, value: bytes) -> None:
    """Where a field is not a number, Python's tarfile ends in silence, and other readers go on."""
    start, size = NUMBERS[what]
    tar = header("a") + patched(header("x", form=form), start, value[:size].ljust(size, b"\0"))
    assert problem(tar) == ("bad-archive", f"the {what} is not a number", "x")


@pytest.mark.parametrize("what", NUMBERS)
@pytest.mark.parametrize("value", [b"", b" 0 ", b"0000000", b"   0\0", b"\x80"])
def test_fields_that_are_numbers(what: str, value: bytes) -> None:
    """A field may be empty, octal between blanks, or base 256."""
    start, size = NUMBERS[what]
    assert len(members(patched(header("x"), start, value.ljust(size, b"\0")))) == 1


def v7(name: str) -> bytes:
    """Return a header of the time before there was a magic word in it."""
    return patched(header(name), 257, bytes(8))


@pytest.mark.parametrize(
    "data",
    [
        patched(header("x"), 345, b"folder"),
        patched(header("x"), 345, b"14000000000\0folder"),
        patched(header("x"), 369, b"folder"),
        patched(header("x"), 381, b"folder"),
        patched(header("x"), 499, b"f"),
        patched(v7("x"), 345, b"folder"),
        patched(v7("x"), 345, b"14000000000\0"),
        patched(patched(header("x"), 257, b"ustar 00"), 345, b"folder"),
        patched(patched(header("x", form=tarfile.USTAR_FORMAT), 345, b"f" * 140), 508, b"tar\0"),
    ],
)
def test_a_prefix_that_some_readers_see(data: bytes) -> None:
    """A prefix in a header that has none is a part of the name to Python's tarfile alone."""
    assert problem(header("a") + data) == (
        "bad-archive", "some readers take a field for the front of the name, some do not", "x",
    )  # fmt: skip


def test_a_header_of_v7() -> None:
    """A header without a magic word is read."""
    assert [member.name for member in members(v7("x"))] == ["x"]


@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_storms_of_records(kind: bytes) -> None:
    """A tar holds so many records in all, however many headers they come in."""
    storm = block("pax", kind, b"5 a=\n" * 1000)
    many = storm if kind == b"g" else storm + header("x")
    with pytest.raises(LimitExceededError, match="hold more than 100000 records") as caught:
        members(many * (2 * RECORDS // 1000))
    assert (caught.value.what, caught.value.limit) == ("records", RECORDS)
    with pytest.raises(LimitExceededError):
        members(pax(kind=b"g") * (RECORDS + 1))


def test_members_with_records() -> None:
    """A tar of any number of members may have some records for each."""
    member = pax(("path", "a"), ("mtime", "1.5"), ("uid", "0"), ("LIBARCHIVE.x", "y")) + header("x")
    count = RECORDS // 4 + 100
    assert sum(1 for _ in iter_members(window(member * count + END))) == count


@pytest.mark.parametrize(
    ("data", "program"),
    [
        (b"\x28\xb5\x2f\xfd" + bytes(600), "zstd"),
        (lzma.compress(header("x")), "xz"),
        (bz2.compress(header("x")), "bzip2"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ],
)
def test_other_compressions(data: bytes, program: str) -> None:
    """A tar that is compressed otherwise is named, with the command that reads it."""
    command = f"{program} -dc FILE | ocilayout cp oci-archive:- oci:FOLDER"
    with pytest.raises(
        NotALayoutError, match=f"compressed with {program}, .*: {re.escape(command)}"
    ):
        members(data)


def test_a_damaged_header_is_not_the_end() -> None:
    """A header with a wrong checksum, or without a number for it, is an error and not the end."""
    broken = bytearray(header("b"))
    broken[0] ^= 1
    words = bytearray(header("b"))
    words[148:156] = b"checksum"
    for second in (broken, words):
        assert problem(header("a") + second + header("c")) == (
            "bad-archive", "the checksum of the next header is wrong", "a",
        )  # fmt: skip


def test_a_lone_empty_block() -> None:
    """An empty block between members ends the tar for some readers, so it is refused."""
    code, message, place = problem(header("a") + bytes(512) + header("b"))
    assert (code, place) == ("bad-archive", "a")
    assert "lone" in message


@pytest.mark.parametrize(
    "data",
    [
        b"5 a=\n", b"x", b"6 a=b\n" * 2 + b"6", b" a=b\n", b"0 a=b\n", b"1 a=b\n", b"6 a=bc",
        b"7 a=b\n", b"6 =ab\n", b"6 abc\n", b"-6 a=b\n", b"99999999 a=b\n", b"\xb2 a=b\n",
    ],
)  # fmt: skip
def test_malformed_records(data: bytes) -> None:
    """A record is a length that counts it all, a keyword and a value; an empty value is one."""
    tar = header("a") + block("pax", b"x", data) + header("b")
    if data == b"5 a=\n":
        assert len(members(tar)) == 2
    else:
        assert problem(tar) == ("bad-archive", "a record of an extended header is damaged", "a")


@pytest.mark.parametrize(
    "data",
    [
        pax(("path", "a")) + pax(("path", "b")) + header("x"),
        block("l", b"L", b"a") + block("l", b"L", b"b") + header("x"),
        block("l", b"L", b"a") + pax(("path", "b")) + header("x"),
        pax(("path", "b")) + block("l", b"L", b"a") + header("x"),
    ],
)
def test_two_headers_for_one_member(data: bytes) -> None:
    """Readers disagree on which of two headers counts, so they are refused."""
    assert problem(data) == ("bad-archive", "two extended headers speak of the same member", ".")


@pytest.mark.parametrize("record", [("path", "x"), ("size", "1"), ("path", "")])
def test_global_headers_that_mean_a_member(record: tuple[str, str]) -> None:
    """A name for all members is obeyed by some readers and not by others."""
    code, message, _ = problem(pax(record, kind=b"g") + header("x"))
    assert (code, "global" in message or not record[1]) == ("bad-archive", True)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (patched(header("x"), 156, b"S"), "a sparse file"),
        (patched(header("x"), 156, b"X"), "a header of Solaris tar"),
        (pax(("GNU.sparse.major", "1")) + header("x"), "a sparse file"),
        (pax(("GNU.sparse.name", "x"), kind=b"g") + header("x"), "a sparse file"),
    ],
)
def test_what_is_not_read(data: bytes, what: str) -> None:
    """A member that readers skip differently is refused with its name."""
    code, message, _ = problem(data)
    assert (code, message) == ("bad-archive", f"{what} is not read; pack without it")


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_content_where_none_should_be(kind: bytes) -> None:
    """Some readers skip the content of a link or a folder, and some read it as headers."""
    code, message, place = problem(patched(header("x", 512), 156, kind) + header("y"))
    assert (code, place) == ("bad-archive", "x")
    assert message.startswith("it has content")


def test_a_name_with_a_nul() -> None:
    """A name that ends early for a reader in C is refused."""
    assert problem(pax(("path", "a\0b")) + header("x"))[:2] == (
        "bad-archive", "a name holds a NUL",
    )  # fmt: skip


def test_headers_that_are_too_large() -> None:
    """An extended header is not read into memory above a limit, whatever it says of its size."""
    for size in (MAX_EXTENSION + 1, 8 * GIB - 1):
        with pytest.raises(LimitExceededError) as caught:
            members(header("pax", size, b"x"))
        assert (caught.value.what, caught.value.limit) == ("extended header", MAX_EXTENSION)
    data = pax(("comment", "x" * (MAX_EXTENSION - 20)))
    assert len(members(data + header("x"))) == 1


def test_names_that_are_too_long() -> None:
    """A name is not taken apart above a limit, whichever header has it."""

    def gnu(name: str) -> bytes:
        data = name.encode()
        return header("././@LongLink", len(data), b"L") + data + bytes(-len(data) % 512)

    for long in (gnu, lambda name: pax(("path", name))):
        name = "a/" * (MAX_NAME // 2 - 1) + "aa"
        assert [member.path for member in members(long(name) + header("x"))] == [name]
        for text in (name + "a", "a/" * 400_000, "./" * 400_000):
            with pytest.raises(LimitExceededError, match="before: the member behind") as caught:
                members(header("before") + long(text) + header("x"))
            assert (caught.value.what, caught.value.limit) == ("name", MAX_NAME)
            assert len(str(caught.value)) < 200


def test_truncated_anywhere() -> None:
    """A tar that was cut off anywhere before its end is refused, and not read as a shorter one."""
    data = header("a", 600) + bytes(1024) + pax(("path", "b")) + header("?") + bytes(512)
    for size in range(1, len(data)):
        with pytest.raises((DocumentError, NotALayoutError)):
            list(iter_members(window(data[:size])))
    assert len(list(iter_members(window(data)))) == 2


def test_the_place_of_what_is_cut_off() -> None:
    """The error of a truncated tar names the member that is not whole, or the last one."""
    first = header("a", 1) + b"x".ljust(512, b"\0")
    for data, place in (
        (first + header("b", 513) + bytes(512), "b"),
        (first, "a"),
        (first + b"x" * 100, "a"),
        (first + header("pax", 1000, b"x") + bytes(512), "a"),
    ):
        with pytest.raises(DocumentError) as caught:
            list(iter_members(window(data)))
        (found,) = caught.value.problems
        assert (found.code, found.place) == ("truncated-archive", place)


@pytest.mark.parametrize("size", [1, 512, 8 * GIB, 2**63 - 1])
def test_content_is_there_when_it_is_said_to_be(size: int) -> None:
    """A member is not given before its content was found to be there, whatever its size."""
    with pytest.raises(DocumentError, match="x: the archive ends too early"):
        next(iter_members(window(header("x", size))))


def test_a_header_for_no_member() -> None:
    """An extended header right before the end is refused."""
    assert problem(header("a") + pax(("path", "b"))) == (
        "bad-archive", "an extended header has no member behind it", "a",
    )  # fmt: skip
