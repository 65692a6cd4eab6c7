"""Layouts in the making, and whole ones, about which `check` has nothing to say."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import frozen
from hypothesis import strategies as st

from ocilayout.model import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    LAYOUT_VERSION,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    REF_NAME,
    Digest,
    Manifest,
    is_digest,
)
from ocilayout.signature import checked
from ocilayout.testing.strategies.filetree import File, Folder, Tree
from ocilayout.testing.strategies.scalar import computable, ref_names
from ocilayout.testing.strategies.text import TEXT, extras

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from ocilayout.model import Json
    from ocilayout.testing.strategies.filetree import Node


Members = dict[str, "Json"]
"""A JSON object."""


class Draft:
    """What a layout is to hold.

    Attributes:
        nodes: Blobs and all else but the two files, by their paths.
        header: What `oci-layout` says.
        shell: What `index.json` says apart from its entries.
        entries: The entries, in document order.
        files: What stands in the place of one of the two files instead, by its path; `None` for
            nothing.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {"blobs": Folder()}
        self.header: Members = {"imageLayoutVersion": LAYOUT_VERSION}
        self.shell: Members = {"schemaVersion": 2, "mediaType": OCI_INDEX}
        self.entries: list[Members] = []
        self.files: dict[str, Node | None] = {}

    def put(self, data: bytes | File, algorithm: str = "sha256") -> Digest:
        """Make content a blob."""
        content = data.content if isinstance(data, File) else data
        digest = Digest.of(content, algorithm)
        self.nodes[path_of(digest)] = data
        return digest

    def describe(self, data: bytes | File, media_type: str, algorithm: str = "sha256") -> Members:
        """Make content a blob, and return a descriptor of it."""
        size = len(data.content if isinstance(data, File) else data)
        digest = str(self.put(data, algorithm))
        return {"mediaType": media_type, "digest": digest, "size": size}

    def write(self, document: Members, media_type: str, algorithm: str = "sha256") -> Members:
        """Make a document a blob, and return a descriptor of it."""
        return self.describe(written(document), media_type, algorithm)

    def enter(self, descriptor: Members, name: str | None = None) -> str:
        """Make content an entry, with a name or without, and return its place."""
        entry = dict(descriptor)
        if name is not None:
            entry["annotations"] = {REF_NAME: name}
        if entry not in self.entries:
            self.entries.append(entry)
        return f"index.json$.manifests[{self.entries.index(entry)}]"

    def index(self) -> Members:
        """Return what `index.json` says."""
        return {**self.shell, "manifests": [*self.entries]}

    def clear(self) -> None:
        """Take all content away."""
        self.entries.clear()
        self.nodes = {"blobs": Folder()}

    def content(self, path: str) -> bytes:
        """Return what a blob holds."""
        return Tree(self.nodes).content(path)

    def blobs(self) -> list[str]:
        """Return the paths of blobs, sorted."""
        return sorted(name for name in self.nodes if name.count("/") > 1)

    def tree(self) -> Tree:
        """Return the layout."""
        files: dict[str, Node] = {
            "oci-layout": written(self.header),
            "index.json": written(self.index()),
        }
        rest = {name: self.nodes[name] for name in sorted(self.nodes)}
        return Tree({**files, **rest}).changed(self.files)


def path_of(digest: str) -> str:
    """Return the path of a blob, relative to the layout."""
    return f"blobs/{digest.replace(':', '/', 1)}"


def written(document: Json) -> bytes:
    """Return a document as compact JSON; half of a surrogate pair becomes an escape."""
    return json.dumps(document, separators=(",", ":")).encode()


