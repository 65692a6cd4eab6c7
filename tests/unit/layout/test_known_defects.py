"""Defects that other implementations of the layout had, or have: one test each, by its name.

Where each was reported, or in whose code it was read, stands beside it. What their users were burnt
by is often held by the tests of the module that it is about; `ELSEWHERE` says by which.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Digest,
    DocumentError,
    Index,
    InvalidNameError,
    Layout,
    Manifest,
    OciLayoutError,
    copy,
    encode,
)
from ocilayout.layout import indexfile
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = timedelta(0)
PLAIN = "text/plain"
TESTS = Path(__file__).parents[2]

ELSEWHERE = {
    "parallel writers lose each other's entries: containers/image#1028, umoci#146": (
        "faults/test_writers.py::test_processes_lose_nothing"
    ),
    "so do two handles of one process: oras-go#286, inspektor-gadget#5486": (
        "faults/test_writers.py::test_threads_lose_nothing"
    ),
    "the root index is held in memory during a copy: podman#27569": (
        "unit/layout/test_edit.py::test_no_lock_is_held_inside_the_block"
    ),
    "two programs write in place and interleave: oras#1888, linuxkit#4131": (
        "unit/layout/test_indexfile.py::test_readers_of_the_old_file_are_not_disturbed"
    ),
    "a reader meets a file that is half-way written: ratify#1110": (
        "unit/layout/test_indexfile.py::test_a_torn_file_is_read_again"
    ),
    "a full disk leaves an empty index: oras-go#1301": (
        "faults/test_disk.py::test_an_index_that_does_not_fit_leaves_the_old_one"
    ),
    "a killed writer leaves files for ever: aktualizr-lite#241": (
        "unit/layout/test_garbage.py::test_only_temporary_files_of_dead_writers_are_deleted"
    ),
    "a store with damaged blobs cannot be mended: docker-agent#1455": (
        "unit/check/test_repair.py::test_a_damaged_blob_is_moved_aside_so_that_a_put_can_refill_it"
    ),
    "a declared size is allocated: oras-go#1153": (
        "unit/layout/test_blobs.py::test_a_forged_size_allocates_nothing"
    ),
    "content is not verified when it is read: oras#547, oras-py#247": (
        "unit/layout/test_blobs.py::test_damage_is_found_by_reading"
    ),
    "content that one calls a layer and one a config is garbage: oras-go#1093": (
        "unit/layout/test_layout.py::test_the_same_content_under_another_type_is_shared"
    ),
    "what was put a moment ago is garbage: hypeman#199": (
        "unit/layout/test_garbage.py::test_young_blobs_stay"
    ),
    "what a concurrent writer counts on is deleted: buildkit#7102": (
        "faults/test_writers.py::test_processes_that_remove_and_put_leave_no_dangling_tag"
    ),
    "manifests are read once for each blob: zot#4235": (
        "property/test_graph_laws.py::test_each_digest_is_visited_once_a_size_and_read_once_at_most"
    ),
    "every pushed manifest becomes an entry: oras-go#664": (
        "unit/layout/test_layout.py::test_put_manifest_stores_models_and_bytes"
    ),
    "opening reads every manifest: inspektor-gadget#5754": (
        "unit/layout/test_creation.py::test_opening_reads_no_blob"
    ),
    "opening writes: containerd#10894": "unit/layout/test_creation.py::test_opening_writes_nothing",
    "one tag of several images, as BuildKit writes it": (
        "unit/layout/test_layout.py::test_full_names_tell_equal_tags_apart"
    ),
    "an entry cannot be annotated: oras-go#920": (
        "unit/layout/test_layout.py::test_annotate_changes_single_keys"
    ),
    "an edit loses annotations of other programs: regclient#753": (
        "unit/layout/test_indexfile.py::test_entries_that_an_edit_does_not_name_stay"
    ),
    "the annotations of an entry are copied along: toolhive-core": (
        "unit/transfer/test_copying.py::test_annotations_of_an_entry_are_not_copied"
    ),
    "untagged entries are not roots: cosign#4695": (
        "unit/layout/test_garbage.py::test_untagged_entries_are_roots_unless_they_are_pruned"
    ),
    "blobs have modes that others cannot read: umoci#592, olot#18": (
        "unit/layout/test_newblob.py::test_blobs_have_the_usual_mode"
    ),
    "a symbolic link in a blob's place is followed: go-containerregistry#2306": (
        "unit/layout/test_blobs.py::test_a_symlink_is_not_a_blob"
    ),
    "a root that is there ends a copy of what is not: oras-go, copy.go": (
        "unit/transfer/test_copying.py::test_an_incomplete_target_is_completed"
    ),
    "content is fetched from its `urls`: containers/image, oci_src.go": (
        "unit/transfer/test_copying.py::test_external_content_is_not_fetched"
    ),
    "a part that is missing is an error: skopeo#2882": (
        "unit/layout/test_edit.py::test_a_sparse_graph_can_be_named"
    ),
    "members of a tar begin with `./`: oras-go#851": (
        "property/test_archive_laws.py::test_any_form_reads_the_same"
    ),
    "a document is a manifest and an index at once: CVE-2021-41190": (
        "unit/layout/test_layout.py::test_read_manifest_refuses_other_content"
    ),
}


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_tests_that_are_named_exist(where: str) -> None:
    """Each test that is named above exists."""
    file, name = where.split("::")
    assert f"def {name}(" in (TESTS / file).read_text()


def put(layout: Layout, text: str, *, subject: Descriptor | None = None) -> Descriptor:
    """Store an artifact of one layer."""
    return layout.put_manifest(
        Manifest(
            artifact_type=PLAIN,
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=PLAIN)],
            subject=subject,
        )
    )


def add(layout: Layout, *roots: Descriptor) -> None:
    """Make content untagged entries, in this order."""
    with layout.edit() as edit:
        for root in roots:
            edit.add(root)


def grow_old(layout: Layout) -> None:
    """Make all blobs old."""
    for digest in layout.blobs:
        os.utime(layout.blobs.path(digest), (0, 0))


def document(layout: Layout) -> dict[str, Any]:
    """Return the root index of the file."""
    read: dict[str, Any] = json.loads((layout.path / "index.json").read_bytes())
    return read


# ---------------------------------------------------------------- oras-go


def test_collect_ends_on_a_referrer_whose_subject_is_not_kept(layout: Layout) -> None:
    """oras-go#1294: a referrer to content that no tag reaches made a collection run for ever."""
    layout.tag("kept", put(layout, "kept"))
    kept = set(layout.blobs)
    subject = put(layout, "subject")
    referrer = put(layout, "referrer", subject=subject)
    stranger = put(layout, "stranger", subject=Descriptor.of(b"never here", OCI_MANIFEST))
    add(layout, referrer, stranger)
    grow_old(layout)
    assert layout.collect(grace=NOW).removed == ()
    assert layout.collect(grace=NOW, untagged="prune").dropped == (referrer, stranger)
    assert set(layout.blobs) == kept


