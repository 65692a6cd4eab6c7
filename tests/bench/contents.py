"""Cases about content: collecting, checking, storing, copying, archives."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from typing import IO, TYPE_CHECKING, Final

from ocilayout import Archive, Layout, copy, write_archive
from tests.bench.material import MEBIBYTE, make_file, make_image, make_store
from tests.bench.measure import Case, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _collect(folder: Path, size: int) -> Subject:
    make_store(folder, size)
    return Subject(
        ours=lambda: Layout.open(folder).collect(),
        yardsticks={
            "umoci gc": lambda: subprocess.run(
                ["umoci", "gc", "--layout", folder], check=True, capture_output=True
            )
        },
    )


def _check(folder: Path, size: int) -> Subject:
    make_store(folder, size)

    def read() -> None:
        for path in (folder / "blobs" / "sha256").iterdir():
            data = path.read_bytes()
            hashlib.sha256(data).hexdigest()
            if data.startswith(b"{"):
                json.loads(data)

    return Subject(
        ours=lambda: Layout.open(folder).check(),
        yardsticks={"to read, hash and json.loads all blobs": read},
    )


def _put(*, synced: bool) -> Callable[[Path, int], Subject]:
    def make(folder: Path, size: int) -> Subject:
        source, target = folder / "source", folder / "target"
        make_file(source, size)
        piece = os.urandom(MEBIBYTE)

        def put() -> None:
            blobs = Layout.create(target, durability="none").blobs
            stored = blobs.put(source, media_type="text/plain")
            if synced:
                blobs.sync([stored.digest])

        def digest() -> None:
            hasher = hashlib.sha256()
            for _ in range(size):
                hasher.update(piece)

        def write() -> None:
            target.mkdir()
            with (target / "file").open("wb", buffering=0) as file:
                for _ in range(size):
                    file.write(piece)
                if synced:
                    os.fsync(file)

        return Subject(
            ours=put,
            yardsticks=(
                {"writing as much, and syncing": write}
                if synced
                else {"hashlib on bytes in memory": digest, "writing as much": write}
            ),
            before=lambda: shutil.rmtree(target, ignore_errors=True),
        )

    return make


def _copy(folder: Path, size: int) -> Subject:
    source, target = make_image(folder / "source", size), folder / "target"
    return Subject(
        ours=lambda: copy(source, "image", Layout.create(target, durability="none")),
        yardsticks={"shutil.copytree": lambda: shutil.copytree(source.path, target)},
        before=lambda: shutil.rmtree(target, ignore_errors=True),
    )


def _write_archive(folder: Path, size: int) -> Subject:
    source, target = make_image(folder / "source", size), folder / "archive"

    def write() -> None:
        with tarfile.open(target, "w") as tar:
            tar.add(source.path, ".")

    return Subject(
        ours=lambda: write_archive(source, ["image"], target),
        yardsticks={"tarfile, which verifies nothing": write},
        before=lambda: target.unlink(missing_ok=True),
    )


def _read_archive(folder: Path, size: int) -> Subject:
    path = folder / "archive"
    write_archive(make_image(folder / "source", size), ["image"], path)

    def ours() -> None:
        with Archive.open(path) as archive:
            for descriptor in archive.walk(archive.resolve("image")):
                with archive.blobs.open(descriptor) as stream:
                    while stream.read(MEBIBYTE):
                        pass

    def theirs() -> None:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None:
                    _hash(file)

    return Subject(ours=ours, yardsticks={"tarfile and hashlib": theirs})


def _hash(file: IO[bytes]) -> None:
    hasher = hashlib.sha256()
    while data := file.read(MEBIBYTE):
        hasher.update(data)


CASES: Final = (
    Case(
        name="collect",
        about="Layout.open and collect(), nothing to remove",
        make=_collect,
        unit="manifests",
        limits={10_000: 0.6},
        needs=("umoci",),
    ),
    Case(
        name="check",
        about="Layout.open and check()",
        make=_check,
        unit="manifests",
    ),
    Case(
        name="put",
        about="blobs.put() of a file",
        make=_put(synced=False),
        sizes=(1024,),
        unit="MiB",
        limits={1024: 1 / 0.85},  # 0.85 of the rate of the slower yardstick
    ),
    Case(
        name="put-synced",
        about="blobs.put() of a file, and sync()",
        make=_put(synced=True),
        sizes=(1024,),
        unit="MiB",
    ),
    Case(name="copy", about="copy() to a new layout", make=_copy, sizes=(256,), unit="MiB"),
    Case(
        name="archive-write", about="write_archive()", make=_write_archive, sizes=(256,), unit="MiB"
    ),
    Case(
        name="archive-read",
        about="Archive.open and all blobs, verified",
        make=_read_archive,
        sizes=(256,),
        unit="MiB",
    ),
)
