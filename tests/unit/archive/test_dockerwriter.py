"""Archives of Docker, written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Descriptor,
    Digest,
    DockerArchive,
    Event,
    Index,
    Layout,
    Manifest,
    Platform,
    copy,
    write_docker_archive,
)
from ocilayout.archive import docker_names
from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
)
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME
from ocilayout.model.limit import Limits
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from tests.docker_tars import Image, image, layers_of, packed
from tests.unit.archive.test_packed import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ocilayout.model import Source

ONE = image()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def put(
    layout: Layout,
    one: Image = ONE,
    *,
    pack: Callable[[bytes], bytes] = bytes,
    layer_type: str = OCI_LAYER,
    config_type: str = OCI_CONFIG,
) -> Descriptor:
    """Store an image; it has no entry."""
    return layout.put_manifest(
        Manifest(
            media_type=DOCKER_MANIFEST if config_type == DOCKER_CONFIG else None,
            config=layout.blobs.put(one.config, media_type=config_type),
            layers=[layout.blobs.put(pack(tar), media_type=layer_type) for tar in one.layers],
        ),
    )


def written(source: Source, names: Iterable[str] | Mapping[str, str | None] | None = None) -> bytes:
    file = io.BytesIO()
    write_docker_archive(source, names, file)
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, bytes | str]:
    """Return the files of a tar, and what links lead to."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return {
            member.name: member.linkname if member.issym() else tar.extractfile(member).read()  # type: ignore[union-attr] # it is a file
            for member in tar
            if not member.isdir()
        }


def opened(data: bytes) -> DockerArchive:
    return DockerArchive.open(io.BytesIO(data))


def test_what_stands_in_an_archive(layout: Layout) -> None:
    """It has what every version of Docker reads: two lists of names, configs, layers, folders."""
    layout.tag("app:v1", put(layout))
    layout.tag("ghcr.io/x/y:2", layout.resolve("app:v1"))
    files = unpacked(written(layout))
    config = f"{hashlib.sha256(ONE.config).hexdigest()}.json"
    layers = [f"{diff_id.removeprefix('sha256:')}.tar" for diff_id in ONE.diff_ids]
    names = ["docker.io/library/app:v1", "ghcr.io/x/y:2"]
    assert json.loads(files["manifest.json"]) == [
        {"Config": config, "RepoTags": names, "Layers": layers}
    ]
    assert files[config] == ONE.config
    assert [files[path] for path in layers] == list(ONE.layers)
    named = json.loads(files["repositories"])
    last = named["docker.io/library/app"]["v1"]
    assert named == {"docker.io/library/app": {"v1": last}, "ghcr.io/x/y": {"2": last}}
    top = json.loads(files[f"{last}/json"])
    assert (top["id"], top["os"], top["config"]) == (
        last,
        "linux",
        json.loads(ONE.config)["config"],
    )
    base = top["parent"]
    assert json.loads(files[f"{base}/json"]) == {"id": base, "created": "1970-01-01T00:00:00Z"}
    for folder, layer in ((base, layers[0]), (last, layers[1])):
        assert files[f"{folder}/VERSION"] == b"1.0"
        assert files[f"{folder}/layer.tar"] == f"../{layer}"
    assert len(files) == 1 + 2 + 6 + 2


def test_without_manifest_json_it_is_one_of_old(layout: Layout) -> None:
    """Docker before 1.10 reads the folders, and finds the same layers under the same names."""
    layout.tag("app:v1", put(layout))
    files = unpacked(written(layout))
    del files["manifest.json"]
    archive = opened(packed(files))
    assert archive.tags() == ("docker.io/library/app:v1",)
    assert [archive.blobs.read(layer) for layer in layers_of(archive)] == list(ONE.layers)


def test_bytes_depend_on_names_and_content(layout: Layout, tmp_path: Path) -> None:
    """The order of names, and how layers are compressed and stored, leave no trace."""
    two = image("two", names=())
    layout.tag("a:1", put(layout))
    layout.tag("b:1", put(layout, two))
    other = Layout.create(tmp_path / "other", durability="none")
    other.tag("b:1", put(other, two, pack=gzip.compress, layer_type=OCI_LAYER_GZIP))
    other.tag("a:1", put(other, pack=gzip.compress, config_type=DOCKER_CONFIG))
    data = written(layout)
    assert written(layout, ["b:1", "a:1"]) == written(other) == data
    assert written(opened(data)) == data
    path = tmp_path / "saved.tar"
    path.write_bytes(b"before")
    write_docker_archive(layout, None, path)
    assert path.read_bytes() == data


