"""The promise of the store: what was pulled is never listed as built here."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ocilayout import (
    LOCAL_BUILD,
    Descriptor,
    Index,
    Layout,
    Manifest,
    Reference,
    ReferenceNotFoundError,
    decode,
)
from ocilayout.copy import copy, transfer
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from skills import LocalBuildConflictError, NotALocalBuildError, SkillService, package

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = {LOCAL_BUILD: "true"}
SKILLS = ("alpha", "beta")
BARE = ("alpha", "v1")
REPOSITORIES = ("team/one", "team/two")


def write_skill(folder: Path, name: str) -> Path:
    """Write a small skill and return its folder."""
    path = folder / name
    path.mkdir(parents=True)
    path.joinpath("SKILL.md").write_text(f"---\nname: {name}\ndescription: Does {name}\n---\n")
    return path


def marked_artifact(layout: Layout, skill: Path) -> Descriptor:
    """Store a skill that says in every annotation of its own that it was built here."""
    packed = package(skill, epoch=7)
    for descriptor, data in packed.blobs:
        layout.blobs.put(data, media_type=descriptor.media_type)
    said = {**decode(packed.root.data, Index).annotations, **MARK}
    manifests = []
    for child in decode(packed.root.data, Index).manifests:
        document = layout.read_manifest(child)
        assert isinstance(document, Manifest)
        layers = [described(layer, MARK) for layer in document.layers]
        forged = Manifest(
            artifact_type=document.artifact_type,
            config=described(document.config, MARK),
            layers=layers,
            annotations=said,
        )
        manifests.append(described(layout.put_manifest(forged), MARK))
    nested = Index(artifact_type="dev.toolhive.skills.v1", manifests=manifests, annotations=said)
    inner = described(layout.put_manifest(nested), MARK)
    return layout.put_manifest(
        Index(artifact_type=nested.artifact_type, manifests=[inner, *manifests], annotations=said)
    )


def described(plain: Descriptor, annotations: dict[str, str]) -> Descriptor:
    """Return a descriptor with annotations."""
    return Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        annotations=annotations,
    )


class World:
    """A registry with artifacts in it, the same ones that can be built, and a hostile one."""

    def __init__(self, folder: Path, registry: LoopbackRegistry) -> None:
        self.registry = registry
        self.skills = [write_skill(folder, name) for name in SKILLS]
        self.origin = SkillService.open(folder / "origin")
        self.remote: list[Descriptor] = []
        for skill in self.skills:
            built = self.origin.build(skill)
            self.remote.append(self.origin.layout.resolve(built.reference))
        # A layout in which everything is marked, as far as that is possible.
        self.origin.layout.tag(
            "forged", marked_artifact(self.origin.layout, self.skills[0]), annotations=MARK
        )
        self.remote.append(self.origin.layout.resolve("forged"))
        for name in REPOSITORIES:
            with Repository(f"{registry.host}/{name}") as repository:
                for content in self.remote:
                    transfer(self.origin.layout, content, repository)
        # What may hold the mark on the wire: the bytes of the hostile artifact, and no others.
        self.hostile = {body for body in registry.received if LOCAL_BUILD.encode() in body}

    def point(self, repository: str, content: int) -> None:
        """Let the remote tag mean other content."""
        self.registry.tags[repository, "v1"] = self.remote[content].digest

    def reference(self, repository: str) -> str:
        """Return the full reference of a remote tag."""
        return f"{self.registry.host}/{repository}:v1"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory() as folder,
        LoopbackRegistry() as registry,
    ):
        yield World(Path(folder), registry)


class Promise(RuleBasedStateMachine):
    """Any sequence of what can happen to names, against a dict of what they mean and why."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.handles: list[SkillService] = []
        self.model: dict[str, tuple[str, bool]] = {}  # name: (digest, built here)
        self.remote = dict.fromkeys(REPOSITORIES, 0)
        self.world.registry.received.clear()

    names = st.sampled_from([*BARE, *(f"one-or-two/{repository}" for repository in REPOSITORIES)])
    contents = st.sampled_from(range(len(SKILLS)))
    repositories = st.sampled_from(REPOSITORIES)

    @initialize()
    def begin(self) -> None:
        for repository in REPOSITORIES:
            self.world.point(repository, 0)
        self.handles = [SkillService.open(self.folder / "store") for _ in range(2)]

    def name(self, name: str) -> str:
        """Turn the name of a repository into the full reference of its tag."""
        prefix, slash, repository = name.partition("/")
        return self.world.reference(repository) if slash else prefix

    def service(self, handle: int) -> SkillService:
        return self.handles[handle]

    @rule(name=names, content=contents, handle=st.integers(0, 1))
    def build(self, name: str, content: int, handle: int) -> None:
        result = self.service(handle).build(self.world.skills[content], tag=self.name(name))
        assert result.digest == self.world.remote[content].digest
        self.model[self.name(name)] = (result.digest, True)

    def expect_bind(self, name: str, digest: str, *, replace: bool) -> bool:
        """Apply the decision table to the model; tell whether the pull must be refused."""
        before = self.model.get(name)
        if before is not None and before[0] == digest:
            return False
        if before is not None and before[1] and not replace:
            return True
        self.model[name] = (digest, False)
        return False

    @rule(
        repository=repositories,
        name=st.none() | names,
        by_digest=st.booleans(),
        replace=st.booleans(),
        handle=st.integers(0, 1),
    )
    def pull(
        self, repository: str, name: str | None, handle: int, *, by_digest: bool, replace: bool
    ) -> None:
        content = self.world.remote[self.remote[repository]]
        reference = self.world.reference(repository)
        if by_digest:
            reference = f"{self.world.registry.host}/{repository}@{content.digest}"
        given = None if name is None else self.name(name)
        refused = self.expect_bind(given or reference, content.digest, replace=replace)
        service = self.service(handle)
        if refused:
            with pytest.raises(LocalBuildConflictError):
                service.pull(reference, name=given, replace=replace)
        else:
            service.pull(reference, name=given, replace=replace)

    @rule(repository=repositories, content=st.integers(0, len(SKILLS)))
    def change_remote(self, repository: str, content: int) -> None:
        self.world.point(repository, content)
        self.remote[repository] = content

    @rule(content=st.integers(0, len(SKILLS)), name=names, handle=st.integers(0, 1))
    def copy_from_layout(self, content: int, name: str, handle: int) -> None:
        """Bring content from a layout where its entry is marked."""
        source = self.world.origin.layout
        ref = source.tags()[content]
        digest = source.resolve(ref).digest
        if not self.expect_bind(self.name(name), digest, replace=True):
            self.service(handle).copy(source, ref, name=self.name(name), replace=True)

    @rule(content=st.integers(0, len(SKILLS)), name=names, handle=st.integers(0, 1))
    def plain_copy(self, content: int, name: str, handle: int) -> None:
        """Copy without the skills layer: it knows no builds, and carries no mark."""
        source = self.world.origin.layout
        ref = source.tags()[content]
        digest = copy(source, ref, self.service(handle).layout, name=self.name(name)).digest
        if self.model.get(self.name(name), ("", False))[0] != digest:
            self.model[self.name(name)] = (digest, False)

    @rule(source=names, name=names, handle=st.integers(0, 1))
    def retag(self, source: str, name: str, handle: int) -> None:
        """Tag by digest, also with the digest of a build, also a name with what it means."""
        layout = self.service(handle).layout
        if self.name(source) not in self.model:
            with pytest.raises(ReferenceNotFoundError):
                layout.resolve(self.name(source))
            return
        digest = layout.resolve(self.name(source)).digest
        layout.tag(self.name(name), digest)
        self.model[self.name(name)] = (digest, False)

    @rule(name=names, handle=st.integers(0, 1))
    def untag(self, name: str, handle: int) -> None:
        if self.model.pop(self.name(name), None) is not None:
            self.service(handle).layout.untag(self.name(name))

    @rule(name=names, handle=st.integers(0, 1))
    def adopt(self, name: str, handle: int) -> None:
        before = self.model.get(self.name(name))
        if before is None:
            with pytest.raises(ReferenceNotFoundError):
                self.service(handle).adopt(self.name(name))
        else:
            self.service(handle).adopt(self.name(name))
            self.model[self.name(name)] = (before[0], True)

    @rule(name=names, handle=st.integers(0, 1))
    def delete(self, name: str, handle: int) -> None:
        if self.model.get(self.name(name), ("", False))[1]:
            self.service(handle).delete_build(self.name(name))
            del self.model[self.name(name)]
        else:
            with pytest.raises(NotALocalBuildError):
                self.service(handle).delete_build(self.name(name))

    @rule(repository=repositories, handle=st.integers(0, 1))
    def push(self, repository: str, handle: int) -> None:
        name = self.world.reference(repository)
        if name in self.model:
            self.service(handle).push(name)
            digests = [str(content.digest) for content in self.world.remote]
            self.remote[repository] = digests.index(self.model[name][0])

    @rule(handle=st.integers(0, 1))
    def reopen(self, handle: int) -> None:
        self.handles[handle] = SkillService.open(self.folder / "store")

    @invariant()
    def listed_is_what_was_built(self) -> None:
        """The list is exactly the names whose last binding was made by build or adopt."""
        built = {name: digest for name, (digest, here) in self.model.items() if here}
        for service in self.handles:
            found = service.list_builds()
            assert [build.tag for build in found] == sorted(built)
            assert {build.tag: build.digest for build in found} == built

    @invariant()
    def names_mean_what_they_were_bound_to(self) -> None:
        """Every name means its last content, and all of it is there."""
        for service in self.handles:
            layout = service.layout
            meant = {name: layout.resolve(name).digest for name in layout.tags()}
            assert meant == {name: digest for name, (digest, _) in self.model.items()}
            for name in meant:
                for part in layout.walk(layout.resolve(name)):
                    layout.blobs.read(part)

    @invariant()
    def only_named_entries_are_marked(self) -> None:
        """No entry keeps the mark when it loses its name."""
        for service in self.handles[:1]:
            for entry in service.layout.entries():
                assert entry.name or LOCAL_BUILD not in entry.annotations

    @invariant()
    def no_pushed_byte_is_marked(self) -> None:
        """Nothing that is sent holds the mark, but for content that others made to hold it."""
        for body in self.world.registry.received:
            assert LOCAL_BUILD.encode() not in body or body in self.world.hostile

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


