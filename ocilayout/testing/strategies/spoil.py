"""The strategies for near-misses: documents and layouts that are right but for one defect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from ocilayout.model import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Digest,
    Header,
    ImageConfig,
    Index,
    Manifest,
)
from ocilayout.signature import checked
from ocilayout.testing.strategies.carrier import fresh, manifest
from ocilayout.testing.strategies.damage import DAMAGES, Damaged
from ocilayout.testing.strategies.draft import Draft, drafts, path_of, written
from ocilayout.testing.strategies.filetree import File
from ocilayout.testing.strategies.flaw import FLAWS, LAPSES
from ocilayout.testing.strategies.nearmiss import NearMiss, chosen
from ocilayout.testing.strategies.specimen import BEARERS, DOCUMENTS, Specimen, Spoiled
from ocilayout.testing.strategies.text import extras

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from ocilayout.model import Extensible
    from ocilayout.testing.strategies.draft import Members
    from ocilayout.testing.strategies.filetree import Tree

_SPOILS: Final = {**FLAWS, **LAPSES}

CODES: Final = tuple(sorted({*_SPOILS, *DAMAGES}))
"""All codes of which there are near-misses."""

# The root index may have 256 MiB; a blob that says it is something else is not what its descriptor
# says, which is another problem; the root index has no descriptor; and a header of so many values
# is too large.
_IMPOSSIBLE: Final = {
    ("index.json", "too-large"),
    ("index.json", "media-type-differs"),
    ("oci-layout", "too-many-nodes"),
    ("blob", "wrong-value"),
}


@checked
def broken_documents(
    model: type[Extensible], codes: Iterable[str] | None = None
) -> SearchStrategy[NearMiss[bytes]]:
    """Give documents that a reader has to refuse, each for one reason; `decode` does.

    Args:
        model: What they nearly are: `Manifest`, `Index`, `ImageConfig` or `Header`.
        codes: The defects; all that such a document can have by default.

    Raises:
        ValueError: Such a document cannot have one of the defects, or is none.
    """
    if model not in DOCUMENTS:
        raise ValueError(f"{model.__name__} is not a document of its own")
    wanted = chosen([code for code in FLAWS if model in BEARERS[code]], codes)
    return _broken_document(model, wanted)


@st.composite
def _broken_document(draw: DrawFn, model: type[Extensible], codes: list[str]) -> NearMiss[bytes]:
    code = draw(st.sampled_from(codes))
    specimen, _ = _specimen(draw, Draft(), model)
    spoiled = FLAWS[code](draw, specimen)
    data = _bytes(specimen, spoiled)
    value = data.content if isinstance(data, File) else data
    return NearMiss(code=code, place=spoiled.place, value=value)


@checked
def near_misses(
    codes: Iterable[str] | None = None, *, max_documents: int = 2, max_leaves: int = 2
) -> SearchStrategy[NearMiss[Tree]]:
    """Give layouts about which `check` has one thing to say, and what that is.

    Args:
        codes: The defects; all that `check` knows by default.
        max_documents: How many documents there are at most besides the one with the defect.
        max_leaves: How many different layers and other opaque blobs these have at most.

    Raises:
        ValueError: One of the defects is not known.
    """
    healthy = drafts(max_documents=max_documents, max_leaves=max_leaves)
    return _near_miss(healthy, chosen(CODES, codes))


@st.composite
def _near_miss(draw: DrawFn, healthy: SearchStrategy[Draft], codes: list[str]) -> NearMiss[Tree]:
    code = draw(st.sampled_from(codes))
    draft = draw(healthy)
    spoil = DAMAGES.get(code)
    damaged = spoil(draw, draft) if spoil else _spoil(draw, draft, code)
    return NearMiss(code=code, place=damaged.place, also=damaged.also, value=draft.tree())


def _spoil(draw: DrawFn, draft: Draft, code: str) -> Damaged:
    """Spoil a document of a layout: one of the two files, or one that is added to it."""
    bearers = BEARERS[code]
    kinds = [("blob", model) for model in bearers if model is not Header]
    kinds += [("oci-layout", Header)] if Header in bearers else []
    kinds += [("index.json", Index)] if Index in bearers else []
    possible = [kind for kind in kinds if not _is_impossible(code, *kind)]
    where, model = draw(st.sampled_from(possible))
    if where == "oci-layout":
        return _spoil_file(draw, draft, code, Specimen(dict(draft.header), Header))
    if where == "index.json":
        return _spoil_file(draw, draft, code, _root(draw, draft, code))
    return _spoil_blob(draw, draft, code, model)


def _is_impossible(code: str, where: str, model: type[Extensible]) -> bool:
    return (where, code) in _IMPOSSIBLE and model is not ImageConfig


def _root(draw: DrawFn, draft: Draft, code: str) -> Specimen:
    """Return the root index, of which no entry may be spoiled but a fresh one at its end."""
    if code == "null-list":
        draft.clear()
    else:
        draft.enter(fresh(draw, draft))
    untouched = tuple(f"$.manifests[{number}]" for number in range(len(draft.entries) - 1))
    return Specimen(json.loads(written(draft.index())), Index, untouched)


def _spoil_file(draw: DrawFn, draft: Draft, code: str, specimen: Specimen) -> Damaged:
    spoiled = _SPOILS[code](draw, specimen)
    name = "oci-layout" if specimen.model is Header else "index.json"
    draft.files[name] = _bytes(specimen, spoiled)
    return _damaged(name, spoiled)


def _spoil_blob(draw: DrawFn, draft: Draft, code: str, model: type[Extensible]) -> Damaged:
    specimen, media_type = _specimen(draw, draft, model)
    if code != "bad-media-type":  # of which there must be one only
        # What a document that is spoiled does not tell is told by another.
        children: Any = [*_children(specimen.members)]
        if children:
            manifest(draft, layers=children)
    spoiled = _SPOILS[code](draw, specimen)
    descriptor = draft.describe(_bytes(specimen, spoiled), media_type)
    if model is ImageConfig:
        manifest(draft, config=descriptor)
    else:
        draft.enter(descriptor)
    return _damaged(path_of(str(descriptor["digest"])), spoiled)


def _damaged(file: str, spoiled: Spoiled) -> Damaged:
    return Damaged(file + ("" if spoiled.place == "$" else spoiled.place))


def _bytes(specimen: Specimen, spoiled: Spoiled) -> bytes | File:
    return written(specimen.members) if spoiled.data is None else spoiled.data


# ---------------------------------------------------------------- documents that are right so far


def _specimen(draw: DrawFn, draft: Draft, model: type[Extensible]) -> tuple[Specimen, str]:
    """Draw a document of a layout with all it refers to, and return it with its media type."""
    members: Members
    if model is Header:
        return Specimen({**draft.header, **draw(extras(Header))}, Header), ""
    if model is ImageConfig:
        members = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"tar"))]},
            **draw(extras(ImageConfig)),
        }
        return Specimen(members, ImageConfig), OCI_CONFIG
    is_index = model is Index
    types = [OCI_INDEX, DOCKER_INDEX] if is_index else [OCI_MANIFEST, DOCKER_MANIFEST]
    media_type = draw(st.sampled_from(types))
    count = draw(st.integers(1, 2))
    children = [_child(draw, draft, number) for number in range(count)]
    parts: Members = {"manifests": [*children]}
    if not is_index:
        parts = {"config": _child(draw, draft, count), "layers": [*children]}
    unknown = extras(Index, "config", "layers") if is_index else extras(Manifest, "manifests")
    members = {"schemaVersion": 2, "mediaType": media_type, **parts, **draw(unknown)}
    return Specimen(members, model), media_type


def _child(draw: DrawFn, draft: Draft, number: int) -> Members:
    child = draft.describe(b"part %d" % number, OCI_LAYER)
    if draw(st.booleans()):
        child["platform"] = {"architecture": "arm64", "os": "linux"}
    if draw(st.booleans()):
        child["annotations"] = {"org.opencontainers.image.title": "e\u0301"}
    return child


def _children(members: Members) -> list[Members]:
    found: Any = [members.get("config"), *_list(members, "layers"), *_list(members, "manifests")]
    return [dict(child) for child in found if isinstance(child, dict) and "digest" in child]


def _list(members: Members, name: str) -> list[Any]:
    value: Any = members.get(name)
    return value if isinstance(value, list) else []
