"""Archives of Docker as sources and targets of the verbs of `ocilayout`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout import DockerArchive, Layout
from ocilayout.testing.registry import LoopbackRegistry
from tests.docker_tars import AGES, NAMES, image, packed, v1_0, v25

if TYPE_CHECKING:
    from ocilayout import Descriptor
    from tests.cli.conftest import Command

ONE = image()
OTHER = image("two", names=("busybox:latest",))


def images(path: str) -> tuple[Descriptor, ...]:
    with DockerArchive.open(path) as archive:
        return archive.images


@pytest.fixture(params=[*AGES, "1.0"])
def saved(command: Command, request: pytest.FixtureRequest) -> str:
    """Return a locator of an archive of one image with two names, of each age."""
    del command  # it chooses the folder
    age = request.param
    Path("saved.tar").write_bytes(packed(v1_0(*ONE.layers) if age == "1.0" else AGES[age](ONE)))
    return "docker-archive:saved.tar"


def test_verbs_that_read(command: Command, saved: str) -> None:
    """Each verb that reads takes an archive of Docker, and finds its images by all names."""
    assert command.answer("ls", "-q", saved) == list(NAMES)
    for name in ("app:v1", "docker.io/library/app:v1", NAMES[1], "@0"):
        manifest = json.loads(command.text("cat", f"{saved}:{name}"))
        assert [layer["digest"] for layer in manifest["layers"]] == ONE.diff_ids
        assert command.answer("inspect", f"{saved}:{name}")["digest"]
    config = command.answer("inspect", "--config", saved)
    assert config
    assert command.run("cat", f"{saved}@{ONE.diff_ids[0]}").stdout_bytes == ONE.layers[0]
    beginning = ONE.diff_ids[0][:19]
    assert command.run("cat", f"{saved}:{beginning}").stdout_bytes == ONE.layers[0]
    assert ONE.diff_ids[1][:19] in command.text("tree", saved)
    command.text("referrers", f"{saved}:app:v1")


def test_there_and_back(command: Command, saved: str) -> None:
    """An image is copied under all its names, and a copy back is the same image."""
    command.text("cp", saved, "oci:new")
    assert Layout.open("new").tags() == NAMES
    command.text("cp", "oci:new:app:v1", "docker-archive:back.tar")
    with DockerArchive.open("saved.tar") as before, DockerArchive.open("back.tar") as after:
        assert after.tags() == ("docker.io/library/app:v1",)
        assert after.images == before.images


def test_names(command: Command) -> None:
    """A name is that of the target, of the source if it has a repository, or none."""
    Path("saved.tar").write_bytes(packed(v25(ONE, OTHER)))
    command.text("cp", "docker-archive:saved.tar:@1", "oci:lay:v1")
    said = command.lines("cp", "oci:lay:v1", "docker-archive:new.tar")
    digest = images("new.tar")[0].digest
    assert said[0] == f"Copied v1 to docker-archive:new.tar@{digest}"
    said = command.lines("cp", "oci:lay:v1", "docker-archive:new.tar:app")
    assert said[0] == "Copied v1 to docker-archive:new.tar:docker.io/library/app:latest"
    assert command.answer("ls", "-q", "docker-archive:new.tar:app") == [
        "docker.io/library/app:latest"
    ]
    command.text("cp", "--all", "docker-archive:saved.tar", "docker-archive:all.tar")
    assert len(command.answer("ls", "-q", "docker-archive:all.tar")) == 3
    error = command.error("cp", "docker-archive:saved.tar", "oci:lay")
    assert "3 entries; say which: 'app:v1', 'busybox:latest'" in error
    error = command.error("cp", "docker-archive:saved.tar:@2", "oci:lay")
    assert "there is no image @2, as the archive has 2, from @0" in error


def test_a_registry(command: Command) -> None:
    """An image of a registry has the name of its repository, so that `docker load` knows it."""
    Path("saved.tar").write_bytes(packed(v25(ONE)))
    with LoopbackRegistry() as registry:
        there = f"{registry.host}/team/app"
        command.text("cp", "docker-archive:saved.tar:app:v1", f"docker://{there}:v1")
        command.text("cp", f"docker://{there}:v1", "docker-archive:new.tar")
        assert command.answer("ls", "-q", "docker-archive:new.tar") == [f"{there}:v1"]
        digest = images("new.tar")[0].digest
        command.text("cp", f"docker://{there}@{digest}", "docker-archive:new.tar")
        assert command.answer("ls", "-q", "docker-archive:new.tar") == [digest]


def test_a_pipe(command: Command) -> None:
    """`docker-archive:-` is standard output and standard input."""
    Path("saved.tar").write_bytes(packed(v25(ONE)))
    data = command.run("cp", "docker-archive:saved.tar:app:v1", "docker-archive:-").stdout_bytes
    done = command.run("ls", "-q", "docker-archive:-", stdin=data)
    assert done.stdout == "docker.io/library/app:v1\n"


def test_limits(command: Command) -> None:
    """How much layers may unpack to is an option of both ends of `cp`."""
    Path("saved.tar").write_bytes(packed(v25(ONE, compress=True)))
    said = command.error("ls", "--unpack-limit", "100", "docker-archive:saved.tar")
    assert "--unpack-limit" in said
    command.text("cp", "oci-archive:saved.tar:v1", "oci:lay:v1")
    said = command.error("cp", "--from-unpack-limit", "100", "oci:lay", "docker-archive:new.tar")
    assert "more than 100 bytes" in said
    command.text("cp", "--from-unpack-limit", "20KiB", "oci:lay", "docker-archive:new.tar")


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (
            ("--referrers", "oci:lay:v1", "docker-archive:x"),
            2,
            "a Docker archive has no place for it",
        ),
        (("--sparse", "oci:lay:v1", "docker-archive:x"), 2, "--sparse says how an index is copied"),
        (("--jobs", "2", "oci:lay:v1", "docker-archive:x"), 2, "--jobs"),
        (("oci:lay:v1", "docker-archive:x:@0"), 1, "'@0'"),
        (("oci:lay:v1", "docker-archive:x:UPPER:v1"), 1, "lower-case"),
        (("docker-archive:absent", "oci:lay"), 1, "absent is not a Docker archive: there is no"),
        (("docker-archive:lay", "oci:lay"), 1, "it is a folder; a layout in a folder is written"),
        (("docker-archive:", "oci:lay"), 2, "has an empty path; write oci:PATH[:NAME], oci-arch"),
    ],
)
def test_what_does_not_apply(
    command: Command, layout: Layout, arguments: tuple[str, ...], code: int, why: str
) -> None:
    """An option, a name or a file that does not apply is refused, and nothing is written."""
    del layout
    said = (command.error if code == 1 else command.misuse)("cp", *arguments)
    assert why in said
    assert not Path("x").exists()


def test_a_path_alone(command: Command) -> None:
    """A path alone is taken for a layout in a tar; the error says what to write."""
    Path("saved.tar").write_bytes(packed(AGES["1.10"](ONE)))
    assert "read docker-archive:FILE" in command.error("ls", "saved.tar")