def test_the_result_is_what_is_read(layout: Layout) -> None:
    """What is returned is what the archive has, by each reference."""
    layout.tag("a:1", put(layout, pack=gzip.compress))
    layout.tag("b:1", put(layout, image("two")))
    file = io.BytesIO()
    done = write_docker_archive(layout, {"a:1": None, "b:1": "c"}, file)
    archive = opened(file.getvalue())
    assert done == {"a:1": archive.resolve("@1"), "b:1": archive.resolve("c")}
    assert archive.tags() == ("docker.io/library/c:latest",)


def test_shared_layers_are_written_once(layout: Layout) -> None:
    """Images that share a layer share its file and its folder."""
    layout.tag("a:1", put(layout))
    layout.tag("b:1", put(layout, image("two")))
    with tarfile.open(fileobj=io.BytesIO(written(layout))) as tar:
        names = tar.getnames()
    assert len(set(names)) == len(names)
    assert sum(name.endswith(".tar") and "/" not in name for name in names) == 3
    assert sum(name.endswith("layer.tar") for name in names) == 3


def test_zstd(layout: Layout) -> None:
    """Layers that are compressed with zstd are unpacked, too."""
    layout.tag("a:1", put(layout, pack=zstd().compress, layer_type=OCI_LAYER_ZSTD))
    files = unpacked(written(layout))
    for diff_id, layer in zip(ONE.diff_ids, ONE.layers, strict=True):
        assert files[f"{diff_id.removeprefix('sha256:')}.tar"] == layer


def test_digests_of_two_algorithms(layout: Layout) -> None:
    """A layer may be stored by another algorithm than the one of its diff id."""
    layer = layout.blobs.put(
        ONE.layers[0],
        media_type=OCI_LAYER,
        expected=Descriptor.of(ONE.layers[0], OCI_LAYER, "sha512"),
    )
    config = json.loads(image(layers=1).config)
    config["rootfs"]["diff_ids"] = [ONE.diff_ids[0]]
    data = json.dumps(config).encode()
    manifest = Manifest(config=layout.blobs.put(data, media_type=OCI_CONFIG), layers=[layer])
    layout.tag("a:1", layout.put_manifest(manifest))
    assert ONE.diff_ids[0] in opened(written(layout, ["a:1"])).blobs
    config["rootfs"]["diff_ids"] = [ONE.diff_ids[1]]
    data = json.dumps(config).encode()
    manifest = Manifest(config=layout.blobs.put(data, media_type=OCI_CONFIG), layers=[layer])
    layout.tag("a:1", layout.put_manifest(manifest))
    with pytest.raises(DigestMismatchError):
        written(layout, ["a:1"])


class TestNames:
    def test_which_name_an_image_gets(self, layout: Layout) -> None:
        """It has its full name, or else a name with a repository and a tag, or else none."""
        root = put(layout)
        layout.tag(
            "latest", root, annotations={CONTAINERD_IMAGE_NAME: "docker.io/library/x:latest"}
        )
        for name in ("v1", "app:v1", "localhost:5000/app:v1", "a+b:v1"):
            layout.tag(name, root)
        assert docker_names(layout, None) == {
            "latest": "docker.io/library/x:latest",
            "v1": None,
            "app:v1": "docker.io/library/app:v1",
            "localhost:5000/app:v1": "localhost:5000/app:v1",
            "a+b:v1": None,
        }
        assert docker_names(layout, [root.digest]) == {root.digest: None}
        assert docker_names(layout, {"v1": "app"}) == {"v1": "docker.io/library/app:latest"}

    @pytest.mark.parametrize("name", ["UPPER", "a:b:c", "@0", "a@sha256:" + "0" * 64])
    def test_names_that_docker_refuses(self, layout: Layout, tmp_path: Path, name: str) -> None:
        """A given name outside of the grammar is refused before anything is written."""
        layout.tag("v1", put(layout))
        with pytest.raises(InvalidNameError):
            write_docker_archive(layout, {"v1": name}, tmp_path / "x.tar")
        assert not (tmp_path / "x.tar").exists()

    def test_one_name_for_two_images(self, layout: Layout) -> None:
        """Different images cannot have one name; the same image can."""
        layout.tag("a:1", put(layout))
        layout.tag("b:1", put(layout, image("two")))
        with pytest.raises(AmbiguousReferenceError, match="give each a name of its own"):
            written(layout, {"a:1": "x", "b:1": "x"})
        layout.tag("b:1", layout.resolve("a:1"))
        assert opened(written(layout, {"a:1": "x", "b:1": "x"})).tags() == (
            "docker.io/library/x:latest",
        )

    def test_one_text(self, layout: Layout) -> None:
        """A text in place of a list of names is refused."""
        with pytest.raises(TypeError, match="not one string"):
            written(layout, "a:1")


