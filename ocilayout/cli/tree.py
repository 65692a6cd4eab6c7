"""Trees: what content is made of, as a graph for programs and as lines for people.

Whatever is reached twice is one node. In the lines its parts are drawn once, where it comes
first. Nothing here recurses, so nesting may be as deep as documents make it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import evolve, frozen

from ocilayout.archive import Archive
from ocilayout.cli.listing import (
    Kind,
    State,
    artifact_type_of,
    kind_of,
    platform_text,
    read_of,
    state_of,
)
from ocilayout.cli.terminal import one_line, printable, short, size_text
from ocilayout.errors import OciLayoutError
from ocilayout.layout import Layout
from ocilayout.model import (
    DEFAULT_LIMITS,
    MANIFEST_TYPES,
    SCHEMA1_TYPES,
    TITLE,
    Budget,
    Descriptor,
    Limits,
    successors,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.cli.place import Root, Source
    from ocilayout.model import Digest, Document

_ENTRY: Final = 16 * 1024
"""What the document of an entry may have besides what the limits say, in bytes."""

Mark = Literal["missing", "elsewhere", "wrong size", "shared", "unreadable", "drawn above"]


@frozen(kw_only=True)
class Node:
    """Content of a graph.

    Attributes:
        descriptor: As the first that leads to it describes it.
        kind: What it is.
        artifact_type: The type of the artifact, where it is one.
        parts: What it is made of, in document order.
        subject: What it refers to, or `None`.
        states: For each size that references give it, whether it is here in that size; nothing
            where that was not asked, which is in registries.
        shared: Whether more than one entry or document leads to it.
        error: Why it could not be read, or empty.
    """

    descriptor: Descriptor
    kind: Kind
    artifact_type: str | None
    parts: tuple[Descriptor, ...]
    subject: Descriptor | None
    states: dict[int, State]
    shared: bool
    error: str

    @property
    def here(self) -> bool | None:
        """Whether it is here, in whatever size; `None` where that was not asked."""
        absent = ("missing", "elsewhere")
        return self.states.get(self.descriptor.size) not in absent if self.states else None

    @property
    def wrong_size(self) -> bool | None:
        """Whether a reference gives it another size than it has; `None` where it is not asked."""
        return "wrong size" in self.states.values() if self.states else None

    def data(self) -> dict[str, object]:
        """Return the node for programs."""
        return {
            "digest": self.descriptor.digest,
            "mediaType": self.descriptor.media_type,
            "size": self.descriptor.size,
            "kind": self.kind,
            "artifactType": self.artifact_type,
            "parts": [
                {
                    "digest": part.digest,
                    "platform": platform_text(part.platform) or None,
                    "title": part.annotations.get(TITLE),
                }
                for part in self.parts
            ],
            "subject": None if self.subject is None else self.subject.digest,
            "here": self.here,
            "wrongSize": self.wrong_size,
            "shared": self.shared,
            "error": self.error or None,
        }


@frozen(kw_only=True)
class Line:
    """One line of a drawing.

    Attributes:
        guide: What leads to it from above.
        name: The name of an entry; empty on lines below one.
        text: What is said of the content.
        marks: What is remarkable about it.
    """

    guide: str
    name: str
    text: str
    marks: tuple[Mark, ...]


def graph_of(
    source: Source,
    entries: Iterable[Root],
    begin: Iterable[Root],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[Digest, Node]:
    """Return everything that is reached, by its digest, parents before their parts.

    Args:
        source: Where it is.
        entries: What counts as leading to content.
        begin: Where else to begin.
        limits: How large and how many the documents may be, besides one for each entry; what is
            beyond is not read, and the node says so.

    Raises:
        OSError: The file system failed.
    """
    documents: dict[Digest, Document] = {}
    errors: dict[Digest, str] = {}
    leading: dict[Digest, set[object]] = {}

    def read(descriptor: Descriptor) -> Document | None:
        try:
            document = read_of(source, budget, descriptor)
        except OciLayoutError as error:
            errors[descriptor.digest] = one_line(error)
            return None
        if document is None:
            return None
        documents[descriptor.digest] = document
        for part in successors(document):
            leading.setdefault(part.digest, set()).add(descriptor.digest)
        return document

    roots = [*entries]
    for position, root in enumerate(roots):
        if root.descriptor is not None:
            leading.setdefault(root.descriptor.digest, set()).add(position)
    begun = [root.descriptor for root in (*roots, *begin) if root.descriptor is not None]
    # A layout may have any number of entries, and each has a document.
    limits = evolve(
        limits,
        documents=limits.documents + len(begun),
        total=limits.total + _ENTRY * len(begun),
    )
    budget = Budget(source.blobs.read, limits=limits, of="what is drawn", size=source.blobs.size)
    nodes: dict[Digest, Node] = {}
    found = list(walk(begun, read))
    states = _states(source, found)
    for descriptor in found:
        if descriptor.digest in nodes:
            continue
        document = documents.get(descriptor.digest)
        nodes[descriptor.digest] = Node(
            descriptor=descriptor,
            kind=kind_of(descriptor),
            artifact_type=artifact_type_of(document),
            parts=() if document is None else successors(document),
            subject=None if document is None else document.subject,
            states=states.get(descriptor.digest, {}),
            shared=len(leading.get(descriptor.digest, ())) > 1,
            error=errors.get(descriptor.digest, ""),
        )
    return nodes


def _states(source: Source, found: Iterable[Descriptor]) -> dict[Digest, dict[int, State]]:
    """Return whether content is here, by digest and by size."""
    states: dict[Digest, dict[int, State]] = {}
    if isinstance(source, Layout | Archive):
        for descriptor in found:
            states.setdefault(descriptor.digest, {})[descriptor.size] = state_of(source, descriptor)
    return states


def reached(roots: Iterable[Root], nodes: dict[Digest, Node]) -> list[Node]:
    """Return the nodes that some roots reach, parents before their parts."""
    begun = [root.descriptor for root in roots if root.descriptor is not None]
    pending = begun[::-1]
    found: dict[Digest, Node] = {}
    while pending:
        digest = pending.pop().digest
        if digest not in found:
            found[digest] = nodes[digest]
            pending.extend(reversed(nodes[digest].parts))
    return list(found.values())


def draw(roots: Iterable[Root], nodes: dict[Digest, Node], *, plain: bool) -> Iterator[Line]:
    """Give the lines of a drawing.

    Args:
        roots: What is drawn, in order.
        nodes: What they reach.
        plain: Whether to do with ASCII.
    """
    fork, corner, through, gap = _ASCII if plain else _LINES
    drawn: set[Digest] = set()
    for root in roots:
        name = printable(root.label)
        if root.descriptor is None:
            yield Line(guide="", name=name, text=printable(root.error), marks=("unreadable",))
            continue
        pending = [("", "", name, root.descriptor, "")]
        while pending:
            guide, below, name, descriptor, role = pending.pop()
            node = nodes[descriptor.digest]
            again = bool(node.parts) and descriptor.digest in drawn
            drawn.add(descriptor.digest)
            yield Line(
                guide=guide,
                name=name,
                text=_text(descriptor, node, role or node.kind),
                marks=_marks(descriptor, node, again=again),
            )
            parts = () if again else node.parts
            for position, part in reversed(list(enumerate(parts))):
                connector, next_below = (
                    (corner, gap) if position == len(parts) - 1 else (fork, through)
                )
                role = _role(node, position, part)
                pending.append((below + connector, below + next_below, "", part, role))


def _role(parent: Node, position: int, part: Descriptor) -> str:
    media_type = parent.descriptor.media_type
    if media_type in SCHEMA1_TYPES:
        return "layer"
    if media_type not in MANIFEST_TYPES:
        return kind_of(part)
    return "layer" if position else "config"


def _text(descriptor: Descriptor, node: Node, role: str) -> str:
    said = [role, short(descriptor.digest), size_text(descriptor.size)]
    said.append(platform_text(descriptor.platform))
    said.append(descriptor.annotations.get(TITLE, ""))
    said.append(node.artifact_type or "")
    if kind_of(descriptor) == "blob":
        said.append(descriptor.media_type)
    if node.subject is not None:
        said.append(f"about {short(node.subject.digest)}")
    return printable("  ".join(part for part in said if part))


def _marks(descriptor: Descriptor, node: Node, *, again: bool) -> tuple[Mark, ...]:
    state = node.states.get(descriptor.size)
    marks: list[tuple[bool, Mark]] = [
        (node.here is False and not descriptor.urls, "missing"),
        (node.here is False and bool(descriptor.urls), "elsewhere"),
        (state == "wrong size", "wrong size"),
        (bool(node.error), "unreadable"),
        (node.shared, "shared"),
        (again, "drawn above"),
    ]
    return tuple(mark for holds, mark in marks if holds)


_LINES: Final = ("├── ", "└── ", "│   ", "    ")
_ASCII: Final = ("|-- ", "`-- ", "|   ", "    ")
