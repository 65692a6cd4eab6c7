"""Referrers in a registry, with the referrers API and with the fallback tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import copy
from ocilayout.errors import DocumentError, LimitExceededError, RegistryError
from ocilayout.layout import Layout
from ocilayout.model.codec import decode, encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import Limits
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_INDEX
from ocilayout.model.reference import fallback_tag
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry, fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EMPTY = Descriptor.of(b"{}", OCI_EMPTY)
NAME = "org/app"


class Contended(dict[tuple[str, str], str]):
    """Tags that another client moves each time they are set."""

    def __init__(self) -> None:
        super().__init__()
        self.rival: Callable[[tuple[str, str]], str | None] = lambda _: None

    def __setitem__(self, key: tuple[str, str], digest: str) -> None:
        super().__setitem__(key, digest)
        rival = self.rival(key)
        if rival is not None:
            super().__setitem__(key, rival)


@pytest.fixture(params=[True, False], ids=["api", "tag"])
def registry(request: pytest.FixtureRequest) -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry(referrers_api=request.param, subject_header=request.param) as server:
        yield server


@pytest.fixture
def old() -> Iterator[LoopbackRegistry]:
    """A registry without the referrers API."""
    with LoopbackRegistry(referrers_api=False, subject_header=False) as server:
        server.tags = Contended()
        yield server


def repository(server: LoopbackRegistry) -> Repository:
    return Repository(f"{server.host}/{NAME}", timeout=60)


def manifest(
    note: str, *, kind: str | None = "text/plain", subject: Descriptor | None = None
) -> Manifest:
    """A manifest with an artifact type and annotations."""
    return Manifest(
        artifact_type=kind, config=EMPTY, subject=subject, annotations={"com.example.n": note}
    )


def put(repo: Repository, note: str, **more: object) -> Descriptor:
    repo.blobs.put(b"{}", media_type=OCI_EMPTY)
    return repo.put_manifest(manifest(note, **more))  # type: ignore[arg-type] # as `manifest`


def list_of(server: LoopbackRegistry, subject: Descriptor) -> Index:
    """The list under the fallback tag, as it is stored."""
    digest = server.tags[NAME, fallback_tag(subject.digest)]
    return decode(server.manifests[NAME, digest][1], Index)


def store_list(server: LoopbackRegistry, index: Index) -> str:
    """Store a list without a tag, as a rival would; return its digest."""
    data = encode(index)
    server.manifests[NAME, Digest.of(data)] = (OCI_INDEX, data)
    return Digest.of(data)


@pytest.mark.spec(
    "distribution:referrers",
    "distribution:referrers-filter",
    "distribution:referrers-fallback",
    "distribution:older-registries",
    "distribution:list-type",
    "distribution:list-annotations",
    "distribution:list-empty",
    "distribution:list-once",
)
def test_referrers_are_found_with_type_and_annotations(registry: LoopbackRegistry) -> None:
    """Each referrer comes once, with type and annotations, by the API or by the fallback tag."""
    with repository(registry) as repo:
        image = put(repo, "image")
        first = put(repo, "first", subject=image)
        second = put(repo, "second", kind=None, subject=image)
        put(repo, "of another", subject=first)
        assert put(repo, "first", subject=image) == first
        repo.tag("named", first)
        found = {one.digest: one for one in repo.referrers(image.digest)}
        assert set(found) == {first.digest, second.digest}
        assert found[first.digest].plain() == first
        assert found[first.digest].artifact_type == "text/plain"
        assert found[first.digest].annotations == {"com.example.n": "first"}
        assert found[second.digest].artifact_type == OCI_EMPTY
        assert len(repo.referrers(str(image.digest))) == 2
        assert [one.digest for one in repo.referrers(image.digest, artifact_type=OCI_EMPTY)] == [
            second.digest
        ]
        assert repo.referrers(image.digest, artifact_type="no/type") == ()
        assert repo.referrers(Digest.of(b"nothing")) == ()
        with pytest.raises(DocumentError):
            repo.referrers("v1")


def test_referrers_are_described_as_by_a_layout(registry: LoopbackRegistry, tmp_path: Path) -> None:
    """A repository lists the same referrers as the layout that they were copied from."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    image = layout.put_manifest(manifest("image"))
    layout.tag("image", image)
    layout.tag("about", layout.put_manifest(manifest("about", subject=image)))
    index = Index(artifact_type="text/list", manifests=(image,), subject=image)
    layout.tag("list", layout.put_manifest(index))
    with repository(registry) as repo:
        for name in ("image", "about", "list"):
            copy(layout, name, repo)
        said = repo.referrers(image.digest)
        assert sorted(said, key=str) == sorted(layout.referrers(image.digest), key=str)
        assert len(said) == 2


