"""The verbs of `ocilayout` that only read."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    CREATED,
    OCI_EMPTY,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Digest,
    Index,
    Layout,
    Manifest,
    Platform,
    copy,
    write_archive,
)
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from tests.cli.conftest import put_notes
from tests.unit.check.conftest import as_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

NOTES = "application/vnd.example.notes"
HI = Digest.of(b"hi\n")


@pytest.fixture
def registry(layout: Layout) -> Iterator[str]:
    """Return the locator of a repository with the content of the layout."""
    with LoopbackRegistry() as registry:
        name = f"{registry.host}/team/app"
        with Repository(name) as repository:
            for entry in layout.entries():
                ref = entry.name or str(entry.descriptor.digest)
                copy(layout, ref, repository)
        yield f"docker://{name}"


class TestLs:
    def test_the_table(self, command: Command, layout: Layout) -> None:
        """Every entry has an aligned row with its properties, named entries first."""
        digests = [entry.descriptor.digest[:19] for entry in layout.entries()]
        lines = command.lines("ls", "lay")
        assert [line.split("   ")[0].strip() for line in lines] == [
            "NAME", "solo", "v1", "(no name)",
        ]  # fmt: skip
        rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines]
        assert rows[0] == ["NAME", "DIGEST", "KIND", "PLATFORMS", "SIZE", "AGE", "CONTENT"]
        assert rows[1] == ["solo", digests[1], "manifest", "linux/amd64", "2.6 KiB", "now", "whole"]
        assert rows[2][:4] == ["v1", digests[0], "index", "linux/amd64, linux/arm64"]
        assert rows[3][:3] == ["(no name)", digests[2], NOTES]
        assert rows[3][-2].endswith("(file)")
        assert len({line.index("CONTENT" if "CONTENT" in line else "whole") for line in lines}) == 1

    def test_platforms_of_an_index_in_an_index(self, command: Command, layout: Layout) -> None:
        """All platforms that an image is for are listed, each once, in document order."""
        inner = layout.resolve("v1")
        other = evolve(layout.resolve("solo"), platform=Platform.parse("linux/s390x"))
        layout.tag("nested", layout.put_manifest(Index(manifests=[other, inner, inner])))
        (row,) = command.answer("ls", "lay", "nested")
        assert row["platforms"] == ["linux/s390x", "linux/amd64", "linux/arm64"]

    def test_the_platform_of_an_entry_comes_before_that_of_the_config(
        self, command: Command, layout: Layout
    ) -> None:
        """So it does where one is chosen by its platform, and in `tree`."""
        index = layout.path / "index.json"
        document = json.loads(index.read_text())
        for entry in document["manifests"]:
            if entry["digest"] == layout.resolve("solo").digest:
                entry["platform"] = {"os": "windows", "architecture": "amd64", "os.version": "10.1"}
        index.write_text(json.dumps(document))
        (row,) = command.answer("ls", "lay", "solo")
        assert row["platforms"] == ["windows(10.1)/amd64"]

    def test_for_programs(self, command: Command, layout: Layout) -> None:
        """The JSON has exact sizes, times with their origin, and the annotations of entries."""
        layout.annotate("solo", {"org.example.team": "core", CREATED: "2024-01-02T03:04:05Z"})
        solo, index, notes = command.answer("ls", "lay")
        entry = layout.entry("solo")
        content = list(layout.walk(entry.descriptor))
        assert solo == {
            "name": "solo",
            "fullName": None,
            "digest": entry.descriptor.digest,
            "mediaType": OCI_MANIFEST,
            "size": entry.descriptor.size,
            "annotations": {"org.example.team": "core", CREATED: "2024-01-02T03:04:05Z"},
            "kind": "manifest",
            "artifactType": None,
            "platforms": ["linux/amd64"],
            "totalSize": sum(descriptor.size for descriptor in content),
            "created": "2024-01-02T03:04:05+00:00",
            "createdFrom": "entry",
            "missing": 0,
            "wrongSize": 0,
            "complete": True,
            "error": None,
        }
        assert (index["kind"], index["createdFrom"]) == ("index", "file")
        assert (notes["name"], notes["artifactType"]) == (None, NOTES)

    def test_names_alone(self, command: Command, layout: Layout) -> None:
        """`-q` gives each name on a line, the digest of an untagged entry, and a list in JSON."""
        notes = str(layout.entries()[2].descriptor.digest)
        assert command.lines("ls", "-q", "lay") == ["solo", "v1", notes]
        assert command.answer("ls", "-q", "lay") == ["solo", "v1", notes]
        assert command.lines("ls", "-q", "--no-untagged", "lay") == ["solo", "v1"]

    def test_one_name(self, command: Command, layout: Layout) -> None:
        """A name or a digest lists its entry alone, and a missing name is an error."""
        assert [row["name"] for row in command.answer("ls", "lay", "v1")] == ["v1"]
        digest = str(layout.resolve("v1").digest)
        (row,) = command.answer("ls", f"oci:lay@{digest}")
        assert (row["name"], row["digest"]) == (None, digest)
        assert command.error("ls", "lay", "v2") == (
            "there is no entry named 'v2'; there are 'solo', 'v1'"
        )

    def test_what_is_missing_or_broken(self, command: Command, layout: Layout) -> None:
        """Missing content is counted, and a row says what cannot be read."""
        layout.blobs.delete(Digest.of(b"one"))
        notes = layout.entries()[2].descriptor.digest
        layout.blobs.path(notes).write_bytes(b"x" * layout.blobs.size(notes))
        solo, index, broken = command.answer("ls", "lay")
        assert (solo["missing"], solo["complete"]) == (1, False)
        assert (index["missing"], index["complete"]) == (1, False)
        assert (broken["complete"], broken["error"][:30]) == (False, f"{notes} was promised"[:30])
        done = command.run("ls", "lay")
        assert [line.rpartition("   ")[2] for line in done.stdout.splitlines()] == [
            "CONTENT", "1 missing", "1 missing", "unreadable",
        ]  # fmt: skip
        assert done.stderr.startswith(f"{notes}: ")

    def test_nothing(self, command: Command) -> None:
        """The text says that an empty layout has no entries; the JSON is an empty list."""
        Layout.create("empty")
        assert command.text("ls", "empty") == "No entries\n"
        assert command.text("ls", "-q", "empty") == ""
        assert command.answer("ls", "empty") == []

    def test_a_repository(self, command: Command, registry: str) -> None:
        """Tags are listed like names; a registry is not asked whether content is whole."""
        solo, index = command.answer("ls", registry)
        assert (solo["name"], solo["platforms"], solo["complete"]) == (
            "solo", ["linux/amd64"], None,
        )  # fmt: skip
        assert (index["kind"], index["created"]) == ("index", None)
        assert command.lines("ls", registry)[1].rstrip().endswith("now")
        assert [row["name"] for row in command.answer("ls", registry, "v1")] == ["v1"]

    def test_a_manifest_that_may_not_be_read(self, command: Command) -> None:
        """The others are listed and drawn; that one has the reason, which names the file."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            layout = Layout.create(Path(name) / "lay")
            for tag in ("closed", "open"):
                layout.tag(tag, put_notes(layout, tag.encode()))
            path = layout.blobs.path(layout.resolve("closed").digest)
            path.chmod(0)
            with as_user():
                closed, opened = command.answer("ls", str(layout.path))
                drawn = command.run("tree", str(layout.path)).output
        assert str(path) in closed["error"]
        assert "ermission denied" in closed["error"]
        assert (opened["name"], opened["error"]) == ("open", None)
        assert "unreadable" in drawn
        assert "open" in drawn

    def test_a_tag_that_cannot_be_read(self, command: Command, layout: Layout) -> None:
        """A tag whose content is not a manifest has the reason in its row."""
        with LoopbackRegistry() as registry:
            with Repository(f"{registry.host}/team/app") as repository:
                copy(layout, "solo", repository)
            registry.tags["team/app", "odd"] = digest = str(Digest.of(b"[]"))
            registry.manifests["team/app", digest] = ("application/json", b"[]")
            odd, solo = command.answer("ls", f"docker://{registry.host}/team/app")
            assert (odd["name"], odd["digest"], solo["error"]) == ("odd", None, None)
            assert "neither a manifest nor an index" in odd["error"]
            done = command.run("ls", f"docker://{registry.host}/team/app")
            assert done.stderr.startswith("odd: ")
            drawn = command.lines("tree", f"docker://{registry.host}/team/app")
            assert drawn[0].startswith("odd  ")
            assert drawn[0].endswith("unreadable")


