"""Trees: what content is made of, as a graph for programs and as lines for people.

Content that is reached twice is one node. In the lines its parts are drawn once, where it comes
first. Nothing here recurses, so documents may be nested to any depth. No layer is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import evolve, frozen

from ocilayout.cli.terminal import content_data, one_line, printable, short, size_text
from ocilayout.errors import BlobNotFoundError, OciLayoutError
from ocilayout.layout import View, in_any_size
from ocilayout.model import (
    DEFAULT_LIMITS,
    DOCKER_CONFIG,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_CONFIG,
    SCHEMA1_TYPES,
    TITLE,
    Budget,
    Descriptor,
    Document,
    Limits,
    Manifest,
    successors,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.cli.operand import Root, Source
    from ocilayout.model import Digest, Platform

IMAGE_CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})

_ENTRY: Final = 16 * 1024
"""What the document of an entry may have besides what the limits allow, in bytes."""

_UNKNOWN: Final = "unknown"  # the platform that BuildKit gives to attestations
_LINES: Final = ("├── ", "└── ", "│   ", "    ")
_ASCII: Final = ("|-- ", "`-- ", "|   ", "    ")

Kind = Literal["manifest", "index", "blob"]
Mark = Literal["missing", "elsewhere", "wrong size", "shared", "unreadable", "drawn above"]
State = Literal["here", "missing", "elsewhere", "wrong size"]


@frozen(kw_only=True)
class Node:
    """Content of a graph.

    Attributes:
        descriptor: The first descriptor of it on the walk.
        document: What was read, if it is a manifest or an index.
        states: For each size that a descriptor gives it, whether it is in the source in that size;
            empty for registries, which are not asked.
        shared: Whether more than one entry or document refers to it.
        error: Why it could not be read, or empty.
    """

    descriptor: Descriptor
    document: Document | None
    states: dict[int, State]
    shared: bool
    error: str

    @property
    def kind(self) -> Kind:
        """What it is, by its descriptor."""
        return kind_of(self.descriptor)

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """What it is made of, in document order."""
        return () if self.document is None else successors(self.document)

    @property
    def subject(self) -> Descriptor | None:
        """Its subject, if it has one."""
        return None if self.document is None else self.document.subject

    @property
    def artifact_type(self) -> str | None:
        """The type of an artifact; `None` for an image, and where the document does not tell.

        Spec: manifest:artifact-type-fallback.
        """
        document = self.document
        if not isinstance(document, Manifest) or document.artifact_type is not None:
            return None if document is None else document.artifact_type
        config = document.config.media_type
        return None if config in IMAGE_CONFIGS else config

    @property
    def here(self) -> bool | None:
        """Whether the source has it, in any size; `None` for registries, which are not asked."""
        absent = ("missing", "elsewhere")
        return self.states.get(self.descriptor.size) not in absent if self.states else None

    @property
    def wrong_size(self) -> bool | None:
        """Whether a descriptor gives it another size than it has; `None` as for `here`."""
        return "wrong size" in self.states.values() if self.states else None

    def data(self) -> dict[str, object]:
        """Return the node for programs."""
        return {
            **content_data(self.descriptor),
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
        guide: The lines of the drawing before it.
        name: The name of an entry; empty on lines below one.
        text: What the content is.
        marks: Its marks.
    """

    guide: str
    name: str
    text: str
    marks: tuple[Mark, ...]


def graph_of(
    source: Source,
    entries: Iterable[Root],
    begin: Iterable[Root] = (),
    *,
    limits: Limits | None = None,
    of: str = "what is drawn",
) -> dict[Digest, Node]:
    """Return all content that is reached, by its digest, parents before their parts.

    Args:
        source: Where it is.
        entries: Roots that count as referring to their content.
        begin: Roots that do not.
        limits: How large and how many the documents may be; by default as usual, and one more for
            each root. Beyond them nothing is read, and the nodes say so.
        of: What the documents belong to, for messages.

    Raises:
        OSError: The file system failed.
    """
    documents: dict[Digest, Document] = {}
    errors: dict[Digest, str] = {}
    leading: dict[Digest, set[object]] = {}

    def read(descriptor: Descriptor) -> Document | None:
        try:
            if isinstance(source, View):
                # In a layout a descriptor of a wrong size is told, and its content shown.
                document = in_any_size(budget.read_if_there, descriptor, source.blobs)
            else:
                document = budget.read_if_there(descriptor)
        except (OciLayoutError, OSError) as error:  # a blob of its own may not be readable
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
    if limits is None:
        # A layout may have any number of entries, and each has a document.
        limits = evolve(
            DEFAULT_LIMITS,
            documents=DEFAULT_LIMITS.documents + len(begun),
            total=DEFAULT_LIMITS.total + _ENTRY * len(begun),
        )
    budget = Budget(source.blobs.read, limits=limits, of=of, size=source.blobs.size)
    contents = list(walk(begun, read))
    states = _states(source, contents)
    # The first descriptor of each digest is the one of its node.
    first = {descriptor.digest: descriptor for descriptor in reversed(contents)}
    return {
        digest: Node(
            descriptor=first[digest],
            document=documents.get(digest),
            states=states.get(digest, {}),
            shared=len(leading.get(digest, ())) > 1,
            error=errors.get(digest, ""),
        )
        for digest in dict.fromkeys(descriptor.digest for descriptor in contents)
    }


def _states(source: Source, contents: Iterable[Descriptor]) -> dict[Digest, dict[int, State]]:
    """Return whether a layout or an archive has content, by digest and by size."""
    states: dict[Digest, dict[int, State]] = {}
    if not isinstance(source, View):
        return states
    for descriptor in contents:
        state: State
        try:
            size = source.blobs.size(descriptor.digest)
            state = "here" if size == descriptor.size else "wrong size"
        except BlobNotFoundError:
            state = "elsewhere" if descriptor.urls else "missing"
            if descriptor.data is not None:
                state = "here"
        states.setdefault(descriptor.digest, {})[descriptor.size] = state
    return states


def kind_of(descriptor: Descriptor) -> Kind:
    """Return the kind of content by its media type."""
    if descriptor.media_type not in DOCUMENT_TYPES:
        return "blob"
    return "index" if descriptor.media_type in INDEX_TYPES else "manifest"


def platform_text(platform: Platform | None) -> str:
    """Return a platform such as `linux/arm64`; empty for `None`, and that of an attestation."""
    if platform is None or platform.os == platform.architecture == _UNKNOWN:
        return ""
    return str(platform)


def reached(roots: Iterable[Root], nodes: dict[Digest, Node]) -> list[Node]:
    """Return the nodes that some roots reach, parents before their parts."""
    pending = [root.descriptor for root in roots if root.descriptor is not None][::-1]
    seen: dict[Digest, Node] = {}
    while pending:
        digest = pending.pop().digest
        if digest not in seen:
            seen[digest] = nodes[digest]
            pending.extend(reversed(nodes[digest].parts))
    return list(seen.values())


def draw(roots: Iterable[Root], nodes: dict[Digest, Node], *, plain: bool) -> Iterator[Line]:
    """Give the lines of a drawing; a plain one is in ASCII."""
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
    parts = [
        role,
        short(descriptor.digest),
        size_text(descriptor.size),
        platform_text(descriptor.platform),
        descriptor.annotations.get(TITLE, ""),
        node.artifact_type or "",
        descriptor.media_type if kind_of(descriptor) == "blob" else "",
        "" if node.subject is None else f"about {short(node.subject.digest)}",
    ]
    return printable("  ".join(part for part in parts if part))


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
