"""Deleting blobs, tags and manifests, also those that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest
from ocilayout.errors import (
    AuthError,
    InvalidNameError,
    RegistryError,
)
from ocilayout.ijson import MAX_DOCUMENT
from ocilayout.index import Index
from ocilayout.manifest import Manifest
from ocilayout.mediatype import OCI_LAYER, OCI_MANIFEST
from ocilayout.referrer import fallback_tag
from ocilayout.registry import Repository, Retry
from ocilayout.testing.registry import Fault, LoopbackRegistry, fault
from tests.unit.registry.scripted import Reply, Scripted

AT_ONCE = Retry(sleep=lambda _: None)
DATA = bytes(range(256)) * 4
BLOB = Descriptor.of(DATA, OCI_LAYER)
BASE = "/v2/org/app/blobs/"


def repository(registry: Scripted, **how: Any) -> Repository:
    return Repository(f"{registry.host}/org/app", timeout=5, retry=AT_ONCE, **how)


@pytest.mark.spec("distribution:delete-done")
@pytest.mark.parametrize("status", [200, 202, 204])
def test_things_are_deleted(registry: Scripted, status: int) -> None:
    """Blobs by digest, tags by name; what is not there is not found."""
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
    """It is gone by its digest, with its tags; only what is not there is not found."""
    with LoopbackRegistry() as held, Repository(f"{held.host}/org/app") as repo:
        found = held.put_manifest("org/app", data, tag="v1", media_type=media_type)
        repo.delete(found.digest)
        assert (held.manifests, held.tags) == ({}, {})
        with pytest.raises(LookupError):
            repo.delete(found.digest)


@pytest.mark.parametrize(
    "spoil", [fault.refuse(500), fault.flip(), fault.refuse(404), fault.gzip()]
)
def test_what_cannot_be_read_can_be_deleted(spoil: Fault) -> None:
    """Whatever a registry says when it is asked for content, its deletion is asked for."""
    with LoopbackRegistry() as held:
        found = held.put_manifest("org/app", Manifest(config=BLOB))
        held.misbehave("GET manifest", spoil)
        with Repository(f"{held.host}/org/app", retry=AT_ONCE) as repo:
            repo.delete(found)
        assert held.manifests == {}


@pytest.mark.spec("distribution:delete")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_referrer_of_a_retired_type_is_off_the_list(algorithm: str) -> None:
    """Its subject is known although it cannot be decoded, and the list loses it alone."""
    with LoopbackRegistry(referrers_api=False) as held:
        data = json.dumps({"mediaType": RETIRED, "blobs": [], "subject": SUBJECT}).encode()
        digest = Digest.of(data, algorithm)
        old = held.put_manifest("org/app", data, media_type=RETIRED, digest=digest)
        kept = held.put_manifest("org/app", Manifest(config=BLOB))
        tag = fallback_tag(BLOB.digest)
        held.put_manifest("org/app", Index(manifests=[old, kept]), tag=tag)
        with Repository(f"{held.host}/org/app") as repo:
            repo.delete(digest)
            assert repo.referrers(BLOB.digest) == (kept,)


def test_who_may_not_read_does_not_delete() -> None:
    """A refusal of who we are ends it before anything is deleted."""
    with LoopbackRegistry() as held:
        found = held.put_manifest("org/app", b"x")
        held.misbehave("GET manifest", fault.refuse(403, "DENIED"))
        with Repository(f"{held.host}/org/app") as repo, pytest.raises(AuthError):
            repo.delete(found)
        assert len(held.manifests) == 1


def test_who_may_not_delete_is_told(registry: Scripted) -> None:
    """A refusal is an error of authentication."""
    registry.default = Reply(403)
    with repository(registry) as repo, pytest.raises(AuthError):
        repo.blobs.delete(BLOB.digest)
