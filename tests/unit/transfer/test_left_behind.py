"""A copy reports the content that it leaves behind, and makes no needless request to find it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ocilayout import Layout, copy, copy_all
from ocilayout.archive import write_archive
from ocilayout.cli import main
from ocilayout.errors import RegistryError
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from ocilayout.transfer.left_behind import LeftBehind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocilayout.transfer.event import Event

UNKNOWN = "application/vnd.example.thing.v1+json"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "a", durability="none")


def thing(layout: Layout, *named: Descriptor, media_type: str = UNKNOWN) -> Descriptor:
    """Store a document of an unknown type that names content."""
    document = {"anything": [descriptor.digest for descriptor in named]}
    return layout.blobs.put(json.dumps(document).encode(), media_type=media_type)


def manifest(layout: Layout, *layers: Descriptor, **unknown: Any) -> Descriptor:
    """Store a manifest of some layers, with unknown properties."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "a/b",
        "config": {"mediaType": OCI_EMPTY, "digest": config.digest, "size": 2},
        "layers": [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
            for layer in layers
        ],
        **unknown,
    }
    return layout.put_manifest(json.dumps(document).encode())


def left(events: list[Event]) -> dict[Digest, tuple[Digest, ...]]:
    return {event.descriptor.digest: event.digests for event in events if event.kind == "left"}


def copied(source: Any, target: Layout) -> dict[Digest, tuple[Digest, ...]]:
    events: list[Event] = []
    copy(source, "v1", target, on_event=events.append)
    return left(events)


def archived(source: Layout, target: Layout) -> dict[Digest, tuple[Digest, ...]]:
    events: list[Event] = []
    with (target.path / "archive.tar").open("wb") as file:
        write_archive(source, ["v1"], file, on_event=events.append)
    return left(events)


@pytest.fixture(params=[copied, archived])
def bring(
    request: pytest.FixtureRequest, tmp_path: Path, layout: Layout
) -> Callable[[], dict[Digest, tuple[Digest, ...]]]:
    """Return a function that copies `v1` and returns what was left behind."""
    target = Layout.create(tmp_path / "b", durability="none")
    return lambda: request.param(layout, target)


def put(layout: Layout, data: bytes) -> Descriptor:
    return layout.blobs.put(data, media_type="text/plain")


@pytest.mark.spec("media-types:unknown")
class TestSaid:
    def test_what_a_layer_of_an_unknown_type_names(self, layout: Layout, bring: Any) -> None:
        one, two = sorted([put(layout, b"1"), put(layout, b"2")], key=lambda one: one.digest)
        document = thing(layout, two, one, Descriptor.of(b"absent", OCI_LAYER))
        layout.tag("v1", manifest(layout, document))
        assert bring() == {document.digest: (one.digest, two.digest)}

    def test_what_an_unknown_property_names(self, layout: Layout, bring: Any) -> None:
        root = manifest(layout, **{"com.example": {"sha256": put(layout, b"1").digest.encoded}})
        layout.tag("v1", root)
        assert bring() == {root.digest: (Digest.of(b"1"),)}

    def test_what_a_root_of_an_unknown_type_names(self, layout: Layout, bring: Any) -> None:
        root = thing(layout, put(layout, b"1"))
        layout.tag("v1", root)
        assert bring() == {root.digest: (Digest.of(b"1"),)}

    def test_what_begins_as_json_or_says_that_it_is(self, layout: Layout, bring: Any) -> None:
        """Other text is not searched."""
        digest = put(layout, b"1").digest
        parts = [
            layout.blobs.put(f"{begin}{digest}".encode(), media_type=media_type)
            for begin, media_type in (
                ("[", "text/x"), (" \n{", "text/x"), ("", "a/json"), ("", "a/b+json"),
                ("# ", "text/x"), ("", "text/x"), ("{", OCI_LAYER),
            )
        ]  # fmt: skip
        layout.tag("v1", manifest(layout, *parts))
        assert bring() == {part.digest: (digest,) for part in parts[:4]}

    def test_no_more_than_a_thousand_are_looked_for(self, layout: Layout) -> None:
        document = thing(layout, *(Descriptor.of(b"%d" % n, OCI_LAYER) for n in range(1500)))
        asked: list[object] = []

        class Everything:
            def __contains__(self, digest: object) -> bool:
                asked.append(digest)
                return True

        behind = LeftBehind()
        behind.note([document], {}, layout.blobs.open)
        (event,) = behind.events(Everything())
        assert len(event.digests) == len(asked) == 1000

    @pytest.mark.parametrize(("remote", "most"), [(True, 50), (False, 10_000)])
    def test_no_more_are_looked_for_in_a_copy_of_many_documents(
        self, layout: Layout, *, remote: bool, most: int
    ) -> None:
        """The number of digests that are looked up is limited for the whole copy."""
        kinds = [
            thing(layout, *(Descriptor.of(b"%d %d" % (one, n), OCI_LAYER) for n in range(900)))
            for one in range(12)
        ]
        asked: list[object] = []

        class Everything:
            def __contains__(self, digest: object) -> bool:
                asked.append(digest)
                return True

        behind = LeftBehind(remote=remote)
        behind.note(kinds, {}, layout.blobs.open)
        told = [digest for event in behind.events(Everything()) for digest in event.digests]
        assert told == asked
        assert len(told) == most


