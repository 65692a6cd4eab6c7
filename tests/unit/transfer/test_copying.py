"""Copies from layout to layout: what is copied, what is skipped, and what is never copied."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import Event, copy
from ocilayout.errors import (
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
)
from ocilayout.layout.layout import Layout
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME
from ocilayout.model.descriptor import Descriptor, Platform
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCUMENT_TYPES, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from ocilayout.transfer import transfer
from skills import LOCAL_BUILD

if TYPE_CHECKING:
    from ocilayout.model.digest import Digest

MARK = {LOCAL_BUILD: "true"}
NOTES = {**MARK, CONTAINERD_IMAGE_NAME: "docker.io/library/x:1", "com.example": "x"}
BOTH = pytest.mark.parametrize("jobs", [1, 4])


def put_artifact(layout: Layout, *layers: str) -> Descriptor:
    """Store a manifest with layers of these texts; it has no entry."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in layers],
        )
    )


def put_image(layout: Layout) -> Descriptor:
    """Store an index of two platforms that share a config and a layer and have one layer each."""
    children = []
    for architecture in ("amd64", "arm64"):
        child = put_artifact(layout, "shared", architecture * 1000)
        children.append(
            Descriptor(
                media_type=child.media_type,
                digest=child.digest,
                size=child.size,
                platform=Platform(architecture=architecture, os="linux"),
                annotations=MARK,
            )
        )
    return layout.put_manifest(Index(manifests=children))


def is_whole(layout: Layout, descriptor: Descriptor) -> bool:
    """Tell whether a layout has all parts of the content, verified by reading them."""
    return all(layout.blobs.read(found) is not None for found in layout.walk(descriptor))


def identities(layout: Layout) -> dict[Digest, int]:
    """Return the inode of each blob."""
    return {digest: layout.blobs.path(digest).stat().st_ino for digest in layout.blobs}


@pytest.fixture
def source(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "source", durability="none")


@pytest.fixture
def target(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "target", durability="none")


# ---------------------------------------------------------------- names


@pytest.mark.spec("considerations:no-change", "descriptor:data-intact", "image-index:consumers")
@BOTH
def test_a_copy_is_the_same_graph(source: Layout, target: Layout, jobs: int) -> None:
    """The target has every blob of the graph, byte for byte, and no other."""
    root = put_image(source)
    source.tag("a", root)
    source.tag("other", put_artifact(source, "other"))
    assert copy(source, "a", target, jobs=jobs) == root
    assert target.resolve("a") == root
    assert is_whole(target, root)
    assert set(target.blobs) == {found.digest for found in source.walk(root)}
    assert len(target.entries()) == 1


def test_a_manifest_keeps_its_digest_whatever_the_algorithm(source: Layout, target: Layout) -> None:
    """A manifest whose digest is not sha256 is stored in the target under that same digest."""
    data = source.blobs.read(put_artifact(source, "x"))
    root = source.put_manifest(data, algorithm="sha512")
    source.tag("a", root)
    assert copy(source, "a", target) == root
    assert target.resolve("a") == root
    assert set(target.blobs) == {found.digest for found in source.walk(root)}


def test_by_name_a_copy_keeps_the_name(source: Layout, target: Layout) -> None:
    """The name in the source is the name in the target, unless another is given."""
    source.tag("a", put_artifact(source, "x"))
    copy(source, "a", target)
    copy(source, "a", target, name="b")
    assert target.tags() == ("a", "b")


def test_by_digest_a_copy_has_no_name(source: Layout, target: Layout) -> None:
    """Content copied by digest becomes one untagged entry, or gets the name that was given."""
    root = put_artifact(source, "x")
    source.tag("a", root, annotations=NOTES)
    for _ in range(2):
        copy(source, root.digest, target)
        assert [(entry.name, entry.descriptor) for entry in target.entries()] == [(None, root)]
    copy(source, str(root.digest), target, name="b")
    assert target.resolve("b") == root