class TestIndexes:
    def test_platforms(self, layout: Layout) -> None:
        """Of an index, one platform is written; it must be said if there are several images."""
        platforms = [Platform(os="linux", architecture=text) for text in ("amd64", "arm64")]
        children = [put(layout, image(platform.architecture)).plain() for platform in platforms]
        described = [
            Descriptor(
                media_type=one.media_type, digest=one.digest, size=one.size, platform=platform
            )
            for one, platform in zip(children, platforms, strict=True)
        ]
        layout.tag("a:1", layout.put_manifest(Index(manifests=described)))
        with pytest.raises(ReferenceNotFoundError, match="platform: linux/amd64, linux/arm64"):
            written(layout, ["a:1"])
        file = io.BytesIO()
        write_docker_archive(layout, ["a:1"], file, platform="linux/arm64")
        assert set(image("arm64").diff_ids) <= set(opened(file.getvalue()).blobs)
        unknown = Platform(os="unknown", architecture="unknown")
        attestation = Descriptor(
            media_type=children[1].media_type,
            digest=children[1].digest,
            size=children[1].size,
            platform=unknown,
        )
        index = Index(manifests=[described[0], attestation])
        layout.tag("a:1", layout.put_manifest(index))
        assert set(image("amd64").diff_ids) <= set(opened(written(layout, ["a:1"])).blobs)
        layout.tag("a:1", layout.put_manifest(Index(manifests=[])))
        with pytest.raises(ReferenceNotFoundError, match=r"an index of 0 images.*none is named"):
            written(layout, ["a:1"])

    def test_platforms_that_are_not_there_are_not_offered(self, layout: Layout) -> None:
        """Of a sparse index, only platforms whose manifest is there are named."""
        described = []
        for text in ("amd64", "arm64", "s390x"):
            one = put(layout, image(text))
            platform = Platform(os="linux", architecture=text)
            described.append(evolve(one.plain(), platform=platform))
        layout.tag("a:1", layout.put_manifest(Index(manifests=described)))
        layout.blobs.delete(described[1].digest)
        with pytest.raises(ReferenceNotFoundError, match=r"platform: linux/amd64, linux/s390x$"):
            written(layout, ["a:1"])

    def test_indexes_in_indexes(self, layout: Layout) -> None:
        """An index in an index is not an image."""
        inner = layout.put_manifest(Index(manifests=[put(layout)]))
        layout.tag("a:1", layout.put_manifest(Index(manifests=[inner])))
        with pytest.raises(DocumentError, match=r"a:1: .*it is not an image"):
            written(layout, ["a:1"])


