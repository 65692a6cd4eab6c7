"""Referrers of content in a layout, in the three places that programs use."""

from __future__ import annotations

import pytest

from ocilayout import (
    OCI_EMPTY,
    Descriptor,
    Digest,
    DocumentError,
    Index,
    IntegrityError,
    Layout,
    Manifest,
)
from ocilayout.model.reference import fallback_tag


def put(
    layout: Layout, note: str, *, kind: str | None = "text/plain", subject: Descriptor | None = None
) -> Descriptor:
    """Store a manifest with annotations of its own."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    return layout.put_manifest(
        Manifest(
            artifact_type=kind, config=config, subject=subject, annotations={"com.example.n": note}
        )
    )


@pytest.mark.spec("image-layout:referrers", "image-index:subject")
def test_entries_refer_with_a_name_and_without(layout: Layout) -> None:
    """Every entry whose manifest has the subject is found once, in document order."""
    image = put(layout, "image")
    named = put(layout, "named", subject=image)
    unnamed = put(layout, "unnamed", subject=image)
    layout.tag("image", image)
    with layout.edit() as edit:
        edit.add(unnamed)
    layout.tag("signature", named)
    layout.tag("again", named)
    layout.tag("other", put(layout, "other", subject=unnamed))
    found = layout.referrers(image.digest)
    assert [referrer.plain() for referrer in found] == [unnamed, named]
    assert found[0].annotations == {"com.example.n": "unnamed"}
    assert layout.referrers(str(unnamed.digest))[0].annotations == {"com.example.n": "other"}
    assert layout.referrers(Digest.of(b"nothing")) == ()


@pytest.mark.spec("image-layout:referrers")
def test_a_list_under_the_fallback_tag_counts_too(layout: Layout) -> None:
    """The list under the fallback tag is read, without referrers that were found already."""
    image = put(layout, "image")
    entry = put(layout, "entry", subject=image)
    listed = put(layout, "listed", subject=image)
    index = layout.put_manifest(Index(manifests=[entry, listed]))
    layout.tag("entry", entry)
    layout.tag(f"sha256-{image.digest.encoded}", index)
    assert [referrer.digest for referrer in layout.referrers(image.digest)] == [
        entry.digest,
        listed.digest,
    ]


def test_a_fallback_tag_of_something_else_lists_nothing(layout: Layout) -> None:
    """A manifest, a blob and a missing index under that tag are not lists."""
    image = put(layout, "image")
    name = f"sha256-{image.digest.encoded}"
    layout.tag(name, put(layout, "manifest"))
    assert layout.referrers(image.digest) == ()
    layout.tag(name, layout.blobs.put(b"x", media_type="text/plain"))
    assert layout.referrers(image.digest) == ()
    layout.tag(name, layout.put_manifest(Index(manifests=[image])))
    layout.blobs.delete(layout.resolve(name).digest)
    assert layout.referrers(image.digest) == ()


@pytest.mark.spec(
    "manifest:artifact-type-fallback", "descriptor:artifact-type-value", "distribution:list-type"
)
def test_referrers_are_filtered_by_their_type(layout: Layout) -> None:
    """Only referrers of that type are given; without one, the config's media type stands for it."""
    image = put(layout, "image")
    typed = put(layout, "typed", subject=image)
    untyped = put(layout, "untyped", kind=None, subject=image)
    grouped = layout.put_manifest(Index(manifests=[], subject=image))
    for name, root in (("typed", typed), ("untyped", untyped), ("grouped", grouped)):
        layout.tag(name, root)
    assert [found.artifact_type for found in layout.referrers(image.digest)] == [
        "text/plain",
        OCI_EMPTY,
        None,
    ]
    (only,) = layout.referrers(image.digest, artifact_type="text/plain")
    assert only.digest == typed.digest


@pytest.mark.spec("image-layout:referrers")
def test_a_manifest_inside_an_index_is_a_referrer(layout: Layout) -> None:
    """BuildKit has attestations in the index of the image; an index in an index is read, too."""
    image = put(layout, "image")
    child = put(layout, "child", subject=image)
    inner = layout.put_manifest(Index(manifests=[image, child]))
    layout.tag("index", layout.put_manifest(Index(manifests=[inner, image])))
    assert [found.digest for found in layout.referrers(image.digest)] == [child.digest]
    layout.tag("child", child)
    assert [found.digest for found in layout.referrers(image.digest)] == [child.digest]


@pytest.mark.usefixtures("later")  # so that the index is old enough to be kept in memory
def test_a_referrer_that_was_missing_is_found_later(layout: Layout) -> None:
    """A manifest that was missing at the first question is a referrer once it is there."""
    image = put(layout, "image")
    layout.tag("image", image)
    layout.tag("signature", put(layout, "signature", subject=image))
    path = layout.blobs.path(layout.resolve("signature").digest)
    path.rename(layout.path / "aside")
    assert layout.referrers(image.digest) == ()
    (layout.path / "aside").rename(path)
    assert len(layout.referrers(image.digest)) == 1


def test_damaged_and_invalid_manifests_are_errors(layout: Layout) -> None:
    """A damaged entry is an error, and so is text that is not a digest."""
    image = put(layout, "image")
    layout.tag("image", image)
    layout.blobs.path(image.digest).write_bytes(b"?" * image.size)
    with pytest.raises(IntegrityError):
        layout.referrers(image.digest)
    with pytest.raises(DocumentError):
        layout.referrers("image")


@pytest.mark.spec("distribution:referrers-tag")
@pytest.mark.parametrize(
    ("digest", "tag"),
    [
        (f"sha256:{'a' * 64}", f"sha256-{'a' * 64}"),
        (f"sha512:{'b' * 128}", f"sha512-{'b' * 64}"),
        ("multihash+base58:Qm", "multihash-base58-Qm"),
        (f"{'x' * 40}:a=b", f"{'x' * 32}-a-b"),
    ],
)
def test_the_tag_of_a_digest(digest: str, tag: str) -> None:
    """Both parts are cut to their lengths, and what no tag may hold becomes a dash."""
    assert fallback_tag(Digest.parse(digest)) == tag


@pytest.mark.usefixtures("later")  # so that the index is old enough to be kept in memory
def test_a_referrer_that_is_added_later_is_found(layout: Layout) -> None:
    """A manifest that was missing, and an entry of another handle, are seen when asked again."""
    image = put(layout, "image")
    late = put(layout, "late", subject=image)
    with layout.edit() as edit:
        edit.add(late)
    data = layout.blobs.read(late)
    layout.blobs.delete(late.digest)
    assert layout.referrers(image.digest) == ()
    layout.blobs.put(data, media_type=late.media_type)
    assert [found.digest for found in layout.referrers(image.digest)] == [late.digest]
    other = Layout.open(layout.path)
    other.tag("more", put(other, "more", subject=image))
    assert len(layout.referrers(image.digest)) == 2