class TestInspect:
    def test_for_people(self, command: Command, layout: Layout) -> None:
        """Above the document are its name, digest, type, size and annotations."""
        layout.annotate("solo", {"org.example.team": "core", "a": "b\nc"})
        descriptor = layout.resolve("solo")
        head, _, document = command.text("inspect", "lay", "solo").partition("\n\n")
        assert head.splitlines() == [
            "name    solo",
            f"digest  {descriptor.digest}",
            f"type    {descriptor.media_type}",
            f"size    {descriptor.size} B",
            "noted   a=b",
            "noted   c",
            "noted   org.example.team=core",
        ]
        assert json.loads(document) == json.loads(layout.blobs.read(descriptor))

    def test_for_programs(self, command: Command, layout: Layout) -> None:
        """The JSON has the document as it is, and the annotations of the entry beside it."""
        layout.annotate("solo", {"org.example.team": "core"})
        descriptor = layout.resolve("solo")
        assert command.answer("inspect", "lay", "solo") == {
            "name": "solo",
            "fullName": None,
            "digest": descriptor.digest,
            "mediaType": descriptor.media_type,
            "size": descriptor.size,
            "annotations": {"org.example.team": "core"},
            "document": json.loads(layout.blobs.read(descriptor)),
        }
        assert command.answer("inspect", "lay", str(descriptor.digest))["name"] is None

    def test_the_exact_bytes(self, command: Command, layout: Layout) -> None:
        """`--raw` writes exactly the bytes of the document."""
        data = b'{ "schemaVersion": 2,\n "manifests": [] }\n\n'
        layout.tag("odd", layout.put_manifest(data))
        assert command.run("inspect", "--raw", "lay", "odd").stdout_bytes == data
        assert "choose one" in command.misuse("inspect", "lay", "odd", "--raw", "--json")

    def test_one_platform_and_its_config(self, command: Command, layout: Layout) -> None:
        """`--platform` chooses from an index, `--config` goes on to the config."""
        manifest = command.answer("inspect", "lay", "v1", "--platform", "linux/arm64")
        assert len(manifest["document"]["layers"]) == 2
        config = command.answer("inspect", "lay", "v1", "--platform", "linux/arm64", "--config")
        assert config["document"]["architecture"] == "arm64"
        assert config["digest"] == manifest["document"]["config"]["digest"]
        assert "an index has no config" in command.misuse("inspect", "lay", "v1", "--config")
        assert "linux/amd64" in command.error("inspect", "lay", "v1", "--platform", "linux/arm")
        assert "is not a valid platform" in command.misuse(
            "inspect", "lay", "v1", "--platform", "linux"
        )
        assert layout.resolve("v1").digest != manifest["digest"]

    def test_what_is_not_a_document(self, command: Command, layout: Layout) -> None:
        """Content that is not JSON is left to `cat`; of a broken manifest the place is shown."""
        digest = str(Digest.of(b"one"))
        assert "`ocilayout cat`" in command.error("inspect", "lay", digest)
        bad = b'{"schemaVersion": 2, "schemaVersion": 2}'
        blob = layout.blobs.put(bad, media_type=OCI_MANIFEST)
        index = json.loads(layout.path.joinpath("index.json").read_bytes())
        named = {"mediaType": OCI_MANIFEST, "digest": blob.digest, "size": blob.size}
        named["annotations"] = {REF_NAME: "bad"}
        index["manifests"].append(named)
        layout.path.joinpath("index.json").write_text(json.dumps(index))
        assert "'schemaVersion' occurs more than once" in command.error("inspect", "lay", "bad")

    def test_a_repository(self, command: Command, layout: Layout, registry: str) -> None:
        """A tag, and a digest with all that the registry has, are inspected alike."""
        digest = layout.resolve("solo").digest
        assert command.answer("inspect", f"{registry}:solo")["digest"] == digest
        assert command.answer("inspect", f"{registry}@{digest}")["digest"] == digest
        config = command.answer("inspect", registry, "solo", "--config")
        assert config["document"]["architecture"] == "amd64"


