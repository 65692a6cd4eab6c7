"""What the text of an argument means."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from ocilayout.cli.locator import InArchive, InLayout, InRegistry
from ocilayout.cli.value import read_duration, read_folder, read_note, read_size, read_source


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with one of everything."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("folder").mkdir()
    tmp_path.joinpath("file").touch()
    tmp_path.joinpath("oci:file").touch()
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


def test_sources() -> None:
    """A folder, or nothing, is a layout; a file, a FIFO and a dash are archives."""
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
        with pytest.raises(ValueError, match=r"is no folder|has a name"):
            read_folder(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), ("7d", 604800), ("1w", 604800)],
)
def test_durations(text: str, seconds: int) -> None:
    """A duration is a number with a unit, or of seconds."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "1.5h", "1y", "999999999w", "-1s", "1 h", "1H", "10000000000"]
)
def test_what_is_no_duration(text: str) -> None:
    """All else is none."""
    with pytest.raises(ValueError, match="is no duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("12", 12), ("12B", 12), ("1KiB", 1024), ("2MiB", 2**21), ("3GiB", 3 * 2**30),
     ("1TiB", 2**40)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    """A size is a number of bytes, or with a binary unit."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "B", "1KB", "1k", "-1", "1.5MiB", "1 KiB", "9" * 16])
def test_what_is_no_size(text: str) -> None:
    """All else is none."""
    with pytest.raises(ValueError, match="is no size"):
        read_size(text)


def test_notes() -> None:
    """The first sign of equality ends the key; the value may be empty, the key not."""
    assert read_note("a=b=c") == ("a", "b=c")
    assert read_note("a=") == ("a", "")
    for text in ("", "a", "=b"):
        with pytest.raises(ValueError, match="is no annotation"):
            read_note(text)
