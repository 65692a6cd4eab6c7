"""Trees and near-misses as values: how they are written to a folder, shown and asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis.vendor.pretty import pretty

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Header
from ocilayout.testing.strategies import (
    File,
    Finding,
    Folder,
    Link,
    NearMiss,
    Tree,
    broken_documents,
    near_misses,
)

if TYPE_CHECKING:
    from pathlib import Path

TREE = Tree(
    {
        "blobs": Folder(mode=0o700),
        "blobs/sha256/0123": b"{}",
        "blobs/sha512/4567": File(b"x", mode=0o600, spaces=3),
        "index.json": Link("blobs/sha256/0123"),
        "nested/deeply/file": b"",
        "nested/link": Link("nowhere"),
    }
)


def test_a_tree_is_written_as_it_says(tmp_path: Path) -> None:
    """Files, folders, links and permissions are those of the tree, and nothing else is there."""
    before = os.umask(0o077)
    try:
        root = TREE.write(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert root == tmp_path / "a" / "b"
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*")}
    folders = {"blobs", "blobs/sha256", "blobs/sha512", "nested", "nested/deeply"}
    assert set(found) == folders | set(TREE.nodes)
    modes = {name: path.lstat().st_mode & 0o777 for name, path in found.items()}
    assert (modes["blobs"], modes["blobs/sha256"], modes["nested"]) == (0o700, 0o755, 0o755)
    assert (modes["blobs/sha256/0123"], modes["blobs/sha512/4567"]) == (0o644, 0o600)
    assert found["blobs/sha512/4567"].read_bytes() == b"x   "
    assert found["index.json"].read_bytes() == b"{}"
    assert str(found["nested/link"].readlink()) == "nowhere"


def test_a_tree_is_written_to_a_place_that_is_free(tmp_path: Path) -> None:
    """Existing files are not overwritten."""
    with pytest.raises(FileExistsError):
        TREE.write(tmp_path)


def test_a_tree_answers_for_its_files() -> None:
    """Content is that of files and of nothing else; blobs are files below a folder of `blobs`."""
    assert TREE.content("blobs/sha512/4567") == b"x   "
    assert TREE.blobs() == {"sha256:0123": b"{}", "sha512:4567": b"x   "}
    for name in ("blobs", "index.json", "absent"):
        with pytest.raises(KeyError):
            TREE.content(name)


def test_a_tree_is_changed_by_making_another() -> None:
    """What is not named stays; what is named is replaced, added or taken away."""
    small = Tree({"a": b"1", "b": b"2"})
    assert small.changed({"b": None, "c": Link("a")}) == Tree({"a": b"1", "c": Link("a")})
    assert small == Tree({"b": b"2", "a": b"1"})


@pytest.mark.parametrize("show", [repr, pretty])
def test_what_a_report_shows_is_a_program(show: object) -> None:
    """A tree and a near-miss are shown as the Python that makes them, many blanks as a product."""
    assert callable(show)
    miss = NearMiss(code="x", place="$", also=(Finding("y", "z"),), value=TREE)
    data = NearMiss(code="too-large", place="$", value=b"{}" + b" " * 4_000_000)
    few = NearMiss(code="bad-json", place="$", value=b"{} ")
    for value in (TREE, miss, data, few):
        assert (
            eval(show(value), {name: globals()[name] for name in SHOWN}) == value
        )  # it is what the test is about
        assert len(show(value)) < 800
    assert pretty(TREE).count("\n") == len(TREE.nodes) + 1


SHOWN = ("File", "Finding", "Folder", "Link", "NearMiss", "Tree")


def test_a_near_miss_says_all_that_is_found() -> None:
    """What comes with a defect counts among the findings."""
    other = Finding("missing-blob", "blobs/sha256/0123")
    miss = NearMiss(code="size-conflict", place="x$.size", also=(other,), value=TREE)
    assert miss.findings == {Finding("size-conflict", "x$.size"), other}


def test_a_defect_that_nothing_can_have_is_refused() -> None:
    """An unknown defect, or an empty list of them, is refused at once."""
    with pytest.raises(ValueError, match="no near-miss is known for no code at all"):
        near_misses([])
    with pytest.raises(ValueError, match=r"known for \['no-such-code'\]"):
        near_misses(["bad-size", "no-such-code"])
    with pytest.raises(ValueError, match=r"known for \['bad-size'\]"):
        broken_documents(Header, ["bad-size"])
    with pytest.raises(ValueError, match="Descriptor is not a document of its own"):
        broken_documents(Descriptor)
