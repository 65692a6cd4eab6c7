"""The service: building, and moving skills between stores and registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    BlobNotFoundError,
    InvalidNameError,
    Layout,
    LayoutExistsError,
    ReferenceNotFoundError,
)
from ocilayout.testing.registry import LoopbackRegistry
from skills import (
    FrontmatterError,
    InvalidTagError,
    LocalBuildConflictError,
    NotPushableError,
    SkillService,
    ValidationError,
    default_store,
)

if TYPE_CHECKING:
    from pathlib import Path


def write_skill(folder: Path, name: str, description: str = "x") -> Path:
    """Write a small skill and return its folder."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    path.joinpath("SKILL.md").write_text(f"---\nname: {name}\ndescription: {description}\n---\n")
    return path


@pytest.fixture
def service(tmp_path: Path) -> SkillService:
    return SkillService.open(tmp_path / "store", durability="none")


class TestDefaultStore:
    def test_the_variable_has_precedence(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """`OCI_SKILLS_STORE` is the store, even if other variables are set."""
        monkeypatch.setenv("OCI_SKILLS_STORE", str(tmp_path / "here"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "there"))
        assert default_store() == tmp_path / "here"
        assert SkillService.open().layout.path == tmp_path / "here"

    @pytest.mark.parametrize("value", ["{}/data", "$PLACE/data"])
    def test_an_absolute_data_home_is_used(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
    ) -> None:
        """`XDG_DATA_HOME` is used with its variables expanded, as ToolHive does."""
        monkeypatch.delenv("OCI_SKILLS_STORE", raising=False)
        monkeypatch.setenv("PLACE", str(tmp_path))
        monkeypatch.setenv("XDG_DATA_HOME", value.format(tmp_path))
        assert default_store() == tmp_path / "data" / "toolhive" / "skills"

    @pytest.mark.parametrize("value", ["", "relative"])
    def test_a_relative_data_home_is_ignored(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
    ) -> None:
        """Without an absolute `XDG_DATA_HOME` it is the platform's data folder below home."""
        monkeypatch.delenv("OCI_SKILLS_STORE", raising=False)
        monkeypatch.setenv("XDG_DATA_HOME", value)
        monkeypatch.setenv("HOME", str(tmp_path))
        found = default_store()
        assert found.is_relative_to(tmp_path)
        assert found.parts[-2:] == ("toolhive", "skills")

    def test_a_folder_with_other_files_is_refused(self, tmp_path: Path) -> None:
        """A store is not made in a folder that is something else."""
        (tmp_path / "photo.jpg").write_bytes(b"x")
        with pytest.raises(LayoutExistsError, match="photo"):
            SkillService.open(tmp_path, durability="none")


class TestBuild:
    def test_the_tag_is_the_skills_name_by_default(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """Without a tag the name of the skill is the tag, and the result has it."""
        result = service.build(write_skill(tmp_path, "alpha"))
        assert result.reference == "alpha"
        assert service.layout.resolve("alpha").digest == result.digest

    @pytest.mark.parametrize(
        "tag",
        ["", "a b", "org/skill", "org/skill:v1", "skill:v1", "x" * 129, "sha256:" + "0" * 64,
         "ghcr.io/org/skill", "ghcr.io/Org/skill:v1", "ghcr.io/org/skill:",
         "ghcr.io/org/s@sha256:1"],
    )  # fmt: skip
    def test_a_bad_tag_is_refused_before_anything_is_packaged(
        self, service: SkillService, tag: str, tmp_path: Path
    ) -> None:
        """A tag outside the grammar is refused before the folder is read, and leaves no blob."""
        with pytest.raises(InvalidTagError):
            service.build(tmp_path / "missing", tag=tag)
        assert list(service.layout.blobs) == []

    @pytest.mark.parametrize(
        "tag",
        [".hidden", "-x", "my__skill", "x" * 128, "ghcr.io/org/skill:v1", "localhost/a:b",
         "127.0.0.1:5000/a__b/c:v1", "ghcr.io/org/s@sha256:" + "0" * 64],
    )  # fmt: skip
    def test_a_good_tag_is_kept_as_it_is(
        self, service: SkillService, tag: str, tmp_path: Path
    ) -> None:
        """Bare tags and full references are names, also where ref.name has a narrower grammar."""
        assert service.build(write_skill(tmp_path, "alpha"), tag=tag).reference == tag
        assert [build.tag for build in service.list_builds()] == [tag]

    def test_an_invalid_skill_is_refused_unless_validation_is_off(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """Validation names all that is wrong; without it the skill is packaged."""
        skill = write_skill(tmp_path, "alpha", '""')
        with pytest.raises(ValidationError, match="description") as caught:
            service.build(skill)
        assert len(caught.value.errors) == 1
        assert list(service.layout.blobs) == []
        assert service.build(skill, validate=False).reference == "alpha"

    def test_a_name_that_is_not_a_tag_needs_one(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """Without validation a skill's name may be anything, but then it is not the tag."""
        skill = tmp_path / "s"
        skill.mkdir()
        skill.joinpath("SKILL.md").write_text("---\nname: not a tag\ndescription: x\n---\n")
        with pytest.raises(InvalidTagError, match="not a tag"):
            service.build(skill, validate=False)
        assert list(service.layout.blobs) == []
        skill.joinpath("SKILL.md").write_text("no frontmatter")
        with pytest.raises(FrontmatterError):
            service.build(skill, validate=False)

    def test_the_epoch_of_the_environment_is_used(
        self, service: SkillService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SOURCE_DATE_EPOCH changes the digest, and setting it back gives the first one."""
        skill = write_skill(tmp_path, "alpha")
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
        first = service.build(skill).digest
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        assert service.build(skill).digest != first
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
        assert service.build(skill).digest == first

    def test_blobs_that_are_deleted_meanwhile_are_stored_again(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """A build survives that another process deletes its blobs before they have a name."""
        skill = write_skill(tmp_path, "alpha")
        deletions: list[int] = []

        class Raided(Layout):
            """A layout that loses a blob right before a name is given, once."""

            def tag(self, *args: object, **options: object) -> None:
                if not deletions:
                    deletions.append(1)
                    self.blobs.path(next(iter(self.blobs))).unlink()
                super().tag(*args, **options)  # type: ignore[arg-type] # passed on as they came

        raided = SkillService(Raided(tmp_path / "store"))
        raided.build(skill)
        assert deletions == [1]
        for part in service.layout.walk(service.layout.resolve("alpha")):
            service.layout.blobs.read(part)

    def test_blobs_that_are_deleted_at_every_try_are_an_error(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """When blobs vanish at each try, the build fails and tags nothing."""

        class Raided(Layout):
            """A layout that loses its blobs whenever a name is given."""

            def tag(self, *args: object, **options: object) -> None:
                for digest in self.blobs:
                    self.blobs.path(digest).unlink()
                super().tag(*args, **options)  # type: ignore[arg-type] # passed on as they came

        with pytest.raises(BlobNotFoundError):
            SkillService(Raided(tmp_path / "store")).build(write_skill(tmp_path, "alpha"))
        assert service.layout.tags() == ()


class TestPullAndPush:
    def test_push_and_pull_keep_the_digest(self, service: SkillService, tmp_path: Path) -> None:
        """A skill pulled into another store has the pushed digest, and is not a build there."""
        with LoopbackRegistry() as registry:
            reference = f"{registry.host}/team/alpha:v1"
            built = service.build(write_skill(tmp_path, "alpha"), tag=reference)
            assert service.push(reference) == built
            other = SkillService.open(tmp_path / "other", durability="none")
            assert other.pull(reference, name="mine").digest == built.digest
            assert other.layout.tags() == ("mine",)
            assert other.list_builds() == []
            by_digest = f"{registry.host}/team/alpha@{built.digest}"
            assert other.pull(by_digest).reference == by_digest

    def test_latest_is_the_default(self, service: SkillService, tmp_path: Path) -> None:
        """A reference without tag and digest means `latest`, and is stored with it."""
        with LoopbackRegistry() as registry:
            reference = f"{registry.host}/team/alpha:latest"
            service.build(write_skill(tmp_path, "alpha"), tag=reference)
            service.push(reference)
            other = SkillService.open(tmp_path / "other", durability="none")
            assert other.pull(f"{registry.host}/team/alpha").reference == reference
            assert other.layout.tags() == (reference,)

    def test_a_build_with_other_content_is_kept(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """A pull onto a build is refused without a transfer; replacing keeps the old content."""
        with LoopbackRegistry() as registry:
            reference = f"{registry.host}/team/alpha:v1"
            pushed = service.build(write_skill(tmp_path, "alpha", "one"), tag=reference)
            service.push(reference)
            built = service.build(write_skill(tmp_path, "alpha", "two"), tag=reference)
            requests = len(registry.requests)
            with pytest.raises(LocalBuildConflictError) as caught:
                service.pull(reference)
            assert caught.value.name == reference
            assert caught.value.local_digest == built.digest
            assert caught.value.remote_digest == pushed.digest
            assert len(registry.requests) == requests + 1
            service.pull(reference, replace=True)
            assert service.list_builds() == []
            assert service.layout.resolve(reference).digest == pushed.digest
            assert built.digest in {entry.descriptor.digest for entry in service.layout.entries()}

    @pytest.mark.parametrize("reference", ["alpha", "", "alpha:v1", "ghcr.io/UP/x:v1"])
    def test_only_a_reference_is_pulled(self, service: SkillService, reference: str) -> None:
        """A pull needs a reference that names its registry or Docker Hub's repository."""
        with pytest.raises(InvalidNameError):
            service.pull(reference)

    def test_a_bad_name_is_refused_before_the_registry_is_asked(
        self, service: SkillService
    ) -> None:
        """The name that a pull is to have in the store is checked first."""
        with LoopbackRegistry() as registry:
            with pytest.raises(InvalidTagError):
                service.pull(f"{registry.host}/team/alpha:v1", name="a b")
            assert registry.requests == []

    def test_an_unknown_reference_is_not_found(self, service: SkillService) -> None:
        """Unknown references are not found in the store or the registry, and nothing is stored."""
        with LoopbackRegistry() as registry:
            with pytest.raises(ReferenceNotFoundError):
                service.pull(f"{registry.host}/team/alpha:v1")
            with pytest.raises(ReferenceNotFoundError):
                service.push(f"{registry.host}/team/alpha:v1")
        assert list(service.layout.blobs) == []
        assert service.layout.entries() == ()

    def test_a_name_without_a_registry_is_not_pushed(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """A bare tag does not name a repository to push to."""
        built = service.build(write_skill(tmp_path, "alpha"))
        other = f"ghcr.io/org/alpha@sha256:{'0' * 64}"
        for name in ("alpha", "ghcr.io/org/alpha", other):
            service.layout.tag(name, built.digest)
            with pytest.raises(NotPushableError, match="does not name a repository to push to"):
                service.push(name)

    def test_a_digest_reference_is_pushed_without_a_tag(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """An artifact that was pulled by digest is pushed by digest, without a tag."""
        with LoopbackRegistry() as registry:
            built = service.build(write_skill(tmp_path, "alpha"))
            name = f"{registry.host}/team/alpha@{built.digest}"
            service.layout.tag(name, built.digest)
            service.push(name)
            assert registry.tags == {}
            assert ("team/alpha", built.digest) in registry.manifests

    def test_a_copy_from_a_layout_is_a_pull(self, service: SkillService, tmp_path: Path) -> None:
        """A copy from another store does not take the mark along."""
        origin = SkillService.open(tmp_path / "origin", durability="none")
        built = origin.build(write_skill(tmp_path, "alpha"))
        assert service.copy(origin.layout, "alpha", name="alpha").digest == built.digest
        assert service.list_builds() == []
        with pytest.raises(InvalidTagError):
            service.copy(origin.layout, "alpha", name="not a name")
