"""Laws of the graph: walks visit reachable content once, and end; a collection deletes the rest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocilayout.layout.garbage import only_reached
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.graph import successors, walk
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCUMENT_TYPES,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.model.retired import ArtifactManifest
from ocilayout.testing import strategies as own

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ocilayout.model.graph import Document

LAW = settings(deadline=None)  # no test asserts a time
COUNT = 5
DIGESTS = [Digest.of(bytes([number])) for number in range(COUNT)]
TYPES = (
    *(OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX, OCI_ARTIFACT, DOCKER_SCHEMA1),
    *(OCI_LAYER, "text/plain"),
)


@frozen
class Link:
    """A reference to a piece of content, opaque or as a document."""

    to: int
    media_type: str
    size: int = 1

    @property
    def opens(self) -> bool:
        return self.media_type in DOCUMENT_TYPES

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=self.media_type, digest=DIGESTS[self.to], size=self.size)


@frozen
class Node:
    """A document: its children and its subject."""

    links: tuple[Link, ...]
    subject: Link | None
    is_index: bool

    @property
    def document(self) -> Document:
        below = [link.descriptor for link in self.links]
        subject = None if self.subject is None else self.subject.descriptor
        if self.is_index:
            return Index(manifests=below, subject=subject)
        if len(below) != 1:
            return ArtifactManifest(blobs=below, subject=subject)
        return Manifest(config=below[0], layers=below[1:], subject=subject)


@frozen
class Graph:
    """Content by number; content without a node is a blob, or missing."""

    nodes: dict[int, Node]

    def read(self, descriptor: Descriptor) -> Document | None:
        assert descriptor.media_type in DOCUMENT_TYPES, "only documents may be read"
        node = self.nodes.get(DIGESTS.index(descriptor.digest))
        return None if node is None else node.document

    def below(self, number: int, *, subjects: bool) -> list[Link]:
        node = self.nodes.get(number)
        if node is None:
            return []
        return [*node.links, *([node.subject] if subjects and node.subject is not None else [])]

    def reach(self, roots: Iterable[Link], *, subjects: bool = False) -> set[int]:
        """Return all reachable numbers."""
        return {link.to for link in self.told(roots, subjects=subjects)}

    def told(self, roots: Iterable[Link], *, subjects: bool) -> set[Link]:
        """Return all references that can be reached from these."""
        seen = set(roots)
        while True:
            opened = {link.to for link in seen if link.opens}
            more = {new for number in opened for new in self.below(number, subjects=subjects)}
            if more <= seen:
                return seen
            seen |= more

    def opened(self, roots: Iterable[Link]) -> set[int]:
        """Return the content that is reached as a document; opaque content has no references."""
        opened: set[int] = set()
        pending = [link.to for link in roots if link.opens]
        while pending:
            number = pending.pop()
            if number not in opened:
                opened.add(number)
                pending += [link.to for link in self.below(number, subjects=False) if link.opens]
        return opened


@st.composite
def links(draw: st.DrawFn, least: int = 0) -> Link:
    return Link(
        draw(st.integers(least, COUNT - 1)),
        draw(st.sampled_from(TYPES)),
        draw(st.sampled_from([1, 1, 2])),
    )


@st.composite
def graphs(draw: st.DrawFn, *, cycles: bool = True) -> Graph:
    """Give graphs; without cycles, a document only refers to larger numbers."""
    nodes: dict[int, Node] = {}
    for number in range(COUNT if cycles else COUNT - 1):
        if draw(st.integers(0, 3)):
            link = links(0 if cycles else number + 1)
            nodes[number] = Node(
                tuple(draw(st.lists(link, max_size=3))),
                draw(st.none() | link),
                draw(st.booleans()),
            )
    return Graph(nodes)


ROOTS = st.lists(links(), max_size=3)


def walked(graph: Graph, roots: Iterable[Link], *, subjects: bool = False) -> list[int]:
    found = walk([root.descriptor for root in roots], graph.read, subjects=subjects)
    return [DIGESTS.index(descriptor.digest) for descriptor in found]


@pytest.mark.spec("image-layout:opaque-blobs")
class TestWalk:
    @LAW
    @given(graph=graphs(), roots=ROOTS, subjects=st.booleans())
    @example(  # first opaque, then a manifest: its children are visited all the same
        graph=Graph(
            {
                0: Node((Link(1, OCI_LAYER), Link(1, OCI_MANIFEST)), None, is_index=True),
                1: Node((Link(2, OCI_LAYER),), None, is_index=False),
            }
        ),
        roots=[Link(0, OCI_INDEX)],
        subjects=False,
    )
    def test_exactly_the_reachable_content_is_visited(
        self, *, graph: Graph, roots: list[Link], subjects: bool
    ) -> None:
        assert set(walked(graph, roots, subjects=subjects)) == graph.reach(roots, subjects=subjects)

    @LAW
    @given(graph=graphs(), roots=ROOTS, subjects=st.booleans())
    def test_each_digest_is_visited_once_a_size_and_read_once_at_most(
        self, *, graph: Graph, roots: list[Link], subjects: bool
    ) -> None:
        """A walk ends on any graph, also with cycles, and gives every size of every reference."""
        reads: Counter[Digest] = Counter()

        def read(descriptor: Descriptor) -> Document | None:
            reads[descriptor.digest] += 1
            return graph.read(descriptor)

        visits = Counter(
            (DIGESTS.index(descriptor.digest), descriptor.size)
            for descriptor in walk([root.descriptor for root in roots], read, subjects=subjects)
        )
        assert set(visits.values()) <= {1}
        told = {(link.to, link.size) for link in graph.told(roots, subjects=subjects)}
        assert visits.keys() == told
        assert set(reads.values()) <= {1}

    @LAW
    @given(graph=graphs(), roots=ROOTS, subjects=st.booleans())
    def test_visited_content_is_a_root_or_was_referred_to_before(
        self, *, graph: Graph, roots: list[Link], subjects: bool
    ) -> None:
        known = {root.to for root in roots}
        for number in walked(graph, roots, subjects=subjects):
            assert number in known
            known |= {link.to for link in graph.below(number, subjects=subjects)}

    @LAW
    @given(graphs(), ROOTS)
    def test_nothing_is_read_before_it_is_needed(self, graph: Graph, roots: list[Link]) -> None:
        """A walk that stops after the first item has read nothing."""

        def read(_: Descriptor) -> Document | None:
            raise AssertionError

        found = walk([root.descriptor for root in roots], read)
        assert next(found, None) == (roots[0].descriptor if roots else None)
        assert graph.reach([]) == set()


class TestSuccessors:
    @LAW
    @given(own.manifests() | own.indexes())
    def test_successors_are_the_listed_descriptors_in_order_without_the_subject(
        self, document: Manifest | Index
    ) -> None:
        expected = (
            document.manifests
            if isinstance(document, Index)
            else (document.config, *document.layers)
        )
        assert successors(document) == expected


def goes(graph: Graph, dropped: list[Link], kept: list[Link]) -> list[Digest]:
    """Return the content that is deleted with the dropped roots; the other roots hold theirs."""

    def hold(more: list[Descriptor], _: Collection[Digest]) -> set[Digest]:
        roots = [*(link.descriptor for link in kept), *more]
        return {found.digest for found in walk(roots, graph.read, subjects=True)}

    return only_reached([link.descriptor for link in dropped], graph.read, hold)


class TestOnlyReached:
    @LAW
    @given(graphs(), ROOTS, ROOTS)
    @example(  # the kept root refers to the dropped one
        Graph({0: Node((), Link(1, OCI_MANIFEST), is_index=True)}),
        [Link(1, OCI_MANIFEST)],
        [Link(0, OCI_INDEX)],
    )
    def test_exactly_the_content_that_no_kept_root_reaches_is_deleted(
        self, graph: Graph, dropped: list[Link], kept: list[Link]
    ) -> None:
        """A kept root holds its subject; a dropped one takes neither its subject nor its parts."""
        gone = goes(graph, dropped, kept)
        assert len(set(gone)) == len(gone)
        going = graph.reach(dropped)
        subjects = [
            node.subject
            for number in graph.opened(dropped)
            if (node := graph.nodes.get(number)) is not None
            and node.subject is not None
            and node.subject.to not in going
        ]
        live = graph.reach([*kept, *subjects], subjects=True)
        assert {DIGESTS.index(digest) for digest in gone} == going - live

    @LAW
    @given(graphs(cycles=False), ROOTS, ROOTS)
    @example(  # an index of a manifest and of another index that holds the same manifest
        Graph(
            {
                0: Node((Link(2, OCI_MANIFEST), Link(1, OCI_INDEX)), None, is_index=True),
                1: Node((Link(2, OCI_MANIFEST),), None, is_index=True),
            }
        ),
        [Link(0, OCI_INDEX)],
        [],
    )
    def test_no_content_is_deleted_before_a_document_that_holds_it(
        self, graph: Graph, dropped: list[Link], kept: list[Link]
    ) -> None:
        """A kill in between leaves no document without its parts."""
        gone = [DIGESTS.index(digest) for digest in goes(graph, dropped, kept)]
        for parent in set(gone) & graph.opened(dropped):
            for link in graph.below(parent, subjects=False):
                assert link.to not in gone[: gone.index(parent)]
