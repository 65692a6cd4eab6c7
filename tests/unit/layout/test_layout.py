"""A layout in a folder: read, tagged, annotated and removed from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
    UnsupportedDigestError,
)
from ocilayout.layout.layout import Layout
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor, Platform
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.unit.layout.layouts import is_whole, put_artifact, put_image, tree

LOCAL_BUILD = "dev.stacklok.toolhive.local-build"
MARK = {LOCAL_BUILD: "true"}
ABSENT = Digest.parse("sha256:" + "0" * 64)


def layer(text: str) -> Digest:
    """Return the digest of a layer of this text."""
    return Digest.of(text.encode())


def rewrite(layout: Layout, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the root index as another program does."""
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document, indent=2) + "\n")


def raw_entries(layout: Layout) -> list[dict[str, Any]]:
    """Return the entries of the file as JSON."""
    entries: list[dict[str, Any]] = json.loads((layout.path / "index.json").read_bytes())[
        "manifests"
    ]
    return entries


# ---------------------------------------------------------------- reading


def test_tags_are_sorted_bytewise(layout: Layout) -> None:
    """Tags are sorted by their bytes, each once; entries are in document order."""
    target = put_artifact(layout)
    for name in ("b", "a", "B", "a.b", "a-b", "10", "9"):
        layout.tag(name, target)
    with layout.edit() as edit:
        edit.add(put_artifact(layout, "untagged"))
    assert layout.tags() == ("10", "9", "B", "a", "a-b", "a.b", "b")
    names = [entry.name for entry in layout.entries()]
    assert names == ["b", "a", "B", "a.b", "a-b", "10", "9", None]


def test_tags_can_be_asked_for_by_annotation(layout: Layout) -> None:
    """Only tags whose entries all have the annotations are returned."""
    target = put_artifact(layout)
    layout.tag("a", target, annotations=MARK)
    layout.tag("b", target, annotations={LOCAL_BUILD: "false"})
    layout.tag("c", target)
    layout.tag("d", target, annotations={**MARK, "x": "y"})
    assert layout.tags(annotations=MARK) == ("a", "d")
    assert layout.tags(annotations={}) == ("a", "b", "c", "d")


def test_an_entry_has_its_annotations(layout: Layout) -> None:
    """An entry has its name, its other annotations and its descriptor apart."""
    target = put_artifact(layout)
    layout.tag("a", target, annotations=MARK)
    layout.tag("b", target)
    entry = layout.entry("a")
    assert (entry.name, entry.descriptor, dict(entry.annotations)) == ("a", target, MARK)
    assert dict(layout.entry("b").annotations) == {}
    assert layout.entries(name="a") == (entry,)
    assert layout.entries(name="c") == ()
    with pytest.raises(ReferenceNotFoundError, match="'c'"):
        layout.entry("c")


@pytest.mark.spec("annotations:travel")
def test_resolve_is_always_plain(layout: Layout) -> None:
    """By tag or by digest, only media type, digest and size of an entry are returned."""
    target = put_artifact(layout)
    layout.tag("a", target, annotations=MARK)
    rewrite(
        layout,
        lambda index: index["manifests"][0].update(
            platform={"architecture": "amd64", "os": "linux"},
            artifactType="x/y",
            urls=["https://example.com"],
        ),
    )
    assert layout.resolve("a") == target
    assert layout.resolve(target.digest) == target
    assert layout.resolve(str(target.digest)) == target
    assert layout.entry("a").descriptor.platform == Platform(architecture="amd64", os="linux")


def test_resolve_finds_content_without_an_entry(layout: Layout) -> None:
    """A child manifest has its own media type, opaque content that of a stream of bytes."""
    root = put_image(layout, "shared")
    layout.tag("a", root)
    children = [found.plain() for found in layout.walk(root) if found.media_type == OCI_MANIFEST]
    assert [layout.resolve(child.digest) for child in children] == children
    assert layout.resolve(layer("shared")) == Descriptor.of(b"shared", OCTET_STREAM)
    with pytest.raises(ReferenceNotFoundError):
        layout.resolve(ABSENT)
    with pytest.raises(ReferenceNotFoundError):
        layout.resolve("b")


