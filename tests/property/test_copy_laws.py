"""Laws of copies: the same graph arrives from any source, once, even after interruptions."""

from __future__ import annotations

import io
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocilayout import Event, copy
from ocilayout.archive import Archive, write_archive
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCUMENT_TYPES, OCI_EMPTY, OCI_LAYER
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from skills import LOCAL_BUILD
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.model.digest import Digest

Place = Layout | Archive | Repository


@frozen
class Graph:
    """Manifests of layers, indexes of manifests, and referrers of all of them.

    Attributes:
        manifests: For each manifest, the numbers of its layers.
        indexes: For each index, the numbers of its manifests and of earlier indexes.
        subjects: For each referrer, the number of its subject, which may be a referrer.
    """

    manifests: list[list[int]]
    indexes: list[list[int]]
    subjects: list[int]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Give graphs; a test copies the last index, or else the last manifest."""
    small = st.integers(0, 4)
    manifests = draw(st.lists(st.lists(small, max_size=3), min_size=1, max_size=4))
    indexes: list[list[int]] = []
    for _ in range(draw(st.integers(0, 2))):
        members = st.integers(0, len(manifests) + len(indexes) - 1)
        indexes.append(draw(st.lists(members, max_size=4)))
    subjects: list[int] = []
    for _ in range(draw(st.integers(0, 3))):
        subjects.append(draw(st.integers(0, len(manifests) + len(indexes) + len(subjects) - 1)))
    return Graph(manifests, indexes, subjects)


def build(layout: Layout, graph: Graph) -> Descriptor:
    """Store a graph, tag its root as `a` with annotations, and add entries for its referrers."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)

    def artifact(note: str, layers: list[int], subject: Descriptor | None = None) -> Descriptor:
        blobs = [layout.blobs.put(b"%d" % n * (n * 999), media_type=OCI_LAYER) for n in layers]
        return layout.put_manifest(
            Manifest(config=config, layers=blobs, subject=subject, annotations={"n": note})
        )

    nodes = [artifact(f"m{n}", layers) for n, layers in enumerate(graph.manifests)]
    for number, members in enumerate(graph.indexes):
        nodes.append(
            layout.put_manifest(
                Index(manifests=[nodes[m] for m in members], annotations={"n": f"i{number}"})
            )
        )
    root = nodes[-1]
    layout.tag("a", root, annotations={LOCAL_BUILD: "true"})
    for number, about in enumerate(graph.subjects):
        nodes.append(artifact(f"r{number}", [], nodes[about]))
        with layout.edit() as edit:
            edit.add(nodes[-1])
    return root


def expected(layout: Layout, root: Descriptor, *, referrers: bool) -> set[Digest]:
    """Return all content that a copy must bring, computed independently."""
    wanted: set[Digest] = set()
    pending = [root]
    entries = [entry.descriptor for entry in layout.entries()]
    while pending:
        one = pending.pop()
        if one.digest in wanted:
            continue
        wanted.add(one.digest)
        if one.media_type in (OCI_EMPTY, OCI_LAYER):
            continue
        document = layout.read_manifest(one)
        if isinstance(document, Index):
            pending.extend(document.manifests)
        elif isinstance(document, Manifest):
            pending.extend([document.config, *document.layers])
        if referrers:
            subjects = ((entry, layout.read_manifest(entry).subject) for entry in entries)
            pending.extend(
                entry for entry, about in subjects if about and about.digest == one.digest
            )
    return wanted


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def fresh(path: Path) -> Layout:
    return Layout.create(path, durability="none")


def whole(layout: Layout) -> dict[Digest, bytes]:
    """Return all blobs that the entries of a layout reach, each read and so verified."""
    return {
        found.digest: layout.blobs.read(found)
        for entry in layout.entries()
        for found in layout.walk(entry.descriptor)
    }


@pytest.mark.spec("considerations:no-change")
@given(graph=graphs(), referrers=st.booleans(), jobs=st.integers(1, 4))
def test_exactly_the_graph_arrives(graph: Graph, jobs: int, *, referrers: bool) -> None:
    """The content of the tag arrives, with its referrers if requested, and no more."""
    with folder() as path:
        source, target = fresh(path / "s"), fresh(path / "t")
        root = build(source, graph)
        assert copy(source, "a", target, referrers=referrers, jobs=jobs) == root
        assert set(target.blobs) == expected(source, root, referrers=referrers)
        assert set(whole(target)) == set(target.blobs)
        assert target.tags() == ("a",)
        assert all(not entry.annotations for entry in target.entries())