_EMPTY = b"{}"
_OPAQUE = "application/vnd.example.thing"
_LEAF_TYPES = [OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, _OPAQUE, "text/plain"]
_PLATFORMS = [
    {"architecture": "amd64", "os": "linux"},
    {"architecture": "arm64", "os": "linux", "variant": "v8"},
    {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.2402"},
]
_KEYS = ["org.opencontainers.image.title", "com.example.note", "com.example/with a slash"]
LEFTOVERS = (
    f"ingest/{2**22}-0123456789abcdef",
    f"ingest/{'0' * 64}_123456789",
    f"index.json.{2**22}-0123456789abcdef.tmp",
    "oci-put-blob123456",
    ".umoci-123456",
    f"blobs/sha256/{'0' * 64}123456",
)
"""What writers leave that die: this library, oras-go, again ours, skopeo, umoci, crane."""

_FORMERLY = "application/vnd.oci.image.layer.nondistributable.v1.tar"


@frozen(kw_only=True)
class _Leaf:
    """Opaque content, and the one media type that all references give it."""

    data: bytes
    media_type: str
    algorithm: str
    embedded: bool


@frozen(kw_only=True)
class _Sketch:
    """A document, or a leaf that is an entry: parts and subject are numbers of what follows."""

    media_type: str | None
    named: bool
    config: str
    parts: tuple[int, ...]
    subject: int | None
    names: tuple[str, ...]
    entered: bool
    algorithm: str
    platform: int | None
    annotations: dict[str, str]
    extra: dict[str, Any]


@checked
def layouts(
    *, max_documents: int = 4, max_leaves: int = 3, sparse: bool = False, strays: bool = False
) -> SearchStrategy[Tree]:
    """Give whole layouts, as values that can be written to a folder.

    Manifests and indexes, of OCI and of Docker, are nested and share blobs; entries have names or
    none; some documents refer to others as their subjects; digests are of all algorithms that can
    be computed here. The empty layout is the simplest.

    Args:
        max_documents: How many manifests, indexes and opaque entries there are at most.
        max_leaves: How many different layers and other opaque blobs there are at most.
        sparse: Whether blobs may be missing, which `check` notes.
        strays: Whether there may be blobs to which nothing leads, temporaries that a writer left,
            and files that are none of a layout's; `check` notes the first two.
    """
    trees = drafts(max_documents=max_documents, max_leaves=max_leaves).map(Draft.tree)
    if sparse:
        trees = st.builds(_without, trees, st.sets(st.integers(0, 9), max_size=4))
    if strays:
        trees = st.builds(lambda tree, more: tree.changed(more), trees, _strays())
    return trees


@cache  # strategies that are asked for while another draws would be made anew each time
def drafts(*, max_documents: int = 4, max_leaves: int = 3) -> SearchStrategy[Draft]:
    """Give layouts in the making.

    Args:
        max_documents: As for `layouts`.
        max_leaves: As for `layouts`.
    """
    leaves = st.lists(_leaves(), max_size=max_leaves, unique_by=lambda leaf: leaf.data)
    # The simplest sketch is none, so that an unused sketch in the middle shrinks to nothing.
    sketch = st.one_of(st.none(), *[_sketches()] * 4)
    sketches = st.lists(sketch, max_size=max_documents) | st.lists(
        sketch, min_size=min(3, max_documents), max_size=max_documents
    )
    return st.builds(_drafted, leaves, sketches, extras(Manifest, "manifests", "config", "layers"))


def _leaves() -> SearchStrategy[_Leaf]:
    return st.builds(
        _Leaf,
        data=st.binary(max_size=8).filter(lambda data: data != _EMPTY),
        media_type=st.sampled_from([*_LEAF_TYPES, _FORMERLY]),
        algorithm=st.sampled_from(computable()),
        embedded=st.booleans(),
    )


def _sketches() -> SearchStrategy[_Sketch]:
    return st.builds(
        _Sketch,
        media_type=st.sampled_from(
            [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX, OCI_MANIFEST, OCI_INDEX, None]
        ),
        named=st.booleans(),
        config=st.sampled_from(["empty", "image", "leaf"]),
        parts=st.lists(st.integers(0, 9), max_size=3).map(tuple),
        subject=st.none() | st.integers(0, 9),
        names=st.lists(ref_names().filter(lambda name: not is_digest(name)), max_size=2).map(tuple),
        entered=st.booleans(),
        algorithm=st.sampled_from(computable()),
        platform=st.none() | st.integers(0, len(_PLATFORMS) - 1),
        annotations=st.dictionaries(st.sampled_from(_KEYS), TEXT, max_size=2),
        extra=extras(Manifest, "manifests"),
    )


def _drafted(leaves: list[_Leaf], sketches: list[_Sketch | None], extra: dict[str, Any]) -> Draft:
    return _Drafting(leaves, extra).finish([sketch for sketch in sketches if sketch is not None])


def _from_the_end(documents: list[Members], number: int) -> Members:
    """Choose one of the documents that are there already; the latest is number 0."""
    return documents[-1 - number % len(documents)]


def _without(tree: Tree, numbers: set[int]) -> Tree:
    names = sorted(path_of(digest) for digest in tree.blobs())
    return tree.changed({names[number % len(names)]: None for number in numbers if names})


def _strays() -> SearchStrategy[dict[str, Node]]:
    garbage = st.binary(max_size=4).map(lambda data: b"garbage " + data)
    blobs = st.lists(garbage, max_size=2).map(
        lambda found: {path_of(Digest.of(data)): data for data in found}
    )
    other: dict[str, SearchStrategy[Node]] = {
        name: st.binary(max_size=4)
        for name in ("README", ".DS_Store", "nested/file", *LEFTOVERS, "blobs/md5/0123")
    }
    others = st.lists(st.sampled_from(sorted(other)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: other[name] for name in names})
    )
    return st.builds(lambda first, second: {**first, **second}, blobs, others)