@pytest.mark.spec("distribution:subject-list")
def test_a_registry_that_lists_the_referrer_itself_gets_no_list(registry: LoopbackRegistry) -> None:
    """The list under the fallback tag is written only without OCI-Subject in the response."""
    with repository(registry) as repo:
        image = put(repo, "image")
        put(repo, "about", subject=image)
    listed = (NAME, fallback_tag(image.digest)) in registry.tags
    assert listed is not registry.subject_header


def test_the_number_of_referrers_is_limited(registry: LoopbackRegistry) -> None:
    """A list without end is left at a limit."""
    with Repository(f"{registry.host}/{NAME}", limits=Limits(listed=2)) as repo:
        image = put(repo, "image")
        for number in range(3):
            put(repo, str(number), subject=image)
        with pytest.raises(LimitExceededError) as caught:
            repo.referrers(image.digest)
        assert (caught.value.what, caught.value.limit) == ("referrers", 2)


# ------------------------------------------------------------------ the list under a tag


@pytest.mark.spec("distribution:subject-list")
def test_a_list_keeps_all_that_is_in_it(old: LoopbackRegistry) -> None:
    """What another client wrote into the list, and unknown properties, are kept."""
    with repository(old) as repo:
        image = put(repo, "image")
        other = put(repo, "other")
        index = Index(
            manifests=(other,), annotations={"com.example": "kept"}, extra={"com.example.x": [1]}
        )
        old.tags[NAME, fallback_tag(image.digest)] = store_list(old, index)
        about = put(repo, "about", subject=image)
        found = list_of(old, image)
        assert [one.digest for one in found.manifests] == [other.digest, about.digest]
        assert (found.annotations, found.extra) == (index.annotations, index.extra)


@pytest.mark.spec("distribution:list-condition")
def test_a_referrer_that_a_rival_overwrote_is_listed_again(old: LoopbackRegistry) -> None:
    """If the list is replaced right after it was written, the entry is added again."""
    assert isinstance(old.tags, Contended)
    with repository(old) as repo:
        image = put(repo, "image")
        theirs = put(repo, "theirs")
        rivals = [store_list(old, Index(manifests=(theirs,))), store_list(old, Index())]
        old.tags.rival = lambda _: rivals.pop(0) if rivals else None
        ours = put(repo, "ours", subject=image)
        assert [one.digest for one in list_of(old, image).manifests] == [ours.digest]
        assert rivals == []


def test_a_rival_that_never_stops_is_an_error(old: LoopbackRegistry) -> None:
    """After a bounded number of attempts the error says what was done and what was not."""
    assert isinstance(old.tags, Contended)
    with repository(old) as repo:
        image = put(repo, "image")
        empty = store_list(old, Index())
        old.tags.rival = lambda _: empty
        with pytest.raises(RegistryError, match="was stored and is not listed"):
            put(repo, "ours", subject=image)
        assert len([1 for method, _ in old.requests if method == "PUT"]) < 20


@pytest.mark.spec("distribution:list-other", "distribution:referrers-none")
@pytest.mark.parametrize("kind", ["manifest", "no json"])
def test_a_tag_that_is_not_a_list_is_left_alone(old: LoopbackRegistry, kind: str) -> None:
    """A fallback tag of something else is an error, and is not changed."""
    with repository(old) as repo:
        image = put(repo, "image")
        other = put(repo, "other")
        key = (NAME, fallback_tag(image.digest))
        old.tags[key] = other.digest
        if kind == "no json":
            old.manifests[NAME, Digest.of(b"{")] = (OCI_INDEX, b"{")
            old.tags[key] = Digest.of(b"{")
        before = old.tags[key]
        with pytest.raises(RegistryError, match=fallback_tag(image.digest)):
            put(repo, "about", subject=image)
        assert old.tags[key] == before
        if kind == "manifest":
            assert repo.referrers(image.digest) == ()


def test_a_filter_that_is_said_and_not_applied_is_applied_here() -> None:
    """Entries of another type are left out of a list that claims to be filtered."""
    with LoopbackRegistry() as registry:
        repo = repository(registry)
        image = put(repo, "image")
        wanted, other = (evolve(put(repo, kind), artifact_type=kind) for kind in ("a/b", "c/d"))
        listed = Index(manifests=(wanted, other, image))
        registry.misbehave("GET referrers", fault.body(encode(listed)))
        found = repo.referrers(image.digest, artifact_type="a/b")
    assert [one.digest for one in found] == [wanted.digest, image.digest]
