"""The loopback registry, used by skopeo, oras-py and our own client in turn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ocilayout import copy
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCTET_STREAM
from ocilayout.registry import Credentials, Repository
from ocilayout.testing.registry import BasicAuth, LoopbackRegistry, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ocilayout.testing.registry import Auth

    Run = Callable[..., str]
    Put = Callable[..., Descriptor]

USERS = {"ann": "open-sesame"}
AUTHS: dict[str, Callable[[], Auth | None]] = {
    "plain": lambda: None,
    "basic": lambda: BasicAuth(USERS),
    "token": lambda: TokenAuth(USERS),
    # oras-py only asks for another token after a 403; each of its tokens has few permissions.
    "token 403": lambda: TokenAuth(USERS, insufficient=403),
}


@pytest.fixture(params=["plain", "basic", "token"])
def registry(request: pytest.FixtureRequest) -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry(auth=AUTHS[request.param](), page_size=2) as running:
        yield running


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def ours(registry: LoopbackRegistry, name: str = "team/app") -> Repository:
    """Return our client, as ann if the registry asks."""
    credentials = None if registry.auth is None else Credentials("ann", "open-sesame")
    return Repository(f"{registry.host}/{name}", credentials=credentials)


# ------------------------------------------------------------------ skopeo


@pytest.fixture
def skopeo(run: Run, registry: LoopbackRegistry) -> Run:
    """Return a function that runs a verb of skopeo on a place in the registry, as ann."""

    def skopeo(verb: str, *arguments: str | Path) -> str:
        flags = {"copy": ["--src-", "--dest-"], "sync": ["--src-", "--dest-"]}.get(verb, ["--"])
        options = [f"{flag}tls-verify=false" for flag in flags]
        if registry.auth is not None:
            options += [f"{flag}creds=ann:open-sesame" for flag in flags]
        return run("skopeo", "--insecure-policy", verb, *options, *arguments)

    return skopeo


def test_we_read_an_image_of_skopeo(
    registry: LoopbackRegistry, layout: Layout, skopeo: Run, put_platforms: Put, tmp_path: Path
) -> None:
    """An image of two platforms that skopeo pushed from a layout is pulled whole into another."""
    root = put_platforms(layout)
    layout.tag("v1", root)
    place = f"docker://{registry.host}/team/app:v1"
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout.path}:v1", place)
    target = Layout.create(tmp_path / "target", durability="none")
    with ours(registry) as repository:
        assert copy(repository, "v1", target) == root
    assert set(target.blobs) == set(layout.blobs)
    assert target.check() == ()


def test_skopeo_reads_our_image(
    registry: LoopbackRegistry, layout: Layout, skopeo: Run, put_platforms: Put, tmp_path: Path
) -> None:
    """An image of two platforms that we pushed is copied, inspected and listed by skopeo."""
    root = put_platforms(layout)
    for tag in ("v1", "v2", "v3"):
        layout.tag(tag, root)
        with ours(registry) as repository:
            copy(layout, tag, repository)
    place = f"docker://{registry.host}/team/app"
    skopeo("copy", "--all", "--preserve-digests", f"{place}:v1", f"oci:{tmp_path / 'target'}:v1")
    assert Layout.open(tmp_path / "target").resolve("v1") == root
    assert json.loads(skopeo("inspect", f"{place}:v1"))["Architecture"] == "amd64"
    assert json.loads(skopeo("list-tags", place))["Tags"] == ["v1", "v2", "v3"]
    skopeo("delete", f"{place}:v1")
    assert registry.tags == {}


def test_skopeo_copies_within_the_registry(
    registry: LoopbackRegistry, layout: Layout, skopeo: Run, put_image: Put
) -> None:
    """From one repository to another, it mounts a known layer, and does not send it."""
    root = put_image(layout, "text")
    layout.tag("v1", root)
    source, target = (f"docker://{registry.host}/team/{name}:v1" for name in ("app", "other"))
    skopeo("copy", "--preserve-digests", f"oci:{layout.path}:v1", source)
    registry.received.clear()
    skopeo("copy", "--preserve-digests", source, target)
    assert registry.tags["team/other", "v1"] == root.digest
    _, config, layer = layout.walk(root)
    mounted = registry.blobs["team/other", layer.digest]
    assert mounted is registry.blobs["team/app", layer.digest]
    assert mounted not in registry.received
    assert ("team/other", config.digest) in registry.blobs


# ------------------------------------------------------------------ oras-py


class Oras(Protocol):
    """The part of `oras.provider.Registry` that is used here."""

    def push(self, target: str, **options: Any) -> Any: ...

    def pull(self, target: str, **options: Any) -> list[str]: ...

    def get_tags(self, name: str, N: int | None = None) -> list[str]: ...  # noqa: N803 # its name

    def delete_tag(self, name: str, tag: str) -> bool: ...


@pytest.fixture(params=["plain", "basic", "token 403"])
def with_oras(request: pytest.FixtureRequest) -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry(auth=AUTHS[request.param]()) as running:
        yield running


@pytest.fixture
def oras(with_oras: LoopbackRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Oras:
    """Return oras-py, as ann if the registry asks."""
    from oras.provider import Registry  # type: ignore[import-untyped] # noqa: PLC0415 # takes long

    monkeypatch.setenv("HOME", str(tmp_path))  # where it looks for credentials
    backend = "basic" if isinstance(with_oras.auth, BasicAuth) else "token"
    client = Registry(hostname=with_oras.host, insecure=True, auth_backend=backend)
    if with_oras.auth is not None:
        client.auth.set_basic_auth("ann", "open-sesame")
    found: Oras = client
    return found


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunks"])
def test_we_read_an_artifact_of_oras(
    with_oras: LoopbackRegistry, oras: Oras, layout: Layout, tmp_path: Path, *, chunked: bool
) -> None:
    """A file that oras-py pushed, whole or in chunks, is the layer of the artifact that we pull."""
    data = b"0123456789" * 100
    file = tmp_path / "file.txt"
    file.write_bytes(data)
    oras.push(
        f"{with_oras.host}/team/app:v1",
        files=[f"{file}:text/plain"],
        disable_path_validation=True,
        do_chunked=chunked,
        chunk_size=300,
        quiet=True,
    )
    assert any(request.method == "PATCH" for request in with_oras.requests) is chunked
    with ours(with_oras) as repository:
        root = copy(repository, "v1", layout)
    manifest = layout.read_manifest(root)
    assert isinstance(manifest, Manifest)
    (layer,) = manifest.layers
    assert (layer.media_type, layer.digest) == ("text/plain", Digest.of(data))
    assert layout.blobs.read(layer) == data


def test_oras_reads_our_artifact(
    with_oras: LoopbackRegistry, oras: Oras, layout: Layout, tmp_path: Path
) -> None:
    """oras-py pulls a file that we pushed; its tags are listed in pages, and deleted."""
    with_oras.page_size = 2
    data = b"0123456789" * 100
    layer = layout.blobs.put(data, media_type=OCTET_STREAM)
    named = Descriptor(
        media_type=layer.media_type,
        digest=layer.digest,
        size=layer.size,
        annotations={"org.opencontainers.image.title": "file.bin"},
    )
    empty = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    root = layout.put_manifest(Manifest(config=empty, layers=[named], artifact_type="text/x"))
    with ours(with_oras) as repository:
        for tag in ("a", "b", "c", "d", "e"):
            layout.tag(tag, root)
            copy(layout, tag, repository)
    place = f"{with_oras.host}/team/app"
    (pulled,) = oras.pull(f"{place}:a", outdir=str(tmp_path / "out"))
    assert (tmp_path / "out" / "file.bin").read_bytes() == data
    assert pulled.endswith("file.bin")
    assert oras.get_tags(place) == ["a", "b", "c", "d", "e"]
    if with_oras.auth is None:  # it asks for a token to pull, and deletes with that
        assert oras.delete_tag(place, "a")
        assert with_oras.tags == {}
