"""A folder as a value: what is in it, how it is written, and how a failing test shows it.

Needs nothing of Hypothesis. A tree can be pasted from the report of a failure into a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ocilayout.model import FrozenMap
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_MODE = 0o644
FOLDER_MODE = 0o755


@checked
@frozen
class File:
    """A file, where its bytes alone do not say all.

    Attributes:
        data: What it begins with.
        mode: Its permissions.
        spaces: How many blanks follow the data: so that a large file can be shown.
    """

    data: bytes
    mode: int = field(default=FILE_MODE, kw_only=True, repr=oct)
    spaces: int = field(default=0, kw_only=True)

    @property
    def content(self) -> bytes:
        """All bytes of the file."""
        return self.data + b" " * self.spaces


@checked
@frozen
class Folder:
    """A folder that is to be there also if nothing is in it.

    Attributes:
        mode: Its permissions.
    """

    mode: int = field(default=FOLDER_MODE, kw_only=True, repr=oct)


@checked
@frozen
class Link:
    """A symbolic link.

    Attributes:
        target: Where it leads.
    """

    target: str


Node = bytes | File | Folder | Link
"""What can have a path. Bytes are a file with the usual permissions."""


def _frozen(nodes: Mapping[str, Node]) -> FrozenMap[str, Node]:
    return FrozenMap(nodes)


@checked
@frozen
class Tree:
    """A folder, such as a layout.

    Attributes:
        nodes: What is in it, by paths relative to it. Folders that only lead to something need not
            be named.
    """

    nodes: FrozenMap[str, Node] = field(converter=_frozen)

    def write(self, path: Path) -> Path:
        """Make the folder.

        Permissions are set whatever the umask.

        Args:
            path: Where; nothing may be there yet.

        Returns:
            The same path.

        Raises:
            OSError: It cannot be made.
        """
        path.mkdir(parents=True)
        path.chmod(FOLDER_MODE)
        folders: list[tuple[Path, int]] = []
        for name in sorted(self.nodes):
            node, place = self.nodes[name], path / name
            for parent in reversed(place.relative_to(path).parents[:-1]):
                if not (path / parent).is_dir():
                    (path / parent).mkdir()
                    (path / parent).chmod(FOLDER_MODE)
            if isinstance(node, Link):
                place.symlink_to(node.target)
            elif isinstance(node, Folder):
                place.mkdir(exist_ok=True)
                folders.append((place, node.mode))
            else:
                file = node if isinstance(node, File) else File(node)
                place.write_bytes(file.content)
                place.chmod(file.mode)
        for place, mode in folders:  # at last, since one may deny what comes below it
            place.chmod(mode)
        return path

    def content(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            KeyError: There is no file of that name.
        """
        node = self.nodes[name]
        if isinstance(node, Folder | Link):
            raise KeyError(name)
        return node.content if isinstance(node, File) else node

    def blobs(self) -> Mapping[str, bytes]:
        """Return the content of each blob by its digest, whether it is what it should be or not."""
        found: dict[str, bytes] = {}
        for name, node in self.nodes.items():
            folder, _, encoded = name.removeprefix("blobs/").partition("/")
            if name.startswith("blobs/") and encoded and not isinstance(node, Folder | Link):
                found[f"{folder}:{encoded}"] = self.content(name)
        return found

    def changed(self, nodes: Mapping[str, Node | None]) -> Tree:
        """Return a tree that differs in some places.

        Args:
            nodes: The new nodes by their paths; `None` removes a node.
        """
        merged: dict[str, Node | None] = {**self.nodes, **nodes}
        return Tree({name: node for name, node in merged.items() if node is not None})

    def __repr__(self) -> str:
        return f"Tree({dict(self.nodes)!r})"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: ANN401, FBT001 # IPython's protocol, which Hypothesis knows
        lines = [f"    {name!r}: {node!r},\n" for name, node in self.nodes.items()]
        printer.text(f"Tree({{\n{''.join(lines)}}})")