class TestCat:
    def test_bytes(self, command: Command, layout: Layout) -> None:
        """Bytes are written unchanged, by name, digest, and the beginning of a digest."""
        binary = bytes(range(256)) * 8192
        blob = layout.blobs.put(binary, media_type=OCI_LAYER)
        assert command.run("cat", "lay", str(blob.digest)).stdout_bytes == binary
        assert command.run("cat", "lay", blob.digest[:13]).stdout_bytes == binary
        assert command.run("cat", "lay", "v1").stdout_bytes == layout.blobs.read(
            layout.resolve("v1")
        )

    def test_damage(self, command: Command, layout: Layout) -> None:
        """Damaged content fails, and is never written whole."""
        blob = layout.blobs.put(b"one", media_type=OCI_LAYER)
        layout.blobs.path(blob.digest).write_bytes(b"two")
        assert "was promised" in command.error("cat", "lay", str(blob.digest))

    def test_a_repository(self, command: Command, layout: Layout, registry: str) -> None:
        """A registry gives manifests by tag or digest, and any blob by its digest."""
        blob = Digest.of(b"one")
        assert command.run("cat", f"{registry}@{blob}").stdout_bytes == b"one"
        manifest = layout.resolve("solo")
        raw = layout.blobs.read(manifest)
        assert command.run("cat", f"{registry}:solo").stdout_bytes == raw
        assert command.run("cat", f"{registry}@{manifest.digest}").stdout_bytes == raw
        assert "no manifest nothing" in command.error("cat", f"{registry}:nothing")
        assert "no blob" in command.error("cat", f"{registry}@{Digest.of(b'absent')}")


