"""Archives from before Docker 1.10, which have an image for each layer, and no config."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout import ImageConfig, Layout, Manifest, copy, decode
from ocilayout.archive import docker, legacy
from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.limit import Limits
from tests.docker_tars import NAMES, Files, image, layers_of, opened, packed, v1_0

if TYPE_CHECKING:
    from pathlib import Path

ONE = image()


def test_config_is_made_as_docker_made_it() -> None:
    """The config has all layers, a step for each, and what the last image says of itself."""
    archive = opened(v1_0(*ONE.layers))
    manifest = archive.read_manifest(archive.resolve("app:v1"))
    assert isinstance(manifest, Manifest)
    data = archive.blobs.read(manifest.config)
    layers = ",".join(f'"{diff_id}"' for diff_id in ONE.diff_ids)
    step = r"/bin/sh -c step \u003c%d\u003e"
    assert data.decode() == (
        '{"architecture":"amd64","config":{"Cmd":["/bin/sh"]},"container_config":{"Cmd":'
        '["/bin/sh","-c","step \\u003c1\\u003e"]},"created":"2015-01-02T00:00:00Z",'
        '"docker_version":"1.9.1","history":['
        f'{{"created":"2015-01-01T00:00:00Z","created_by":"{step % 0}"}},'
        f'{{"created":"2015-01-02T00:00:00Z","created_by":"{step % 1}"}}],'
        f'"os":"linux","rootfs":{{"type":"layers","diff_ids":[{layers}]}}}}'
    )
    assert decode(data, ImageConfig).os == "linux"
    assert [archive.blobs.read(layer) for layer in manifest.layers] == list(ONE.layers)
    assert archive.tags() == NAMES


def test_images_without_names(tmp_path: Path) -> None:
    """Without names the images are those that no other builds on."""
    files = v1_0(*ONE.layers, names=()) | v1_0(image("other").layers[1], names=())
    archive = opened(files)
    assert archive.tags() == ()
    assert len(archive.images) == 2
    copy(archive, "@1", Layout.create(tmp_path / "layout", durability="none"))


def test_a_name_of_a_base() -> None:
    """An image that others build on is an image, too, if it has a name."""
    files = v1_0(*ONE.layers)
    base, tip = (path[:64] for path in files if path.endswith("/json"))
    files["repositories"] = json.dumps({"a": {"base": base, "tip": tip}}).encode()
    archive = opened(files)
    assert archive.tags() == ("a:base", "a:tip")
    assert [len(layers_of(archive, position)) for position in (0, 1)] == [1, 2]


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("repositories", '{"a":{"b":"absent"}}', "names the image absent, which the archive"),
        ("repositories", '{"a":[]}', "repositories: .*expected an object"),
        ("repositories", '{"a":{"b":1}}', "repositories: .*expected a string"),
        ("repositories", "[]", "expected an object"),
        ("x/json", '{"parent":"y"}', r"x/json: it builds on y, which the archive does not"),
        ("x/json", '{"parent":1}', r"x/json: \$.parent: expected a string"),
        ("x/json", "[", "x/json: .*is not JSON"),
        ("x/json", '{"container_config":{"Cmd":"a"}}', "expected an array"),
        ("x/json", "{}", r"x/layer.tar: the archive does not hold it"),
    ],
)
def test_damaged(path: str, text: str, why: str) -> None:
    """A document that is not what Docker wrote is refused, with its path."""
    files = v1_0(names=("a:b",))
    files = {"repositories": b"{}", path: text.encode()}
    if "Cmd" in text:
        files["x/layer.tar"] = b""
    with pytest.raises(DocumentError, match=why):
        opened(files)


def test_a_cycle() -> None:
    """Images that build on each other are refused."""
    files: Files = {"x/json": b'{"parent":"y"}', "y/json": b'{"parent":"x"}'}
    files["repositories"] = b'{"a":{"b":"x"}}'
    with pytest.raises(DocumentError, match="x/json: it builds on itself"):
        opened(files)


def test_many_names_on_a_long_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that are made are bounded, as each image has the history of all before it."""
    monkeypatch.setattr(docker, "DEFAULT_LIMITS", Limits(total=3000))
    with pytest.raises(LimitExceededError, match="bytes of documents"):
        opened(v1_0(*(packed({"file": bytes([n])}) for n in range(9))))


@pytest.mark.parametrize("limits", [Limits(children=8), Limits(total=500), Limits(layers=8)])
def test_many_folders(monkeypatch: pytest.MonkeyPatch, limits: Limits) -> None:
    """Folders, their documents together, and layers on each other are bounded."""
    files = v1_0(*(packed({"file": bytes([n])}) for n in range(9)))
    opened(files)
    monkeypatch.setattr(legacy, "DEFAULT_LIMITS", limits)
    with pytest.raises(LimitExceededError, match="has more than"):
        opened(files)
