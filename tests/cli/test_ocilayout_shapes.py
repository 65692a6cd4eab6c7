"""The command over layouts as the programs of the field write them; `tests/shapes` makes these.

What must hold of every shape is asserted over a walk of plain JSON that does not use our code; what
must hold of one stands in `FIELD`.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Collection  # attrs resolves the types of fields
from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import frozen

from ocilayout.testing.registry import LoopbackRegistry
from tests.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Command

NAME, FULL = "org.opencontainers.image.ref.name", "io.containerd.image.name"
BOTH = {"linux/amd64", "linux/arm64"}
ALPINE, BUSYBOX = "docker.io/library/alpine:latest", "docker.io/library/busybox:latest"
SPARSE = {"docker_save", "docker_save_two", "regctl_sparse", "skopeo_copy"}


@frozen(kw_only=True)
class Expected:
    """What must be said of a shape.

    Attributes:
        labels: What `ls` calls the entries that have a name.
        unnamed: How many other entries there are.
        platforms: The platforms of the first entry; `None` if nothing runs it.
        findings: The codes of the problems that `check` reports.
        referrers: How many referrers the first entry has.
        loses: How many blobs that the shape needs a copy of all entries leaves behind: referrers
            that no entry lists.
    """

    labels: tuple[str, ...] = ()
    unnamed: int = 0
    platforms: Collection[str] = frozenset(BOTH)
    findings: Collection[str] = ()
    referrers: int = 0
    loses: int = 0


TEN: Final = {"linux/amd64", "linux/arm/v5", "linux/s390x"}  # and seven more
AMD64: Final = {"linux/amd64"}
MISSING: Final = {"missing-blob"}
ATTESTED = {"attestation-platform"}
FIELD: Final = {
    "docker_save": Expected(labels=("latest",), platforms=TEN, findings=MISSING),
    "docker_save_two": Expected(
        labels=(ALPINE, BUSYBOX), platforms=TEN, findings={"missing-blob", "shared-name"}
    ),
    "docker_save_referrers": Expected(labels=("v1",), unnamed=1, platforms=AMD64, referrers=1),
    "docker_save_classic": Expected(labels=("v1", "v2"), platforms=AMD64),
    "docker_save_windows": Expected(
        labels=("ltsc2022",), platforms={"windows(10.0.20348.2340)/amd64"}, findings=MISSING
    ),
    "buildkit_oci": Expected(
        labels=("docker.io/library/app:v1", "docker.io/team/app:v1"), findings=ATTESTED
    ),
    "buildkit_artifact": Expected(labels=("v1",), findings=ATTESTED),
    "buildkit_unnamed": Expected(unnamed=1, findings={"null-list", *ATTESTED}),
    "buildkit_cache": Expected(labels=("latest",), platforms=()),
    "cosign_save": Expected(
        unnamed=3, platforms=AMD64, findings={"annotation-key-form", "empty-platform"}
    ),
    "cosign_save_index": Expected(
        unnamed=1, findings={"annotation-key-form", "unlisted-referrer"}, loses=3
    ),
    "bazel_image": Expected(unnamed=1, platforms=AMD64, findings={"irregular-blob"}),
    "bazel_index": Expected(
        unnamed=1, platforms={"linux/amd64", "linux/arm64"}, findings={"missing-property"}
    ),
    "crane_pull": Expected(unnamed=3, platforms=AMD64, findings={"duplicate-entry"}),
    "crane_annotated": Expected(
        labels=("ghcr.io/org/app:v1", "index.docker.io/library/alpine:3"), platforms=AMD64
    ),
    "kaniko": Expected(unnamed=1, platforms=AMD64),
    "apko": Expected(unnamed=2, platforms=AMD64),
    "jib": Expected(labels=("gcr.io/p/app:v1",), platforms=AMD64),
    "regctl_copy": Expected(
        labels=("sha256-…", "sha256-….sig", "v1"), platforms=(), findings={"empty-platform"}
    ),
    "regctl_sparse": Expected(labels=("latest",), platforms=TEN, findings=MISSING),
    "oras_copy": Expected(labels=("v1",), unnamed=3, referrers=1),
    "oras_push": Expected(labels=("v1",), platforms=(), findings={"several-media-types"}),
    "helm_chart": Expected(labels=("1.0.0_1",), platforms=()),
    "flux_artifact": Expected(labels=("ghcr.io/org/manifests/app:latest",), platforms=()),
    "sif_artifact": Expected(labels=("latest",), platforms=()),
    "umoci": Expected(labels=("base", "latest", "v1"), platforms=AMD64, findings={"leftover"}),
    "skopeo_copy": Expected(labels=("all", "team/x@v1"), unnamed=1, findings=MISSING),
    "podman_save": Expected(labels=(ALPINE,), platforms=AMD64),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest, command: Command) -> str:
    """Return the name of a shape, which is the folder that it is in."""
    name: str = request.param
    SHAPES[name](command.folder / name)
    return name


@pytest.fixture
def registry() -> Iterator[str]:
    """Return the locator of a repository with nothing in it."""
    with LoopbackRegistry() as registry:
        yield f"docker://{registry.host}/field/app"


# ---------------------------------------------------------------- what is in them, by plain JSON


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return the entries as the file has them."""
    found: list[dict[str, Any]] = json.loads((folder / "index.json").read_bytes())["manifests"]
    return found


