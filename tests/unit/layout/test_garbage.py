"""Collecting garbage: what goes, and all that must not."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import BlobNotFoundError, DocumentError, IntegrityError
from ocilayout.layout import clock, garbage
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.garbage import only_reached, sweep
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.graph import walk
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from ocilayout.model.graph import Document, Read

pytestmark = pytest.mark.usefixtures("later")

NOW = timedelta(0)
HOUR = timedelta(hours=1)


def put(
    layout: Layout, content: str, *, subject: Descriptor | None = None, age: float = 0
) -> Descriptor:
    """Store an artifact of one layer, put so many seconds ago."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(content.encode(), media_type="text/plain")
    root = layout.put_manifest(
        Manifest(artifact_type="text/plain", config=config, layers=[layer], subject=subject)
    )
    for found in (config, layer, root):
        age_blob(layout, found.digest, age)
    return root


def age_blob(layout: Layout, digest: Digest, age: float) -> None:
    """Make a blob as old as this many seconds."""
    then = clock.now() - age
    os.utime(layout.blobs.path(digest), (then, then))


def names(layout: Layout) -> list[str | None]:
    """Return the names of all entries."""
    return [entry.name for entry in layout.entries()]


def whole(layout: Layout, root: Descriptor) -> bool:
    """Return whether all parts of content exist."""
    return all(part.digest in layout.blobs for part in layout.walk(root))


@pytest.mark.spec("image-layout:unreferenced-blobs")
def test_a_blob_that_no_entry_reaches_is_deleted(layout: Layout) -> None:
    """Unreached blobs are deleted, and the report lists them and their size; the rest stays."""
    layout.tag("a", put(layout, "kept", age=9))
    garbage = put(layout, "garbage", age=9)
    layer = Descriptor.of(b"garbage", "text/plain")
    report = layout.collect(grace=NOW)
    assert report.removed == tuple(sorted([garbage.digest, layer.digest]))
    assert report.freed == garbage.size + layer.size
    assert (report.dropped, report.young, report.temporaries) == ((), 0, ())
    assert whole(layout, layout.resolve("a"))
    assert garbage.digest not in layout.blobs
    assert layout.collect(grace=NOW).removed == ()


def test_every_form_of_entry_is_a_root(layout: Layout) -> None:
    """An entry with unknown properties holds its content like any other."""
    layout.tag("a", put(layout, "kept", age=9))
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    document["manifests"][0] |= {"platform": {"os": "linux", "architecture": "arm"}, "x": 1}
    path.write_text(json.dumps(document))
    assert layout.collect(grace=NOW).removed == ()
    document["manifests"][0]["size"] = -1
    path.write_text(json.dumps(document))
    with pytest.raises(DocumentError) as caught:
        layout.collect(grace=NOW)
    assert [found.place for found in caught.value.problems] == ["$.manifests[0].size"]


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), -0.5])
def test_a_grace_period_below_zero_is_refused(layout: Layout, grace: timedelta | float) -> None:
    """It would delete what another process is just writing."""
    put(layout, "young")
    before = sorted(layout.blobs)
    with pytest.raises(ValueError, match="grace must not be below 0"):
        layout.collect(grace=grace)
    assert sorted(layout.blobs) == before


def test_young_blobs_stay(layout: Layout) -> None:
    """A blob younger than the grace period is counted and kept."""
    put(layout, "old", age=7200)
    young = put(layout, "young", age=60)
    report = layout.collect(grace=HOUR)
    assert len(report.removed) == 2  # the config is shared and was put with the young one
    assert report.young == 3
    assert whole(layout, young)


