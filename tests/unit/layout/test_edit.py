"""Edits: several changes that become visible together, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    IntegrityError,
    InvalidNameError,
    LockTimeoutError,
    ReferenceNotFoundError,
    SizeMismatchError,
)
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.layout import Layout
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.layout.edit import Edit


def put_artifact(layout: Layout, *layers: str, note: str = "") -> Descriptor:
    """Store a manifest with layers of these texts; it has no entry."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in layers],
            annotations={"note": note} if note else {},
        )
    )


def layer(text: str) -> Descriptor:
    """Describe a layer of this text."""
    return Descriptor.of(text.encode(), OCI_LAYER)


def is_whole(layout: Layout, descriptor: Descriptor) -> bool:
    """Return whether all parts of content exist and verify."""
    return all(layout.blobs.read(found) is not None for found in layout.walk(descriptor))


def index_file(layout: Layout) -> tuple[int, bytes]:
    """Identify the root index by its inode and its bytes."""
    path = layout.path / "index.json"
    return path.stat().st_ino, path.read_bytes()


def yes(_: RootIndex) -> bool:
    return True


def no(_: RootIndex) -> bool:
    return False


@pytest.fixture
def other(layout: Layout) -> Layout:
    """Return another handle on the same layout, which does not wait for a lock."""
    return Layout.open(layout.path, durability="none", lock_timeout=0)


# ---------------------------------------------------------------- all or nothing