class TestNotSaid:
    def test_where_all_that_is_named_was_copied(self, layout: Layout, bring: Any) -> None:
        one = put(layout, b"1")
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        layout.tag("v1", manifest(layout, one, thing(layout, one, config), x=one.digest))
        assert bring() == {}

    def test_where_it_is_not_in_the_source(self, layout: Layout, bring: Any) -> None:
        absent = Descriptor.of(b"absent", OCI_LAYER)
        layout.tag("v1", manifest(layout, thing(layout, absent), x=absent.digest))
        assert bring() == {}

    def test_of_what_is_understood(self, layout: Layout, bring: Any) -> None:
        """Annotations and layers of known types are not searched."""
        one = put(layout, b"1")
        layer = thing(layout, one, media_type=OCI_LAYER)
        layout.tag("v1", manifest(layout, layer, annotations={"com.example.x": one.digest}))
        assert bring() == {}

    def test_by_a_source_that_fails(self, layout: Layout) -> None:
        """The content is copied by then, so the copy does not fail."""
        document = thing(layout, put(layout, b"1"))

        class Broken:
            def __contains__(self, _: object) -> bool:
                raise RegistryError("503", status=503)

        behind = LeftBehind()
        behind.note([document], {}, layout.blobs.open)
        assert list(behind.events(Broken())) == []
        assert len(list(behind.events(layout.blobs))) == 1

    def test_of_content_that_only_its_urls_lead_to(self, layout: Layout) -> None:
        behind = LeftBehind()
        behind.note([Descriptor.of(b"absent", UNKNOWN)], {}, layout.blobs.open)
        assert list(behind.events(layout.blobs)) == []