def test_a_dry_run_changes_nothing(layout: Layout, tmp_path: Path) -> None:
    """A dry run reports what a run would do, and then a run does just that."""
    layout.tag("a", put(layout, "kept", age=9))
    put(layout, "garbage", age=9)
    old = put(layout, "pruned", age=9)
    with layout.edit() as edit:
        edit.add(old)
    for found in layout.blobs:
        age_blob(layout, found, 9)
    temporary = tmp_path / "layout" / "ingest" / "1-a"
    temporary.write_bytes(b"x")
    os.utime(temporary, (0, 0))
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    planned = layout.collect(grace=NOW, untagged="prune", dry_run=True)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    assert len(planned.removed) == 4
    assert planned.temporaries == ("ingest/1-a",)
    assert layout.collect(grace=NOW, untagged="prune") == planned
    assert names(layout) == ["a"]


@pytest.mark.spec("image-layout:garbage")
def test_untagged_entries_are_roots_unless_they_are_pruned(layout: Layout) -> None:
    """They are kept by default, pruned if no tag reaches them, and kept if one does."""
    child = put(layout, "child", age=9)
    alone = put(layout, "alone", age=9)
    index = layout.put_manifest(Index(manifests=[child]))
    layout.tag("a", index)
    with layout.edit() as edit:
        edit.add(child)
        edit.add(alone)
    for found in layout.blobs:
        age_blob(layout, found, 9)
    assert layout.collect(grace=NOW).removed == ()
    report = layout.collect(grace=NOW, untagged="prune")
    assert report.dropped == (alone,)
    assert set(report.removed) == {alone.digest, Digest.of(b"alone")}
    assert [entry.descriptor.digest for entry in layout.entries()] == [index.digest, child.digest]


def test_referrers_of_kept_content_are_not_pruned(layout: Layout) -> None:
    """An untagged signature stays with its subject, and so does a signature of the signature."""
    image = put(layout, "image", age=9)
    signature = put(layout, "signature", subject=image, age=9)
    countersigned = put(layout, "counter", subject=signature, age=9)
    stranger = put(layout, "stranger", subject=Descriptor.of(b"gone", "a/b"), age=9)
    layout.tag("image", image)
    with layout.edit() as edit:
        for found in (countersigned, signature, stranger):
            edit.add(found)
    for digest in layout.blobs:
        age_blob(layout, digest, 9)
    assert layout.collect(grace=NOW, untagged="prune").dropped == (stranger,)
    assert whole(layout, signature)
    assert whole(layout, countersigned)


def test_the_subject_of_a_tagged_manifest_is_not_pruned(layout: Layout) -> None:
    """An untagged image stays while its signature has a tag, and so do its other signatures."""
    image = put(layout, "image", age=9)
    layout.tag("signature", put(layout, "signature", subject=image, age=9))
    other = put(layout, "another signature", subject=image, age=9)
    with layout.edit() as edit:
        edit.add(image)
        edit.add(other)
    for digest in layout.blobs:
        age_blob(layout, digest, 9)
    assert layout.collect(grace=NOW, untagged="prune").dropped == ()
    assert names(layout) == ["signature", None, None]


@pytest.mark.spec("image-layout:garbage", "manifest:subject")
def test_a_subject_is_reached(layout: Layout) -> None:
    """What a named manifest refers to as its subject stays, with all that it is made of."""
    image = put(layout, "image", age=9)
    layout.tag("signature", put(layout, "signature", subject=image, age=9))
    layout.collect(grace=NOW)
    assert whole(layout, image)


def test_a_young_entry_without_a_name_is_not_pruned(layout: Layout) -> None:
    """Content that was copied by digest a moment ago is not pruned."""
    with layout.edit() as edit:
        edit.add(put(layout, "new", age=60))
    assert layout.collect(grace=HOUR, untagged="prune").dropped == ()
    assert names(layout) == [None]


def test_a_dangling_entry_without_a_name_is_pruned(layout: Layout) -> None:
    """An entry whose content is missing holds nothing."""
    root = put(layout, "x", age=9)
    with layout.edit() as edit:
        edit.add(root)
    layout.blobs.delete(root.digest)
    assert layout.collect(grace=NOW, untagged="prune").dropped == (root,)
    assert names(layout) == []


