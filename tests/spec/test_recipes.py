"""The recipes of the notes run as they stand, and leave what they say."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    OCI_EMPTY,
    OCI_LAYER,
    ImageConfig,
    IntegrityError,
    Layout,
    Manifest,
    copy_all,
    decode,
)
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (Path(__file__).parents[2] / "spec-notes" / "recipes.md").read_text()
RECIPES: dict[str, str] = dict(
    re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run a recipe in a folder of its own, and return its names."""
    monkeypatch.chdir(tmp_path)

    def run(heading: str, *, host: str = "") -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "recipe"}
        program = RECIPES[heading].replace("127.0.0.1:5000", host or "127.0.0.1:1")
        exec(compile(program, heading, "exec"), names)
        return names

    return run


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as registry:
        yield registry


def tar_of(**files: bytes) -> bytes:
    """Return a tar with some files, whose names have `_` for a slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("_", "/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def image(run: Callable[..., Any]) -> Layout:
    """Make the image that other recipes begin with."""
    Path("rootfs.tar").write_bytes(tar_of(etc_hostname=b"box\n"))
    run("Make an image from a tar")
    return Layout.open("images")


def two_platforms(run: Callable[..., Any]) -> Layout:
    Path("amd64.tar").write_bytes(tar_of(bin_sh=b"amd64"))
    Path("arm64.tar").write_bytes(tar_of(bin_sh=b"arm64"))
    run("Put two platforms under one tag")
    return Layout.open("images")


def artifact(layout: Layout, text: bytes, name: str) -> None:
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(text, media_type="text/plain")
    manifest = Manifest(artifact_type="a/b", config=config, layers=[layer])
    layout.tag(name, layout.put_manifest(manifest))


def test_there_are_twenty_recipes() -> None:
    """Each heading of the page has one program, which a test here runs."""
    tests = Path(__file__).read_text()
    assert all(f'run("{heading}"' in tests for heading in RECIPES)
    assert len(RECIPES) == PAGE.count("\n## ") == PAGE.count("```python\n") == 20


def test_an_artifact(run: Callable[..., Any]) -> None:
    """The artifact holds the file."""
    Path("notes.txt").write_text("milk")
    run("Create an artifact")
    layout = Layout.open("notes")
    manifest = layout.read_manifest(layout.resolve("v1"))
    assert isinstance(manifest, Manifest)
    assert layout.blobs.read(manifest.layers[0]) == b"milk"
    assert layout.check() == ()


def test_an_image(run: Callable[..., Any]) -> None:
    """The image breaks no rule, and its config names the uncompressed layer."""
    layout = image(run)
    assert [problem for problem in layout.check() if problem.severity != "note"] == []


def test_two_platforms(run: Callable[..., Any]) -> None:
    """Each platform is found under the one tag."""
    layout = two_platforms(run)
    document = layout.read_manifest(layout.resolve("app"))
    assert [str(one.platform) for one in document.manifests] == ["linux/amd64", "linux/arm64"]  # type: ignore[union-attr]
    assert [problem for problem in layout.check() if problem.severity != "note"] == []


def test_a_bill_of_materials(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The referrer is listed, and outlives a garbage collection."""
    layout = image(run)
    Path("sbom.json").write_text("{}")
    run("Attach a bill of materials")
    assert capsys.readouterr().out.startswith("application/spdx+json sha256:")
    before = sorted(layout.blobs)
    assert layout.collect().removed == ()
    assert sorted(layout.blobs) == before


def test_one_file_of_a_layer(run: Callable[..., Any]) -> None:
    """The file comes out of the layer; a damaged layer is refused."""

    layout = two_platforms(run)
    artifact(layout, b"", "x")
    layer = layout.blobs.put(tar_of(etc_hostname=b"box\n"), media_type=OCI_LAYER)
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("app", layout.put_manifest(Manifest(config=config, layers=[layer])))
    assert run("Read one file of a layer")["hostname"] == b"box\n"
    path = layout.blobs.path(layer.digest)
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(IntegrityError):
        run("Read one file of a layer")


