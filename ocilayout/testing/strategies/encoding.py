"""Strategies for documents as bytes, and for root indexes as JSON with all that edits keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import frozen
from hypothesis import strategies as st

from ocilayout.layout import RootIndex
from ocilayout.model import (
    ARTIFACT_TYPES,
    CONTAINERD_IMAGE_NAME,
    CREATED,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    REF_NAME,
    SCHEMA1_TYPES,
    ArtifactManifest,
    ContainerConfig,
    Descriptor,
    Extensible,
    FsLayer,
    Header,
    History,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    RootFs,
    Schema1Manifest,
    dump_json,
    encode,
)
from ocilayout.signature import checked
from ocilayout.testing.strategies import scalar
from ocilayout.testing.strategies.scalar import digests, media_types, ref_names
from ocilayout.testing.strategies.text import (
    KEYS,
    ORDERS,
    TEXT,
    as_json,
    extras,
    objects,
    ordered,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from ocilayout.model import Digest, Json


M = TypeVar("M", bound=Extensible)


@checked
@frozen(kw_only=True)
class Document(Generic[M]):
    """A valid document: what it says, and one way to write it.

    Attributes:
        model: What it says.
        data: The bytes, which often differ from those that `encode` gives.
    """

    model: M
    data: bytes


def _referring() -> dict[str, SearchStrategy[Any]]:
    """Give what all documents have that may refer to a subject."""
    return {
        "artifact_type": st.none() | TEXT,
        "subject": st.none() | scalar.descriptors(),
        "annotations": scalar.annotations(),
    }


def headers() -> SearchStrategy[Header]:
    """Give what may stand in `oci-layout`."""
    return st.builds(Header, extra=extras(Header))


@checked
def manifests(*, max_layers: int = 2) -> SearchStrategy[Manifest]:
    """Give manifests, OCI and Docker ones, with and without a subject.

    Args:
        max_layers: How many layers one has at most.
    """
    return st.builds(
        Manifest,
        media_type=st.none() | st.sampled_from(sorted(MANIFEST_TYPES)),
        config=scalar.descriptors(),
        layers=st.lists(scalar.descriptors(), max_size=max_layers),
        extra=extras(Manifest, "manifests"),
        **_referring(),
    )


@checked
def indexes(*, max_manifests: int = 3) -> SearchStrategy[Index]:
    """Give indexes and Docker manifest lists, with and without a subject.

    Args:
        max_manifests: How many children one has at most.
    """
    return st.builds(
        Index,
        media_type=st.none() | st.sampled_from(sorted(INDEX_TYPES)),
        manifests=st.lists(scalar.descriptors(), max_size=max_manifests),
        extra=extras(Index, "config", "layers"),
        **_referring(),
    )


@checked
def artifact_manifests(*, max_blobs: int = 2) -> SearchStrategy[ArtifactManifest]:
    """Give artifact manifests of both retired types, with and without a subject.

    Args:
        max_blobs: How many blobs one has at most.
    """
    return st.builds(
        ArtifactManifest,
        media_type=st.none() | st.sampled_from(sorted(ARTIFACT_TYPES)),
        blobs=st.lists(scalar.descriptors(), max_size=max_blobs),
        extra=extras(ArtifactManifest, "manifests", "layers", "config"),
        **_referring(),
    )


@checked
def schema1_manifests(*, max_layers: int = 3) -> SearchStrategy[Schema1Manifest]:
    """Give Docker's manifests of schema 1, some of which list a layer several times.

    Args:
        max_layers: How many layers one has at most.
    """
    layers = st.builds(FsLayer, blob_sum=digests(), extra=extras(FsLayer))
    listed = st.lists(layers, max_size=max_layers)
    return st.builds(
        Schema1Manifest,
        media_type=st.none() | st.sampled_from(sorted(SCHEMA1_TYPES)),
        fs_layers=listed | listed.map(lambda some: (some + some)[:max_layers]),
        extra=extras(Schema1Manifest, "manifests", "layers", "config", "blobs"),
    )


@checked
def configs(*, max_layers: int = 2, max_history: int = 2) -> SearchStrategy[ImageConfig]:
    """Give image configurations.

    Args:
        max_layers: How many layers one names at most.
        max_history: How many steps one tells at most.
    """
    return st.builds(
        ImageConfig,
        created=st.none() | _times(),
        author=st.none() | TEXT,
        architecture=TEXT,
        os=TEXT,
        os_version=st.none() | TEXT,
        os_features=texts(),
        variant=st.none() | TEXT,
        config=st.none() | container_configs(),
        rootfs=rootfs(max_layers=max_layers),
        history=st.lists(histories(), max_size=max_history),
        extra=extras(ImageConfig),
    )


def container_configs() -> SearchStrategy[ContainerConfig]:
    """Give the part of a configuration that says how to run an image."""
    nothing: dict[str, Json] = {}
    ports = st.dictionaries(TEXT, st.just(nothing), max_size=2)
    return st.builds(
        ContainerConfig,
        user=st.none() | TEXT,
        exposed_ports=ports,
        env=texts(),
        entrypoint=texts(),
        cmd=texts(),
        volumes=ports,
        working_dir=st.none() | TEXT,
        labels=scalar.annotations(),
        stop_signal=st.none() | st.just("SIGTERM"),
        extra=extras(ContainerConfig),
    )


@checked
def rootfs(*, max_layers: int = 2) -> SearchStrategy[RootFs]:
    """Give the part of a configuration that names the layers.

    Args:
        max_layers: How many there are at most.
    """
    return st.builds(
        RootFs, diff_ids=st.lists(scalar.digests(), max_size=max_layers), extra=extras(RootFs)
    )


def histories() -> SearchStrategy[History]:
    """Give steps of a configuration's history."""
    return st.builds(
        History,
        created=st.none() | _times(),
        created_by=st.none() | TEXT,
        author=st.none() | TEXT,
        comment=st.none() | TEXT,
        empty_layer=st.none() | st.booleans(),
        extra=extras(History),
    )