@pytest.mark.spec("image-layout:opaque-blobs")
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"mediaType":"x/y"}',
        b'{"mediaType":null}',
        b'{"mediaType":[]}',
        b'{"mediaType":{}}',
        b'{"mediaType":7}',
        b'{"a":1,"a":2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_DOCUMENT + 1),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_content_without_a_known_type_is_opaque(layout: Layout, content: bytes) -> None:
    """Any blob resolves by its digest to a descriptor, and without an error."""
    put = layout.blobs.put(content, media_type="x/y")
    assert layout.resolve(put.digest) == Descriptor.of(content, OCTET_STREAM)


def test_content_that_cannot_be_verified_is_opaque(layout: Layout) -> None:
    """A blob of an unknown algorithm resolves, but not as a manifest."""
    digest = Digest.parse("newhash:abc")
    path = layout.blobs.path(digest)
    path.parent.mkdir()
    path.write_bytes(json.dumps({"mediaType": OCI_MANIFEST}).encode())
    resolved = layout.resolve(digest)
    assert resolved.media_type == OCTET_STREAM
    with pytest.raises(UnsupportedDigestError):
        layout.blobs.read(resolved)


def test_damaged_content_does_not_resolve_by_digest(layout: Layout) -> None:
    """A blob is verified before its type is believed."""
    target = put_artifact(layout)
    layout.blobs.path(target.digest).write_bytes(b'{"mediaType":"%s"}' % OCI_INDEX.encode())
    with pytest.raises(DigestMismatchError):
        layout.resolve(target.digest)


@pytest.mark.spec("annotations:same-name")
def test_one_name_for_several_contents_is_ambiguous(layout: Layout) -> None:
    """A name with entries of different content raises and lists them, until one is untagged."""
    first, second = put_artifact(layout, "1"), put_artifact(layout, "2")
    layout.tag("a", first)
    layout.tag("b", second)
    rewrite(layout, lambda index: index["manifests"][1]["annotations"].update({REF_NAME: "a"}))
    assert layout.tags() == ("a",)
    assert len(layout.entries(name="a")) == 2
    for ask in (layout.resolve, layout.entry):
        with pytest.raises(AmbiguousReferenceError) as caught:
            ask("a")
        assert caught.value.name == "a"
        assert caught.value.digests == (str(first.digest), str(second.digest))
    assert layout.resolve(f"a@{first.digest}") == first
    assert layout.entry(f"a@{second.digest}").descriptor == second
    layout.untag(f"a@{first.digest}")
    assert layout.resolve("a") == second
    assert [entry.name for entry in layout.entries()] == [None, "a"]


def test_one_name_twice_for_the_same_content_is_not_ambiguous(layout: Layout) -> None:
    """A repeated entry, such as some programs leave after repeated pulls, is one tag."""
    target = put_artifact(layout)
    layout.tag("a", target)
    rewrite(layout, lambda index: index["manifests"].append(dict(index["manifests"][0])))
    assert layout.resolve("a") == target
    layout.tag("a", target)
    assert len(layout.entries()) == 1


@pytest.mark.spec("annotations:same-name")
def test_full_names_tell_equal_tags_apart(layout: Layout) -> None:
    """BuildKit writes the same tag for several images; their full names resolve them."""
    contents = {f"docker.io/library/{name}:latest": put_artifact(layout, name) for name in "ab"}
    for name, content in contents.items():
        layout.tag(f"x{content.digest.encoded}", content, annotations={CONTAINERD_IMAGE_NAME: name})

    def shorten(index: dict[str, Any]) -> None:
        for entry in index["manifests"]:
            entry["annotations"][REF_NAME] = "latest"

    rewrite(layout, shorten)
    assert {name: layout.resolve(name) for name in contents} == contents
    with pytest.raises(AmbiguousReferenceError):
        layout.resolve("latest")
    assert layout.tags() == ("latest",)


@pytest.mark.spec("annotations:digest-name")
def test_a_name_that_reads_as_a_digest_is_a_digest(layout: Layout) -> None:
    """Where another program wrote a name that reads as a digest, the digest is resolved."""
    target, named = put_artifact(layout, "1"), put_artifact(layout, "2")
    layout.tag("a", named)
    rewrite(
        layout,
        lambda index: index["manifests"][0]["annotations"].update({REF_NAME: target.digest}),
    )
    assert layout.tags() == (str(target.digest),)
    assert layout.resolve(str(target.digest)) == target
    assert layout.entry(str(target.digest)).descriptor == named


