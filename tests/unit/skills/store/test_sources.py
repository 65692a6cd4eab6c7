"""The sources of installs: what each text means, and what is copied into the store for it."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    AuthError,
    InvalidNameError,
    Layout,
    NotALayoutError,
    ReferenceNotFoundError,
    RegistryError,
    TransportError,
    write_archive,
)
from skills import (
    AmbiguousSkillError,
    LocalBuildConflictError,
    NameMismatchError,
    NotALocalBuildError,
    NotASkillError,
    SkillService,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout import Reference
    from ocilayout.registry import Repository
    from ocilayout.testing.registry import LoopbackRegistry

from tests.unit.skills.conftest import World


class TestSources:
    @pytest.fixture
    def remote(self, world: World, registry: LoopbackRegistry) -> str:
        """Push a skill from another store and return its reference."""
        reference = f"{registry.host}/team/hello:v1"
        origin = World.__new__(World)
        origin.folder = world.folder / "there"
        origin.service = SkillService.open(world.folder / "origin", durability="none")
        origin.build(tag=reference)
        origin.service.push(reference)
        registry.requests.clear()
        return reference

    def test_a_reference_is_pulled_and_installed(self, world: World, remote: str) -> None:
        """It is in the store afterwards, and is not a build."""
        found = world.install(remote)
        assert (found.reference, found.tag) == (remote, "v1")
        assert world.service.list_builds() == []
        assert [skill.reference for skill in world.service.list_cache()] == [remote]

    def test_a_tag_is_pulled_again_and_a_digest_is_not(
        self, world: World, remote: str, registry: LoopbackRegistry
    ) -> None:
        """The registry is asked for a tag each time; the content of a digest cannot change."""
        found = world.install(remote)
        registry.requests.clear()
        world.install(remote)
        assert registry.requests == [("HEAD", "/v2/team/hello/manifests/v1")]
        pinned = remote.removesuffix(":v1") + f"@{found.digest}"
        world.install(pinned)
        registry.requests.clear()
        assert world.install(pinned).reference == pinned
        assert registry.requests == []

    def test_a_name_with_the_wrong_digest_is_pulled_again(
        self, world: World, remote: str, registry: LoopbackRegistry
    ) -> None:
        """An entry whose name has another digest than its content is not used."""
        digest = world.service.pull(remote).digest
        pinned = remote.removesuffix(":v1") + f"@{digest}"
        world.build(version="evil")
        world.service.layout.tag(pinned, world.service.layout.resolve("hello"))
        registry.requests.clear()
        assert world.install(pinned).digest == digest
        assert registry.requests

    def test_a_version_is_the_tag_of_a_reference_without_one(
        self, world: World, remote: str
    ) -> None:
        """A reference without a tag takes the version, else `latest`, and is recorded with it."""
        bare = remote.removesuffix(":v1")
        found = world.install(bare, version="v1")
        assert (found.reference, found.tag, found.version) == (remote, "v1", "v1")
        with pytest.raises(ReferenceNotFoundError):
            world.install(bare)

    def test_the_repository_must_have_the_name_of_the_skill(
        self, world: World, registry: LoopbackRegistry
    ) -> None:
        """The last part of the repository must be the name of the skill."""
        reference = f"{registry.host}/team/innocent:v1"
        world.build(tag=reference)
        world.service.push(reference)
        with pytest.raises(NameMismatchError) as caught:
            world.install(reference)
        assert (caught.value.asked, caught.value.found) == ("innocent", "hello")
        assert list(world.home.iterdir()) == []

    def test_a_build_under_a_full_reference_needs_no_registry(self, world: World) -> None:
        """A local build is installed where its registry cannot be reached."""
        reference = "127.0.0.1:1/team/hello:v1"
        digest = world.build(tag=reference)
        found = world.install(reference)
        assert (found.digest, found.tag) == (digest, "v1")
        with pytest.raises(TransportError):
            world.install("127.0.0.1:1/team/other:v1")
        with pytest.raises(TransportError):
            world.install(reference, replace=True)

    @pytest.mark.parametrize("kind", [AuthError, RegistryError])
    def test_a_build_is_installed_if_the_registry_refuses_access(
        self, world: World, kind: type[RegistryError]
    ) -> None:
        """A registry that does not answer does not contradict."""

        def refusing(reference: Reference) -> Repository:
            raise kind(str(reference))

        world.build(tag="ghcr.io/team/hello:v1")
        service = SkillService(world.service.layout, registry=refusing, home=world.home)
        assert service.install("ghcr.io/team/hello:v1", clients=["codex"]).status == "installed"

    def test_a_build_with_other_content_than_the_registry_is_a_conflict(
        self, world: World, remote: str
    ) -> None:
        """It stays, and nothing is installed, unless it may be replaced."""
        world.build(version="mine", tag=remote)
        with pytest.raises(LocalBuildConflictError):
            world.install(remote)
        assert [build.tag for build in world.service.list_builds()] == [remote]
        assert list(world.home.iterdir()) == []
        assert world.install(remote, replace=True).version == "1"
        assert world.service.list_builds() == []

    def test_a_skill_is_found_among_the_builds_by_its_name(self, world: World) -> None:
        """A build is found by the name of the skill, under any tag."""
        world.build(tag="ghcr.io/org/hello:v1")
        found = world.install("hello")
        assert (found.reference, found.tag) == ("ghcr.io/org/hello:v1", "v1")

    def test_several_builds_of_one_skill_need_a_version(self, world: World) -> None:
        """The tag that is the name wins; then the version or the tag decides."""
        first = world.build(version="1", tag="one")
        second = world.build(version="2", tag="two")
        with pytest.raises(AmbiguousSkillError) as caught:
            world.install("hello")
        assert caught.value.choices == (("one", "1"), ("two", "2"))
        assert world.install("hello", version="1").digest == first
        assert world.install("hello", version="two").digest == second
        third = world.build(version="3")
        assert world.install("hello").digest == third
        assert world.install("hello", version="2").digest == second
        world.build(version="2", tag="also")
        assert world.install("hello", version="2").digest == second
        with pytest.raises(ReferenceNotFoundError, match="version 9 of"):
            world.install("hello", version="9")

    def test_a_tag_of_another_skill_is_refused(self, world: World) -> None:
        """A name is that of a skill; a tag that means another one does not hide builds of it."""
        world.build(name="other", tag="hello")
        with pytest.raises(NameMismatchError):
            world.install("hello")
        digest = world.build(tag="v1")
        assert world.install("hello").digest == digest

    def test_a_pulled_name_can_be_installed(self, world: World, remote: str) -> None:
        """A skill that was pulled under its own name is found, like a build."""
        world.service.pull(remote, name="hello")
        assert world.install("hello").reference == "hello"

    @pytest.mark.parametrize(
        ("source", "kind"),
        [
            ("nothing", ReferenceNotFoundError),
            ("Not-A-Name", InvalidNameError),
            ("", InvalidNameError),
            ("x", InvalidNameError),
            ("sha256:" + "0" * 64, ReferenceNotFoundError),
            ("hello:v1", ReferenceNotFoundError),
            ("ghcr.io/UP/hello:v1", InvalidNameError),
            ("git://example.com/hello", InvalidNameError),
            ("https://example.com/hello", InvalidNameError),
            ("oci-archive:nowhere.tar", NotALayoutError),
        ],
    )
    def test_an_invalid_source_is_refused(
        self, world: World, source: str, kind: type[Exception]
    ) -> None:
        """Each is refused by its reason, and nothing is written."""
        with pytest.raises(kind):
            world.install(source)
        assert list(world.home.iterdir()) == []

    def test_an_artifact_that_is_not_a_skill_is_not_installed(self, world: World) -> None:
        """An artifact must be a skill, and have a skill's name."""
        layout = world.service.layout
        layout.tag("hello", layout.blobs.put(b"x", media_type="text/plain"))
        with pytest.raises(NotASkillError):
            world.install("hello")


