"""Compressed layers, unpacked while they are read."""

from __future__ import annotations

import gzip
import io
import sys
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from ocilayout.archive.packed import Peeked, Unpacked, compression_of
from ocilayout.errors import DocumentError, LimitExceededError
from tests.missing import missing

DATA = bytes(range(256)) * 40


def zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        if find_spec(name.partition(".")[0]) and find_spec(name):
            return import_module(name)
    return missing("the package backports.zstd is not installed")


def unpacked(data: bytes, program: str, *, limit: int = 10**6) -> bytes:
    with closing(Unpacked(io.BytesIO(data), program, limit=limit, place="a/layer.tar")) as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


@pytest.mark.parametrize(
    ("head", "program"),
    [
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zX", ""),
        (b"etc/", ""),
        (b"\x1f", ""),
        (b"", ""),
    ],
)
def test_first_bytes(head: bytes, program: str) -> None:
    """The first bytes tell how content is compressed."""
    assert compression_of(head) == program


def test_peeking_loses_nothing() -> None:
    """A stream of which the beginning was looked at gives all its bytes, in pieces of any size."""
    for data in (b"", b"abc", DATA):
        peeked = Peeked(io.BytesIO(data))
        assert peeked.head == data[:4]
        found = b""
        while piece := peeked.read(3):
            found += piece
        assert found == data


def test_gzip() -> None:
    """Several members are one stream, and zeros may follow."""
    data = gzip.compress(DATA[:100]) + gzip.compress(DATA[100:]) + bytes(50)
    assert unpacked(data, "gzip") == DATA


def test_zstd() -> None:
    """Several frames are one stream."""
    compress = zstd().compress
    assert unpacked(compress(DATA[:100]) + compress(DATA[100:]), "zstd") == DATA


@pytest.mark.parametrize("program", ["gzip", "zstd"])
def test_damaged(program: str) -> None:
    """A stream that is cut, is not one, or is followed by something else is refused."""
    packed = gzip.compress(DATA) if program == "gzip" else zstd().compress(DATA)
    for data in (packed[:-9], packed[:4] + b"\xff" * 90, packed + b"more"):
        with pytest.raises(DocumentError, match=rf"^a/layer\.tar: the layer is not {program} as"):
            unpacked(data, program)


def test_the_limit() -> None:
    """Content as large as the limit is read, and one byte more is refused."""
    assert unpacked(gzip.compress(DATA), "gzip", limit=len(DATA)) == DATA
    with pytest.raises(LimitExceededError, match="more than 10239 bytes") as caught:
        unpacked(gzip.compress(DATA), "gzip", limit=len(DATA) - 1)
    assert (caught.value.what, caught.value.limit) == ("unpacked layers", 10239)


def test_zstd_without_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python cannot unpack zstd, the error says what to install."""
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DocumentError, match=r"use Python 3\.14 or install the package backports"):
        unpacked(b"", "zstd")


def test_other_programs() -> None:
    """What else content is compressed with is named."""
    with pytest.raises(DocumentError, match="compressed with bzip2, which is not supported"):
        unpacked(b"", "bzip2")