def test_the_error_of_a_bad_entry_gives_its_place(layout: Layout) -> None:
    """An entry that breaks the specification is refused, with its place, when it is asked for."""
    good = put_artifact(layout, "a")
    layout.tag("a", good)
    layout.tag("b", put_artifact(layout, "b"))
    rewrite(layout, lambda index: index["manifests"][1].update(size=-1))
    assert layout.tags() == ("a", "b")
    assert layout.resolve("a") == good
    with pytest.raises(DocumentError) as caught:
        layout.resolve("b")
    assert caught.value.problems[0].place == "$.manifests[1].size"
    with pytest.raises(DocumentError):
        layout.entries()


def test_a_handle_sees_changes_by_others(layout: Layout) -> None:
    """Two handles on one folder agree at every moment."""
    other = Layout.open(layout.path, durability="none")
    for number, handle in enumerate([layout, other, other, layout]):
        handle.tag(f"t{number}", put_artifact(handle, str(number)))
        assert layout.tags() == other.tags() == tuple(f"t{n}" for n in range(number + 1))
    other.untag("t0")
    assert "t0" not in layout.tags()


# ---------------------------------------------------------------- manifests


def test_put_manifest_stores_models_and_bytes(layout: Layout) -> None:
    """A model is encoded, bytes are stored as they are; neither becomes an entry."""
    model = Index(manifests=())
    assert layout.put_manifest(model) == Descriptor.of(encode(model), OCI_INDEX)
    spaced = b' { "manifests" : [ ] , "schemaVersion" : 2 } \n'
    put = layout.put_manifest(spaced)
    assert put == Descriptor.of(spaced, OCI_INDEX)
    assert layout.blobs.read(put) == spaced
    assert layout.read_manifest(put) == Index(media_type=None)
    assert layout.entries() == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b'{"schemaVersion":1,"manifests":[]}',
        b'{"schemaVersion":2,"manifests":[],"layers":[]}',
        b'{"schemaVersion":2,"manifests":[],"config":{}}',
        b'{"schemaVersion":2,"manifests":[],"mediaType":"%s"}' % OCI_MANIFEST.encode(),
        b'{"schemaVersion":2,"manifests":[],"mediaType":"x/y"}',
        b'{"schemaVersion":2,"manifests":[],"mediaType":"no type"}',
        b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
    ],
)
def test_put_manifest_refuses_other_documents(layout: Layout, data: bytes) -> None:
    """Bytes that break the specification, or are two kinds of document at once, are not stored."""
    with pytest.raises(DocumentError):
        layout.put_manifest(data)
    assert list(layout.blobs) == []


def test_put_manifest_holds_to_the_type_that_is_given(layout: Layout) -> None:
    """A document with another type than the given one is refused."""
    with pytest.raises(DocumentError):
        layout.put_manifest(encode(Index()), media_type=DOCKER_INDEX)
    with pytest.raises(DocumentError):
        layout.put_manifest(encode(Index()), media_type=OCI_LAYER)
    silent = encode(Index(media_type=None))
    assert layout.put_manifest(silent, media_type=DOCKER_INDEX).media_type == DOCKER_INDEX


def test_put_manifest_takes_the_algorithm_that_is_given(layout: Layout) -> None:
    """A document is stored under its digest of another algorithm, if that can be computed."""
    data = encode(Index())
    put = layout.put_manifest(data, algorithm="sha512")
    assert put == Descriptor.of(data, OCI_INDEX, "sha512")
    assert layout.blobs.read(put) == data
    with pytest.raises(UnsupportedDigestError):
        layout.put_manifest(data, algorithm="md5")


@pytest.mark.spec("considerations:limits")
def test_manifests_have_a_limit(layout: Layout) -> None:
    """A manifest of more than 4 MiB is neither stored nor read; the largest is both."""
    edge = encode(Index()).ljust(MAX_DOCUMENT)
    assert layout.read_manifest(layout.put_manifest(edge)) == Index()
    with pytest.raises(LimitExceededError) as caught:
        layout.put_manifest(edge + b" ")
    assert caught.value.limit == MAX_DOCUMENT
    put = layout.blobs.put(edge + b" ", media_type=OCI_INDEX)
    with pytest.raises(LimitExceededError):
        layout.read_manifest(put)


