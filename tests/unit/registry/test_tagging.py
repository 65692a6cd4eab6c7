"""A tag means the digest that was pushed, of whatever algorithm, or nothing is tagged."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from ocilayout import copy, copy_all
from ocilayout.archive import Archive, write_archive
from ocilayout.errors import NotFoundError, RegistryError
from ocilayout.layout import Layout
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER
from ocilayout.model.reference import fallback_tag
from ocilayout.registry import Patience, Repository
from ocilayout.testing.registry import Fault, LoopbackRegistry, fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ocilayout.model.descriptor import Descriptor

    BlobSource = Layout | Archive | Repository

NAME = "team/app"
WIDTHS = {"sha384": 96, "sha512": 128, "blake3": 64}  # hex digits
ALGORITHMS = [
    name for name, width in WIDTHS.items() if Digest.parse(f"{name}:{'0' * width}").verifiable
]
OTHER = str(Digest.of(b"something else", "sha512"))


def put_root(
    layout: Layout, algorithm: str, text: str = "layer", *, index: bool = True
) -> Descriptor:
    """Store an image in an index, or alone, whose root is known by a digest of an algorithm."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layer = layout.blobs.put(text.encode(), media_type=OCI_LAYER)
    manifest = Manifest(artifact_type="text/plain", config=config, layers=[layer])
    if not index:
        return layout.put_manifest(manifest, algorithm=algorithm)
    child = layout.put_manifest(manifest, algorithm=algorithm)
    return layout.put_manifest(Index(manifests=[child]), algorithm=algorithm)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        yield running


@pytest.fixture
def repo(registry: LoopbackRegistry) -> Iterator[Repository]:
    with Repository(
        f"{registry.host}/{NAME}", patience=Patience(sleep=lambda _: None)
    ) as repository:
        yield repository


def of_archive(layout: Layout, _: LoopbackRegistry) -> BlobSource:
    path = layout.path.parent / "a.tar"
    write_archive(layout, None, path)
    return Archive.open(path)


def of_registry(layout: Layout, registry: LoopbackRegistry) -> BlobSource:
    there = Repository(f"{registry.host}/from/app")
    copy_all(layout, dict.fromkeys(layout.tags()), there)
    return there


SOURCES: dict[str, Callable[[Layout, LoopbackRegistry], BlobSource]] = {
    "layout": lambda layout, _: layout,
    "archive": of_archive,
    "registry": of_registry,
}


def require_no_put_by_tag(registry: LoopbackRegistry) -> None:
    """Require that nothing but a list of referrers was sent under a tag."""
    sent = [
        one.reference
        for one in registry.requests
        if (one.method, one.endpoint) == ("PUT", "manifest")
    ]
    assert all(":" in name or name.startswith(("sha384-", "sha512-", "blake3-")) for name in sent)


@pytest.mark.spec("distribution:digest-and-tag")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_copy_s_tag_means_what_the_copy_returned(
    layout: Layout,
    registry: LoopbackRegistry,
    repo: Repository,
    algorithm: str,
    source: Callable[[Layout, LoopbackRegistry], BlobSource],
) -> None:
    """From a layout, an archive and a registry, one name or many, index or manifest."""
    roots = {
        "v1": put_root(layout, algorithm),
        "v2": put_root(layout, algorithm, "other", index=False),
        "plain": put_root(layout, "sha256", "plain"),
    }
    for name, root in roots.items():
        layout.tag(name, root)
    opened = source(layout, registry)
    with nullcontext() if isinstance(opened, Layout) else opened:
        assert copy(opened, "v1", repo) == roots["v1"]
        assert copy(opened, "v1", repo, name="again") == roots["v1"]
        assert copy_all(opened, {"v2": "second", "plain": None}, repo) == {
            name: roots[name] for name in ("v2", "plain")
        }
    assert {tag: repo.resolve(tag) for tag in repo.tags()} == {
        "v1": roots["v1"],
        "again": roots["v1"],
        "second": roots["v2"],
        "plain": roots["plain"],
    }
    back = Layout.create(layout.path.parent / "back", durability="none")
    assert copy(repo, "again", back) == roots["v1"]
    assert back.check() == ()


@pytest.mark.spec("distribution:digest-and-tag")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_tag_is_set_on_what_is_there(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, algorithm: str
) -> None:
    """By a descriptor, a digest and its text, and by sending the manifest under the tag."""
    root = put_root(layout, algorithm)
    copy(layout, root.digest, repo)
    assert repo.tags() == ()
    repo.tag("one", root)
    repo.tag("two", root.digest)
    repo.tag("three", str(root.digest))
    repo.blobs.send_manifest(layout.blobs.read(root), root, name="four")
    assert {registry.tags[NAME, tag] for tag in ("one", "two", "three", "four")} == {root.digest}
    require_no_put_by_tag(registry)


