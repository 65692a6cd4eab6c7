"""A layout in the making: blobs, entries and the two files, from which comes a tree.

Needs nothing of Hypothesis. Documents are JSON here and no models, so that they can be spoiled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ocilayout.model import LAYOUT_VERSION, OCI_INDEX, REF_NAME, Digest
from ocilayout.testing.strategies.tree import File, Folder, Tree

if TYPE_CHECKING:
    from ocilayout.model import Json
    from ocilayout.testing.strategies.tree import Node

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
