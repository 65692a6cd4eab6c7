"""A check reports odd files and never fails, whatever is in a layout or vanishes from it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import repair_folder
from ocilayout.layout import Layout
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.indexfile import IndexFile
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER
from tests.unit.check.conftest import as_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.model.digest import Digest

UNKNOWN = "application/vnd.example.thing+json"


@pytest.fixture
def layout() -> Iterator[Layout]:
    """Give a layout with a manifest, its referrer without an entry, and an unknown document."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        layout = Layout.create(Path(name) / "layout", durability="none")
        part = layout.blobs.put(b"part", media_type=OCI_LAYER)
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        root = layout.put_manifest(Manifest(artifact_type="a/b", config=config, layers=[part]))
        layout.tag("v1", root)
        named = json.dumps([layout.blobs.put(b"named", media_type=OCI_LAYER).digest]).encode()
        layout.tag("v2", layout.blobs.put(named, media_type=UNKNOWN))
        layout.put_manifest(Manifest(artifact_type="a/b", config=config, layers=[], subject=root))
        yield layout


def bind(path: Path) -> None:
    """Make a socket; its path may be longer than one of a socket can be."""
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{folder}/{path.name[:9]}")
    os.close(folder)
    path.with_name(path.name[:9]).rename(path)


def deep_folder(path: Path) -> None:
    path.joinpath(*["x"] * 50).mkdir(parents=True)


INSTEAD: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "an empty file": lambda path: path.write_bytes(b""),
    "a file": lambda path: path.write_bytes(b'{"subject":"\xff'),
    "a FIFO": os.mkfifo,
    "a socket": bind,
    "folders": deep_folder,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to the root": lambda path: path.symlink_to("/"),
    "a link to a long name": lambda path: path.symlink_to("x" * 300),
}
PLACES = ["oci-layout", "index.json", "blobs", "blobs/sha256", "quarantine", "ingest", "blob",
          "index.json.lock", "blobs/x", "blobs/sha256/x"]  # fmt: skip


def remove(path: Path) -> None:
    if not path.is_symlink() and path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("instead", INSTEAD)
def test_anything_may_lie_anywhere(layout: Layout, place: str, instead: str) -> None:
    paths = [layout.blobs.path(digest) for digest in layout.blobs]
    if place != "blob":
        paths = [layout.path / place]
    for path in paths:
        held = path.read_bytes() if path.is_file() else None
        remove(path)
        INSTEAD[instead](path)
        for content in (True, False):
            assert isinstance(list(iter_problems(layout.path, content=content)), list)
        if place != "blob":
            continue
        indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
        dry = repair_folder(layout.path, indexfile, Blobs(layout.path), dry_run=True)
        assert repair_folder(layout.path, indexfile, Blobs(layout.path)) == dry
        assert repair_folder(layout.path, indexfile, Blobs(layout.path)).actions == ()
        remove(path)
        path.write_bytes(held or b"")


@pytest.mark.parametrize("place", ["blobs", "blobs/sha256", "quarantine", "ingest", "blobs/x"])
@pytest.mark.parametrize("mode", [0, 0o444, 0o111])
def test_any_folder_may_be_closed(layout: Layout, place: str, mode: int) -> None:
    (layout.path / place).mkdir(exist_ok=True)
    (layout.path / place).chmod(mode)
    with as_user():
        assert isinstance(list(iter_problems(layout.path)), list)
    (layout.path / place).chmod(0o755)


def test_no_entry_is_dropped_while_the_quarantine_cannot_be_looked_into(layout: Layout) -> None:
    document = json.loads((layout.path / "index.json").read_bytes())
    absent = {"mediaType": OCI_LAYER, "digest": "sha256:" + "0" * 64, "size": 3}
    document["manifests"].append(absent)
    (layout.path / "index.json").write_bytes(json.dumps(document).encode())
    (layout.path / "quarantine").mkdir(mode=0)
    indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
    with as_user():
        closed = repair_folder(layout.path, indexfile, Blobs(layout.path), dry_run=True)
    (layout.path / "quarantine").chmod(0o755)
    opened = repair_folder(layout.path, indexfile, Blobs(layout.path), dry_run=True)
    assert "dangling-entry" not in [action.code for action in closed.actions]
    assert "dangling-entry" in [action.code for action in opened.actions]


