"""Laws of archives of Docker: what an image is stays, whatever way it takes."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER,
    DockerArchive,
    Layout,
    Manifest,
    copy,
    copy_all,
    write_docker_archive,
)
from ocilayout.errors import OciLayoutError
from tests.docker_tars import AGES, Image, hexdigest, packed, v1_0, v1_10

if TYPE_CHECKING:
    from ocilayout import Descriptor

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
KNOWN = ("rootfs", "os", "architecture", "history", "config", "created", "author", "variant",
         "os.version", "os.features")  # fmt: skip


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Give an image: any layers, some of them more than once, in a config with any properties."""
    layers = draw(
        st.lists(st.sampled_from([packed({"f": bytes([n])}) for n in range(4)]), max_size=4)
    )
    others = draw(st.dictionaries(st.text(max_size=8), JSON, max_size=3))
    config = {key: value for key, value in others.items() if key.lower() not in KNOWN}
    diff_ids = [f"sha256:{hexdigest(layer)}" for layer in layers]
    config |= {"architecture": "amd64", "os": "linux"}
    config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    data = json.dumps(config, indent=draw(st.sampled_from([None, 1]))).encode()
    names = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?:[a-z0-9]{1,3}", fullmatch=True)
    return Image(data, tuple(layers), tuple(draw(st.lists(names, max_size=2, unique=True))))


def put(layout: Layout, image: Image, packs: list[bool]) -> Descriptor:
    tars = [
        gzip.compress(tar) if pack else tar for tar, pack in zip(image.layers, packs, strict=False)
    ]
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(image.config, media_type=OCI_CONFIG),
            layers=[layout.blobs.put(tar, media_type=OCI_LAYER) for tar in tars],
        )
    )


@given(images(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_there_and_back(image: Image, packs: list[bool]) -> None:
    """A copy into an archive and back has the same config and diff ids; a third is equal."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.create(Path(folder, "layout"), durability="none")
        layout.tag("x", put(layout, image, packs))
        file, again = io.BytesIO(), io.BytesIO()
        done = write_docker_archive(layout, {"x": "x:1"}, file)
        file.seek(0)
        archive = DockerArchive.open(file)
        back = Layout.create(Path(folder, "back"), durability="none")
        assert copy(archive, "x:1", back, name="x") == done["x"]
        manifest = back.read_manifest(back.resolve("x"))
        assert isinstance(manifest, Manifest)
        assert back.blobs.read(manifest.config) == image.config
        assert [layer.digest for layer in manifest.layers] == image.diff_ids
        assert [back.blobs.read(layer) for layer in manifest.layers] == list(image.layers)
        assert write_docker_archive(back, {"x": "x:1"}, again) == done
        assert again.getvalue() == file.getvalue()


@given(
    st.lists(images(), max_size=3, unique_by=lambda image: image.config), st.sampled_from([*AGES])
)
def test_every_age(some: list[Image], age: str) -> None:
    """What any version saves has all images in their order, and copies of them are whole."""
    archive = DockerArchive.open(io.BytesIO(packed(AGES[age](*some))))
    assert len(archive.images) == len(some)
    assert set(archive.tags()) == {name for image in some for name in image.names}
    with tempfile.TemporaryDirectory() as folder:
        target = Layout.create(Path(folder, "layout"), durability="none")
        copy_all(archive, [f"@{position}" for position in range(len(some))], target)
        for root, image in zip(archive.images, some, strict=True):
            manifest = target.read_manifest(root)
            assert isinstance(manifest, Manifest)
            assert target.blobs.read(manifest.config) == image.config


@given(st.data())
def test_only_errors_of_ours(data: st.DataObject) -> None:
    """An archive that is changed anywhere is read or refused by an error of this library."""
    one = Image(b'{"rootfs":{"diff_ids":[]}}', (), ("a:1",))
    files = data.draw(st.sampled_from([v1_10(one), v1_0(b"layer")]))
    names = [name for name, content in files.items() if isinstance(content, bytes)]
    name = data.draw(st.sampled_from(names))
    content = files[name]
    assert isinstance(content, bytes)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    other = data.draw(st.binary(max_size=4) | JSON.map(lambda value: json.dumps(value).encode()))
    files[name] = content[:start] + other + content[end:]
    try:
        archive = DockerArchive.open(io.BytesIO(packed(files)))
        for entry in archive.entries():
            for found in archive.walk(entry.descriptor):
                archive.blobs.read(found)
    except OciLayoutError:
        pass
