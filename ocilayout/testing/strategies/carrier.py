"""How a defect gets into a layout: fresh content, and documents that refer to it.

A layout in the making is changed; what is added is right if what is given is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from ocilayout.model import (
    DOCKER_INDEX,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.testing.strategies.draft import path_of
from ocilayout.testing.strategies.scalar import computable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

    from ocilayout.testing.strategies.draft import Draft, Members

INSIDE: Final = ("layer", "config", "child")
"""How a document can refer to content that it is made of."""

ANYWHERE: Final = ("entry", *INSIDE)
"""How a layout can refer to content."""


def fresh(draw: DrawFn, draft: Draft) -> Members:
    """Make content a blob that no layout of `layouts` has, and return its descriptor."""
    content = b"near-miss %d" % draw(st.integers(0, 9))
    algorithm = draw(st.sampled_from(computable()))
    return draft.describe(content, "application/vnd.example.near-miss", algorithm)


def manifest(draft: Draft, **members: Any) -> str:  # noqa: ANN401 # JSON of any shape
    """Make an artifact manifest an entry, and return the path of its blob.

    Args:
        draft: The layout.
        members: What it says otherwise than the simplest one; `None` is left out.
    """
    config = members.pop("config", None) or draft.describe(b"{}", OCI_EMPTY)
    document: Members = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.carrier",
        "config": config,
        "layers": [],
        **members,
    }
    said: Members = {name: value for name, value in document.items() if value is not None}
    descriptor = draft.write(said, OCI_MANIFEST)
    draft.enter(descriptor)
    return path_of(str(descriptor["digest"]))


def index(draft: Draft, media_type: str, **members: Any) -> str:  # noqa: ANN401 # as above
    """Make an index an entry, and return the path of its blob.

    Args:
        draft: The layout.
        media_type: That of the index.
        members: What it says.
    """
    document: Members = {"schemaVersion": 2, "mediaType": media_type, **members}
    descriptor = draft.write(document, media_type)
    draft.enter(descriptor)
    return path_of(str(descriptor["digest"]))


def carry(draw: DrawFn, draft: Draft, descriptor: Members, roles: Sequence[str]) -> str:
    """Let a layout refer to something in one of several ways, and return where it does.

    Args:
        draw: Chooses.
        draft: The layout.
        descriptor: What is referred to.
        roles: As what: `entry`, `layer`, `config`, `child` or `subject`.
    """
    role = draw(st.sampled_from(roles))
    if role == "entry":
        return draft.enter(descriptor)
    if role == "config":
        return manifest(draft, config=descriptor) + "$.config"
    if role == "subject":
        return manifest(draft, subject=descriptor) + "$.subject"
    if role == "layer":
        before = [draft.describe(b"layer", OCI_LAYER)] if draw(st.booleans()) else []
        return f"{manifest(draft, layers=[*before, descriptor])}$.layers[{len(before)}]"
    kind = draw(st.sampled_from([OCI_INDEX, DOCKER_INDEX]))
    return index(draft, kind, manifests=[descriptor]) + "$.manifests[0]"
