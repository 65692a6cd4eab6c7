"""A layout inside a tar: read in place, and written as a stream."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import Event, copy
from ocilayout.archive import Archive, write_archive
from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    InvalidNameError,
    LimitExceededError,
    NotALayoutError,
    ReferenceNotFoundError,
    SizeMismatchError,
    UnsupportedDigestError,
    UnsupportedVersionError,
)
from ocilayout.layout import Layout
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor, Platform
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT, Limits
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, OCTET_STREAM
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from skills import LOCAL_BUILD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER = b'{"imageLayoutVersion":"1.0.0"}'
ABSENT = Digest.parse("sha256:" + "0" * 64)
MARK = {LOCAL_BUILD: "true"}


def put_artifact(layout: Layout, *layers: str, algorithm: str = "sha256") -> Descriptor:
    """Store a manifest with layers of these texts; it has no entry."""
    contents = [text.encode() for text in layers]
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[
                layout.blobs.put(
                    data,
                    media_type=OCI_LAYER,
                    expected=Descriptor.of(data, OCI_LAYER, algorithm),
                )
                for data in contents
            ],
        )
    )


def written(
    layout: Layout | Archive | Repository,
    names: list[str] | Mapping[str, str | None] | None = None,
    **options: Any,
) -> bytes:
    """Return an archive of a layout."""
    file = io.BytesIO()
    write_archive(layout, names, file, **options)
    return file.getvalue()


def opened(data: bytes) -> Archive:
    return Archive.open(io.BytesIO(data))


def packed(files: dict[str, bytes]) -> bytes:
    """Return a tar of these files in their order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr] # it is a file


def entries(data: bytes) -> list[dict[str, Any]]:
    """Return the entries of the index in an archive, as they stand there."""
    found: list[dict[str, Any]] = json.loads(unpacked(data)["index.json"])["manifests"]
    return found


def plain(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }


def named(descriptor: Descriptor, name: str) -> dict[str, Any]:
    return {**plain(descriptor), "annotations": {REF_NAME: name}}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


@pytest.fixture
def image(layout: Layout) -> Descriptor:
    """Return an index of two manifests with the name `v1`, that is a build besides."""
    children = [put_artifact(layout, "shared", text) for text in ("one", "two")]
    root = layout.put_manifest(Index(manifests=children))
    layout.tag("v1", root, annotations=MARK)
    return root


# ------------------------------------------------------------ reading


def test_the_verbs_of_a_layout(layout: Layout, image: Descriptor) -> None:
    """An archive answers each question as the layout does that was written into it."""
    layout.tag("v2", put_artifact(layout, "other"))
    layout.tag("gone", put_artifact(layout, "untagged"))
    layout.untag("gone")
    with opened(written(layout)) as archive:
        assert archive.tags() == layout.tags() == ("v1", "v2")
        assert archive.resolve("v1") == archive.entry("v1").descriptor == image
        assert [entry.name for entry in archive.entries()] == ["v1", "v2", None]
        assert [entry.descriptor for entry in archive.entries(name="v1")] == [image]
        assert archive.entries(name="v3") == ()
        assert archive.read_manifest(image) == layout.read_manifest(image)
        assert list(archive.walk(image)) == list(layout.walk(image))
        assert list(archive.blobs) == list(layout.blobs)
        for digest in archive.blobs:
            assert archive.resolve(digest) == archive.resolve(str(digest)) == layout.resolve(digest)
            descriptor = archive.resolve(digest)
            assert archive.blobs.size(digest) == descriptor.size
            assert archive.blobs.read(descriptor) == layout.blobs.read(descriptor)
            assert archive.blobs.read(descriptor, verify=False) == layout.blobs.read(descriptor)