@pytest.mark.parametrize("order", [1, -1])
def test_chains_of_referrers_are_kept_in_any_order(layout: Layout, order: int) -> None:
    """oras-go#1294: only what refers to something kept in one step survived a collection."""
    chain = [put(layout, "0")]
    for number in range(1, 6):
        chain.append(put(layout, str(number), subject=chain[-1]))
    layout.tag("image", chain[0])
    add(layout, *chain[1:][::order])
    grow_old(layout)
    report = layout.collect(grace=NOW, untagged="prune")
    assert (report.dropped, report.removed) == ((), ())
    assert {entry.descriptor.digest for entry in layout.entries()} == {
        found.digest for found in chain
    }


def test_the_index_is_written_with_a_collection(layout: Layout) -> None:
    """oras-go, `GC`: entries of what was deleted stood in the file until something else saved it.

    Inspektor Gadget (inspektor-gadget#5754) had to rewrite the file by itself.
    """
    add(layout, put(layout, "pruned"))
    layout.tag("kept", put(layout, "kept"))
    grow_old(layout)
    assert len(layout.collect(grace=NOW, untagged="prune").dropped) == 1
    entries = document(layout)["manifests"]
    assert [entry["annotations"] for entry in entries] == [{REF_NAME: "kept"}]
    assert all(entry["digest"] in layout.blobs for entry in entries)


