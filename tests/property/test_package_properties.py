"""Laws of packaging: the same files give the same bytes, and the tar gives the files back."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from ocilayout import Digest
from skills.packaging.folder import MAX_FILES, MAX_SIZE, read, scan
from skills.packaging.skill_package import MAX_EPOCH, package
from skills.packaging.tar_writer import write_tar

if TYPE_CHECKING:
    from collections.abc import Iterable

LAW = settings(deadline=None)  # no test asserts a time
SKILL_MD = b"---\nname: n\n---\n"
# Dots are allowed, but not at the start: that would hide the file. No slash, NUL or backslash.
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=40
).filter(lambda name: not name.startswith(".") and len(name.encode()) <= 255)
EPOCHS = st.integers(0, MAX_EPOCH)


def is_tree(paths: Iterable[str]) -> bool:
    """Tell whether no path goes through another one."""
    known = set(paths)
    return not any(
        str(above) in known for path in known for above in Path(path).parents if str(above) != "."
    )


PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = (
    st.dictionaries(PATHS, st.binary(max_size=600), max_size=5)
    .map(lambda files: {**files, "SKILL.md": SKILL_MD})
    .filter(is_tree)
)


@frozen
class Circumstances:
    """Circumstances that must not matter: order of creation, umask, modes and times of files."""

    seed: int
    umask: int
    mode: int
    time: int


CIRCUMSTANCES = st.builds(
    Circumstances,
    seed=st.integers(0, 2**32),
    umask=st.sampled_from([0o000, 0o022, 0o077]),
    mode=st.sampled_from([0o400, 0o644, 0o755, 0o4777]),
    time=st.integers(0, 2**32),
)


def write(folder: Path, files: dict[str, bytes], how: Circumstances) -> None:
    names = list(files)
    random.Random(how.seed).shuffle(names)
    before = os.umask(how.umask)
    try:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
            path.chmod(how.mode)
            os.utime(path, (how.time, how.time))
    finally:
        os.umask(before)


@pytest.mark.spec("config:reproducible")
@LAW
@given(files=FILES, epoch=EPOCHS, one=CIRCUMSTANCES, other=CIRCUMSTANCES)
def test_only_paths_contents_and_the_epoch_matter(
    files: dict[str, bytes], epoch: int, one: Circumstances, other: Circumstances
) -> None:
    made = []
    for how in (one, other):
        with TemporaryDirectory() as folder:
            write(Path(folder), files, how)
            made.append(package(folder, epoch=epoch))
    assert made[0] == made[1]
    assert made[0].diff_id == Digest.of(
        write_tar({name: files[name] for name in sorted(files, key=str.encode)}, epoch)
    )


@pytest.mark.spec("layer:tar", "layer:no-duplicates")
@LAW
@given(files=FILES, epoch=EPOCHS)
def test_python_reads_back_the_packaged_files(files: dict[str, bytes], epoch: int) -> None:
    with TemporaryDirectory() as folder:
        write(Path(folder), files, Circumstances(0, 0, 0o600, 0))
        layer = package(folder, epoch=epoch).layer.data
    found = {}
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
            assert (member.mode, member.uid, member.gid) == (0o644, 0, 0)
            assert (member.uname, member.gname) == ("", "")
            assert (member.mtime, member.isreg()) == (epoch, True)
    assert found == files
    assert list(found) == sorted(files, key=str.encode)


@LAW
@given(files=FILES, epoch=st.integers(0, MAX_EPOCH - 1))
def test_the_epoch_changes_every_blob(files: dict[str, bytes], epoch: int) -> None:
    with TemporaryDirectory() as folder:
        write(Path(folder), files, Circumstances(0, 0, 0o600, 0))
        one, other = (package(folder, epoch=time).blobs for time in (epoch, epoch + 1))
    assert not {blob.descriptor.digest for blob in one} & {blob.descriptor.digest for blob in other}


@LAW
@given(files=FILES)
def test_scanned_files_can_be_read_and_are_within_the_limits(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        write(Path(folder), files, Circumstances(0, 0, 0o600, 0))
        found = scan(folder)
        assert {name: read(found, name) for name in found.files} == files
    assert found.problems == ()
    assert len(found.files) <= MAX_FILES
    assert sum(found.files.values()) <= MAX_SIZE


# Paths about the two limits of a USTAR header, 100 and 155 bytes, some of them not ASCII.
LONG = st.lists(
    st.tuples(
        st.sampled_from("aé"), st.sampled_from([1, 2, 49, 50, 98, 99, 100, 101, 154, 155, 156])
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: "/".join(character * count for character, count in parts))


@LAW
@given(path=LONG, data=st.binary(max_size=10))
def test_a_pax_header_is_written_exactly_where_ustar_cannot_store_the_path(
    path: str, data: bytes
) -> None:
    tar = write_tar({path: data}, 0)
    splits = [
        index
        for index in range(1, len(path))
        if path[index] == "/" and index <= 155 and len(path) - index - 1 <= 100
    ]
    ustar = path.isascii() and (len(path) <= 100 or bool(splits))
    assert (tar[156:157] == b"0") == ustar
    assert (b"path=" in tar[512:]) == (not ustar) or b"path=" in data
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        (member,) = members
        assert member.name == path
        assert member.size == len(data)
        assert bool(member.pax_headers) == (not ustar)
    assert len(tar) % 512 == 0
    assert tar.endswith(bytes(1024))
