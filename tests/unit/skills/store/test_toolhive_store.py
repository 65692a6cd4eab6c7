"""One store, two programs: what ToolHive relies on stays true after everything that is done here.

ToolHive's side is played by a small program that opens, reads and rewrites a store as that one
does: it reads `index.json` once, keeps it in memory, and saves all of it in place. The six rules
are those that a second writer of its store must follow.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, REF_NAME, Layout
from ocilayout.model.mediatype import OCTET_STREAM
from ocilayout.testing.registry import LoopbackRegistry
from skills import LOCAL_BUILD, NotALocalBuildError, SkillService, package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VECTORS = Path(__file__).parents[3] / "vectors" / "toolhive"
ANSWERS: dict[str, Any] = json.loads((VECTORS / "stores.json").read_text())
SKILL = "dev.toolhive.skills.v1"
Entry = dict[str, Any]


class ToolHive:
    """A process that has a store open, as ToolHive has it."""

    def __init__(self, path: Path) -> None:
        """Open a store; a file that would keep ToolHive from starting fails here."""
        self.path = path
        assert json.loads((path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        index = json.loads((path / "index.json").read_bytes())
        assert index["schemaVersion"] == 2
        self.tags: dict[str, Entry] = {}
        self.known: dict[str, Entry] = {}
        for entry in index.get("manifests") or []:
            self._load(entry)
            annotations = dict(entry.get("annotations") or {})
            name = annotations.pop(REF_NAME, "")
            plain = {key: value for key, value in entry.items() if key != "annotations"}
            if annotations:
                plain["annotations"] = annotations
            self.known[entry["digest"]] = plain
            if name:
                self.tags[name] = plain

    def _load(self, entry: Entry) -> None:
        """Read a manifest into the graph: a missing one is ignored, a damaged one is an error."""
        if entry["mediaType"] not in {OCI_INDEX, OCI_MANIFEST} or not self.has(entry["digest"]):
            return
        data = self.read(entry["digest"])
        assert len(data) == entry["size"]
        assert hashlib.sha256(data).hexdigest() == entry["digest"].removeprefix("sha256:")
        assert json.loads(data).get("mediaType", entry["mediaType"]) == entry["mediaType"]

    def blob(self, digest: str) -> Path:
        return self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.blob(digest).exists()

    def read(self, digest: str) -> bytes:
        return self.blob(digest).read_bytes()

    def save(self) -> None:
        """Rewrite the index from memory: in place, tagged entries first, in no order."""
        tagged = [
            {**entry, "annotations": {**entry.get("annotations", {}), REF_NAME: name}}
            for name, entry in self.tags.items()
        ]
        digests = {entry["digest"] for entry in tagged}
        untagged = [entry for digest, entry in self.known.items() if digest not in digests]
        random.Random(len(tagged)).shuffle(tagged)
        random.Random(len(untagged)).shuffle(untagged)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": tagged + untagged or None}
        (self.path / "index.json").write_text(json.dumps(index, separators=(",", ":")))

    def push(self, data: bytes, media_type: str) -> Entry:
        """Store a blob; a manifest that is new becomes an entry."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        entry = {"mediaType": media_type, "digest": digest, "size": len(data)}
        if not self.has(digest):
            (self.path / "ingest").mkdir(exist_ok=True)
            self.blob(digest).parent.mkdir(parents=True, exist_ok=True)
            self.blob(digest).write_bytes(data)
            self.blob(digest).chmod(0o444)
            if media_type in {OCI_INDEX, OCI_MANIFEST}:
                self.known[digest] = entry
                self.save()
        return entry

    def build(self, folder: Path, tag: str) -> str:
        """Package a skill with its own compressor, and tag it as a build."""
        packed = package(folder, epoch=0)
        layer = gzip.compress(gzip.decompress(packed.layer.data), compresslevel=1, mtime=0)
        old = packed.layer.descriptor
        digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        changes = [(old.digest, digest), (f'"size":{old.size}', f'"size":{len(layer)}')]
        self.push(layer, OCI_LAYER_GZIP)
        for descriptor, data in packed.blobs[1:]:
            text = data.decode()
            for before, after in changes:
                text = text.replace(before, after)
            pushed = self.push(text.encode(), descriptor.media_type)
            changes.append((descriptor.digest, pushed["digest"]))
        return self.tag(tag, pushed["digest"], {LOCAL_BUILD: "true"})

    def tag(self, name: str, digest: str, annotations: dict[str, str] | None = None) -> str:
        """Give a name; what is not an entry is of no known type, as its store answers."""
        entry = dict(self.known.get(digest) or {
            "mediaType": OCTET_STREAM, "digest": digest, "size": len(self.read(digest))
        })  # fmt: skip
        entry.pop("annotations", None)
        if annotations:
            entry["annotations"] = annotations
        self.tags[name] = self.known[digest] = entry
        self.save()
        return digest

    def delete(self, tag: str) -> None:
        """Delete a build: its entry, and every blob if no other name has the digest."""
        digest = self.tags.pop(tag)["digest"]
        self.save()
        if digest in {entry["digest"] for entry in self.tags.values()}:
            return
        for child in json.loads(self.read(digest))["manifests"]:
            manifest = json.loads(self.read(child["digest"]))
            for part in (manifest["config"], *manifest["layers"], child):
                self.blob(part["digest"]).unlink(missing_ok=True)
        self.blob(digest).unlink()

    def builds(self) -> list[str]:
        """List what was built here: marked, and a skill."""
        return sorted(
            name
            for name, entry in self.tags.items()
            if entry.get("annotations", {}).get(LOCAL_BUILD) == "true"
            and self.has(entry["digest"])
            and json.loads(self.read(entry["digest"])).get("artifactType") == SKILL
        )

    def describe(self, tag: str) -> tuple[str, list[str]]:
        """Read a skill as it does for a preview: its name, and its files."""
        root = json.loads(self.read(self.tags[tag]["digest"]))
        if root.get("mediaType") == OCI_INDEX:
            root = json.loads(self.read(root["manifests"][0]["digest"]))
        labels = json.loads(self.read(root["config"]["digest"]))["config"]["Labels"]
        assert root["layers"][0]["mediaType"] == OCI_LAYER_GZIP
        gzip.decompress(self.read(root["layers"][0]["digest"]))
        return labels["dev.toolhive.skills.name"], json.loads(labels["dev.toolhive.skills.files"])