def test_read_manifest_refuses_other_content(layout: Layout) -> None:
    """Content of another type, of a confused type, damaged or missing is not a manifest."""
    blob = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    with pytest.raises(DocumentError):
        layout.read_manifest(blob)
    target = put_artifact(layout)
    confused = Descriptor(media_type=OCI_INDEX, digest=target.digest, size=target.size)
    with pytest.raises(DocumentError):
        layout.read_manifest(confused)
    layout.blobs.path(target.digest).write_bytes(b"{}")
    with pytest.raises(IntegrityError):
        layout.read_manifest(target)
    with pytest.raises(BlobNotFoundError):
        layout.read_manifest(Descriptor(media_type=OCI_MANIFEST, digest=ABSENT, size=1))


def test_walk_visits_each_content_once_parents_first(layout: Layout) -> None:
    """A walk gives a root before its children and shared content once, read or not."""
    root = put_image(layout, "shared")
    first, second = layout.read_manifest(root).manifests  # type: ignore[union-attr] # an index
    walked = [found.digest for found in layout.walk(root)]
    assert walked[:2] == [root.digest, first.digest]
    assert len(walked) == len(set(walked)) == 8
    assert set(walked) == set(layout.blobs)
    assert walked.index(second.digest) < walked.index(layer("arm64"))
    layout.blobs.delete(second.digest)
    left = [found.digest for found in layout.walk(root)]
    assert second.digest in left
    assert layer("arm64") not in left


def test_walk_stops_at_damage(layout: Layout) -> None:
    """A damaged manifest on the way is an error, and does not just end the walk."""
    root = put_image(layout)
    child = list(layout.walk(root))[1]
    layout.blobs.path(child.digest).write_bytes(b"")
    with pytest.raises(IntegrityError):
        list(layout.walk(root))


@pytest.mark.spec("media-types:docker")
def test_docker_documents_are_walked_like_oci_ones(layout: Layout) -> None:
    """What Docker writes is tagged, walked and removed with all its parts."""
    config = layout.blobs.put(b"{}", media_type=DOCKER_CONFIG)
    child = layout.put_manifest(Manifest(media_type=DOCKER_MANIFEST, config=config))
    root = layout.put_manifest(Index(media_type=DOCKER_INDEX, manifests=(child,)))
    layout.tag("a", root)
    assert list(layout.walk(layout.resolve("a"))) == [root, child, config]
    layout.remove("a")
    assert list(layout.blobs) == []


# ---------------------------------------------------------------- tagging


@pytest.mark.spec("descriptor:platform", "annotations:travel")
def test_a_tag_is_an_entry_of_four_properties(layout: Layout) -> None:
    """A new entry has type, digest, size and name only, even if the descriptor has more."""
    target = put_artifact(layout)
    layout.tag(
        "a",
        Descriptor(
            media_type=target.media_type,
            digest=target.digest,
            size=target.size,
            annotations=MARK,
            urls=("https://example.com",),
            artifact_type="x/y",
        ),
    )
    assert raw_entries(layout) == [
        {
            "mediaType": target.media_type,
            "digest": str(target.digest),
            "size": target.size,
            "annotations": {REF_NAME: "a"},
        }
    ]


def test_the_index_is_written_compactly(layout: Layout) -> None:
    """An edit leaves no white space of an indented file."""
    rewrite(layout, lambda _: None)
    layout.tag("a", put_artifact(layout))
    written = (layout.path / "index.json").read_bytes()
    assert written == json.dumps(json.loads(written), separators=(",", ":")).encode()


def test_a_tag_has_only_the_annotations_that_are_given(layout: Layout) -> None:
    """Tagging again, or by digest, or under another name, takes over no annotation."""
    target = put_artifact(layout)
    layout.tag("a", target, annotations={**MARK, "x": "y"})
    layout.tag("b", target.digest)
    layout.tag("c", str(target.digest))
    assert dict(layout.entry("b").annotations) == dict(layout.entry("c").annotations) == {}
    assert dict(layout.entry("a").annotations) == {**MARK, "x": "y"}
    layout.tag("a", target)
    assert dict(layout.entry("a").annotations) == {}
    assert len(layout.entries()) == 3


