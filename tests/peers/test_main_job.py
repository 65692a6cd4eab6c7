"""The main job with real programs: build, push, pull elsewhere, and read by others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import Digest, Layout, copy
from ocilayout.registry import Repository
from skills import LOCAL_BUILD, SkillService

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK = {LOCAL_BUILD: "true"}


def write_skill(folder: Path, name: str) -> Path:
    """Write a skill with two files and return its folder."""
    path = folder / name
    path.joinpath("scripts").mkdir(parents=True)
    path.joinpath("SKILL.md").write_text(f"---\nname: {name}\ndescription: Does {name}\n---\n")
    path.joinpath("scripts/run.sh").write_text("#!/bin/sh\necho done\n")
    return path


def index(store: Path) -> dict[str, Any]:
    """Return a store's root index."""
    document: dict[str, Any] = json.loads((store / "index.json").read_text())
    return document


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_build_push_pull(docker_registry: str, store: Path, tmp_path: Path) -> None:
    """A build is pushed and pulled into another store under another name, and listed once."""
    reference = f"{docker_registry}/team/release-notes:v1"
    service = SkillService.open(store)
    built = service.build(write_skill(tmp_path, "release-notes"), tag=reference)
    assert service.push(reference).digest == built.digest
    other = SkillService.open(tmp_path / "other")
    pulled = other.pull(reference, name="theirs")
    assert pulled.digest == built.digest
    assert other.layout.resolve("theirs") == service.layout.resolve(reference)
    assert sorted(other.layout.blobs) == sorted(service.layout.blobs)
    assert other.list_builds() == []
    assert [build.tag for build in service.list_builds()] == [reference]
    service.pull(reference)
    assert [build.tag for build in service.list_builds()] == [reference]


@pytest.mark.parametrize("name", ["theirs", "127.0.0.1:5000/team/release-notes:v1"])
def test_other_programs_read_the_stores(
    docker_registry: str, tmp_path: Path, name: str, run: Callable[..., str]
) -> None:
    """skopeo reads builds and pulls, by tag; umoci lists the tags."""
    reference = f"{docker_registry}/team/release-notes:v1"
    service = SkillService.open(tmp_path / "store")
    built = service.build(write_skill(tmp_path, "release-notes"), tag=reference)
    service.push(reference)
    other = SkillService.open(tmp_path / "other")
    other.pull(reference, name=name)
    for folder, tag in ((tmp_path / "store", reference), (tmp_path / "other", name)):
        raw = run("skopeo", "inspect", "--raw", f"oci:{folder}:{tag}")
        assert Digest.of(raw.encode()) == built.digest
        assert run("umoci", "ls", "--layout", folder).split() == [tag]


def test_skopeo_writes_into_our_store(
    docker_registry: str, store: Path, tmp_path: Path, run: Callable[..., str]
) -> None:
    """A copy of skopeo adds one entry; our mark and the rest of the index stay."""
    reference = f"{docker_registry}/team/release-notes:v1"
    service = SkillService.open(store)
    built = service.build(write_skill(tmp_path, "release-notes"), tag=reference)
    service.build(write_skill(tmp_path, "beta"))
    service.push(reference)
    before = index(store)
    run(
        "skopeo", "copy", "--all", "--src-tls-verify=false",
        f"docker://{reference}", f"oci:{store}:theirs",
    )  # fmt: skip
    after = index(store)
    added = after["manifests"].pop()
    assert after == before
    assert list(after) == list(before)
    assert added["digest"] == built.digest
    assert added["annotations"] == {"org.opencontainers.image.ref.name": "theirs"}
    again = SkillService.open(store)
    assert [build.tag for build in again.list_builds()] == [reference, "beta"]
    assert again.layout.resolve("theirs") == again.layout.resolve(reference)


def test_skopeo_pulls_onto_a_build(
    docker_registry: str, store: Path, tmp_path: Path, run: Callable[..., str]
) -> None:
    """A tag that skopeo moves is not a build any more, as after any pull."""
    reference = f"{docker_registry}/team/release-notes:v1"
    service = SkillService.open(store)
    service.build(write_skill(tmp_path, "release-notes"), tag=reference)
    service.build(write_skill(tmp_path, "beta"))
    service.push(reference)
    run(
        "skopeo", "copy", "--all", "--src-tls-verify=false",
        f"docker://{reference}", f"oci:{store}:beta",
    )  # fmt: skip
    assert [build.tag for build in SkillService.open(store).list_builds()] == [reference]


def test_no_route_carries_an_annotation(
    docker_registry: str, store: Path, tmp_path: Path, run: Callable[..., str]
) -> None:
    """By layout, registry and skopeo, by tag and by digest: entries arrive with only their name."""
    service = SkillService.open(store)
    built = service.build(write_skill(tmp_path, "release-notes"))
    layout = service.layout
    layout.annotate("release-notes", {"com.example.note": "ours"})
    target = Layout.create(tmp_path / "target")
    with Repository(f"{docker_registry}/team/release-notes") as repository:
        copy(layout, "release-notes", repository, name="v1")
        copy(layout, "release-notes", target, name="by-tag")
        copy(layout, built.digest, target, name="by-digest")
        copy(repository, "v1", target, name="from-registry")
        copy(repository, built.digest, target, name="from-registry-by-digest")
    run("skopeo", "copy", "--all", f"oci:{store}:release-notes", f"oci:{target.path}:last")
    SkillService(target).copy(layout, "release-notes", name="as-a-skill")
    assert len(target.tags()) == 6
    assert {entry.descriptor.digest for entry in target.entries()} == {built.digest}
    assert [entry.annotations for entry in target.entries()] == [{}] * 6
    assert layout.entry("release-notes").annotations == {**MARK, "com.example.note": "ours"}
