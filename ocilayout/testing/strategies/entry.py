"""What can be wrong with a layout's entries: their names, and whether their content is there.

As in `damage`, each function spoils a layout in the making in one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ocilayout.errors import MAX_PROBLEMS, join_place
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    is_digest,
)
from ocilayout.testing.strategies.carrier import fresh
from ocilayout.testing.strategies.damage import Damaged, absent, damage
from ocilayout.testing.strategies.nearmiss import Finding
from ocilayout.testing.strategies.value import digests, ref_names

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from ocilayout.testing.strategies.draft import Draft, Members


@damage("duplicate-entry")
def duplicate_entry(draw: DrawFn, draft: Draft) -> Damaged:
    """Say the same entry twice."""
    draft.enter(fresh(draw, draft))
    draft.entries.append(draw(st.sampled_from(draft.entries)))
    return Damaged(f"index.json$.manifests[{len(draft.entries) - 1}]")


@damage("duplicate-name")
def duplicate_name(draw: DrawFn, draft: Draft) -> Damaged:
    """Give one name to different content."""
    name = draw(_free_names(draft))
    first = {CONTAINERD_IMAGE_NAME: "example.com/a:1"} if draw(st.booleans()) else {}
    _enter(draft, {REF_NAME: name, **first})
    return Damaged(_enter(draft, {REF_NAME: name}))


@damage("shared-name")
def shared_name(draw: DrawFn, draft: Draft) -> Damaged:
    """Give one name to different content, and say which is meant when."""
    name = draw(_free_names(draft))
    _enter(draft, {REF_NAME: name, CONTAINERD_IMAGE_NAME: "example.com/a:1"})
    other = {REF_NAME: name, CONTAINERD_IMAGE_NAME: "example.com/b:1"}
    return Damaged(_enter(draft, other))


@damage("name-form")
def name_form(draw: DrawFn, draft: Draft) -> Damaged:
    """Give a name outside the grammar."""
    names = [" ", "a b", "/x", "x/", "a//b", "-x", "x-", "a:", "a---b", "\u00e9", "v1\n"]
    return Damaged(_enter(draft, {REF_NAME: draw(st.sampled_from(names))}))


@damage("digest-name")
def digest_name(draw: DrawFn, draft: Draft) -> Damaged:
    """Give a name that reads as a digest."""
    name = draw(digests(["sha256", "sha384", "sha512", "blake3"]))
    return Damaged(_enter(draft, {REF_NAME: str(name)}))


@damage("more-problems")
def more_problems(draw: DrawFn, draft: Draft) -> Damaged:
    """Have an entry with more problems than are told."""
    count = MAX_PROBLEMS + draw(st.integers(0, 9))
    _enter(draft, {f"note {number}": "x" for number in range(count)})
    place = f"index.json$.manifests[{len(draft.entries) - 1}]"
    told = [join_place(f"{place}.annotations", f"note {n}") for n in range(MAX_PROBLEMS)]
    return Damaged(place, tuple(Finding("annotation-key-form", key) for key in told))


@damage("dangling-name")
def dangling_name(draw: DrawFn, draft: Draft) -> Damaged:
    """Give a name to content that is not here."""
    return Damaged(draft.enter(_absent(draw), draw(_free_names(draft))))


@damage("dangling-entry")
def dangling_entry(draw: DrawFn, draft: Draft) -> Damaged:
    """Have an entry without a name whose content is not here."""
    return Damaged(draft.enter(_absent(draw)))


def _free_names(draft: Draft) -> SearchStrategy[str]:
    taken = [entry.get("annotations") for entry in draft.entries]
    used = [noted.get(REF_NAME) for noted in taken if isinstance(noted, dict)]
    return ref_names().filter(lambda name: name not in used and not is_digest(name))


def _enter(draft: Draft, noted: dict[str, str]) -> str:
    """Make fresh content an entry with annotations, and return the place of its name."""
    content: Members = draft.describe(b"entry %d" % len(draft.entries), OCI_LAYER)
    draft.entries.append({**content, "annotations": {**noted}})
    return join_place(f"index.json$.manifests[{len(draft.entries) - 1}].annotations", REF_NAME)


def _absent(draw: DrawFn) -> Members:
    media_type = draw(st.sampled_from([OCI_MANIFEST, OCI_INDEX, OCI_LAYER]))
    return {**absent(draw), "mediaType": media_type}
