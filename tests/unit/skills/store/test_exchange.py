"""Artifacts that are pulled: when a registry is asked, what is stored, and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    OCI_LAYER_GZIP,
    BlobNotFoundError,
    Descriptor,
    Digest,
    Index,
    InvalidNameError,
    Layout,
    Manifest,
    ReferenceNotFoundError,
    TransportError,
)
from skills import (
    LocalBuildConflictError,
    SkillService,
    TooLargeError,
)
from skills.packaging.skill_artifact import read_artifact
from skills.store.exchange import LIMITS
from tests.unit.skills.example import TEXT, config, layer, write_skill

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.testing.registry import LoopbackRegistry


class TestPullCache:
    def test_content_in_the_store_needs_no_request(
        self, service: SkillService, registry: LoopbackRegistry, remote: str
    ) -> None:
        """A skill that was pulled once is shown from the store."""
        first = service.get_content(remote)
        assert registry.requests
        registry.requests.clear()
        assert service.get_content(remote) == first
        assert registry.requests == []
        assert service.list_builds() == []
        assert [skill.reference for skill in service.list_cache()] == [remote]

    def test_refreshing_makes_one_request_if_nothing_changed(
        self, service: SkillService, registry: LoopbackRegistry, remote: str
    ) -> None:
        """The registry is asked what the tag means, and nothing is brought twice."""
        first = service.get_content(remote)
        registry.requests.clear()
        assert service.get_content(remote, refresh=True) == first
        assert registry.requests == [("HEAD", "/v2/team/hello/manifests/v1")]

    def test_refreshing_shows_the_current_content_of_the_tag(
        self, service: SkillService, registry: LoopbackRegistry, remote: str, tmp_path: Path
    ) -> None:
        """Without it the store's answer stays the same, with it the tag is followed."""
        before = service.get_content(remote)
        origin = SkillService.open(tmp_path / "origin", durability="none")
        text = TEXT.replace("Says hello", "Says more")
        origin.build(write_skill(tmp_path / "there", text=text), tag=remote)
        origin.push(remote)
        registry.requests.clear()
        assert service.get_content(remote) == before
        assert registry.requests == []
        assert service.get_content(remote, refresh=True).description == "Says more"
        assert service.get_content(remote).description == "Says more"

    def test_without_a_tag_latest_is_found_in_the_store(
        self, service: SkillService, registry: LoopbackRegistry, remote: str, tmp_path: Path
    ) -> None:
        """The tag that a pull gave is found by the reference that was pulled."""
        origin = SkillService.open(tmp_path / "origin", durability="none")
        latest = f"{registry.host}/team/hello:latest"
        origin.build(write_skill(tmp_path / "there"), tag=latest)
        origin.push(latest)
        bare = latest.removesuffix(":latest")
        service.get_content(bare)
        registry.requests.clear()
        service.get_content(bare)
        service.get_content(latest)
        assert registry.requests == []
        assert remote != latest

    def test_a_build_is_shown_by_its_tag_and_is_not_replaced(
        self, service: SkillService, registry: LoopbackRegistry, remote: str, tmp_path: Path
    ) -> None:
        """A name that was built here shows the build; asking the registry is then refused."""
        text = TEXT.replace("Says hello", "Mine")
        service.build(write_skill(tmp_path / "here", text=text), tag=remote)
        assert service.get_content(remote).description == "Mine"
        assert registry.requests == []
        with pytest.raises(LocalBuildConflictError):
            service.get_content(remote, refresh=True)
        assert [build.tag for build in service.list_builds()] == [remote]
        assert service.get_content(remote).description == "Mine"

    def test_a_build_that_the_registry_has_too_stays_a_build(
        self, service: SkillService, registry: LoopbackRegistry, remote: str, tmp_path: Path
    ) -> None:
        """Refreshing the name of a build with the same content changes nothing."""
        service.build(write_skill(tmp_path / "here"), tag=remote)
        service.get_content(remote, refresh=True)
        assert [build.tag for build in service.list_builds()] == [remote]
        assert len(registry.requests) == 1

    def test_missing_blobs_are_pulled_by_refreshing(
        self, service: SkillService, remote: str
    ) -> None:
        """Missing blobs are pulled again, even if the store has the root."""
        before = service.get_content(remote)
        artifact = read_artifact(service.layout, service.layout.resolve(remote), remote)
        service.layout.blobs.delete(artifact.layer.digest)
        with pytest.raises(BlobNotFoundError):
            service.get_content(remote)
        assert service.get_content(remote, refresh=True) == before

    @pytest.mark.parametrize("name", ["nothing", "", "a:b", "sha256:" + "0" * 64])
    def test_a_missing_name_without_a_registry_is_refused(
        self, service: SkillService, name: str
    ) -> None:
        """A reference without a slash does not name a registry."""
        with pytest.raises(InvalidNameError, match="is not in the store"):
            service.get_content(name)

    def test_refreshing_a_name_without_a_registry_is_refused(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """A bare tag does not name a registry, even if the store has it."""
        service.build(write_skill(tmp_path))
        with pytest.raises(InvalidNameError, match="does not name a registry"):
            service.get_content("hello", refresh=True)

    def test_a_failed_pull_leaves_nothing(
        self, service: SkillService, registry: LoopbackRegistry
    ) -> None:
        """A missing reference, or a host that does not exist, changes nothing in the store."""
        with pytest.raises(ReferenceNotFoundError):
            service.get_content(f"{registry.host}/team/nothing:v1")
        with pytest.raises(TransportError):
            service.get_content("127.0.0.1:1/team/nothing:v1")
        assert list(service.layout.blobs) == []
        assert service.layout.entries() == ()


class TestLimits:
    """The content of a source is bounded before it is read."""

    def test_a_manifest_that_is_too_large_is_not_copied(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        origin = Layout.create(tmp_path / "other")
        big = Manifest(config=config(origin), annotations={"x": "y" * LIMITS.document})
        origin.tag("big", origin.put_manifest(big))
        with pytest.raises(TooLargeError, match="bytes") as caught:
            service.copy(origin, "big", name="big")
        assert (caught.value.what, caught.value.limit) == ("bytes", LIMITS.document)
        assert service.layout.entries() == ()

    def test_too_many_manifests_and_layers_are_not_copied(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        origin = Layout.create(tmp_path / "other")
        child = origin.put_manifest(Manifest(config=config(origin)))
        part = layer(origin, {"SKILL.md": b""})
        for count, kind in ((LIMITS.children, "index"), (LIMITS.layers, "manifest")):
            for more in (0, 1):
                root: Manifest | Index = Index(manifests=[child] * (count + more))
                if kind == "manifest":
                    root = Manifest(config=config(origin), layers=[part] * (count + more))
                origin.tag("many", origin.put_manifest(root))
                if not more:
                    service.copy(origin, "many", name=kind)
                    continue
                with pytest.raises(TooLargeError, match=f"not a skill: .* {count} ") as caught:
                    service.copy(origin, "many", name=kind)
                assert caught.value.limit == count

    def test_a_blob_that_is_too_large_is_not_copied(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """The size in the manifest is enough to refuse the artifact, and no blob is pulled."""
        origin = Layout.create(tmp_path / "other")
        size = LIMITS.blob + 1
        huge = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(b""), size=size)
        root = origin.put_manifest(Manifest(config=config(origin), layers=[huge]))
        origin.tag("huge", root)
        with pytest.raises(TooLargeError, match=huge.digest) as caught:
            service.copy(origin, "huge", name="huge")
        assert (caught.value.what, caught.value.limit) == ("bytes", LIMITS.blob)
        assert list(service.layout.blobs) == []