class _Drafting:
    """Makes sketches a layout."""

    def __init__(self, leaves: list[_Leaf], extra: dict[str, Any]) -> None:
        self._draft = Draft()
        self._draft.shell |= extra
        self._leaves = leaves
        self._documents: list[Members] = []
        self._held: set[str] = set()  # what a document is made of
        self._names: set[str] = set()

    def finish(self, sketches: list[_Sketch]) -> Draft:
        # What is made of others comes first in a sketch, so that what is unused is at the end,
        # where a list is shrunk most easily.
        for sketch in reversed(sketches):
            self._documents.append(self._put(sketch))
        # In this order it is known of each document whether another one holds on to it.
        for sketch, descriptor in zip(sketches, reversed(self._documents), strict=True):
            for name in sketch.names:
                if name not in self._names:
                    self._names.add(name)
                    self._draft.enter(descriptor, name)
            if sketch.entered or not self._is_kept(descriptor):
                self._draft.enter(descriptor)
        return self._draft

    def _is_kept(self, descriptor: Members) -> bool:
        digest = str(descriptor["digest"])
        return digest in self._held or any(
            entry["digest"] == digest for entry in self._draft.entries
        )

    def _put(self, sketch: _Sketch) -> Members:
        if sketch.media_type is None:
            return self._leaf(sum(sketch.parts))
        oci = sketch.media_type in (OCI_MANIFEST, OCI_INDEX)
        document: Members = {"schemaVersion": 2}
        if sketch.named or not oci:  # those of Docker must say what they are
            document["mediaType"] = sketch.media_type
        if sketch.media_type in INDEX_TYPES:
            document["manifests"] = [self._child(number, sketch) for number in sketch.parts]
        else:
            document["config"] = self._config(sketch)
            document["layers"] = [self._leaf(number) for number in sketch.parts]
            if oci and sketch.config == "empty":
                document["artifactType"] = _OPAQUE
        if oci:
            document |= {"annotations": {**sketch.annotations}} if sketch.annotations else {}
            before = [one for one in self._documents if one["mediaType"] in DOCUMENT_TYPES]
            if sketch.subject is not None and before:
                document["subject"] = _from_the_end(before, sketch.subject)
        self._hold(document)
        return self._draft.write({**document, **sketch.extra}, sketch.media_type, sketch.algorithm)

    def _hold(self, document: Members) -> None:
        children: Any = document.get("manifests", [])
        self._held.update(child["digest"] for child in children)

    def _child(self, number: int, sketch: _Sketch) -> Members:
        if not self._documents:
            return self._leaf(number)
        child = dict(_from_the_end(self._documents, number))
        if sketch.platform is not None:
            child["platform"] = dict(_PLATFORMS[sketch.platform])
        return child

    def _leaf(self, number: int) -> Members:
        if not self._leaves:
            return self._draft.describe(_EMPTY, OCI_EMPTY)
        leaf = self._leaves[number % len(self._leaves)]
        found = self._draft.describe(leaf.data, leaf.media_type, leaf.algorithm)
        if leaf.embedded:
            found["data"] = b64encode(leaf.data).decode()
        return found

    def _config(self, sketch: _Sketch) -> Members:
        if sketch.media_type == DOCKER_MANIFEST:
            return self._draft.describe(b'{"docker":true}', DOCKER_CONFIG)
        if sketch.config == "empty":
            return self._draft.describe(_EMPTY, OCI_EMPTY)
        if sketch.config == "leaf" and self._leaves:
            return self._leaf(sum(sketch.parts))
        diffs = [str(Digest.of(b"tar %d" % number)) for number in sketch.parts]
        config: Members = {
            **_PLATFORMS[sketch.platform or 0],
            "rootfs": {"type": "layers", "diff_ids": [*diffs]},
        }
        return self._draft.write(config, OCI_CONFIG, sketch.algorithm)