class TestTree:
    def test_the_drawing(self, command: Command, layout: Layout) -> None:
        """Shared content is marked wherever it is drawn, and its parts are drawn once."""
        solo, index, notes = (
            layout.resolve("solo"), layout.resolve("v1"), layout.entries()[2].descriptor,
        )  # fmt: skip
        arm = layout.read_manifest(index).manifests[1]  # type: ignore[union-attr] # it is an index
        amd_document, arm_document = layout.read_manifest(solo), layout.read_manifest(arm)
        assert isinstance(amd_document, Manifest)
        assert isinstance(arm_document, Manifest)
        base, one = amd_document.layers
        two = arm_document.layers[1]
        gzip = "application/vnd.oci.image.layer.v1.tar+gzip"
        config = "application/vnd.oci.image.config.v1+json"

        def short(descriptor: Descriptor) -> str:
            return f"{descriptor.digest[:19]}  {descriptor.size} B"

        assert command.lines("tree", "lay") == [
            f"solo  manifest  {short(solo)}  shared",
            f"├── config  {short(amd_document.config)}  {config}",
            f"├── layer  {base.digest[:19]}  2.0 KiB  {gzip}  shared",
            f"└── layer  {short(one)}  {OCI_LAYER}",
            f"v1  index  {short(index)}",
            f"├── manifest  {short(solo)}  linux/amd64  shared  drawn above",
            f"└── manifest  {short(arm)}  linux/arm64",
            f"    ├── config  {short(arm_document.config)}  {config}",
            f"    ├── layer  {base.digest[:19]}  2.0 KiB  {gzip}  shared",
            f"    └── layer  {short(two)}  {OCI_LAYER}",
            f"(no name)  manifest  {short(notes)}  {NOTES}  about {index.digest[:19]}",
            f"├── config  {Digest.of(b'{}')[:19]}  2 B  {OCI_EMPTY}",
            f"└── layer  {HI[:19]}  3 B  notes.txt  text/plain",
        ]

    def test_one_name(self, command: Command, layout: Layout) -> None:
        """One name is drawn alone, and content that other entries reach is marked as shared."""
        lines = command.lines("tree", "lay", "solo")
        assert len(lines) == 4
        assert lines[0].endswith("  shared")
        layout.blobs.delete(Digest.of(b"one"))
        assert command.lines("tree", "lay", "solo")[3].endswith("  missing")

    def test_for_programs(self, command: Command, layout: Layout) -> None:
        """The JSON is a graph: every digest once, with what it is made of."""
        index = layout.resolve("v1")
        graph = command.answer("tree", "lay", "v1")
        assert graph["roots"] == [
            {"name": "v1", "fullName": None, "digest": index.digest, "error": None}
        ]
        nodes = {node["digest"]: node for node in graph["nodes"]}
        assert len(nodes) == len(graph["nodes"])
        assert set(nodes) == {found.digest for found in layout.walk(index)}
        solo = nodes[layout.resolve("solo").digest]
        assert (solo["kind"], solo["shared"]) == ("manifest", True)
        assert [part["platform"] for part in nodes[index.digest]["parts"]] == [
            "linux/amd64", "linux/arm64",
        ]  # fmt: skip
        assert solo["here"] is True
        assert [nodes[part["digest"]]["kind"] for part in solo["parts"]] == ["blob"] * 3
        (notes,) = [n for n in command.answer("tree", "lay")["nodes"] if n["artifactType"] == NOTES]
        assert notes["subject"] == index.digest
        assert [part["title"] for part in notes["parts"]] == [None, "notes.txt"]

    def test_a_repository(self, command: Command, layout: Layout, registry: str) -> None:
        """A repository is drawn from its tags, and not asked whether it has the content."""
        assert command.lines("tree", registry, "v1") != command.lines("tree", "lay", "v1")
        graph = command.answer("tree", registry)
        assert [root["name"] for root in graph["roots"]] == ["solo", "v1"]
        assert {node["here"] for node in graph["nodes"]} == {None}
        assert layout.resolve("solo").digest in [node["digest"] for node in graph["nodes"]]


