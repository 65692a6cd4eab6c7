"""Our layouts, read in full by other programs; and which of them a program refuses, and how.

Each kind of content has a layout of its own. The test fails for a refusal that is not in the table,
and for a listed refusal that does not happen, so the table says what these programs do.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    Digest,
    Index,
    Layout,
    Manifest,
    write_archive,
)
from tests.missing import require_blake3

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Run = Callable[..., str]
    Attempt = Callable[..., subprocess.CompletedProcess[str]]
    Put = Callable[..., Descriptor]
    Make = Callable[["Maker"], Descriptor]

PAGE = Path(__file__).parents[2] / "spec-notes" / "oci-image-tool.md"
TEXT = "what is in the image"
FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Maker:
    """Stores content of every kind in one layout."""

    def __init__(self, layout: Layout, put_image: Put, put_platforms: Put) -> None:
        self.layout = layout
        self._put_image = put_image
        self._put_platforms = put_platforms

    def image(self, **options: Any) -> Descriptor:
        return self._put_image(self.layout, options.pop("text", TEXT), **options)

    def platforms(self, **options: Any) -> Descriptor:
        return self._put_platforms(self.layout, **options)

    def index(self, *children: Descriptor) -> Descriptor:
        return self.layout.put_manifest(Index(manifests=children))

    def blob(self, data: bytes, media_type: str) -> Descriptor:
        return self.layout.blobs.put(data, media_type=media_type)

    def artifact(self, config: Descriptor, *layers: Descriptor) -> Descriptor:
        return self.layout.put_manifest(
            Manifest(artifact_type="application/vnd.example", config=config, layers=layers)
        )

    def known_by(self, algorithm: str, root: Descriptor) -> Descriptor:
        if algorithm == "blake3":
            require_blake3()
        data = self.layout.blobs.read(root)
        expected = Descriptor.of(data, root.media_type, algorithm)
        return self.layout.blobs.put(data, media_type=root.media_type, expected=expected)

    def without(self, root: Descriptor, **changes: Any) -> Descriptor:
        """Store an image again with a different descriptor of a layer that is missing."""
        document = json.loads(self.layout.blobs.read(root))
        document["layers"][0].update(changes)
        self.layout.blobs.delete(Digest.parse(document["layers"][0]["digest"]))
        return self.layout.put_manifest(json.dumps(document).encode())


def zstd(data: bytes) -> bytes:
    """Pack data as zstd without compressing it: one segment, one raw block, no checksum."""
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little") + block + data


def no_layers(make: Maker) -> Descriptor:
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    return make.layout.put_manifest(
        Manifest(config=make.blob(json.dumps(config).encode(), OCI_CONFIG))
    )


def artifact(make: Maker) -> Descriptor:
    empty = make.blob(b"{}", OCI_EMPTY)
    return make.artifact(empty, empty)


def image_of_text(make: Maker) -> Descriptor:
    config = list(make.layout.walk(make.image()))[1]
    return make.artifact(config, make.blob(b"text", "text/plain"))


def rich_descriptors(make: Maker) -> Descriptor:
    root = make.image()
    config = list(make.layout.walk(root))[1]
    data = base64.b64encode(make.layout.blobs.read(config)).decode()
    document = json.loads(make.layout.blobs.read(root))
    document["config"] |= {"data": data, "com.example.unknown": 1}
    document["layers"][0] |= {"annotations": {"a.b": "c"}, "artifactType": "a/b"}
    return make.layout.put_manifest(json.dumps(document).encode())


KINDS: dict[str, Make] = {
    "tar": lambda make: make.image(),
    "tar+gzip": lambda make: make.image(layer_type=OCI_LAYER_GZIP, pack=gzip.compress),
    "tar+zstd": lambda make: make.image(layer_type=OCI_LAYER_ZSTD, pack=zstd),
    "nondistributable layer": lambda make: make.image(layer_type=FOREIGN_LAYER),
    "no layers": no_layers,
    "annotations and artifactType": lambda make: make.image(
        annotations={"com.example.key": "value"}, artifact_type="application/vnd.example"
    ),
    "subject": lambda make: make.image(subject=make.image(text="subject")),
    "subject that is absent": lambda make: make.image(subject=Descriptor.of(b"x", OCI_MANIFEST)),
    "descriptors that say more": rich_descriptors,
    "index": lambda make: make.platforms(),
    "index with subject and artifactType": lambda make: make.platforms(
        subject=make.image(), artifact_type="application/vnd.example", annotations={"a.b": "c"}
    ),
    "index of one": lambda make: make.index(make.image()),
    "index of none": lambda make: make.index(),
    "index of an index": lambda make: make.index(make.platforms()),
    "index of an artifact": lambda make: make.index(make.image(), artifact(make)),
    "artifact": artifact,
    "artifact with a config": lambda make: make.artifact(
        make.blob(b'{"a":1}', "application/vnd.example.config+json"),
        make.blob(b"text", "text/plain"),
    ),
    "image config, other layer": image_of_text,
    "sha512 of a layer": lambda make: make.image(algorithms=("sha256", "sha512")),
    "sha512 of a config": lambda make: make.image(algorithms=("sha512", "sha256")),
    "sha512 of a manifest": lambda make: make.known_by("sha512", make.image()),
    "sha512 of an index": lambda make: make.known_by("sha512", make.platforms()),
    "blake3 of a layer": lambda make: make.image(algorithms=("sha256", "blake3")),
    "blake3 of a manifest": lambda make: make.known_by("blake3", make.image()),
    "Docker image": lambda make: make.image(
        media_type=DOCKER_MANIFEST,
        config_type=DOCKER_CONFIG,
        layer_type=DOCKER_LAYER,
        pack=gzip.compress,
    ),
    "blob": lambda make: make.blob(b"text", "text/plain"),
    "missing layer": lambda make: make.without(make.image(text="missing")),
    "layer that is elsewhere": lambda make: make.without(
        make.image(text="elsewhere"), urls=["http://127.0.0.1:1/layer"]
    ),
}

_NO_IMAGE = "no descriptor found for reference"
_NOT_SHA256 = 'unsupported algorithm: "sha512"'
_UNKNOWN = "unsupported digest algorithm"
_NESTED = "received a manifest list instead of a manifest for a single image"
_REHASHED = "(does not match expected|saved with digest)"
_AMBIGUOUS = "tag is ambiguous"
_NO_FILE = "no such file or directory"

# The message of a refusal, by program and kind. A program reads every kind that is not listed.
REFUSALS: dict[str, dict[str, str]] = {
    "skopeo": {
        "index of an index": _NESTED,
        "sha512 of a layer": _REHASHED,
        "sha512 of a config": _REHASHED,
        "blake3 of a layer": _UNKNOWN,
        "blake3 of a manifest": _UNKNOWN,
        "Docker image": _NO_IMAGE,
        "blob": _NO_IMAGE,
        "missing layer": _NO_FILE,
        "layer that is elsewhere": "fetching http://127.0.0.1:1/layer failed",
    },
    "umoci": {
        "tar+zstd": r"layer \S+: blob is not correct mediatype",
        "index": _AMBIGUOUS,
        "index with subject and artifactType": _AMBIGUOUS,
        "index of none": "tag is not found",
        "index of an index": _AMBIGUOUS,
        "index of an artifact": _AMBIGUOUS,
        "artifact": "config blob is not correct mediatype",
        "artifact with a config": "config blob is not correct mediatype",
        "image config, other layer": r"layer \S+: blob is not correct mediatype",
        "sha512 of a layer": _NOT_SHA256,
        "sha512 of a config": _NOT_SHA256,
        "sha512 of a manifest": _NOT_SHA256,
        "sha512 of an index": _NOT_SHA256,
        "blake3 of a layer": _UNKNOWN,
        "blake3 of a manifest": _UNKNOWN,
        "Docker image": "descriptor does not point to ispec.MediaTypeImageManifest",
        "blob": "descriptor does not point to ispec.MediaTypeImageManifest",
        "missing layer": _NO_FILE,
        "layer that is elsewhere": _NO_FILE,
    },
    "buildah": {
        "index of none": "no image found in image index",
        "index of an index": _NESTED,
        "artifact": "unsupported image-specific operation on artifact",
        "artifact with a config": "unsupported image-specific operation on artifact",
        "image config, other layer": "adding layer with blob",
        "sha512 of a config": _REHASHED,
        "blake3 of a layer": _UNKNOWN,
        "blake3 of a manifest": _UNKNOWN,
        "Docker image": _NO_IMAGE,
        "blob": _NO_IMAGE,
        "missing layer": _NO_FILE,
        "layer that is elsewhere": "fetching http://127.0.0.1:1/layer failed",
    },
    "oci-image-tool": {
        "tar+zstd": "invalid descriptor MediaType",
        "no layers": "layers: Array must have at least 1 items",
        "index of an index": "invalid descriptor MediaType",
        "index of an artifact": "invalid descriptor MediaType",
        "artifact": "invalid descriptor MediaType",
        "artifact with a config": "invalid descriptor MediaType",
        "image config, other layer": "invalid descriptor MediaType",
        "blake3 of a layer": _UNKNOWN,
        "blake3 of a manifest": _UNKNOWN,
        "Docker image": "invalid descriptor MediaType",
        "blob": "invalid descriptor MediaType",
        "missing layer": _NO_FILE,
        "layer that is elsewhere": _NO_FILE,
    },
}


@pytest.fixture
def make(tmp_path: Path, put_image: Put, put_platforms: Put) -> Maker:
    layout = Layout.create(tmp_path / "layout", durability="none")
    return Maker(layout, put_image, put_platforms)


def expect(kind: str, done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether a program read a kind, and fail if the table says otherwise."""
    program = Path(done.args[0]).name
    refusal = REFUSALS[program].get(kind)
    if refusal is None:
        assert done.returncode == 0, done.stderr
        return True
    assert done.returncode != 0, f"{program} reads this now"
    assert re.search(refusal, done.stderr), done.stderr
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_skopeo_copies_it(attempt: Attempt, make: Maker, kind: str, tmp_path: Path) -> None:
    """A copy has the same bytes for the manifest, every config and every layer."""
    layout, root, folder = make.layout, KINDS[kind](make), tmp_path / "dir"
    layout.tag("v1", root)
    source = f"oci:{layout.path}:v1"
    done = attempt("skopeo", "copy", "-q", "--all", "--preserve-digests", source, f"dir:{folder}")
    if expect(kind, done):
        assert (folder / "manifest.json").read_bytes() == layout.blobs.read(root)
        for found in layout.walk(root):
            if found.media_type not in {OCI_MANIFEST, OCI_INDEX}:
                assert (folder / found.digest.encoded).read_bytes() == layout.blobs.read(found)


