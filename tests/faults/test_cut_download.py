"""A pull whose connection is cut again and again resumes where it stopped.

With OCILAYOUT_LARGE=1 in the environment the blob has 200 MiB; otherwise it has 8 MiB.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import struct
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import copy
from ocilayout.errors import IntegrityError, OciLayoutError, RegistryError, TransportError
from ocilayout.layout.layout import Layout
from ocilayout.model import descriptor as descriptors
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_LAYER, OCI_MANIFEST
from ocilayout.registry import Patience, Repository
from ocilayout.testing.registry.wire import LoopbackServer

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
SIZE = (200 if os.environ.get("OCILAYOUT_LARGE") == "1" else 8) * MIB
CUTS = 20
DATA = random.Random(7).randbytes(MIB) * (SIZE // MIB)
BLOB = Descriptor.of(DATA, OCI_LAYER)
MANIFEST = encode(Manifest(config=BLOB, layers=[]))
ROOT = Descriptor.of(MANIFEST, OCI_MANIFEST)


class Cutter(LoopbackServer):
    """A registry with one blob, which cuts the connection at given offsets.

    Attributes:
        cuts: How far to go until the next cuts, in bytes from the beginning.
        ranges: What `Range` each request for the blob had.
        honours: Whether it honours a `Range`.
        hard: Whether a cut is a reset, which also loses what is on its way.
        data: The blob.
        said: What it says in `Content-Range` in place of the truth, or `None`.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.honours = True
        self.hard = False
        self.data = DATA
        self.said: str | None = None


class _Handler(BaseHTTPRequestHandler):
    server: Cutter
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        if "/manifests/" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", OCI_MANIFEST)
            self.send_header("Content-Length", str(len(MANIFEST)))
            self.end_headers()
            self.wfile.write(MANIFEST)
            return
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        match = re.fullmatch(r"bytes=([0-9]+)-", wanted or "")
        start = int(match[1]) if match and self.server.honours else 0
        data = self.server.data
        self.send_response(206 if start else 200)
        if start:
            said = self.server.said or f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send_header("Content-Range", said)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(data)
        self.wfile.write(memoryview(data)[start : max(cut, start)])
        if cut < len(data):
            self.close_connection = True
            if self.server.hard:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()


def repository(server: Cutter, **how: Any) -> Repository:
    patience = Patience(sleep=lambda _: None, **how)
    return Repository(f"127.0.0.1:{server.server_port}/org/app", patience=patience, timeout=20)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the pieces that every hash of this test was updated with, in bytes."""
    found: list[int] = []

    class Counting:
        def __init__(self, algorithm: str) -> None:
            self.hasher = hashlib.new(algorithm)

        def update(self, data: bytes) -> None:
            found.append(len(data))
            self.hasher.update(data)

        def hexdigest(self) -> str:
            return self.hasher.hexdigest()

    monkeypatch.setattr(descriptors, "new_hasher", Counting)
    return found


@pytest.mark.spec("distribution:resume")
@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("honours", [True, False], ids=["ranges", "no-ranges"])
def test_a_pull_survives_every_cut(
    tmp_path: Path, hashed: list[int], *, hard: bool, honours: bool
) -> None:
    """Each cut costs at most one request, no byte is hashed twice, and the blob is complete."""
    cuts = sorted(random.Random(f"{hard}{honours}").sample(range(SIZE), CUTS))
    layout = Layout.create(tmp_path / "layout", durability="none")
    with Cutter() as server, repository(server, attempts=CUTS + 2) as repo:
        server.cuts, server.hard, server.honours = list(cuts), hard, honours
        assert copy(repo, "v1", layout) == ROOT
        assert len(server.ranges) <= CUTS + 1
        starts = [int(text[6:-1]) for text in server.ranges[1:] if text is not None]
    assert len(starts) == len(server.ranges) - 1
    assert starts == sorted(starts)
    if not hard:  # what was sent before a close arrives
        assert starts == cuts
    assert sum(size for size in hashed if size != len(MANIFEST)) == SIZE
    assert layout.blobs.size(BLOB.digest) == SIZE
    assert hashlib.sha256(layout.blobs.path(BLOB.digest).read_bytes()).hexdigest() == (
        BLOB.digest.encoded
    )
    assert layout.resolve("v1") == ROOT


def test_a_blob_that_changes_behind_a_cut_is_refused(tmp_path: Path) -> None:
    """A blob that continues with other bytes is not stored, and nothing is tagged."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    with Cutter() as server, repository(server) as repo:
        server.cuts = [SIZE // 2]
        server.data = DATA[: SIZE // 2] + bytes(SIZE - SIZE // 2)
        with pytest.raises(IntegrityError):
            copy(repo, "v1", layout)
    assert BLOB.digest not in layout.blobs
    assert layout.entries() == ()
    assert list((layout.path / "ingest").iterdir()) == []


@pytest.mark.parametrize("said", ["bytes 0-9/10", "bytes */10", "nonsense"])
def test_a_continuation_at_another_offset_is_refused(said: str) -> None:
    """A response with another range than the requested one is an error."""
    with Cutter() as server, repository(server) as repo:
        server.cuts, server.said = [SIZE // 2], said
        with pytest.raises(RegistryError, match="does not go on"):
            repo.blobs.read(BLOB)


@pytest.mark.parametrize("cut", [0, 5])
def test_there_is_an_end_to_cuts_without_progress(cut: int) -> None:
    """The pull fails after a few attempts that bring no more bytes."""
    with Cutter() as server, repository(server, attempts=4) as repo:
        server.cuts = [cut] * 100
        with pytest.raises(TransportError):
            repo.blobs.read(BLOB)
        assert len(server.ranges) == 4


def test_a_blob_that_shrinks_is_refused() -> None:
    """A blob that is shorter after a cut is an error."""
    with Cutter() as server, repository(server) as repo:
        server.honours, server.cuts = False, [SIZE // 2]
        with repo.blobs.open(BLOB) as stream:
            assert stream.read(MIB)
            server.data = DATA[:1000]
            with pytest.raises(OciLayoutError):
                stream.readall()