def test_referrers(layout: Layout, image: Descriptor) -> None:
    """An archive has the referrers that its layout has."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    for kind in ("text/one", "text/two"):
        about = layout.put_manifest(Manifest(artifact_type=kind, config=config, subject=image))
        with layout.edit() as edit:
            edit.add(about)
    archive = opened(written(layout))
    found = archive.referrers(image.digest)
    assert {*found} == {*layout.referrers(image.digest)}
    assert [
        one.artifact_type for one in archive.referrers(str(image.digest), artifact_type="text/one")
    ] == ["text/one"]
    assert len(found) == 2
    assert archive.referrers(ABSENT) == ()


def test_tags_by_what_is_noted() -> None:
    """The annotations of all entries decide about names, as in a layout."""
    entry = {**plain(Descriptor.of(b"", OCI_MANIFEST)), "annotations": {REF_NAME: "a", **MARK}}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    archive = opened(packed({"oci-layout": HEADER, "index.json": index}))
    assert archive.tags(annotations=MARK) == ("a",)
    assert archive.tags(annotations={"x": ""}) == ()
    assert archive.entry("a").annotations == MARK


def test_what_is_missing(layout: Layout, image: Descriptor) -> None:
    """What an archive does not have raises the same errors as in a layout."""
    files = unpacked(written(layout))
    child = layout.read_manifest(image).manifests[0]  # type: ignore[union-attr] # it is an index
    del files[f"blobs/sha256/{child.digest.encoded}"]
    archive = opened(packed(files))
    absent = Descriptor(media_type=OCI_MANIFEST, digest=ABSENT, size=2)
    assert child in list(archive.walk(image))
    assert child.digest not in archive.blobs
    for wrong in (ABSENT, 7, "sha256:x", None):
        assert wrong not in archive.blobs
    with pytest.raises(ReferenceNotFoundError):
        archive.resolve("v2")
    with pytest.raises(ReferenceNotFoundError, match=f"there is no content {ABSENT}"):
        archive.resolve(ABSENT)
    with pytest.raises(BlobNotFoundError):
        archive.read_manifest(absent)
    with pytest.raises(BlobNotFoundError):
        archive.blobs.open(absent)
    with pytest.raises(BlobNotFoundError):
        archive.blobs.size(ABSENT)


def test_content_without_an_entry() -> None:
    """Content without an entry has the type that it gives itself, and else is opaque."""
    unknown = Digest.parse("newhash:" + "a" * 8)
    datas = [
        b"{}",
        b"no JSON",
        b'{"mediaType":"text/plain"}',
        b'{"mediaType":7}',
        b" " * 2**22 + b" ",
    ]
    files = {f"blobs/sha256/{hashlib.sha256(data).hexdigest()}": data for data in datas}
    manifest = encode(Index())
    files[f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}"] = manifest
    files["blobs/newhash/" + unknown.encoded] = manifest
    archive = opened(packed({"oci-layout": HEADER, "index.json": encode(Index()), **files}))
    for data in datas:
        assert archive.resolve(Digest.of(data)).media_type == OCTET_STREAM
    assert archive.resolve(Digest.of(manifest)).media_type == OCI_INDEX
    assert archive.resolve(unknown).media_type == OCTET_STREAM


def test_content_is_verified(layout: Layout, image: Descriptor) -> None:
    """Damaged content is never read as if it were whole."""
    files = unpacked(written(layout))
    name = f"blobs/sha256/{image.digest.encoded}"
    files[name] = files[name][:-1] + b" "
    archive = opened(packed(files))
    with pytest.raises(DigestMismatchError):
        archive.blobs.read(image)
    with pytest.raises(DigestMismatchError):
        archive.read_manifest(image)
    with pytest.raises(DigestMismatchError):
        list(archive.walk(image))
    short = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size - 1)
    for verify in (True, False):
        with pytest.raises(SizeMismatchError, match="promised"):
            archive.blobs.read(short, verify=verify)


def test_a_file_that_shrinks(layout: Layout, image: Descriptor, tmp_path: Path) -> None:
    """If the file is truncated while it is open, its content is found to be too short."""
    path = tmp_path / "x.tar"
    write_archive(layout, None, path)
    with Archive.open(path) as archive:
        os.truncate(path, 1024)
        with pytest.raises(SizeMismatchError):
            archive.blobs.read(image)


def test_what_cannot_be_verified() -> None:
    """Content of an unknown algorithm is listed and walked over, but not handed out."""
    digest = "newhash:" + "a" * 8
    manifest = encode(Index(manifests=[Descriptor.of(b"child", OCI_LAYER)]))
    root = Descriptor(media_type=OCI_INDEX, digest=Digest.parse(digest), size=len(manifest))
    files = {"index.json": encode(Index(manifests=[root])), "oci-layout": HEADER}
    archive = opened(packed({**files, "blobs/newhash/" + "a" * 8: manifest}))
    assert [found.digest for found in archive.walk(root)] == [digest, Digest.of(b"child")]
    for read in (archive.blobs.open, archive.blobs.read, archive.read_manifest):
        with pytest.raises(UnsupportedDigestError):
            read(root)
    with pytest.raises(UnsupportedDigestError):
        written(archive)


def test_manifests_that_are_too_large(layout: Layout, image: Descriptor) -> None:
    """A manifest above the limit is not read."""
    large = Descriptor(media_type=OCI_MANIFEST, digest=image.digest, size=MAX_DOCUMENT + 1)
    with pytest.raises(LimitExceededError, match="limit for a manifest"):
        opened(written(layout)).read_manifest(large)


def test_gzip(layout: Layout, image: Descriptor, tmp_path: Path) -> None:
    """A compressed archive reads like a plain one, up to a size if one is given."""
    data = written(layout)
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(data))
    with Archive.open(path) as archive:
        assert archive.resolve("v1") == image
        assert written(archive) == data
    with pytest.raises(LimitExceededError):
        Archive.open(path, unpack_limit=len(data) - 1)


@pytest.mark.spec("image-layout:unknown-files")
def test_output_of_docker_save(layout: Layout, image: Descriptor) -> None:
    """Files of other programs beside a layout, and the order of members, do not matter."""
    files = unpacked(written(layout))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("blobs/", "blobs/sha256/"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        members = dict(sorted(files.items())) | {"manifest.json": b"[]", "repositories": b"{}"}
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            tar.addfile(info, io.BytesIO(data))
    archive = opened(file.getvalue())
    assert archive.resolve("v1") == image
    assert list(archive.blobs) == list(layout.blobs)


def test_of_two_blobs_the_last_one(layout: Layout, image: Descriptor) -> None:
    """A blob that is there twice is the last one, and that is verified like any other."""
    good = written(layout)
    wrong = packed({f"blobs/sha256/{image.digest.encoded}": b"x" * image.size})
    # What tarfile writes behind the last member, for one of less than a block.
    ends = [len(data.rstrip(b"\0")) // 512 * 512 + 512 for data in (wrong, good)]
    wrong_first = wrong[: ends[0]] + good
    wrong_last = good[: ends[1]] + wrong
    assert opened(wrong_first).blobs.read(image) == layout.blobs.read(image)
    with pytest.raises(DigestMismatchError):
        opened(wrong_last).blobs.read(image)


@pytest.mark.spec("image-layout:oci-layout-file")
@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, NotALayoutError),
        ({"oci-layout": HEADER}, NotALayoutError),
        ({"oci-layout": b"{}", "index.json": encode(Index())}, DocumentError),
        (
            {"oci-layout": b'{"imageLayoutVersion":"2.0.0"}', "index.json": b""},
            UnsupportedVersionError,
        ),
        ({"oci-layout": b" " * (2**22 + 1), "index.json": encode(Index())}, LimitExceededError),
        ({"oci-layout": HEADER, "index.json": b"[]"}, DocumentError),
        ({"oci-layout": HEADER, "index.json": encode(Index()), "/x": b""}, DocumentError),
    ],
)
def test_what_is_refused(files: dict[str, bytes], error: type[Exception], tmp_path: Path) -> None:
    """A tar without a valid layout is not opened, and its file is closed."""
    path = tmp_path / "x.tar"
    path.write_bytes(packed(files))
    with pytest.raises(error):
        Archive.open(path)


def test_a_closed_archive_is_not_read(layout: Layout, image: Descriptor, tmp_path: Path) -> None:
    """A closed archive and its streams do not return content."""
    path = tmp_path / "x.tar"
    write_archive(layout, None, path)
    with Archive.open(path) as archive:
        stream = archive.blobs.open(image)
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)
    with pytest.raises(ValueError, match="closed"):
        archive.blobs.read(image)
    assert archive.tags() == ("v1",)


@pytest.mark.parametrize("in_memory", [True, False])
def test_threads_share_an_archive(layout: Layout, tmp_path: Path, in_memory: bool) -> None:  # noqa: FBT001 # a parameter
    """Many streams read from one archive at once, each its own content."""
    descriptor = put_artifact(layout, *(str(number) * 5000 for number in range(50)))
    layout.tag("v1", descriptor)
    path = tmp_path / "x.tar"
    write_archive(layout, None, path)
    source = io.BytesIO(path.read_bytes()) if in_memory else path
    with Archive.open(source) as archive, ThreadPoolExecutor(8) as pool:
        found = list(archive.walk(descriptor))
        streams = [archive.blobs.open(blob) for blob in found]
        assert list(pool.map(lambda stream: stream.read(1), streams)) != []
        datas = list(pool.map(archive.blobs.read, found))
    assert datas == [layout.blobs.read(blob) for blob in found]


def test_copy_from_an_archive(layout: Layout, image: Descriptor, tmp_path: Path) -> None:
    """An archive can be the source of a copy, which does not copy a mark."""
    target = Layout.create(tmp_path / "target", durability="none")
    with opened(written(layout)) as archive:
        assert copy(archive, "v1", target, name="v2") == image
        copy(archive, str(image.digest), target)
    assert list(target.blobs) == list(layout.blobs)
    assert target.entry("v2").annotations == {}


# ------------------------------------------------------------ writing


@pytest.mark.spec("image-layout:transports", "image-layout:archive")
def test_what_stands_in_an_archive(layout: Layout, image: Descriptor) -> None:
    """Documents come first, then folders and blobs in the order of their digests."""
    layout.tag("long", put_artifact(layout, "a", "b", algorithm="sha512"))
    layout.tag("between", put_artifact(layout, "a", "b", algorithm="sha384"))
    data = written(layout)
    expected = ["oci-layout", "index.json", "blobs"]
    for algorithm in ("sha256", "sha384", "sha512"):
        digests = [digest for digest in layout.blobs if digest.algorithm == algorithm]
        expected += [f"blobs/{algorithm}"]
        expected += [f"blobs/{algorithm}/{digest.encoded}" for digest in digests]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == expected
        for member in tar:
            assert member.mode == (0o755 if member.isdir() else 0o644)
            assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
    assert unpacked(data)["oci-layout"] == HEADER
    assert opened(data).resolve("v1") == image


def test_an_empty_layout(layout: Layout) -> None:
    """A layout without entries, or of which none are chosen, gives an archive without blobs."""
    data = written(layout)
    assert unpacked(data) == {"oci-layout": HEADER, "index.json": encode(Index())}
    layout.tag("v1", put_artifact(layout))
    assert written(layout, []) == data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmember("blobs").isdir()


def test_entries_are_plain_and_sorted(layout: Layout, image: Descriptor) -> None:
    """An entry has media type, digest, size and name; untagged entries come last."""
    other = put_artifact(layout, "other")
    layout.tag("a", other, annotations={CONTAINERD_IMAGE_NAME: "x", "com.example": "y"})
    loose = [put_artifact(layout, text) for text in ("x", "y")]
    for descriptor in loose:
        layout.tag("loose", descriptor, annotations={"com.example": "kept"})
    layout.untag("loose")
    data = written(layout)
    loose.sort(key=lambda descriptor: descriptor.digest)
    assert entries(data) == [named(other, "a"), named(image, "v1"), *map(plain, loose)]
    index = json.loads(unpacked(data)["index.json"])
    assert {key: index[key] for key in index if key != "manifests"} == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
    }


def test_chosen_names(layout: Layout, image: Descriptor) -> None:
    """Only the chosen names are written, with only the content that they need."""
    other = put_artifact(layout, "other")
    layout.tag("other", other)
    data = written(layout, ["other", "other"])
    assert entries(data) == [named(other, "other")]
    archive = opened(data)
    assert set(archive.blobs) == {found.digest for found in layout.walk(other)}
    assert image.digest not in archive.blobs
    (child, _) = layout.read_manifest(image).manifests  # type: ignore[union-attr] # it is an index
    data = written(layout, [str(child.digest), child.digest, "v1"])
    assert entries(data) == [named(image, "v1"), plain(child)]
    assert written(layout, [str(image.digest), "v1"]) == written(layout, ["v1"])


@pytest.mark.usefixtures("image")
def test_names_that_are_one_text(layout: Layout) -> None:
    """A single text is refused as a list of names."""
    with pytest.raises(TypeError, match=r"give \['v1'\]"):
        write_archive(layout, "v1", io.BytesIO())


def test_names_that_are_not_there(layout: Layout, tmp_path: Path) -> None:
    """For a missing name nothing is written."""
    file = io.BytesIO()
    with pytest.raises(ReferenceNotFoundError):
        write_archive(layout, ["v1"], file)
    with pytest.raises(ReferenceNotFoundError):
        write_archive(layout, ["v1"], tmp_path / "x.tar")
    assert file.getvalue() == b""
    assert not (tmp_path / "x.tar").exists()


def test_names_of_several_contents(layout: Layout) -> None:
    """All entries go by their full names where the name is ambiguous; by the name alone, none."""
    one, two = put_artifact(layout, "one"), put_artifact(layout, "two")
    full = "docker.io/library/{}:latest"
    manifests = [
        {**named(item, "latest")}
        | {"annotations": {REF_NAME: "latest", CONTAINERD_IMAGE_NAME: full.format(text)}}
        for item, text in ((one, "one"), (two, "two"), (two, "two"))
    ]
    document = {"schemaVersion": 2, "manifests": manifests}
    (layout.path / "index.json").write_text(json.dumps(document))
    with pytest.raises(AmbiguousReferenceError) as caught:
        written(layout, ["latest"])
    assert {*caught.value.digests} == {one.digest, two.digest}
    carried = [named(one, full.format("one")), named(two, full.format("two"))]
    assert entries(written(layout, None)) == carried
    assert entries(written(layout, [f"latest@{one.digest}"])) == [named(one, "latest")]
    names = [full.format("two"), full.format("one")]
    assert entries(written(layout, names)) == [named(one, names[1]), named(two, names[0])]


def test_missing_content(layout: Layout, image: Descriptor) -> None:
    """An archive is not begun if content without `urls` is missing."""
    file = io.BytesIO()
    layer = Descriptor(media_type=OCI_LAYER, digest=ABSENT, size=10, urls=["https://example.com/x"])
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("foreign", layout.put_manifest(Manifest(config=config, layers=[layer])))
    archive = opened(written(layout, ["foreign"]))
    assert set(archive.blobs) == {config.digest, layout.resolve("foreign").digest}
    layout.blobs.delete(Digest.of(b"shared"))
    with pytest.raises(BlobNotFoundError):
        write_archive(layout, ["v1"], file)
    layout.blobs.delete(image.digest)
    with pytest.raises(BlobNotFoundError):
        write_archive(layout, ["v1"], file)
    assert file.getvalue() == b""


def test_content_that_is_elsewhere_too(layout: Layout) -> None:
    """Content with `urls` is written if the source has it."""
    data = b"foreign"
    layer = Descriptor(
        media_type=OCI_LAYER, digest=Digest.of(data), size=len(data), urls=["https://example.com/x"]
    )
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.blobs.put(data, media_type=OCI_LAYER)
    layout.tag("foreign", layout.put_manifest(Manifest(config=config, layers=[layer])))
    assert opened(written(layout)).blobs.read(layer) == data


def test_content_that_cannot_be_verified(layout: Layout) -> None:
    """An archive is not begun if content cannot be verified."""
    layer = Descriptor(media_type=OCI_LAYER, digest=Digest.parse("newhash:abc"), size=2)
    path = layout.blobs.path(layer.digest)
    path.parent.mkdir()
    path.write_bytes(b"{}")
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("v1", layout.put_manifest(Manifest(config=config, layers=[layer])))
    file = io.BytesIO()
    with pytest.raises(UnsupportedDigestError):
        write_archive(layout, None, file)
    assert file.getvalue() == b""


@pytest.mark.usefixtures("image")
def test_content_of_another_size(layout: Layout) -> None:
    """An archive is not begun if a blob does not have the size of its descriptor."""
    path = layout.blobs.path(Digest.of(b"shared"))
    path.write_bytes(b"other size")
    file = io.BytesIO()
    with pytest.raises(SizeMismatchError, match="10 bytes, 6 were promised"):
        write_archive(layout, None, file)
    assert file.getvalue() == b""


@pytest.mark.usefixtures("image")
def test_damaged_content(layout: Layout, tmp_path: Path) -> None:
    """A damaged blob ends the writing: a stream lacks its end, and a file is not created."""
    layout.blobs.path(Digest.of(b"shared")).write_bytes(b"SHARED")
    file = io.BytesIO()
    with pytest.raises(DigestMismatchError):
        write_archive(layout, None, file)
    with pytest.raises(DocumentError, match="truncated"):
        opened(file.getvalue())
    with pytest.raises(DigestMismatchError):
        write_archive(layout, None, tmp_path / "x.tar")
    assert list(tmp_path.iterdir()) == [layout.path]


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.usefixtures("image")
def test_to_a_pipe(layout: Layout, buffering: int) -> None:
    """A pipe takes the same bytes as a file, with and without a buffer."""
    number, into = os.pipe()
    with os.fdopen(number, "rb") as reader, ThreadPoolExecutor(1) as pool:
        found = pool.submit(reader.read)
        with os.fdopen(into, "wb", buffering=buffering) as pipe:
            write_archive(layout, None, pipe)
        assert found.result() == written(layout)


def test_the_order_of_writing_does_not_matter(layout: Layout, tmp_path: Path) -> None:
    """Layouts with the same names for the same content give the same bytes."""
    other = Layout.create(tmp_path / "other", durability="none")
    texts = ["one", "two", "three"]
    for text in texts:
        layout.tag(text, put_artifact(layout, text), annotations=MARK)
    for text in reversed(texts):
        other.tag(text, put_artifact(other, text))
    assert written(other) == written(other, texts) == written(layout) == written(layout)


# ------------------------------------------------------------ other names, platforms, referrers


def test_other_names(layout: Layout, image: Descriptor) -> None:
    """A mapping has the name of each in the archive, or none."""
    other = put_artifact(layout, "other")
    layout.tag("other", other)
    data = written(layout, {"v1": "host.example/app:v2", "other": None})
    assert entries(data) == [named(image, "host.example/app:v2"), plain(other)]
    data = written(layout, {str(other.digest): "new", "v1": "v1"})
    assert entries(data) == [named(other, "new"), named(image, "v1")]
    for bad in ("", "a b", str(other.digest)):
        with pytest.raises(InvalidNameError):
            written(layout, {"v1": bad})


def test_two_contents_for_one_name(layout: Layout, image: Descriptor) -> None:
    """A name for two contents is refused; two names may become one for the same content."""
    layout.tag("other", put_artifact(layout, "other"))
    with pytest.raises(AmbiguousReferenceError):
        written(layout, {"v1": "x", "other": "x"})
    layout.tag("same", image)
    assert entries(written(layout, {"v1": "x", "same": "x"})) == [named(image, "x")]


def test_one_platform_in_an_archive(layout: Layout) -> None:
    """The manifest for the platform is written under the name, and nothing of the others."""
    children = [put_artifact(layout, text) for text in ("one", "two")]
    platforms = [Platform(os="linux", architecture=name) for name in ("amd64", "arm64")]
    described = [
        Descriptor(
            media_type=child.media_type, digest=child.digest, size=child.size, platform=platform
        )
        for child, platform in zip(children, platforms, strict=True)
    ]
    layout.tag("v1", layout.put_manifest(Index(manifests=described)))
    data = written(layout, ["v1"], platform="linux/arm64")
    assert entries(data) == [named(children[1], "v1")]
    assert set(opened(data).blobs) == {found.digest for found in layout.walk(children[1])}


def test_referrers_in_an_archive(layout: Layout, image: Descriptor) -> None:
    """Referrers of the content are written as untagged entries."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    signature = layout.put_manifest(
        Manifest(artifact_type="text/plain", config=config, subject=image)
    )
    gone = layout.put_manifest(Manifest(artifact_type="text/x", config=config, subject=image))
    listed = layout.put_manifest(Index(manifests=[signature, gone]))
    layout.tag(f"sha256-{image.digest.encoded}", listed)
    layout.blobs.delete(gone.digest)
    data = written(layout, ["v1"], referrers=True)
    assert entries(data) == [named(image, "v1"), plain(signature)]
    assert opened(data).referrers(image.digest)[0].artifact_type == "text/plain"
    assert entries(written(layout, ["v1"])) == [named(image, "v1")]