class TestRegistry:
    def test_it_is_asked_once_for_what_is_named_and_for_nothing_else(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        one, absent = put(layout, b"1"), Descriptor.of(b"absent", OCI_LAYER)
        roots = [manifest(layout, x=[one.digest, absent.digest], n=number) for number in range(2)]
        plain = manifest(layout, put(layout, b"2"))
        with LoopbackRegistry() as registry:
            repository = Repository(f"{registry.host}/repo")
            for name, root in (("v1", roots[0]), ("v2", roots[1]), ("plain", plain)):
                layout.tag(name, root)
                copy(layout, name, repository)
            repository.blobs.put(b"1", media_type="text/plain")
            target = Layout.create(tmp_path / "b", durability="none")
            assert copied(repository, target) == {roots[0].digest: (one.digest,)}
            before = len(heads(registry))
            copy(repository, "plain", target)
            assert heads(registry)[before:] == []

    def test_the_requests_of_a_copy_are_bounded_whatever_its_documents_name(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        with LoopbackRegistry() as registry:
            repository = Repository(f"{registry.host}/repo")
            for number in range(3):
                absent = [Digest.of(b"%d %d" % (number, n)) for n in range(100)]
                layout.tag(f"v{number}", manifest(layout, x=absent))
            copy_all(layout, None, repository)
            before = len(heads(registry))
            copy_all(repository, None, Layout.create(tmp_path / "b", durability="none"))
            assert len(heads(registry)) - before == 50
            before = len(heads(registry))
            write_archive(repository, None, tmp_path / "b.tar")
            assert len(heads(registry)) - before <= 51  # and its config


def heads(registry: LoopbackRegistry) -> list[str]:
    return [
        request.path for request in registry.requests
        if request.method == "HEAD" and "/blobs/" in request.path
    ]  # fmt: skip


class TestCommand:
    """`cp` reports it on standard error, so that its answer stays the same."""

    @pytest.fixture
    def names(self, layout: Layout) -> list[str]:
        named = [put(layout, b"%d" % number) for number in range(5)]
        layout.tag("v1", thing(layout, *named))
        layout.tag("few", thing(layout, *named[:3]))
        layout.tag("none", named[0])
        return sorted(descriptor.digest for descriptor in named)

    @pytest.mark.parametrize("to", ["oci:b:v1", "oci-archive:b.tar:v1"])
    def test_a_line_lists_three_digests_and_counts_the_rest(
        self, layout: Layout, names: list[str], to: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(layout.path.parent)
        for more in ([], ["--json"]):
            done = CliRunner().invoke(main, ["cp", "oci:a:v1", to, *more])
            assert done.exit_code == 0, done.output
            (line,) = done.stderr.splitlines()
            root = layout.resolve("v1")
            assert line == (
                f"{root.digest} ({UNKNOWN}) names content that was not copied:"
                f" {', '.join(names[:3])}, 2 more; copy it by its digest if it is needed"
            )
            if more:
                json.loads(done.stdout)

    def test_of_few_all_are_listed_and_of_none_nothing_is_said(
        self, layout: Layout, names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(layout.path.parent)
        done = CliRunner().invoke(main, ["cp", "oci:a:few", "oci:b"])
        assert done.stderr.count("sha256:") == 4
        assert "more" not in done.stderr
        done = CliRunner().invoke(main, ["cp", "oci:a:none", "oci:b"])
        assert (done.exit_code, done.stderr) == (0, "")
        assert names


def note_at_entry(layout: Layout, ref: str, **properties: Any) -> None:
    """Write properties into the entry of a name or a digest."""
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    (digest,) = {entry.descriptor.digest for entry in layout.entries(name=ref)}
    for entry in document["manifests"]:
        if entry["digest"] == digest:
            entry.update(properties)
    path.write_text(json.dumps(document))


class TestEntries:
    @pytest.mark.parametrize("inside", [False, True])
    def test_what_an_unknown_property_of_the_entry_names_is_reported(
        self, layout: Layout, bring: Any, *, inside: bool
    ) -> None:
        """Garbage collection keeps it in the source, and a copy leaves it behind."""
        held = put(layout, b"1")
        root = manifest(layout)
        layout.tag("v1", root)
        unknown: dict[str, Any] = {"x": held.digest}
        if inside:
            unknown = {"platform": {"os": "linux", "architecture": "amd64", **unknown}}
        note_at_entry(layout, "v1", **unknown)
        assert bring() == {root.digest: (held.digest,)}

    @pytest.mark.parametrize("bring", [copy, write_archive])
    def test_what_the_entry_of_a_referrer_names_is_said(
        self, tmp_path: Path, layout: Layout, bring: Any
    ) -> None:
        held, root = put(layout, b"1"), manifest(layout)
        layout.tag("v1", root)
        subject = {"mediaType": OCI_MANIFEST, "digest": root.digest, "size": root.size}
        about = manifest(layout, subject=subject)
        with layout.edit() as edit:
            edit.add(about)
        note_at_entry(layout, about.digest, x=held.digest)
        events: list[Event] = []
        if bring is copy:
            target = Layout.create(tmp_path / "b", durability="none")
            copy(layout, "v1", target, referrers=True, on_event=events.append)
        else:
            file = tmp_path / "archive.tar"
            write_archive(layout, ["v1"], file, referrers=True, on_event=events.append)
        assert left(events) == {about.digest: (held.digest,)}


class TestThere:
    def test_what_the_target_has_was_not_left(self, tmp_path: Path, layout: Layout) -> None:
        here, absent = put(layout, b"1"), put(layout, b"2")
        root = manifest(layout, x=[here.digest, absent.digest])
        layout.tag("v1", root)
        target = Layout.create(tmp_path / "b", durability="none")
        put(target, b"1")
        assert copied(layout, target) == {root.digest: (absent.digest,)}

    def test_a_copy_within_a_layout_leaves_nothing(self, layout: Layout) -> None:
        layout.tag("v1", thing(layout, put(layout, b"1")))
        note_at_entry(layout, "v1", x=put(layout, b"2").digest)
        done = CliRunner().invoke(main, ["cp", f"oci:{layout.path}:v1", f"oci:{layout.path}:v2"])
        assert (done.exit_code, done.stderr) == (0, "")

    def test_a_registry_is_asked_for_blobs_and_manifests_and_not_for_many(
        self, layout: Layout
    ) -> None:
        blob, inner = put(layout, b"1"), manifest(layout)
        many = [put(layout, f"more {number}".encode()).digest for number in range(60)]
        root = manifest(layout, x=[blob.digest, inner.digest])
        layout.tag("v1", root)
        layout.tag("v2", manifest(layout, x=many))
        with LoopbackRegistry() as server, Repository(f"{server.host}/a") as repository:
            events: list[Event] = []
            copy(layout, "v1", repository, on_event=events.append)
            assert left(events) == {root.digest: tuple(sorted([blob.digest, inner.digest]))}
            copy(layout, inner.digest, repository)
            copy(layout, blob.digest, repository)
            events = []
            copy(layout, "v1", repository, on_event=events.append)
            assert left(events) == {}
            before = len(server.requests)
            copy(layout, "v2", repository, on_event=events.append)
            (digests,) = left(events).values()
            assert len(digests) == len(many)
            assert len(server.requests) - before < 2 * len(many)
