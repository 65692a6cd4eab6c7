"""The verbs of `ocilayout` that change names."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from ocilayout import Digest, Layout, write_archive
from tests.cli.conftest import share_name

if TYPE_CHECKING:
    from tests.cli.conftest import Command


class TestInit:
    def test_a_new_layout(self, command: Command) -> None:
        """A folder and its parents are created, and a layout is never created twice."""
        assert command.text("init", "a/b") == "Created an empty layout in a/b\n"
        assert Layout.open("a/b").entries() == ()
        assert command.answer("init", "oci:c") == {"path": "c"}
        assert command.error("init", "c").endswith("/c is a layout already; open it")

    def test_durability(self, command: Command) -> None:
        """A layout is created with either durability; any other is wrong use."""
        command.text("init", "a", "--durability", "none")
        assert "'some' is not one of 'commit', 'none'" in command.misuse(
            "init", "b", "--durability", "some"
        )


class TestTag:
    def test_new_names(self, command: Command, layout: Layout) -> None:
        """Content gets all new names, without the annotations of the old one."""
        layout.annotate("v1", {"org.example.team": "core"})
        digest = layout.resolve("v1").digest
        assert command.text("tag", "lay", "v1", "v2", "latest") == (
            f"Tagged {digest[:19]} as v2, latest\n"
        )
        assert layout.tags() == ("latest", "solo", "v1", "v2")
        assert dict(layout.entry("v2").annotations) == {}
        assert command.answer("tag", "lay", "v1", "v3") == {
            "names": ["v3"],
            "digest": digest,
            "mediaType": layout.resolve("v1").media_type,
            "size": layout.resolve("v1").size,
        }

    def test_by_digest_with_annotations(self, command: Command, layout: Layout) -> None:
        """A digest, or its beginning, is a target, and the new entries have the annotations."""
        digest = layout.entries()[2].descriptor.digest
        command.text(
            "tag", "lay", digest[:20], "notes", "--annotation", "a=b=c", "--annotation", "d="
        )
        assert layout.resolve("notes").digest == digest
        assert dict(layout.entry("notes").annotations) == {"a": "b=c", "d": ""}
        assert "is not an annotation; write KEY=VALUE" in command.misuse(
            "tag", "lay", "v1", "v2", "--annotation", "x"
        )

    def test_all_names_or_none(self, command: Command, layout: Layout) -> None:
        """A name outside the grammar is refused and nothing changes; `--any-name` writes most."""
        assert "outside the ref.name grammar" in command.error("tag", "lay", "v1", "v2", "._")
        assert layout.tags() == ("solo", "v1")
        command.text("tag", "lay", "v1", "a b", "--any-name")
        assert layout.tags() == ("a b", "solo", "v1")
        digest = str(Digest.of(b""))
        assert "reads as a digest" in command.error("tag", "lay", "v1", digest, "--any-name")

    def test_a_missing_name(self, command: Command, layout: Layout) -> None:
        """The error about a missing name lists the names that exist."""
        assert command.error("tag", "lay", "x", "y") == (
            "there is no entry named 'x'; there are 'solo', 'v1'"
        )
        assert layout.tags() == ("solo", "v1")


class TestUntag:
    def test_content_stays(self, command: Command, layout: Layout) -> None:
        """Names are removed, also if given twice; their content stays as untagged entries."""
        digests = {layout.resolve(name).digest for name in layout.tags()}
        assert command.text("untag", "lay", "v1", "solo", "v1") == "Untagged v1, solo\n"
        assert layout.tags() == ()
        assert digests < {entry.descriptor.digest for entry in layout.entries()}
        assert command.error("untag", "lay", "v1") == (
            "there is no entry named 'v1'; there are no names"
        )

    def test_for_programs(self, command: Command, layout: Layout) -> None:
        """The JSON lists the names that were removed; a missing one removes none."""
        assert "'nope'" in command.error("untag", "lay", "v1", "nope")
        assert command.answer("untag", "lay", "v1") == {"untagged": ["v1"]}
        assert layout.tags() == ("solo",)


class TestAnnotate:
    def test_setting_and_removing(self, command: Command, layout: Layout) -> None:
        """Keys are set and removed, and the answer has the annotations after it."""
        assert command.text("annotate", "lay", "v1", "b=2", "a=x=y") == "a=x=y\nb=2\n"
        assert command.answer("annotate", "lay", "v1", "c=", "--remove", "b", "--remove", "x") == {
            "name": "v1",
            "annotations": {"a": "x=y", "c": ""},
        }
        assert dict(layout.entry("v1").annotations) == {"a": "x=y", "c": ""}
        said = command.text("annotate", "lay", "v1", "--remove", "a", "--remove", "c")
        assert said == "No annotations\n"

    def test_misuse(self, command: Command, layout: Layout) -> None:
        """No change, text that is not an annotation, and the key of the name are usage errors."""
        assert "nothing to change" in command.misuse("annotate", "lay", "v1")
        assert "write KEY=VALUE" in command.misuse("annotate", "lay", "v1", "=x")
        assert "the name itself" in command.error(
            "annotate", "lay", "v1", "org.opencontainers.image.ref.name=x"
        )
        assert "'nope'" in command.error("annotate", "lay", "nope", "a=b")
        assert layout.tags() == ("solo", "v1")


class TestRm:
    def test_what_others_need_stays(self, command: Command, layout: Layout) -> None:
        """Entries are removed, also if given twice; blobs that another entry reaches stay."""
        before = set(layout.blobs)
        layout.tag("other", layout.resolve("solo"))
        assert command.text("rm", "lay", "other", "solo", "other") == "Removed other, solo\n"
        assert layout.tags() == ("v1",)
        assert set(layout.blobs) == before

    def test_blobs_go(self, command: Command, layout: Layout) -> None:
        """Blobs that nothing else reaches are deleted."""
        blob = layout.blobs.put(b"three", media_type="text/plain")
        layout.tag("blob", blob)
        assert command.answer("rm", "lay", "blob") == {"removed": ["blob"]}
        assert blob.digest not in layout.blobs
        assert "'nope'" in command.error("rm", "lay", "solo", "nope")
        assert "solo" in layout.tags()


@pytest.mark.parametrize(
    "arguments",
    [["tag", "v1", "v2"], ["untag", "v1"], ["annotate", "v1", "a=b"], ["rm", "v1"]],
)
class TestFolders:
    def test_another_writer(self, command: Command, layout: Layout, arguments: list[str]) -> None:
        """An edit that waits too long for the lock fails, and nothing changes."""
        before = layout.path.joinpath("index.json").read_bytes()
        verb, *rest = arguments
        with layout.path.joinpath("index.json.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            error = command.error(verb, "lay", *rest, "--lock-timeout", "0")
        assert "was held by another writer for 0" in error
        assert layout.path.joinpath("index.json").read_bytes() == before

    def test_what_is_not_a_folder(
        self, command: Command, layout: Layout, arguments: list[str]
    ) -> None:
        """An archive, a registry, and a locator with a name are usage errors."""
        verb, *rest = arguments
        write_archive(layout, ["v1"], "a.tar")
        for path in ("a.tar", "oci-archive:a.tar", "docker://localhost/a"):
            assert f"'{path}' is not a folder" in command.misuse(verb, path, *rest)
        assert "has a name in it" in command.misuse(verb, "oci:lay:v1", *rest)
        command.text(verb, "oci:lay", *rest)


@pytest.mark.spec("annotations:same-name")
class TestEqualNames:
    """Two images under one name, as `docker save alpine busybox` writes them."""

    @pytest.fixture
    def equal(self, layout: Layout) -> tuple[str, str]:
        """Return the digests of two images named `latest`, with full names, in `lay`."""
        return share_name(layout, "example.org/one:latest", "example.org/two:latest")

    @pytest.mark.parametrize(
        "arguments",
        [["rm", "latest"], ["untag", "latest"], ["annotate", "latest", "a=b"]],
        ids=lambda arguments: str(arguments[0]),
    )
    def test_by_the_short_name_nothing_happens(
        self, command: Command, layout: Layout, equal: tuple[str, str], arguments: list[str]
    ) -> None:
        """An edit of the common name is refused in a line that says how to name one."""
        before = layout.path.joinpath("index.json").read_bytes()
        error = command.error(arguments[0], "lay", *arguments[1:])
        assert f"{equal[0]} (example.org/one:latest)" in error
        assert f"such as example.org/one:latest, or as latest@{equal[0]}" in error
        assert command.error("tag", "lay", equal[0], "latest").startswith("'latest' names diff")
        assert layout.path.joinpath("index.json").read_bytes() == before

    @pytest.mark.parametrize("form", ["full", "pinned", "short pinned", "digest", "short"])
    def test_every_verb_takes_every_way_to_name_one(
        self, command: Command, layout: Layout, equal: tuple[str, str], form: str
    ) -> None:
        """Full name, NAME@DIGEST and digest, in full or abbreviated, mean the same image."""
        one, two = equal
        ref = {
            "full": "example.org/one:latest",
            "pinned": f"latest@{one}",
            "short pinned": f"latest@{one[:20]}",
            "digest": one,
            "short": one[:20],
        }[form]
        assert command.answer("inspect", f"oci:lay:{ref}")["digest"] == one
        assert command.answer("ls", "lay", ref)[0]["digest"] == one
        assert command.answer("tree", "lay", ref)["roots"][0]["digest"] == one
        assert command.run("cat", "lay", ref).stdout_bytes
        assert f"Nothing refers to {one}" in command.text("referrers", "lay", ref)
        assert command.answer("tag", "lay", ref, "one")["digest"] == one
        command.text("untag", "lay", "one")
        assert command.answer("annotate", "lay", ref, "a=b")["annotations"]["a"] == "b"
        assert [entry.annotations.get("a") for entry in layout.entries()[-2:]] == ["b", None]
        command.text("untag", "lay", ref)
        assert layout.resolve("latest").digest == two
        assert one in command.answer("ls", "-q", "lay")
        command.text("rm", "lay", one[:20])
        assert one not in layout.blobs
        assert layout.resolve("latest").digest == two

    def test_removing_by_the_full_name(
        self, command: Command, layout: Layout, equal: tuple[str, str]
    ) -> None:
        """The image is deleted with its content, and the other one keeps the name."""
        command.text("rm", "lay", "example.org/one:latest")
        assert equal[0] not in layout.blobs
        assert layout.resolve("latest").digest == equal[1]
        error = command.error("rm", "lay", f"latest@{equal[0]}")
        assert error.startswith(
            f"'latest' does not name {equal[0]}, it names {equal[1]}; there are"
        )

    def test_the_full_name_itself_can_be_changed(
        self, command: Command, layout: Layout, equal: tuple[str, str]
    ) -> None:
        """The answer has the annotations of the entry, though its old name no longer finds it."""
        key = "io.containerd.image.name"
        changed = command.answer("annotate", "lay", "example.org/one:latest", f"{key}=x/y:1")
        assert changed["annotations"] == {key: "x/y:1"}
        assert layout.resolve("x/y:1").digest == equal[0]
        assert command.answer("annotate", "lay", "x/y:1", "--remove", key)["annotations"] == {}

    def test_listing(self, command: Command, layout: Layout, equal: tuple[str, str]) -> None:
        """Tables show the full name where the name is ambiguous, and the JSON has both."""
        rows = [(row["name"], row["fullName"]) for row in command.answer("ls", "lay")]
        assert rows[:2] == [
            ("latest", "example.org/one:latest"),
            ("latest", "example.org/two:latest"),
        ]
        shown = command.lines("ls", "lay")
        assert [line.split()[0] for line in shown[1:3]] == [
            "example.org/one:latest",
            "example.org/two:latest",
        ]
        assert command.answer("ls", "-q", "lay")[:2] == [
            "example.org/one:latest",
            "example.org/two:latest",
        ]
        assert command.lines("tree", "lay")[0].startswith("example.org/one:latest  manifest")
        said = command.answer("inspect", "lay", f"latest@{equal[1]}")
        assert (said["name"], said["fullName"]) == ("latest", "example.org/two:latest")
        assert command.lines("inspect", "lay", f"latest@{equal[1]}")[0] == (
            "name    example.org/two:latest"
        )
        layout.untag("example.org/one:latest")
        assert command.lines("inspect", "lay", "latest")[0] == "name    latest"

    def test_an_entry_with_a_full_name_alone_is_not_untagged(
        self, command: Command, layout: Layout
    ) -> None:
        """It is listed by that name, and neither a collection nor a repair takes it."""
        digest, _ = share_name(layout, "example.org/one:1", None, name="")
        assert command.answer("ls", "-q", "--no-untagged", "lay")[0] == "example.org/one:1"
        assert digest in layout.blobs
        pruned = command.answer("gc", "lay", "--untagged", "prune", "--grace", "0s")
        assert pruned["dropped"]
        assert digest not in pruned["dropped"]
        assert command.run("cat", "lay", "example.org/one:1").stdout_bytes
        layout.blobs.path(Digest.parse(digest)).unlink()
        command.run("repair", "lay")
        assert "example.org/one:1" in command.answer("ls", "-q", "lay")
