"""Laws of the strategies: their values are valid, and of every kind."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ocilayout.check import iter_problems
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.codec import decode, encode
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import DOCUMENT_TYPES, INDEX_TYPES, OCI_INDEX, RETIRED_TYPES
from ocilayout.testing import strategies as own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

    from ocilayout.testing.strategies import Tree

LAW = settings(deadline=None)  # no test asserts a time
ON_DISK = settings(LAW, max_examples=max(10, settings().max_examples // 3))
# One sample says nothing about another, so the sample is always the same.
SAMPLE = settings(LAW, max_examples=200, derandomize=True, database=None)
# To explain a failure takes ten times as long as to make it small.
SMALLEST = settings(
    SAMPLE,
    max_examples=500,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)


def codes(tree: Tree) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        return {problem.code for problem in iter_problems(tree.write(Path(folder) / "layout"))}


@given(own.layouts())
@ON_DISK
def test_a_layout_has_no_problems(tree: Tree) -> None:
    assert codes(tree) == set()


@given(own.layouts(sparse=True))
@ON_DISK
def test_a_sparse_layout_only_lacks_content(tree: Tree) -> None:
    missing = {"missing-blob", "dangling-name", "dangling-entry", "absent-subject"}
    # The document that refers to a blob, or to a referrer, may be missing.
    assert codes(tree) <= missing | {"unreferenced-blob", "unlisted-referrer"}


@given(own.layouts(strays=True))
@ON_DISK
def test_a_layout_with_strays_only_has_unneeded_content(tree: Tree) -> None:
    assert codes(tree) <= {"unreferenced-blob", "leftover", "unverifiable"}


@given(st.data(), st.integers(0, 3), st.integers(0, 3))
@LAW
def test_a_layout_is_not_larger_than_its_limit(data: st.DataObject, most: int, leaves: int) -> None:
    tree = data.draw(own.layouts(max_documents=most, max_leaves=leaves))
    kinds = [kind for kind, _ in documents(tree)]
    assert len([kind for kind in kinds if kind in DOCUMENT_TYPES]) <= most
    # In addition to leaves, there are the empty content, and a config for each document.
    assert len(tree.blobs()) <= 2 * most + leaves + 2


MODELS = {
    "header": own.headers(),
    "manifest": own.manifests(),
    "index": own.indexes(),
    "config": own.configs(),
    "artifact manifest": own.artifact_manifests(),
    "schema 1": own.schema1_manifests(),
}


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS)
@given(data=st.data())
@LAW
def test_a_document_says_what_its_model_says(data: st.DataObject, models: Any) -> None:
    document = data.draw(own.documents(models))
    assert decode(document.data, type(document.model)) == document.model


@given(
    own.manifests(max_layers=1),
    own.indexes(max_manifests=1),
    own.artifact_manifests(max_blobs=1),
    own.schema1_manifests(max_layers=1),
    own.configs(max_layers=1, max_history=1),
    own.annotations(max_size=1),
    own.root_index_documents(max_entries=1),
)
@ON_DISK
def test_no_value_has_more_members_than_its_limit(
    manifest: Any,
    index: Any,
    artifact: Any,
    schema1: Any,
    config: Any,
    annotations: Any,
    root: Any,
) -> None:
    assert max(len(manifest.layers), len(index.manifests), len(annotations)) <= 1
    assert max(len(artifact.blobs), len(schema1.fs_layers)) <= 1
    assert max(len(config.rootfs.diff_ids), len(config.history)) <= 1
    assert len(root.get("manifests") or []) <= 1


def test_layouts_are_of_every_kind() -> None:
    """A sample has every known feature of layouts."""
    seen: set[str] = set()

    @given(own.layouts(sparse=True, strays=True))
    @SAMPLE
    def look(tree: Tree) -> None:
        seen.update(traits(tree))

    look()
    assert seen >= {
        *("named", "untagged", "opaque entry", "one content, two names", "unnamed and named"),
        *("subject", "shared blob", "nested index", "platform", "embedded", "no media type"),
        *("unknown property", "annotations", "missing blob", "stray", "leftover", "empty"),
        *(f"entry {media_type}" for media_type in DOCUMENT_TYPES - RETIRED_TYPES),
        *("sha256", "sha384", "sha512", "blake3"),
    }


def test_models_are_of_every_kind() -> None:
    """A sample of documents has every known difficulty for readers."""
    seen: set[str] = set()

    @given(own.documents(st.one_of(own.manifests(), own.indexes())))
    @SAMPLE
    def look(document: own.Document[Any]) -> None:
        model, text = document.model, document.data.decode()
        facts = {
            "no annotations": not model.annotations,
            "many annotations": len(model.annotations) >= 20,
            "unknown property": bool(model.extra),
            "subject": model.subject is not None,
            "Docker": "docker" in str(model.media_type),
            "escape": "\\u" in text,
            "not ASCII": not text.isascii(),
            "white space": "\n" in text,
            "null": '"subject": null' in text,
            "not as encoded": document.data != encode(model),
        }
        seen.update(name for name, is_so in facts.items() if is_so)

    look()
    assert len(seen) == 10, seen


def traits(tree: Tree) -> Iterator[str]:
    """Yield the features of a layout."""
    entries = json.loads(tree.content("index.json"))["manifests"]
    digests = [entry["digest"] for entry in entries]
    names = [entry.get("annotations", {}).get(REF_NAME) for entry in entries]
    held: list[set[str]] = []
    blobs = tree.blobs()
    yield from (digest.partition(":")[0] for digest in blobs)
    yield from (f"entry {entry['mediaType']}" for entry in entries)
    for kind, document in documents(tree):
        parts = [*document.get("manifests", []), *document.get("layers", [])]
        parts += [document["config"]] if "config" in document else []
        held.append({part["digest"] for part in parts})
        yield from ("missing blob" for digest in held[-1] if digest not in blobs)
        yield from ("platform" for part in parts if "platform" in part)
        yield from ("embedded" for part in parts if "data" in part)
        yield from {"subject", "annotations"} & document.keys()
        if "mediaType" not in document:
            yield "no media type"
        if document.keys() - KNOWN:
            yield "unknown property"
        if kind in INDEX_TYPES and any(part["mediaType"] in INDEX_TYPES for part in parts):
            yield "nested index"
    facts = {
        "empty": not blobs,
        "named": any(names),
        "untagged": None in names,
        "opaque entry": any(entry["mediaType"] not in DOCUMENT_TYPES for entry in entries),
        "one content, two names": any(names) and len(set(digests)) < len(digests),
        "unnamed and named": None in names and any(names),
        "shared blob": any(a & b for number, a in enumerate(held) for b in held[:number]),
        "stray": any(b"garbage" in content for content in blobs.values()),
        "leftover": any(name.startswith(("ingest", ".umoci")) for name in tree.nodes),
    }
    yield from (name for name, is_so in facts.items() if is_so)


KNOWN = {
    *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests"),
    *("subject", "annotations"),
}


def documents(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the manifests and indexes among the blobs, with the types of their descriptors."""
    found: dict[str, dict[str, Any]] = {}
    for digest, content in tree.blobs().items():
        if content.startswith(b'{"schemaVersion":2'):
            found[digest] = json.loads(content)
    roots = json.loads(tree.content("index.json"))["manifests"]
    described = [*roots]
    for document in found.values():
        described += document.get("manifests", [])
    types = {descriptor["digest"]: descriptor["mediaType"] for descriptor in described}
    yield from ((types.get(digest, ""), document) for digest, document in found.items())


