"""The cache: what is listed as pulled, when that was, and what can be removed."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout import AmbiguousReferenceError, Descriptor, Layout
from ocilayout.testing.registry import LoopbackRegistry
from skills import LOCAL_BUILD, NotCachedError, SkillService

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_skill(folder: Path, name: str, version: str = "1") -> Path:
    """Write a small skill and return its folder."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    path.joinpath("SKILL.md").write_text(
        f"---\nname: {name}\ndescription: d\nversion: {version}\n---\n"
    )
    return path


class World:
    """A store, and a registry with a skill under three tags."""

    def __init__(self, folder: Path, registry: LoopbackRegistry) -> None:
        self.folder = folder
        self.registry = registry
        self.service = SkillService.open(folder / "store", durability="none")
        origin = SkillService.open(folder / "origin", durability="none")
        self.references = [f"{registry.host}/team/hello:v{number}" for number in (1, 2, 3)]
        for number, reference in enumerate(self.references):
            origin.build(write_skill(folder / "origin-skill", "hello", str(number)), tag=reference)
            origin.push(reference)

    def age(self, reference: str, days: float) -> datetime:
        """Let a pull have been so long ago."""
        layout = self.service.layout
        path = layout.blobs.path(layout.resolve(reference).digest)
        then = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        os.utime(path, (then.timestamp(), then.timestamp()))
        return then


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with LoopbackRegistry() as registry:
        yield World(tmp_path, registry)


def cached(service: SkillService) -> list[str]:
    return [skill.reference for skill in service.list_cache()]


def test_what_was_pulled_is_listed_with_digest_size_and_time(world: World) -> None:
    """Each pulled name has its digest, the size of all its parts, and when it was pulled."""
    service = world.service
    reference = world.references[0]
    before = datetime.now(UTC) - timedelta(seconds=5)
    pulled = service.pull(reference)
    (found,) = service.list_cache()
    assert (found.reference, found.digest) == (reference, pulled.digest)
    parts = {part.digest for part in service.layout.walk(service.layout.resolve(reference))}
    assert found.size == sum(service.layout.blobs.size(digest) for digest in parts)
    assert found.pulled is not None
    assert before < found.pulled < datetime.now(UTC) + timedelta(seconds=5)
    then = world.age(reference, 3)
    assert service.list_cache()[0].pulled == then


def test_the_time_is_that_of_the_last_pull(world: World) -> None:
    """A pull that copies nothing counts; showing a skill in the store does not."""
    reference = world.references[0]
    world.service.pull(reference)
    then = world.age(reference, 3)
    world.service.get_content(reference)
    assert world.service.list_cache()[0].pulled == then
    world.service.get_content(reference, refresh=True)
    pulled = world.service.list_cache()[0].pulled
    assert pulled is not None
    assert pulled > then


def test_builds_are_not_listed_and_names_are_in_order(world: World) -> None:
    """The list has every name that is not a local build, sorted, with any characters in it."""
    service = world.service
    service.build(write_skill(world.folder, "hello"))
    service.build(write_skill(world.folder, "hello"), tag="ghcr.io/org/hello:v1")
    for reference in reversed(world.references):
        service.pull(reference)
    service.pull(world.references[0], name="theirs")
    assert cached(service) == sorted([*world.references, "theirs"])
    assert len(service.list_builds()) == 2


def test_listing_writes_nothing(world: World) -> None:
    """The entry of a pull has no annotation but its name, so none can disturb other programs."""
    service = world.service
    service.pull(world.references[0])
    (entry,) = service.layout.entries()
    assert entry.annotations == {}
    assert sorted(path.name for path in (world.folder / "store").iterdir()) == [
        "blobs",
        "index.json",
        "index.json.lock",
        "ingest",
        "oci-layout",
    ]


def test_damaged_artifacts_are_listed(world: World) -> None:
    """A pull whose root is gone or damaged is in the list, with what is known of it."""
    service = world.service
    for reference in world.references[:2]:
        service.pull(reference)
    gone, damaged = (service.layout.resolve(reference) for reference in world.references[:2])
    service.layout.blobs.delete(gone.digest)
    first, second = service.list_cache()
    assert (first.pulled, first.size) == (None, gone.size)
    assert second.size > damaged.size
    removed = service.prune_cache(older_than=timedelta(days=1))
    assert [skill.reference for skill in removed] == [world.references[0]]
    path = service.layout.blobs.path(damaged.digest)
    path.chmod(0o644)
    path.write_bytes(b"?" * damaged.size)
    (second,) = service.list_cache()
    assert (second.pulled is not None, second.size) == (True, damaged.size)


def test_a_pulled_artifact_is_removed_and_shared_blobs_stay(world: World) -> None:
    """Removing takes the name and what only it needs; a build of the same content stays whole."""
    service = world.service
    folder = world.folder / "origin-skill" / "hello"
    built = service.build(folder, tag="mine")
    service.pull(world.references[2])
    service.pull(world.references[0])
    assert service.layout.resolve(world.references[2]).digest == built.digest
    for reference in (world.references[0], world.references[2]):
        service.remove_cached(reference)
    assert [build.tag for build in service.list_builds()] == ["mine"]
    parts = {part.digest for part in service.layout.walk(service.layout.resolve("mine"))}
    assert set(service.layout.blobs) == parts


