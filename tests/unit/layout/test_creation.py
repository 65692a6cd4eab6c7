"""The files of a layout: created, completed, required."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import (
    DocumentError,
    LayoutExistsError,
    LockTimeoutError,
    NotALayoutError,
    UnsupportedVersionError,
)
from ocilayout.layout.layout import Layout
from ocilayout.layout.rootindex import EMPTY
from ocilayout.model.mediatype import (
    OCI_INDEX,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

from tests.unit.layout.layouts import is_whole, put_artifact, put_image, tree

HEADER = b'{"imageLayoutVersion":"1.0.0"}'


# ---------------------------------------------------------------- making


@pytest.mark.spec(
    "image-layout:blobs-folder", "image-layout:oci-layout-file", "image-layout:index-json"
)
def test_a_new_layout_has_the_files_of_the_specification(tmp_path: Path) -> None:
    """A new layout is a header, an empty index and a folder of blobs; parents are created."""
    layout = Layout.create(tmp_path / "new" / "layout")
    assert sorted(path.name for path in layout.path.iterdir()) == [
        "blobs",
        "index.json",
        "index.json.lock",
        "oci-layout",
    ]
    assert layout.path == tmp_path / "new" / "layout"
    assert (layout.path / "oci-layout").read_bytes() == HEADER
    assert json.loads((layout.path / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [],
    }
    assert (layout.path / "blobs").is_dir()
    assert Layout.open(str(layout.path)).tags() == ()


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_have_the_usual_modes(tmp_path: Path, umask: int) -> None:
    """The umask decides who shares a layout; only users who can write it share the lock."""
    before = os.umask(umask)
    try:
        layout = Layout.create(tmp_path / "layout")
        layout.tag("a", put_image(layout))
    finally:
        os.umask(before)
    for path in layout.path.rglob("*"):
        mode = (0o777 if path.is_dir() else 0o666) & ~umask
        if path.name == "index.json.lock":
            mode = 0o660 if umask == 0o002 else 0o600
        assert (path.name, path.stat().st_mode & 0o777) == (path.name, mode)


def test_a_layout_is_not_created_over_another(layout: Layout) -> None:
    """An existing layout is refused, and not touched."""
    layout.tag("a", put_artifact(layout))
    before = tree(layout.path)
    with pytest.raises(LayoutExistsError):
        Layout.create(layout.path)
    assert tree(layout.path) == before
    assert Layout.open(layout.path, create=True).tags() == ("a",)
    assert tree(layout.path) == before


@pytest.mark.parametrize("name", ["README.md", ".git", "index.html", "oci-layout.txt"])
@pytest.mark.parametrize(
    "make", [Layout.create, lambda path: Layout.open(path, create=True)], ids=["create", "open"]
)
def test_a_folder_with_other_files_is_not_made_a_layout(
    tmp_path: Path, name: str, make: Callable[[Path], Layout]
) -> None:
    """A folder that holds other files is refused by the name of one, and nothing is added."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(LayoutExistsError, match=name):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_layout_is_not_created_at_a_file(tmp_path: Path) -> None:
    """A file at the path is named in the error, and kept."""
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(LayoutExistsError):
        Layout.create(tmp_path / "file")
    with pytest.raises(LayoutExistsError):
        Layout.open(tmp_path / "file", create=True)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "there",
    [
        [],
        ["index.json.lock"],
        ["index.json.lock", "blobs/"],
        ["index.json.lock", "blobs/", "index.json.index.json.1.tmp"],
        ["index.json.lock", "blobs/", "index.json"],
        ["index.json.lock", "blobs/", "index.json", "index.json.oci-layout.1.tmp"],
        ["blobs/", "ingest/", "index.json"],
    ],
    ids=" ".join,
)
def test_a_creation_that_was_killed_is_completed(tmp_path: Path, there: list[str]) -> None:
    """A creation that was killed at any step is completed by opening with `create`."""
    for name in there:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(EMPTY if name == "index.json" else b"")
    with pytest.raises(NotALayoutError):
        Layout.open(tmp_path)
    layout = Layout.open(tmp_path, create=True)
    layout.tag("a", put_artifact(layout))
    assert Layout.open(tmp_path).tags() == ("a",)
    assert (tmp_path / "oci-layout").read_bytes() == HEADER


def test_an_existing_index_is_never_replaced(layout: Layout) -> None:
    """A folder whose header is lost keeps its entries when it is completed."""
    layout.tag("a", put_artifact(layout))
    (layout.path / "oci-layout").unlink()
    before = (layout.path / "index.json").stat()
    with pytest.raises(LayoutExistsError):
        Layout.create(layout.path)
    assert not (layout.path / "oci-layout").exists()
    assert Layout.open(layout.path, create=True).tags() == ("a",)
    assert (layout.path / "index.json").stat().st_ino == before.st_ino


def test_a_broken_index_is_never_replaced(tmp_path: Path) -> None:
    """An index that does not parse is an error, also where a layout may be created."""
    (tmp_path / "index.json").write_bytes(b"{")
    with pytest.raises(DocumentError):
        Layout.open(tmp_path, create=True)
    assert (tmp_path / "index.json").read_bytes() == b"{"


def test_a_creation_waits_for_another(tmp_path: Path) -> None:
    """One process creates a layout at a time; waiting too long is an error."""
    layout = Layout(tmp_path)
    with layout._indexfile.locked(), pytest.raises(LockTimeoutError):
        Layout.create(tmp_path, lock_timeout=0)
    assert not (tmp_path / "oci-layout").exists()


