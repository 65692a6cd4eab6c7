"""One layout that we share with other programs: each continues the work of the other."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    Descriptor,
    Digest,
    Index,
    Layout,
    Manifest,
)
from skills import LOCAL_BUILD, SkillService

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Run = Callable[..., str]
    Attempt = Callable[..., subprocess.CompletedProcess[str]]
    Put = Callable[..., Descriptor]
    Make = Callable[[Layout, Put], None]

NOW = timedelta(0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def is_whole(layout: Layout, name: str) -> bool:
    """Tell whether all content of a tag exists, by reading and so verifying it."""
    return all(layout.blobs.read(found) is not None for found in layout.walk(layout.resolve(name)))


def collect(layout: Layout) -> None:
    """Collect all unreachable content, whatever its age."""
    for digest in layout.blobs:
        os.utime(layout.blobs.path(digest), (0, 0))
    layout.collect(grace=NOW)


# ---------------------------------------------------------------- edits by umoci


def test_umoci_edits_a_layout_of_ours(
    run: Run, put_image: Put, layout: Layout, tmp_path: Path
) -> None:
    """Tags, images and layers of umoci are added to ours; a handle sees them at once."""
    for name in ("v1", "v2"):
        layout.tag(name, put_image(layout, name))
    layout.annotate("v1", {"com.example.note": "ours"})
    v1, v2 = layout.entry("v1"), layout.resolve("v2")
    (tmp_path / "more").write_text("more")
    image = f"{layout.path}:v1"
    run("umoci", "tag", "--image", image, "same")
    run("umoci", "config", "--image", image, "--tag", "config", "--author", "umoci")
    run("umoci", "insert", "--rootless", "--image", image, "--tag", "more", tmp_path / "more", "/m")
    assert layout.tags() == ("config", "more", "same", "v1", "v2")
    assert (layout.entry("v1"), layout.resolve("v2")) == (v1, v2)
    assert layout.resolve("same") == v1.descriptor
    assert [found.digest in layout.blobs for found in layout.walk(layout.resolve("more"))] == (
        [True] * 4
    )
    layout.remove("v1")
    layout.untag("same")
    run("umoci", "rm", "--image", f"{layout.path}:v2")
    collect(layout)
    assert layout.tags() == ("config", "more")
    assert all(is_whole(layout, name) for name in layout.tags())
    assert layout.check() == ()
    run("umoci", "unpack", "--rootless", "--image", f"{layout.path}:more", tmp_path / "bundle")
    rootfs = tmp_path / "bundle" / "rootfs"
    assert [(rootfs / name).read_text() for name in ("file", "m")] == ["v1", "more"]


def test_what_umoci_loses(run: Run, put_image: Put, layout: Layout) -> None:
    """An edit by umoci drops unknown properties, which our edits keep."""
    layout.tag("v1", put_image(layout, "v1"))
    index = layout.path / "index.json"
    document = json.loads(index.read_bytes())
    document["com.example.unknown"] = document["manifests"][0]["com.example.unknown"] = 1
    index.write_text(json.dumps(document))
    layout.tag("v2", layout.resolve("v1"))
    assert index.read_text().count("com.example.unknown") == 2
    run("umoci", "tag", "--image", f"{layout.path}:v1", "v3")
    assert "com.example.unknown" not in index.read_text()
    assert layout.tags() == ("v1", "v2", "v3")


def test_umoci_copies_the_mark_of_a_build(run: Run, tmp_path: Path, layout: Layout) -> None:
    """Unlike `Layout.tag`, `umoci tag` copies annotations, so its tag is listed as a build."""
    skill = tmp_path / "alpha"
    skill.mkdir()
    (skill / "SKILL.md").write_text("---\nname: alpha\ndescription: Does it\n---\n")
    service = SkillService(layout)
    built = service.build(skill)
    child = list(layout.walk(layout.resolve("alpha")))[1]
    layout.tag("child", child, annotations={LOCAL_BUILD: "true", "com.example.note": "ours"})
    run("umoci", "tag", "--image", f"{layout.path}:child", "copied")
    assert layout.entry("copied").annotations == layout.entry("child").annotations
    assert [build.tag for build in service.list_builds()] == ["alpha", "child", "copied"]
    service.delete_build("alpha")
    assert built.digest not in layout.blobs
    assert is_whole(layout, "copied")


# ---------------------------------------------------------------- collections by umoci


def tagged(layout: Layout, put_image: Put) -> None:
    layout.tag("v1", put_image(layout, "v1"))


def untagged(layout: Layout, put_image: Put) -> None:
    tagged(layout, put_image)
    layout.untag("v1")


def nested(layout: Layout, put_image: Put) -> None:
    inner = layout.put_manifest(Index(manifests=[put_image(layout, "a")]))
    layout.tag("v1", layout.put_manifest(Index(manifests=[put_image(layout, "b"), inner])))


def referrer(layout: Layout, put_image: Put) -> None:
    layout.tag("v1", put_image(layout, "v1", subject=put_image(layout, "subject")))


def artifact(layout: Layout, put_image: Put) -> None:
    tagged(layout, put_image)
    text = layout.blobs.put(b"text", media_type="text/plain")
    empty = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    manifest = Manifest(artifact_type="text/plain", config=empty, layers=[text])
    layout.tag("artifact", layout.put_manifest(manifest))


def blob(layout: Layout, _: Put) -> None:
    layout.tag("v1", layout.blobs.put(b"text", media_type="text/plain"))


def nothing(layout: Layout, put_image: Put) -> None:
    tagged(layout, put_image)
    layout.remove("v1")


@pytest.mark.parametrize("make", [tagged, untagged, nested, referrer, artifact, blob, nothing])
def test_umoci_and_we_collect_the_same(
    run: Run, put_image: Put, layout: Layout, make: Make, tmp_path: Path
) -> None:
    """All entries are roots, tagged or untagged, and a subject is reachable, too."""
    make(layout, put_image)
    kept = set(layout.blobs)
    put_image(layout, "garbage")
    theirs = Path(shutil.copytree(layout.path, tmp_path / "theirs"))
    run("umoci", "gc", "--layout", theirs)
    collect(layout)
    assert set(Layout.open(theirs).blobs) == set(layout.blobs) == kept


def test_what_umoci_deletes_and_we_keep(run: Run, put_image: Put, layout: Layout) -> None:
    """umoci does not know the documents of Docker, and takes their content for garbage."""
    image = put_image(layout, "v1", media_type=DOCKER_MANIFEST, config_type=DOCKER_CONFIG)
    layout.tag("v1", image)
    collect(layout)
    assert is_whole(layout, "v1")
    run("umoci", "gc", "--layout", layout.path)
    assert list(layout.blobs) == [image.digest]


def stray_file(layout: Layout, put_image: Put) -> None:
    tagged(layout, put_image)
    (layout.path / "blobs" / "sha256" / "x.tmp").write_bytes(b"x")


def sparse(layout: Layout, put_image: Put) -> None:
    child = put_image(layout, "v1")
    layout.tag("v1", layout.put_manifest(Index(manifests=[child])))
    layout.blobs.delete(child.digest)


def sha512(layout: Layout, put_image: Put) -> None:
    layout.tag("v1", put_image(layout, "v1", algorithms=("sha256", "sha512")))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (stray_file, "invalid digest"),
        (sparse, "no such file or directory"),
        (sha512, "unsupported algorithm"),
    ],
)
def test_where_umoci_gives_up_and_we_collect(
    attempt: Attempt,
    put_image: Put,
    layout: Layout,
    make: Make,
    words: str,
) -> None:
    """Stray files, missing content and other algorithms do not stop our collection."""
    make(layout, put_image)
    garbage = layout.blobs.put(b"garbage", media_type="text/plain")
    done = attempt("umoci", "gc", "--layout", layout.path)
    assert done.returncode != 0
    assert words in done.stderr
    collect(layout)
    assert garbage.digest not in layout.blobs
    reached = {found.digest for found in layout.walk(layout.resolve("v1"))}
    assert set(layout.blobs) <= reached


# ---------------------------------------------------------------- buildah and skopeo


def test_buildah_builds_on_an_image_of_ours(
    run: Run, put_image: Put, layout: Layout, tmp_path: Path
) -> None:
    """It uses our image as its base and adds its own; each survives the removal of the other."""
    layout.tag("base", put_image(layout, "base"))
    (tmp_path / "more").write_text("more")
    # The path becomes the name of an image, so it may only hold the characters of a name.
    container = run("buildah", "from", "--quiet", "oci:layout:base", cwd=tmp_path).strip()
    run("buildah", "copy", "--quiet", container, tmp_path / "more", "/more")
    run("buildah", "commit", "--quiet", container, f"oci:{layout.path}:derived")
    assert layout.tags() == ("base", "derived")
    files = []
    for found in list(layout.walk(layout.resolve("derived")))[2:]:
        with tarfile.open(fileobj=BytesIO(layout.blobs.read(found))) as tar:
            files.append([member.name for member in tar if member.isfile()])
    assert files == [["file"], ["more"]]
    assert layout.check() == ()
    layout.remove("base")
    collect(layout)
    assert is_whole(layout, "derived")
    assert run("buildah", "pull", "--quiet", "oci:layout:derived", cwd=tmp_path)


def test_through_the_formats_of_docker_and_back(
    run: Run, put_image: Put, layout: Layout, tmp_path: Path
) -> None:
    """skopeo converts our image to the format of `docker load` and back, and we read the result."""
    layout.tag("v1", put_image(layout, "v1"))
    archive = f"docker-archive:{tmp_path}/docker.tar:team/x:v1"
    run("skopeo", "copy", "-q", f"oci:{layout.path}:v1", archive)
    run("skopeo", "copy", "-q", archive, f"oci:{tmp_path}/back:v1")
    back = Layout.open(tmp_path / "back")
    rootfs = []
    for one in (layout, back):
        config = list(one.walk(one.resolve("v1")))[1]
        assert config.media_type == OCI_CONFIG
        rootfs.append(json.loads(one.blobs.read(config))["rootfs"])
        assert one.check() == ()
    assert rootfs[0] == rootfs[1]
    layer = list(layout.walk(layout.resolve("v1")))[2]
    assert rootfs[0]["diff_ids"] == [Digest.of(layout.blobs.read(layer))]
