"""`ocilayout cp` where the source lacks content: `--sparse` and `--keep-going`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import sparse_layout

if TYPE_CHECKING:
    from ocilayout import Layout
    from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def layout(command: Command) -> Layout:
    """Return a layout that lacks one of two platforms."""
    return sparse_layout(command.folder / "sparse")


def test_the_error_names_the_platform_and_the_way_out(command: Command) -> None:
    """One line says what is missing and how to go on; no target is left behind that has a tag."""
    error = command.error("cp", "oci:sparse:app", "oci-archive:x.tar")
    assert "linux/arm64" in error
    assert "sparse copy" in error


@pytest.mark.parametrize("target", ["oci:new", "oci-archive:new.tar"])
def test_sparse(command: Command, target: str) -> None:
    """Platforms that exist are copied, and those left out are listed, in text and JSON."""
    assert "left out: linux/arm64" in command.text("cp", "--sparse", "oci:sparse:app", target)
    data = command.answer("cp", "--sparse", "oci:sparse:app", target)
    assert [one["platform"] for one in data["missing"]] == ["linux/arm64"]
    assert command.text("cp", "--platform", "linux/amd64", f"{target}:app", "oci:one")


@pytest.mark.parametrize("target", ["oci:new", "oci-archive:new.tar"])
def test_keep_going(command: Command, target: str) -> None:
    """All that can be copied is, the rest is listed, and the status is 1."""
    done = command.run("cp", "--all", "--keep-going", "oci:sparse", target, status=1)
    assert "Copied amd64" in done.stdout
    assert "app was not copied: " in done.stderr
    assert command.text("ls", "-q", target).split() == ["amd64"]
    data = command.answer("cp", "--all", "--keep-going", "oci:sparse", target, status=1)
    assert "app" in {one["source"] for one in data["failed"]}


def test_keep_going_is_for_all(command: Command) -> None:
    """A single copy succeeds or fails."""
    assert "--all" in command.misuse("cp", "--keep-going", "oci:sparse:app", "oci:new")
