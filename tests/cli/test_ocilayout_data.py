"""Content that a descriptor embeds in `data`, and that has no blob."""

from __future__ import annotations

import json
import tarfile
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Archive,
    BlobNotFoundError,
    Descriptor,
    Digest,
    DockerArchive,
    Layout,
)
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry

if TYPE_CHECKING:
    from tests.cli.conftest import Command

CONFIG = b'{"os":"linux","architecture":"arm64","rootfs":{"type":"layers","diff_ids":[]}}'
EMPTY = b"{}"


def embedded(data: bytes, media_type: str) -> dict[str, object]:
    found = Descriptor.of(data, media_type)
    text = b64encode(data).decode()
    return {"mediaType": media_type, "digest": found.digest, "size": found.size, "data": text}


@pytest.fixture
def layout(command: Command) -> Layout:
    """Return a layout at `lay` with a manifest `v1` whose config and layer it embeds."""
    layout = Layout.create(command.folder / "lay", durability="none")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": embedded(CONFIG, OCI_CONFIG),
        "layers": [embedded(EMPTY, OCI_LAYER)],
    }
    layout.tag("v1", layout.put_manifest(json.dumps(document).encode()))
    return layout


@pytest.mark.spec("descriptor:data")
def test_it_is_shown_and_copied_as_if_the_blob_were_there(command: Command, layout: Layout) -> None:
    """The target has blobs, for programs that do not read `data`."""
    config = Descriptor.of(CONFIG, OCI_CONFIG)
    (row,) = command.answer("ls", "lay")
    assert (row["platforms"], row["missing"], row["complete"]) == (["linux/arm64"], 0, True)
    assert "missing" not in command.text("tree", "lay")
    shown = command.answer("inspect", "lay", "v1", "--config")
    assert shown["document"] == json.loads(CONFIG)
    command.text("cp", "oci:lay:v1", "oci:new", "--platform", "linux/arm64")
    assert Layout.open("new").blobs.read(config) == CONFIG
    command.text("cp", "oci:lay:v1", "oci-archive:new.tar")
    command.text("cp", "oci-archive:new.tar:v1", "oci:from-archive")
    assert Layout.open("from-archive").blobs.read(config) == CONFIG
    with LoopbackRegistry() as registry:
        command.text("cp", "oci:lay:v1", f"docker://{registry.host}/app:v1")
        command.text("cp", f"docker://{registry.host}/app:v1", "oci:pulled")
    assert Layout.open("pulled").blobs.read(config) == CONFIG
    assert Layout.open("pulled").resolve("v1") == layout.resolve("v1")


def test_without_data_it_is_missing(layout: Layout) -> None:
    """The digest alone finds nothing, for it says nothing of who embeds the content."""
    config = Descriptor.of(CONFIG, OCI_CONFIG)
    with pytest.raises(BlobNotFoundError):
        layout.blobs.read(config)
    with pytest.raises(BlobNotFoundError):
        layout.blobs.open(config)


def test_an_archive_and_a_registry_embed_it_too(command: Command, layout: Layout) -> None:
    """A tar of the folder has no more blobs than the folder, and a repository may have none."""
    with tarfile.open("lay.tar", "w") as tar:
        tar.add(layout.path, ".")
    config = evolve(Descriptor.of(CONFIG, OCI_CONFIG), data=CONFIG)
    command.text("cp", "oci-archive:lay.tar:v1", "oci:new")
    assert Layout.open("new").blobs.read(config.plain()) == CONFIG
    with Archive.open("lay.tar") as archive:
        assert archive.blobs.read(config, verify=False) == CONFIG
    with (
        LoopbackRegistry() as registry,
        Repository(f"{registry.host}/app") as repository,
        repository.blobs.open(config) as stream,
    ):
        assert stream.read(len(CONFIG)) == CONFIG


@pytest.mark.spec("descriptor:data")
def test_a_document_that_an_index_or_an_entry_embeds_is_read_from_there(command: Command) -> None:
    """No blob is in the layout at all: not the index, the manifest, the config or the layer."""
    layer = b"layer"
    config = (
        b'{"os":"linux","architecture":"arm64","rootfs":{"type":"layers","diff_ids":["%s"]}}'
        % Digest.of(layer).encode()
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": embedded(config, OCI_CONFIG),
        "layers": [embedded(layer, OCI_LAYER)],
    }
    child = embedded(json.dumps(manifest).encode(), OCI_MANIFEST)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}
    entries = [
        {**embedded(json.dumps(index).encode(), OCI_INDEX), "annotations": {REF_NAME: "all"}},
        {**child, "annotations": {REF_NAME: "one"}},
    ]
    lay = Layout.create(command.folder / "bare", durability="none").path
    (lay / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    arm = ("--platform", "linux/arm64")
    shown = command.answer("inspect", "bare", "all", "--config", *arm)
    assert shown["document"] == json.loads(config)
    assert command.answer("inspect", "bare", "one")["document"] == manifest
    for position, given in enumerate([("all",), ("all", *arm), ("one",), ("one", *arm)]):
        name, *options = given
        command.text("cp", f"oci:bare:{name}", f"oci:new{position}", *options)
        new = Layout.open(f"new{position}")
        assert new.blobs.read(Descriptor.of(layer, OCI_LAYER)) == layer
        assert "data" not in json.loads((new.path / "index.json").read_text())["manifests"][0]
        command.text("cp", f"oci:bare:{name}", f"oci-archive:new{position}.tar", *options)
        command.text(
            "cp", f"oci:bare:{name}", f"docker-archive:docker{position}.tar:a/b:1", *options
        )
        with DockerArchive.open(f"docker{position}.tar") as docker:
            assert docker.blobs.read(Descriptor.of(layer, OCI_LAYER)) == layer
