"""The verb of `ocilayout` that copies."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

import pytest

from ocilayout import Archive, Digest, Layout, write_archive
from ocilayout.registry import Repository
from ocilayout.testing.registry import BasicAuth, LoopbackRegistry
from tests.cli.conftest import share_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    """Return a registry with nothing in it."""
    with LoopbackRegistry() as registry:
        yield registry


def prepared(command: Command, kind: str, registry: LoopbackRegistry) -> str:
    """Return a locator of a layout, an archive or a repository that has `v1` and `solo`."""
    if kind == "layout":
        return "oci:lay"
    if kind == "archive":
        write_archive(Layout.open("lay"), ["v1", "solo"], "lay.tar")
        return "oci-archive:lay.tar"
    locator = f"docker://{registry.host}/from/app"
    for name in ("v1", "solo"):
        command.text("cp", f"oci:lay:{name}", locator)
    return locator


def empty(kind: str, registry: LoopbackRegistry) -> str:
    """Return a locator of a layout, an archive or a repository that does not exist yet."""
    return {
        "layout": "oci:new/lay",
        "archive": "oci-archive:new.tar",
        "registry": f"docker://{registry.host}/to/app",
    }[kind]


KINDS = ("layout", "archive", "registry")


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
class TestDirections:
    def test_one_name(
        self,
        command: Command,
        layout: Layout,
        registry: LoopbackRegistry,
        source: str,
        target: str,
    ) -> None:
        """Content arrives whole, under the given name or else under its own."""
        here, there = prepared(command, source, registry), empty(target, registry)
        command.text("cp", f"{here}:v1", there)
        assert command.answer("ls", "-q", there) == ["v1"]
        said = command.lines("cp", f"{here}:v1", f"{there}:other")
        assert said[0] == f"Copied v1 to {there}:other"
        assert "other" in command.answer("ls", "-q", there)
        assert command.answer("inspect", f"{there}:other")["digest"] == layout.resolve("v1").digest
        for digest in {found.digest for found in layout.walk(layout.resolve("v1"))}:
            assert command.run("cat", there + f"@{digest}").stdout_bytes

    def test_by_digest(
        self,
        command: Command,
        layout: Layout,
        registry: LoopbackRegistry,
        source: str,
        target: str,
    ) -> None:
        """Content copied by its digest arrives whole and without a name."""
        here, there = prepared(command, source, registry), empty(target, registry)
        digest = layout.resolve("solo").digest
        (entry,) = command.answer("cp", f"{here}@{digest}", there)["entries"]
        assert (entry["name"], entry["digest"]) == (None, digest)
        assert command.answer("ls", "-q", there, str(digest)) == [digest]
        said = command.lines("cp", f"{here}@{digest}", there)
        assert said[0] == f"Copied {digest} to {there}@{digest}"

    def test_everything(
        self,
        command: Command,
        layout: Layout,
        registry: LoopbackRegistry,
        source: str,
        target: str,
    ) -> None:
        """`--all` copies every entry under its own name."""
        here, there = prepared(command, source, registry), empty(target, registry)
        found = command.answer("cp", "--all", here, there)
        assert {"solo", "v1"} <= {entry["name"] for entry in found["entries"]}
        assert command.answer("ls", "-q", there)[:2] == ["solo", "v1"]
        assert layout.tags() == ("solo", "v1")

    def test_one_platform(
        self,
        command: Command,
        layout: Layout,
        registry: LoopbackRegistry,
        source: str,
        target: str,
    ) -> None:
        """`--platform` copies the manifest for one platform, under the name of the index."""
        here, there = prepared(command, source, registry), empty(target, registry)
        command.text("cp", f"{here}:v1", there, "--platform", "linux/amd64")
        assert command.answer("inspect", there)["digest"] == layout.resolve("solo").digest


class TestAnswer:
    def test_totals(self, command: Command, layout: Layout) -> None:
        """The answer counts what was copied and what was skipped, in blobs and bytes."""
        content = list(layout.walk(layout.resolve("v1")))
        solo = list(layout.walk(layout.resolve("solo")))
        size = sum(found.size for found in content)
        there = sum(found.size for found in solo)
        command.text("cp", "oci:lay:solo", "oci:new")
        answer = command.answer("cp", "oci:lay:v1", "oci:new:x")
        assert answer == {
            "entries": [
                {
                    "source": "v1",
                    "name": "x",
                    "digest": layout.resolve("v1").digest,
                    "mediaType": layout.resolve("v1").media_type,
                    "size": layout.resolve("v1").size,
                }
            ],
            "copied": len(content) - len(solo),
            "copiedBytes": size - there,
            "skipped": len(solo),
            "skippedBytes": there,
            "failed": [],
            "missing": [],
        }
        assert command.lines("cp", "oci:lay:v1", "oci:again")[1].endswith(" copied (3.8 KiB)")
        assert command.lines("cp", "oci:lay:v1", "oci:again")[1] == (
            f"0 blobs copied (0 B), {len(content)} there already (3.8 KiB)"
        )

    def test_referrers(self, command: Command, layout: Layout) -> None:
        """`--referrers` copies the referrers of the content, too."""
        for there in ("oci:a", "oci-archive:a.tar"):
            command.text("cp", "oci:lay:v1", there, "--referrers")
            assert len(command.answer("referrers", there, "v1")) == 1
        command.text("cp", "oci:lay:v1", "oci:b")
        assert command.answer("referrers", "oci:b", "v1") == []
        assert len(layout.entries()) == 3

    def test_the_only_entry(self, command: Command, layout: Layout) -> None:
        """Without a name the only entry is copied; with several entries it is an error."""
        assert "say which: 'solo', 'v1'" in command.error("cp", "oci:lay", "oci:new")
        command.text("cp", "oci:lay:solo", "oci:new")
        (entry,) = command.answer("cp", "oci:new", "oci:newer")["entries"]
        assert (entry["name"], entry["digest"]) == ("solo", layout.resolve("solo").digest)

    def test_annotations_of_an_entry_are_not_copied(self, command: Command, layout: Layout) -> None:
        """The annotations of an entry belong to its layout, and are not copied."""
        layout.annotate("solo", {"org.example.team": "core"})
        command.text("cp", "oci:lay:solo", "oci:new")
        assert dict(Layout.open("new").entry("solo").annotations) == {}


class TestStreams:
    def test_an_archive_on_a_pipe(self, command: Command, layout: Layout) -> None:
        """`-` is standard input, or standard output, which then has nothing but the archive."""
        done = command.run("cp", "oci:lay:v1", "oci-archive:-")
        assert done.stderr.splitlines()[0] == "Copied v1 to oci-archive:-:v1"
        command.folder.joinpath("a.tar").write_bytes(done.stdout_bytes)
        with Archive.open("a.tar") as archive:
            assert archive.tags() == ("v1",)
        command.run("cp", "oci-archive:-", "oci:new", stdin=done.stdout_bytes)
        assert Layout.open("new").resolve("v1") == layout.resolve("v1")
        done = command.run("cp", "oci:lay:v1", "oci-archive:-", "--json")
        assert json.loads(done.stderr)["entries"][0]["name"] == "v1"

    def test_an_existing_archive(self, command: Command, layout: Layout) -> None:
        """An archive at the target is replaced as a whole."""
        command.text("cp", "oci:lay:v1", "oci-archive:a.tar")
        command.text("cp", "oci:lay:solo", "oci-archive:a.tar:other")
        with Archive.open("a.tar") as archive:
            assert archive.tags() == ("other",)
        assert layout.tags() == ("solo", "v1")

    def test_a_damaged_source_leaves_no_archive(self, command: Command, layout: Layout) -> None:
        """A copy that fails leaves the target as it was."""
        command.text("cp", "oci:lay:v1", "oci-archive:a.tar")
        before = command.folder.joinpath("a.tar").read_bytes()
        layout.blobs.path(Digest.of(b"one")).write_bytes(b"two")
        assert "was promised" in command.error("cp", "oci:lay:solo", "oci-archive:a.tar")
        assert command.folder.joinpath("a.tar").read_bytes() == before


class TestMisuse:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["lay", "oci:new"], "'lay' is not a locator; write oci:PATH[:NAME]"),
            (["oci:lay:v1", "new"], "'new' is not a locator"),
            (["oci:lay:v1", "oci::"], "has an empty path"),
            (["oci:lay:v1", f"oci:new@{Digest.of(b'')}"], "names the target by a digest"),
            (["--all", "oci:lay:v1", "oci:new"], "leave out the name"),
            (["--all", "oci:lay", "oci:new:v1"], "leave out the name"),
            (["oci:lay:v1", "oci-archive:a", "--durability", "none"], "the target is not one"),
            (
                ["oci:lay:v1", "docker://localhost/a", "--lock-timeout", "1"],
                "the target is not one",
            ),
            (["oci:lay:v1", "oci-archive:a", "--any-name"], "--any-name says how a layout"),
            (["oci:lay:v1", "oci-archive:a", "--jobs", "2"], "written in one go"),
            (
                ["oci:lay:v1", "oci:new", "--from-username", "x"],
                "--from-username is for a registry",
            ),
            (["oci:lay:v1", "oci:new", "--to-tls"], "--to-plain-http is for a registry"),
            (["oci:lay:v1", "oci:new", "--to-unpack-limit", "1"], "No such option"),
            (["oci:lay:v1", "oci:new", "--platform", "x"], "is not a valid platform"),
        ],
    )
    def test_arguments_that_contradict_each_other(
        self, command: Command, layout: Layout, arguments: list[str], said: str
    ) -> None:
        """Arguments that contradict each other are a usage error, and nothing is created."""
        assert said in command.misuse("cp", *arguments)
        assert not command.folder.joinpath("new").exists()
        assert layout.tags() == ("solo", "v1")

    def test_names_that_a_target_refuses(
        self, command: Command, layout: Layout, registry: LoopbackRegistry
    ) -> None:
        """A name outside the grammar of layouts needs `--any-name`; a registry takes tags alone."""
        assert "outside the ref.name grammar" in command.error("cp", "oci:lay:v1", "oci:new:a b")
        command.text("cp", "oci:lay:v1", "oci:new:a b", "--any-name")
        assert Layout.open("new").tags() == ("a b",)
        layout.tag("team/app:v1", layout.resolve("solo"))
        error = command.error("cp", "oci:lay:team/app:v1", f"docker://{registry.host}/team/app")
        assert "cannot have these as tags: 'team/app:v1'" in error
        command.text("cp", "oci:lay:team/app:v1", f"docker://{registry.host}/team/app:v1")

    def test_what_is_not_there(
        self, command: Command, layout: Layout, registry: LoopbackRegistry
    ) -> None:
        """A source, a name and a host that do not exist are errors."""
        assert "there is nothing at this path" in command.error("cp", "oci:nowhere:v1", "oci:new")
        assert "'nope'" in command.error("cp", "oci:lay:nope", "oci:new")
        locator = f"docker://{registry.host}/none/app"
        assert "no manifest v1" in command.error("cp", f"{locator}:v1", "oci:new")
        assert "404 (NAME_UNKNOWN" in command.error("cp", locator, "oci:new")
        registry.put_blob("none/app", b"and no tag")
        assert command.error("cp", locator, "oci:new") == f"{locator} has no entry"
        assert "127.0.0.1:1" in command.error("cp", "docker://127.0.0.1:1/a:v1", "oci:new")
        assert not command.folder.joinpath("new").exists()
        assert layout.tags() == ("solo", "v1")


def test_a_repository_is_what_the_library_sees(
    command: Command, layout: Layout, registry: LoopbackRegistry
) -> None:
    """What was copied into a registry can be read by any other client."""
    command.text("cp", "oci:lay:v1", f"docker://{registry.host}/team/app:latest")
    with Repository(f"{registry.host}/team/app") as repository:
        assert repository.resolve("latest") == layout.resolve("v1")


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_another_digest_than_sha256_keeps_it_under_its_tag(
    command: Command, layout: Layout, registry: LoopbackRegistry, algorithm: str
) -> None:
    """The tag means the content that the copy answers; where it cannot, an error says so."""
    data = layout.blobs.read(layout.resolve("v1"))
    root = layout.put_manifest(data, algorithm=algorithm)
    layout.tag("other", root)
    target = f"docker://{registry.host}/team/app:latest"
    (entry,) = command.answer("cp", "oci:lay:other", target)["entries"]
    assert entry["digest"] == registry.tags["team/app", "latest"] == root.digest
    registry.tag_by_digest = False
    error = command.error("cp", "oci:lay:other", f"docker://{registry.host}/team/new:latest")
    assert f"it does not tag {algorithm} digests. Pull it by its digest" in error
    command.error("cp", "--all", "oci:lay", f"docker://{registry.host}/team/new")
    assert [name for name, _ in registry.tags] == ["team/app"]


@pytest.mark.parametrize(
    ("where", "options"),
    [
        (".docker/config.json", []),
        (".config/containers/auth.json", []),
        ("logins", ["--from-authfile", "logins"]),
        ("ca", ["--from-ca-file", "ca"]),
        ("cert", ["--from-client-cert", "cert"]),
        ("certs/a.crt", ["--from-cert-dir", "certs"]),
        ("certs/a.cert", ["--from-cert-dir", "certs"]),
        (".config/containers/certs.d/HOST/a.crt", []),
    ],
)
def test_a_pipe_in_place_of_a_setting_is_named(  # of each by which a registry is reached
    command: Command,
    registry: LoopbackRegistry,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    options: list[str],
) -> None:
    """Logins and certificates, by their usual place and by option: one error, and no waiting."""
    for name in ("DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(command.folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    registry.auth = BasicAuth({"ann": "open-sesame"})
    path = command.folder / where.replace("HOST", registry.host)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    error = command.error("cp", f"docker://{registry.host}/a/b:v1", "oci:new", *options)
    assert "Not a regular file" in error
    assert path.name in error
    assert not (command.folder / "new").exists()


@pytest.mark.spec("annotations:same-name")
class TestEqualNames:
    """All entries of a layout in which one name means two images."""

    TARGETS: Final = ("oci:new", "oci-archive:new.tar")

    @pytest.mark.parametrize("target", TARGETS)
    def test_everything_goes_by_names_that_tell(
        self, command: Command, layout: Layout, target: str
    ) -> None:
        """By the full name where the name is ambiguous or missing, and else as it is."""
        one, two = share_name(layout, "example.org/one:latest", "example.org/two:latest")
        three, _ = share_name(layout, "example.org/three:1", None, name="")
        untagged = {entry.descriptor.digest for entry in layout.entries() if not entry.is_named}
        found = command.answer("cp", "--all", "oci:lay", target)
        assert {entry["name"]: entry["digest"] for entry in found["entries"] if entry["name"]} == {
            "example.org/one:latest": one,
            "example.org/two:latest": two,
            "example.org/three:1": three,
            **{name: layout.resolve(name).digest for name in ("solo", "v1")},
        }
        for name, digest in (("one:latest", one), ("two:latest", two), ("three:1", three)):
            assert command.answer("inspect", f"{target}:example.org/{name}")["digest"] == digest
        there = command.answer("ls", target)
        assert {row["digest"] for row in there if row["name"] is None} == untagged

    @pytest.mark.parametrize("target", [*TARGETS, "docker"])
    def test_equal_names_without_full_ones_are_an_error_before_anything_is_sent(
        self, command: Command, layout: Layout, registry: LoopbackRegistry, target: str
    ) -> None:
        """Of three entries two are equal; the error says what to do, and doing it helps."""
        one, two = share_name(layout, None, None)
        share_name(layout, None, None)
        place = f"docker://{registry.host}/new/app" if target == "docker" else target
        error = command.error("cp", "--all", "oci:lay", place)
        both = f"{one} (linux/amd64), {two} (linux/amd64)"
        assert error.startswith(f"'latest' names different content: {both}; untag latest@")
        assert not [path for path in command.folder.iterdir() if path.name.startswith("new")]
        assert "404" in command.error("ls", f"docker://{registry.host}/new/app")
        command.text("untag", "lay", f"latest@{one}")
        command.text("cp", "--all", "oci:lay", place)
        assert command.answer("inspect", f"{place}:latest")["digest"] == two

    def test_a_registry_has_no_full_names(
        self, command: Command, layout: Layout, registry: LoopbackRegistry
    ) -> None:
        """A full name is not a tag: the error names the entries, and nothing was sent."""
        one, _ = share_name(layout, "example.org/one:latest", "example.org/two:latest")
        place = f"docker://{registry.host}/new/app"
        error = command.error("cp", "--all", "oci:lay", place)
        assert "'example.org/one:latest', 'example.org/two:latest'; copy each by itself" in error
        assert "404" in command.error("ls", place)
        command.text("cp", "oci:lay:example.org/one:latest", f"{place}:one")
        assert command.answer("inspect", f"{place}:one")["digest"] == one
        command.text("cp", f"oci:lay:latest@{one[:20]}", place)
        assert command.answer("inspect", f"{place}:latest")["digest"] == one

    @pytest.mark.parametrize("target", TARGETS)
    def test_one_by_name_and_digest_arrives_under_its_name(
        self, command: Command, layout: Layout, target: str
    ) -> None:
        """NAME@DIGEST chooses the content, and NAME is its name in the target."""
        one, _ = share_name(layout, None, None)
        (entry,) = command.answer("cp", f"oci:lay:latest@{one}", target)["entries"]
        assert (entry["name"], entry["digest"]) == ("latest", one)
        assert command.answer("ls", "-q", target) == ["latest"]

    def test_a_name_that_reads_as_a_digest_is_an_error(
        self, command: Command, layout: Layout
    ) -> None:
        """Its name has other content there; nothing is copied until it is untagged."""
        digest = str(layout.resolve("v1").digest)
        share_name(layout, None, "example.org/two:latest", name=digest)
        error = command.error("cp", "--all", "oci:lay", "oci:new")
        assert "reads as a digest" in error
        assert not command.folder.joinpath("new").exists()

    def test_a_name_that_a_layout_refuses_makes_none(
        self, command: Command, layout: Layout
    ) -> None:
        """A full name outside the grammar is refused before anything is created."""
        share_name(layout, "example.org/a__b:1", "example.org/c:1")
        assert "outside the ref.name grammar" in command.error("cp", "--all", "oci:lay", "oci:new")
        assert not command.folder.joinpath("new").exists()
        assert "outside the ref.name" in command.error(
            "cp", "--all", "oci:lay", "oci-archive:x.tar"
        )
        assert not command.folder.joinpath("x.tar").exists()
        command.text("cp", "--all", "oci:lay", "oci:new", "--any-name")
        assert "example.org/a__b:1" in Layout.open("new").tags()