def test_moving_a_tag_keeps_the_old_content_as_an_untagged_entry(layout: Layout) -> None:
    """The last entry of the old content stays, without the annotations of its name."""
    layout.name_annotations = frozenset(MARK)
    old, new = put_artifact(layout, "old"), put_artifact(layout, "new")
    layout.tag("a", old, annotations={**MARK, "kept": "yes"})
    layout.tag("a", new)
    entries = [
        (entry.name, entry.descriptor, dict(entry.annotations)) for entry in layout.entries()
    ]
    assert entries == [(None, old, {"kept": "yes"}), ("a", new, {})]
    assert is_whole(layout, old)


def test_moving_one_of_two_tags_leaves_no_untagged_entry(layout: Layout) -> None:
    """Content that has another tag needs no untagged entry."""
    old, new = put_artifact(layout, "old"), put_artifact(layout, "new")
    layout.tag("a", old)
    layout.tag("b", old)
    layout.tag("a", new)
    assert [(entry.name, entry.descriptor) for entry in layout.entries()] == [
        ("a", new),
        ("b", old),
    ]


def test_a_tag_may_name_a_blob(layout: Layout) -> None:
    """A tagged blob need not be a manifest."""
    blob = layout.blobs.put(b"text", media_type="text/plain")
    layout.tag("a", blob)
    assert layout.resolve("a") == blob


@pytest.mark.spec("annotations:ref-name")
@pytest.mark.parametrize(
    "name", ["a", "A.b_c-d:e@f+g", "a--b", "host.example:5000/org/skill:v1", "a@b", "0"]
)
def test_names_of_the_grammar_can_be_written(layout: Layout, name: str) -> None:
    """All that the grammar of ref.name allows is a name."""
    layout.tag(name, put_artifact(layout))
    assert Layout.open(layout.path).tags() == (name,)


@pytest.mark.spec("annotations:ref-name", "image-layout:name-meaning")
@pytest.mark.parametrize("name", ["-a", "a-", "a b", "a__b", "a/", "/a", "ä", "a\n", ".a"])
def test_names_outside_of_the_grammar_need_a_lenient_handle(layout: Layout, name: str) -> None:
    """Such names are written only if the handle allows them, and always read."""
    target = put_artifact(layout)
    with pytest.raises(InvalidNameError):
        layout.tag(name, target)
    lenient = Layout.open(layout.path, strict_names=False, durability="none")
    lenient.tag(name, target)
    assert layout.tags() == (name,)
    assert layout.resolve(name) == target
    layout.annotate(name, {"x": "y"})
    layout.untag(name)
    assert layout.tags() == ()


@pytest.mark.spec("annotations:digest-name")
@pytest.mark.parametrize("name", ["", "sha256:" + "a" * 64, "sha512:" + "0" * 128])
def test_some_names_are_refused_by_every_handle(layout: Layout, name: str) -> None:
    """A name that reads as a digest, and an empty one, cannot be written."""
    lenient = Layout.open(layout.path, strict_names=False, durability="none")
    for handle in (layout, lenient):
        with pytest.raises(InvalidNameError):
            handle.tag(name, put_artifact(layout))
    assert layout.entries() == ()


def test_annotations_cannot_set_the_name(layout: Layout) -> None:
    """Only tagging sets the name."""
    target = put_artifact(layout)
    with pytest.raises(InvalidNameError):
        layout.tag("a", target, annotations={REF_NAME: "b"})
    layout.tag("a", target)
    for value in ("b", None):
        with pytest.raises(InvalidNameError):
            layout.annotate("a", {REF_NAME: value})
    assert layout.tags() == ("a",)


def test_untag_keeps_the_content(layout: Layout) -> None:
    """The name is removed with its annotations; the content stays as an untagged entry."""
    layout.name_annotations = frozenset(MARK)
    target = put_artifact(layout, "x")
    layout.tag("a", target, annotations={**MARK, "kept": "yes"})
    layout.tag("b", target)
    layout.untag("b")
    assert [entry.name for entry in layout.entries()] == ["a"]
    layout.untag("a")
    (entry,) = layout.entries()
    assert (entry.name, entry.descriptor, dict(entry.annotations)) == (
        None,
        target,
        {"kept": "yes"},
    )
    assert is_whole(layout, target)
    with pytest.raises(ReferenceNotFoundError):
        layout.untag("a")