def take_the_name(layout: Layout) -> None:
    layout.remove("a")


def prune(layout: Layout) -> None:
    layout.untag("a")
    layout.collect(grace=NOW, untagged="prune")


def repair(layout: Layout) -> None:
    layout.untag("a")
    for digest in layout.blobs:
        layout.blobs.delete(digest)
    layout.blobs.put(b"other", media_type="a/b")  # else all blobs may only be away for now
    layout.repair()


@pytest.mark.parametrize("empty", [take_the_name, prune, repair])
def test_the_last_entry_removed_leaves_an_empty_array(
    layout: Layout, empty: Callable[[Layout], None]
) -> None:
    """oras-go, go-containerregistry and containers/image write null, which the schema refuses."""
    layout.tag("a", put(layout, "a"))
    grow_old(layout)
    empty(layout)
    assert document(layout)["manifests"] == []


@pytest.mark.parametrize("shell", ['{"schemaVersion":2,"manifests":null}', '{"schemaVersion":2}'])
def test_null_manifests_are_accepted(layout: Layout, shell: str) -> None:
    """A layout that oras-go emptied is a layout, for every verb."""
    (layout.path / "index.json").write_text(shell)
    layout = Layout.open(layout.path, durability="none")
    assert (layout.tags(), layout.entries()) == ((), ())
    assert "error" not in {problem.severity for problem in layout.check()}
    assert layout.collect(grace=NOW).removed == ()
    layout.tag("a", put(layout, "a"))
    assert [entry["annotations"] for entry in document(layout)["manifests"]] == [{REF_NAME: "a"}]


def put_again(layout: Layout, root: Descriptor) -> None:
    layout.tag("a", layout.put_manifest(layout.blobs.read(root)))


def name_by_digest(layout: Layout, root: Descriptor) -> None:
    layout.tag("a", str(root.digest))


def copy_again(layout: Layout, root: Descriptor) -> None:
    source = Layout.create(layout.path.parent / "source", durability="none")
    source.tag("a", put(source, "a"))
    assert copy(source, "a", layout) == root


@pytest.mark.parametrize("again", [put_again, name_by_digest, copy_again])
def test_content_without_an_entry_after_a_crash_can_be_tagged(
    layout: Layout, again: Callable[[Layout, Descriptor], None]
) -> None:
    """oras-go: what was stored before a crash was never listed again, or as a stream of bytes."""
    program = (
        "import os, sys; from ocilayout import *; layout = Layout.open(sys.argv[1]);"
        "config = layout.blobs.put(b'{}', media_type=OCI_EMPTY);"
        "layer = layout.blobs.put(b'a', media_type='text/plain');"
        "layout.put_manifest(Manifest(artifact_type='text/plain', config=config, layers=[layer]));"
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, layout.path], check=False)
    assert killed.returncode == -9
    assert (len(list(layout.blobs)), layout.entries()) == (3, ())
    root = put(Layout.create(layout.path.parent / "other", durability="none"), "a")
    again(layout, root)
    assert document(layout)["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": root.digest,
            "size": root.size,
            "annotations": {REF_NAME: "a"},
        }
    ]
    assert layout.resolve("a") == root


# ---------------------------------------------------------------- regclient