def contents(folder: Path, *, links: bool = False) -> dict[str, bytes]:
    """Return the bytes of all blobs by their digest."""
    files = (path for path in (folder / "blobs/sha256").iterdir() if path.is_file())
    return {
        f"sha256:{one.name}": one.read_bytes() for one in files if links or not one.is_symlink()
    }


def digests_in(value: Any) -> Iterator[str]:
    """Yield the digests of all descriptors in a document."""
    if isinstance(value, dict):
        if "digest" in value and "size" in value:
            yield value["digest"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from digests_in(one)


def subject_of(document: dict[str, Any]) -> str | None:
    """Return the digest that a document is about, as a manifest says it."""
    subject = document.get("subject")
    return subject["digest"] if isinstance(subject, dict) else None


def needed(blobs: dict[str, bytes], roots: Iterable[str]) -> set[str]:
    """Return the digests of what some content needs of a layout, and what refers to it."""
    documents = {
        digest: json.loads(data) for digest, data in blobs.items() if data.startswith(b"{")
    }
    found: set[str] = set()
    new = set(roots) & blobs.keys()
    while new:
        found |= new
        parts = {part for one in new & documents.keys() for part in digests_in(documents[one])}
        about = {digest for digest, document in documents.items() if subject_of(document) in found}
        new = ((parts | about) & blobs.keys()) - found
    return found


def first(command: Command, shape: str) -> str:
    """Return what means the first row of `ls` alone."""
    return str(command.answer("ls", "-q", shape)[0])


# ---------------------------------------------------------------- what is shown


def test_each_shape_is_expected() -> None:
    """What must be said of a shape is written down for every shape."""
    assert FIELD.keys() == SHAPES.keys()


def test_it_is_listed(command: Command, shape: str) -> None:
    """Each entry is one row, under the name that tells it apart, with what it runs on."""
    expected = FIELD[shape]
    rows = command.answer("ls", shape)
    assert sorted(row["digest"] for row in rows) == sorted(
        entry["digest"] for entry in entries(command.folder / shape)
    )
    shown = command.lines("ls", shape)[1:]
    assert len(shown) == len(rows)
    labels = [line.partition("  ")[0] for line in shown if not line.startswith("(no name)")]
    tag = entries(command.folder / shape)[0]["digest"].replace(":", "-")
    assert labels == [label.replace("sha256-…", tag) for label in expected.labels]
    assert len(rows) - len(labels) == expected.unnamed
    assert set(expected.platforms) <= set(rows[0]["platforms"])
    assert bool(expected.platforms) == bool(rows[0]["platforms"])
    assert not any("unknown" in platform for row in rows for platform in row["platforms"])
    assert "years" not in " ".join(shown)  # of an image that is as old as the epoch
    whole = shape not in {*SPARSE, "bazel_image"}
    assert all(row["complete"] for row in rows) == whole


def test_every_row_can_be_looked_at(command: Command, shape: str) -> None:
    """What `ls` calls an entry is taken by every verb that looks, and so is its digest."""
    for row in command.answer("ls", shape):
        full = row["fullName"] or row["name"]
        for ref in {full, row["digest"], row["digest"][:19]} - {None}:
            assert command.answer("inspect", shape, ref)["digest"] == row["digest"]
            assert command.text("tree", shape, ref)
            assert command.text("cat", shape, row["digest"])
            assert command.text("referrers", shape, ref)
    assert command.text("tree", shape)


def test_its_referrers_are_found(command: Command, shape: str) -> None:
    """Referrers are found wherever the program put them: beside, in an index, under a tag."""
    found = command.answer("referrers", shape, first(command, shape))
    assert len(found) == FIELD[shape].referrers
    subjects = {"buildkit_artifact": 0, "regctl_copy": -1}
    if shape in subjects:
        parts = [row["digest"] for row in command.answer("ls", shape)]
        if shape == "buildkit_artifact":
            parts = [
                one["digest"] for one in command.answer("inspect", shape)["document"]["manifests"]
            ]
        (about,) = command.answer("referrers", shape, parts[subjects[shape]])
        assert about["artifactType"]


def test_check_finds_no_fault_of_its_program(command: Command, shape: str) -> None:
    """Only what the specification calls wrong is an error; the rest are notes about its state."""
    wrong = {"bazel_image", "bazel_index"}
    data = command.answer("check", shape, status=1 if shape in wrong else 0)
    assert {one["code"] for one in data["problems"]} == set(FIELD[shape].findings)


# ---------------------------------------------------------------- what is copied


def copied(command: Command, shape: str, *, target: str) -> str:
    """Copy all that a shape has, and return what the copy said."""
    if shape == "bazel_image":  # tells the way out, which is taken
        assert "`ocilayout repair`" in command.error("cp", "--all", f"oci:{shape}", "oci:failed")
        command.text("repair", shape)
    if shape not in SPARSE:
        return command.text("cp", "--all", f"oci:{shape}", target)
    error = command.error("cp", "--all", f"oci:{shape}", target)
    assert "choose a platform" in error
    assert "`--sparse`" in error
    return command.text("cp", "--all", "--sparse", f"oci:{shape}", target)


def arrives(folder: Path, shape: str) -> set[str]:
    """Return the digests of what a copy of all entries must bring."""
    blobs = contents(folder / shape)
    wanted = needed(blobs, (entry["digest"] for entry in entries(folder / shape)))
    if not FIELD[shape].loses:
        return wanted
    listed = {digest: data for digest, data in blobs.items() if b'"subject"' not in data}
    brought = needed(listed, (entry["digest"] for entry in entries(folder / shape)))
    assert len(wanted - brought) == FIELD[shape].loses
    return brought


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_it_is_copied_whole(command: Command, shape: str, kind: str) -> None:
    """All that is there arrives with its bytes, under the names by which it was told apart."""
    said = copied(command, shape, target=f"{kind}:new")
    if kind == "oci-archive":
        assert command.answer("ls", "oci-archive:new")
        command.text("cp", "--all", "--sparse", "oci-archive:new", "oci:unpacked")
    there = contents(command.folder / ("new" if kind == "oci" else "unpacked"))
    assert there == {
        digest: data
        for digest, data in contents(command.folder / shape).items()
        if digest in arrives(command.folder, shape)
    }
    assert ("left out" in said) == (shape in SPARSE)
    assert said.splitlines()[-1].startswith("Not there, ") == (shape in SPARSE)
    assert ("urls" in said) == (shape == "docker_save_windows" and kind == "oci")


def test_it_goes_to_a_registry_and_back(command: Command, shape: str, registry: str) -> None:
    """Each entry goes to a registry under a tag and comes back with the same content."""
    if shape == "bazel_image":
        command.text("repair", shape)
    for number, row in enumerate(command.answer("ls", shape)):
        digest, platform = row["digest"], []
        source, there = f"oci:{shape}:{digest}", f"{registry}:t{number}"
        if not row["complete"]:
            assert "(`--platform`)" in command.error("cp", "--sparse", source, there)
            if shape == "skopeo_copy":  # has none of them
                continue
            platform = ["--platform", "linux/amd64"]
            digest = command.answer("inspect", *platform, shape, digest)["digest"]
        command.run("cp", *platform, source, there)  # a signature of old names its image
        assert command.answer("inspect", there)["digest"] == digest
        command.text("cp", there, f"oci:back{number}")
        back = contents(command.folder / f"back{number}")
        assert back.items() <= contents(command.folder / shape).items()
        assert back.keys() >= {digest}
        assert all(one["complete"] for one in command.answer("ls", f"back{number}"))


def test_a_registry_that_takes_sparse_indexes(command: Command) -> None:
    """A sparse image goes to such a registry and back, with its index as it was."""
    SHAPES["docker_save"](command.folder / "saved")
    with LoopbackRegistry(sparse_indexes=True) as registry:
        there = f"docker://{registry.host}/field/app:latest"
        assert "left out" in command.text("cp", "--sparse", "oci:saved", there)
        assert "left out" in command.text("cp", "--sparse", there, "oci:back")
    assert contents(command.folder / "back") == contents(command.folder / "saved")


def test_a_platform_that_is_there_is_enough(command: Command) -> None:
    """Of a sparse image the platform that was pulled is copied; another one is named."""
    SHAPES["docker_save"](command.folder / "saved")
    command.text("cp", "--platform", "linux/amd64", "oci:saved", "oci:one")
    assert command.answer("ls", "one")[0]["platforms"] == ["linux/amd64"]
    for target in ("oci:two", "oci-archive:two.tar"):
        error = command.error("cp", "--platform", "linux/arm/v5", "oci:saved", target)
        assert "linux/arm/v5, which is not there" in error


def test_a_tar_of_it_is_read(command: Command, shape: str) -> None:
    """Docker, BuildKit, Jib and podman write a tar; it is read in place, with the same rows."""
    if shape == "bazel_image":  # Bazel writes folders only
        command.text("repair", shape)
    with tarfile.open("shape.tar", "w") as tar:
        for path in sorted((command.folder / shape).iterdir()):
            tar.add(path, path.name)
    rows, packed = (command.answer("ls", one) for one in (shape, "oci-archive:shape.tar"))
    same = ("name", "fullName", "digest", "platforms", "artifactType", "complete")
    assert [{key: row[key] for key in same} for row in packed] == [
        {key: row[key] for key in same} for row in rows
    ]


# ---------------------------------------------------------------- what is changed


def test_collection_deletes_nothing_of_it(command: Command, shape: str) -> None:
    """Nothing that a shape needs is garbage, and content that nothing needs is."""
    folder = command.folder / shape
    before = contents(folder, links=True)
    garbage = command.answer("gc", "--dry-run", "--grace", "0s", shape)["removed"]
    wanted = needed(before, (entry["digest"] for entry in entries(folder)))
    assert set(garbage) == before.keys() - wanted
    command.run("gc", "--grace", "0s", shape)
    assert contents(folder, links=True) == {
        digest: data for digest, data in before.items() if digest in wanted
    }


def test_it_is_tagged_and_untagged(command: Command, shape: str) -> None:
    """A tag is added and removed again, and the entries of the program stay as they were."""
    folder = command.folder / shape
    before, files = entries(folder), contents(folder)
    command.run("tag", shape, first(command, shape), "ours")
    assert "ours" in command.answer("ls", "-q", shape)
    command.run("untag", shape, "ours")
    assert entries(folder) == before
    assert contents(folder) == files


def test_removing_one_entry_keeps_the_others(command: Command, shape: str) -> None:
    """Each entry can be removed by what it is called; what others need stays."""
    for number, ref in enumerate(command.answer("ls", "-q", shape)):
        copy = command.folder / f"copy{number}"
        shutil.copytree(command.folder / shape, copy, symlinks=True)
        before = contents(copy, links=True)
        command.run("rm", copy.name, ref)
        left = entries(copy)
        gone = {one["digest"] for one in entries(command.folder / shape) if one not in left}
        before = {
            digest: data
            for digest, data in before.items()
            if digest not in gone or b'"subject"' not in data  # a referrer that was removed itself
        }
        assert len(left) < len(entries(command.folder / shape))
        kept = contents(copy, links=True)
        assert needed(before, (entry["digest"] for entry in left)) <= kept.keys()


@pytest.mark.parametrize("name", ["docker_save_two", "buildkit_oci"])
def test_a_short_name_that_is_shared(command: Command, name: str) -> None:
    """A short name that means two images is refused, with the names to take instead."""
    SHAPES[name](command.folder / name)
    names = FIELD[name].labels
    if name == "docker_save_two":
        for verb in (["rm"], ["untag"], ["annotate", "a.b=c"], ["inspect"], ["referrers"]):
            error = command.error(verb[0], name, "latest", *verb[1:])
            assert all(full in error for full in names)
    command.text("rm", name, names[0])
    (left,) = command.answer("ls", name)
    assert left["fullName"] == names[1]
