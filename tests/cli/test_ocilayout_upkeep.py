"""The verbs of `ocilayout` that keep a layout in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ocilayout import Digest, Layout
from ocilayout.layout import clock
from ocilayout.model.mediatype import OCTET_STREAM

if TYPE_CHECKING:
    from tests.cli.conftest import Command

ONE = Digest.of(b"one")
PLACE = f"blobs/sha256/{ONE.encoded}"


def age(layout: Layout, *digests: Digest) -> None:
    """Make blobs old."""
    for digest in digests:
        os.utime(layout.blobs.path(digest), (0, 0))


class TestCheck:
    def test_nothing_is_wrong(self, command: Command, layout: Layout) -> None:
        """A layout without a fault has no problems."""
        assert command.text("check", "lay") == "no problems\n"
        assert command.answer("check", "lay") == {
            "problems": [], "errors": 0, "warnings": 0, "notes": 0,
        }  # fmt: skip
        assert layout.tags()

    def test_errors(self, command: Command, layout: Layout) -> None:
        """An error is shown with severity, code, place and requirement, and the command fails."""
        layout.blobs.path(ONE).write_bytes(b"two")
        done = command.run("check", "lay", status=1)
        first, *_, last = done.stdout.splitlines()
        assert first.startswith(f"error    digest-mismatch  {PLACE}: ")
        assert first.endswith(" (image-layout:blob-content)")
        assert last == "1 error, 0 warnings, 0 notes"
        assert done.stderr == ""
        found = command.answer("check", "lay", status=1)
        (problem,) = found.pop("problems")
        assert found == {"errors": 1, "warnings": 0, "notes": 0}
        assert (problem["severity"], problem["code"]) == ("error", "digest-mismatch")
        assert (problem["place"], problem["requirement"]) == (PLACE, "image-layout:blob-content")
        assert sorted(problem) == ["code", "message", "place", "requirement", "severity"]

    def test_without_content(self, command: Command, layout: Layout) -> None:
        """`--no-content` does not read blobs that are not documents."""
        layout.blobs.path(ONE).write_bytes(b"two")
        assert command.text("check", "lay", "--no-content") == "no problems\n"

    def test_what_fails(self, command: Command, layout: Layout) -> None:
        """`--fail-on` sets the lowest severity that fails the command; errors always do."""
        layout.blobs.delete(ONE)
        command.run("check", "lay")
        command.run("check", "lay", "--fail-on", "warning")
        command.run("check", "lay", "--fail-on", "note", status=1)
        layout.tag("gone", layout.blobs.put(b"gone", media_type=OCTET_STREAM))
        layout.blobs.delete(Digest.of(b"gone"))
        command.run("check", "lay")
        command.run("check", "lay", "--fail-on", "warning", "--jobs", "1", status=1)
        assert "0 is not in the range" in command.misuse("check", "lay", "--jobs", "0")

    def test_what_is_not_a_layout(self, command: Command) -> None:
        """A folder that is not a layout is checked, too; a missing folder is an error."""
        command.folder.joinpath("empty").mkdir()
        codes = {
            problem["code"] for problem in command.answer("check", "empty", status=1)["problems"]
        }
        assert {"missing-header", "missing-index"} <= codes
        assert command.error("check", "nowhere") == "cannot list nowhere: No such file or directory"


class TestRepair:
    def test_what_is_done_and_left(self, command: Command, layout: Layout) -> None:
        """A dry run shows what a repair does, and a second repair has nothing to do."""
        layout.blobs.path(ONE).write_bytes(b"two")
        planned = command.answer("repair", "lay", "--dry-run", status=1)
        assert [(action["code"], action["place"]) for action in planned["actions"]] == [
            ("digest-mismatch", PLACE)
        ]
        assert (planned["dryRun"], planned["errors"]) == (True, 1)
        assert ONE in layout.blobs
        dry = command.run("repair", "lay", "--dry-run", status=1).stdout.splitlines()
        assert dry[0].startswith(f"would do  digest-mismatch  {PLACE}: moves it to quarantine/")
        first, *rest = command.run("repair", "lay", status=1).stdout.splitlines()
        assert first.startswith(f"done  digest-mismatch  {PLACE}")
        assert rest == dry[1:]
        assert rest[0].startswith(f"error    quarantined-blob  {PLACE}")
        assert rest[1:] == ["1 repair; left: 1 error, 0 warnings, 0 notes"]
        assert ONE not in layout.blobs
        assert command.answer("repair", "lay", status=1)["actions"] == []

    def test_errors_that_stay(self, command: Command, layout: Layout) -> None:
        """Problems that remain are listed, and fail the command if they are errors."""
        layout.path.joinpath("oci-layout").unlink()
        found = command.answer("repair", "lay", status=1)
        assert [problem["code"] for problem in found["problems"]] == ["missing-header"]
        done = command.run("repair", "lay", status=1)
        assert done.stdout.endswith("0 repairs; left: 1 error, 0 warnings, 0 notes\n")
        assert done.stderr == ""


@pytest.mark.usefixtures("later")
class TestGc:
    def test_what_goes(self, command: Command, layout: Layout) -> None:
        """Old garbage is deleted and its size shown, young garbage is counted; not in a dry run."""
        old = layout.blobs.put(b"x" * 2048, media_type=OCTET_STREAM).digest
        young = layout.blobs.put(b"young", media_type=OCTET_STREAM).digest
        os.utime(layout.blobs.path(young), (clock.now(), clock.now()))
        left = layout.path / "ingest" / "left"
        left.touch()
        before = set(layout.blobs)
        assert command.answer("gc", "lay", "--dry-run") == {
            "removed": [old],
            "freed": 2048,
            "dropped": [],
            "temporaries": ["ingest/left"],
            "young": 1,
            "unlisted": [],
            "dryRun": True,
        }
        end = "0 entries, 1 blob, 1 temporary file: 2.0 KiB freed; 1 blob more when no longer young"
        lines = [f"blob   {old}", "file   ingest/left"]
        assert command.lines("gc", "lay", "--dry-run") == [*lines, f"Would remove {end}"]
        assert set(layout.blobs) == before
        assert command.lines("gc", "lay") == [*lines, f"Removed {end}"]
        assert before - set(layout.blobs) == {old}
        assert command.answer("gc", "lay", "--grace", "0")["young"] == 0
        assert command.text("gc", "lay") == (
            "Removed 0 entries, 0 blobs, 0 temporary files: 0 B freed\n"
        )

    def test_untagged_entries(self, command: Command, layout: Layout) -> None:
        """Untagged entries stay, unless they are to be pruned and nothing needs them."""
        layout.untag("solo")
        layout.untag("v1")
        command.text("gc", "lay")
        digests = [entry.descriptor.digest for entry in layout.entries()]
        assert len(digests) == 3
        lines = command.lines("gc", "lay", "--untagged", "prune", "--grace", "30m")
        assert lines[: len(digests)] == [f"entry  {digest}" for digest in digests]
        assert list(layout.blobs) == []

    @pytest.mark.parametrize("text", ["", "h", "1y", "-1", "1.5h", "9999999999"])
    def test_durations(self, command: Command, layout: Layout, text: str) -> None:
        """Text that is not a duration is wrong use."""
        assert "is not a duration; write 90s" in command.misuse("gc", "lay", "--grace", text)
        assert layout.tags()
