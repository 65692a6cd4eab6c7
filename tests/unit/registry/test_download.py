"""Parts of blobs, which no digest covers. Downloads that break are in tests/faults."""

from __future__ import annotations

from typing import Any

import pytest

from ocilayout.errors import (
    RegistryError,
)
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.mediatype import OCI_LAYER
from ocilayout.registry import Patience, Repository
from tests.unit.registry.scripted import Reply, Scripted

AT_ONCE = Patience(sleep=lambda _: None)
DATA = bytes(range(256)) * 4
BLOB = Descriptor.of(DATA, OCI_LAYER)
BASE = "/v2/org/app/blobs/"


def repository(registry: Scripted, **how: Any) -> Repository:
    return Repository(f"{registry.host}/org/app", timeout=60, patience=AT_ONCE, **how)


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (Reply(206, {"Content-Range": "bytes 10-14/1024"}, DATA[10:15]), DATA[10:15]),
        (Reply(200, body=DATA), DATA[10:15]),
        (Reply(200, body=DATA[:12]), DATA[10:12]),
        (Reply(416), b""),
    ],
)
def test_a_part_is_read_unverified(registry: Scripted, reply: Reply, data: bytes) -> None:
    """Also from a registry that sends everything, and if the content is shorter."""
    registry.default = reply
    with repository(registry) as repo:
        assert repo.blobs.read_unverified(BLOB.digest, start=10, length=5) == data
    assert registry.seen[0].headers["range"] == "bytes=10-14"


def test_a_part_that_is_another_is_refused(registry: Scripted) -> None:
    """Another part, a missing blob, and an invalid range are errors."""
    with repository(registry) as repo:
        registry.default = Reply(206, {"Content-Range": "bytes 0-4/1024"}, DATA[:5])
        with pytest.raises(RegistryError, match="another part"):
            repo.blobs.read_unverified(BLOB.digest, start=10, length=5)
        registry.default = Reply(404)
        with pytest.raises(LookupError):
            repo.blobs.read_unverified(BLOB.digest, start=10, length=5)
        for start, length in ((-1, 1), (0, 0)):
            with pytest.raises(ValueError, match="one byte"):
                repo.blobs.read_unverified(BLOB.digest, start=start, length=length)
