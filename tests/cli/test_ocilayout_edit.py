"""The verbs of `ocilayout` that change names."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from ocilayout import Digest, Layout, write_archive

if TYPE_CHECKING:
    from tests.cli.conftest import Command


class TestInit:
    def test_a_new_layout(self, command: Command) -> None:
        """A folder becomes an empty layout, with its parents, and is never made one twice."""
        assert command.text("init", "a/b") == "Made an empty layout in a/b\n"
        assert Layout.open("a/b").entries() == ()
        assert command.answer("init", "oci:c") == {"path": "c"}
        assert command.error("init", "c").endswith("/c is a layout already; open it")

    def test_durability(self, command: Command) -> None:
        """It is written either way, and any other way is wrong use."""
        command.text("init", "a", "--durability", "none")
        assert "'some' is not one of 'commit', 'none'" in command.misuse(
            "init", "b", "--durability", "some"
        )


class TestTag:
    def test_new_names(self, command: Command, layout: Layout) -> None:
        """Content gets all new names, without what is noted at the old one."""
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
        """A digest, or its beginning, is a target, and the new entries have what is noted."""
        digest = layout.entries()[2].descriptor.digest
        command.text(
            "tag", "lay", digest[:20], "notes", "--annotation", "a=b=c", "--annotation", "d="
        )
        assert layout.resolve("notes").digest == digest
        assert dict(layout.entry("notes").annotations) == {"a": "b=c", "d": ""}
        assert "is no annotation; write KEY=VALUE" in command.misuse(
            "tag", "lay", "v1", "v2", "--annotation", "x"
        )

    def test_all_names_or_none(self, command: Command, layout: Layout) -> None:
        """A name that must not be written leaves all as it was; `--any-name` writes most."""
        assert "outside the ref.name grammar" in command.error("tag", "lay", "v1", "v2", "._")
        assert layout.tags() == ("solo", "v1")
        command.text("tag", "lay", "v1", "a b", "--any-name")
        assert layout.tags() == ("a b", "solo", "v1")
        digest = str(Digest.of(b""))
        assert "reads as a digest" in command.error("tag", "lay", "v1", digest, "--any-name")

    def test_what_is_not_there(self, command: Command, layout: Layout) -> None:
        """A name that is not there is told with those that are."""
        assert command.error("tag", "lay", "x", "y") == (
            "there is no entry named 'x'; there are 'solo', 'v1'"
        )
        assert layout.tags() == ("solo", "v1")


class TestUntag:
    def test_content_stays(self, command: Command, layout: Layout) -> None:
        """Names go, also when given twice, and their content is there without one."""
        digests = {layout.resolve(name).digest for name in layout.tags()}
        assert command.text("untag", "lay", "v1", "solo", "v1") == "Untagged v1, solo\n"
        assert layout.tags() == ()
        assert digests < {entry.descriptor.digest for entry in layout.entries()}
        assert command.error("untag", "lay", "v1") == (
            "there is no entry named 'v1'; there are no names"
        )

    def test_for_programs(self, command: Command, layout: Layout) -> None:
        """The JSON lists the names that went; one that is not there keeps all."""
        assert "'nope'" in command.error("untag", "lay", "v1", "nope")
        assert command.answer("untag", "lay", "v1") == {"untagged": ["v1"]}
        assert layout.tags() == ("solo",)


class TestAnnotate:
    def test_setting_and_removing(self, command: Command, layout: Layout) -> None:
        """Keys are set and taken away, and what is noted then is the answer."""
        assert command.text("annotate", "lay", "v1", "b=2", "a=x=y") == "a=x=y\nb=2\n"
        assert command.answer("annotate", "lay", "v1", "c=", "--remove", "b", "--remove", "x") == {
            "name": "v1",
            "annotations": {"a": "x=y", "c": ""},
        }
        assert dict(layout.entry("v1").annotations) == {"a": "x=y", "c": ""}
        said = command.text("annotate", "lay", "v1", "--remove", "a", "--remove", "c")
        assert said == "Nothing is noted\n"

    def test_misuse(self, command: Command, layout: Layout) -> None:
        """Nothing to change, and what is no annotation, are wrong use; the name is no key."""
        assert "nothing to change" in command.misuse("annotate", "lay", "v1")
        assert "write KEY=VALUE" in command.misuse("annotate", "lay", "v1", "=x")
        assert "the name itself" in command.error(
            "annotate", "lay", "v1", "org.opencontainers.image.ref.name=x"
        )
        assert "'nope'" in command.error("annotate", "lay", "nope", "a=b")
        assert layout.tags() == ("solo", "v1")


class TestRm:
    def test_what_others_need_stays(self, command: Command, layout: Layout) -> None:
        """Names go, also when given twice, and what another entry reaches does not."""
        before = set(layout.blobs)
        layout.tag("other", layout.resolve("solo"))
        assert command.text("rm", "lay", "other", "solo", "other") == "Removed other, solo\n"
        assert layout.tags() == ("v1",)
        assert set(layout.blobs) == before

    def test_blobs_go(self, command: Command, layout: Layout) -> None:
        """What nothing else reaches is deleted."""
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
        """Who holds the lock for longer than is waited makes an edit fail, and nothing changes."""
        before = layout.path.joinpath("index.json").read_bytes()
        verb, *rest = arguments
        with layout.path.joinpath("index.json.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            error = command.error(verb, "lay", *rest, "--lock-timeout", "0")
        assert "was held by another writer for 0" in error
        assert layout.path.joinpath("index.json").read_bytes() == before

    def test_what_is_no_folder(
        self, command: Command, layout: Layout, arguments: list[str]
    ) -> None:
        """An archive, a registry, and a locator with a name are wrong use."""
        verb, *rest = arguments
        write_archive(layout, ["v1"], "a.tar")
        for path in ("a.tar", "oci-archive:a.tar", "docker://localhost/a"):
            assert f"'{path}' is no folder" in command.misuse(verb, path, *rest)
        assert "has a name in it" in command.misuse(verb, "oci:lay:v1", *rest)
        command.text(verb, "oci:lay", *rest)