def test_a_download(run: Callable[..., Any]) -> None:
    """What was promised is stored, and is not asked for again."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response_only(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"test")

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            for _ in range(2):
                run("Stream a download into a blob", host=f"127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
    assert asked == ["/file"]
    assert [Layout.open("mirror").blobs.size(digest) for digest in Layout.open("mirror").blobs] == [
        4
    ]


def test_a_mirror(run: Callable[..., Any], registry: LoopbackRegistry) -> None:
    """All wanted tags arrive, no others, and a second run sends no blob again."""
    source = Layout.create("source")
    for number in range(100):
        artifact(source, b"%d" % number, f"v1.{number}")
    artifact(source, b"other", "v2.0")

    with Repository(f"{registry.host}/team/app") as repository:
        copy_all(source, None, repository)
    run("Mirror a hundred tags", host=registry.host)
    mirror = Layout.open("mirror")
    assert mirror.tags() == tuple(sorted(f"v1.{number}" for number in range(100)))
    before = len(registry.requests)
    run("Mirror a hundred tags", host=registry.host)
    assert not [one for one in registry.requests[before:] if "/blobs/" in one.path]
    run("Push a layout under other names", host=registry.host)
    with Repository(f"{registry.host}/team/copy") as repository:
        assert repository.resolve("mirrored-v1.7") == mirror.resolve("v1.7")


def test_renaming(run: Callable[..., Any]) -> None:
    """The content stays, under the new names."""
    layout = Layout.create("mirror")
    for name in ("v1", "v2", "edge"):
        artifact(layout, name.encode(), name)
    before = {name: layout.resolve(name) for name in layout.tags()}
    run("Rename in bulk")
    assert {name: layout.resolve(name) for name in layout.tags()} == {
        "1": before["v1"],
        "2": before["v2"],
        "edge": before["edge"],
    }


def test_comparing(run: Callable[..., Any]) -> None:
    """Added, removed and moved tags are told apart."""
    for path, tags in (
        ("old", {"a": b"1", "b": b"1", "c": b"1"}),
        ("new", {"a": b"1", "b": b"2", "d": b"1"}),
    ):
        layout = Layout.create(path)
        for name, text in tags.items():
            artifact(layout, text, name)
    names = run("Compare two layouts")
    assert (names["added"], names["removed"], names["moved"]) == (["d"], ["c"], ["b"])


def test_costs(run: Callable[..., Any]) -> None:
    """What a tag costs is what removing it frees."""
    layout = Layout.create("images")
    artifact(layout, b"1" * 100, "a")
    artifact(layout, b"2" * 200, "b")
    own = run("See what each tag costs")["own"]
    before = sum(layout.blobs.size(digest) for digest in layout.blobs)
    layout.remove("a")
    assert before - sum(layout.blobs.size(digest) for digest in layout.blobs) == own["a"]


def test_users_of_a_blob(run: Callable[..., Any]) -> None:
    """Each tag that reaches the blob is named, and no other."""
    layout = Layout.create("images")
    artifact(layout, b"1", "app")
    artifact(layout, b"2", "other")
    layer = layout.blobs.put(b"3", media_type=OCI_LAYER)
    layout.tag("apart", layout.put_manifest(Manifest(config=layer, layers=[layer])))
    assert run("Find what uses a blob")["users"] == ["app", "other"]


def test_one_platform(run: Callable[..., Any]) -> None:
    """Only the manifest of the platform arrives, with its config and layer."""
    layout = two_platforms(run)
    run("Take one platform of an index")
    edge = Layout.open("edge")
    manifest = edge.read_manifest(edge.resolve("app"))
    assert isinstance(manifest, Manifest)
    assert decode(edge.blobs.read(manifest.config), ImageConfig).architecture == "arm64"
    assert len(list(edge.blobs)) == 3
    assert len(list(layout.blobs)) == 7


def test_signatures(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The referrer comes along."""
    image(run)
    Path("sbom.json").write_text("{}")
    run("Attach a bill of materials")
    capsys.readouterr()
    run("Take content with its signatures")
    assert capsys.readouterr().out == "application/spdx+json\n"


def test_an_archive(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The archive gives the manifest back."""
    image(run)
    run("Write an archive, and read it in place")
    assert capsys.readouterr().out == "application/vnd.oci.image.manifest.v1+json\n"


def test_labels(run: Callable[..., Any]) -> None:
    """The label is there beside those before, and the layers are the same."""
    layout = image(run)
    before = layout.read_manifest(layout.resolve("app"))
    run("Change the labels of an image")
    after = layout.read_manifest(layout.resolve("app"))
    assert isinstance(before, Manifest)
    assert isinstance(after, Manifest)
    assert after.layers == before.layers
    changed = decode(layout.blobs.read(after.config), ImageConfig)
    assert changed.config is not None
    assert changed.config.labels == {"org.example.team": "blue"}


def test_appending(run: Callable[..., Any]) -> None:
    """The new layer lies on the old ones, in manifest and config."""
    layout = image(run)
    Path("extra.tar").write_bytes(tar_of(extra=b"x"))
    run("Append a layer")
    manifest = layout.read_manifest(layout.resolve("app-extra"))
    assert isinstance(manifest, Manifest)
    assert len(manifest.layers) == 2
    assert len(decode(layout.blobs.read(manifest.config), ImageConfig).rootfs.diff_ids) == 2
    assert [problem for problem in layout.check() if problem.severity != "note"] == []


def test_keeping_the_newest(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Two tags stay, with their content alone."""
    layout = Layout.create("mirror")
    for name in ("v1", "v2", "v3"):
        artifact(layout, name.encode(), name)
    run("Keep the newest tags, and free the rest")
    assert layout.tags() == ("v2", "v3")
    assert len(list(layout.blobs)) == 5
    assert capsys.readouterr().out.endswith(" bytes freed\n")


def test_refusing(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged blob ends the program with status 1, a whole layout does not."""
    layout = image(run)
    run("Refuse a broken layout")
    manifest = layout.read_manifest(layout.resolve("app"))
    assert isinstance(manifest, Manifest)
    path = layout.blobs.path(manifest.config.digest)
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes(reversed(data)))
    with pytest.raises(SystemExit) as ended:
        run("Refuse a broken layout")
    assert ended.value.code == 1
    assert "error" in capsys.readouterr().out


def test_asyncio(run: Callable[..., Any]) -> None:
    """All tags are copied."""
    layout = Layout.create("images")
    for number in range(5):
        artifact(layout, b"%d" % number, f"tag-{number}")
    run("Copy from asyncio")
    other = Layout.open("other")
    assert {name: other.resolve(name) for name in other.tags()} == {
        name: layout.resolve(name) for name in layout.tags()
    }
