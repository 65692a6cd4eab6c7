"""The promise of the store: a pulled skill is never listed as a build."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import tempfile
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    Descriptor,
    Index,
    InvalidNameError,
    Layout,
    Manifest,
    Reference,
    ReferenceNotFoundError,
    copy,
    decode,
)
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from ocilayout.transfer import transfer
from skills import (
    LOCAL_BUILD,
    LocalBuildConflictError,
    NameMismatchError,
    NotALocalBuildError,
    NotASkillError,
    NotCachedError,
    NotInstalledError,
    SkillService,
    package,
)
from tests.effort import examples
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = {LOCAL_BUILD: "true"}
SKILLS = ("alpha", "beta")
BARE = ("alpha", "v1")
# The skill with the repository's name can be installed from it, the other one cannot.
REPOSITORIES = ("team/alpha", "team/beta")


def write_skill(folder: Path, name: str) -> Path:
    """Write a small skill and return its folder."""
    path = folder / name
    path.mkdir(parents=True)
    path.joinpath("SKILL.md").write_text(f"---\nname: {name}\ndescription: Does {name}\n---\n")
    return path


def marked_artifact(layout: Layout, skill: Path) -> Descriptor:
    """Store a skill that carries the mark in every annotation inside its content."""
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


# Another process with the same store; it calls methods by their path from the service.
PEER = """
import pickle, sys
from operator import attrgetter
from ocilayout import copy
from skills import SkillService

service = None
while True:
    verb, arguments, options = pickle.load(sys.stdin.buffer)
    try:
        if verb == "open":
            service = SkillService.open(*arguments, **options)
            answer = None
        elif verb == "copy_into":
            answer = copy(*arguments, service.layout, **options)
        else:
            answer = attrgetter(verb)(service)(*arguments, **options)
    except Exception as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


