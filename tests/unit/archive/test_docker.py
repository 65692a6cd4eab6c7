"""Archives of Docker of each age, read as if they were layouts."""

from __future__ import annotations

import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER,
    Archive,
    Digest,
    DockerArchive,
    Layout,
    Manifest,
    copy,
    copy_all,
)
from ocilayout.archive import docker, legacy, saved
from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    DigestMismatchError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
    SizeMismatchError,
)
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.limit import Limits
from tests.docker_tars import (
    AGES,
    NAMES,
    Files,
    hexdigest,
    image,
    layers_of,
    opened,
    packed,
    v1_0,
    v1_10,
    v25,
)

if TYPE_CHECKING:
    from pathlib import Path

ONE = image()


@pytest.mark.parametrize("age", AGES)
class TestEachAge:
    def test_config_and_layers_are_those_of_the_image(self, age: str) -> None:
        """The manifest has the config byte for byte, and each layer unpacked by its diff id."""
        archive = opened(AGES[age](ONE))
        manifest = archive.read_manifest(archive.resolve("app:v1"))
        assert isinstance(manifest, Manifest)
        assert manifest.config.media_type == OCI_CONFIG
        assert archive.blobs.read(manifest.config) == ONE.config
        assert [layer.digest for layer in manifest.layers] == ONE.diff_ids
        assert {layer.media_type for layer in manifest.layers} == {OCI_LAYER}
        assert [archive.blobs.read(layer) for layer in manifest.layers] == list(ONE.layers)
        assert sorted(archive.blobs) == list(archive.blobs)

    def test_each_name_finds_its_image(self, age: str) -> None:
        """A name as it stands, in full, with its default tag, and a position find the image."""
        two = image("two", names=("busybox:latest",))
        archive = opened(AGES[age](ONE, two, image("three", names=())))
        assert archive.tags() == ("app:v1", "busybox:latest", "localhost:5000/team/app:v1")
        first, second, third = archive.images
        for name in (
            *NAMES,
            "docker.io/library/app:v1",
            "@0",
            first.digest,
            f"app:v1@{first.digest}",
        ):
            assert archive.resolve(name) == first
        for name in ("busybox", "busybox:latest", "docker.io/busybox", "library/busybox", "@1"):
            assert archive.resolve(name) == archive.entry(name).descriptor.plain() == second
            assert {entry.name for entry in archive.entries(name=name)} == {"busybox:latest"}
            assert [ref for ref, _ in archive.refs(name=name)] == ["busybox:latest"]
        assert archive.resolve("@2") == third
        assert [entry.name for entry in archive.entries()] == [*NAMES, "busybox:latest", None]

    def test_a_copy_is_whole(self, age: str, tmp_path: Path) -> None:
        """All images arrive in a layout with their names, and the layout has no problem."""
        target = Layout.create(tmp_path / "layout", durability="none")
        archive = opened(AGES[age](ONE, image("two", names=())))
        copy_all(archive, None, target)
        assert target.tags() == NAMES
        assert set(target.blobs) == set(archive.blobs)
        assert [problem for problem in target.check() if problem.severity == "error"] == []

    def test_the_manifest_is_the_same(self, age: str) -> None:
        """An image has one manifest, whichever version saved it."""
        assert opened(AGES[age](ONE)).images == opened(v1_10(ONE)).images

    def test_a_compressed_archive(self, age: str, tmp_path: Path) -> None:
        """An archive that is compressed with gzip is read, by its path as well."""
        path = tmp_path / "saved.tar.gz"
        path.write_bytes(gzip.compress(packed(AGES[age](ONE))))
        with DockerArchive.open(path) as archive:
            layers = layers_of(archive)
            assert [archive.blobs.read(layer) for layer in layers] == list(ONE.layers)


def test_the_manifest_is_that_of_docker() -> None:
    """The manifest that Docker writes itself since version 25 has the digest of ours."""
    data = packed(v25(ONE))
    theirs = Archive.open(io.BytesIO(data)).entries()[0].descriptor.plain()
    assert DockerArchive.open(io.BytesIO(data)).resolve("app:v1") == theirs


class TestNames:
    def test_a_name_of_two_images(self) -> None:
        """A name that two images have is ambiguous, and their positions are not."""
        archive = opened(v1_10(image("one", names=("a:1",)), image("two", names=("a:1",))))
        with pytest.raises(AmbiguousReferenceError):
            archive.resolve("a:1")
        assert archive.resolve("@0") != archive.resolve("@1")

    def test_names_that_docker_would_refuse(self, tmp_path: Path) -> None:
        """A name outside of Docker's grammar is found as it stands, one like a digest is not."""
        digest = "sha256:" + "0" * 64
        archive = opened(v1_10(image(names=("<none>:<none>", "UPPER", digest))))
        assert archive.resolve("<none>:<none>") == archive.resolve("UPPER") == archive.images[0]
        with pytest.raises(ReferenceNotFoundError):
            archive.resolve(digest)
        with pytest.raises(InvalidNameError):
            copy_all(archive, None, Layout.create(tmp_path / "layout", durability="none"))

    @pytest.mark.parametrize("name", ["@1", "@999999999", "@", "@x", "app", "app:v2", "app@v1"])
    def test_names_that_are_not_there(self, name: str) -> None:
        """A position beyond the end and a name that no image has are not found."""
        with pytest.raises(ReferenceNotFoundError):
            opened(v1_10(ONE)).resolve(name)

    def test_names_in_a_target(self, tmp_path: Path) -> None:
        """A copy has the name that it was asked by; by a position it has none."""
        target = Layout.create(tmp_path / "layout", durability="none")
        archive = opened(v1_10(image(names=("busybox:latest",))))
        copy(archive, "@0", target)
        assert target.tags() == ()
        copy(archive, "busybox", target)
        copy(archive, "docker.io/library/busybox:latest", target)
        assert target.tags() == ("busybox", "docker.io/library/busybox:latest")


