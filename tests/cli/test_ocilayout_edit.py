"""The verbs of `ocilayout` that change names."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
from typing import TYPE_CHECKING

import pytest

from ocilayout import Digest, Index, Layout, write_archive
from ocilayout.cli.terminal import size_text
from tests.cli.conftest import put_image, share_name

if TYPE_CHECKING:
    from pathlib import Path

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
            "moved": [],
            "dryRun": False,
        }

    def test_a_name_that_moves(self, command: Command, layout: Layout) -> None:
        """The answer has the names that meant other content, and what that was."""
        old, new = layout.resolve("solo").digest, layout.resolve("v1").digest
        assert command.lines("tag", "lay", "v1", "v1", "solo", "fresh") == [
            f"Tagged {new[:19]} as v1, solo, fresh",
            f"solo was {old[:19]}",
        ]
        assert command.answer("tag", "lay", old, "solo")["moved"] == [
            {"name": "solo", "digest": new}
        ]

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
        assert command.answer("untag", "lay", "v1") == {"untagged": ["v1"], "dryRun": False}
        assert layout.tags() == ("solo",)


class TestAnnotate:
    def test_setting_and_removing(self, command: Command, layout: Layout) -> None:
        """Keys are set and removed, and the answer has the annotations after it."""
        assert command.text("annotate", "lay", "v1", "b=2", "a=x=y") == "a=x=y\nb=2\n"
        assert command.answer("annotate", "lay", "v1", "c=", "--remove", "b", "--remove", "x") == {
            "name": "v1",
            "annotations": {"a": "x=y", "c": ""},
            "dryRun": False,
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
        assert command.lines("rm", "lay", "other", "solo", "other") == [
            "Removed other, solo: 0 blobs, 0 B freed",
            "2.6 KiB stay, held by v1 and 1 untagged entry",
            "To free what no tag needs, once it is an hour old: ocilayout gc --untagged prune lay",
        ]
        assert layout.tags() == ("v1",)
        assert set(layout.blobs) == before

    def test_blobs_go(self, command: Command, layout: Layout) -> None:
        """Blobs that nothing else reaches are deleted."""
        blob = layout.blobs.put(b"three", media_type="text/plain")
        layout.tag("blob", blob)
        assert command.answer("rm", "lay", "blob") == {
            "removed": ["blob"],
            "blobs": [blob.digest],
            "freed": 5,
            "kept": 0,
            "heldBy": [],
            "dryRun": False,
        }
        assert blob.digest not in layout.blobs
        assert "'nope'" in command.error("rm", "lay", "solo", "nope")
        assert "solo" in layout.tags()

    def test_what_holds_the_rest(self, command: Command, layout: Layout) -> None:
        """Parts with names, referrers and other tags are told apart, with what frees them."""
        index, part = layout.resolve("v1"), layout.resolve("solo")
        referrer = layout.entries()[-1].descriptor
        said = command.answer("rm", "lay", "v1", "--dry-run")
        assert [(one["name"], one["digest"], one["how"]) for one in said["heldBy"]] == [
            ("solo", part.digest, "part"),
            (None, referrer.digest, "referrer"),
        ]
        assert (said["freed"], said["blobs"]) == (0, [])
        assert command.lines("rm", "lay", "v1")[1:] == [
            f"{size_text(said['kept'])} stay, held by solo and 1 untagged entry",
            "To free what no tag needs, once it is an hour old: ocilayout gc --untagged prune lay",
            "To remove its parts and referrers: ocilayout rm lay solo",
        ]
        assert index.digest in layout.blobs
        command.text("gc", "--untagged", "prune", "--grace", "0s", "lay")
        assert set(layout.blobs) == {one.digest for one in layout.walk(part)}

    def test_children_that_are_entries(self, command: Command) -> None:
        """Layouts of oras-go list the children of an index: it says so, and the command frees."""
        layout = Layout.create("oras dir")
        images = [put_image(layout, "amd64", b"one"), put_image(layout, "arm64", b"two")]
        layout.tag("v1", layout.put_manifest(Index(manifests=images)))
        with layout.edit() as edit:
            for image in images:
                edit.add(image)
        said = command.lines("rm", "oras dir", "v1")
        assert said[0].startswith("Removed v1: 1 blob, ")
        assert said[1].endswith(" stay, held by 2 untagged entries")
        verb, *arguments = shlex.split(said[2].partition(": ocilayout ")[2])
        command.text(verb, *arguments, "--grace", "0s")
        assert set(layout.blobs) == set()

    def test_a_blob_that_cannot_be_deleted(
        self, command: Command, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error says that the entry is gone all the same, and what deletes the rest."""
        layout.tag("blob", layout.blobs.put(b"three", media_type="text/plain"))

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "unlink", refuse)
        error = command.error("rm", "lay", "blob")
        assert "cannot delete" in error
        assert "the entries are removed all the same, and a garbage collection deletes" in error
        assert "blob" not in layout.tags()


class TestDryRun:
    """A dry run says what would happen; it takes no lock and writes nothing."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["rm", "lay", "blob"], ["Would remove blob: 1 blob, 5 B freed"]),
            (["untag", "lay", "v1", "solo"], ["Would untag v1, solo"]),
            (["tag", "lay", "blob", "solo"], ["Would tag {blob} as solo", "solo is {solo}"]),
            (["tag", "lay", "blob", "new"], ["Would tag {blob} as new"]),
            (["annotate", "lay", "v1", "a=b"], ["Would leave v1 with:", "a=b"]),
        ],
    )
    def test_nothing_is_written(
        self, command: Command, layout: Layout, arguments: list[str], said: list[str]
    ) -> None:
        """No file is made or changed, also where another writer holds the lock."""
        layout.tag("blob", layout.blobs.put(b"three", media_type="text/plain"))
        digests = {name: layout.resolve(name).digest[:19] for name in ("blob", "solo")}
        expected = [line.format(**digests) for line in said]
        layout.path.joinpath("index.json.lock").unlink()
        before = state(layout.path)
        assert command.lines(*arguments, "--dry-run") == expected
        assert command.answer(*arguments, "--dry-run")["dryRun"]
        assert state(layout.path) == before
        with layout.path.joinpath("index.json.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert command.lines(*arguments, "--dry-run", "--lock-timeout", "0") == expected

    @pytest.mark.usefixtures("layout")
    @pytest.mark.parametrize("verb", ["rm", "untag"])
    def test_what_would_fail(self, command: Command, verb: str) -> None:
        """An error is the same as without it."""
        assert command.error(verb, "lay", "nope", "--dry-run") == command.error(verb, "lay", "nope")
        assert "grammar" in command.error("tag", "lay", "v1", "._", "--dry-run")
        key = "org.opencontainers.image.ref.name=x"
        assert "the name itself" in command.error("annotate", "lay", "v1", key, "--dry-run")


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what would show a change of any file in a folder."""
    return {
        str(path.relative_to(folder)): (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        for path in [folder, *folder.rglob("*")]
        for status in [path.lstat()]
    }


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