class TestReferrers:
    def test_who_refers(self, command: Command, layout: Layout) -> None:
        """Referrers are listed with their type, by name and by digest."""
        notes, index = layout.entries()[2].descriptor, layout.resolve("v1")
        assert command.lines("referrers", "lay", "v1") == [
            f"DIGEST{' ' * 16}TYPE{' ' * 28}SIZE",
            f"{notes.digest[:19]}   {NOTES}   {notes.size} B",
        ]
        expected = [
            {
                "digest": notes.digest,
                "mediaType": OCI_MANIFEST,
                "size": notes.size,
                "artifactType": NOTES,
                "annotations": {},
            }
        ]
        assert command.answer("referrers", "lay", "v1") == expected
        assert command.answer("referrers", f"oci:lay@{index.digest}", "--type", NOTES) == expected
        assert command.answer("referrers", "lay", "v1", "--type", "text/plain") == []

    def test_without_referrers(self, command: Command, layout: Layout) -> None:
        """The content may be missing; where it has no referrers the text says so."""
        absent = Digest.of(b"absent")
        assert command.text("referrers", "lay", absent) == f"Nothing refers to {absent}\n"
        assert layout.tags() == ("solo", "v1")

    def test_a_repository(self, command: Command, registry: str) -> None:
        """A registry is asked by its referrers API."""
        (found,) = command.answer("referrers", registry, "v1")
        assert found["artifactType"] == NOTES