@given(graph=graphs(), referrers=st.booleans())
def test_a_second_copy_changes_nothing(graph: Graph, *, referrers: bool) -> None:
    """It skips everything, and changes no byte of the target."""
    with folder() as path:
        source, target = fresh(path / "s"), fresh(path / "t")
        build(source, graph)
        copy(source, "a", target, referrers=referrers)
        before = (target.path / "index.json").read_bytes(), whole(target)
        events: list[Event] = []
        copy(source, "a", target, referrers=referrers, on_event=events.append)
        assert {event.kind for event in events} == {"planned", "skipped"}
        assert ((target.path / "index.json").read_bytes(), whole(target)) == before


class _CutError(Exception):
    """The connection broke."""


@given(graph=graphs(), cuts=st.lists(st.integers(0, 40), max_size=4), jobs=st.integers(1, 3))
def test_a_copy_continues_where_it_was_cut(graph: Graph, cuts: list[int], jobs: int) -> None:
    """Blobs from before a cut are not copied again, and nothing is tagged before the end."""
    with folder() as path:
        source, target = fresh(path / "s"), fresh(path / "t")
        root = build(source, graph)
        named: tuple[str, ...] = ()
        for cut in cuts:
            there = set(target.blobs)
            started: list[Digest] = []
            steps = iter(range(cut))

            def stop(
                event: Event, started: list[Digest] = started, steps: Iterator[int] = steps
            ) -> None:
                if event.kind == "started":
                    started.append(event.descriptor.digest)
                if event.kind in ("bytes", "started") and next(steps, None) is None:
                    raise _CutError

            try:
                copy(source, "a", target, jobs=jobs, on_event=stop)
                named = ("a",)
            except _CutError:
                pass
            assert target.tags() == named
            assert not there & set(started)
            for digest in target.blobs:
                size = target.blobs.size(digest)
                target.blobs.read(Descriptor(media_type=OCI_LAYER, digest=digest, size=size))
        copy(source, "a", target, jobs=jobs)
        assert target.resolve("a") == root
        assert set(target.blobs) == expected(source, root, referrers=False)


@given(graph=graphs(), data=st.data())
def test_a_damaged_target_is_completed(graph: Graph, data: st.DataObject) -> None:
    """Missing and truncated blobs, and damaged manifests, are copied again; the rest stays."""
    with folder() as path:
        source, target = fresh(path / "s"), fresh(path / "t")
        root = build(source, graph)
        copy(source, "a", target)
        walked = list(source.walk(root))
        documents = {found.digest for found in walked if found.media_type in DOCUMENT_TYPES}
        for digest in sorted(data.draw(st.sets(st.sampled_from(sorted(target.blobs))))):
            blob = target.blobs.path(digest)
            how = data.draw(st.sampled_from(["missing", "short", "changed"]))
            content = blob.read_bytes()
            blob.unlink()
            if how == "short":
                blob.write_bytes(content[:-1] if content else b"more")
            elif how == "changed" and digest in documents and content:
                blob.write_bytes(b"?" * len(content))
        copy(source, "a", target)
        assert whole(target) == {found.digest: source.blobs.read(found) for found in walked}


ROUTES = ["layout", "archive", "repository"]


@pytest.fixture(scope="module")
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        yield running


@pytest.mark.parametrize("origin", ROUTES)
@pytest.mark.parametrize("way", ROUTES)
@pytest.mark.parametrize("referrers", [False, True])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(10, 5))
@given(graph=graphs(), number=st.uuids())
def test_every_route_brings_the_same(
    registry: LoopbackRegistry,
    origin: str,
    way: str,
    graph: Graph,
    number: object,
    *,
    referrers: bool,
) -> None:
    """From and through a layout, an archive or a repository, the same bytes arrive."""
    with folder() as path, ExitStack() as stack:
        made = fresh(path / "made")
        root = build(made, graph)

        def carried(source: Place, kind: str, name: str) -> Place:
            if kind == "archive":
                file = io.BytesIO()
                write_archive(source, ["a"], file, referrers=referrers)
                return stack.enter_context(Archive.open(io.BytesIO(file.getvalue())))
            target = (
                fresh(path / name)
                if kind == "layout"
                else stack.enter_context(Repository(f"{registry.host}/{name}-{number}"))
            )
            copy(source, "a", target, referrers=referrers)
            return target

        source = carried(made, origin, "one")
        target = fresh(path / "end")
        copy(carried(source, way, "two"), "a", target, referrers=referrers)
        assert target.resolve("a") == root
        assert set(target.blobs) == expected(made, root, referrers=referrers)
        assert set(whole(target)) == set(target.blobs)
        assert all(not entry.annotations for entry in target.entries())
