"""Copies of many names at once, and the limits of a copy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout import Limits, copy, copy_all
from ocilayout.errors import (
    BlobNotFoundError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
)
from ocilayout.layout.layout import Layout
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from ocilayout.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 120  # more than are taken at a time, twice


def put_artifact(layout: Layout, *layers: str) -> Descriptor:
    return layout.put_manifest(
        Manifest(
            artifact_type="text/plain",
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in layers],
        )
    )


@pytest.fixture
def source(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "source", durability="none")


@pytest.fixture
def target(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "target")


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as server:
        yield server


@pytest.mark.parametrize("jobs", [1, 4])
def test_many_names_arrive_like_one_by_one(
    source: Layout, target: Layout, registry: LoopbackRegistry, jobs: int
) -> None:
    """A copy to a registry and on to another layout gives each name its content."""
    for number in range(COUNT):
        source.tag(f"t{number}", put_artifact(source, f"layer {number}", "shared"))
    names: dict[str, str | None] = dict.fromkeys(source.tags())
    with Repository(f"{registry.host}/org/app") as repo:
        sent = copy_all(source, names, repo, jobs=jobs)
        assert repo.tags() == source.tags()
        assert copy_all(repo, names, target, jobs=jobs) == sent
    assert sent == {name: source.resolve(name) for name in names}
    assert target.tags() == source.tags()
    assert set(target.blobs) == set(source.blobs)
    assert target.check() == ()


def test_names_may_change_and_digests_need_none(source: Layout, target: Layout) -> None:
    """A name can be changed or kept; content copied by digest needs none."""
    first, second, third = (put_artifact(source, text) for text in "abc")
    source.tag("a", first)
    source.tag("b", second)
    source.tag("c", third)
    names = {"a": None, "b": "new", str(third.digest): None}
    assert copy_all(source, names, target) == dict(zip(names, (first, second, third), strict=True))
    assert {entry.name: entry.descriptor for entry in target.entries()} == {
        "a": first, "new": second, None: third,
    }  # fmt: skip
    assert copy_all(source, {}, target) == {}


def test_one_failure_leaves_its_whole_batch_untagged(source: Layout, target: Layout) -> None:
    """If one name is missing in the source, the copy fails and tags nothing."""
    whole, broken = put_artifact(source, "a"), put_artifact(source, "b")
    source.tag("a", whole)
    source.tag("b", broken)
    source.blobs.delete(Descriptor.of(b"b", OCI_LAYER).digest)
    with pytest.raises(BlobNotFoundError):
        copy_all(source, {"a": None, "b": None}, target)
    assert target.entries() == ()
    with pytest.raises(ReferenceNotFoundError):
        copy_all(source, {"a": None, "nobody": None}, target)
    assert target.entries() == ()


def test_a_tagged_part_is_stored_before_the_whole(
    source: Layout, registry: LoopbackRegistry
) -> None:
    """A tagged index and its tagged child arrive in a registry that wants parts first."""
    child = put_artifact(source, "a")
    source.tag("child", child)
    source.tag("all", source.put_manifest(Index(manifests=[child])))
    with Repository(f"{registry.host}/org/app") as repo:
        copy_all(source, {"all": None, "child": None}, repo)
        assert repo.resolve("child") == child


def test_nothing_is_requested_twice(
    source: Layout, registry: LoopbackRegistry, target: Layout
) -> None:
    """A push asks for each blob once, a pull for each part once; the manifest is pushed by tag."""
    source.tag("a", put_artifact(source, "x", "y"))
    with Repository(f"{registry.host}/org/app") as repo:
        copy(source, "a", repo)
        methods = [method for method, _ in registry.requests]
        assert sorted(methods) == ["HEAD"] * 3 + ["POST"] * 3 + ["PUT"] * 4
        registry.requests.clear()
        copy(repo, "a", target)
        assert [method for method, _ in registry.requests] == ["GET"] * 4


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(layers=2), "layers"),
        (Limits(children=1), "children"),
        (Limits(documents=2), "documents"),
        (Limits(document=100), "bytes"),
        (Limits(blob=1), "bytes"),
        (Limits(total=1500), "bytes of documents"),
    ],
)
def test_there_are_limits(source: Layout, target: Layout, limits: Limits, what: str) -> None:
    """A graph beyond a limit is refused before any blob is copied; the error names the limit."""
    children = [put_artifact(source, "a", "b", "c"), put_artifact(source, "d", "e", "f")]
    root = source.put_manifest(Index(manifests=children))
    source.tag("a", root)
    with pytest.raises(LimitExceededError) as caught:
        copy(source, "a", target, limits=limits)
    assert caught.value.what == what
    with pytest.raises(LimitExceededError):
        transfer(source, root, target, limits=limits)
    assert list(target.blobs) == []
    copy(source, "a", target, limits=Limits(layers=3, children=2, documents=3, document=1000))


def test_a_document_beyond_the_limit_is_not_requested(registry: LoopbackRegistry) -> None:
    """A repository does not request a document larger than its limit."""
    root = Descriptor.of(b"{}" * 100, "application/vnd.oci.image.manifest.v1+json")
    with (
        Repository(f"{registry.host}/org/app", limits=Limits(document=100)) as repo,
        pytest.raises(LimitExceededError),
    ):
        repo.blobs.read(root)
    assert registry.requests == []


def rename(layout: Layout, name: str, full_name: str) -> None:
    """Give the only name of each entry to all of them, with a full name, as BuildKit does."""
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    for number, entry in enumerate(document["manifests"]):
        noted = {REF_NAME: name, CONTAINERD_IMAGE_NAME: full_name.format(number)}
        entry["annotations"] = noted
    path.write_text(json.dumps(document))


def test_all_entries_are_copied_under_clear_names(
    source: Layout, target: Layout, registry: LoopbackRegistry
) -> None:
    """All entries are copied by default; to a registry, which has no full names, none is."""
    found = [put_artifact(source, text) for text in ("one", "two")]
    for number, content in enumerate(found):
        source.tag(f"t{number}", content)
    rename(source, "latest", "example.org/x{}:latest")
    with source.edit() as edit:
        edit.add(put_artifact(source, "untagged"))
    names = [f"example.org/x{number}:latest" for number in (0, 1)]
    arrived = copy_all(source, None, target)
    assert [arrived[name] for name in names] == found
    assert list(target.tags()) == names
    assert [entry.name for entry in target.entries()] == [*names, None]
    with Repository(f"{registry.host}/org/app") as repo:
        with pytest.raises(InvalidNameError, match=r"'example.org/x0:latest', 'example.org/x1"):
            copy_all(source, None, repo)
        assert not registry.requests


def test_names_are_given_one_by_one(source: Layout, target: Layout) -> None:
    """Names from an iterable are kept, `NAME@DIGEST` keeps NAME, and a plain string is refused."""
    content = put_artifact(source, "one")
    source.tag("a", content)
    source.tag("b@c", content)
    copy_all(source, [f"a@{content.digest}", "b@c"], target)
    assert target.tags() == ("a", "b@c")
    with pytest.raises(TypeError, match=r"give \['a'\]"):
        copy_all(source, "a", target)


def test_a_name_that_the_target_cannot_have_costs_nothing(source: Layout, target: Layout) -> None:
    """A name that the target refuses is an error before any content is stored."""
    source.tag("a", put_artifact(source, "one"))
    with pytest.raises(InvalidNameError):
        copy_all(source, {"a": "b__c"}, target)
    assert not list(target.blobs)