def test_a_child_can_be_copied(source: Layout, target: Layout) -> None:
    """Content without an entry of its own is copied by its digest, without its siblings."""
    image = put_image(source)
    source.tag("a", image)
    child = list(source.walk(image))[1]
    copied = copy(source, child.digest, target, name="child")
    assert copied == child.plain()
    assert is_whole(target, copied)
    assert image.digest not in target.blobs


@pytest.mark.spec("annotations:travel")
@pytest.mark.parametrize("by_digest", [False, True])
@BOTH
def test_annotations_of_an_entry_are_not_copied(
    source: Layout, target: Layout, jobs: int, *, by_digest: bool
) -> None:
    """No annotation of a root entry is copied, least of all the mark of a local build."""
    root = put_image(source)
    source.tag("a", root, annotations=NOTES)
    copy(source, root.digest if by_digest else "a", target, name="b", jobs=jobs)
    copy(source, root.digest if by_digest else "a", source, name="b", jobs=jobs)
    for layout in (source, target):
        assert layout.entry("b").descriptor == root
        assert dict(layout.entry("b").annotations) == {}
    assert dict(source.entry("a").annotations) == NOTES


@pytest.mark.spec("annotations:unknown-keys")
def test_annotations_inside_the_content_arrive(source: Layout, target: Layout) -> None:
    """Annotations inside a document are part of its bytes, and so they are copied."""
    source.tag("a", put_image(source))
    copy(source, "a", target)
    index = target.read_manifest(target.resolve("a"))
    assert isinstance(index, Index)
    assert [dict(child.annotations) for child in index.manifests] == [MARK, MARK]


def test_a_name_that_means_the_content_keeps_its_entry(source: Layout, target: Layout) -> None:
    """If the name has this content already, neither the entry nor the file changes."""
    for layout in (source, target):
        layout.tag("a", put_image(layout), annotations={"from": layout.path.name})
    before = (target.path / "index.json").stat()
    copy(source, "a", target)
    assert dict(target.entry("a").annotations) == {"from": "target"}
    assert (target.path / "index.json").stat().st_ino == before.st_ino


def test_a_name_that_means_something_else_is_moved(source: Layout, target: Layout) -> None:
    """The new content gets a fresh entry; the old content stays untagged and loses the mark."""
    target.name_annotations = frozenset(MARK)
    old = put_artifact(target, "old")
    target.tag("a", old, annotations=MARK)
    new = put_artifact(source, "new")
    source.tag("a", new)
    copy(source, "a", target)
    entries = [
        (entry.name, entry.descriptor, dict(entry.annotations)) for entry in target.entries()
    ]
    assert entries == [(None, old, {}), ("a", new, {})]
    assert is_whole(target, old)


def test_a_bad_name_is_not_written(source: Layout, target: Layout) -> None:
    """A copy obeys the rules of names."""
    source.tag("a", put_artifact(source, "x"))
    with pytest.raises(InvalidNameError):
        copy(source, "a", target, name="a b")
    assert target.entries() == ()


def test_an_unknown_name_copies_nothing(source: Layout, target: Layout) -> None:
    """A name that the source does not have is an error, and the target stays empty."""
    with pytest.raises(ReferenceNotFoundError):
        copy(source, "missing", target)
    with pytest.raises(ReferenceNotFoundError):
        copy(source, "sha256:" + "0" * 64, target)
    assert list(target.blobs) == []


# ---------------------------------------------------------------- content in the target


@BOTH
def test_blobs_in_the_target_are_not_rewritten(source: Layout, target: Layout, jobs: int) -> None:
    """Shared content keeps its files, and a second copy writes none."""
    put_artifact(target, "shared")
    before = identities(target)
    source.tag("a", put_image(source))
    copy(source, "a", target, jobs=jobs)
    first = identities(target)
    assert {digest: first[digest] for digest in before} == before
    copy(source, "a", target, name="b", jobs=jobs)
    assert identities(target) == first


