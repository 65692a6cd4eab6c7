"""Strategies for documents: as models, and as the bytes that one program or another writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import frozen
from hypothesis import strategies as st

from ocilayout.model import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    ContainerConfig,
    Extensible,
    Header,
    History,
    ImageConfig,
    Index,
    Manifest,
    RootFs,
    encode,
)
from ocilayout.testing.strategies import value
from ocilayout.testing.strategies.text import ORDERS, TEXT, extras, ordered, texts

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from ocilayout.model import Json

M = TypeVar("M", bound=Extensible)


@frozen(kw_only=True)
class Document(Generic[M]):
    """A valid document: what it says, and one way to write it.

    Attributes:
        model: What it says.
        data: The bytes, by no means always those that `encode` gives.
    """

    model: M
    data: bytes


def headers() -> SearchStrategy[Header]:
    """Give what may stand in `oci-layout`."""
    return st.builds(Header, extra=extras(Header))


def manifests(*, max_layers: int = 2) -> SearchStrategy[Manifest]:
    """Give manifests, OCI and Docker ones, with and without a subject.

    Args:
        max_layers: How many layers one has at most.
    """
    return st.builds(
        Manifest,
        media_type=st.none() | st.sampled_from(sorted(MANIFEST_TYPES)),
        artifact_type=st.none() | TEXT,
        config=value.descriptors(),
        layers=st.lists(value.descriptors(), max_size=max_layers),
        subject=st.none() | value.descriptors(),
        annotations=value.annotations(),
        extra=extras(Manifest, "manifests"),
    )


def indexes(*, max_manifests: int = 3) -> SearchStrategy[Index]:
    """Give indexes and Docker manifest lists, with and without a subject.

    Args:
        max_manifests: How many children one has at most.
    """
    return st.builds(
        Index,
        media_type=st.none() | st.sampled_from(sorted(INDEX_TYPES)),
        artifact_type=st.none() | TEXT,
        manifests=st.lists(value.descriptors(), max_size=max_manifests),
        subject=st.none() | value.descriptors(),
        annotations=value.annotations(),
        extra=extras(Index, "config", "layers"),
    )


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
        labels=value.annotations(),
        stop_signal=st.none() | st.just("SIGTERM"),
        extra=extras(ContainerConfig),
    )


def rootfs(*, max_layers: int = 2) -> SearchStrategy[RootFs]:
    """Give the part of a configuration that names the layers.

    Args:
        max_layers: How many there are at most.
    """
    return st.builds(
        RootFs, diff_ids=st.lists(value.digests(), max_size=max_layers), extra=extras(RootFs)
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