def test_what_was_pulled_is_never_listed(world: World) -> None:
    """For any history of a store, the list is what build and adopt bound last, and no more."""
    Promise.world = world
    run_state_machine_as_test(
        Promise,
        settings=settings(
            max_examples=settings().max_examples,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_pushed_byte_contains_the_mark(tmp_path: Path) -> None:
    """A build is pushed without its mark, and marking did not change a digest."""
    with LoopbackRegistry() as registry:
        service = SkillService.open(tmp_path / "store")
        skill = write_skill(tmp_path, "alpha")
        reference = f"{registry.host}/team/alpha:v1"
        before = package(skill, epoch=0).index
        result = service.build(skill, tag=reference)
        service.push(reference)
        assert result.digest == before.digest
        assert registry.tags["team/alpha", "v1"] == before.digest
        assert len(set(registry.received)) == 6
        assert not [body for body in registry.received if LOCAL_BUILD.encode() in body]


@pytest.mark.parametrize("by_digest", [False, True])
def test_a_hostile_artifact_is_not_listed(world: World, tmp_path: Path, *, by_digest: bool) -> None:
    """The mark in manifests, a nested index, layer descriptors and annotations has no effect."""
    world.point("team/one", len(SKILLS))
    content = world.remote[len(SKILLS)]
    reference = world.reference("team/one")
    if by_digest:
        reference = f"{world.registry.host}/team/one@{content.digest}"
    service = SkillService.open(tmp_path / "store")
    assert service.pull(reference).digest == content.digest
    root = service.layout.read_manifest(content)
    assert root.annotations[LOCAL_BUILD] == "true"
    assert service.list_builds() == []
    assert service.layout.entry(reference).annotations == {}


def test_a_preview_pull_leaves_the_list_as_it_was(world: World, tmp_path: Path) -> None:
    """Looking at somebody else's skill by tag lists nothing that was not listed before."""
    world.point("team/one", 1)
    service = SkillService.open(tmp_path / "store")
    service.build(world.skills[0])
    before = service.list_builds()
    service.pull(world.reference("team/one"))
    assert service.list_builds() == before
    assert [build.tag for build in before] == ["alpha"]


def test_an_install_pull_leaves_the_list_as_it_was(world: World, tmp_path: Path) -> None:
    """Pulling by digest what equals a build under another name lists only the build."""
    world.point("team/two", 0)
    service = SkillService.open(tmp_path / "store")
    built = service.build(world.skills[0])
    before = service.list_builds()
    service.pull(f"{world.registry.host}/team/two@{built.digest}")
    service.pull(world.reference("team/two"))
    assert service.list_builds() == before
    assert len(service.layout.tags()) == 3


def test_a_pull_of_what_was_built_here_changes_nothing(tmp_path: Path) -> None:
    """Build, push, then pull the same reference: the build is still listed, byte for byte."""
    with LoopbackRegistry() as registry:
        service = SkillService.open(tmp_path / "store")
        reference = f"{registry.host}/team/alpha:v1"
        service.build(write_skill(tmp_path, "alpha"), tag=reference)
        service.push(reference)
        index = (tmp_path / "store" / "index.json").read_bytes()
        service.pull(reference)
        assert (tmp_path / "store" / "index.json").read_bytes() == index
        assert [build.tag for build in service.list_builds()] == [reference]


def test_the_repository_of_a_reference_can_be_given(tmp_path: Path) -> None:
    """A service talks to registries through what it was given."""
    asked: list[Reference] = []

    def repository(reference: Reference) -> Repository:
        asked.append(reference)
        return Repository(f"{reference.host}/{reference.repository}")

    with LoopbackRegistry() as registry:
        service = SkillService(Layout.create(tmp_path / "store"), registry=repository)
        reference = f"{registry.host}/team/alpha:v1"
        service.build(write_skill(tmp_path, "alpha"), tag=reference)
        service.push(reference)
        assert [str(found) for found in asked] == [reference]