def test_an_archive_of_an_archive(layout: Layout, image: Descriptor) -> None:
    """An archive that was read can be written again, with the same bytes."""
    data = written(layout)
    assert written(opened(data)) == data
    assert image in [entry.descriptor.plain() for entry in opened(data).entries()]


def test_an_archive_of_a_repository(layout: Layout, image: Descriptor) -> None:
    """A repository is written like a layout, with all tags if no names are given."""
    layout.tag("v2", put_artifact(layout, "other"))
    with LoopbackRegistry() as registry, Repository(f"{registry.host}/team/app") as repository:
        for name in layout.tags():
            copy(layout, name, repository)
        assert written(repository) == written(layout)
        assert written(repository, {"v1": "x"}) == written(layout, {"v1": "x"})
        assert written(repository, [str(image.digest)]) == written(layout, [str(image.digest)])


def test_the_steps_of_writing(layout: Layout, image: Descriptor) -> None:
    """All content is planned first; then each blob is started, reports its bytes, and is done."""
    steps: list[Event] = []
    data = written(layout, ["v1"], on_event=steps.append)
    assert image.digest in {step.descriptor.digest for step in steps}
    blobs = {digest: opened(data).blobs.size(digest) for digest in opened(data).blobs}
    planned = [step.descriptor.digest for step in steps[: len(blobs)] if step.kind == "planned"]
    assert sorted(planned) == sorted(blobs)
    for digest, size in blobs.items():
        told = [step for step in steps[len(blobs) :] if step.descriptor.digest == digest]
        assert [told[0].kind, told[-1].kind] == ["started", "done"]
        assert {step.kind for step in told[1:-1]} == {"bytes"}
        assert sum(step.count for step in told) == size


