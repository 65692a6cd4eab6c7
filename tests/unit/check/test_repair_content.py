"""Repair of content that is away, behind links, or without an entry."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import RepairReport, repair_folder
from ocilayout.layout import Layout
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.indexfile import IndexFile
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST, OCTET_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ABSENT = "sha256:" + "0" * 64
LAYER = Digest.of(b"layer")
NOW = timedelta(0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Give a layout with a tagged manifest of one layer, and an untagged one."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    layout.tag("v1", put(layout, "v1"))
    with layout.edit() as edit:
        edit.add(put(layout, "untagged"))
    (layout.path / "ingest").rmdir()
    return layout


def put(layout: Layout, note: str, subject: Descriptor | None = None) -> Descriptor:
    return layout.put_manifest(
        Manifest(
            artifact_type="a/b",
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(b"layer", media_type=OCI_LAYER)],
            subject=subject,
            annotations={"com.example.note": note},
        )
    )


def mend(layout: Layout) -> RepairReport:
    """Repair a layout; hold that a dry run says the same, and that a second one has no work."""
    indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
    dry = repair_folder(layout.path, indexfile, Blobs(layout.path), dry_run=True)
    report = repair_folder(layout.path, indexfile, Blobs(layout.path))
    assert dry == report
    again = repair_folder(layout.path, indexfile, Blobs(layout.path))
    assert again.actions == ()
    assert sorted(map(str, again.remaining)) == sorted(map(str, report.remaining))
    return report


def done(report: RepairReport) -> list[tuple[str, str]]:
    return [(action.code, action.place) for action in report.actions]


def left(report: RepairReport, severity: str = "error") -> list[str]:
    return [problem.code for problem in report.remaining if problem.severity == severity]


def place_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def entries(layout: Layout) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((layout.path / "index.json").read_bytes())["manifests"]
    return found


def append(layout: Layout, *more: dict[str, Any]) -> None:
    document = json.loads((layout.path / "index.json").read_bytes())
    document["manifests"].extend(more)
    (layout.path / "index.json").write_bytes(json.dumps(document).encode())


def lead_nowhere(layout: Layout) -> None:
    """Have a link that leads nowhere in the place of each blob, as where only these are shared."""
    (layout.path / "blobs" / "sha256").mkdir(parents=True)
    for digest in (LAYER, Digest.of(b"{}"), layout.resolve("v1").digest):
        (layout.path / place_of(digest)).symlink_to(f"/unmounted/{digest.encoded}")


def leave_temporary(layout: Layout) -> None:
    (layout.path / "blobs" / "sha256").mkdir(parents=True)
    (layout.path / "blobs" / "sha256" / "x.tmp").write_bytes(b"x")


def link_algorithm(layout: Layout) -> None:
    (layout.path / "blobs").mkdir()
    (layout.path / "blobs" / "sha256").symlink_to("/unmounted")


AWAY: dict[str, Callable[[Layout], object]] = {
    "an empty mount point": lambda layout: (layout.path / "blobs").mkdir(),
    "lost+found": lambda layout: (layout.path / "blobs" / "lost+found").mkdir(parents=True),
    "an empty folder": lambda layout: (layout.path / "blobs" / "sha256").mkdir(parents=True),
    "a folder of an algorithm that is a link": link_algorithm,
    "a link that leads nowhere": lambda layout: (layout.path / "blobs").symlink_to("unmounted"),
    "a link that leads to itself": lambda layout: (layout.path / "blobs").symlink_to("blobs"),
    "nothing": lambda _: None,
    "a file": lambda layout: (layout.path / "blobs").write_bytes(b""),
    "a FIFO": lambda layout: os.mkfifo(layout.path / "blobs"),
    "links that lead nowhere": lead_nowhere,
    "temporaries only": leave_temporary,
}


class TestAway:
    """Where no blob of an algorithm is there, its disk may be away, and no entry is dropped."""

    @pytest.mark.parametrize("how", AWAY)
    def test_no_entry_is_dropped_and_all_is_well_when_it_is_back(
        self, layout: Layout, how: str
    ) -> None:
        blobs, away = layout.path / "blobs", layout.path.parent / "away"
        before = entries(layout)
        whole = sorted(layout.blobs)
        blobs.rename(away)
        AWAY[how](layout)
        report = mend(layout)
        assert entries(layout) == before
        assert [code for code, _ in done(report)] == (
            ["missing-blobs-folder"] if how == "nothing" else []
        )
        blobs.rename(layout.path.parent / "not needed any more")
        away.rename(blobs)
        assert sorted(layout.blobs) == whole
        assert layout.collect(grace=NOW).removed == ()
        assert list(iter_problems(layout.path)) == []

    def test_of_each_algorithm_there_must_be_a_blob(self, layout: Layout) -> None:
        absent = {"mediaType": OCI_LAYER, "digest": "sha512:" + "0" * 128, "size": 3}
        append(layout, absent, {**absent, "digest": ABSENT})
        assert done(mend(layout)) == [("dangling-entry", "index.json$.manifests[3]")]
        data = b"of the other algorithm"
        other = Descriptor(media_type=OCI_LAYER, digest=Digest.of(data, "sha512"), size=len(data))
        layout.blobs.put(data, media_type=OCI_LAYER, expected=other)
        assert done(mend(layout)) == [("dangling-entry", "index.json$.manifests[2]")]

    def test_an_entry_with_a_full_name_is_never_dropped(self, layout: Layout) -> None:
        note = {CONTAINERD_IMAGE_NAME: "docker.io/library/a:1"}
        named = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3, "annotations": note}
        empty = {**named, "annotations": {CONTAINERD_IMAGE_NAME: ""}}
        append(layout, named, empty)
        assert done(mend(layout)) == [("dangling-entry", "index.json$.manifests[3]")]
        assert entries(layout)[2] == named
        assert "dangling-name" in [problem.code for problem in iter_problems(layout.path)]


def replace_by_link(layout: Layout, digest: str, to: str, data: bytes) -> Path:
    """Move a blob away, and lead to it by a link."""
    path = layout.path / place_of(digest)
    target = path.parent / to
    target.parent.mkdir(parents=True, exist_ok=True)
    path.unlink()
    target.write_bytes(data)
    path.symlink_to(to)
    return target


TARGETS = {
    "absolute": "/{tmp}/store/x",
    "relative": "../../../store/x",
    "in the layout": "../../store/x",
    "in quarantine": "../../quarantine/x",
    "of another name": "../x",
}


class TestLinks:
    """In the place of a link comes what it leads to, if that is the right content."""

    @pytest.mark.parametrize("how", TARGETS)
    @pytest.mark.parametrize("mode", [0o644, 0o400, 0o444])
    def test_a_copy_takes_the_place_of_a_link_to_the_right_content(
        self, layout: Layout, tmp_path: Path, how: str, mode: int
    ) -> None:
        to = TARGETS[how].format(tmp=str(tmp_path).strip("/"))
        target = replace_by_link(layout, LAYER, to, b"layer")
        target.chmod(mode)
        target.parent.chmod(0o555 if "store" in to else 0o755)
        was = target.stat()
        report = mend(layout)
        assert done(report) == [("irregular-blob", place_of(LAYER))]
        assert left(report) == (["stray-file"] if how == "of another name" else [])
        path = layout.path / place_of(LAYER)
        assert not path.is_symlink()
        assert path.read_bytes() == b"layer"
        assert path.stat().st_ino != was.st_ino
        now = target.stat()
        assert (now.st_ino, now.st_mode, now.st_mtime) == (was.st_ino, was.st_mode, was.st_mtime)
        target.parent.chmod(0o755)

    def test_a_link_to_a_link_is_followed(self, layout: Layout, tmp_path: Path) -> None:
        replace_by_link(layout, LAYER, "../../../x", b"layer").rename(tmp_path / "y")
        (tmp_path / "x").symlink_to(tmp_path / "y")
        assert done(mend(layout)) == [("irregular-blob", place_of(LAYER))]
        assert list(iter_problems(layout.path)) == []
        assert (tmp_path / "x").is_symlink()

    def test_every_document_of_an_image_may_be_a_link(self, layout: Layout) -> None:
        """As Bazel writes layouts: what refers to what is known before and after."""
        unlisted = put(layout, "sig", layout.resolve("v1"))
        digests = [*layout.blobs]
        for digest in digests:
            data = (layout.path / place_of(digest)).read_bytes()
            replace_by_link(layout, digest, f"../../../store/{digest.encoded}", data)
        append(layout, {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3})
        report = mend(layout)
        links = [("irregular-blob", place_of(digest)) for digest in digests]
        assert done(report) == [
            *links,
            ("dangling-entry", "index.json$.manifests[2]"),
            ("unlisted-referrer", place_of(unlisted.digest)),
        ]
        assert report.remaining == ()

    @pytest.mark.parametrize(
        "to", ["nowhere", "../../../nowhere", "/nowhere/x", LAYER.encoded, "../../oci-layout/x"]
    )
    def test_a_link_that_leads_nowhere_stays_as_an_error(self, layout: Layout, to: str) -> None:
        path = layout.path / place_of(LAYER)
        path.unlink()
        path.symlink_to(to)
        report = mend(layout)
        assert done(report) == []
        assert left(report) == ["irregular-blob"]
        assert path.readlink().as_posix() == to

    @pytest.mark.parametrize(
        "make",
        [
            lambda path: path.write_bytes(b"Layer"),
            lambda path: path.write_bytes(b"layer and more"),
            lambda path: path.write_bytes(b""),
            os.mkfifo,
            lambda path: path.mkdir(),
            lambda path: path.symlink_to("/dev/zero"),
        ],
        ids=["other bytes", "more", "empty", "a FIFO", "a folder", "a device"],
    )
    def test_a_link_to_anything_else_goes_to_quarantine(
        self, layout: Layout, tmp_path: Path, make: Callable[[Path], object]
    ) -> None:
        make(tmp_path / "x")
        path = layout.path / place_of(LAYER)
        path.unlink()
        path.symlink_to(tmp_path / "x")
        report = mend(layout)
        assert done(report) == [("irregular-blob", place_of(LAYER))]
        assert left(report) == ["quarantined-blob"]
        assert (layout.path / "quarantine" / LAYER.replace(":", "-")).is_symlink()
        assert os.path.lexists(tmp_path / "x")

    def test_a_link_of_an_unknown_algorithm_stays(self, layout: Layout, tmp_path: Path) -> None:
        (layout.path / "blobs" / "newhash").mkdir()
        (tmp_path / "x").write_bytes(b"x")
        (layout.path / "blobs" / "newhash" / "abc").symlink_to(tmp_path / "x")
        report = mend(layout)
        assert done(report) == []
        assert left(report) == ["irregular-blob"]

    @pytest.mark.parametrize("linked", ["blobs", "blobs/sha256"])
    def test_a_link_in_a_folder_of_others_stays(
        self, layout: Layout, tmp_path: Path, linked: str
    ) -> None:
        replace_by_link(layout, LAYER, str(tmp_path / "x"), b"layer")
        (layout.path / linked).rename(tmp_path / "elsewhere")
        (layout.path / linked).symlink_to(tmp_path / "elsewhere")
        report = mend(layout)
        assert done(report) == []
        assert left(report) == ["irregular-blob"]


class TestUnlisted:
    """A manifest that stays for its subject alone becomes an untagged entry."""

    def test_a_chain_becomes_entries_that_referrers_finds(self, layout: Layout) -> None:
        before = entries(layout)
        chain = [layout.resolve("v1")]
        for number in range(6):
            chain.append(put(layout, str(number), chain[-1]))
        lonely = put(layout, "lonely", Descriptor.of(b"absent", OCI_MANIFEST))
        report = mend(layout)
        assert done(report) == [
            ("unlisted-referrer", place_of(descriptor.digest)) for descriptor in chain[1:]
        ]
        assert [problem.code for problem in report.remaining] == ["unreferenced-blob"]
        assert entries(layout)[: len(before)] == before
        assert [entry["digest"] for entry in entries(layout)[len(before) :]] == [
            descriptor.digest for descriptor in chain[1:]
        ]
        for subject, referrer in pairwise(chain):
            assert [found.digest for found in layout.referrers(subject.digest)] == [referrer.digest]
        assert layout.collect(grace=NOW).removed == (lonely.digest,)

    @pytest.mark.parametrize(
        "document",
        [
            {"mediaType": "application/vnd.example.sig+json", "payload": str(LAYER)},
            {"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": "wrong"},
            {"mediaType": "no media type"},
            {"schemaVersion": 2, "config": "wrong"},
            {},
        ],
    )
    def test_an_invalid_referrer_keeps_what_it_names_and_stops_no_collection(
        self, layout: Layout, document: dict[str, Any]
    ) -> None:
        subject = layout.resolve("v1")
        part = layout.blobs.put(b"only named there", media_type="text/plain")
        members = {**document, "subject": {"digest": subject.digest}, "x": part.digest}
        referrer = layout.blobs.put(json.dumps(members).encode(), media_type=OCTET_STREAM)
        report = mend(layout)
        assert done(report) == [("unlisted-referrer", place_of(referrer.digest))]
        assert report.remaining == ()
        assert layout.collect(grace=NOW).removed == ()
        assert part.digest in layout.blobs

    def test_referrers_are_not_looked_for_while_a_document_may_be_damaged(
        self, layout: Layout
    ) -> None:
        """Neither before the damaged manifest is in quarantine nor after, until it is back."""
        subject = layout.resolve("v1")
        referrer = put(layout, "sig", subject)
        path = layout.path / place_of(subject.digest)
        right = path.read_bytes()
        path.write_bytes(b"{}")
        report = mend(layout)
        assert done(report) == [("digest-mismatch", place_of(subject.digest))]
        assert [problem.code for problem in report.remaining] == ["quarantined-blob"]
        layout.blobs.put(right, media_type=OCI_MANIFEST)
        assert done(mend(layout)) == [("unlisted-referrer", place_of(referrer.digest))]

    def test_a_referrer_that_got_an_entry_meanwhile_gets_no_second(self, layout: Layout) -> None:
        referrer = put(layout, "sig", layout.resolve("v1"))

        class Late(IndexFile):
            def edit(self, *arguments: Any, **options: Any) -> None:
                layout.tag("sig", referrer)
                super().edit(*arguments, **options)

        indexfile = Late(layout.path, durable=False, lock_timeout=60)
        assert repair_folder(layout.path, indexfile, layout.blobs).actions == ()
        assert [entry["digest"] for entry in entries(layout)].count(referrer.digest) == 1


class TestRefused:
    """What the file system refuses is left as an error that says why, and the rest is done."""

    @pytest.mark.parametrize("instead", ["a file", "a link that leads nowhere"])
    def test_a_blob_that_cannot_be_moved(self, layout: Layout, instead: str) -> None:
        quarantine = layout.path / "quarantine"
        if instead == "a file":
            quarantine.write_bytes(b"")
        else:
            quarantine.symlink_to("nowhere/at/all")
        damaged = layout.path / place_of(LAYER)
        damaged.write_bytes(b"")
        append(layout, {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3})
        replace_by_link(layout, Digest.of(b"{}"), "../../../x", b"{}")
        indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
        report = repair_folder(layout.path, indexfile, layout.blobs)
        assert done(report) == [
            ("irregular-blob", place_of(Digest.of(b"{}"))),
            ("dangling-entry", "index.json$.manifests[2]"),
        ]
        (problem,) = report.remaining
        assert (problem.code, problem.place) == ("digest-mismatch", place_of(LAYER))
        assert "; it could not be repaired: " in problem.message
        assert damaged.read_bytes() == b""
        assert [found.code for found in iter_problems(layout.path)] == ["digest-mismatch"]

    def test_an_index_that_cannot_be_written(self, layout: Layout) -> None:
        append(layout, {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3})
        (layout.path / place_of(LAYER)).write_bytes(b"")
        before = entries(layout)

        class Full(IndexFile):
            def edit(self, *_: Any, **__: Any) -> None:
                raise OSError(28, "No space left on device")

        full = Full(layout.path, durable=False, lock_timeout=60)
        report = repair_folder(layout.path, full, layout.blobs)
        assert done(report) == [("digest-mismatch", place_of(LAYER))]
        assert entries(layout) == before
        dangling, _ = report.remaining
        assert dangling.code == "dangling-entry"
        assert dangling.message.endswith("; it could not be repaired: No space left on device")

    def test_a_copy_for_which_there_is_no_room(self, layout: Layout) -> None:
        replace_by_link(layout, LAYER, "../../../x", b"layer")
        (layout.path / place_of(Digest.of(b"{}"))).write_bytes(b"damaged")
        (layout.path / "ingest").write_bytes(b"in the way")
        indexfile = IndexFile(layout.path, durable=False, lock_timeout=60)
        report = repair_folder(layout.path, indexfile, layout.blobs)
        assert done(report) == [("digest-mismatch", place_of(Digest.of(b"{}")))]
        assert sorted(left(report)) == ["irregular-blob", "quarantined-blob"]
        (problem,) = (found for found in report.remaining if found.code == "irregular-blob")
        assert "could not be repaired" in problem.message
        assert (layout.path / place_of(LAYER)).is_symlink()


def test_a_copied_blob_without_references_is_reported_as_unreferenced(
    layout: Layout, tmp_path: Path
) -> None:
    """A dry run says of a link what the repair says of the copy in its place; `mend` compares."""
    data = b"alone"
    digest = layout.blobs.put(data, media_type=OCI_LAYER).digest
    replace_by_link(layout, digest, str(tmp_path / "elsewhere"), data)
    report = mend(layout)
    place = place_of(digest)
    assert done(report) == [("irregular-blob", place)]
    assert ("unreferenced-blob", place) in [(p.code, p.place) for p in report.remaining]


@pytest.mark.parametrize(
    "more",
    [
        {"com.example.x": 1},
        {"platform": {"os": "linux", "architecture": "amd64", "com.example.x": 1}},
        {"data": "AAAA"},
        {"urls": ["https://example.com/blob"]},
    ],
)
def test_an_entry_that_says_more_than_its_digest_is_not_dropped(
    layout: Layout, more: dict[str, Any]
) -> None:
    """What it says would be lost, and so would what unknown properties hold."""
    digest = str(Digest.of(b"\0\0\0"))
    bare = {"mediaType": OCI_LAYER, "digest": digest, "size": 3}
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    document["manifests"] += [bare, {**bare, **more}]
    path.write_text(json.dumps(document))
    assert [code for code, _ in done(mend(layout))] == ["dangling-entry"]
    assert json.loads(path.read_bytes())["manifests"][-1] == {**bare, **more}


@pytest.mark.parametrize("change", ["tag the same", "tag other content", "untag"])
def test_what_an_unknown_property_holds_outlives_names(layout: Layout, change: str) -> None:
    """Neither an edit nor a repair lets a collection delete what an entry names."""
    held = layout.blobs.put(b"held", media_type=OCI_LAYER)
    content = layout.resolve("v1")
    layout.tag("v2", content)
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    next(entry for entry in document["manifests"] if entry["digest"] == content.digest).update(
        {"com.example.x": str(held.digest)}
    )
    path.write_text(json.dumps(document))
    if change == "untag":
        layout.untag("v1")
    else:
        layout.tag("v1", content if change == "tag the same" else put(layout, "other"))
    mend(layout)
    layout.collect(grace=NOW)
    assert held.digest in layout.blobs


@pytest.mark.parametrize("shared", [False, True])
def test_a_tag_that_moves_leaves_the_image_of_the_full_name(
    layout: Layout, *, shared: bool
) -> None:
    """Pruning drops only untagged entries, and an entry with a full name is not one."""
    alpine, other = put(layout, "alpine"), put(layout, "other")
    full = "docker.io/library/alpine:latest"
    layout.tag("latest", alpine, annotations={CONTAINERD_IMAGE_NAME: full})
    if shared:
        layout.tag("alpine", alpine)
    layout.tag("latest", other)
    layout.collect(grace=NOW, untagged="prune")
    assert layout.resolve(full) == alpine
    assert layout.resolve("latest") == other
    assert alpine.digest in layout.blobs