class TestPlaces:
    def test_an_archive_is_like_a_layout(self, command: Command, layout: Layout) -> None:
        """All verbs that read a layout read an archive: by path, locator and from a pipe."""
        write_archive(layout, None, "lay.tar")
        for verb in (["tree"], ["referrers"], ["inspect"]):
            name = [] if verb == ["tree"] else ["v1"]
            expected = command.answer(*verb, "lay", *name)
            assert command.answer(*verb, "lay.tar", *name) == expected
            assert command.answer(*verb, "oci-archive:lay.tar", *name) == expected
        data = command.folder.joinpath("lay.tar").read_bytes()
        assert command.text("tree", "-", stdin=data) == command.text("tree", "lay")
        (row, *_) = command.answer("ls", "lay.tar")
        assert (row["complete"], row["createdFrom"]) == (True, "config")
        assert command.run("cat", "oci-archive:lay.tar:solo").stdout_bytes == layout.blobs.read(
            layout.resolve("solo")
        )

    def test_the_only_entry(self, command: Command, layout: Layout, registry: str) -> None:
        """Without a name the only entry is meant; of several, the error lists them."""
        only = Layout.create("only")
        assert command.error("cat", "only") == "oci:only has no entry"
        copy(layout, str(layout.resolve("solo").digest), only)
        assert command.run("cat", "only").stdout_bytes == layout.blobs.read(layout.resolve("solo"))
        (untagged,) = [entry for entry in layout.entries() if entry.name is None]
        assert command.error("cat", "lay") == (
            f"oci:lay has 3 entries; say which: 'solo', 'v1', {untagged.descriptor.digest}"
        )
        assert (
            command.error("cat", registry) == f"{registry} has 2 entries; say which: 'solo', 'v1'"
        )

    def test_many_names(self, command: Command, layout: Layout) -> None:
        """An error lists some names and counts the others."""
        with layout.edit() as edit:
            for number in range(20):
                edit.tag(f"n{number:02}", layout.resolve("v1"))
        error = command.error("cat", "lay", "other")
        assert error.endswith("'n08', 'n09', 12 more")

    def test_beginnings_of_digests(self, command: Command, layout: Layout) -> None:
        """A beginning must be unique and long enough; a name that looks like one comes first."""
        digest = layout.resolve("v1").digest
        assert "there is no entry named" in command.error("cat", "lay", digest[:12])
        assert command.answer("inspect", "lay", digest[:13])["digest"] == digest
        layout.tag(digest[:13], layout.resolve("solo"))
        assert command.answer("inspect", "lay", digest[:13])["name"] == digest[:13]
        texts = (f"{number}".encode() for number in range(100_000))
        seen: dict[str, bytes] = {}
        for text in texts:
            other = seen.setdefault(Digest.of(text)[:13], text)
            if other != text:
                break
        for data in (text, other):
            layout.blobs.put(data, media_type=OCI_LAYER)
        error = command.error("cat", "lay", Digest.of(text)[:13])
        one, two = sorted((Digest.of(text), Digest.of(other)))
        common = len(os.path.commonprefix([one, two]))  # noqa: RUF071 # characters are meant
        assert error == (
            f"2 digests begin with {Digest.of(text)[:13]};"
            f" write more of one: {one[: common + 4]}, {two[: common + 4]}"
        )

    @pytest.mark.parametrize("algorithm", ["sha256:", ""], ids=["with", "without"])
    def test_what_tables_show_is_taken_by_every_verb(
        self, command: Command, layout: Layout, algorithm: str
    ) -> None:
        """The first 12 digits mean the digest, with or without its algorithm, also in a locator."""
        image = layout.resolve("solo")
        beginning = algorithm + image.digest.encoded[:12]
        for verb in ("ls", "inspect", "tree", "referrers"):
            command.text(verb, "lay", beginning)
            command.text(verb, f"oci:lay:{beginning}")
        assert command.text("cat", "lay", beginning) == layout.blobs.read(image).decode()
        command.text("cp", f"oci:lay:{beginning}", "oci:one")
        command.text("cp", f"oci:lay:{beginning}", "oci-archive:one.tar:named")
        command.text("cp", f"oci-archive:one.tar:{beginning}", "oci:two:new")
        assert Layout.open("two").resolve("new") == image
        if algorithm:
            command.text("cat", f"oci:lay@{beginning}")
        command.text("tag", "lay", beginning, "again")
        command.text("annotate", "lay", f"solo@{beginning}", "a.b=c")
        command.text("untag", "lay", f"solo@{beginning}")
        assert "solo" not in layout.tags()
        command.text("rm", "lay", beginning)
        assert layout.tags() == ("v1",)

    def test_digits_without_an_algorithm(self, command: Command, layout: Layout) -> None:
        """Fewer than 12 of them are a name, a name comes first, and several digests are refused."""
        digits = layout.resolve("solo").digest.encoded[:12]
        assert "there is no entry named" in command.error("cat", "lay", digits[:11])
        Layout.open("lay").tag(digits, layout.resolve("v1"))
        assert command.answer("inspect", "lay", digits)["name"] == digits
        for end in ("0" * 52, "1" * 52):
            layout.path.joinpath("blobs/sha256", "abcdefabcdef" + end).touch()
        error = command.error("cat", "lay", "abcdefabcdef")
        assert error == (
            "2 digests begin with abcdefabcdef; write more of one:"
            " sha256:abcdefabcdef0000, sha256:abcdefabcdef1111"
        )

    def test_a_registry_takes_whole_digests(self, command: Command) -> None:
        """The beginning of one is refused before anything is asked."""
        error = command.error("cat", "docker://127.0.0.1:1/a", "sha256:44136fa355b3")
        assert "a registry finds content by a whole one" in error

    def test_names_are_given_once(self, command: Command, layout: Layout) -> None:
        """A name in the locator and another as an argument is wrong use."""
        assert "oci:lay:v1 already has a name in it" in command.misuse("cat", "oci:lay:v1", "v1")
        assert layout.tags()

    @pytest.mark.parametrize("verb", ["ls", "inspect", "cat", "tree", "referrers"])
    def test_missing_sources(self, command: Command, verb: str) -> None:
        """A missing path, a folder without a layout, and a file that is not a tar are errors."""
        command.folder.joinpath("file").write_text("x")
        error = command.error(verb, "nowhere")
        assert error.endswith("/nowhere is not an OCI image layout: there is nothing at this path")
        assert "oci-layout is missing" in command.error(verb, ".")
        assert command.error(verb, "file")
        assert "has an empty path" in command.misuse(verb, "oci:")
        assert "is not a valid repository" in command.misuse(verb, "docker://a/B:c:d")

    def test_options_that_mean_nothing(self, command: Command, layout: Layout) -> None:
        """Options for registries are refused for layouts, as are those for archives."""
        write_archive(layout, ["v1"], "a.tar")
        for source, option in (
            ("lay", ["--plain-http"]),
            ("a.tar", ["--ca-file", "x"]),
            ("lay", ["--timeout", "3"]),
            ("lay", ["--username", "x"]),
            ("a.tar", ["--password-stdin"]),
        ):
            said = command.misuse("ls", source, *option)
            assert f"{option[0]} is for a registry, and oci" in said
        said = command.misuse("ls", "lay", "--unpack-limit", "1MiB")
        assert "--unpack-limit is for an archive, and oci:lay is not one" in said
        assert command.lines("ls", "-q", "a.tar", "--unpack-limit", "1MiB") == ["v1"]
        assert "is not a size" in command.misuse("ls", "a.tar", "--unpack-limit", "much")

    def test_terminal_escapes_are_shown(self, command: Command, layout: Layout) -> None:
        """A name cannot command the terminal: control characters are escaped everywhere."""
        with Layout.open("lay", strict_names=False).edit() as edit:
            edit.tag("a\x1b[2J\n\x9bb", layout.resolve("v1"))
        shown = "a\\x1b[2J\\n\\x9bb"
        for arguments in (["ls", "lay"], ["ls", "-q", "lay"], ["tree", "lay"]):
            assert any(line.startswith(shown) for line in command.lines(*arguments))
        answered = command.run("ls", "lay", "--json").stdout
        assert "\x9b" not in answered
        assert json.loads(answered)[0]["name"] == "a\x1b[2J\n\x9bb"
        assert "\x1b" not in command.error("cat", "lay", "\x1b")
