"""Locators: text that says where content is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocilayout.cli.locator import (
    InArchive,
    InLayout,
    InRegistry,
    Locator,
    is_locator,
    parse_locator,
)
from ocilayout.errors import InvalidNameError
from ocilayout.model.digest import Digest, is_digest
from ocilayout.testing.strategies import digests, ref_names

DIGEST = str(Digest.of(b""))


@pytest.mark.parametrize(
    ("text", "locator"),
    [
        ("oci:a/b", InLayout("a/b")),
        ("oci:/a/b:v1", InLayout("/a/b", "v1")),
        ("oci:a:ghcr.io/org/app:v1", InLayout("a", "ghcr.io/org/app:v1")),
        ("oci:a:b@c+d", InLayout("a", "b@c+d")),
        ("oci:a@b:v1", InLayout("a@b", "v1")),
        ("oci:a@0", InLayout("a@0")),
        (f"oci:a@{DIGEST}", InLayout("a", DIGEST)),
        (f"oci:a:{DIGEST}", InLayout("a", DIGEST)),
        (f"oci:a:b@{DIGEST}", InLayout("a", f"b@{DIGEST}")),
        (f"oci:a@b@{DIGEST}", InLayout("a@b", DIGEST)),
        ("oci:a@sha256:0123", InLayout("a@sha256", "0123")),
        ("oci-archive:a.tar", InArchive("a.tar")),
        ("oci-archive:-:v1", InArchive("-", "v1")),
        (f"oci-archive:a.tar@{DIGEST}", InArchive("a.tar", DIGEST)),
        ("docker://ghcr.io/org/app", InRegistry("ghcr.io/org/app")),
        ("docker://127.0.0.1:5000/app:v1", InRegistry("127.0.0.1:5000/app", "v1")),
        (f"docker://ghcr.io/org/app@{DIGEST}", InRegistry("ghcr.io/org/app", DIGEST)),
        (f"docker://ghcr.io/org/app:v1@{DIGEST}", InRegistry("ghcr.io/org/app", DIGEST)),
        ("docker://alpine:3", InRegistry("docker.io/library/alpine", "3")),
    ],
)
def test_what_a_locator_means(text: str, locator: Locator) -> None:
    """A path ends at the first colon, but for that of a digest behind `@`."""
    assert is_locator(text)
    assert parse_locator(text) == locator


@pytest.mark.parametrize(
    "text",
    ["", "a", "./oci:a", "oci:", "oci::v1", "oci:a:", "oci-archive:", "docker://", "docker:a",
     "docker://A", "dir:a", f"oci:@{DIGEST}"],
)  # fmt: skip
def test_what_is_no_locator(text: str) -> None:
    """Other text, and what lacks a part, is refused."""
    with pytest.raises(InvalidNameError):
        parse_locator(text)


def test_a_path_is_no_locator() -> None:
    """A path is one only if it begins like one."""
    assert not any(map(is_locator, ["a", "./oci:a", "/docker://x", "-", "ocix:"]))


@given(
    kind=st.sampled_from([InLayout, InArchive]),
    path=st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1),
    name=st.none() | ref_names() | digests().map(str),
)
def test_every_name_can_be_written(
    kind: type[InLayout | InArchive], path: str, name: str | None
) -> None:
    """Whatever a layout may be told to call content can be said after any path without a colon."""
    # `@` and an algorithm at the end of a path is read as a digest's with a name that fits alone.
    assume(not is_digest(f"{path.rpartition('@')[2]}:{name}"))
    locator = kind(path, name)
    assert parse_locator(str(locator)) == locator