def test_one_blob_that_cannot_be_read_hides_no_other(layout: Layout) -> None:
    """An unlisted referrer is found though a blob that nothing refers to is closed."""
    for number in range(9):
        closed = layout.blobs.put(b"%d" % number, media_type=OCI_LAYER)
        layout.blobs.path(closed.digest).chmod(0)
    with as_user():
        codes = [problem.code for problem in iter_problems(layout.path)]
    assert codes.count("unlisted-referrer") == 1
    assert codes.count("unreadable-file") == 9


_watching: list[Callable[[str], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        for watch in tuple(_watching):
            watch(arguments[0])


sys.addaudithook(_audit)


@pytest.mark.parametrize("content", [True, False])
def test_any_blob_may_vanish_whenever_one_is_opened(layout: Layout, *, content: bool) -> None:
    whole = {digest: layout.blobs.path(digest).read_bytes() for digest in layout.blobs}
    opened: list[str] = []
    _watching.append(opened.append)
    assert len(list(iter_problems(layout.path, content=content, jobs=1))) == 1
    _watching.clear()
    for moment in range(len(opened)):
        for victim, right in whole.items():
            left = [moment]

            def vanish(_: str, left: list[int] = left, victim: Digest = victim) -> None:
                left[0] -= 1
                if left[0] < 0:
                    layout.blobs.path(victim).unlink(missing_ok=True)

            _watching.append(vanish)
            codes = {problem.code for problem in iter_problems(layout.path, content=content)}
            _watching.clear()
            assert codes <= {
                "unlisted-referrer", "missing-blob", "dangling-name", "unreadable-file",
                "absent-subject", "unreferenced-blob",
            }  # fmt: skip
            layout.blobs.path(victim).write_bytes(right)


@pytest.mark.parametrize("begin", [b'{"subject":', b"[", b"", b" ", b'"', b"{}"])
def test_a_huge_document_that_nothing_refers_to_takes_little_memory(
    layout: Layout, begin: bytes
) -> None:
    path = layout.path / "blobs" / "sha256" / ("0" * 64)
    path.write_bytes(begin)
    os.truncate(path, 64 * MAX_DOCUMENT)
    tracemalloc.start()
    codes = [problem.code for problem in iter_problems(layout.path, content=False)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert codes == ["unlisted-referrer", "unreferenced-blob"]
    assert peak < 8 * 1024 * 1024


def test_many_blobs_that_nothing_refers_to_take_little_memory_each(layout: Layout) -> None:
    folder = layout.path / "blobs" / "sha256"
    for number in range(5000):
        (folder / f"{number:064x}").write_bytes(b'{"subject": %d}' % number)
    tracemalloc.start()
    found = sum(1 for _ in iter_problems(layout.path, content=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 5001
    assert peak < 5000 * 1024


def test_many_referrers_of_referrers_are_found_in_one_pass(layout: Layout) -> None:
    """Each is looked at once, in whatever order they lie."""
    subject = layout.resolve("v1")
    for number in range(300):
        document = {"mediaType": UNKNOWN, "n": number, "subject": {"digest": subject.digest}}
        subject = layout.blobs.put(json.dumps(document).encode(), media_type=UNKNOWN)
    opened: list[str] = []
    _watching.append(opened.append)
    codes = [problem.code for problem in iter_problems(layout.path, content=False)]
    _watching.clear()
    assert codes == ["unlisted-referrer"] * 301
    assert sum(path.endswith(subject.digest.encoded) for path in opened) <= 8