def test_a_build_is_not_removed_as_cached(world: World) -> None:
    """A local build and a missing name are refused, with the reason, and nothing changes."""
    service = world.service
    service.build(write_skill(world.folder, "hello"))
    with pytest.raises(NotCachedError, match="was built here"):
        service.remove_cached("hello")
    with pytest.raises(NotCachedError, match="is not in the store"):
        service.remove_cached("nothing")
    assert service.layout.tags() == ("hello",)


def test_pruning_goes_by_age_and_leaves_builds(world: World) -> None:
    """Skills that were pulled longer ago are removed; the others, and every build, stay."""
    service = world.service
    service.build(write_skill(world.folder, "hello", "mine"), tag="ghcr.io/org/hello:v1")
    for days, reference in zip((10, 5, 0), world.references, strict=True):
        service.pull(reference)
        world.age(reference, days)
    world.age("ghcr.io/org/hello:v1", 100)
    before = service.list_cache()
    week = timedelta(days=7)
    assert service.prune_cache(older_than=week, dry_run=True) == before[:1]
    assert service.list_cache() == before
    assert service.prune_cache(older_than=week) == before[:1]
    assert service.prune_cache(older_than=week) == []
    assert cached(service) == world.references[1:]
    assert service.prune_cache() == before[1:]
    assert service.list_cache() == []
    assert [build.tag for build in service.list_builds()] == ["ghcr.io/org/hello:v1"]


def test_a_tag_without_a_registry_is_not_pruned(world: World) -> None:
    """A bare name may be a build from before the mark; only `remove_cached` removes it."""
    service = world.service
    service.pull(world.references[0], name="theirs")
    service.layout.tag("ghcr.io/org/hello", service.layout.resolve("theirs"))
    service.layout.tag("Not/A:Reference", service.layout.resolve("theirs"))
    service.layout.tag("org/hello:v1", service.layout.resolve("theirs"))
    removed = service.prune_cache()
    assert [skill.reference for skill in removed] == ["org/hello:v1"]
    assert cached(service) == ["Not/A:Reference", "ghcr.io/org/hello", "theirs"]
    service.remove_cached("theirs")


@pytest.mark.parametrize("meanwhile", ["built", "pulled", "removed"])
def test_pruning_decides_again_under_the_lock(world: World, meanwhile: str) -> None:
    """A tag that another process builds or pulls between the list and the edit is not pruned."""
    reference = world.references[0]
    world.service.pull(reference)
    world.age(reference, 10)

    class Racing(Layout):
        """A layout in which something happens right before an edit, once."""

        raced = False

        def walk(self, descriptor: Descriptor) -> Iterator[Descriptor]:
            if not self.raced:
                self.raced = True
                other = Layout.open(self.path, strict_names=False)
                if meanwhile == "built":
                    other.tag(reference, descriptor, annotations={LOCAL_BUILD: "true"})
                elif meanwhile == "pulled":
                    os.utime(other.blobs.path(descriptor.digest))
                else:
                    other.remove(reference)
            return super().walk(descriptor)

    service = SkillService(Racing(world.folder / "store"))
    assert service.prune_cache(older_than=timedelta(days=7)) == []
    assert world.service.layout.tags() == (() if meanwhile == "removed" else (reference,))


def test_a_tag_that_is_removed_during_the_listing_is_left_out(world: World) -> None:
    """The list has no name that is gone when it is looked at."""
    world.service.pull(world.references[0])

    class Racing(Layout):
        """A layout whose names go right after they were asked for."""

        def tags(self, *, annotations: object = None) -> tuple[str, ...]:
            del annotations
            found = super().tags()
            for name in found:
                Layout.open(self.path).untag(name)
            return found

    assert SkillService(Racing(world.folder / "store")).list_cache() == []


def test_an_ambiguous_name_is_listed_by_its_last_entry(world: World) -> None:
    """Of several entries ToolHive resolves the last; here none is used or removed by the name."""
    service = world.service
    first, second = (service.pull(reference) for reference in world.references[:2])
    index = world.folder / "store" / "index.json"
    name = world.references[0].encode()
    index.write_bytes(index.read_bytes().replace(world.references[1].encode(), name))
    service = SkillService.open(world.folder / "store", durability="none")
    assert [skill.digest for skill in service.list_cache()] == [second.digest]
    with pytest.raises(AmbiguousReferenceError):
        service.get_content(world.references[0])
    with pytest.raises(AmbiguousReferenceError):
        service.remove_cached(world.references[0])
    service.layout.untag(f"{world.references[0]}@{second.digest}")
    service.remove_cached(world.references[0])
    assert [entry.descriptor.digest for entry in service.layout.entries()] == [second.digest]
    assert first.digest not in service.layout.blobs


def test_a_time_beyond_the_calendar_is_unknown(world: World) -> None:
    """A file of the year 11476, as a copy may bring it, does not stop the list or a pruning."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no file system in memory at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # it has such times
        service, reference = SkillService.open(Path(folder) / "store"), world.references[0]
        service.pull(reference)
        path = service.layout.blobs.path(service.layout.resolve(reference).digest)
        os.utime(path, (300_000_000_000, 300_000_000_000))
        if path.stat().st_mtime != 300_000_000_000:
            pytest.skip("the file system has no such time")
        [found] = service.list_cache()
        assert (found.reference, found.pulled) == (reference, None)
        service.prune_cache()
