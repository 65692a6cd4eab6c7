"""What the text of an argument means."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocilayout.cli.argument import (
    InArchive,
    InLayout,
    InRegistry,
    Locator,
    parse_locator,
    read_annotation,
    read_duration,
    read_folder,
    read_size,
    read_source,
)
from ocilayout.errors import InvalidNameError
from ocilayout.model.digest import Digest, is_digest
from ocilayout.testing.strategies import digests, ref_names

DIGEST = str(Digest.of(b""))


@pytest.mark.parametrize(
    ("text", "locator"),
    [
        ("oci:a/b", InLayout("a/b")),
        ("oci:a/b:", InLayout("a/b")),
        ("oci-archive:a.tar:", InArchive("a.tar")),
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
    """A path ends at the first colon, but for that of a digest behind `@`; a name may be empty."""
    assert read_source(text) == locator
    assert parse_locator(text) == locator


@pytest.mark.parametrize(
    "text",
    ["", "a", "./oci:a", "oci:", "oci::", "oci::v1", "oci-archive:", "docker://", "docker:a",
     "docker://A", "dir:a", f"oci:@{DIGEST}"],
)  # fmt: skip
def test_what_is_not_a_locator(text: str) -> None:
    """Text without a scheme, or without a part, is refused."""
    with pytest.raises(InvalidNameError):
        parse_locator(text)


def test_a_path_is_not_a_locator() -> None:
    """Text that does not begin like a locator is a path."""
    for text in ("a", "./oci:a", "/docker://x", "ocix:"):
        assert read_source(text) == InLayout(text)
    assert read_source("-") == InArchive("-")


@given(
    kind=st.sampled_from([InLayout, InArchive]),
    path=st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1),
    name=st.none() | ref_names() | digests().map(str),
)
def test_every_name_can_be_written(
    kind: type[InLayout | InArchive], path: str, name: str | None
) -> None:
    """Any name that a layout may have can be written behind any path without a colon."""
    # A path that ends in `@` and an algorithm, and a name of its digits, are read as a digest.
    assume(not is_digest(f"{path.rpartition('@')[2]}:{name}"))
    locator = kind(path, name)
    assert parse_locator(str(locator)) == locator


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that has a folder, files and a FIFO."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("folder").mkdir()
    tmp_path.joinpath("file").touch()
    tmp_path.joinpath("oci:file").touch()
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


def test_sources() -> None:
    """A folder or a missing path is a layout; a file, a FIFO and a dash are archives."""
    assert read_source("folder") == InLayout("folder")
    assert read_source("nothing:v1") == InLayout("nothing:v1")
    assert read_source("file") == InArchive("file")
    assert read_source("fifo") == InArchive("fifo")
    assert read_source("-") == InArchive("-")
    assert read_source("./oci:file") == InArchive("./oci:file")
    assert read_source("oci:file") == InLayout("file")
    assert read_source("docker://localhost/a:v1") == InRegistry("localhost/a", "v1")


def test_folders() -> None:
    """A folder is a path, or a locator of a layout without a name."""
    assert read_folder("folder") == Path("folder")
    assert read_folder("a:b") == Path("a:b")
    assert read_folder("oci:folder") == Path("folder")
    for text in ("file", "oci:folder:v1", "docker://localhost/a", "oci-archive:a"):
        with pytest.raises(ValueError, match=r"is not a folder|has a name"):
            read_folder(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), ("7d", 604800), ("1w", 604800)],
)
def test_durations(text: str, seconds: int) -> None:
    """A duration is a number with a unit; without one it is in seconds."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "1.5h", "1y", "999999999w", "-1s", "1 h", "1H", "10000000000"]
)
def test_what_is_not_a_duration(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("12", 12), ("12B", 12), ("1KiB", 1024), ("2MiB", 2**21), ("3GiB", 3 * 2**30),
     ("1TiB", 2**40)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    """A size is a number with a binary unit; without one it is in bytes."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "B", "1KB", "1k", "-1", "1.5MiB", "1 KiB", "9" * 16])
def test_what_is_not_a_size(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError, match="is not a size"):
        read_size(text)


def test_annotations() -> None:
    """The first equals sign ends the key; the value may be empty, the key not."""
    assert read_annotation("a=b=c") == ("a", "b=c")
    assert read_annotation("a=") == ("a", "")
    for text in ("", "a", "=b"):
        with pytest.raises(ValueError, match="is not an annotation"):
            read_annotation(text)