class TestBlobs:
    def test_a_wrong_layer(self) -> None:
        """A layer that is not the one that the config names is found out when it is read."""
        files = v1_10(image(layers=1))
        path = next(path for path in files if path.endswith("layer.tar"))
        files[path] = packed({"last": b"eno"})
        archive = opened(files)
        layer = layers_of(archive)[0]
        with pytest.raises(DigestMismatchError):
            archive.blobs.read(layer)
        assert archive.blobs.read(layer, verify=False) == files[path]

    def test_a_wrong_compressed_layer(self, tmp_path: Path) -> None:
        """A compressed layer is verified unpacked, and a copy of it is refused."""
        files = v25(image(layers=1), compress=True)
        path = json.loads(files["manifest.json"])[0]["Layers"][0]
        files[path] = gzip.compress(packed({"last": b"eno"}))
        target = Layout.create(tmp_path / "layout", durability="none")
        with pytest.raises(DigestMismatchError):
            copy(opened(files), "app:v1", target)
        assert target.tags() == ()

    def test_what_is_not_there(self) -> None:
        """A blob that is not there, and a wrong size, are errors as of any other source."""
        archive = opened(v1_10(ONE))
        absent = Descriptor.of(b"absent", OCI_LAYER)
        with pytest.raises(BlobNotFoundError):
            archive.blobs.read(absent)
        assert absent.digest not in archive.blobs
        layer = ONE.diff_ids[0]
        assert layer in archive.blobs
        with pytest.raises(SizeMismatchError):
            archive.blobs.read(Descriptor(media_type=OCI_LAYER, digest=Digest.parse(layer), size=1))

    def test_one_layer_twice(self) -> None:
        """An image may have one layer twice, from two files."""
        layer = packed({"same": b""})
        config = json.loads(ONE.config)
        config["rootfs"]["diff_ids"] = [f"sha256:{hexdigest(layer)}"] * 2
        files: Files = {"c": json.dumps(config).encode(), "a": layer, "b": layer}
        files["manifest.json"] = b'[{"Config":"c","RepoTags":["a:1"],"Layers":["./a","b"]}]'
        archive = opened(files)
        assert len(layers_of(archive)) == 2

    def test_no_layers(self) -> None:
        """An image may have no layers."""
        archive = opened(v1_10(image(layers=0)))
        assert layers_of(archive) == ()

    def test_threads_share_a_handle(self) -> None:
        """Compressed layers can be read by several threads at once."""
        archive = opened(v25(ONE, compress=True))
        layers = layers_of(archive) * 8
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(archive.blobs.read, layers)) == list(ONE.layers) * 8


class TestLimits:
    def test_layers_together(self) -> None:
        """All compressed layers together may unpack to so much, each counted once."""
        files = v25(ONE, image("two"), compress=True)
        size = sum(len(layer) for layer in {*ONE.layers, *image("two").layers})
        opened(files, unpack_limit=size)
        with pytest.raises(LimitExceededError, match="--unpack-limit"):
            opened(files, unpack_limit=size - 1)

    def test_a_file_that_is_named_often_is_unpacked_once(self) -> None:
        """Many layers that are one file cost no more than one."""
        config = {"rootfs": {"diff_ids": [f"sha256:{number:064}" for number in range(50)]}}
        items = [{"Config": "c", "Layers": ["a"] * 50}]
        files: Files = {"c": json.dumps(config).encode(), "a": gzip.compress(ONE.layers[0])}
        files["manifest.json"] = json.dumps(items).encode()
        opened(files, unpack_limit=len(ONE.layers[0]))

    def test_one_layer(self) -> None:
        """A layer that unpacks to too much is not unpacked to its end."""
        files = v25(image(layers=1), compress=True)
        with pytest.raises(LimitExceededError, match="unpack to more than 100 bytes"):
            opened(files, unpack_limit=100)

    def test_layers_as_they_are_do_not_count(self) -> None:
        """Layers that are not compressed need no limit."""
        opened(v1_10(ONE), unpack_limit=0)
        opened(v1_0(*ONE.layers), unpack_limit=0)

    def test_many_images(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The documents of all images are held in memory, so they are bounded."""
        monkeypatch.setattr(docker, "DEFAULT_LIMITS", Limits(total=2 * len(ONE.config)))
        with pytest.raises(LimitExceededError, match="bytes of documents"):
            opened(v1_10(ONE, image("two")))

    def test_many_layers_and_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The layers and the names of all images together are bounded."""
        monkeypatch.setattr(saved, "MOST_PARTS", 3)
        opened(v1_10(ONE))
        with pytest.raises(LimitExceededError, match="more than 3 layers"):
            opened(v1_10(ONE, image("two")))
        monkeypatch.setattr(legacy, "MOST_PARTS", 1)
        with pytest.raises(LimitExceededError, match="more than 1 layers"):
            opened(v1_0(*ONE.layers))
        monkeypatch.setattr(docker, "MOST_PARTS", 1)
        with pytest.raises(LimitExceededError, match="more than 1 names"):
            opened(v1_10(ONE))