def test_a_damaged_manifest_stops_everything(layout: Layout) -> None:
    """Where a damaged manifest hides what is reached, nothing is deleted or written."""
    root = put(layout, "x", age=9)
    layout.tag("a", root)
    garbage = put(layout, "garbage", age=9)
    layout.blobs.path(root.digest).write_bytes(b"?" * root.size)
    with pytest.raises(IntegrityError):
        layout.collect(grace=NOW, untagged="prune")
    assert whole(layout, garbage)
    (layout.path / "index.json").write_bytes(b"")
    with pytest.raises(DocumentError):
        layout.collect(grace=NOW)
    assert (layout.path / "index.json").read_bytes() == b""


@pytest.mark.spec("image-layout:missing-blobs")
def test_a_missing_manifest_stops_nothing(layout: Layout) -> None:
    """A sparse layout is collected; blobs that only a missing manifest would reach are garbage."""
    root = put(layout, "x", age=9)
    layout.tag("a", root)
    layout.blobs.delete(root.digest)
    layout.collect(grace=NOW)
    assert layout.tags() == ("a",)
    assert list(layout.blobs) == []


@pytest.mark.spec("descriptor:digest-algorithm")
def test_unknown_algorithms_are_never_garbage(layout: Layout) -> None:
    """A blob that cannot be verified stays; a manifest of it is read for its parts."""
    unknown = layout.path / "blobs" / "md9" / "abc"
    unknown.parent.mkdir()
    child = put(layout, "child", age=9)
    data = layout.blobs.read(layout.put_manifest(Index(manifests=[child])))
    unknown.write_bytes(data)
    document = layout.path / "index.json"
    entry = {"mediaType": OCI_INDEX, "digest": "md9:abc", "size": len(data)}
    document.write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    layout = Layout.open(layout.path, durability="none")
    for digest in layout.blobs:
        age_blob(layout, digest, 9)
    layout.collect(grace=NOW)
    assert whole(layout, child)
    document.write_text('{"schemaVersion":2,"manifests":[]}')
    assert len(Layout.open(layout.path).collect(grace=NOW).removed) == 3
    assert unknown.exists()


def test_only_temporary_files_of_dead_writers_are_deleted(layout: Layout) -> None:
    """A temporary file that a living writer has locked stays, and a young one."""
    folder = layout.path / "ingest"
    folder.mkdir(exist_ok=True)
    dead, alive, young = (folder / name for name in ("dead", "alive", "young"))
    torn = layout.path / "index.json.1-a.tmp"
    theirs = folder / "sha256_abc_1"  # of another program, which locks nothing
    for path in (dead, alive, young, torn, theirs):
        path.write_bytes(b"x")
        os.utime(path, (clock.now(), clock.now()))
    for path in (dead, alive, torn):
        os.utime(path, (0, 0))
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert layout.collect(grace=NOW).temporaries == ("index.json.1-a.tmp", "ingest/dead")
        dead.mkdir()
        dead.joinpath("x").write_bytes(b"x")
        for path in (dead / "x", dead):
            os.utime(path, (0, 0))
        torn.write_bytes(b"x")
        os.utime(torn, (0, 0))
        report = layout.collect()
    assert report.temporaries == ("index.json.1-a.tmp", "ingest/dead")
    assert sorted(path.name for path in folder.iterdir()) == ["alive", "sha256_abc_1", "young"]


