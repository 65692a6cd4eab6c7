"""What can be wrong with a layout beyond its documents: with files, blobs, references and entries.

Each function spoils a layout in the making in one way. A fresh blob bears the defect where one of
those that are there might mean more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen
from hypothesis import strategies as st

from ocilayout.errors import MAX_PROBLEMS
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
    REF_NAME,
    is_digest,
    join_place,
)
from ocilayout.testing.strategies.carrier import ANYWHERE, INSIDE, carry, fresh, index, manifest
from ocilayout.testing.strategies.draft import LEFTOVERS, path_of
from ocilayout.testing.strategies.filetree import File, Folder, Link, Node
from ocilayout.testing.strategies.nearmiss import Finding
from ocilayout.testing.strategies.scalar import computable, digests, ref_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from ocilayout.testing.strategies.draft import Draft, Members


@frozen
class Damaged:
    """What became of a layout.

    Attributes:
        place: Where the defect is.
        also: What comes with it.
    """

    place: str
    also: tuple[Finding, ...] = ()


class Damage(Protocol):
    """A way to spoil a layout."""

    def __call__(self, draw: DrawFn, draft: Draft, /) -> Damaged:
        """Spoil a layout, which is changed."""
        ...


DAMAGES: Final[dict[str, Damage]] = {}
"""By the codes of what is wrong then."""


def damage(code: str) -> Callable[[Damage], Damage]:
    """Return a decorator that enters a way to spoil a layout in the table."""

    def enter(function: Damage) -> Damage:
        DAMAGES[code] = function
        return function

    return enter


# ---------------------------------------------------------------- files


@damage("missing-header")
def missing_header(_: DrawFn, draft: Draft) -> Damaged:
    """Have no `oci-layout`."""
    draft.files["oci-layout"] = None
    return Damaged("oci-layout")


@damage("missing-index")
def missing_index(_: DrawFn, draft: Draft) -> Damaged:
    """Have no `index.json`."""
    draft.files["index.json"] = None
    return Damaged("index.json")


@damage("missing-blobs-folder")
def missing_blobs_folder(draw: DrawFn, draft: Draft) -> Damaged:
    """Have no folder `blobs`, and so no content."""
    draft.entries.clear()
    draft.nodes = draw(st.sampled_from([{}, {"blobs": b""}, {"blobs": Link("nowhere")}]))
    return Damaged("blobs")


@damage("unreadable-file")
def unreadable_file(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a folder in the place of a file, or a link that leads nowhere else."""
    name = draw(st.sampled_from(["oci-layout", "index.json"]))
    instead: list[Node] = [Folder(), Link(name)]
    draft.files[name] = draw(st.sampled_from(instead))
    return Damaged(name)


