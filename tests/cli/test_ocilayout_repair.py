"""The exit statuses of `check` and `repair`, and that a dry run says what a repair does."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import Digest, Layout
from ocilayout.model.mediatype import OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Command

PART = Digest.of(b"part")


def blob(layout: Layout) -> Path:
    """Store a blob that an untagged entry leads to, and return its path."""
    part = layout.blobs.put(b"part", media_type=OCI_LAYER)
    with layout.edit() as edit:
        edit.add(part)
    return layout.blobs.path(part.digest)


def damage(layout: Layout) -> None:
    blob(layout).write_bytes(b"trap")


def damage_what_nothing_refers_to(layout: Layout) -> None:
    path = layout.blobs.path(layout.blobs.put(b"lonely", media_type=OCI_LAYER).digest)
    path.write_bytes(b"Lonely")


def link(to: str) -> Callable[[Layout], None]:
    def make(layout: Layout) -> None:
        path = blob(layout)
        path.unlink()
        (layout.path.parent / "right").write_bytes(b"part")
        (layout.path.parent / "wrong").write_bytes(b"trap")
        path.symlink_to(f"../../../{to}")

    return make


def entry(**more: Any) -> Callable[[Layout], None]:
    def make(layout: Layout) -> None:
        document = json.loads((layout.path / "index.json").read_bytes())
        document["manifests"].append({"mediaType": OCI_MANIFEST, "size": 3, **more})
        (layout.path / "index.json").write_bytes(json.dumps(document).encode())

    return make


def refer(layout: Layout) -> None:
    subject = layout.resolve(layout.tags()[0])
    document = {"mediaType": "a/b+json", "subject": {"digest": subject.digest}}
    layout.blobs.put(json.dumps(document).encode(), media_type="a/b+json")


def stray(layout: Layout) -> None:
    (layout.path / "blobs" / "README").write_bytes(b"")


CASES: dict[str, tuple[Callable[[Layout], None], int, int, int]] = {
    # what is done; the status of check, of repair, and how many things that does
    "nothing": (lambda _: None, 0, 0, 0),
    "damaged": (damage, 1, 1, 1),
    "damaged, and nothing refers to it": (damage_what_nothing_refers_to, 1, 0, 1),
    "a link to the right content": (link("right"), 1, 0, 1),
    "a link to other content": (link("wrong"), 1, 1, 1),
    "a link to a folder": (link(""), 1, 1, 1),
    "a link that leads nowhere": (link("nowhere"), 1, 1, 0),
    "an entry whose content is missing": (entry(digest="sha256:" + "0" * 64), 0, 0, 1),
    "an entry of an algorithm of which nothing is here": (entry(digest="x:y"), 0, 0, 0),
    "an entry that is wrong": (entry(digest="x"), 1, 1, 0),
    "a referrer without an entry": (refer, 0, 0, 1),
    "a stray file": (stray, 1, 1, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_a_status_is_1_while_errors_are_left(command: Command, layout: Layout, case: str) -> None:
    make, checked, repaired, count = CASES[case]
    make(layout)
    command.run("check", "lay", status=checked)
    dry = command.answer("repair", "lay", "--dry-run", status=repaired)
    command.run("check", "lay", status=checked)
    done = command.answer("repair", "lay", status=repaired)
    assert len(done["actions"]) == count
    assert {**dry, "dryRun": False} == done
    command.run("check", "lay", status=repaired)
    assert command.answer("repair", "lay", status=repaired)["actions"] == []


def test_a_status_is_0_again_once_the_content_is_back(command: Command, layout: Layout) -> None:
    damage(layout)
    command.run("repair", "lay", status=1)
    layout.blobs.put(b"part", media_type=OCI_LAYER)
    command.run("repair", "lay")
    command.run("check", "lay")


def test_why_something_is_left_is_said(command: Command, layout: Layout) -> None:
    damage(layout)
    os.mkfifo(layout.path / "quarantine")
    done = command.run("repair", "lay", status=1)
    assert "0 repairs; left: 1 error" in done.stdout
    assert "it could not be repaired: " in done.stdout
    assert layout.blobs.path(PART).read_bytes() == b"trap"
