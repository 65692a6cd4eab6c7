"""One reference with a wrong size: it is refused where it counts, and hides nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import OCI_MANIFEST, REF_NAME, Descriptor, Digest, Layout
from tests.cli.conftest import put_image, put_notes

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def enter(content: Descriptor, name: str | None, size: int) -> dict[str, Any]:
    noted = {} if name is None else {"annotations": {REF_NAME: name}}
    return {"mediaType": OCI_MANIFEST, "digest": content.digest, "size": size, **noted}


def write(layout: Layout, *entries: dict[str, Any]) -> None:
    document = {"schemaVersion": 2, "manifests": entries}
    (layout.path / "index.json").write_text(json.dumps(document))


@pytest.fixture(params=[9, 10**9])
def image(request: pytest.FixtureRequest, layout: Layout) -> Descriptor:
    """Return an image with two entries: `bad` has a wrong size, and comes first."""
    image = put_image(layout, "amd64", b"one")
    size = request.param
    write(layout, enter(image, "bad", size), enter(image, "ok", image.size))
    return image


class TestEntries:
    @pytest.mark.usefixtures("image")
    def test_the_right_entry_is_drawn(self, command: Command) -> None:
        assert "unreadable" not in command.text("tree", "lay", "ok")
        assert "wrong size" not in command.text("tree", "lay", "ok")
        first = command.lines("tree", "lay", "bad")[0]
        assert "wrong size" in first
        assert "unreadable" not in first

    @pytest.mark.usefixtures("image")
    def test_rows_tell_them_apart(self, command: Command) -> None:
        bad, ok = command.answer("ls", "lay")
        assert (bad["wrongSize"], bad["missing"], bad["complete"]) == (1, 0, False)
        assert (ok["wrongSize"], ok["missing"], ok["complete"]) == (0, 0, True)

    def test_a_digest_means_the_right_entry(self, command: Command, image: Descriptor) -> None:
        assert command.answer("inspect", "lay", image.digest)["size"] == image.size
        command.text("cp", f"oci:lay:{image.digest}", "oci:there")
        assert Layout.open("there").resolve(image.digest) == image.plain()

    @pytest.mark.usefixtures("image")
    def test_the_wrong_entry_is_not_copied(self, command: Command) -> None:
        assert command.error("cp", "oci:lay:bad", "oci:there")

    def test_the_wrong_entry_is_removed_alone(
        self, command: Command, layout: Layout, image: Descriptor
    ) -> None:
        command.text("rm", "lay", "bad")
        assert layout.tags() == ("ok",)
        assert all(found.digest in layout.blobs for found in layout.walk(image))

    def test_the_only_entry_is_removed_with_its_content(
        self, command: Command, layout: Layout, image: Descriptor
    ) -> None:
        write(layout, enter(image, "bad", 9))
        content = [found.digest for found in layout.walk(image)]
        command.text("rm", "lay", "bad")
        assert layout.entries() == ()
        assert not any(digest in layout.blobs for digest in content)

    def test_referrers_are_found_in_their_own_size(
        self, command: Command, layout: Layout, image: Descriptor
    ) -> None:
        about = put_notes(layout, b"about", image)
        wrong = enter(about, None, 9)
        write(layout, enter(image, "bad", 9), enter(image, "ok", image.size), wrong)
        (found,) = command.answer("referrers", "lay", "ok")
        assert (found["digest"], found["size"]) == (about.digest, about.size)
        command.text("cp", "oci:lay:ok", "oci:there", "--referrers")
        assert len(Layout.open("there").referrers(image.digest)) == 1

    def test_damaged_content_is_still_refused(
        self, command: Command, layout: Layout, image: Descriptor
    ) -> None:
        layout.blobs.path(image.digest).write_bytes(b"{}")
        assert "unreadable" in command.text("tree", "lay", "ok")
        assert command.error("referrers", "lay", "ok")


def test_a_layer_of_another_size_is_not_missing(command: Command, layout: Layout) -> None:
    data = layout.blobs.read(put_image(layout, "amd64", b"one"))
    document = json.loads(data)
    document["layers"][0]["size"] = 9
    layout.tag("odd", layout.put_manifest(json.dumps(document).encode()))
    (row,) = [row for row in command.answer("ls", "lay") if row["name"] == "odd"]
    assert (row["wrongSize"], row["missing"]) == (1, 0)
    drawn = command.text("tree", "lay", "odd")
    assert "wrong size" in drawn
    assert "missing" not in drawn


RETIRED = {
    "application/vnd.oci.artifact.manifest.v1+json": "blobs",
    "application/vnd.cncf.oras.artifact.manifest.v1+json": "blobs",
    "application/vnd.docker.distribution.manifest.v1+json": "fsLayers",
}


@pytest.mark.parametrize("media_type", RETIRED)
def test_a_manifest_of_a_retired_type_has_no_config(
    command: Command, layout: Layout, media_type: str
) -> None:
    """Its first part is not a config, and `inspect --config` says so."""
    part = {"mediaType": "text/plain", "digest": Digest.of(b"hi\n"), "size": 3}
    document: dict[str, Any] = {"mediaType": media_type, "blobs": [part]}
    if RETIRED[media_type] == "fsLayers":
        document = {"schemaVersion": 1, "fsLayers": [{"blobSum": part["digest"]}]}
    layout.tag("old", layout.put_manifest(json.dumps(document).encode(), media_type=media_type))
    first = command.lines("tree", "lay", "old")[1]
    assert ("blob  " if "blobs" in document else "layer  ") in first
    assert "config" not in first
    said = command.misuse("inspect", "lay", "old", "--config")
    assert f"a manifest of the type {media_type} has no config" in said