@given(own.layouts())
@LAW
def test_a_blob_has_the_content_of_its_name(tree: Tree) -> None:
    for digest, content in tree.blobs().items():
        assert Digest.of(content, Digest.parse(digest).algorithm) == digest


def smallest(strategy: SearchStrategy[Any], wrong: Any) -> Any:
    """Return the value that Hypothesis shows for a failing test."""
    found: list[Any] = []

    @given(strategy)
    @SMALLEST
    def look(value: Any) -> None:
        if wrong(value):
            found.append(value)
            raise AssertionError

    with pytest.raises(AssertionError):
        look()
    return found[-1]


def test_the_simplest_layout_is_empty() -> None:
    """A test that fails for every layout is shown a layout without content."""
    tree = smallest(own.layouts(), lambda _: True)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    assert tree == own.Tree(
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index, separators=(",", ":")).encode(),
            "blobs": own.Folder(),
        }
    )


def test_the_smallest_layout_that_fails_can_be_read_at_a_glance() -> None:
    """A test that fails for nested indexes is shown two indexes, and no other blob."""
    tree = smallest(own.layouts(max_documents=2), lambda tree: "nested index" in traits(tree))
    assert len(tree.blobs()) == 2
    assert len(repr(tree)) < 1000


def test_the_smallest_near_miss_is_hardly_more_than_its_defect() -> None:
    """The smallest layout with a wrong size has one entry and its blob."""
    miss = smallest(own.near_misses(["size-mismatch"]), lambda miss: "layers" not in miss.place)
    assert len(miss.value.blobs()) == 1
    assert miss.place == "index.json$.manifests[0].size"