def test_annotate_changes_single_keys(layout: Layout) -> None:
    """The given keys are set or removed; other keys and other entries stay."""
    target = put_artifact(layout)
    layout.tag("a", target, annotations={"x": "1", "y": "2"})
    layout.tag("b", target, annotations={"x": "1"})
    layout.annotate("a", {"x": None, "z": "3", "missing": None})
    assert dict(layout.entry("a").annotations) == {"y": "2", "z": "3"}
    assert dict(layout.entry("b").annotations) == {"x": "1"}
    with pytest.raises(ReferenceNotFoundError):
        layout.annotate("c", {"x": "1"})


# ---------------------------------------------------------------- removing


def test_remove_deletes_all_blobs_that_only_the_entry_reaches(layout: Layout) -> None:
    """The entry is removed with every blob of its graph, and nothing else is."""
    layout.tag("a", put_image(layout, "x"))
    layout.remove("a")
    assert layout.entries() == ()
    assert list(layout.blobs) == []
    with pytest.raises(ReferenceNotFoundError):
        layout.remove("a")


def test_remove_keeps_shared_blobs(layout: Layout) -> None:
    """Layers, configs and child manifests that another tag reaches stay, and verify."""
    image = put_image(layout, "shared")
    child = list(layout.walk(image))[1]
    contents = {
        "image": image,
        "child": child,
        "layer": put_artifact(layout, "shared", "more"),
        "config": put_artifact(layout, "own", config=b'["amd64"]'),
        "bundle": layout.put_manifest(Index(manifests=(image, put_artifact(layout, "own")))),
    }
    for name, content in contents.items():
        layout.tag(name, content)
    for gone in ("bundle", "image", "layer", "child", "config"):
        reached = {
            found.digest
            for name in layout.tags()
            if name != gone
            for found in layout.walk(layout.resolve(name))
        }
        layout.remove(gone)
        assert set(layout.blobs) == reached
        assert all(is_whole(layout, layout.resolve(name)) for name in layout.tags())
    assert list(layout.blobs) == []


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("shared", ["child", "config", "layer"])
def test_remove_leaves_every_root_whole_that_shares_a_part(
    layout: Layout,
    shared: str,
    named: bool,  # noqa: FBT001 # a parameter
) -> None:
    """A root that shares any part, named or untagged, stays complete."""
    image = put_image(layout, "shared")
    child, config, first, *_ = list(layout.walk(image))[1:]
    empty = layout.blobs.put(b"[]", media_type=OCI_EMPTY)
    others: dict[str, Manifest | Index] = {
        "child": Index(manifests=(child,)),
        "config": Manifest(config=config, layers=(empty,)),
        "layer": Manifest(config=empty, layers=(first,)),
    }
    root = layout.put_manifest(others[shared])
    layout.tag("gone", image)
    with layout.edit() as edit:
        if named:
            edit.tag("stays", root)
        else:
            edit.add(root)
    layout.remove("gone")
    assert is_whole(layout, root)
    assert set(layout.blobs) == {empty.digest, *(found.digest for found in layout.walk(root))}


def test_remove_of_one_of_two_names_deletes_nothing(layout: Layout) -> None:
    """Content that has another tag stays complete."""
    target = put_image(layout)
    layout.tag("a", target)
    layout.tag("b", target)
    layout.remove("a")
    assert layout.tags() == ("b",)
    assert is_whole(layout, target)


@pytest.mark.spec("image-layout:garbage")
def test_untagged_entries_hold_their_content(layout: Layout) -> None:
    """An untagged entry is a root."""
    old = put_artifact(layout, "shared", "old")
    layout.tag("a", old)
    layout.tag("a", put_artifact(layout, "shared", "new"))
    layout.remove("a")
    assert [entry.descriptor for entry in layout.entries()] == [old]
    assert is_whole(layout, old)
    assert layer("new") not in layout.blobs


def test_a_referrer_that_stays_holds_its_subject(layout: Layout) -> None:
    """Removing the subject of another entry removes the tag and no content."""
    subject = put_artifact(layout, "subject")
    referrer = put_artifact(layout, "signature", config=b"[]", subject=subject)
    layout.tag("a", subject)
    layout.tag("signature", referrer)
    layout.remove("a")
    assert is_whole(layout, subject)
    layout.remove("signature")
    assert is_whole(layout, subject), "a referrer that goes does not take its subject along"
    assert referrer.digest not in layout.blobs


