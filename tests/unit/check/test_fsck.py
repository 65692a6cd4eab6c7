"""The check of a layout: its order, its limits, and what it reads."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import threading
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.check import probe
from ocilayout.check.fsck import Holding, iter_problems
from ocilayout.check.survey import Survey
from ocilayout.errors import LimitExceededError
from ocilayout.layout import Layout
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from tests.unit.check.conftest import (
    ABSENT,
    CONFIG,
    STORES,
    TOP,
    UNKNOWN,
    Json,
    Store,
    as_user,
    place_of,
    seen,
)
from tests.unit.check.flaws import CASES, LEFTOVERS, leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.mark.spec("media-types:unknown")
def test_a_digest_in_an_unknown_property_counts_as_a_reference(store: Store) -> None:
    """A document of an unknown type, an unknown property, and what such documents name again."""
    inner = store.put(json.dumps({"x": store.put(b"far")["digest"]}).encode())
    outer = {"any": ["thing", {"sha256": inner["digest"].removeprefix("sha256:")}]}
    store.enter(store.put(json.dumps(outer).encode(), "application/vnd.example.v1+json"))
    store.enter(store.manifest(**{"com.example": store.put(b"near")["digest"]}), name="v2")
    store.enter(store.put(b"plain", "text/plain"), name="v3", extra=store.put(b"top")["digest"])
    assert seen(store.root) == []


@pytest.mark.spec("media-types:unknown")
def test_each_reference_to_content_counts_in_any_order(store: Store) -> None:
    """One of an unknown type, that says that it is JSON, beside others of other types."""
    document = store.put(b"// " + str(store.put(b"far")["digest"]).encode(), "text/plain")
    kinds = ["text/plain", "application/vnd.example.v1+json", OCI_LAYER, "a/b"]
    for order in (kinds, kinds[::-1]):
        store.index["manifests"] = [{**document, "mediaType": kind} for kind in order]
        store.save()
        assert "unreferenced-blob" not in {code for _, code, _ in seen(store.root)}


@pytest.mark.parametrize(
    ("media_type", "lists"),
    [
        ("application/vnd.oci.artifact.manifest.v1+json", "blobs"),
        ("application/vnd.cncf.oras.artifact.manifest.v1+json", "blobs"),
        ("application/vnd.docker.distribution.manifest.v1+json", "fsLayers"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "fsLayers"),
    ],
)
def test_a_manifest_of_a_retired_type_is_read(store: Store, media_type: str, lists: str) -> None:
    part = store.put(b"payload", "text/plain")
    document: Json = {"mediaType": media_type, "artifactType": "x/y", lists: [part]}
    if lists == "fsLayers":
        layers = [{"blobSum": part["digest"]}]
        document = {"schemaVersion": 1, "fsLayers": layers, "history": [{"v1Compatibility": "{}"}]}
    entry = store.enter(store.put(json.dumps(document).encode(), media_type))
    assert seen(store.root) == []
    store.path(part["digest"]).unlink()
    assert seen(store.root) == [("note", "missing-blob", place_of(part["digest"]))]
    store.path(entry["digest"]).write_bytes(b"{}")
    assert seen(store.root) == [("error", "digest-mismatch", place_of(entry["digest"]))]


def test_referrers_of_unlisted_referrers_are_unlisted_too(store: Store) -> None:
    """Each is reported after its subject, in whatever order their digests are."""
    subject = store.enter(store.manifest())
    chain = []
    for number in range(9):
        subject = store.manifest(subject=subject, artifactType=f"a/{number}")
        chain.append(("warning", "unlisted-referrer", place_of(subject["digest"])))
    lonely = store.manifest(subject={**subject, "digest": ABSENT}, artifactType="a/b")
    problems = seen(store.root)
    assert problems[:9] == chain
    assert problems[9:] == [("note", "unreferenced-blob", place_of(lonely["digest"]))]


def test_the_parts_of_an_unlisted_referrer_are_checked(store: Store) -> None:
    subject = store.enter(store.manifest())
    empty = {**store.put(b"{}", OCI_EMPTY), "size": 3}
    below = store.manifest(subject=subject, artifactType="a/b", layers=[empty])
    place = place_of(below["digest"])
    assert seen(store.root) == [
        ("warning", "unlisted-referrer", place),
        ("warning", "wrong-empty", f"{place}$.layers[0]"),
        ("error", "size-mismatch", f"{place}$.layers[0].size"),
    ]


def test_a_document_behind_a_link_is_read_if_it_is_right(store: Store, tmp_path: Path) -> None:
    """Its references count as references, and its problems are reported."""
    store.put(b"alone")
    manifest = store.enter(store.manifest(annotations={"x": "y"}))
    path = store.path(manifest["digest"])
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    codes = [code for _, code, _ in seen(store.root)]
    assert sorted(codes) == ["annotation-key-form", "irregular-blob", "unreferenced-blob"]
    (tmp_path / "elsewhere").write_bytes(b"{}")
    assert [code for _, code, _ in seen(store.root)] == ["irregular-blob"]


def test_a_new_layout_has_no_problems(tmp_path: Path) -> None:
    assert seen(Layout.create(tmp_path / "new").path) == []


def test_a_whole_store_has_no_problems(store: Store) -> None:
    empty = store.put(b"{}", OCI_EMPTY)
    image = store.enter(store.manifest(), platform={"os": "linux", "architecture": "arm64"})
    store.enter(store.manifest(config=empty, artifactType="a/b", subject=image), name=None)
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image]}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="list")
    (store.root / "index.json.lock").write_bytes(b"")
    (store.root / "manifest.json").write_bytes(b"[]")
    assert seen(store.root) == []


@pytest.mark.parametrize("name", ["built", "built-and-pulled", "pulled-only", "deleted"])
def test_the_stores_of_toolhive_have_no_errors(name: str) -> None:
    problems = seen(STORES / name)
    assert {severity for severity, _, _ in problems} == {"warning"}
    dangling = [place for _, code, place in problems if code == "dangling-entry"]
    assert len(dangling) == (3 if name == "deleted" else 0)
    assert {code for _, code, _ in problems} <= {"dangling-entry", "artifact-type-form"}


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_path_that_is_not_a_folder_is_an_os_error_at_once(tmp_path: Path, kind: str) -> None:
    if kind == "a file":
        (tmp_path / "x").write_bytes(b"")
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        iter_problems(tmp_path / "x")


def test_an_empty_folder_lacks_three_things(tmp_path: Path) -> None:
    codes = [code for _, code, _ in seen(tmp_path)]
    assert codes == ["missing-header", "missing-index", "missing-blobs-folder"]


def test_fewer_than_one_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs is 1 or more"):
        iter_problems(tmp_path, jobs=0)


def test_problems_are_reported_in_the_order_of_the_layout(store: Store) -> None:
    for case in (
        "leftover oci-put-blob123",
        "unreferenced-blob",
        "absent-subject",
        "name-form",
        "unsupported-version",
    ):
        CASES[case][2](store)
    assert [code for _, code, _ in seen(store.root)] == [
        "unsupported-version",
        "duplicate-name",
        "name-form",
        "absent-subject",
        "unreferenced-blob",
        "leftover",
    ]


def test_all_problems_of_an_entry_are_reported(store: Store) -> None:
    store.index["manifests"].append({"mediaType": "x", "digest": "y", "size": -1})
    store.save()
    assert {place for _, _, place in seen(store.root)} == {
        f"{TOP}.{name}" for name in ("mediaType", "digest", "size")
    }


def test_a_repeated_invalid_entry_is_reported_as_both(store: Store) -> None:
    descriptor = {**store.manifest(), "size": -1}
    store.enter(descriptor)
    store.enter(descriptor)
    assert [code for _, code, _ in seen(store.root)] == ["bad-size", "duplicate-entry", "bad-size"]


def test_a_mark_that_turns_a_name_into_a_pair_is_not_repeated_for_the_same_content(
    store: Store,
) -> None:
    descriptor = store.enter(store.manifest())
    store.enter(descriptor, annotations={"com.example.note": "x"})
    assert seen(store.root) == []


def test_a_digest_that_is_entry_subject_and_part_is_missing_in_each_role(store: Store) -> None:
    missing = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    document = {"schemaVersion": 2, "manifests": [missing, missing], "subject": missing}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="list")
    assert [code for _, code, _ in seen(store.root)] == ["missing-blob", "absent-subject"]
    document = {"schemaVersion": 2, "manifests": [], "subject": missing}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="referrer")
    store.enter(missing, name="top")
    assert [code for _, code, _ in seen(store.root)] == [
        "dangling-name",
        "absent-subject",
        "absent-subject",
    ]


def test_documents_that_refer_to_each_other_are_read_once(store: Store) -> None:
    digest = UNKNOWN
    itself = {"mediaType": OCI_INDEX, "digest": digest, "size": 0}
    document: dict[str, Json] = {"schemaVersion": 2, "manifests": [itself], "subject": itself}
    for _ in range(3):
        itself["size"] = len(json.dumps(document))
    store.enter(store.put(json.dumps(document).encode(), OCI_INDEX, digest))
    assert seen(store.root) == [("note", "unverifiable", place_of(digest))]


def test_without_content_documents_are_verified_and_nothing_else_is_opened(store: Store) -> None:
    layer = store.put(b"layer")
    manifest = store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"Layer")
    with opened() as paths:
        assert seen(store.root, content=False) == []
    names = {Path(path).name for path in paths}
    assert layer["digest"].removeprefix("sha256:") not in names
    assert manifest["digest"].removeprefix("sha256:") in names
    store.path(manifest["digest"]).write_bytes(b"{}")
    assert seen(store.root, content=False) == [
        ("error", "digest-mismatch", place_of(manifest["digest"]))
    ]


def test_without_content_a_wrong_size_is_reported_at_the_descriptor(store: Store) -> None:
    layer = store.put(b"layer")
    manifest = store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"")
    assert seen(store.root, content=False) == [
        ("error", "size-mismatch", place_of(manifest["digest"]) + "$.layers[0].size")
    ]


def test_content_that_cannot_be_verified_is_measured(store: Store) -> None:
    layer = {**store.put(b"layer", digest=UNKNOWN), "size": 4}
    manifest = store.enter(store.manifest(layers=[layer, store.put(b"layer")]))
    assert [code for _, code, _ in seen(store.root)] == ["size-mismatch", "unverifiable"]
    assert manifest["digest"]


def test_a_temporary_file_that_a_writer_has_locked_is_not_reported(store: Store) -> None:
    for place in LEFTOVERS[:2] + LEFTOVERS[6:7]:
        leave(store.root, place)
        number = os.open(store.root / place, os.O_RDONLY)
        fcntl.flock(number, fcntl.LOCK_EX)
        assert seen(store.root) == []
        os.close(number)
        assert seen(store.root) == [("note", "leftover", place)]
        (store.root / place).rmdir() if "umoci" in place else (store.root / place).unlink()


def test_a_temporary_that_is_a_link_is_not_followed(store: Store) -> None:
    (store.root / "oci-put-blob1").symlink_to("nowhere")
    assert seen(store.root) == [("note", "leftover", "oci-put-blob1")]


def test_a_writer_that_writes_in_place_is_waited_for(store: Store) -> None:
    whole = (store.root / "index.json").read_bytes()
    store.raw(whole[:9])
    reads: list[str] = []

    def finish(path: str) -> None:
        if path.endswith("index.json"):
            reads.append(path)
            if len(reads) == 2:  # after the first look at half a document
                os.truncate(path, 0)
                with Path(path).open("r+b") as file:
                    file.write(whole)

    with opened(finish):
        assert seen(store.root) == []
    assert len(reads) >= 2


def test_problems_are_reported_before_the_rest_is_read(store: Store) -> None:
    store.put(b"wrong", digest=ABSENT)
    for number in range(60):
        store.put(bytes([number]))
    looked: list[Digest] = []

    class Counting(Holding):
        def _look(self, digest: Digest) -> Any:
            looked.append(digest)
            return super()._look(digest)

    survey = Survey(store.root, content=True)
    problems = Counting(store.root, survey, content=True, jobs=2).problems()
    assert next(problems).place == place_of(ABSENT)  # it is unreferenced, and
    assert next(problems).code == "digest-mismatch"
    assert len(looked) <= 2 * 2 + 1
    problems.close()  # type: ignore[attr-defined] # it is a generator
    assert len(looked) <= 2 * 2 + 1


def test_documents_are_reported_breadth_first(store: Store) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    below = store.manifest(subject=subject, artifactType="a/1")
    lists = []
    for number, parts in enumerate(([below], [])):
        document = {
            "schemaVersion": 2,
            "manifests": parts,
            "annotations": {"com.example.number": str(number)},
            "subject": subject,
        }
        lists.append(store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), None))
    places = [place_of(descriptor["digest"]) + "$.subject" for descriptor in (*lists, below)]
    assert [place for _, _, place in seen(store.root)] == places


def test_content_that_is_a_config_here_and_a_manifest_there_is_read_as_both(store: Store) -> None:
    image = store.manifest(layers=[store.put(b"only reached through it")])
    store.enter(store.manifest(config={**image, "mediaType": OCI_CONFIG}), name="odd")
    listed = {"schemaVersion": 2, "manifests": [image]}
    store.enter(store.document(json.dumps(listed).encode(), OCI_INDEX), name="list")
    codes = {code for _, code, _ in seen(store.root)}
    assert codes == {"missing-property", "media-type-conflict"}


def test_a_subject_that_is_absent_may_be_a_part_that_is_missing(store: Store) -> None:
    missing = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    for name, parts in (("referrer", []), ("list", [missing])):
        document: dict[str, Json] = {"schemaVersion": 2, "manifests": parts}
        if not parts:
            document["subject"] = missing
        store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name=name)
    assert [code for _, code, _ in seen(store.root)] == ["absent-subject", "missing-blob"]


def test_a_repeated_entry_is_not_reported_again(store: Store) -> None:
    for _ in range(2):
        store.enter(store.manifest(), name="-v1")
    assert [code for _, code, _ in seen(store.root)] == ["name-form", "duplicate-entry"]


def test_a_full_name_at_one_of_two_entries_does_not_tell_them_apart(store: Store) -> None:
    store.enter(store.manifest(), annotations={CONTAINERD_IMAGE_NAME: "a"})
    store.enter(store.manifest(artifactType="a/b"))
    assert [code for _, code, _ in seen(store.root)] == ["duplicate-name"]


def test_each_entry_of_a_name_is_held_against_all_before_it(store: Store) -> None:
    """An entry has the problems that a comparison with each earlier entry would give."""
    kinds = [store.manifest(artifactType=f"a/{number}") for number in range(3)]
    said = [(0, "a"), (0, "a"), (1, "b"), (0, "c"), (2, "b"), (1, "b"), (1, None), (0, "d")]
    for position, (kind, full) in enumerate(said):
        notes = {"org.example.n": str(position)}
        if full is not None:
            notes[CONTAINERD_IMAGE_NAME] = full
        store.enter(kinds[kind], annotations=notes)
    found = [
        (place.removeprefix("index.json$.manifests[").partition("]")[0], code)
        for _, code, place in seen(store.root)
    ]
    assert found == [
        ("2", "shared-name"),
        ("3", "shared-name"),
        ("4", "duplicate-name"),
        ("5", "duplicate-name"),
        ("6", "duplicate-name"),
        ("7", "duplicate-name"),
    ]


def test_an_empty_descriptor_that_cannot_be_verified_is_believed(store: Store) -> None:
    empty = store.put(b"{}", OCI_EMPTY, UNKNOWN)
    store.enter(store.manifest(layers=[store.put(b"layer"), empty]))
    assert [code for _, code, _ in seen(store.root)] == ["unverifiable"]


def test_an_empty_descriptor_of_another_size_is_wrong_twice(store: Store) -> None:
    empty = {**store.put(b"{}", OCI_EMPTY), "size": 3}
    store.enter(store.manifest(layers=[store.put(b"layer"), empty]))
    assert [code for _, code, _ in seen(store.root)] == ["wrong-empty", "size-mismatch"]


def test_a_layout_that_is_private_as_a_whole_is_not_a_problem(store: Store) -> None:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    store.path(layer["digest"]).chmod(0o600)
    (store.root / "blobs").chmod(0o700)
    (store.root / "index.json").chmod(0o600)
    assert seen(store.root) == []


def test_a_temporary_file_that_another_check_reads_is_reported(store: Store) -> None:
    place = leave(store.root, LEFTOVERS[0])
    with (store.root / place).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert seen(store.root) == [("note", "leftover", place)]


def test_a_link_is_read_only_where_it_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert probe.read(tmp_path / "link", limit=1, follow=True) == b"x"
    with pytest.raises(OSError, match="link"):
        probe.read(tmp_path / "link", limit=1)


def test_hashing_takes_the_memory_of_a_few_pieces(store: Store) -> None:
    big = store.root / "blobs" / "sha256" / ("0" * 64)
    big.touch()
    os.truncate(big, 64 * 1024 * 1024)
    tracemalloc.start()
    assert [code for _, code, _ in seen(store.root)] == ["unreferenced-blob", "digest-mismatch"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


@pytest.fixture
def strange() -> Iterator[Store]:
    """Give a store in a folder that every user can enter."""
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Store(Path(name) / "layout")


@pytest.mark.parametrize("what", ["layer", "manifest", "config", "blobs/sha256", "index.json"])
@pytest.mark.parametrize("content", [True, False])
def test_an_unreadable_file_is_reported_and_stops_nothing(
    strange: Store, what: str, *, content: bool
) -> None:
    manifest = strange.enter(strange.manifest())["digest"]
    layer = str(Digest.of(b"layer"))
    config = str(Digest.of(json.dumps(CONFIG).encode()))
    places = {"layer": place_of(layer), "manifest": place_of(manifest), "config": place_of(config)}
    place = places.get(what, what)
    path = strange.root / place
    path.chmod(0)
    with as_user():
        problems = seen(strange.root, content=content)
    path.chmod(0o755)
    told = [problem for problem in problems if problem[1] == "unreadable-file"]
    hidden = what == "layer" and not content  # which was not to be read
    assert told == ([] if hidden else [("error", "unreadable-file", place)])
    assert {code for _, code, _ in problems} <= {"unreadable-file", "unreadable-to-others"}


def test_a_folder_that_can_be_listed_but_not_entered_hides_its_blobs(strange: Store) -> None:
    digests = [strange.enter(strange.manifest())["digest"], str(Digest.of(b"layer"))]
    (strange.root / "blobs" / "sha256").chmod(0o744)
    with as_user():
        problems = seen(strange.root)
    (strange.root / "blobs" / "sha256").chmod(0o755)
    for digest in digests:
        assert ("error", "unreadable-file", place_of(digest)) in problems


def test_an_unreadable_layer_of_wrong_size_is_reported_once(strange: Store) -> None:
    layer = strange.put(b"layer")
    strange.enter(strange.manifest())
    strange.path(layer["digest"]).write_bytes(b"")
    strange.path(layer["digest"]).chmod(0)
    with as_user():
        codes = [code for _, code, _ in seen(strange.root)]
    assert codes == ["unreadable-file", "size-mismatch", "unreadable-to-others"]


def test_an_unreadable_manifest_of_wrong_size_is_reported_once(strange: Store) -> None:
    path = strange.path(strange.enter(strange.manifest())["digest"])
    path.write_bytes(b"")
    path.chmod(0)
    with as_user():
        codes = [code for _, code, _ in seen(strange.root)]
    assert codes == ["unreadable-file", "size-mismatch", "unreadable-to-others"]


class TestMeanwhile:
    """Other processes may write and delete during a check; a vanished file is not a problem."""

    def test_a_blob_that_vanishes_before_it_is_looked_at_is_passed_over(self, store: Store) -> None:
        first, second = sorted(store.put(bytes([number]))["digest"] for number in range(2))
        problems = iter_problems(store.root, content=False)
        assert next(problems).place == place_of(first)
        store.path(second).unlink()
        assert list(problems) == []

    def test_a_blob_that_vanishes_before_it_is_hashed_is_passed_over(self, store: Store) -> None:
        layer = store.put(b"layer")
        store.enter(store.manifest())
        path = store.path(layer["digest"])
        with opened(lambda name: path.unlink() if name == str(path) else None):
            assert seen(store.root) == []
        assert not path.exists()

    def test_a_temporary_file_that_vanishes_is_not_reported(self, store: Store) -> None:
        path = store.root / leave(store.root, LEFTOVERS[0])
        with opened(lambda name: path.unlink() if name == path.name else None):
            assert seen(store.root) == []
        assert not path.exists()

    def test_a_document_that_vanishes_cannot_be_read(self, store: Store) -> None:
        path = store.path(store.enter(store.manifest())["digest"])
        with opened(lambda name: path.unlink() if name == str(path) else None):
            codes = [code for _, code, _ in seen(store.root)]
        assert codes == ["unreadable-file"]

    def test_the_wait_for_an_index_that_never_parses_ends(self, store: Store) -> None:
        index = store.root / "index.json"
        sizes: list[int] = []

        def write(name: str) -> None:
            if name == str(index):
                sizes.append(len(sizes))
                index.write_bytes(b"{" + b" " * len(sizes))

        with opened(write):
            assert [code for _, code, _ in seen(store.root)] == ["bad-json"]
        assert len(sizes) > 2


def test_a_temporary_file_that_cannot_be_opened_is_reported(strange: Store) -> None:
    path = strange.root / leave(strange.root, LEFTOVERS[0])
    path.chmod(0)
    with as_user():
        assert [code for _, code, _ in seen(strange.root)] == ["leftover"]


def test_a_hash_can_be_stopped(store: Store) -> None:
    digest = store.put(b"layer")["digest"]
    assert probe.fingerprint(store.path(digest), "sha256") == digest
    assert probe.fingerprint(store.path(digest), "sha256", stopped=lambda: True) is None


# ---------------------------------------------------------------- what was opened


_watchers: list[Callable[[str], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        for watcher in tuple(_watchers):
            watcher(arguments[0])


sys.addaudithook(_audit)  # it cannot be removed, so it asks whether there are watchers


@contextmanager
def opened(then: Callable[[str], None] = lambda _: None) -> Iterator[list[str]]:
    """Give the paths that are opened in the block."""
    paths: list[str] = []
    inside = threading.local()

    def watch(path: str) -> None:
        if not getattr(inside, "it", False):  # what `then` opens does not count
            paths.append(path)
            inside.it = True
            then(path)
            inside.it = False

    _watchers.append(watch)
    try:
        yield paths
    finally:
        _watchers.remove(watch)


def test_a_header_that_no_reader_takes_for_its_size_is_reported(tmp_path: Path) -> None:
    Layout.create(tmp_path / "a")
    header = {"imageLayoutVersion": "1.0.0", "x": "y" * 2**16}
    (tmp_path / "a" / "oci-layout").write_text(json.dumps(header))
    with pytest.raises(LimitExceededError):
        Layout.open(tmp_path / "a")
    problems = [(problem.code, problem.place) for problem in iter_problems(tmp_path / "a")]
    assert problems == [("too-large", "oci-layout")]