@pytest.mark.spec("image-layout:external-store")
@BOTH
def test_an_incomplete_target_is_completed(source: Layout, target: Layout, jobs: int) -> None:
    """A target that has the root and lacks any of its parts gets them."""
    root = put_image(source)
    source.tag("a", root)
    for missing in list(source.walk(root)):
        copy(source, "a", target, jobs=jobs)
        target.blobs.delete(missing.digest)
        copy(source, "a", target, jobs=jobs)
        assert is_whole(target, root)
    target.blobs.path(root.digest).parent.rename(target.path / "elsewhere")
    target.blobs.put(source.blobs.read(root), media_type=OCI_INDEX)
    copy(source, "a", target, jobs=jobs)
    assert set(target.blobs) == {found.digest for found in source.walk(root)}


@BOTH
def test_a_damaged_manifest_in_the_target_is_replaced(
    source: Layout, target: Layout, jobs: int
) -> None:
    """A manifest of the right size with wrong bytes is replaced."""
    root = put_image(source)
    source.tag("a", root)
    documents = [found for found in source.walk(root) if found.media_type in DOCUMENT_TYPES]
    assert len(documents) == 3
    for damaged in documents:
        copy(source, "a", target, jobs=jobs)
        target.blobs.path(damaged.digest).write_bytes(b"?" * damaged.size)
        copy(source, "a", target, jobs=jobs)
        assert is_whole(target, root)


@BOTH
def test_a_truncated_blob_in_the_target_is_replaced(
    source: Layout, target: Layout, jobs: int
) -> None:
    """A blob of the wrong size is not taken for the content."""
    root = put_image(source)
    source.tag("a", root)
    copy(source, "a", target, jobs=jobs)
    for digest in list(target.blobs):
        target.blobs.path(digest).write_bytes(b"")
    copy(source, "a", target, jobs=jobs)
    assert is_whole(target, root)


def test_manifests_in_the_target_are_not_read_from_the_source(
    source: Layout, target: Layout
) -> None:
    """A manifest that the target has is not read from the source, which may have lost it."""
    root = put_image(source)
    source.tag("a", root)
    copy(source, "a", target)
    for digest in list(source.blobs):
        source.blobs.delete(digest)
    assert copy(source, "a", target, name="b") == root