@pytest.mark.parametrize("broken", [b"", b'{"schemaVersion":2,"manif', b'{"schemaVersion":2}{}'])
def test_an_unreadable_index_is_never_replaced(
    layout: Layout, broken: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """regclient, scheme/ocidir: a writer took an unreadable index for an empty one."""
    monkeypatch.setattr(indexfile, "_TORN_READ", 0)  # no writer is at work, so no wait
    root = put(layout, "a")
    layout.tag("a", root)
    (layout.path / "index.json").write_bytes(broken)
    source = Layout.create(layout.path.parent / "source", durability="none")
    source.tag("b", put(source, "b"))
    for write in (
        lambda: layout.tag("b", root),
        lambda: layout.untag("a"),
        lambda: layout.remove("a"),
        lambda: layout.annotate("a", {"k": "v"}),
        lambda: layout.collect(grace=NOW, untagged="prune"),
        lambda: copy(source, "b", layout),
        lambda: Layout.open(layout.path, create=True),
    ):
        with pytest.raises(DocumentError):
            write()
    layout.repair()
    assert (layout.path / "index.json").read_bytes() == broken
    assert layout.blobs.read(root)


# ---------------------------------------------------------------- umoci


def test_a_relative_path_means_one_folder_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """umoci, oci/cas/dir: a blob was looked for below the working directory of the process."""
    monkeypatch.chdir(tmp_path)
    layout = Layout.create("layout", durability="none")
    root = put(layout, "a")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Layout.create("layout", durability="none")
    layout.tag("a", root)
    assert layout.blobs.size(root.digest) == root.size
    assert layout.check() == ()
    assert (layout.tags(), layout.path) == (("a",), tmp_path / "layout")
    assert Layout.open("layout").entries() == ()


# ---------------------------------------------------------------- go-containerregistry


@pytest.mark.parametrize("media_type", [OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, OCI_INDEX])
def test_a_truncated_blob_is_replaced(layout: Layout, media_type: str) -> None:
    """go-containerregistry#2124: a config or manifest half-written in place was served for ever."""
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    data = {
        OCI_MANIFEST: encode(Manifest(config=config)),
        OCI_INDEX: encode(Index(manifests=[])),
    }.get(media_type, b'{"architecture":"amd64"}')
    root = layout.blobs.put(data, media_type=media_type)
    for length in (0, 1, len(data) - 1):
        layout.blobs.path(root.digest).write_bytes(data[:length])
        assert layout.blobs.put(data, media_type=media_type) == root
        assert layout.blobs.read(root) == data


# ---------------------------------------------------------------- oras-py

OUTSIDE = [
    "sha256:../../../../secret",
    "../..:secret",
    "..:secret",
    "sha256:/etc/passwd",
    "sha256:..",
    "a/../..:secret",
    "sha256:" + "a" * 60 + "/../x",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_digest_never_becomes_a_path_outside(layout: Layout, text: str) -> None:
    """oras-py, oras/layout: both halves of a text in a document were joined to a path."""
    secret = layout.path.parent / "secret"
    secret.write_bytes(b"secret")
    with pytest.raises(DocumentError):
        Digest.parse(text)
    assert text not in layout.blobs
    with pytest.raises(InvalidNameError):
        layout.tag("a", text)
    with pytest.raises(OciLayoutError):
        layout.resolve(text)
    bad = {"mediaType": PLAIN, "digest": text, "size": 6}
    good = {"mediaType": PLAIN, "digest": Digest.of(b"x"), "size": 1}
    for parts in ({"config": bad, "layers": []}, {"config": good, "layers": [bad]}):
        with pytest.raises(DocumentError):
            layout.put_manifest(json.dumps({"schemaVersion": 2, **parts}).encode())
    index = {"schemaVersion": 2, "manifests": [{**bad, "annotations": {REF_NAME: "a"}}]}
    (layout.path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DocumentError):
        Layout.open(layout.path).resolve("a")
    with pytest.raises(DocumentError):
        layout.collect(grace=NOW, untagged="prune")
    layout.repair()
    assert secret.read_bytes() == b"secret"


def test_a_layer_that_reads_like_a_manifest_is_not_a_manifest(
    layout: Layout, tmp_path: Path
) -> None:
    """oras-py, oras/layout: what a blob is was told by what is in it, so it was pushed as another.

    Only its descriptor says what content is: this layer is copied as a blob, and what the document
    in it refers to is not a part of the artifact. But its type is unknown, so a collection holds
    what it names.
    """
    inner = put(layout, "inner")
    data = layout.blobs.read(inner)
    assert json.loads(data)["mediaType"] == OCI_MANIFEST
    root = layout.put_manifest(
        Manifest(
            artifact_type=PLAIN,
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(data, media_type=PLAIN)],
        )
    )
    layout.tag("a", root)
    parts = [found.digest for found in layout.walk(root)]
    assert parts == [root.digest, Digest.of(b"{}"), inner.digest]
    target = Layout.create(tmp_path / "target", durability="none")
    copy(layout, "a", target)
    assert set(target.blobs) == set(parts)
    with LoopbackRegistry() as registry, Repository(f"{registry.host}/x") as repository:
        copy(layout, "a", repository, name="v1")
        assert {digest for _, digest in registry.manifests} == {root.digest}
        assert ("x", inner.digest) in registry.blobs
    grow_old(layout)
    assert layout.collect(grace=NOW).removed == ()
    assert Digest.of(b"inner") in layout.blobs


# ---------------------------------------------------------------- lessons without a test elsewhere


def test_a_root_without_children_is_a_root(layout: Layout) -> None:
    """zot#4180: an empty index was taken for a stale one, and its tag was removed."""
    empty = layout.put_manifest(Index(manifests=[]))
    layout.tag("a", empty)
    add(layout, layout.put_manifest(Index(manifests=[], annotations={"k": "v"})))
    grow_old(layout)
    assert layout.collect(grace=NOW).removed == ()
    layout.collect(grace=NOW, untagged="prune")
    layout.repair()
    assert layout.resolve("a") == empty
    assert layout.tags() == ("a",)


def test_a_layer_may_be_larger_than_a_document_may(layout: Layout) -> None:
    """helm#32247: a limit that was meant for documents refused a layer of 160 MiB."""
    file = layout.path.parent / "layer"
    with file.open("wb") as sparse:
        sparse.truncate(33 * 1024 * 1024)
    layer = layout.blobs.put(file, media_type=OCI_LAYER)
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("a", layout.put_manifest(Manifest(config=config, layers=[layer])))
    assert len(layout.blobs.read(layer)) == layer.size
    assert layout.resolve(layer.digest).size == layer.size


def test_the_header_is_never_written_again(layout: Layout) -> None:
    """herokuish#1912: regctl rewrote `oci-layout`, also where BuildKit had left it read-only."""
    header = layout.path / "oci-layout"
    header.chmod(0o444)
    before = header.stat()
    layout.tag("a", put(layout, "a"))
    layout.collect(grace=NOW, untagged="prune")
    layout.repair()
    layout.remove("a")
    Layout.open(layout.path, create=True)
    after = header.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("name", ["a:b", "a@b", "C:\\layout", "oci:x:y", "-", " "])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """containers/image#294, oras#1304: of `path:name` in one text, some paths cannot be written."""
    path = tmp_path / name
    layout = Layout.create(path, durability="none")
    layout.tag("team/x:v1@b", put(layout, "a"))
    assert (path / "index.json").is_file()
    assert Layout.open(path).resolve("team/x:v1@b") == layout.resolve("team/x:v1@b")


def test_tagging_by_digest_keeps_other_tags(layout: Layout) -> None:
    """oras-go#461: naming content by its digest removed the entry that it had."""
    root = put(layout, "a")
    layout.tag("a", root)
    layout.tag("b", root.digest)
    layout.tag("c", str(root.digest))
    assert layout.tags() == ("a", "b", "c")
    layout.untag("b")
    assert layout.tags() == ("a", "c")
    assert len(layout.entries()) == 2