class TestBuildsOnly:
    """With `builds_only`, a skill that was not built here is refused under any name."""

    def test_a_build_is_taken_by_its_tag_and_by_its_name(self, world: World) -> None:
        world.build(tag="v1")
        found = world.install("hello", builds_only=True)
        assert found.reference == "v1"

    @pytest.mark.parametrize("kind", ["name", "digest", "archive", "reference"])
    def test_a_pulled_skill_is_refused(self, world: World, kind: str) -> None:
        world.build()
        layout = world.service.layout
        root = layout.resolve("hello")
        layout.tag("hello", root)  # as a pull leaves it
        source = {
            "name": "hello",
            "digest": str(root.digest),
            "archive": f"oci-archive:{world.folder}/x.tar",
            "reference": "127.0.0.1:1/team/hello:v1",
        }[kind]
        with pytest.raises(NotALocalBuildError):
            world.install(source, builds_only=True)
        assert world.tree() == {}


class TestArchives:
    @pytest.fixture
    def origin(self, world: World) -> World:
        there = World.__new__(World)
        there.folder = world.folder / "there"
        there.service = SkillService.open(world.folder / "origin", durability="none")
        return there

    def archive(self, origin: World, *names: str) -> Path:
        path = origin.folder / "skills.tar"
        write_archive(origin.service.layout, names or None, path)
        return path

    @pytest.mark.parametrize("form", ["path", "text", "named"])
    def test_an_archive_is_copied_into_the_store_and_installed(
        self, world: World, origin: World, form: str
    ) -> None:
        """It gets the name that it has in the archive, and is not a local build."""
        digest = origin.build(tag="ghcr.io/org/hello:v1")
        path = self.archive(origin)
        text = f"oci-archive:{path}" + (":ghcr.io/org/hello:v1" if form == "named" else "")
        found = world.service.install(path if form == "path" else text, clients=["cursor"])
        assert (found.digest, found.tag) == (digest, "v1")
        assert found.reference == "ghcr.io/org/hello:v1"
        assert world.service.list_builds() == []
        assert world.service.layout.tags() == ("ghcr.io/org/hello:v1",)

    def test_of_several_skills_one_must_be_named(self, world: World, origin: World) -> None:
        """The message lists the names."""
        origin.build()
        origin.build(name="other")
        path = self.archive(origin)
        with pytest.raises(ReferenceNotFoundError, match="'hello', 'other'"):
            world.service.install(path, clients=["cursor"])
        with pytest.raises(ReferenceNotFoundError, match="does not say which"):
            world.install(f"oci-archive:{path}:nothing")
        assert world.install(f"oci-archive:{path}:other").name == "other"

    def test_content_without_a_name_is_known_by_its_digest(
        self, world: World, origin: World
    ) -> None:
        """An archive need not name what it holds, or name it as a skill may be named."""
        digest = origin.build()
        layout = Layout.open(world.folder / "origin", strict_names=False)
        odd = world.folder / "odd.tar"  # `write_archive` writes no such name
        layout.tag("a name", layout.resolve(digest))
        layout.untag(next(tag for tag in layout.tags() if tag != "a name"))
        with tarfile.open(odd, "w") as tar:
            tar.add(layout.path, arcname=".")
        for path in (self.archive(origin, digest), odd):
            found = world.service.install(path, clients=["cursor"])
            assert (found.reference, found.tag) == (digest, "")
            assert world.service.layout.tags() == ()
        assert world.install(digest, clients=["codex"]).clients == ("codex", "cursor")

    def test_a_build_of_that_name_is_kept(self, world: World, origin: World) -> None:
        """Other content does not take the name of a build, unless it may."""
        origin.build(version="theirs")
        path = self.archive(origin)
        world.build(version="mine")
        with pytest.raises(LocalBuildConflictError):
            world.service.install(path, clients=["cursor"])
        assert len(world.service.list_builds()) == 1
        world.service.install(path, clients=["cursor"], replace=True)
        assert world.service.list_builds() == []

    def test_the_repository_must_have_the_name_of_the_skill(
        self, world: World, origin: World
    ) -> None:
        """The repository of a full name in an archive must be the name of the skill."""
        origin.build(tag="ghcr.io/org/innocent:v1")
        with pytest.raises(NameMismatchError):
            world.service.install(self.archive(origin), clients=["cursor"])
