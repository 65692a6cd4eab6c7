"""What a removal reports: what it freed, what stays, and which entries hold on to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import OCI_EMPTY, OCI_LAYER, Descriptor, Index, Layout, Manifest
from ocilayout.layout.removal import RemoveReport

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def put(layout: Layout, *layers: str, subject: Descriptor | None = None) -> Descriptor:
    """Store an artifact with layers of these texts and a config of its own."""
    return layout.put_manifest(
        Manifest(
            artifact_type="a/b",
            config=layout.blobs.put(str(layers).encode(), media_type=OCI_EMPTY + ".own"),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in layers],
            subject=subject,
        )
    )


def add(layout: Layout, *targets: Descriptor) -> None:
    with layout.edit() as edit:
        for target in targets:
            edit.add(target)


def held(report: RemoveReport) -> list[tuple[str, str]]:
    return [(holder.ref, holder.how) for holder in report.holders]


def size(layout: Layout, *roots: Descriptor) -> int:
    """Return the size of all that some roots are made of."""
    return sum({part.digest: part.size for root in roots for part in layout.walk(root)}.values())


def test_all_of_it_is_freed(layout: Layout) -> None:
    """Where nothing else needs the content, all blobs are reported with their size."""
    root = put(layout, "one", "two")
    layout.tag("v1", root)
    before = size(layout, root)
    digests = tuple(sorted(layout.blobs))
    assert layout.remove("v1") == RemoveReport(removed=digests, freed=before)


def test_other_tags_hold_what_they_share(layout: Layout) -> None:
    """Only entries that need something of the removed content are listed."""
    layout.tag("v1", put(layout, "base", "one"))
    layout.tag("v2", put(layout, "base", "two"))
    layout.tag("v3", layout.put_manifest(Index(manifests=[layout.resolve("v2")])))
    layout.tag("v4", put(layout, "else"))
    report = layout.remove("v1")
    assert held(report) == [("v2", "other"), ("v3", "other")]
    assert report.kept == len("base")
    assert len(report.removed) == 3


def test_another_tag_of_the_same_content(layout: Layout) -> None:
    """It keeps all of it, and is not a part of it that should go as well."""
    root = put(layout, "one")
    layout.tag("v1", root)
    layout.tag("v2", root)
    report = layout.remove("v1")
    assert (report.removed, report.freed, report.kept) == ((), 0, size(layout, root))
    assert held(report) == [("v2", "other")]


@pytest.mark.parametrize("nested", [False, True])
def test_children_that_are_entries(layout: Layout, *, nested: bool) -> None:
    """oras-go makes each child of an index an entry, which keeps it when the index goes."""
    children = [put(layout, "one"), put(layout, "two")]
    root = layout.put_manifest(Index(manifests=children))
    if nested:
        root = layout.put_manifest(Index(manifests=[root]))
    layout.tag("v1", root)
    add(layout, *children)
    report = layout.remove("v1")
    assert held(report) == [(str(child.digest), "part") for child in children]
    assert report.kept == size(layout, *children)
    assert len(report.removed) == 1 + nested


def test_referrers_keep_what_they_are_about(layout: Layout) -> None:
    """A signature, and a signature of it, hold on to the content, named or not."""
    root = put(layout, "one")
    layout.tag("v1", root)
    signature = put(layout, "signature", subject=root)
    layout.tag("sha256-1.sig", signature)
    add(layout, put(layout, "signature of it", subject=signature))
    report = layout.remove("v1")
    assert [how for _, how in held(report)] == ["referrer", "referrer"]
    assert held(report)[0][0] == "sha256-1.sig"
    assert (report.removed, report.kept) == ((), size(layout, root))


def test_a_dry_run_reports_the_same(layout: Layout) -> None:
    """What a dry run reports is what happens; it changes nothing."""
    layout.tag("v1", put(layout, "base", "one"))
    layout.tag("v2", put(layout, "base", "two"))
    before = (layout.path / "index.json").stat(), set(layout.blobs)
    (layout.path / "index.json.lock").unlink()
    report = layout.remove("v1", dry_run=True)
    assert ((layout.path / "index.json").stat(), set(layout.blobs)) == before
    assert not (layout.path / "index.json.lock").exists()
    assert report.freed > 0
    assert layout.remove("v1") == report


def test_an_edit_of_several(layout: Layout) -> None:
    """What one edit removes is reported together; without a removal there is nothing."""
    layout.tag("v1", put(layout, "base", "one"))
    layout.tag("v2", put(layout, "base", "two"))
    with layout.edit() as edit:
        edit.remove("v1")
        edit.remove("v2")
        assert edit.report == RemoveReport()
    assert edit.report.kept == 0
    assert len(edit.report.removed) == 7
    assert set(layout.blobs) == set()
    with layout.edit() as edit:
        edit.tag("v1", put(layout, "x"))
    assert edit.report == RemoveReport()


def test_blobs_behind_a_link_stay(layout: Layout, tmp_path: Path) -> None:
    """Blobs in a linked folder belong to other layouts, too; they count as kept."""
    root = put(layout, "one")
    layout.tag("v1", root)
    (layout.path / "blobs").rename(tmp_path / "shared")
    (layout.path / "blobs").symlink_to(tmp_path / "shared")
    kept = size(layout, root)
    for dry_run in (True, False):
        assert layout.remove("v1", dry_run=dry_run) == RemoveReport(kept=kept)


def test_a_dry_run_of_an_edit_has_its_errors(layout: Layout) -> None:
    """An edit that would be refused is refused, and one that would pass changes nothing."""
    layout.tag("v1", put(layout, "one"))
    with layout.edit(dry_run=True) as edit:
        edit.tag("v2", layout.resolve("v1"))
        edit.annotate("v2", {"a": "b"})
        edit.untag("v1")
    assert layout.tags() == ("v1",)
    with pytest.raises(LookupError), layout.edit(dry_run=True) as edit:
        edit.untag("nope")