class Shared:
    """A store that both programs use, and what was in it before."""

    def __init__(self, path: Path, reference: str) -> None:
        self.path = path
        self.reference = reference
        # What is forced onto the disk makes no difference here but of time.
        layout = Layout.open(path, durability="none", strict_names=False)
        self.service = SkillService(layout, home=path.parent / "home")
        self.index = json.loads((path / "index.json").read_bytes())
        self.blobs = self.content()

    def skill(self, name: str, text: str = "x") -> Path:
        folder = self.path.parent / f"skills-{text}" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: {text}\n---\n")
        return folder

    def content(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in (self.path / "blobs").rglob("*")
            if path.is_file()
        }

    def require_rules(self) -> ToolHive:
        """Require what ToolHive relies on, and return a process that opened the store."""
        raw = (self.path / "index.json").read_bytes()
        entries: list[Entry] = json.loads(raw)["manifests"] or []
        # 1 and 6: it opens, with every manifest whole.
        found = ToolHive(self.path)
        # 2: removed entries are gone.
        digests = {entry["digest"] for entry in entries}
        for entry in self.index["manifests"] or []:
            if entry["digest"] not in digests:
                assert not found.has(entry["digest"]), entry
        # 4: every tag can be read.
        for name, entry in found.tags.items():
            if found.has(entry["digest"]) and entry["mediaType"] == OCI_INDEX:
                found.describe(name)
        # 5: types and sizes are those of the blobs, and no blob was changed.
        for entry in entries:
            if found.has(entry["digest"]):
                assert found.blob(entry["digest"]).stat().st_size == entry["size"]
        now = self.content()
        assert {name: now[name] for name in self.blobs.keys() & now.keys()} == {
            name: data for name, data in self.blobs.items() if name in now
        }
        # Entries that were not changed are the same.
        named = {entry["digest"] for entry in found.tags.values()}
        for entry in self.index["manifests"] or []:
            unnamed = REF_NAME not in (entry.get("annotations") or {})
            if unnamed and entry["digest"] in digests:
                assert entry in entries or entry["digest"] in named
        return found