@pytest.mark.parametrize("kind", KINDS)
def test_umoci_unpacks_it(attempt: Attempt, make: Maker, kind: str, tmp_path: Path) -> None:
    """The file of the image exists, with its text."""
    make.layout.tag("v1", KINDS[kind](make))
    image = f"{make.layout.path}:v1"
    done = attempt("umoci", "unpack", "--rootless", "--image", image, tmp_path / "bundle")
    if expect(kind, done) and kind != "no layers":
        assert (tmp_path / "bundle" / "rootfs" / "file").read_text() == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_buildah_pulls_it(attempt: Attempt, make: Maker, kind: str, tmp_path: Path) -> None:
    """The image is in its store, identified by its config."""
    root = KINDS[kind](make)
    make.layout.tag("v1", root)
    # The path becomes the name of an image, so it may only hold the characters of a name.
    done = attempt("buildah", "pull", "--quiet", "oci:layout:v1", cwd=tmp_path)
    if expect(kind, done):
        configs = {
            found.digest for found in make.layout.walk(root) if found.media_type == OCI_CONFIG
        }
        assert f"sha256:{done.stdout.strip()}" in configs


@pytest.mark.parametrize("kind", KINDS)
def test_oci_image_tool_validates_it(attempt: Attempt, make: Maker, kind: str) -> None:
    """It is valid by its name, and together with every other entry."""
    make.layout.tag("v1", KINDS[kind](make))
    for refs in ((), ("--ref", "name=v1")):
        expect(
            kind,
            attempt("oci-image-tool", "validate", "--type", "image", *refs, make.layout.path),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_oci_image_tool_finds_documents_valid(attempt: Attempt, make: Maker, kind: str) -> None:
    """Each document, also the root index, follows the schemas, even if the layout is refused."""
    layout = make.layout
    layout.tag("v1", KINDS[kind](make))
    types = {OCI_MANIFEST: "manifest", OCI_INDEX: "imageIndex", OCI_CONFIG: "config"}
    documents = [
        (types[found.media_type], layout.blobs.path(found.digest))
        for found in layout.walk(layout.resolve("v1"))
        if found.media_type in types
    ]
    for type_, path in (*documents, ("imageIndex", layout.path / "index.json")):
        done = attempt("oci-image-tool", "validate", "--type", type_, path)
        if (kind, type_) == ("no layers", "manifest"):
            assert REFUSALS["oci-image-tool"][kind] in done.stderr
        else:
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "platform", "text"),
    [
        ("tar", (), TEXT),
        ("tar+gzip", (), TEXT),
        ("descriptors that say more", (), TEXT),
        ("sha512 of a layer", (), TEXT),
        ("index", ("--platform", "linux:arm64"), "arm64"),
    ],
)
def test_oci_image_tool_unpacks_it(
    run: Run, make: Maker, kind: str, platform: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    """A layout that it finds valid can be unpacked."""
    make.layout.tag("v1", KINDS[kind](make))
    target = tmp_path / "unpacked"
    run("oci-image-tool", "unpack", "--ref", "name=v1", *platform, make.layout.path, target)
    assert (target / "file").read_text() == text


def test_oci_image_tool_tells_damage(attempt: Attempt, make: Maker) -> None:
    """It finds damage in every blob, so its verdict means that it has read them."""
    layout = make.layout
    layout.tag("v1", make.image())
    layer = layout.blobs.path(list(layout.walk(layout.resolve("v1")))[2].digest)
    data = layer.read_bytes()
    for damage, words in ((b"x" + data[1:], "digest mismatch"), (data + b"x", "size mismatch")):
        layer.write_bytes(damage)
        done = attempt("oci-image-tool", "validate", "--type", "image", layout.path)
        assert words in done.stderr


def choose(make: Maker, *names: str) -> list[str | Path]:
    layout = Layout.open(make.layout.path, durability="none", strict_names=False)
    for name in names:
        layout.tag(name, make.image(text=name))
    return ["--type", "image", "--ref", f"name={names[0]}", layout.path]


def pack(make: Maker) -> list[str | Path]:
    path = make.layout.path.parent / "layout.tar"
    write_archive(make.layout, None, path)
    return ["--type", "image", path]


# Calls that fail with a valid layout: the message, and the arguments.
WAYS: dict[str, tuple[str, Callable[[Maker], list[str | Path]]]] = {
    "no `--type`": ("--type must be set", lambda make: [make.layout.path]),
    "`--type imageLayout`": (
        "unimplemented",
        lambda make: ["--type", "imageLayout", make.layout.path],
    ),
    "a tar": ("unable to walk: end of walk", pack),
    "`--ref` among many names": ("is not unique", lambda make: choose(make, "b", "c", "d")),
    "`--ref` of a name with `=`": (
        "each ref must contain two parts",
        lambda make: choose(make, "a=b"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_oci_image_tool_fails_if_called_like_this(attempt: Attempt, make: Maker, way: str) -> None:
    """A layout that is valid in another call is refused in this one."""
    make.layout.tag("a", make.image())
    words, ask = WAYS[way]
    done = attempt("oci-image-tool", "validate", *ask(make))
    assert done.returncode != 0
    assert words in done.stderr
    done = attempt("oci-image-tool", "validate", "--type", "image", make.layout.path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", ["tar", "skopeo"])
def test_oci_image_tool_reads_no_tar_of_any_program(
    run: Run, attempt: Attempt, make: Maker, program: str, tmp_path: Path
) -> None:
    """The refusal is not specific to our tar."""
    make.layout.tag("a", make.image())
    path = tmp_path / "a.tar"
    if program == "tar":
        run("tar", "-C", make.layout.path, "-cf", path, "oci-layout", "index.json", "blobs")
    else:
        run("skopeo", "copy", "-q", f"oci:{make.layout.path}:a", f"oci-archive:{path}:a")
    done = attempt("oci-image-tool", "validate", "--type", "image", path)
    assert WAYS["a tar"][0] in done.stderr


def test_oci_image_tool_accepts_names_and_untagged_roots(attempt: Attempt, make: Maker) -> None:
    """Every name of the grammar can be given, and an untagged root is validated, too."""
    name = "127.0.0.1:5000/team/x:v1.0_a-b+c@d--e"
    make.layout.tag(name, make.image())
    make.layout.tag("lost", artifact(make))
    for refs in (
        ("--ref", f"name={name}"),
        ("--ref", f"digest={make.layout.resolve(name).digest}"),
    ):
        done = attempt("oci-image-tool", "validate", "--type", "image", *refs, make.layout.path)
        assert done.returncode == 0, done.stderr
    make.layout.untag("lost")
    done = attempt("oci-image-tool", "validate", "--type", "image", make.layout.path)
    assert REFUSALS["oci-image-tool"]["artifact"] in done.stderr
    make.layout.collect(grace=timedelta(0), untagged="prune")
    make.layout.untag(name)
    done = attempt("oci-image-tool", "validate", "--type", "image", make.layout.path)
    assert done.returncode == 0, done.stderr


def test_the_page_lists_every_exception() -> None:
    """The page about oci-image-tool lists its refusals with their messages, and no others."""
    rows = dict(re.findall(r"^\| (.+?) \| `(.+?)` \|", PAGE.read_text(), re.MULTILINE))
    words = {way: said for way, (said, _) in WAYS.items()}
    assert rows == {**REFUSALS["oci-image-tool"], **words}


def test_all_kinds_in_one_layout(run: Run, make: Maker) -> None:
    """umoci lists every tag, and skopeo returns the exact bytes of every image it accepts."""
    layout = make.layout
    for number, kind in enumerate(KINDS):
        layout.tag(f"kind-{number}", KINDS[kind](make))
    names = run("umoci", "ls", "--layout", layout.path).split()
    assert names == [f"kind-{number}" for number in range(len(KINDS))]
    for name, kind in zip(names, KINDS, strict=True):
        if kind in {"Docker image", "blob"} or kind.startswith("blake3"):
            continue
        root = layout.resolve(name)
        raw = run("skopeo", "inspect", "--raw", f"oci:{layout.path}:{name}")
        assert Digest.of(raw.encode(), root.digest.algorithm) == root.digest