@pytest.mark.spec("distribution:digest-and-tag")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_registry_that_does_not_know_the_query_tags_nothing(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, algorithm: str
) -> None:
    """The error says what to do; a root of sha256 is not tagged either."""
    registry.tag_by_digest = False
    layout.tag("v1", put_root(layout, algorithm))
    layout.tag("v0", put_root(layout, "sha256", "plain"))
    root = layout.resolve("v1")
    for work in (
        lambda: copy(layout, "v1", repo),
        lambda: copy_all(layout, {"v0": None, "v1": None}, repo),
        lambda: repo.tag("v1", root),
        lambda: repo.blobs.send_manifest(layout.blobs.read(root), root, name="v1"),
    ):
        with pytest.raises(RegistryError, match=f"does not tag {algorithm} .* its digest"):
            work()
        assert registry.tags == {}
    assert repo.resolve(root.digest) == root
    require_no_put_by_tag(registry)


LIES: dict[str, str] = {
    "another tag": "other",
    "a part of the tag": "v",
    "a longer tag": "v1.0",
    "the tag in capitals": "V1",
    "the tag without its list": "v0;v1",
    "nothing": "",
}


@pytest.mark.spec("distribution:digest-and-tag")
@pytest.mark.parametrize("said", LIES.values(), ids=LIES)
def test_another_tag_is_not_the_tag(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, said: str
) -> None:
    """A registry that names something else in `OCI-Tag` did not set the tag."""
    layout.tag("v1", put_root(layout, "sha512", index=False))
    registry.misbehave("PUT manifest", fault.header("OCI-Tag", said))
    with pytest.raises(RegistryError, match="set no tag v1"):
        copy(layout, "v1", repo)
    require_no_put_by_tag(registry)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (fault.refuse(400, "DIGEST_INVALID"), "sha512 digests; nothing was tagged. Push to"),
        (fault.answer(400), "sha512 digests; nothing was tagged. Push to"),
        (fault.refuse(400, "MANIFEST_BLOB_UNKNOWN"), "push what the manifest refers to first$"),
        (fault.refuse(413, "SIZE_INVALID"), "has a limit"),
    ],
)
def test_a_refusal_says_what_may_be_the_reason(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, refusal: Fault, said: str
) -> None:
    """That of the algorithm, where the registry gives no other; and its status and codes."""
    layout.tag("v1", put_root(layout, "sha512", index=False))
    registry.misbehave("PUT manifest", refusal)
    with pytest.raises(RegistryError, match=said) as caught:
        copy(layout, "v1", repo)
    assert caught.value.status in {400, 413}


@pytest.mark.parametrize(
    "said",
    [["v1"], ["v0,v1"], ["v0, v1 ,v2"], ["v0", "v1"], [" v1 "]],
    ids=["one", "list", "list with spaces", "two headers", "spaces"],
)
def test_the_tag_is_found_in_a_list(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, said: list[str]
) -> None:
    """RFC 9110: values of one name may stand in one header or in several."""

    def answer_so(_request: object, proceed: Callable[[], object]) -> object:
        found = proceed()
        found.set_header("OCI-Tag", None)  # type: ignore[attr-defined]
        found.headers += [("OCI-Tag", text) for text in said]  # type: ignore[attr-defined]
        return found

    root = put_root(layout, "sha512", index=False)
    layout.tag("v1", root)
    registry.misbehave("PUT manifest", answer_so)  # type: ignore[arg-type]
    assert copy(layout, "v1", repo) == root


@pytest.mark.spec("distribution:digest-and-tag", "distribution:subject-list")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("api", [True, False], ids=["by the API", "by the tag"])
def test_referrers_of_such_a_root_are_found(
    layout: Layout, registry: LoopbackRegistry, repo: Repository, algorithm: str, *, api: bool
) -> None:
    """Under the tag of its own digest, by their own digests; copied with it, there and back."""
    registry.referrers_api = registry.subject_header = api
    root = put_root(layout, algorithm)
    layout.tag("v1", root)
    signature = layout.put_manifest(
        Manifest(
            artifact_type="a/signature",
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            subject=root,
        ),
        algorithm=algorithm,
    )
    with layout.edit() as edit:
        edit.add(signature)
    assert copy(layout, "v1", repo, referrers=True) == root
    assert [one.digest for one in repo.referrers(root.digest)] == [signature.digest]
    assert set(repo.tags()) == {"v1"} | (set() if api else {fallback_tag(root.digest)})
    back = Layout.create(layout.path.parent / "back", durability="none")
    copy(repo, "v1", back, referrers=True)
    assert [one.digest for one in back.referrers(root.digest)] == [signature.digest]
    repo.tag("signature", signature)
    assert repo.resolve("signature") == signature
    repo.delete(signature)
    assert repo.referrers(root.digest) == ()


def test_a_referrer_that_is_not_tagged_is_listed(
    layout: Layout, registry: LoopbackRegistry, repo: Repository
) -> None:
    """It is in the repository by its digest, so the list of its subject has it."""
    registry.referrers_api = registry.subject_header = registry.tag_by_digest = False
    root = put_root(layout, "sha256")
    copy(layout, root.digest, repo)
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    signature = layout.put_manifest(Manifest(config=config, subject=root), algorithm="sha512")
    layout.tag("signature", signature)
    with pytest.raises(RegistryError, match="set no tag signature"):
        copy(layout, "signature", repo)
    assert [one.digest for one in repo.referrers(root.digest)] == [signature.digest]
    with pytest.raises(NotFoundError):
        repo.resolve("signature")
