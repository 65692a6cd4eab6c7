"""Pipes, sockets and devices in place of files: nothing hangs, and the error names them."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import IntegrityError, OciLayoutError
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("later")

NOW = timedelta(0)


def make_socket(path: Path) -> None:
    """Bind a socket, whose path may be long."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def make_device(path: Path) -> None:
    """Make a device that gives zeros without end."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("making a device takes root")


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (os.mkfifo, "a FIFO"),
    "socket": (make_socket, "a socket"),
    "device": (make_device, "a device"),
    "folder": (Path.mkdir, "a folder"),
}


NO_FOLDER = pytest.mark.parametrize("kind", [name for name in KINDS if name != "folder"])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.create(tmp_path / "layout", durability="none")
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(b"x", media_type=OCI_LAYER)
    layout.tag("a", layout.put_manifest(Manifest(config=config, layers=[layer])))
    return layout


def put_in_place(path: Path, kind: str) -> str:
    """Replace a file or an empty folder by something odd; return what an error calls it."""
    if path.is_dir():
        path.rename(path.with_name("away"))
    path.unlink(missing_ok=True)
    KINDS[kind][0](path)
    return KINDS[kind][1]


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_document_that_is_not_a_file_is_refused(layout: Layout, kind: str, name: str) -> None:
    """Opening, editing and checking neither wait nor read what is not a file."""
    noun = put_in_place(layout.path / name, kind)
    with pytest.raises(OSError, match=f"it is {noun}") as caught:
        Layout.open(layout.path)
    assert caught.value.filename == str(layout.path / name)
    codes = {(problem.code, problem.place) for problem in layout.check()}
    assert ("unreadable-file", name) in codes
    if name == "index.json":
        with pytest.raises(OSError, match=f"it is {noun}"):
            layout.untag("a")


def test_a_lock_file_that_is_not_a_file_is_refused(layout: Layout, kind: str) -> None:
    """An edit says what lies in the place of its lock."""
    noun = put_in_place(layout.path / "index.json.lock", kind)
    with pytest.raises(OSError, match=f"it is {noun}") as caught:
        layout.untag("a")
    assert caught.value.filename == str(layout.path / "index.json.lock")
    assert layout.tags() == ("a",)


@NO_FOLDER
@pytest.mark.parametrize("name", ["ingest", "blobs", "blobs/sha256"])
def test_a_folder_that_is_not_one_is_refused(layout: Layout, kind: str, name: str) -> None:
    """A put says what lies in the place of a folder; the other verbs neither wait nor fail."""
    noun = put_in_place(layout.path / name, kind)
    with pytest.raises(NotADirectoryError, match=noun) as caught:
        layout.blobs.put(b"new", media_type=OCI_LAYER)
    assert caught.value.filename == str(layout.path / name)
    layout.check()
    with suppress(IntegrityError):  # where all blobs of an algorithm are away, nothing is judged
        assert layout.collect(grace=NOW).removed == ()
    with suppress(NotADirectoryError):
        layout.repair()
    with suppress(OciLayoutError):
        layout.remove("a")


def test_a_blob_that_is_not_a_file_is_refused(layout: Layout, kind: str) -> None:
    """Reading, copying, collecting and repairing neither wait nor read what is not a file."""
    layer = Descriptor.of(b"x", OCI_LAYER)
    noun = put_in_place(layout.blobs.path(layer.digest), kind)
    with pytest.raises(IntegrityError, match=f"is {noun}"):
        layout.blobs.read(layer)
    with pytest.raises(IntegrityError, match=f"is {noun}"):
        layout.blobs.open(layer)
    layout.collect(grace=NOW)
    assert ("irregular-blob", "error") in {(p.code, p.severity) for p in layout.check()}
    assert [action.code for action in layout.repair().actions] == ["irregular-blob"]
    layout.blobs.put(b"x", media_type=OCI_LAYER)
    assert layout.blobs.read(layer) == b"x"


@pytest.mark.parametrize(
    "place", ["ingest/x", "ingest/4194305-0123456789abcdef", "index.json.x.tmp", ".umoci-x"]
)
def test_a_temporary_that_is_not_a_file_holds_nothing_up(
    layout: Layout, kind: str, place: str
) -> None:
    """Old ones of other programs are removed; one with a name of ours is reported and stays."""
    put_in_place(layout.path / place, kind)
    ours = "4194305" in place
    assert layout.collect(grace=NOW).temporaries == (() if ours else (place,))
    layout.repair()
    assert (layout.path / place).exists() == ours
    layout.tag("b", layout.resolve("a"))


@NO_FOLDER
def test_a_quarantine_that_is_not_a_folder_is_refused(layout: Layout, kind: str) -> None:
    """A repair says what lies in the place of the folder, and moves nothing."""
    layer = Descriptor.of(b"x", OCI_LAYER)
    layout.blobs.path(layer.digest).write_bytes(b"y")
    noun = put_in_place(layout.path / "quarantine", kind)
    (left,) = [one for one in layout.repair().remaining if one.code == "digest-mismatch"]
    assert "could not be repaired" in left.message
    assert noun in left.message
    assert layout.blobs.path(layer.digest).read_bytes() == b"y"


def test_a_file_of_a_creation_that_is_not_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Making a layout over an odd `index.json` neither waits nor replaces it."""
    root = tmp_path / "new"
    root.mkdir()
    noun = put_in_place(root / "index.json", kind)
    with pytest.raises(OSError, match=f"it is {noun}"):
        Layout.open(root, create=True)
    assert not stat.S_ISREG((root / "index.json").lstat().st_mode)
