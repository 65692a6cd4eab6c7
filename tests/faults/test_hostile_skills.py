"""Malicious skills are refused with a clear error, and nothing is written."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import socket
import struct
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    Digest,
    Manifest,
    OciLayoutError,
)
from skills import (
    FrontmatterError,
    LayerError,
    NameMismatchError,
    NotASkillError,
    SkillError,
    SkillFolderError,
    SkillService,
    TooLargeError,
    ValidationError,
)
from skills.packaging.folder import MAX_FILES, MAX_LAYER, MAX_SIZE
from skills.packaging.tar_reader import MAX_UNPACKED
from skills.packaging.tar_writer import write_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SKILL_MD = b"---\nname: hello\ndescription: d\n---\n"
GOOD = write_tar({"SKILL.md": SKILL_MD}, 0)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **more: Any
) -> tarfile.TarInfo:
    """Make a member of a tar."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    for key, value in more.items():
        setattr(found, key, value)
    return found


def tar_of(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], raw: bool = False) -> bytes:
    """Make a layer that begins like a good one and goes on with these members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        skill = member("SKILL.md")
        skill.size = len(SKILL_MD)
        tar.addfile(skill, io.BytesIO(SKILL_MD))
        for item in members:
            info, data = item if isinstance(item, tuple) else (item, b"")
            if isinstance(item, tuple):
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue() if raw else gzip.compress(stream.getvalue())


def file(name: str) -> bytes:
    """Make a layer with one more file."""
    return tar_of((member(name), b"evil"))


def header(**changes: bytes) -> bytes:
    """Make a layer whose second header has other fields than it should; the checksum fits."""
    block = bytearray(write_tar({"x": b"evil"}, 0)[:512])
    places = {"name": 0, "mode": 100, "size": 124, "kind": 156, "magic": 257, "prefix": 345}
    for key, value in changes.items():
        block[places[key] : places[key] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return gzip.compress(GOOD[:-1024] + bytes(block) + b"evil".ljust(512, b"\0") + bytes(1024))


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    """Make a layer with an extended header in front of a file."""
    info = member("PaxHeaders/x", kind)
    return tar_of((info, records), (member("x"), b"evil"))


def record(key: str, value: str) -> bytes:
    """Make a record of an extended header."""
    rest = f" {key}={value}\n".encode()
    size = len(rest) + len(str(len(rest)))
    return str(len(rest) + len(str(size))).encode() + rest


LAYERS: dict[str, tuple[Callable[[], bytes], type[SkillError]]] = {
    "a path that leads up": (lambda: file("../evil"), LayerError),
    "a path that leads up from below": (lambda: file("docs/../../evil"), LayerError),
    "a path that leads up and back": (lambda: file("docs/../evil"), LayerError),
    "a path that only leads up": (lambda: file(".."), LayerError),
    "an absolute path": (lambda: file("/etc/evil"), LayerError),
    "an absolute path of two slashes": (lambda: file("//etc/evil"), LayerError),
    "a path that leads up in a PAX record": (lambda: pax(record("path", "../evil")), LayerError),
    "an absolute path in a PAX record": (lambda: pax(record("path", "/evil")), LayerError),
    "a path that leads up in a prefix": (lambda: header(name=b"evil\0", prefix=b".."), LayerError),
    "a path that leads up in a GNU name": (
        lambda: tar_of((member("././@LongLink", b"L"), b"../evil\0"), (member("x"), b"evil")),
        LayerError,
    ),
    "a folder that leads up": (lambda: tar_of(member("../evil/", tarfile.DIRTYPE)), LayerError),
    "an absolute folder": (lambda: tar_of(member("/evil", tarfile.DIRTYPE)), LayerError),
    "backslashes that lead up": (lambda: file("..\\evil"), LayerError),
    "a drive of Windows": (lambda: file("C:\\evil"), LayerError),
    "a single backslash": (lambda: file("docs\\evil"), LayerError),
    "a NUL in a path": (lambda: pax(record("path", "docs\0/../evil")), LayerError),
    "a path that is not UTF-8": (lambda: header(name=b"\xff\xfe"), LayerError),
    "a file called dot": (lambda: file("."), LayerError),
    "a name of 300 bytes": (lambda: file("x" * 300), LayerError),
    "a path of 2000 bytes": (lambda: file("/".join(["x" * 199] * 10)), LayerError),
    "a path of 100 folders": (lambda: file("/".join("x" * 100)), LayerError),
    "a symbolic link": (
        lambda: tar_of(member("link", tarfile.SYMTYPE, "/etc/passwd")), LayerError
    ),
    "a symbolic link and a file through it": (
        lambda: tar_of(member("docs", tarfile.SYMTYPE, "/tmp"), (member("docs/evil"), b"evil")),
        LayerError,
    ),
    "a symbolic link to its own folder": (
        lambda: tar_of(member("docs", tarfile.SYMTYPE, ".")), LayerError
    ),
    "SKILL.md as a link": (lambda: tar_of(member("SKILL.md", tarfile.SYMTYPE, "x")), LayerError),
    "a hard link": (lambda: tar_of(member("link", tarfile.LNKTYPE, "SKILL.md")), LayerError),
    "a hard link to the outside": (
        lambda: tar_of(member("link", tarfile.LNKTYPE, "../../.bashrc")), LayerError
    ),
    "a character device": (
        lambda: tar_of(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3)), LayerError
    ),
    "a block device": (
        lambda: tar_of(member("disk", tarfile.BLKTYPE, devmajor=8, devminor=0)), LayerError
    ),
    "a FIFO": (lambda: tar_of(member("fifo", tarfile.FIFOTYPE)), LayerError),
    "a sparse file": (lambda: header(kind=b"S"), LayerError),
    "an unknown type": (lambda: header(kind=b"Z"), LayerError),
    "a link with content": (lambda: header(kind=b"2"), LayerError),
    "a file twice": (lambda: tar_of((member("x"), b"1"), (member("x"), b"2")), LayerError),
    "SKILL.md twice": (lambda: file("SKILL.md"), LayerError),
    "SKILL.md twice, once with a dot": (lambda: file("./SKILL.md"), LayerError),
    "a file as a folder": (
        lambda: tar_of((member("x"), b"1"), (member("x/y"), b"2")), LayerError
    ),
    "a folder as a file": (
        lambda: tar_of((member("x/y"), b"1"), (member("x"), b"2")), LayerError
    ),
    "a folder entry as a file": (
        lambda: tar_of(member("x", tarfile.DIRTYPE), (member("x"), b"2")), LayerError
    ),
    "a global header that names files": (lambda: pax(record("path", "x"), b"g"), LayerError),
    "an extended header that is damaged": (lambda: pax(b"99 path=x\n"), LayerError),
    "an extended header of 2 MiB": (lambda: pax(record("comment", "x" * 2**21)), TooLargeError),
    "a negative size": (lambda: header(size=b"\xff" * 12), LayerError),
    "a size that is not a number": (lambda: header(size=b"zzzzzzzzzzz\0"), LayerError),
    "a size beyond the end": (lambda: header(size=b"77777777777\0"), LayerError),
    "a size of 2**70": (lambda: header(size=b"\x80" + (2**70).to_bytes(11)), LayerError),
    "a wrong checksum": (
        lambda: gzip.compress(GOOD[:-1024] + b"x" * 512 + bytes(1024)), LayerError
    ),
    "a tar without its end": (lambda: gzip.compress(GOOD[:-1024]), LayerError),
    "a lone empty block": (
        lambda: gzip.compress(GOOD[:-512] + write_tar({"x": b"evil"}, 0)), LayerError
    ),
    "a tar cut within a file": (lambda: gzip.compress(GOOD[:520]), LayerError),
    "not a tar": (lambda: gzip.compress(b"evil" * 1000), LayerError),
    "an empty tar": (lambda: gzip.compress(bytes(1024)), NotASkillError),
    "not a gzip file": (lambda: GOOD, LayerError),
    "nothing": (lambda: b"", LayerError),
    "gzip that is cut": (lambda: gzip.compress(GOOD)[:-9], LayerError),
    "gzip with a wrong checksum": (
        lambda: gzip.compress(GOOD)[:-8] + struct.pack("<II", 1, len(GOOD)), LayerError
    ),
    "gzip with garbage behind it": (lambda: gzip.compress(GOOD) + b"garbage", LayerError),
    "deflate that is damaged": (
        lambda: gzip.compress(b"")[:10] + b"\xff" * 50, LayerError
    ),
    "zlib in the place of gzip": (lambda: zlib.compress(GOOD), LayerError),
    "a bomb": (
        lambda: gzip.compress(GOOD[:-1024] + bytes(MAX_UNPACKED), compresslevel=1), TooLargeError
    ),
    "1001 files": (
        lambda: tar_of(*[(member(str(number)), b"") for number in range(MAX_FILES)]),
        TooLargeError,
    ),
    "20000 folders": (
        lambda: tar_of(*[member(f"d{number}/", tarfile.DIRTYPE) for number in range(20_000)]),
        TooLargeError,
    ),
    "no SKILL.md": (lambda: gzip.compress(write_tar({"README.md": b""}, 0)), NotASkillError),
    "SKILL.md in another case": (
        lambda: gzip.compress(write_tar({"skill.md": SKILL_MD}, 0)), NotASkillError
    ),
    "SKILL.md further down": (
        lambda: gzip.compress(write_tar({"docs/SKILL.md": SKILL_MD}, 0)), NotASkillError
    ),
}  # fmt: skip


# Artifacts that can be shown, but are not installed.
SKILL_MDS: dict[str, tuple[bytes, type[SkillError]]] = {
    "SKILL.md without frontmatter": (b"# Hello\n", NotASkillError),
    "SKILL.md that is not YAML": (b"---\nname: [\n---\n", NotASkillError),
    "SKILL.md of aliases that multiply": (
        b"---\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (here, here, b",".join([b"*%c" % (here - 1)] * 9))
            for here in range(ord("b"), ord("k"))
        )
        + b"---\n",
        NotASkillError,
    ),
    "SKILL.md that is another skill": (b"---\nname: other\n---\n", NameMismatchError),
    "SKILL.md without a name": (b"---\ndescription: d\n---\n", NameMismatchError),
}

# Names that an artifact may claim in its config.
NAMES: dict[str, str] = {
    "a name that leads up": "../hello",
    "a name that is absolute": "/hello",
    "a name that is hidden": ".hello",
    "a name with a slash": "hello/world",
    "a name with a NUL": "hello\0",
    "a name in capitals": "HELLO",
    "a name of one letter": "h",
    "a name of 65 letters": "h" * 65,
    "a name with a line end": "hello\n",
}


class Target:
    """A store, and a home folder that must stay as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        (self.home / ".claude" / "skills").mkdir(parents=True)
        (self.home / ".bashrc").write_text("mine")
        self.service = SkillService.open(folder / "store", home=self.home, durability="none")
        self.before = self.outside()

    def outside(self) -> dict[str, bytes | None]:
        """Return all that is not the store."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
            if not path.is_relative_to(self.folder / "store")
        }

    def put(self, layer: bytes, name: str = "hello", tag: str = "hello") -> None:
        """Store an artifact that claims to be a skill."""
        layout = self.service.layout
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"dev.toolhive.skills.name": name}},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        root = Manifest(
            artifact_type="dev.toolhive.skills.v1",
            config=layout.blobs.put(json.dumps(config).encode(), media_type=OCI_CONFIG),
            layers=[layout.blobs.put(layer, media_type=OCI_LAYER_GZIP)],
        )
        layout.tag(tag, layout.put_manifest(root))

    def require_untouched(self) -> None:
        """Require that nothing outside of the store has changed."""
        assert self.outside() == self.before


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    found = Target(tmp_path)
    yield found
    found.require_untouched()


def clear(error: Exception) -> None:
    """Require that an error is one line and not empty."""
    assert "\n" not in str(error)
    assert len(str(error)) > 20


@pytest.mark.parametrize("case", LAYERS)
def test_a_hostile_layer_is_refused(target: Target, case: str) -> None:
    """No file of it is shown, and none is written, even with force."""
    make, kind = LAYERS[case]
    target.put(make())
    with pytest.raises(kind) as shown:
        target.service.get_content("hello")
    with pytest.raises(kind) as installed:
        target.service.install("hello", clients=["claude-code"], force=True)
    assert str(shown.value) == str(installed.value)
    clear(installed.value)


@pytest.mark.parametrize("case", SKILL_MDS)
def test_a_hostile_skill_md_is_not_installed(target: Target, case: str) -> None:
    """It can be looked at, and is refused by an install."""
    text, kind = SKILL_MDS[case]
    target.put(gzip.compress(write_tar({"SKILL.md": text}, 0)))
    assert target.service.get_content("hello").body == text.decode()
    with pytest.raises(kind) as caught:
        target.service.install("hello", clients=["claude-code"], force=True)
    clear(caught.value)


@pytest.mark.parametrize("case", NAMES)
def test_a_hostile_name_is_not_installed(target: Target, case: str) -> None:
    """The name in an artifact names a folder only if it is a valid name of a skill."""
    target.put(gzip.compress(GOOD), name=NAMES[case], tag="hello")
    digest = target.service.layout.resolve("hello").digest
    for source in ("hello", str(digest)):
        with pytest.raises((NotASkillError, NameMismatchError)) as caught:
            target.service.install(source, clients=["claude-code"], force=True)
        clear(caught.value)


def test_a_layer_that_is_larger_than_it_says_is_refused(target: Target) -> None:
    """A layer whose size differs from that in the manifest is not used."""
    target.put(gzip.compress(GOOD))
    layout = target.service.layout
    root = layout.read_manifest(layout.resolve("hello"))
    assert isinstance(root, Manifest)
    path = layout.blobs.path(Digest.parse(root.layers[0].digest))
    path.chmod(0o644)
    with path.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(OciLayoutError) as caught:
        target.service.install("hello", clients=["claude-code"])
    clear(caught.value)


def test_what_is_refused_leaves_an_installed_skill_alone(target: Target) -> None:
    """An update to a hostile artifact keeps the files and the record."""
    target.put(gzip.compress(GOOD))
    installed = target.service.install("hello", clients=["claude-code"])
    there = target.outside()
    target.put(file("../evil"))
    with pytest.raises(LayerError):
        target.service.install("hello", force=True)
    assert target.outside() == there
    assert target.service.list_installed() == [installed]
    target.service.uninstall("hello")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "fifo")


def bound(folder: Path) -> None:
    before = Path.cwd()
    os.chdir(folder)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(before)


def linked_folder(folder: Path) -> None:
    (folder / "docs").symlink_to("/etc")


def linked_file(folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")


def linked_skill_md(folder: Path) -> None:
    (folder / "SKILL.md").rename(folder / "real.md")
    (folder / "SKILL.md").symlink_to("real.md")


def link_that_leads_nowhere(folder: Path) -> None:
    (folder / "link").symlink_to("nowhere")


def link_to_itself(folder: Path) -> None:
    (folder / "link").symlink_to("link")


def backslash(folder: Path) -> None:
    (folder / "docs\\evil").touch()


def other_bytes(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()


def many(folder: Path) -> None:
    for number in range(MAX_FILES):
        (folder / str(number)).touch()


def huge(folder: Path) -> None:
    with (folder / "huge").open("wb") as stream:
        stream.truncate(MAX_SIZE)


def noise(folder: Path) -> None:
    (folder / "noise").write_bytes(random.Random(1).randbytes(MAX_LAYER))


def deep(folder: Path) -> None:
    path = folder.joinpath(*"d" * 80)
    path.mkdir(parents=True)
    (path / "file").touch()


def no_skill_md(folder: Path) -> None:
    (folder / "SKILL.md").unlink()


def folder_for_skill_md(folder: Path) -> None:
    no_skill_md(folder)
    (folder / "SKILL.md").mkdir()


def broken_yaml(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\nname: [\n---\n")


def bomb(folder: Path) -> None:
    (folder / "SKILL.md").write_bytes(SKILL_MDS["SKILL.md of aliases that multiply"][0])


def unclosed(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\nname: hello\n")


def long_frontmatter(folder: Path) -> None:
    (folder / "SKILL.md").write_text(f"---\nname: hello\n# {'x' * 2**16}\n---\n")


def name_that_leads_up(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\nname: ../hello\ndescription: d\n---\n")


FOLDERS: list[tuple[Callable[[Path], None], type[SkillError]]] = [
    (fifo, SkillFolderError),
    (bound, SkillFolderError),
    (linked_folder, SkillFolderError),
    (linked_file, SkillFolderError),
    (linked_skill_md, SkillFolderError),
    (link_that_leads_nowhere, SkillFolderError),
    (link_to_itself, SkillFolderError),
    (backslash, SkillFolderError),
    (other_bytes, SkillFolderError),
    (many, TooLargeError),
    (huge, TooLargeError),
    (noise, TooLargeError),
    (deep, SkillFolderError),
    (no_skill_md, SkillFolderError),
    (folder_for_skill_md, SkillFolderError),
    (broken_yaml, FrontmatterError),
    (bomb, FrontmatterError),
    (unclosed, FrontmatterError),
    (long_frontmatter, FrontmatterError),
]


@pytest.mark.parametrize(("spoil", "kind"), FOLDERS, ids=lambda item: item.__name__)
def test_a_hostile_folder_is_not_built(
    tmp_path: Path, spoil: Callable[[Path], None], kind: type[SkillError]
) -> None:
    """Nothing of it gets into a store, with validation or without."""
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "SKILL.md").write_bytes(SKILL_MD)
    spoil(folder)
    service = SkillService.open(tmp_path / "store", durability="none")
    with pytest.raises(kind) as caught:
        service.build(folder, validate=False)
    clear(caught.value)
    with pytest.raises((ValidationError, TooLargeError)):
        service.build(folder)
    assert list(service.layout.blobs) == []
    assert service.layout.entries() == ()


def test_a_hostile_name_is_not_used_as_a_tag(tmp_path: Path) -> None:
    """Without validation a name that is not a valid tag needs a tag, and is not installed."""
    folder = tmp_path / "hello"
    folder.mkdir()
    name_that_leads_up(folder)
    service = SkillService.open(tmp_path / "store", home=tmp_path / "home", durability="none")
    with pytest.raises(SkillError, match="is not a valid tag"):
        service.build(folder, validate=False)
    assert service.layout.entries() == ()
    digest = service.build(folder, validate=False, tag="hello").digest
    with pytest.raises(NotASkillError, match="is not allowed"):
        service.install(str(digest), clients=["cursor"])
    assert not (tmp_path / "home").exists()


def test_there_are_enough_hostile_skills() -> None:
    """Of the 40 that are asked for, 79 archives and 19 folders are tried, and never fewer."""
    assert len(LAYERS) + len(SKILL_MDS) + len(NAMES) >= 79
    assert len(FOLDERS) >= 19