class TestRefused:
    def test_artifacts(self, layout: Layout) -> None:
        """An artifact, and a blob, are not images."""
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        layout.tag("a:1", layout.put_manifest(Manifest(config=config, layers=[config])))
        with pytest.raises(DocumentError, match="not an image"):
            written(layout, ["a:1"])
        with pytest.raises(DocumentError, match="is not a manifest or an index"):
            written(layout, [config.digest])

    def test_layers_and_config_differ(self, layout: Layout, tmp_path: Path) -> None:
        """A layer that is not the one in the config, or one too many, is refused; nothing stays."""
        other = image("two")
        wrong = Image(ONE.config, other.layers, ())
        path = tmp_path / "x.tar"
        for pack in (bytes, gzip.compress):
            layout.tag("a:1", put(layout, wrong, pack=pack))
            with pytest.raises(DigestMismatchError):
                write_docker_archive(layout, ["a:1"], path)
        layout.tag("a:1", put(layout, Image(ONE.config, ONE.layers[:1], ())))
        with pytest.raises(DocumentError, match="has 1 layers, and its config has 2"):
            write_docker_archive(layout, ["a:1"], path)
        layout.tag("a:1", put(layout, Image(b"{}", (), ())))
        with pytest.raises(DocumentError, match=r"\$\.rootfs: expected an object"):
            write_docker_archive(layout, ["a:1"], path)
        assert list(tmp_path.iterdir()) == [layout.path]

    def test_missing_layers(self, layout: Layout) -> None:
        """A layer that is missing is refused before anything is written, with `urls` as well."""
        manifest = layout.read_manifest(put(layout))
        assert isinstance(manifest, Manifest)
        layer = Descriptor(
            media_type=OCI_LAYER,
            digest=Digest.of(b"absent"),
            size=6,
            urls=["https://example.org/layer"],
        )
        changed = Manifest(config=manifest.config, layers=[manifest.layers[0], layer])
        layout.tag("a:1", layout.put_manifest(changed))
        file = io.BytesIO()
        with pytest.raises(BlobNotFoundError):
            write_docker_archive(layout, ["a:1"], file)
        assert file.getvalue() == b""

    def test_damaged_layers(self, layout: Layout) -> None:
        """A layer that is damaged on the disk is refused."""
        layout.tag("a:1", put(layout))
        path = layout.path / "blobs" / "sha256" / ONE.diff_ids[0].removeprefix("sha256:")
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with pytest.raises(DigestMismatchError):
            written(layout, ["a:1"])

    def test_limits(self, layout: Layout) -> None:
        """What layers unpack to, their size, and the sum of configs are bounded."""
        layout.tag("a:1", put(layout, pack=gzip.compress))
        with pytest.raises(LimitExceededError, match="more than 5000 bytes"):
            write_docker_archive(layout, ["a:1"], io.BytesIO(), unpack_limit=5000)
        write_docker_archive(layout, ["a:1"], io.BytesIO(), unpack_limit=len(ONE.layers[0]))
        with pytest.raises(LimitExceededError, match="more than 10 bytes"):
            write_docker_archive(layout, ["a:1"], io.BytesIO(), limits=Limits(blob=10))
        with pytest.raises(LimitExceededError, match="bytes of configs"):
            write_docker_archive(
                layout, None, io.BytesIO(), limits=Limits(total=len(ONE.config) - 1)
            )


def test_events(layout: Layout) -> None:
    """All content is planned first; each then starts, is read as a whole, and is done."""
    root = put(layout, pack=gzip.compress)
    layout.tag("a:1", root)
    events: list[Event] = []
    write_docker_archive(layout, None, io.BytesIO(), on_event=events.append)
    manifest = layout.read_manifest(root)
    assert isinstance(manifest, Manifest)
    content = [*manifest.layers, manifest.config]
    assert [event.descriptor for event in events[:3]] == content
    assert {event.kind for event in events[:3]} == {"planned"}
    for descriptor in content:
        own = [event for event in events[3:] if event.descriptor == descriptor]
        assert own[0].kind == "started"
        assert own[-1].kind == "done"
        assert sum(event.count for event in own) == descriptor.size


def test_from_a_registry(layout: Layout) -> None:
    """An image of a registry is written without a copy in between."""
    layout.tag("v1", put(layout, pack=gzip.compress))
    with LoopbackRegistry() as registry, Repository(f"{registry.host}/app") as repository:
        copy(layout, "v1", repository)
        assert written(repository, {"v1": "a:1"}) == written(layout, {"v1": "a:1"})


def test_errors_that_are_passed_on(layout: Layout) -> None:
    """With `on_error`, what is not an image is told and left out, and the others are written."""
    layout.tag("a:1", put(layout))
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("b:1", layout.put_manifest(Manifest(config=config, layers=[config])))
    failed: dict[str, Exception] = {}
    file = io.BytesIO()
    done = write_docker_archive(layout, None, file, on_error=failed.__setitem__)
    assert (list(done), list(failed)) == (["a:1"], ["b:1"])
    assert opened(file.getvalue()).tags() == ("docker.io/library/a:1",)
    nothing = io.BytesIO()
    assert write_docker_archive(layout, ["b:1"], nothing, on_error=failed.__setitem__) == {}
    assert nothing.getvalue() == b""