@pytest.mark.parametrize("kind", ["root", "layer"])
def test_content_that_vanishes_during_a_copy_is_stored_again(
    source: Layout, target: Layout, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """If a blob that a copy found in the target is then deleted, the copy stores it again."""
    root = put_image(source)
    source.tag("a", root)
    copy(source, "a", target)
    chosen = root if kind == "root" else list(source.walk(root))[-1]
    path = target.blobs.path(chosen.digest)
    refresh = os.utime
    deleted: list[Path] = []

    def delete_once_found(found: Path, **options: Any) -> None:
        refresh(found, **options)
        if found == path and not deleted:
            deleted.append(found)
            Path(found).unlink()

    monkeypatch.setattr(os, "utime", delete_once_found)
    copy(source, "a", target, name="b")
    assert deleted
    assert is_whole(target, target.resolve("b"))


# ---------------------------------------------------------------- external content


@pytest.mark.spec("descriptor:download", "layer:download")
@BOTH
def test_external_content_is_not_fetched(source: Layout, target: Layout, jobs: int) -> None:
    """A layer that only its URLs lead to is left out, and the rest is copied."""
    foreign = Descriptor(
        media_type=OCI_LAYER,
        digest=Descriptor.of(b"foreign", OCI_LAYER).digest,
        size=7,
        urls=("http://127.0.0.1:9/layer",),
    )
    config = source.blobs.put(b"{}", media_type=OCI_EMPTY)
    root = source.put_manifest(Manifest(config=config, layers=(foreign,)))
    source.tag("a", root)
    events: list[Event] = []
    copy(source, "a", target, jobs=jobs, on_event=events.append)
    assert target.resolve("a") == root
    assert foreign.digest not in target.blobs
    assert [event.kind for event in events if event.descriptor == foreign] == [
        "planned",
        "skipped",
    ]
    source.blobs.put(b"foreign", media_type=OCI_LAYER)
    copy(source, "a", target, jobs=jobs)
    assert is_whole(target, root)


# ---------------------------------------------------------------- failures


@BOTH
def test_missing_content_fails_and_names_nothing(source: Layout, target: Layout, jobs: int) -> None:
    """A source that lacks a part without URLs cannot be copied; the target gets no entry."""
    root = put_image(source)
    source.tag("a", root)
    for missing in list(source.walk(root))[1:]:
        data = source.blobs.read(missing)
        source.blobs.delete(missing.digest)
        with pytest.raises(BlobNotFoundError):
            copy(source, "a", target, jobs=jobs)
        assert target.entries() == ()
        source.blobs.put(data, media_type=missing.media_type)
        for digest in list(target.blobs):
            target.blobs.delete(digest)


@BOTH
def test_damaged_content_is_not_stored(source: Layout, target: Layout, jobs: int) -> None:
    """A blob of the source whose bytes do not match its digest is not stored."""
    root = put_image(source)
    source.tag("a", root)
    blob = list(source.walk(root))[-1]
    source.blobs.path(blob.digest).write_bytes(b"?" * blob.size)
    with pytest.raises(DigestMismatchError):
        copy(source, "a", target, jobs=jobs)
    assert blob.digest not in target.blobs
    assert target.entries() == ()
    assert list((target.path / "ingest").iterdir()) == []


def test_a_damaged_manifest_stops_a_copy(source: Layout, target: Layout) -> None:
    """A manifest is verified before it is parsed."""
    root = put_image(source)
    source.tag("a", root)
    source.blobs.path(root.digest).write_bytes(b"?" * root.size)
    with pytest.raises(IntegrityError):
        copy(source, "a", target)
    assert list(target.blobs) == []


def test_content_with_the_type_of_a_manifest_must_be_a_manifest(
    source: Layout, target: Layout
) -> None:
    """A document that breaks the specification, or is too large, is not copied."""
    bad = source.blobs.put(b"{}", media_type=OCI_MANIFEST)
    with pytest.raises(DocumentError):
        transfer(source, bad, target)
    large = source.blobs.put(b" " * (MAX_DOCUMENT + 1), media_type=OCI_MANIFEST)
    with pytest.raises(LimitExceededError):
        transfer(source, large, target)
    assert list(target.blobs) == []


# ---------------------------------------------------------------- events and jobs


@BOTH
@pytest.mark.parametrize("shared", [False, True])
def test_events_add_up(source: Layout, target: Layout, jobs: int, *, shared: bool) -> None:
    """All content is planned once; each is then skipped, or started, counted in full and done."""
    root = put_image(source)
    source.tag("a", root)
    if shared:
        put_artifact(target, "shared")
    there = set(target.blobs)
    events: list[Event] = []
    copy(source, "a", target, jobs=jobs, on_event=events.append)
    walked = list(source.walk(root))
    assert [event.descriptor for event in events if event.kind == "planned"] == walked
    assert [event.kind for event in events[: len(walked)]] == ["planned"] * len(walked)
    for descriptor in walked:
        steps = [event for event in events if event.descriptor == descriptor][1:]
        if descriptor.digest in there:
            assert [step.kind for step in steps] == ["skipped"]
            continue
        assert (steps[0].kind, steps[-1].kind) == ("started", "done")
        assert {step.kind for step in steps[1:-1]} == {"bytes"}
        assert sum(step.count for step in steps) == descriptor.size
    order = [event.descriptor for event in events if event.kind in ("done", "skipped")]
    assert order[-1] == root


def test_transfers_run_side_by_side(source: Layout, target: Layout) -> None:
    """With four jobs, four blobs are transferred at the same time."""
    source.tag("a", put_artifact(source, "1", "2", "3"))
    meeting = threading.Barrier(4)

    def meet(event: Event) -> None:
        if event.kind == "started" and event.descriptor.media_type != OCI_MANIFEST:
            meeting.wait(timeout=30)

    copy(source, "a", target, jobs=4, on_event=meet)
    assert is_whole(target, target.resolve("a"))


def test_one_job_is_one_at_a_time(source: Layout, target: Layout) -> None:
    """With one job, nothing is started before the last is done."""
    source.tag("a", put_image(source))
    steps: list[str] = []
    copy(source, "a", target, jobs=1, on_event=lambda event: steps.append(event.kind))
    kept = [step for step in steps if step in ("started", "done")]
    assert kept == ["started", "done"] * (len(kept) // 2)


@BOTH
def test_an_error_of_on_event_is_raised(source: Layout, target: Layout, jobs: int) -> None:
    """A listener may stop a copy by raising, and nothing is tagged."""
    source.tag("a", put_image(source))

    def stop(event: Event) -> None:
        if event.kind == "bytes":
            raise KeyError("enough")

    with pytest.raises(KeyError):
        copy(source, "a", target, jobs=jobs, on_event=stop)
    assert target.entries() == ()


def test_transfer_names_nothing(source: Layout, target: Layout) -> None:
    """`transfer` stores content and does not tag it."""
    root = put_image(source)
    transfer(source, root, target)
    assert target.entries() == ()
    assert is_whole(target, root)


# ---------------------------------------------------------------- one platform


def test_one_platform_is_copied_without_the_index(source: Layout, target: Layout) -> None:
    """The name means the manifest for the platform; the index and its siblings stay behind."""
    root = put_image(source)
    source.tag("a", root)
    child = source.read_manifest(root).manifests[1]  # type: ignore[union-attr] # it is an index
    arm = Platform(os="linux", architecture="arm64")
    assert copy(source, "a", target, platform=arm) == child.plain()
    assert target.resolve("a") == child.plain()
    assert set(target.blobs) == {found.digest for found in source.walk(child)}
    assert target.entry("a").annotations == {}
    assert copy(source, root.digest, target, name="b", platform="linux/arm64") == child.plain()
    assert target.tags() == ("a", "b")


def test_a_missing_platform_copies_nothing(source: Layout, target: Layout) -> None:
    """The error lists the platforms of the index."""
    source.tag("a", put_image(source))
    with pytest.raises(ReferenceNotFoundError, match="linux/amd64, linux/arm64"):
        copy(source, "a", target, platform="linux/s390x")
    assert (target.entries(), list(target.blobs)) == ((), [])


# ---------------------------------------------------------------- referrers


def put_referrer(layout: Layout, text: str, subject: Descriptor) -> Descriptor:
    """Store a manifest about other content; it has no entry."""
    return layout.put_manifest(
        Manifest(
            artifact_type="text/plain",
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER)],
            subject=subject,
        )
    )