def test_several_changes_are_one_write(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced once for all changes of a block."""
    layout.tag("old", put_artifact(layout, "old"))
    layout.tag("gone", put_artifact(layout, "gone"))
    fresh = put_artifact(layout, "fresh")
    replaced: list[object] = []
    replace = os.replace

    def note(source: str, target: str, **folders: int) -> None:
        replaced.append(target)
        replace(source, target, **folders)

    monkeypatch.setattr(os, "replace", note)
    with layout.edit() as edit:
        edit.tag("new", fresh, annotations={"a": "b"})
        edit.annotate("new", {"c": "d"})
        edit.untag("old")
        edit.remove("gone")
        edit.tag("newer", fresh.digest)
    assert replaced == ["index.json"]
    assert layout.tags() == ("new", "newer")
    assert dict(layout.entry("new").annotations) == {"a": "b", "c": "d"}
    assert layer("gone").digest not in layout.blobs
    assert layer("old").digest in layout.blobs


def test_nothing_is_written_if_the_block_raises(layout: Layout) -> None:
    """Changes that were recorded before an error in the block are not made."""
    target = put_artifact(layout, "x")
    layout.tag("kept", target)
    before = index_file(layout)

    def change() -> None:
        with layout.edit() as edit:
            edit.tag("a", target)
            edit.remove("kept")
            raise KeyError("no")

    with pytest.raises(KeyError):
        change()
    assert index_file(layout) == before
    assert is_whole(layout, target)


@pytest.mark.parametrize(
    "fail",
    [
        lambda edit: edit.untag("missing"),
        lambda edit: edit.remove("missing"),
        lambda edit: edit.annotate("missing", {"a": "b"}),
    ],
    ids=["untag", "remove", "annotate"],
)
def test_nothing_is_written_if_one_change_cannot_be_made(
    layout: Layout, fail: Callable[[Edit], None]
) -> None:
    """A change that fails at the end takes the others with it."""
    target = put_artifact(layout, "x")
    layout.tag("kept", target)
    before = index_file(layout)

    def change() -> None:
        with layout.edit() as edit:
            edit.remove("kept")
            fail(edit)

    with pytest.raises(ReferenceNotFoundError):
        change()
    assert index_file(layout) == before
    assert is_whole(layout, target)


def test_an_empty_block_writes_nothing(layout: Layout) -> None:
    """An edit without changes leaves the file alone."""
    before = index_file(layout)
    with layout.edit():
        pass
    assert index_file(layout) == before


def test_no_lock_is_held_inside_the_block(layout: Layout, other: Layout) -> None:
    """Others may write while changes are recorded and content is put; no change is lost."""
    with layout.edit() as edit:
        other.tag("theirs", put_artifact(other, "theirs"))
        edit.tag("ours", put_artifact(layout, "ours"))
    assert layout.tags() == ("ours", "theirs")


def test_a_taken_lock_is_an_error(layout: Layout, other: Layout) -> None:
    """An edit that does not get the lock in its time raises, and changes nothing."""
    target = put_artifact(other, "x")
    with layout._indexfile.locked(), pytest.raises(LockTimeoutError), other.edit() as edit:
        edit.tag("a", target)
    assert layout.tags() == ()


# ---------------------------------------------------------------- when


def test_when_leaves_single_changes_out(layout: Layout) -> None:
    """A change whose `when` returns False is left out; the others are made."""
    target = put_artifact(layout, "x")
    layout.tag("a", target)
    with layout.edit() as edit:
        edit.tag("b", target, when=yes)
        edit.tag("c", target, when=no)
        edit.untag("a", when=no)
        edit.remove("a", when=no)
        edit.annotate("a", {"x": "y"}, when=no)
        edit.add(target, when=no)
    assert [entry.name for entry in layout.entries()] == ["a", "b"]
    assert not layout.entry("a").annotations
    assert is_whole(layout, target)


def test_when_sees_the_changes_before(layout: Layout) -> None:
    """`when` gets the document as the changes before left it, under the lock."""
    target = put_artifact(layout, "x")
    seen: list[tuple[str, ...]] = []

    def look(root: RootIndex) -> bool:
        seen.append(root.names())
        with pytest.raises(LockTimeoutError):
            Layout.open(layout.path, lock_timeout=0).tag("d", target)
        return True

    with layout.edit() as edit:
        edit.tag("a", target)
        edit.tag("b", target, when=look)
        edit.untag("a", when=look)
    assert seen == [("a",), ("a", "b")]


def test_an_error_of_when_gives_up_the_edit(layout: Layout) -> None:
    """An error of `when` is raised, and nothing is written."""
    before = index_file(layout)

    def refuse(_: RootIndex) -> bool:
        raise KeyError("no")

    def change() -> None:
        with layout.edit() as edit:
            edit.add(put_artifact(layout, "x"))
            edit.tag("a", put_artifact(layout, "y"), when=refuse)

    with pytest.raises(KeyError):
        change()
    assert index_file(layout) == before


# ---------------------------------------------------------------- add


def test_add_makes_an_entry_without_a_name_once(layout: Layout) -> None:
    """Content gets an untagged entry only if it has no entry."""
    target, named = put_artifact(layout, "x"), put_artifact(layout, "y")
    layout.tag("a", named)
    with layout.edit() as edit:
        edit.add(target)
        edit.add(target.digest)
        edit.add(named)
    assert [(entry.name, entry.descriptor) for entry in layout.entries()] == [
        ("a", named),
        (None, target),
    ]


# ---------------------------------------------------------------- what is to be named must be there


@pytest.mark.parametrize("name", ["", "a b", "sha256:" + "a" * 64, "-a", "a//b"])
def test_a_bad_name_is_refused_at_once(layout: Layout, name: str) -> None:
    """An invalid name raises where it is given, and not at the end of the block."""
    target = put_artifact(layout, "x")
    with layout.edit() as edit:
        with pytest.raises(InvalidNameError):
            edit.tag(name, target)
        edit.tag("good", target)
    assert layout.tags() == ("good",)


def test_a_name_is_not_a_target(layout: Layout) -> None:
    """A target is a descriptor or a digest; a tag is refused, so its annotations stay behind."""
    layout.tag("a", put_artifact(layout, "x"))
    with layout.edit() as edit:
        with pytest.raises(InvalidNameError):
            edit.tag("b", "a")
        with pytest.raises(InvalidNameError):
            edit.add("a")


def test_a_missing_digest_is_refused_at_once(layout: Layout) -> None:
    """A target by digest must be in the layout."""
    with layout.edit() as edit, pytest.raises(ReferenceNotFoundError):
        edit.tag("a", layer("missing").digest)
    assert layout.tags() == ()


def test_a_missing_target_is_not_named(layout: Layout) -> None:
    """A descriptor of content that the layout does not have gets no entry."""
    before = index_file(layout)
    with pytest.raises(BlobNotFoundError), layout.edit() as edit:
        edit.tag("a", layer("missing"))
    assert index_file(layout) == before


@pytest.mark.parametrize("durability", ["commit", "none"])
def test_a_target_of_another_size_is_not_named(layout: Layout, durability: str) -> None:
    """A descriptor that promises another size than the blob has gets no entry."""
    target = layout.blobs.put(b"text", media_type="text/plain")
    forged = Descriptor(media_type=target.media_type, digest=target.digest, size=5)
    handle = Layout.open(layout.path, durability="none" if durability == "none" else "commit")
    before = index_file(layout)
    with pytest.raises(SizeMismatchError) as caught:
        handle.tag("a", forged)
    assert caught.value.actual == "4"
    assert index_file(layout) == before


def test_a_damaged_manifest_is_not_named(layout: Layout) -> None:
    """Content that is wrong when it is walked gets no entry."""
    target = put_artifact(layout, "x")
    path = layout.blobs.path(target.digest)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with pytest.raises(IntegrityError):
        layout.tag("a", target)
    assert layout.tags() == ()


@pytest.mark.spec("image-layout:missing-blobs")
def test_a_sparse_graph_can_be_named(layout: Layout) -> None:
    """Parts that were not put here may be missing: an index need not have all platforms."""
    missing = Descriptor.of(b"elsewhere", OCI_MANIFEST)
    root = layout.put_manifest(Index(manifests=(missing, put_artifact(layout, "here"))))
    layout.tag("a", root)
    assert layout.resolve("a") == root
    assert [found.digest in layout.blobs for found in layout.walk(root)].count(False) == 1


@pytest.mark.parametrize("part", ["root", "layer"])
def test_content_that_others_deleted_since_it_was_put_is_not_named(
    layout: Layout, other: Layout, part: str
) -> None:
    """A put, a deletion by another handle, a tag: the tag raises instead of dangling."""
    target = put_artifact(layout, "x")
    other.blobs.delete(target.digest if part == "root" else layer("x").digest)
    before = index_file(layout)
    with pytest.raises(BlobNotFoundError):
        layout.tag("a", target)
    assert index_file(layout) == before
    layout.tag("a", put_artifact(layout, "x"))
    assert is_whole(layout, target)


def test_content_that_was_found_and_then_deleted_is_not_named(
    layout: Layout, other: Layout
) -> None:
    """A put that found its blob holds on to it just as a put that wrote it."""
    other.tag("theirs", put_artifact(other, "shared", note="theirs"))
    target = put_artifact(layout, "shared")
    other.remove("theirs")
    with pytest.raises(BlobNotFoundError):
        layout.tag("ours", target)
    assert layout.tags() == ()


def test_content_deleted_through_the_same_handle_is_not_named(layout: Layout) -> None:
    """Threads share a handle: a removal by one of them does not make a tag of another dangle."""
    layout.tag("theirs", put_artifact(layout, "shared", note="theirs"))
    target = put_artifact(layout, "shared")
    layout.remove("theirs")
    with pytest.raises(BlobNotFoundError):
        layout.tag("ours", target)
    assert layout.tags() == ()


def test_a_blob_that_was_put_for_two_edits_is_required_by_both(
    layout: Layout, other: Layout
) -> None:
    """A blob that was put twice through a handle is held for the second edit as for the first."""
    theirs = put_artifact(layout, "shared", note="theirs")
    target = put_artifact(layout, "shared")
    layout.tag("theirs", theirs)
    other.remove("theirs")
    with pytest.raises(BlobNotFoundError):
        layout.tag("ours", target)
    assert layout.tags() == ()


def test_a_fifo_in_place_of_a_blob_blocks_no_edit(layout: Layout) -> None:
    """A file of another kind is not a blob but a missing part, also to a sync."""
    target = put_artifact(layout, "x")
    path = layout.blobs.path(layer("x").digest)
    path.unlink()
    os.mkfifo(path)
    number = os.open(path, os.O_RDWR)  # so that who opens it does not wait for a writer
    try:
        Layout.open(layout.path, durability="commit").tag("a", target)
    finally:
        os.close(number)
    assert layout.tags() == ("a",)


# ---------------------------------------------------------------- durability


@pytest.mark.spec("image-layout:writers")
def test_content_is_on_disk_before_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that an entry reaches is synced before the index is replaced, also if others put it."""
    writer = Layout.create(tmp_path / "layout", durability="none")
    children = (put_artifact(writer, "a", "shared"), put_artifact(writer, "b", "shared"))
    root = writer.put_manifest(Index(manifests=children))
    paths = [writer.blobs.path(found.digest) for found in writer.walk(root)]
    folders = [paths[0].parent, tmp_path / "layout" / "blobs"]
    steps: list[int] = []
    force, replace = os.fsync, os.replace

    def note_sync(number: int) -> None:
        steps.append(os.fstat(number).st_ino)
        force(number)

    def note_replace(source: str, target: str, **folders: int) -> None:
        steps.append(0)
        replace(source, target, **folders)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    Layout.open(tmp_path / "layout").tag("a", root)
    before = steps[: steps.index(0)]
    assert {path.stat().st_ino for path in [*paths, *folders]} <= set(before)
    assert len(paths) == 7
    steps.clear()
    writer.tag("b", root)
    assert steps == [0]


# ---------------------------------------------------------------- removing


def test_one_edit_can_move_and_remove(layout: Layout) -> None:
    """Content that an edit tags is kept, even if the edit removes what held it until now."""
    target = put_artifact(layout, "x", "y")
    layout.tag("old", target)
    with layout.edit() as edit:
        edit.remove("old")
        edit.tag("new", target)
    assert layout.tags() == ("new",)
    assert is_whole(layout, target)


def test_the_entry_goes_before_the_content(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that is interrupted leaves blobs without an entry, and no entry without blobs."""
    target = put_artifact(layout, "x")
    layout.tag("a", target)

    remove = os.unlink

    def interrupt(path: Any, **options: Any) -> None:
        if len(Path(path).name) == len(target.digest.encoded):
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(os, "unlink", interrupt)
    with pytest.raises(KeyboardInterrupt):
        layout.remove("a")
    monkeypatch.undo()
    assert layout.tags() == ()
    assert is_whole(layout, target)


def test_a_blob_that_cannot_be_verified_is_not_deleted(layout: Layout) -> None:
    """A removal keeps blobs of unknown algorithms, also if only the removed entry reaches them."""
    odd = Descriptor(media_type=OCI_LAYER, digest=Digest.parse("newhash:abc"), size=3)
    path = layout.blobs.path(odd.digest)
    path.parent.mkdir()
    path.write_bytes(b"abc")
    root = layout.put_manifest(
        Manifest(config=layout.blobs.put(b"{}", media_type=OCI_EMPTY), layers=(odd,))
    )
    layout.tag("a", root)
    layout.remove("a")
    assert list(layout.blobs) == [odd.digest]


def share_a_name(layout: Layout) -> tuple[Descriptor, Descriptor]:
    """Give two contents one name, as `docker save` does."""
    first, second = put_artifact(layout, "x"), put_artifact(layout, "y")
    layout.tag("a", first)
    layout.tag("b", second)
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    document["manifests"][1]["annotations"] = document["manifests"][0]["annotations"]
    path.write_text(json.dumps(document))
    return first, second


@pytest.mark.spec("annotations:same-name")
@pytest.mark.parametrize(
    "change",
    [
        lambda layout: layout.annotate("a", {"x": "y"}),
        lambda layout: layout.untag("a"),
        lambda layout: layout.remove("a"),
        lambda layout: layout.tag("a", layout.entries()[0].descriptor),
    ],
    ids=["annotate", "untag", "remove", "tag"],
)
def test_no_edit_touches_different_content_by_one_name(
    layout: Layout, change: Callable[[Layout], None]
) -> None:
    """An ambiguous name changes nothing, and the error lists the entries."""
    first, second = share_a_name(layout)
    before = index_file(layout)
    with pytest.raises(AmbiguousReferenceError) as caught:
        change(layout)
    assert caught.value.digests == (first.digest, second.digest)
    assert index_file(layout) == before
    assert is_whole(layout, first)
    assert is_whole(layout, second)


def test_one_of_two_entries_of_a_name_is_removed(layout: Layout) -> None:
    """`NAME@DIGEST` means one content, which is removed; the other stays."""
    first, second = share_a_name(layout)
    layout.remove(f"a@{first.digest}")
    assert layout.resolve("a") == second
    assert first.digest not in layout.blobs
    assert is_whole(layout, second)


def test_untagged_content_is_removed_by_its_digest(layout: Layout) -> None:
    """A digest means every entry of the content, named or untagged, and all are removed."""
    kept, gone = put_artifact(layout, "shared", "kept"), put_artifact(layout, "shared", "gone")
    layout.tag("kept", kept)
    layout.tag("a", gone)
    layout.tag("b", gone)
    layout.untag("a")
    with layout.edit() as edit:
        edit.remove(str(gone.digest))
    assert layout.tags() == ("kept",)
    assert layer("gone").digest not in layout.blobs
    assert is_whole(layout, kept)
    with layout.edit() as edit:
        edit.add(put_artifact(layout, "gone"))
    layout.remove(str(layout.entries()[1].descriptor.digest))
    assert set(layout.blobs) == {found.digest for found in layout.walk(kept)}


# ---------------------------------------------------------------- others between look and write


def before_the_rename(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, change: Callable[[RootIndex], None]
) -> list[int]:
    """Let a writer without the lock change the index once, after the check of an edit."""
    replace = IndexFile._replace
    rounds: list[int] = []

    def meanwhile(self: IndexFile, identity: Any, document: RootIndex) -> bool:
        rounds.append(1)
        if len(rounds) == 1:
            path = layout.path / "index.json"
            other = RootIndex(path.read_bytes())
            change(other)
            path.write_bytes(other.encode())
        return replace(self, identity, document)

    monkeypatch.setattr(IndexFile, "_replace", meanwhile)
    return rounds


def test_content_that_gets_another_entry_meanwhile_is_not_deleted(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal that starts again forgets what it was going to delete."""
    target = put_artifact(layout, "x")
    layout.tag("a", target)
    rounds = before_the_rename(monkeypatch, layout, lambda root: root.tag("b", target, None))
    layout.remove("a")
    assert len(rounds) == 2
    assert layout.tags() == ("b",)
    assert is_whole(layout, target)


def test_the_old_content_of_a_moved_name_is_not_deleted(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal that starts again drops what the name means then, and not what it meant before."""
    target, other = put_artifact(layout, "x"), put_artifact(layout, "y")
    layout.tag("a", target)

    def move(root: RootIndex) -> None:
        root.drop("a")  # what it meant is left without an entry, and not for us to delete
        root.tag("a", other, None)

    rounds = before_the_rename(monkeypatch, layout, move)
    layout.remove("a")
    assert len(rounds) == 2
    assert layout.tags() == ()
    assert target.digest in layout.blobs
    assert layer("x").digest in layout.blobs
    assert layer("y").digest not in layout.blobs


@pytest.mark.parametrize("anew", [True, False])
def test_a_blob_that_was_put_again_after_the_sync_is_synced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, anew: bool
) -> None:
    """A blob that others delete and put again between sync and lock is synced again."""
    layout = Layout.create(tmp_path / "durable")
    target = put_artifact(layout, "x")
    path = layout.blobs.path(layer("x").digest)
    synced: list[int] = []
    force, locked = os.fsync, IndexFile.locked

    def note(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        force(number)

    def meanwhile(self: IndexFile) -> Any:
        path.unlink()
        if anew:
            Layout(layout.path, durability="none").blobs.put(b"x", media_type=OCI_LAYER)
            synced.clear()
        return locked(self)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(IndexFile, "locked", meanwhile)
    if anew:
        layout.tag("a", target)
        assert synced[0] == path.stat().st_ino
        assert path.parent.stat().st_ino in synced
    else:
        with pytest.raises(BlobNotFoundError, match="put it again"):
            layout.tag("a", target)
        assert layout.tags() == ()
