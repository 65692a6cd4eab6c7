"""Layouts as other programs write them: no command loses their content."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
ORAS_ARTIFACT = "application/vnd.cncf.oras.artifact.manifest.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
BUNDLE = "application/vnd.example.bundle+json"
NAME = "org.opencontainers.image.ref.name"
RETIRED = pytest.mark.parametrize("media_type", [OCI_ARTIFACT, ORAS_ARTIFACT, SCHEMA1])


def blob(path: Path, data: Any, media_type: str, **more: Any) -> dict[str, Any]:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    digest = hashlib.sha256(data).hexdigest()
    folder = path / "blobs/sha256"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}


def image(path: Path, layer: str) -> dict[str, Any]:
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(path, config, CONFIG),
        "layers": [blob(path, layer.encode(), LAYER)],
    }
    return blob(path, document, MANIFEST)


def about(path: Path, subject: dict[str, Any]) -> dict[str, Any]:
    empty = blob(path, b"{}", "application/vnd.oci.empty.v1+json")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "a/sig",
        "config": empty,
        "layers": [blob(path, b"signed", "text/plain")],
        "subject": subject,
    }
    return blob(path, document, MANIFEST)


def retired(path: Path, media_type: str) -> dict[str, Any]:
    part = blob(path, b"payload", "text/plain")
    if media_type == SCHEMA1:
        return blob(path, {"fsLayers": [{"blobSum": part["digest"]}], "signatures": []}, media_type)
    return blob(path, {"mediaType": media_type, "artifactType": "x/y", "blobs": [part]}, media_type)


def layout(path: Path, *entries: dict[str, Any]) -> None:
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def named(descriptor: dict[str, Any], name: str) -> dict[str, Any]:
    return {**descriptor, "annotations": {NAME: name}}


def blobs(path: Path) -> set[str]:
    return {file.name for file in (path / "blobs/sha256").iterdir()}


@pytest.fixture
def path(command: Command) -> Path:
    return command.folder / "lay"


@pytest.mark.spec("media-types:retired")
class TestRetiredTypes:
    @RETIRED
    def test_all_of_it_is_copied_listed_and_kept(
        self, command: Command, path: Path, media_type: str
    ) -> None:
        layout(path, named(retired(path, media_type), "sig"))
        assert len(blobs(path)) == 2
        command.run("cp", "oci:lay:sig", "oci:copy")
        assert blobs(command.folder / "copy") == blobs(path)
        assert command.answer("gc", "--grace", "0s", "lay")["removed"] == []
        (row,) = command.answer("ls", "lay")
        assert (row["kind"], row["missing"], row["complete"]) == ("manifest", 0, True)
        assert row["artifactType"] == (None if media_type == SCHEMA1 else "x/y")
        nodes = command.answer("tree", "lay", "sig")["nodes"]
        assert [len(node["parts"]) for node in nodes] == [1, 0]
        assert len(command.lines("tree", "lay", "sig")) == 2

    @RETIRED
    def test_all_of_it_goes_by_name(self, command: Command, path: Path, media_type: str) -> None:
        layout(path, named(retired(path, media_type), "sig"))
        command.run("rm", "lay", "sig")
        assert blobs(path) == set()

    @RETIRED
    def test_what_is_missing_of_it_is_said(
        self, command: Command, path: Path, media_type: str
    ) -> None:
        layout(path, named(retired(path, media_type), "sig"))
        (path / "blobs/sha256" / hashlib.sha256(b"payload").hexdigest()).unlink()
        (row,) = command.answer("ls", "lay")
        assert (row["missing"], row["complete"]) == (1, False)
        assert command.lines("tree", "lay", "sig")[1].endswith("missing")
        assert command.error("cp", "oci:lay:sig", "oci:copy")


@pytest.mark.spec("media-types:unknown")
class TestUnknownTypes:
    def test_what_it_names_is_kept_by_a_collection_and_by_a_removal(
        self, command: Command, path: Path
    ) -> None:
        part = blob(path, b"payload", "text/plain")
        bundle = named(blob(path, {"parts": [part]}, BUNDLE), "bundle")
        other = named(blob(path, {"blobs": [part]}, OCI_ARTIFACT), "other")
        layout(path, bundle, other)
        command.run("rm", "lay", "other")
        command.run("gc", "--grace", "0s", "lay")
        assert blobs(path) == {one["digest"].partition(":")[2] for one in (part, bundle)}

    def test_a_copy_says_what_it_leaves_behind(self, command: Command, path: Path) -> None:
        part = blob(path, b"payload", "text/plain")
        layout(path, named(blob(path, {"parts": [part]}, BUNDLE), "bundle"))
        done = command.run("cp", "oci:lay:bundle", "oci:copy")
        assert part["digest"] in done.stderr
        assert len(blobs(command.folder / "copy")) == 1


@pytest.mark.spec("image-layout:unlisted-referrers")
class TestUnlistedReferrers:
    def test_a_signature_that_no_entry_lists_stays_and_a_repair_lists_it(
        self, command: Command, path: Path
    ) -> None:
        """`cosign save` leaves layouts in which signatures are blobs alone."""
        root = image(path, "x")
        signature = about(path, root)
        layout(path, named(root, "v"))
        before = blobs(path)
        assert command.answer("referrers", "lay", "v") == []
        for prune in ("keep", "prune"):
            done = command.run("gc", "--grace", "0s", "--untagged", prune, "lay")
            assert signature["digest"] in done.stderr
            assert blobs(path) == before
        command.run("repair", "lay")
        (found,) = command.answer("referrers", "lay", "v")
        assert found["digest"] == signature["digest"]
        command.run("cp", "--referrers", "oci:lay:v", "oci:copy")
        assert blobs(command.folder / "copy") == before

    def test_it_goes_with_what_it_is_about(self, command: Command, path: Path) -> None:
        root = image(path, "x")
        about(path, root)
        layout(path, named(root, "v"))
        command.run("rm", "lay", "v")
        command.run("gc", "--grace", "0s", "lay")
        assert blobs(path) == set()


class TestSizes:
    """Each reference has its own size: one that is wrong is refused, alone and among others."""

    @pytest.fixture
    def entries(self, path: Path) -> list[dict[str, Any]]:
        right = blob(path, b"1", "text/plain")
        entries = [named(right, "right"), named({**right, "size": 9}, "wrong")]
        layout(path, *entries)
        return entries

    @pytest.mark.usefixtures("entries")
    @pytest.mark.parametrize(
        "arguments", [["oci:lay:wrong", "oci:copy"], ["--all", "oci:lay", "oci:copy"]]
    )
    def test_a_copy_refuses_the_wrong_one(self, command: Command, arguments: list[str]) -> None:
        assert "9 were promised" in command.error("cp", *arguments)
        assert "wrong" not in command.run("ls", "-q", "copy").stdout

    @pytest.mark.parametrize("reverse", [False, True])
    def test_an_archive_refuses_the_wrong_one(
        self, command: Command, path: Path, entries: list[dict[str, Any]], *, reverse: bool
    ) -> None:
        layout(path, *(entries[::-1] if reverse else entries))
        command.error("cp", "--all", "oci:lay", "oci-archive:copy.tar")
        assert not (command.folder / "copy.tar").exists()

    @pytest.mark.usefixtures("entries")
    def test_content_of_another_size_is_not_called_missing(self, command: Command) -> None:
        right, wrong = command.answer("ls", "lay")
        assert (right["missing"], right["wrongSize"], right["complete"]) == (0, 0, True)
        assert (wrong["missing"], wrong["wrongSize"], wrong["complete"]) == (0, 1, False)
        assert command.lines("ls", "lay")[-1].endswith("1 of wrong size")
        (node,) = command.answer("tree", "lay")["nodes"]
        assert (node["here"], node["wrongSize"]) == (True, True)
        first, second = command.lines("tree", "lay")
        assert "wrong size" not in first
        assert "wrong size" in second
        assert "missing" not in second

    def test_an_entry_and_a_layer_may_differ(self, command: Command, path: Path) -> None:
        right = blob(path, b"1", "text/plain")
        document = {
            "schemaVersion": 2,
            "config": blob(path, b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [{**right, "size": 9}, right],
        }
        layout(path, named(blob(path, document, MANIFEST), "image"), named(right, "file"))
        assert "9 were promised" in command.error("cp", "--all", "oci:lay", "oci:copy")
        file, image = command.answer("ls", "lay")
        assert (image["wrongSize"], file["wrongSize"]) == (1, 0)
        lines = command.lines("tree", "lay", "image")
        assert [("wrong size" in line) for line in lines] == [False, False, True, False]
        command.run("cp", "oci:lay:file", "oci:copy")


@pytest.mark.spec("image-layout:referrers")
class TestReferrersInsideAnIndex:
    """BuildKit has attestations in the index of the image, and they have a subject now."""

    @pytest.fixture
    def parts(self, path: Path) -> list[dict[str, Any]]:
        root = image(path, "x")
        platform = {"os": "linux", "architecture": "amd64"}
        parts = [{**root, "platform": platform}, about(path, root)]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}
        layout(path, named(blob(path, document, INDEX), "v"))
        return parts

    def test_they_are_listed(self, command: Command, parts: list[dict[str, Any]]) -> None:
        (found,) = command.answer("referrers", "lay", parts[0]["digest"])
        assert found["digest"] == parts[1]["digest"]

    def test_they_come_along_with_one_platform(
        self, command: Command, path: Path, parts: list[dict[str, Any]]
    ) -> None:
        arguments = ("--referrers", "--platform", "linux/amd64", "oci:lay:v", "oci:copy")
        command.run("cp", *arguments)
        copied = blobs(command.folder / "copy")
        assert parts[1]["digest"].partition(":")[2] in copied
        assert len(copied) == len(blobs(path)) - 1  # all but the index

    def test_they_get_no_entries_in_a_copy_of_the_index(
        self, command: Command, path: Path, parts: list[dict[str, Any]]
    ) -> None:
        command.run("cp", "--referrers", "oci:lay:v", "oci:copy")
        assert blobs(command.folder / "copy") == blobs(path)
        assert len(command.answer("ls", "copy")) == 1
        assert command.answer("referrers", "copy", parts[0]["digest"])