def test_a_dry_run_skips_blobs_that_are_deleted_meanwhile(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run takes no lock, so another collection may delete a blob first."""
    blob = layout.blobs.put(b"x", media_type="a/b")
    size = Blobs.size

    def gone(self: Blobs, digest: Digest) -> int:
        self.path(digest).unlink(missing_ok=True)
        return size(self, digest)

    monkeypatch.setattr(Blobs, "size", gone)
    assert layout.collect(grace=NOW, dry_run=True).removed == ()
    assert blob.digest not in layout.blobs


@pytest.mark.spec("image-layout:blob-names", "image-layout:unknown-files")
def test_unknown_files_are_left_alone(layout: Layout) -> None:
    """A file whose name is not a digest is not deleted."""
    folder = layout.path / "blobs" / "sha256"
    folder.mkdir(exist_ok=True)
    (folder / "abc.txt").write_bytes(b"x")
    assert layout.collect(grace=NOW).removed == ()
    assert (folder / "abc.txt").exists()


@pytest.mark.parametrize("verb", ["collect", "remove"])
def test_a_kept_manifest_is_verified_before_it_is_followed(layout: Layout, verb: str) -> None:
    """A manifest with a changed digit, which names another layer, stops a collection."""
    kept, gone = put(layout, "kept", age=9), put(layout, "gone", age=9)
    layout.tag("kept", kept)
    layout.tag("gone", gone)
    layer = Digest.of(b"kept")
    path = layout.blobs.path(kept.digest)
    digit = "0" if layer.encoded[0] != "0" else "1"
    text = path.read_text().replace(layer.encoded, digit + layer.encoded[1:])
    path.write_text(text)
    assert len(text) == kept.size
    before = list(layout.blobs)
    act = (
        partial(layout.collect, grace=NOW) if verb == "collect" else partial(layout.remove, "gone")
    )
    with pytest.raises(IntegrityError):
        act()
    assert list(layout.blobs) == before
    assert layer in layout.blobs


def test_a_young_temporary_file_stays_during_the_grace_period(layout: Layout) -> None:
    """The temporary file of a dead writer is deleted when it is old, and not before."""
    path = layout.path / "ingest" / f"{2**22 + 1}-0123456789abcdef"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (clock.now(), clock.now() - 60))
    assert layout.collect(grace=HOUR).temporaries == ()
    assert path.exists()
    os.utime(path, (clock.now(), clock.now() - 7200))
    assert layout.collect(grace=HOUR).temporaries == (f"ingest/{path.name}",)


def test_a_blob_that_could_not_be_removed_is_not_reported(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report lists what this collection deleted, and not what another one did before it."""
    blobs = [layout.blobs.put(text, media_type="a/b") for text in (b"1", b"22")]

    def meanwhile(root: Path, there: Blobs, digests: Iterable[Digest]) -> list[Digest]:
        there.path(blobs[0].digest).unlink()
        return sweep(root, there, digests)

    monkeypatch.setattr(garbage, "sweep", meanwhile)
    report = layout.collect(grace=NOW)
    assert (report.removed, report.freed) == ((blobs[1].digest,), 2)


# ---------------------------------------------------------------- what goes with a root

CONFIG = Descriptor.of(b"config", OCI_CONFIG)
SHARED, OWN = (Descriptor.of(data, OCI_LAYER) for data in (b"shared", b"own"))
ONE, TWO, SIGNATURE = (Descriptor.of(data, OCI_MANIFEST) for data in (b"1", b"2", b"signature"))
LIST, OUTER = (Descriptor.of(data, OCI_INDEX) for data in (b"list", b"outer"))
DOCUMENTS: dict[Digest, Document] = {
    ONE.digest: Manifest(config=CONFIG, layers=[SHARED, OWN]),
    TWO.digest: Manifest(config=CONFIG, layers=[SHARED]),
    SIGNATURE.digest: Manifest(config=CONFIG, subject=ONE),
    LIST.digest: Index(manifests=[ONE]),
    OUTER.digest: Index(manifests=[ONE, LIST]),
}


def read(descriptor: Descriptor) -> Document | None:
    return DOCUMENTS.get(descriptor.digest)


def goes(dropped: list[Descriptor], kept: list[Descriptor], read: Read = read) -> list[Digest]:
    """Return what goes with dropped roots where kept roots hold what they reach."""

    def hold(more: list[Descriptor], _: Collection[Digest]) -> set[Digest]:
        return {found.digest for found in walk([*kept, *more], read, subjects=True)}

    return only_reached(dropped, read, hold)


def test_blobs_shared_with_other_layouts_stay() -> None:
    assert set(goes([ONE], [TWO])) == {OWN.digest, ONE.digest}


def test_without_another_root_everything_is_deleted_once_and_the_root_first() -> None:
    gone = goes([LIST], [])
    below = (ONE, CONFIG, SHARED, OWN)
    assert gone[0] == LIST.digest
    assert sorted(gone[1:]) == sorted(descriptor.digest for descriptor in below)


@pytest.mark.parametrize("dropped", [[OUTER], [LIST, OUTER], [ONE, LIST, OUTER]])
def test_no_blob_is_deleted_before_a_document_that_refers_to_it(dropped: list[Descriptor]) -> None:
    """A process that is killed in between leaves no document without its parts."""
    gone = goes(dropped, [])
    assert gone.index(OUTER.digest) < gone.index(LIST.digest) < gone.index(ONE.digest)
    assert gone.index(ONE.digest) < gone.index(OWN.digest)


def test_content_that_cannot_be_verified_is_never_deleted() -> None:
    foreign = Descriptor(media_type=OCI_LAYER, digest="newhash:abc", size=1)
    assert goes([foreign, TWO], [ONE]) == [TWO.digest]


def test_the_subject_of_a_kept_root_stays_with_all_that_it_is_made_of() -> None:
    assert goes([ONE], [SIGNATURE]) == []


def test_the_subject_of_a_dropped_root_stays() -> None:
    assert goes([SIGNATURE], []) == [SIGNATURE.digest]


def test_a_subject_that_is_dropped_itself_is_not_held() -> None:
    asked: list[list[Descriptor]] = []

    def hold(more: list[Descriptor], _: Collection[Digest]) -> set[Digest]:
        asked.append(more)
        return set()

    only_reached([SIGNATURE], read, hold)
    only_reached([SIGNATURE, ONE], read, hold)
    assert asked == [[ONE], []]


def test_a_cycle_of_documents_does_not_stop_a_deletion() -> None:
    """A digest that cannot be verified may lie, so a document can be a part of its own part."""
    first, second = (
        Descriptor(media_type=OCI_INDEX, digest=f"newhash:{name}", size=1) for name in "ab"
    )
    documents: dict[Digest, Document] = {
        **DOCUMENTS,
        first.digest: Index(manifests=[second, TWO]),
        second.digest: Index(manifests=[first]),
    }
    gone = goes([first], [ONE], lambda descriptor: documents.get(descriptor.digest))
    assert gone == [TWO.digest]


def test_content_of_a_dropped_and_a_kept_root_stays() -> None:
    assert goes([ONE], [TWO, ONE]) == []


@pytest.mark.parametrize(("dropped", "kept"), [([ONE], [TWO]), ([TWO], [ONE])])
def test_an_unreadable_document_stops_a_deletion(
    dropped: list[Descriptor], kept: list[Descriptor]
) -> None:
    def refuse(descriptor: Descriptor) -> Document | None:
        if descriptor == TWO:
            raise BlobNotFoundError
        return read(descriptor)

    with pytest.raises(BlobNotFoundError):
        goes(dropped, kept, refuse)


def test_the_grace_period_is_a_number_of_seconds_too(layout: Layout) -> None:
    """Seconds are a `timedelta`; what is not a number of seconds is refused by name."""
    put(layout, "garbage", age=60)
    assert layout.collect(grace=3600).young == 3
    for wrong in (float("nan"), float("inf"), 1e300):
        with pytest.raises(ValueError, match="grace must be a number of seconds"):
            layout.collect(grace=wrong)
    assert len(layout.collect(grace=30.5).removed) == 3