@pytest.fixture
def signed(source: Layout) -> dict[str, Descriptor]:
    """Return content and its referrers, one of each kind."""
    root = put_image(source)
    child = source.read_manifest(root).manifests[0].plain()  # type: ignore[union-attr] # an index
    entry = put_referrer(source, "of the root, an entry", root)
    found = {
        "root": root,
        "entry": entry,
        "chain": put_referrer(source, "of a referrer", entry),
        "listed": put_referrer(source, "of a child, in a list", child),
        "other": put_referrer(source, "of something else", put_artifact(source, "else")),
        "gone": put_referrer(source, "deleted since it was listed", child),
    }
    source.tag("a", root)
    source.tag("signature", found["entry"], annotations=MARK)
    with source.edit() as edit:
        edit.add(found["chain"])
        edit.add(found["other"])
    listed = source.put_manifest(Index(manifests=[found["listed"], found["gone"]]))
    source.tag(f"sha256-{child.digest.encoded}", listed)
    source.blobs.delete(found["gone"].digest)
    return found


@BOTH
def test_referrers_are_copied(
    source: Layout, target: Layout, signed: dict[str, Descriptor], jobs: int
) -> None:
    """Each referrer of copied content is copied whole, as an untagged entry."""
    copy(source, "a", target, referrers=True, jobs=jobs)
    arrived = [signed[key] for key in ("root", "entry", "listed", "chain")]
    assert {(entry.name, entry.descriptor) for entry in target.entries()} == {
        ("a", arrived[0]) if found == arrived[0] else (None, found) for found in arrived
    }
    assert all(dict(entry.annotations) == {} for entry in target.entries())
    assert all(is_whole(target, found) for found in arrived)
    assert set(target.blobs) == {part.digest for root in arrived for part in source.walk(root)}
    root = signed["root"]
    assert [found.digest for found in target.referrers(root.digest)] == [signed["entry"].digest]