class Peer:
    """A service in another process, with the interface of `Here`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=unmeasured(),
        )

    def call(self, verb: str, *arguments: object, **options: object) -> Any:
        """Call a method in the other process; its exception is raised here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((verb, arguments, options), self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the other process."""
        self._process.kill()
        self._process.communicate()


class Here:
    """A service in this process, with the interface of `Peer`."""

    def __init__(self) -> None:
        self._service: SkillService | None = None

    def call(self, verb: str, *arguments: Any, **options: Any) -> Any:
        """Call a method."""
        if verb == "open":
            self._service = SkillService.open(*arguments, **options)
            return None
        assert self._service is not None
        if verb == "copy_into":
            source, ref = arguments
            return copy(source, ref, self._service.layout, **options)
        return attrgetter(verb)(self._service)(*arguments, **options)


class World:
    """A registry with the artifacts that can be built, and a hostile one."""

    def __init__(self, folder: Path, registry: LoopbackRegistry) -> None:
        self.registry = registry
        self.skills = [write_skill(folder, name) for name in SKILLS]
        self.origin = SkillService.open(folder / "origin")
        self.remote: list[Descriptor] = []
        for skill in self.skills:
            built = self.origin.build(skill)
            self.remote.append(self.origin.layout.resolve(built.reference))
        # A layout in which everything that can be marked is marked.
        self.origin.layout.tag(
            "forged", marked_artifact(self.origin.layout, self.skills[0]), annotations=MARK
        )
        self.remote.append(self.origin.layout.resolve("forged"))
        for name in REPOSITORIES:
            with Repository(f"{registry.host}/{name}") as repository:
                for content in self.remote:
                    transfer(self.origin.layout, content, repository)
        # Only the bytes of the hostile artifact may contain the mark in a transfer.
        self.hostile = {body for body in registry.received if LOCAL_BUILD.encode() in body}

    def index_of(self, digest: str) -> int:
        """Return the number of the artifact with a digest."""
        return [str(content.digest) for content in self.remote].index(digest)

    def point(self, repository: str, content: int) -> None:
        """Set the remote tag to other content."""
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


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    found = Peer()
    yield found
    found.close()


class Promise(RuleBasedStateMachine):
    """Any sequence of operations of two processes on names, compared with a dict of their content
    and origin."""

    world: World
    peer: Peer

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.home = self.folder / "home"
        self.home.mkdir()
        self.processes: tuple[Here | Peer, ...] = (Here(), self.peer)
        self.model: dict[str, tuple[str, bool]] = {}  # name: (digest, built here)
        self.installed: dict[str, str] = {}  # name: digest
        self.remote = dict.fromkeys(REPOSITORIES, 0)
        self.world.registry.received.clear()

    names = st.sampled_from([*BARE, *(f"one-or-two/{repository}" for repository in REPOSITORIES)])
    contents = st.sampled_from(range(len(SKILLS)))
    repositories = st.sampled_from(REPOSITORIES)
    who = st.integers(0, 1)

    @initialize()
    def begin(self) -> None:
        for repository in REPOSITORIES:
            self.world.point(repository, 0)
        for number in range(2):
            self.reopen(number)

    def name(self, name: str) -> str:
        """Return the full reference of the tag of a repository."""
        prefix, slash, repository = name.partition("/")
        return self.world.reference(repository) if slash else prefix

    def call(self, who: int, verb: str, *arguments: object, **options: object) -> Any:
        """Call a method in one of the two processes."""
        return self.processes[who].call(verb, *arguments, **options)

    @rule(who=who)
    def reopen(self, who: int) -> None:
        self.call(who, "open", self.folder / "store", home=self.home, durability="none")

    @rule(name=names, content=contents, who=who)
    def build(self, name: str, content: int, who: int) -> None:
        result = self.call(who, "build", self.world.skills[content], tag=self.name(name))
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
        who=who,
    )
    def pull(
        self, repository: str, name: str | None, who: int, *, by_digest: bool, replace: bool
    ) -> None:
        content = self.world.remote[self.remote[repository]]
        reference = self.world.reference(repository)
        if by_digest:
            reference = f"{self.world.registry.host}/{repository}@{content.digest}"
        given = None if name is None else self.name(name)
        if self.expect_bind(given or reference, content.digest, replace=replace):
            with pytest.raises(LocalBuildConflictError):
                self.call(who, "pull", reference, name=given, replace=replace)
        else:
            self.call(who, "pull", reference, name=given, replace=replace)

    @rule(name=names, refresh=st.booleans(), who=who)
    def preview(self, name: str, who: int, *, refresh: bool) -> None:
        """Show a skill: from the store, or else by a pull."""
        reference = self.name(name)
        asked = refresh or reference not in self.model
        if "/" not in reference and asked:
            with pytest.raises(InvalidNameError):
                self.call(who, "get_content", reference, refresh=refresh)
            return
        requests = len(self.world.registry.requests)
        if asked:
            digest = self.world.remote[self.remote[name.partition("/")[2]]].digest
            if self.expect_bind(reference, digest, replace=False):
                with pytest.raises(LocalBuildConflictError):
                    self.call(who, "get_content", reference, refresh=refresh)
                return
        content = self.world.index_of(self.model[reference][0])
        if content < len(SKILLS):
            found = self.call(who, "get_content", reference, refresh=refresh)
            assert found.name == SKILLS[content]
        else:  # an index of indexes is not a skill
            with pytest.raises(NotASkillError):
                self.call(who, "get_content", reference, refresh=refresh)
        assert asked or len(self.world.registry.requests) == requests

    @rule(repository=repositories, replace=st.booleans(), who=who)
    def install(self, repository: str, who: int, *, replace: bool) -> None:
        """Install the current content of a reference: a pull, and files in the home folder."""
        reference = self.world.reference(repository)
        content = self.remote[repository]
        skill = repository.removeprefix("team/")
        options: dict[str, Any] = {"clients": ["codex"], "replace": replace}
        if self.expect_bind(reference, self.world.remote[content].digest, replace=replace):
            with pytest.raises(LocalBuildConflictError):
                self.call(who, "install", reference, **options)
        elif content < len(SKILLS) and SKILLS[content] == skill:
            self.call(who, "install", reference, **options)
            self.installed[skill] = self.model[reference][0]
        else:
            with pytest.raises((NameMismatchError, NotASkillError)):
                self.call(who, "install", reference, **options)

    @rule(skill=st.sampled_from(SKILLS), who=who)
    def uninstall(self, skill: str, who: int) -> None:
        if self.installed.pop(skill, None) is None:
            with pytest.raises(NotInstalledError):
                self.call(who, "uninstall", skill)
        else:
            self.call(who, "uninstall", skill)

    @rule(name=names, who=who)
    def remove_cached(self, name: str, who: int) -> None:
        if self.model.get(self.name(name), ("", True))[1]:
            with pytest.raises(NotCachedError):
                self.call(who, "remove_cached", self.name(name))
        else:
            self.call(who, "remove_cached", self.name(name))
            del self.model[self.name(name)]

    @rule(who=who)
    def prune_cache(self, who: int) -> None:
        """Pruning removes pulls with a registry, and no build."""
        goes = {name for name, (_, here) in self.model.items() if not here and "/" in name}
        found = self.call(who, "prune_cache")
        assert {skill.reference for skill in found} == goes
        for name in goes:
            del self.model[name]

    @rule(repository=repositories, content=st.integers(0, len(SKILLS)))
    def change_remote(self, repository: str, content: int) -> None:
        self.world.point(repository, content)
        self.remote[repository] = content

    @rule(content=st.integers(0, len(SKILLS)), name=names, who=who)
    def copy_from_layout(self, content: int, name: str, who: int) -> None:
        """Copy content from a layout in which its entry is marked."""
        source = self.world.origin.layout
        ref = source.tags()[content]
        digest = source.resolve(ref).digest
        if not self.expect_bind(self.name(name), digest, replace=True):
            self.call(who, "copy", source, ref, name=self.name(name), replace=True)

    @rule(content=st.integers(0, len(SKILLS)), name=names, who=who)
    def plain_copy(self, content: int, name: str, who: int) -> None:
        """Copy without the skills layer, which ignores builds and copies no mark."""
        source = self.world.origin.layout
        ref = source.tags()[content]
        digest = self.call(who, "copy_into", source, ref, name=self.name(name)).digest
        if self.model.get(self.name(name), ("", False))[0] != digest:
            self.model[self.name(name)] = (digest, False)

    @rule(source=names, name=names, who=who)
    def retag(self, source: str, name: str, who: int) -> None:
        """Tag by digest, also the digest of a build, and also the content that the name has."""
        if self.name(source) not in self.model:
            with pytest.raises(ReferenceNotFoundError):
                self.call(who, "layout.resolve", self.name(source))
            return
        digest = self.call(who, "layout.resolve", self.name(source)).digest
        self.call(who, "layout.tag", self.name(name), digest)
        self.model[self.name(name)] = (digest, False)

    @rule(name=names, who=who)
    def untag(self, name: str, who: int) -> None:
        if self.model.pop(self.name(name), None) is not None:
            self.call(who, "layout.untag", self.name(name))

    @rule(name=names, who=who)
    def adopt(self, name: str, who: int) -> None:
        before = self.model.get(self.name(name))
        if before is None:
            with pytest.raises(ReferenceNotFoundError):
                self.call(who, "adopt", self.name(name))
        else:
            self.call(who, "adopt", self.name(name))
            self.model[self.name(name)] = (before[0], True)

    @rule(name=names, who=who)
    def delete(self, name: str, who: int) -> None:
        if self.model.get(self.name(name), ("", False))[1]:
            self.call(who, "delete_build", self.name(name))
            del self.model[self.name(name)]
        else:
            with pytest.raises(NotALocalBuildError):
                self.call(who, "delete_build", self.name(name))

    @rule(repository=repositories, who=who)
    def push(self, repository: str, who: int) -> None:
        name = self.world.reference(repository)
        if name in self.model:
            self.call(who, "push", name)
            self.remote[repository] = self.world.index_of(self.model[name][0])

    @invariant()
    def builds_are_listed(self) -> None:
        """The list is exactly the names whose last binding was made by build or adopt."""
        built = {name: digest for name, (digest, here) in self.model.items() if here}
        for who in range(2):
            found = self.call(who, "list_builds")
            assert [build.tag for build in found] == sorted(built)
            assert {build.tag: build.digest for build in found} == built

    @invariant()
    def other_names_are_cached(self) -> None:
        """The cache is exactly the names whose last binding was made in any other way."""
        pulled = {name: digest for name, (digest, here) in self.model.items() if not here}
        for who in range(2):
            found = self.call(who, "list_cache")
            assert [skill.reference for skill in found] == sorted(pulled)
            assert {skill.reference: skill.digest for skill in found} == pulled

    @invariant()
    def last_install_is_installed(self) -> None:
        """The installed skill does not depend on the store."""
        for who in range(2):
            found = self.call(who, "list_installed")
            assert {skill.name: skill.digest for skill in found} == self.installed
        there = {path.parent.name for path in self.home.glob(".agents/skills/*/SKILL.md")}
        assert there == set(self.installed)

    @invariant()
    def names_have_their_last_content(self) -> None:
        """Every name has its last content, and all of it exists."""
        layout = Layout.open(self.folder / "store")
        meant = {name: layout.resolve(name).digest for name in layout.tags()}
        assert meant == {name: digest for name, (digest, _) in self.model.items()}
        for name in meant:
            for part in layout.walk(layout.resolve(name)):
                layout.blobs.read(part)

    @invariant()
    def only_named_entries_are_marked(self) -> None:
        """No untagged entry has the mark."""
        for entry in Layout.open(self.folder / "store").entries():
            assert entry.name or LOCAL_BUILD not in entry.annotations

    @invariant()
    def no_pushed_byte_is_marked(self) -> None:
        """No uploaded bytes contain the mark, except for the hostile artifact."""
        for body in self.world.registry.received:
            assert LOCAL_BUILD.encode() not in body or body in self.world.hostile

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


def test_a_pull_is_never_listed_as_a_build(world: World, peer: Peer) -> None:
    """For any history of a store that two processes share, exactly the names last bound by build
    and adopt are listed."""
    Promise.world = world
    Promise.peer = peer
    run_state_machine_as_test(
        Promise,
        settings=settings(
            max_examples=settings().max_examples // examples(2, 4),
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_pushed_byte_contains_the_mark(tmp_path: Path) -> None:
    """A build is pushed without its mark, and the mark does not change a digest."""
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
    world.point("team/alpha", len(SKILLS))
    content = world.remote[len(SKILLS)]
    reference = world.reference("team/alpha")
    if by_digest:
        reference = f"{world.registry.host}/team/alpha@{content.digest}"
    service = SkillService.open(tmp_path / "store")
    assert service.pull(reference).digest == content.digest
    root = service.layout.read_manifest(content)
    assert root.annotations[LOCAL_BUILD] == "true"
    assert service.list_builds() == []
    assert service.layout.entry(reference).annotations == {}


def test_a_preview_leaves_the_list_as_it_was(world: World, tmp_path: Path) -> None:
    """A preview of a foreign skill by tag adds nothing to the list."""
    world.point("team/alpha", 1)
    service = SkillService.open(tmp_path / "store")
    service.build(world.skills[0])
    before = service.list_builds()
    assert service.get_content(world.reference("team/alpha")).name == "beta"
    assert service.list_builds() == before
    assert [build.tag for build in before] == ["alpha"]


def test_an_install_leaves_the_list_as_it_was(world: World, tmp_path: Path) -> None:
    """After installing the content of a build by digest and tag, only the build is listed."""
    world.point("team/alpha", 0)
    service = SkillService.open(tmp_path / "store", home=tmp_path / "home")
    built = service.build(world.skills[0])
    before = service.list_builds()
    pinned = f"{world.registry.host}/team/alpha@{built.digest}"
    for reference in (pinned, world.reference("team/alpha")):
        assert service.install(reference, clients=["codex"]).digest == built.digest
    assert service.list_builds() == before
    assert len(service.layout.tags()) == 3


def test_a_pull_of_a_build_changes_nothing(tmp_path: Path) -> None:
    """Build, push, then pull the same reference: the build is still listed, unchanged."""
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
    """A service uses the repository that its caller provides."""
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