# ---------------------------------------------------------------- opening


@pytest.mark.spec("image-layout:oci-layout-file", "image-layout:index-json")
@pytest.mark.parametrize("missing", ["oci-layout", "index.json"])
def test_a_folder_that_lacks_a_file_is_not_a_layout(layout: Layout, missing: str) -> None:
    """Without `oci-layout` or `index.json` a folder is not a layout; the error names the file."""
    (layout.path / missing).unlink()
    with pytest.raises(NotALayoutError, match=missing):
        Layout.open(layout.path)


def test_a_header_without_an_index_is_not_completed(layout: Layout) -> None:
    """A missing index is an error, and not replaced by an empty one."""
    (layout.path / "index.json").unlink()
    with pytest.raises(NotALayoutError, match=r"index\.json"):
        Layout.open(layout.path, create=True)
    assert not (layout.path / "index.json").exists()


def test_a_missing_folder_is_not_a_layout(tmp_path: Path) -> None:
    """A missing path and a file are refused, and left as they are."""
    with pytest.raises(NotALayoutError):
        Layout.open(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    (tmp_path / "file").write_bytes(HEADER)
    with pytest.raises(NotALayoutError):
        Layout.open(tmp_path / "file")


@pytest.mark.spec("image-layout:version")
@pytest.mark.parametrize("version", ["1.0.1", "2.0.0", "1.0", ""])
def test_other_versions_are_not_opened(layout: Layout, version: str) -> None:
    """Any version but 1.0.0 is refused as such."""
    (layout.path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": version}))
    with pytest.raises(UnsupportedVersionError) as caught:
        Layout.open(layout.path)
    assert caught.value.problems[0].place == "$.imageLayoutVersion"


@pytest.mark.spec("image-layout:oci-layout-file")
@pytest.mark.parametrize(
    "header", [b"", b"{}", b"[]", b'{"imageLayoutVersion":1}', b'{"ImageLayoutVersion":"1.0.0"}']
)
def test_an_invalid_header_is_refused(layout: Layout, header: bytes) -> None:
    """A header that breaks the specification is a document error."""
    (layout.path / "oci-layout").write_bytes(header)
    with pytest.raises(DocumentError):
        Layout.open(layout.path)


@pytest.mark.spec("image-layout:header-extra")
def test_a_header_may_have_more_properties(layout: Layout) -> None:
    """Unknown properties, indentation and a final newline are accepted."""
    (layout.path / "oci-layout").write_bytes(b'{\n "x": [1],\n "imageLayoutVersion": "1.0.0"\n}\n')
    assert Layout.open(layout.path).tags() == ()


def test_opening_writes_nothing(layout: Layout) -> None:
    """Opening and reading leave every file and folder as it was, and create none."""
    layout.tag("a", put_image(layout))
    (layout.path / "index.json.lock").unlink()
    (layout.path / "ingest").rmdir()
    before = tree(layout.path)
    opened = Layout.open(layout.path)
    assert opened.tags() == ("a",)
    assert is_whole(opened, opened.resolve("a"))
    assert tree(layout.path) == before


@pytest.mark.spec("image-layout:opaque-blobs")
def test_opening_reads_no_blob(layout: Layout) -> None:
    """A layout opens, lists and resolves when its blobs are damaged or gone."""
    root = put_image(layout)
    layout.tag("a", root)
    for digest in list(layout.blobs):
        layout.blobs.path(digest).write_bytes(b"")
    assert Layout.open(layout.path).resolve("a") == root
    (layout.path / "blobs").rename(layout.path / "elsewhere")
    opened = Layout.open(layout.path)
    assert opened.resolve("a") == root
    assert opened.tags() == ("a",)
    assert [entry.descriptor for entry in opened.entries()] == [root]


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    """There are two durabilities; a third is an error, and creates no layout."""
    with pytest.raises(ValueError, match="durability"):
        Layout.create(tmp_path / "x", durability="fsync")  # type: ignore[arg-type] # the mistake
    assert not (tmp_path / "x").exists()


@pytest.mark.spec("image-index:manifests")
@pytest.mark.parametrize(
    "index",
    [
        '{"schemaVersion":2,"manifests":null}',
        '{"schemaVersion":2}',
        '{\n  "manifests": [],\n  "schemaVersion": 2\n}\n',
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","x":{"y":[]}}',
    ],
)
def test_an_empty_layout_of_other_programs_is_opened(layout: Layout, index: str) -> None:
    """Entries and the media type may be null or missing; tagging writes a list."""
    (layout.path / "index.json").write_text(index)
    opened = Layout.open(layout.path, durability="none")
    assert opened.tags() == ()
    assert opened.entries() == ()
    opened.tag("a", put_artifact(opened))
    assert opened.tags() == ("a",)


@pytest.mark.spec("image-layout:unknown-files")
def test_unknown_files_are_left_alone(layout: Layout) -> None:
    """Files of other programs in a layout are ignored, and stay."""
    strays = ["manifest.json", "oci-put-blob123", ".umoci-x", "index.json.1.tmp", "blobs/sha256/x"]
    (layout.path / "blobs" / "sha256").mkdir()
    for name in strays:
        (layout.path / name).write_bytes(b"?")
    layout.tag("a", put_artifact(layout))
    layout.remove("a")
    assert all((layout.path / name).read_bytes() == b"?" for name in strays)