@checked
@st.composite
def documents(draw: DrawFn, models: SearchStrategy[M]) -> Document[M]:
    """Give documents as bytes: in any order, with white space, escapes, and null for absence.

    Args:
        draw: Given by Hypothesis.
        models: What the documents say, such as `manifests()`.
    """
    model = draw(models)
    members: Json = json.loads(encode(model))
    if isinstance(model, Manifest | Index) and isinstance(members, dict) and draw(st.booleans()):
        absent = {"subject", "artifactType"} - members.keys()
        members |= dict.fromkeys(sorted(absent))
    text = json.dumps(
        _in_order(members, draw(ORDERS)),
        indent=draw(st.sampled_from([None, None, 0, 3])),
        ensure_ascii=draw(st.booleans()),
    )
    return Document(model=model, data=text.encode())


def _in_order(node: Json, order: int) -> Json:
    if isinstance(node, dict):
        return ordered({name: _in_order(item, order) for name, item in node.items()}, order)
    if isinstance(node, list):
        return [_in_order(item, order) for item in node]
    return node


def _times() -> SearchStrategy[str]:
    return st.sampled_from(
        ["2024-01-02T03:04:05Z", "0001-01-01T00:00:00.000000001+23:59", "2016-12-31t23:59:60z"]
    )


_MAX_INT64 = 2**63 - 1


@checked
def root_index_documents(*, max_entries: int = 6) -> SearchStrategy[dict[str, Json]]:
    """Give root indexes as parsed JSON, with all that tools are known to leave in them.

    There are unknown properties at every level, and odd orders; `manifests` is an array, null or
    absent; a few names and digests are shared by several entries, and some have no name. Not all
    names follow the ref.name grammar, and an empty one is none.

    Args:
        max_entries: How many entries one has at most.
    """
    # Deferred, because Hypothesis writes out a strategy that is filtered, and this one is long.
    return st.deferred(lambda: _root_index_documents(max_entries))