def test_referrers_are_not_copied_by_default(
    source: Layout, target: Layout, signed: dict[str, Descriptor]
) -> None:
    """Without `referrers=True` a copy takes the content and none of its referrers."""
    copy(source, "a", target)
    assert set(target.blobs) == {found.digest for found in source.walk(signed["root"])}


def test_a_copy_of_one_platform_has_only_its_own_referrers(
    source: Layout, target: Layout, signed: dict[str, Descriptor]
) -> None:
    """Referrers of the index are not copied if only one platform is."""
    copy(source, "a", target, platform="linux/amd64", referrers=True)
    assert [entry.descriptor for entry in target.entries()][1:] == [signed["listed"]]


def test_a_referrer_in_the_target_keeps_its_entry(
    source: Layout, target: Layout, signed: dict[str, Descriptor]
) -> None:
    """A referrer that is tagged in the target keeps its tag and its annotations."""
    copy(source, "signature", target, name="mine")
    target.annotate("mine", MARK)
    copy(source, "a", target, referrers=True)
    entries = [e for e in target.entries() if e.descriptor.digest == signed["entry"].digest]
    assert [(entry.name, dict(entry.annotations)) for entry in entries] == [("mine", MARK)]


def test_a_referrer_that_lacks_a_part_fails(
    source: Layout, target: Layout, signed: dict[str, Descriptor]
) -> None:
    """If a referrer cannot be copied whole, the copy fails and tags nothing."""
    source.blobs.delete(source.read_manifest(signed["chain"]).layers[0].digest)  # type: ignore[union-attr] # a manifest
    with pytest.raises(BlobNotFoundError):
        copy(source, "a", target, referrers=True)
    assert target.entries() == ()


@pytest.mark.usefixtures("later")  # so that the index is old enough to be kept in memory
def test_the_manifests_of_a_source_are_read_once(
    source: Layout,
    target: Layout,
    signed: dict[str, Descriptor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking for referrers reads every entry once, however many manifests are copied."""
    for number in range(10):
        source.tag(f"other-{number}", put_artifact(source, str(number)))
    read = type(source.blobs).read
    asked: list[Digest] = []

    def count(blobs: object, descriptor: Descriptor, **options: bool) -> bytes:
        if blobs is source.blobs:
            asked.append(descriptor.digest)
        return read(blobs, descriptor, **options)  # type: ignore[arg-type] # it is passed through

    monkeypatch.setattr(type(source.blobs), "read", count)
    copy(source, "a", target, referrers=True)
    assert max(map(asked.count, asked)) <= 2  # once as an entry, once as what is copied
    assert asked.count(signed["other"].digest) == 1


def test_a_damaged_manifest_stays_if_the_source_cannot_replace_it(target: Layout) -> None:
    """A copy from a layout to itself cannot replace a damaged blob, and does not delete it."""
    config = target.blobs.put(b"{}", media_type=OCI_EMPTY)
    root = target.put_manifest(Manifest(config=config))
    target.tag("a", root)
    path = target.blobs.path(root.digest)
    damaged = path.read_bytes().swapcase()
    path.write_bytes(damaged)
    with pytest.raises(IntegrityError):
        copy(target, "a", target, name="b")
    assert path.read_bytes() == damaged
