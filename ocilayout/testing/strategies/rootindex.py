"""The strategy for root indexes as parsed JSON, odd in all the ways that edits have to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ocilayout.layout import RootIndex
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    CREATED,
    LOCAL_BUILD,
    OCI_INDEX,
    REF_NAME,
    Descriptor,
    Index,
    Platform,
    dump_json,
)
from ocilayout.testing.strategies.text import KEYS, ORDERS, TEXT, as_json, objects, ordered
from ocilayout.testing.strategies.value import digests, media_types, ref_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

    from ocilayout.model import Digest, Json

_MAX_INT64 = 2**63 - 1


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
        LOCAL_BUILD: st.sampled_from(["true", "false"]),
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