def test_the_documents_of_an_archive_have_limits(layout: Layout, image: Descriptor) -> None:
    """More documents or larger blobs than the limits allow are not written."""
    for limits in (Limits(documents=1), Limits(total=100), Limits(document=100), Limits(blob=1)):
        with pytest.raises(LimitExceededError):
            written(layout, [str(image.digest)], limits=limits)
    assert written(layout, limits=Limits(documents=100)) == written(layout)


def test_referrers_that_go_on_without_end_are_given_up(layout: Layout, image: Descriptor) -> None:
    """A source with an endless chain of referrers is read up to the limit."""

    class Endless(Layout):
        def referrers(
            self, digest: Digest | str, *, artifact_type: str | None = None
        ) -> tuple[Descriptor, ...]:
            del artifact_type
            empty = self.blobs.put(b"{}", media_type=OCI_EMPTY)
            subject = Descriptor(media_type=OCI_MANIFEST, digest=Digest.parse(digest), size=1)
            made = Manifest(config=empty, artifact_type="a/b", layers=[empty], subject=subject)
            return (self.put_manifest(made),)

    for limits in (Limits(documents=30), Limits(total=30_000)):
        with pytest.raises(LimitExceededError):
            written(Endless.open(layout.path), [str(image.digest)], referrers=True, limits=limits)
