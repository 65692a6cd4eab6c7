"""Deleting blobs, tags and manifests, also those that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import (
    AuthError,
    InvalidNameError,
    RegistryError,
)
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_LAYER, OCI_MANIFEST
from ocilayout.model.reference import fallback_tag
from ocilayout.registry import Patience, Repository
from ocilayout.testing.registry import Fault, LoopbackRegistry, fault
from tests.unit.registry.scripted import Reply, Scripted

AT_ONCE = Patience(sleep=lambda _: None)
DATA = bytes(range(256)) * 4
BLOB = Descriptor.of(DATA, OCI_LAYER)
BASE = "/v2/org/app/blobs/"


def repository(registry: Scripted, **how: Any) -> Repository:
    return Repository(f"{registry.host}/org/app", timeout=60, patience=AT_ONCE, **how)


@pytest.mark.spec("distribution:delete-done")
@pytest.mark.parametrize("status", [200, 202, 204])
def test_things_are_deleted(registry: Scripted, status: int) -> None:
    """Blobs by digest, tags by name; a missing one is not found."""
    with repository(registry) as repo:
        registry.default = Reply(status)
        repo.blobs.delete(BLOB.digest)
        repo.untag("v1")
        assert registry.asked() == [
            f"DELETE {BASE}{BLOB.digest}",
            "DELETE /v2/org/app/manifests/v1",
        ]
        registry.default = Reply(404)
        with pytest.raises(LookupError):
            repo.blobs.delete(BLOB.digest)
        with pytest.raises(LookupError):
            repo.untag("v1")
        with pytest.raises(LookupError):
            repo.delete(BLOB.digest)
        registry.default = Reply(405)
        with pytest.raises(RegistryError, match="does not do that"):
            repo.untag("v1")
        with pytest.raises(InvalidNameError, match="untag"):
            repo.delete("v1")


RETIRED = "application/vnd.oci.artifact.manifest.v1+json"
SUBJECT = {"mediaType": OCI_MANIFEST, "digest": str(BLOB.digest), "size": 1}
UNDECODABLE: dict[str, tuple[str, bytes]] = {
    "a retired type": (RETIRED, b'{"mediaType": "%b", "blobs": []}' % RETIRED.encode()),
    "schema 1": (
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        b'{"schemaVersion": 1, "fsLayers": []}',
    ),
    "a broken document": (OCI_MANIFEST, b'{"schemaVersion": 2, "layers": 7}'),
    "both an index and a manifest": (OCI_MANIFEST, b'{"manifests": [], "layers": []}'),
    "not JSON": (OCI_MANIFEST, b"\x00nothing"),
    "not an object": (OCI_MANIFEST, b"[]"),
    "a subject that is not one": (OCI_MANIFEST, b'{"subject": {"digest": "none"}}'),
    "too large": (OCI_MANIFEST, b" " * (MAX_DOCUMENT + 1)),
}


@pytest.mark.spec("distribution:delete")
@pytest.mark.parametrize(("media_type", "data"), UNDECODABLE.values(), ids=UNDECODABLE)
def test_what_cannot_be_decoded_can_be_deleted(media_type: str, data: bytes) -> None:
    """The manifest and its tags are deleted; only a missing one is not found."""
    with LoopbackRegistry() as server, Repository(f"{server.host}/org/app") as repo:
        stored = server.put_manifest("org/app", data, tag="v1", media_type=media_type)
        repo.delete(stored.digest)
        assert (server.manifests, server.tags) == ({}, {})
        with pytest.raises(LookupError):
            repo.delete(stored.digest)


@pytest.mark.parametrize(
    "spoil", [fault.refuse(500), fault.flip(), fault.refuse(404), fault.gzip()]
)
def test_what_cannot_be_read_can_be_deleted(spoil: Fault) -> None:
    """A manifest is deleted whatever the registry answers when it is read."""
    with LoopbackRegistry() as server:
        stored = server.put_manifest("org/app", Manifest(config=BLOB))
        server.misbehave("GET manifest", spoil)
        with Repository(f"{server.host}/org/app", patience=AT_ONCE) as repo:
            repo.delete(stored)
        assert server.manifests == {}


@pytest.mark.spec("distribution:delete")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_referrer_of_a_retired_type_is_off_the_list(algorithm: str) -> None:
    """Its subject is known although it cannot be decoded, and only its own entry is removed."""
    with LoopbackRegistry(referrers_api=False) as server:
        data = json.dumps({"mediaType": RETIRED, "blobs": [], "subject": SUBJECT}).encode()
        digest = Digest.of(data, algorithm)
        old = server.put_manifest("org/app", data, media_type=RETIRED, digest=digest)
        kept = server.put_manifest("org/app", Manifest(config=BLOB))
        tag = fallback_tag(BLOB.digest)
        server.put_manifest("org/app", Index(manifests=[old, kept]), tag=tag)
        with Repository(f"{server.host}/org/app") as repo:
            repo.delete(digest)
            assert repo.referrers(BLOB.digest) == (kept,)


def test_a_denied_read_prevents_the_deletion() -> None:
    """If the registry denies access, nothing is deleted."""
    with LoopbackRegistry() as server:
        stored = server.put_manifest("org/app", b"x")
        server.misbehave("GET manifest", fault.refuse(403, "DENIED"))
        with Repository(f"{server.host}/org/app") as repo, pytest.raises(AuthError):
            repo.delete(stored)
        assert len(server.manifests) == 1


def test_a_denied_deletion_is_an_auth_error(registry: Scripted) -> None:
    """A denied deletion is an error of authentication."""
    registry.default = Reply(403)
    with repository(registry) as repo, pytest.raises(AuthError):
        repo.blobs.delete(BLOB.digest)