def build(shared: Shared) -> None:
    shared.service.build(shared.skill("mine"))


def build_again(shared: Shared) -> None:
    build(shared)
    shared.service.build(shared.skill("mine", "y"))


def build_twice(shared: Shared) -> None:
    build(shared)
    shared.service.build(shared.skill("mine"), tag="ghcr.io/org/mine:v1")
    shared.service.delete_build("mine")


def pull(shared: Shared) -> None:
    shared.service.pull(shared.reference)


def preview(shared: Shared) -> None:
    shared.service.get_content(shared.reference)
    shared.service.get_content(shared.reference, refresh=True)


def install(shared: Shared) -> None:
    shared.service.install(shared.reference, clients=["codex"])


def remove_cached(shared: Shared) -> None:
    pull(shared)
    shared.service.remove_cached(shared.reference)


def prune(shared: Shared) -> None:
    pull(shared)
    shared.service.prune_cache()


def delete_all(shared: Shared) -> None:
    for found in shared.service.list_builds():
        shared.service.delete_build(found.tag)


def adopt(shared: Shared) -> None:
    pull(shared)
    shared.service.adopt(shared.reference)


def collect(shared: Shared) -> None:
    delete_all(shared)
    shared.service.layout.collect(untagged="keep")


OPERATIONS: list[Callable[[Shared], None]] = [
    build, build_again, build_twice, pull, preview, install, remove_cached, prune, delete_all,
    adopt, collect,
]  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a skill that can be pulled."""
    folder = tmp_path_factory.mktemp("origin")
    with LoopbackRegistry() as registry:
        name = f"{registry.host}/team/remote:v1"
        origin = SkillService.open(folder / "store")
        origin.build(skill_of(folder / "store", "remote"), tag=name)
        origin.push(name)
        yield name


def recorded(name: str) -> Callable[[Path], None]:
    """Return what makes a copy of a store that ToolHive left."""

    def make(path: Path) -> None:
        shutil.copytree(VECTORS / "stores" / name, path, dirs_exist_ok=True)

    return make


def empty(path: Path) -> None:
    """Make a store as ToolHive does at its first start."""
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    (path / "index.json").write_text(json.dumps(index))


def skill_of(path: Path, name: str, text: str = "x") -> Path:
    folder = path.parent / f"skills-{text}" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: {text}\n---\n")
    return folder


def busy(path: Path) -> None:
    """Make a store with a history: builds, a build over a build, a delete, an old bare tag."""
    empty(path)
    process = ToolHive(path)
    process.build(skill_of(path, "one"), "one")
    process.build(skill_of(path, "two"), "ghcr.io/org/two:v1")
    digest = process.build(skill_of(path, "one", "newer"), "one")
    process.tag("latest", digest)  # as versions before the mark left it
    process.build(skill_of(path, "three"), "three")
    process.delete("three")


STORES = {**{name: recorded(name) for name in sorted(ANSWERS)}, "empty": empty, "busy": busy}


@pytest.fixture(params=STORES)
def shared(request: pytest.FixtureRequest, tmp_path: Path, reference: str) -> Shared:
    path = tmp_path / "store"
    path.mkdir()
    STORES[request.param](path)
    (path / "blobs").mkdir(exist_ok=True)
    return Shared(path, reference)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda item: item.__name__)
def test_toolhive_can_use_the_store_afterwards(
    shared: Shared, operation: Callable[[Shared], None]
) -> None:
    """After every change to its store, ToolHive opens, reads and lists it as we do."""
    operation(shared)
    process = shared.require_rules()
    assert process.builds() == [build.tag for build in shared.service.list_builds()]
    for tag in process.builds():
        assert process.describe(tag)[0] == next(
            build.name for build in shared.service.list_builds() if build.tag == tag
        )
    # And it goes on: what it builds then is listed by both, under its right type.
    theirs = process.build(shared.skill("theirs"), "theirs")
    assert process.tags["theirs"]["mediaType"] == OCI_INDEX
    assert {build.tag: build.digest for build in shared.service.list_builds()}["theirs"] == theirs
    shared.service.delete_build("theirs")
    assert "theirs" not in ToolHive(shared.path).tags


@pytest.mark.parametrize("store", sorted(ANSWERS))
def test_the_double_of_toolhive_gives_its_answers(store: str) -> None:
    """On the stores that ToolHive left, it lists what ToolHive listed."""
    process = ToolHive(VECTORS / "stores" / store)
    assert {name: entry["digest"] for name, entry in process.tags.items()} == (
        ANSWERS[store]["tags"]
    )
    assert process.builds() == ANSWERS[store]["builds"]


def test_a_stale_process_that_saves_loses_nothing_but_names(shared: Shared) -> None:
    """A process that was running overwrites the index; building again brings the name back."""
    stale = ToolHive(shared.path)
    before = [found.tag for found in shared.service.list_builds()]
    built = shared.service.build(shared.skill("mine"))
    stale.tag("other", next(iter(stale.known), built.digest))
    assert [found.tag for found in shared.service.list_builds()] == before
    assert built.digest in shared.service.layout.blobs
    times = shared.service.layout.blobs.path(built.digest).stat().st_ino
    assert shared.service.build(shared.skill("mine")) == built
    assert shared.service.layout.blobs.path(built.digest).stat().st_ino == times
    assert "mine" in [found.tag for found in shared.service.list_builds()]
    ToolHive(shared.path)


def test_the_index_is_never_written_in_place(shared: Shared) -> None:
    """A program that has it open while we write reads the whole old document."""
    raw = (shared.path / "index.json").read_bytes()
    with (shared.path / "index.json").open("rb") as reader:
        shared.service.build(shared.skill("mine"))
        assert reader.read() == raw
    assert json.loads((shared.path / "index.json").read_bytes())["manifests"]


def test_content_that_loses_its_tag_keeps_an_entry(shared: Shared) -> None:
    """Old content stays as an untagged entry with its media type, by which ToolHive can tag it."""
    first = shared.service.build(shared.skill("mine"))
    shared.service.build(shared.skill("mine", "y"))
    process = shared.require_rules()
    assert process.known[first.digest]["mediaType"] == OCI_INDEX
    assert process.tag("again", first.digest) == first.digest
    assert process.tags["again"]["mediaType"] == OCI_INDEX


def test_a_mark_without_a_tag_is_ignored(tmp_path: Path, reference: str) -> None:
    """ToolHive leaves it on entries without names; it is neither listed nor deleted by it."""
    path = tmp_path / "store"
    path.mkdir()
    busy(path)
    shared = Shared(path, reference)
    marked = [
        entry
        for entry in shared.index["manifests"]
        if LOCAL_BUILD in (entry.get("annotations") or {}) and REF_NAME not in entry["annotations"]
    ]
    assert marked
    assert [found.tag for found in shared.service.list_builds()] == ["ghcr.io/org/two:v1", "one"]
    for entry in marked:
        with pytest.raises(NotALocalBuildError):
            shared.service.delete_build(entry["digest"])


def test_an_old_bare_tag_is_hidden_until_it_is_adopted(tmp_path: Path, reference: str) -> None:
    """A name without a mark is not a local build; it is in the cache, and not pruned by age."""
    path = tmp_path / "store"
    path.mkdir()
    busy(path)
    shared = Shared(path, reference)
    assert "latest" in [skill.reference for skill in shared.service.list_cache()]
    assert shared.service.prune_cache() == []
    shared.service.adopt("latest")
    assert "latest" in ToolHive(path).builds()