@checked
def root_indexes(*, max_entries: int = 6) -> SearchStrategy[RootIndex]:
    """Give root indexes that can be edited.

    Args:
        max_entries: How many entries one has at most.
    """
    return root_index_documents(max_entries=max_entries).map(dump_json).map(RootIndex)


def _root_index_documents(most: int) -> SearchStrategy[dict[str, Json]]:
    entries = st.lists(_root_entries(), max_size=min(2, most)) | st.lists(
        _root_entries(), min_size=min(2, most), max_size=most
    )
    required: dict[str, SearchStrategy[Json]] = {"schemaVersion": st.just(2)}
    choices: dict[str, SearchStrategy[Json]] = {
        "mediaType": st.just(OCI_INDEX),
        "annotations": _annotations_or_null(),
        "subject": objects(_root_content(), {}, Descriptor).map(as_json),
        "artifactType": st.none() | TEXT,
    }
    filled = {**required, "manifests": entries.map(as_json)}
    empty = {**choices, "manifests": st.none()}
    documents = st.one_of(
        *[objects(filled, choices, Index, "config", "layers")] * 3,
        objects(required, empty, Index, "config", "layers"),
    )
    names = st.lists(ref_names() | TEXT, min_size=1, max_size=3, unique=True)
    content = st.lists(digests(), min_size=1, max_size=3, unique=True)
    return st.builds(_with_pool, documents, names, content)


def _with_pool(
    document: dict[str, Json], names: Sequence[str], content: Sequence[Digest]
) -> dict[str, Json]:
    """Put a name or a digest in the place of every number that stands for one."""
    entries: Any = [*_members(document.get("manifests")), *_members([document.get("subject")])]
    for entry in entries:
        if entry is not None:
            entry["digest"] = str(content[entry["digest"] % len(content)])
            noted = entry.get("annotations") or {}
            for key in (REF_NAME, CONTAINERD_IMAGE_NAME):
                if isinstance(noted.get(key), int):
                    noted[key] = names[noted[key] % len(names)]
    return document


def _members(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _root_content() -> dict[str, SearchStrategy[Json]]:
    return {
        "mediaType": media_types(),
        "digest": st.integers(0, 2),
        "size": st.integers(0, _MAX_INT64),
    }


def _root_entries() -> SearchStrategy[dict[str, Json]]:
    places = st.integers(0, 2)
    others: dict[str, SearchStrategy[Json]] = {
        "com.example.mark": st.sampled_from(["true", "false"]),
        CONTAINERD_IMAGE_NAME: st.just("docker.io/library/x:1") | places,
        "com.example.note": TEXT,
        CREATED: st.just("2024-01-02T03:04:05Z"),
    }
    named = _annotated({REF_NAME: places}, others)
    nameless = _annotated({}, {REF_NAME: st.just(""), **others})
    choices: dict[str, SearchStrategy[Json]] = {
        "urls": st.lists(TEXT, max_size=2).map(as_json),
        "platform": objects(
            {"os": st.just("linux"), "architecture": st.just("amd64")}, {}, Platform
        ).map(as_json),
        "artifactType": st.none() | TEXT,
    }
    with_name = objects({**_root_content(), "annotations": named}, choices, Descriptor)
    without = {**choices, "annotations": st.none() | nameless}
    return st.one_of(with_name, with_name, objects(_root_content(), without, Descriptor))


def _annotated(
    required: dict[str, SearchStrategy[Json]], choices: dict[str, SearchStrategy[Json]]
) -> SearchStrategy[Json]:
    return st.builds(ordered, st.fixed_dictionaries(required, optional=choices), ORDERS).map(
        as_json
    )


def _annotations_or_null() -> SearchStrategy[Json]:
    return st.one_of(st.none(), st.dictionaries(KEYS, TEXT, max_size=2)).map(as_json)
