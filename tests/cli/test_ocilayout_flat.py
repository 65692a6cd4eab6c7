"""A layout whose `index.json` lists the manifests of an image for several platforms itself."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    CONTAINERD_IMAGE_NAME,
    REF_NAME,
    AmbiguousReferenceError,
    Archive,
    Layout,
    ReferenceNotFoundError,
    copy,
    copy_all,
    write_archive,
)
from tests.cli.conftest import put_image, put_notes

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Descriptor
    from tests.cli.conftest import Command

ARM, S390X, UNKNOWN = "linux/aarch64", "linux/s390x", "linux/mips"


class Flat:
    """A layout at a path with an entry for each architecture."""

    def __init__(self, path: Path) -> None:
        self.layout = Layout.create(path, durability="none")
        self.path = path
        self.entries: list[dict[str, object]] = []

    def add(
        self,
        architecture: str,
        name: str | None = None,
        *,
        full: str | None = None,
        said: bool = True,
        text: str = "",
    ) -> Descriptor:
        """Add an entry of an image; its platform is in the entry, or in the config alone."""
        image = put_image(self.layout, architecture, f"{architecture}{text}".encode())
        annotations = {REF_NAME: name, CONTAINERD_IMAGE_NAME: full}
        entry: dict[str, object] = {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": image.size,
            "annotations": {key: value for key, value in annotations.items() if value},
        }
        if said:
            entry["platform"] = {"os": "linux", "architecture": architecture}
        self.entries.append(entry)
        return image.plain()

    def write(self) -> Layout:
        """Write `index.json`."""
        document = {"schemaVersion": 2, "manifests": self.entries}
        (self.path / "index.json").write_text(json.dumps(document))
        return self.layout


@pytest.fixture(params=list(product([None, "v1"], [True, False])), ids=str)
def flat(request: pytest.FixtureRequest, command: Command) -> Flat:
    """Return a layout with two platforms under no name or one, said in entries or in configs."""
    name, said = request.param
    flat = Flat(command.folder / "flat")
    for architecture in ("amd64", "arm64", "s390x"):
        flat.add(architecture, name, said=said)
    flat.entries.append(flat.entries[1])  # a repeated entry is not another image
    flat.write()
    return flat


def digests(flat: Flat) -> list[str]:
    return [str(entry["digest"]) for entry in flat.entries[:3]]


@pytest.mark.spec("image-layout:flat")
def test_a_platform_is_chosen_among_the_entries(command: Command, flat: Flat) -> None:
    """With `--platform`, `index.json` is the image index, in each verb that has the option."""
    name = flat.layout.entries()[0].name
    _, arm, s390x = digests(flat)
    (entry,) = command.answer("cp", "oci:flat", "oci:new", "--platform", ARM)["entries"]
    assert (entry["digest"], entry["name"]) == (arm, name)
    (copied,) = Layout.open("new").entries()
    assert (copied.name, copied.descriptor.digest, copied.descriptor.platform) == (name, arm, None)
    command.text("cp", "oci:flat", "oci-archive:new.tar:x", "--platform", S390X)
    with Archive.open("new.tar") as archive:
        assert archive.resolve("x").digest == s390x
    shown = command.answer("inspect", "flat", "--platform", S390X)
    assert (shown["digest"], shown["name"]) == (s390x, name)
    (entry,) = command.answer("cp", "--all", "oci:flat", "oci:all", "--platform", ARM)["entries"]
    assert (entry["digest"], entry["name"]) == (arm, name)


@pytest.mark.spec("image-layout:flat")
def test_what_is_meant_is_asked_with_digests_and_platforms(command: Command, flat: Flat) -> None:
    """Without a platform several are meant; the message shows each once."""
    message = command.error("cp", "oci:flat", "oci:new")
    assert message.startswith("oci:flat has 3 entries; say which or give --platform: ")
    assert command.error("cat", "flat").startswith("oci:flat has 3 entries; say which: ")
    for digest, platform in zip(digests(flat), ("amd64", "arm64", "s390x"), strict=True):
        assert message.count(f"{digest} (linux/{platform})") == 1
    missing = command.error("cp", "oci:flat", "oci:new", "--platform", UNKNOWN)
    assert missing.endswith("nothing for linux/mips; it has linux/amd64, linux/arm64, linux/s390x")
    assert not (command.folder / "new").exists()


@pytest.mark.parametrize("said", [True, False])
def test_a_name_of_several_platforms_is_ambiguous_without_one(
    command: Command, *, said: bool
) -> None:
    """Every verb that takes the name shows digests and platforms, and changes nothing."""
    flat = Flat(command.folder / "flat")
    for architecture in ("amd64", "arm64"):
        flat.add(architecture, "v1", said=said)
    flat.write()
    before = (flat.path / "index.json").read_bytes()
    for arguments in (["cp", "oci:flat:v1", "oci:new"], ["inspect", "flat", "v1"]):
        message = command.error(*arguments)
        for entry, platform in zip(flat.entries, ("linux/amd64", "linux/arm64"), strict=True):
            assert f"{entry['digest']} ({platform})" in message
    if said:  # an edit reads the index alone
        assert "(linux/arm64)" in command.error("rm", "flat", "v1")
    assert (flat.path / "index.json").read_bytes() == before


@pytest.mark.spec("image-layout:flat")
def test_entries_for_one_platform_are_different_images(command: Command) -> None:
    """Nothing says that the first is meant, so the digests are shown; all are copied by `--all`."""
    flat = Flat(command.folder / "flat")
    images = [flat.add("amd64", text=text) for text in ("a", "b")]
    arm = flat.add("arm64")
    layout = flat.write()
    message = command.error("cp", "oci:flat", "oci:new", "--platform", "linux/amd64")
    for image in images:
        assert f"{image.digest} (linux/amd64)" in message
    assert str(arm.digest) not in message
    target = Layout.create("all")
    found = copy_all(layout, None, target, platform="linux/amd64")
    assert list(found.values()) == images
    with pytest.raises(ReferenceNotFoundError):
        copy_all(layout, None, target, platform=UNKNOWN)


def test_a_platform_in_a_config_is_as_good_as_one_in_an_entry(command: Command) -> None:
    """Of two images for one platform neither is meant, wherever their platforms are."""
    flat = Flat(command.folder / "flat")
    images = [flat.add("amd64", "v1", text="a"), flat.add("amd64", "v1", text="b", said=False)]
    layout = flat.write()
    target = Layout.create("new")
    for platform in (None, "linux/amd64"):
        with pytest.raises(AmbiguousReferenceError) as caught:
            copy(layout, "v1", target, platform=platform)
        assert caught.value.digests == tuple(image.digest for image in images)
        assert caught.value.platforms == ("linux/amd64", "linux/amd64")
    with pytest.raises(AmbiguousReferenceError) as caught:
        copy_all(layout, None, target)
    assert caught.value.platforms == ("linux/amd64", "linux/amd64")


def test_two_images_under_one_name_are_not_one_image(command: Command) -> None:
    """Where full names differ, the platform does not choose between alpine and busybox."""
    flat = Flat(command.folder / "flat")
    images = {
        name: flat.add(architecture, "latest", full=f"docker.io/library/{name}:latest")
        for name, architecture in (("alpine", "amd64"), ("busybox", "arm64"))
    }
    layout = flat.write()
    target = Layout.create("new")
    with pytest.raises(AmbiguousReferenceError):
        copy(layout, "latest", target, platform=ARM)
    assert (
        copy(layout, "docker.io/library/busybox:latest", target, platform=ARM)
        == (images["busybox"])
    )
    with pytest.raises(ReferenceNotFoundError):
        copy(layout, "docker.io/library/alpine:latest", target, platform=ARM)


def test_one_full_name_on_two_platforms(command: Command) -> None:
    """All entries that a full name means are one image, too, whichever name they share."""
    flat = Flat(command.folder / "flat")
    for name in ("alpine", "busybox"):
        for architecture in ("amd64", "arm64"):
            full = f"docker.io/library/{name}:latest"
            flat.add(architecture, "latest", full=full, text=name)
    layout = flat.write()
    _, alpine, _, busybox = (entry["digest"] for entry in flat.entries)
    found = copy_all(layout, None, Layout.create("new"), platform=ARM)
    assert {ref: image.digest for ref, image in found.items()} == {
        "docker.io/library/alpine:latest": alpine,
        "docker.io/library/busybox:latest": busybox,
    }


def test_signatures_beside_the_platforms_are_not_chosen(command: Command) -> None:
    """An untagged referrer has no platform, and is left out of a copy of one platform."""
    flat = Flat(command.folder / "flat")
    flat.add("amd64")
    arm = flat.add("arm64")
    notes = put_notes(flat.layout, b"signed", arm)
    flat.entries.append({"mediaType": notes.media_type, "digest": notes.digest, "size": notes.size})
    layout = flat.write()
    (entry,) = command.answer("cp", "oci:flat", "oci:new", "--platform", ARM)["entries"]
    assert entry["digest"] == arm.digest
    write_archive(layout, None, "new.tar", platform=ARM, referrers=True)
    with Archive.open("new.tar") as archive:
        assert {entry.descriptor.digest for entry in archive.entries()} == {
            arm.digest,
            notes.digest,
        }


def test_named_entries_are_not_parts_of_each_other(command: Command) -> None:
    """Entries with several names need a name, though a platform is given."""
    flat = Flat(command.folder / "flat")
    flat.add("amd64", "v1")
    flat.add("arm64", "v2")
    flat.write()
    message = command.error("cp", "oci:flat", "oci:new", "--platform", ARM)
    assert message == "oci:flat has 2 entries; say which: 'v1', 'v2'"


def test_a_version_of_the_system_can_be_named(command: Command) -> None:
    """In all forms that others write, and `ls` shows two builds of Windows as two platforms."""
    layout = Layout.create("lay")
    versions = ["10.0.17763.5820", "10.0.20348.1"]
    images = [put_image(layout, "amd64", version.encode()) for version in versions]
    document = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": image.size,
                "platform": {"os": "windows", "architecture": "amd64", "os.version": version},
            }
            for image, version in zip(images, versions, strict=True)
        ],
    }
    layout.tag("v1", layout.put_manifest(json.dumps(document).encode()))
    (row,) = command.answer("ls", "lay")
    assert row["platforms"] == [f"windows({version})/amd64" for version in versions]
    for text in (
        "windows(10.0.20348)/amd64",
        "windows/amd64:10.0.20348.1",
        "Windows/x86_64,osver=10.0.20348",
    ):
        shown = command.answer("inspect", "lay", "v1", "--platform", text)
        assert shown["digest"] == images[1].digest
    assert "windows(10.0.17763.5820)/amd64, windows(10.0.20348.1)/amd64" in command.error(
        "inspect", "lay", "v1", "--platform", "windows(10.0.26100)/amd64"
    )
    for text in ("linux/*", "windows(10.0.20348/amd64", "all", "amd64/linux"):
        assert f"{text!r} is not a valid platform" in command.misuse(
            "cp", "oci:lay:v1", "oci:new", "--platform", text
        )
