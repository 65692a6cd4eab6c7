"""Archives too large for memory: written to a pipe, and read in place.

With OCILAYOUT_LARGE=1 in the environment the blob has 2 GiB; otherwise it has 64 MiB, which is
enough to see that it is not held, and takes a moment.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1024 * 1024
SIZE = 2048 * MIB if os.environ.get("OCILAYOUT_LARGE") == "1" else 64 * MIB
LIMIT = 64 * MIB  # for the whole process, interpreter and all
GROWTH = 16 * MIB  # while it works

# The peak of a process; that of `getrusage` counts what it had in common with its parent, too.
PEAK = """
import json, os, resource, sys
from ocilayout.archive import Archive, write_archive
from ocilayout.layout.layout import Layout

def peak():
    try:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return int(lines["VmHWM"].split()[0]) * 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def report(**found):
    print(json.dumps({**found, "before": before, "after": peak()}), file=sys.stderr)

before = peak()
"""

WRITE = (
    PEAK
    + """
with os.fdopen(1, "wb", buffering=0) as pipe:
    write_archive(Layout.open(sys.argv[1]), None, pipe)
report()
"""
)

READ = (
    PEAK
    + """
size = 0
with Archive.open(sys.argv[1]) as archive:
    for found in archive.walk(archive.resolve("v1")):
        with archive.blobs.open(found) as stream:
            while data := stream.read(1024 * 1024):
                size += len(data)
report(size=size)
"""
)

NAIVE = (
    PEAK
    + """
with Archive.open(sys.argv[1]) as archive:
    for found in archive.walk(archive.resolve("v1")):
        with archive.blobs.open(found) as stream:
            size = len(stream.read(64 * 1024 * 1024))
report(size=size)
"""
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Return a layout with a blob of zeros, in a sparse file."""
    layout = Layout.create(tmp_path_factory.mktemp("large") / "layout", durability="none")
    hasher, zeros = hashlib.sha256(), bytes(MIB)
    for _ in range(SIZE // MIB):
        hasher.update(zeros)
    layer = Descriptor(
        media_type=OCI_LAYER, digest=Digest.parse(f"sha256:{hasher.hexdigest()}"), size=SIZE
    )
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    path = layout.blobs.path(layer.digest)
    path.touch()
    os.truncate(path, SIZE)
    layout.tag("v1", layout.put_manifest(Manifest(config=config, layers=[layer])))
    return layout


@pytest.fixture(scope="module")
def archive(layout: Layout) -> tuple[Path, dict[str, int]]:
    """Return an archive that was written to a pipe, and the memory figures of its writer."""
    path = layout.path.parent / "x.tar"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(layout.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        copy_with_holes(process.stdout.read, path)
        said = process.stderr.read()
    assert process.returncode == 0, said
    return path, json.loads(said)


def copy_with_holes(read: Callable[[int], bytes], path: Path) -> None:
    """Copy a stream to a sparse file."""
    with path.open("wb") as file:
        while data := read(MIB):
            if data.count(0) == len(data):
                file.seek(len(data), os.SEEK_CUR)
            else:
                file.write(data)
        file.truncate()


def run(code: str, path: Path) -> dict[str, int]:
    """Run code on an archive and return its memory figures."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "TMPDIR": str(path.parent)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, int] = json.loads(done.stderr)
    return said


def require_small(said: dict[str, int]) -> None:
    """Require that a process needed little memory, in total and above its start."""
    assert said["after"] - said["before"] < GROWTH
    assert said["after"] < LIMIT


def test_written_to_a_pipe(archive: tuple[Path, dict[str, int]]) -> None:
    """Writing needs the memory of a few blocks for a blob of any size."""
    path, said = archive
    assert path.stat().st_size > SIZE
    require_small(said)


def test_read_in_place(layout: Layout, archive: tuple[Path, dict[str, int]]) -> None:
    """Reading and verifying needs no more."""
    path, _ = archive
    said = run(READ, path)
    require_small(said)
    assert said["size"] == sum(layout.blobs.size(digest) for digest in layout.blobs)


def test_read_compressed(layout: Layout, archive: tuple[Path, dict[str, int]]) -> None:
    """A compressed archive is unpacked to the disk and not into memory."""
    path, _ = archive
    packed = path.with_suffix(".tar.gz")
    with path.open("rb") as source, gzip.open(packed, "wb", 1) as target:
        shutil.copyfileobj(source, target, MIB)
    said = run(READ, packed)
    require_small(said)
    assert said["size"] == sum(layout.blobs.size(digest) for digest in layout.blobs)
    assert {found.name for found in path.parent.iterdir()} == {"layout", "x.tar", "x.tar.gz"}


def test_the_measure_measures(archive: tuple[Path, dict[str, int]]) -> None:
    """The measurement notices a process that holds 64 MiB of a blob."""
    path, _ = archive
    said = run(NAIVE, path)
    assert said["after"] - said["before"] > GROWTH