@damage("linked-folder")
def linked_folder(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a link in the place of a folder."""
    draft.enter(fresh(draw, draft))
    folders = {name.rpartition("/")[0] for name in draft.blobs()}
    name = draw(st.sampled_from(["blobs", *sorted(folders)]))
    moved: dict[str, Node] = {
        "moved" + path.removeprefix(name) if path.startswith(f"{name}/") else path: node
        for path, node in draft.nodes.items()
    }
    draft.nodes = {**moved, name: Link("../" * name.count("/") + "moved")}
    return Damaged(name)


@damage("stray-file")
def stray_file(draw: DrawFn, draft: Draft) -> Damaged:
    """Have something among the blobs that is none."""
    names = ["README", "readme", ".hidden", "SHA256", "sha256/README", "sha256/" + "0" * 63, "a b"]
    place = "blobs/" + draw(st.sampled_from(names))
    draft.nodes[place] = draw(st.sampled_from([b"", b"x"]))
    return Damaged(place)


@damage("unreadable-to-others")
def unreadable_to_others(draw: DrawFn, draft: Draft) -> Damaged:
    """Have something that only its owner may read, while all may read the index."""
    draft.enter(fresh(draw, draft))
    path = draw(st.sampled_from(draft.blobs()))
    if draw(st.booleans()):
        draft.nodes[path] = File(draft.content(path), mode=draw(st.sampled_from([0o600, 0o640])))
        return Damaged(path)
    folder = draw(st.sampled_from(["blobs", path.rpartition("/")[0]]))
    draft.nodes[folder] = Folder(mode=draw(st.sampled_from([0o700, 0o750, 0o744])))
    return Damaged(folder)


@damage("leftover")
def leftover(draw: DrawFn, draft: Draft) -> Damaged:
    """Have what a writer left that died."""
    place = draw(st.sampled_from(LEFTOVERS))
    draft.nodes[place] = draw(st.sampled_from([b"", b"half"]))
    return Damaged(place)


# ---------------------------------------------------------------- blobs


@damage("digest-mismatch")
def digest_mismatch(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a blob that is not what its name says."""
    draft.enter(fresh(draw, draft))
    path = draw(st.sampled_from(draft.blobs()))
    right = draft.content(path)
    flipped = bytes([right[0] ^ 1]) + right[1:] if right else b"x"
    draft.nodes[path] = draw(st.sampled_from([flipped, right + b"x", right[:-1] or b" " + right]))
    return Damaged(path)


@damage("irregular-blob")
def irregular_blob(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a link or a folder in the place of a blob."""
    draft.enter(fresh(draw, draft))
    path = draw(st.sampled_from(draft.blobs()))
    instead: list[Node] = [Folder(), Link("nowhere"), Link("../../oci-layout")]
    draft.nodes[path] = draw(st.sampled_from(instead))
    return Damaged(path)


@damage("quarantined-blob")
def quarantined_blob(draw: DrawFn, draft: Draft) -> Damaged:
    """Have content in quarantine that is referred to."""
    descriptor = fresh(draw, draft)
    carry(draw, draft, descriptor, (*ANYWHERE, "subject"))
    digest = str(descriptor["digest"])
    del draft.nodes[path_of(digest)]
    instead: list[Node] = [b"", b"damaged", Folder(), Link("nowhere")]
    draft.nodes[f"quarantine/{digest.replace(':', '-', 1)}"] = draw(st.sampled_from(instead))
    return Damaged(path_of(digest))


@damage("unlisted-referrer")
def unlisted_referrer(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a manifest that no entry leads to, about content that one leads to."""
    subject = fresh(draw, draft)
    carry(draw, draft, subject, ANYWHERE)
    entries = [*draft.entries]
    number = draw(st.integers(0, 9))
    kind = draw(st.sampled_from([OCI_INDEX, OCI_MANIFEST]))
    said: Members = {"subject": subject, "annotations": {"com.example.number": str(number)}}
    if kind == OCI_INDEX:
        path = index(draft, OCI_INDEX, manifests=[], **said)
    else:
        path = manifest(draft, **said)
    draft.entries = entries
    return Damaged(path)


@damage("unreferenced-blob")
def unreferenced_blob(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a blob to which nothing leads."""
    return Damaged(path_of(str(fresh(draw, draft)["digest"])))


@damage("unverifiable")
def unverifiable(draw: DrawFn, draft: Draft) -> Damaged:
    """Have a blob under a digest of an unknown algorithm."""
    digest = draw(digests(["md5", "multihash+base58", "x.y_z-0"]))
    draft.nodes[path_of(digest)] = b"content"
    carry(draw, draft, {"mediaType": OCI_LAYER, "digest": str(digest), "size": 7}, ANYWHERE)
    return Damaged(path_of(digest))


@damage("missing-blob")
def missing_blob(draw: DrawFn, draft: Draft) -> Damaged:
    """Refer to content that is not here."""
    nowhere = absent(draw)
    carry(draw, draft, nowhere, INSIDE)
    return Damaged(path_of(str(nowhere["digest"])))


# ---------------------------------------------------------------- references


@damage("size-mismatch")
def size_mismatch(draw: DrawFn, draft: Draft) -> Damaged:
    """Say another size than the blob has."""
    descriptor = fresh(draw, draft)
    size = len(draft.content(path_of(str(descriptor["digest"]))))
    wrong = {**descriptor, "size": draw(st.sampled_from([size + 1, size - 1, 0, 2**62]))}
    return Damaged(carry(draw, draft, wrong, ANYWHERE) + ".size")


@damage("size-conflict")
def size_conflict(draw: DrawFn, draft: Draft) -> Damaged:
    """Say two sizes of content that is not here."""
    nowhere = absent(draw)
    other = {**nowhere, "size": draw(st.sampled_from([0, 8, 2**40]))}
    path = manifest(draft, layers=[nowhere, other])
    missing = Finding("missing-blob", path_of(str(nowhere["digest"])))
    return Damaged(f"{path}$.layers[1].size", (missing,))


@damage("media-type-conflict")
def media_type_conflict(draw: DrawFn, draft: Draft) -> Damaged:
    """Call one thing a manifest here and something else there."""
    document = draft.describe(draft.content(manifest(draft)), OCI_MANIFEST)
    other = {**document, "mediaType": draw(st.sampled_from([OCTET_STREAM, OCI_LAYER]))}
    return Damaged(carry(draw, draft, other, ANYWHERE) + ".mediaType")


@damage("several-media-types")
def several_media_types(draw: DrawFn, draft: Draft) -> Damaged:
    """Call one opaque thing by two types."""
    descriptor = fresh(draw, draft)
    draft.enter(descriptor)
    other = {**descriptor, "mediaType": draw(st.sampled_from([OCTET_STREAM, "text/html"]))}
    return Damaged(carry(draw, draft, other, ANYWHERE) + ".mediaType")


@damage("wrong-empty")
def wrong_empty(draw: DrawFn, draft: Draft) -> Damaged:
    """Say of something else that it is the empty content."""
    content = draw(st.sampled_from([b"", b"{ }", b"{}\n", b"[]", b"null"]))
    algorithm = draw(st.sampled_from(computable()))
    descriptor = draft.describe(b"near-miss " + content, OCI_EMPTY, algorithm)
    return Damaged(carry(draw, draft, descriptor, ANYWHERE))


@damage("absent-subject")
def absent_subject(draw: DrawFn, draft: Draft) -> Damaged:
    """Refer to a subject that is not here."""
    return Damaged(carry(draw, draft, {**absent(draw), "mediaType": OCI_MANIFEST}, ["subject"]))


@damage("missing-artifact-type")
def missing_artifact_type(draw: DrawFn, draft: Draft) -> Damaged:
    """Have the empty config, and do not say what the artifact is."""
    said: Members = {"artifactType": draw(st.sampled_from(["", None]))}
    return Damaged(manifest(draft, **said) + "$.artifactType")


def absent(draw: DrawFn) -> Members:
    """Draw a descriptor of opaque content that no layout holds."""
    digest = draw(digests(computable()))
    return {"mediaType": "application/vnd.example.absent", "digest": str(digest), "size": 9}


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