def test_the_same_content_under_another_type_is_shared(layout: Layout) -> None:
    """Reachability is by digest: a layer of one manifest may be the config of another."""
    shared = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    renamed = Descriptor(media_type="x/y", digest=shared.digest, size=shared.size)
    kept = layout.put_manifest(Manifest(config=renamed))
    layout.tag("kept", kept)
    layout.tag("gone", put_artifact(layout, "x"))
    layout.remove("gone")
    assert is_whole(layout, kept)


def test_remove_stops_at_a_damaged_manifest(layout: Layout) -> None:
    """If the manifest of another entry is damaged, nothing is changed or deleted."""
    damaged = put_artifact(layout, "shared", "1")
    layout.tag("damaged", damaged)
    layout.tag("a", put_artifact(layout, "shared", "2"))
    layout.blobs.path(damaged.digest).write_bytes(b"{}")
    before = tree(layout.path / "blobs")
    with pytest.raises(IntegrityError):
        layout.remove("a")
    assert layout.tags() == ("a", "damaged")
    assert tree(layout.path / "blobs") == before
    layout.untag("a")
    assert layout.tags() == ("damaged",)


def test_remove_of_an_incomplete_image(layout: Layout) -> None:
    """Missing parts, of this entry and of others, do not stop it."""
    target = put_image(layout, "x")
    layout.tag("a", target)
    sparse = put_artifact(layout, "elsewhere")
    layout.tag("sparse", sparse)
    layout.blobs.delete(layer("elsewhere"))
    layout.blobs.delete(list(layout.walk(target))[1].digest)
    layout.remove("a")
    assert layout.tags() == ("sparse",)
    assert sparse.digest in layout.blobs
    assert target.digest not in layout.blobs


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_an_error_of_a_file_names_the_file(layout: Layout, name: str) -> None:
    """The error of a file names its path, and each problem its JSON path alone."""
    (layout.path / name).write_text("[]")
    with pytest.raises(DocumentError) as caught:
        Layout.open(layout.path)
    assert str(caught.value).startswith(f"{layout.path / name}: $: ")
    assert caught.value.source == str(layout.path / name)
    assert caught.value.problems[0].place == "$"


def test_an_error_of_a_blob_names_the_blob(layout: Layout) -> None:
    """A manifest that breaks the specification is named by its digest."""
    stored = layout.blobs.put(b"{}", media_type=OCI_MANIFEST)
    with pytest.raises(DocumentError, match=f"^{stored.digest}: "):
        layout.read_manifest(stored)


def test_an_index_never_becomes_too_large_to_be_read(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit that would write more than can be read is refused, and changes nothing."""
    stored = layout.put_manifest(Index())
    layout.tag("a", stored)
    before = (layout.path / "index.json").read_bytes()
    monkeypatch.setattr("ocilayout.layout.rootindex.MAX_ROOT_INDEX", len(before) + 1000)
    with pytest.raises(LimitExceededError, match="Remove entries first"):
        layout.tag("b", stored, annotations={"x": "x" * 1000})
    assert (layout.path / "index.json").read_bytes() == before
    layout.tag("b", stored)
    assert layout.tags() == ("a", "b")


@pytest.mark.spec("annotations:travel")
def test_name_annotations_are_removed_with_a_tag(layout: Layout) -> None:
    """`name_annotations` names the keys; every other annotation stays with the untagged entry."""
    target = put_artifact(layout)
    told = Layout.open(layout.path, name_annotations=["org.example.mark"])
    assert told.name_annotations == {"org.example.mark"}
    for handle, left in [(layout, {"org.example.mark": "1", "x": "y"}), (told, {"x": "y"})]:
        handle.tag("a", target, annotations={"org.example.mark": "1", "x": "y"})
        handle.untag("a")
        (entry,) = handle.entries()
        assert (entry.name, dict(entry.annotations)) == (None, left)
        handle.remove(str(target.digest))
        put_artifact(layout)


def test_a_moved_tag_removes_name_annotations_from_the_old_entry(layout: Layout) -> None:
    """The old entry stays as an untagged one without the annotations of the tag."""
    told = Layout.open(layout.path, name_annotations=["org.example.mark"])
    first, second = put_artifact(told, "1"), put_artifact(told, "2")
    told.tag("a", first, annotations={"org.example.mark": "1", "x": "y"})
    told.tag("a", second)
    assert [dict(entry.annotations) for entry in told.entries()] == [{"x": "y"}, {}]
