"""Laws of check and repair: a whole layout has no problems, damage is found, nothing is lost."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from ocilayout.check.finding import KINDS
from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import RepairReport, repair_folder
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.layout import Layout
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX_TYPES,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.errors import Problem
    from ocilayout.model.descriptor import Descriptor

# No test asserts a time. Each example writes several layouts to disk and reads them often.
LAW = settings(deadline=None, max_examples=max(10, settings().max_examples // 4))
NAMES = ("v1", "v2", "ghcr.io/org/skill:v1")
ABSENT = "sha256:" + "0" * 64


@frozen
class Node:
    """A document: its documents and layers, by number, and its subject."""

    media_type: str
    parts: tuple[int, ...]
    subject: int | None
    name: str | None


NODES = st.lists(
    st.builds(
        Node,
        media_type=st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX]),
        parts=st.lists(st.integers(0, 9), max_size=3).map(tuple),
        subject=st.none() | st.integers(0, 9),
        name=st.none() | st.sampled_from(NAMES),
    ),
    min_size=1,
    max_size=6,
)
PLATFORMS = (None, Platform(os="linux", architecture="arm64", variant="v8"))


def write(layout: Layout, nodes: list[Node]) -> None:
    """Write a graph: a document may refer to earlier documents, and each has an entry."""
    put: list[Descriptor] = []
    for node in nodes:
        subject = put[node.subject % len(put)] if put and node.subject is not None else None
        if node.media_type in INDEX_TYPES:
            parts = [
                evolve(put[part % len(put)], platform=PLATFORMS[part % 2])
                for part in node.parts
                if put
            ]
            document: Manifest | Index = Index(
                media_type=node.media_type, manifests=parts, subject=subject
            )
        else:
            document = Manifest(
                media_type=node.media_type,
                artifact_type="application/vnd.example.thing",
                config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
                layers=[
                    layout.blobs.put(b"layer %d" % part, media_type=OCI_LAYER)
                    for part in node.parts
                ],
                subject=subject,
                annotations={"com.example.number": str(len(put))},
            )
        put.append(layout.put_manifest(document))
        with layout.edit() as edit:
            edit.add(put[-1])
            if node.name is not None:
                edit.tag(node.name, put[-1])


@contextmanager
def layout_of(nodes: list[Node]) -> Iterator[Layout]:
    with tempfile.TemporaryDirectory() as name:
        layout = Layout.create(Path(name) / "layout", durability="none")
        write(layout, nodes)
        yield layout


def problems(root: Path, **options: Any) -> list[Problem]:
    return list(iter_problems(root, **options))


def blobs_of(layout: Layout) -> list[Path]:
    return [layout.blobs.path(digest) for digest in layout.blobs]


def mend(layout: Layout, *, dry_run: bool = False) -> RepairReport:
    indexfile = IndexFile(layout.path, durable=False, lock_timeout=5)
    return repair_folder(layout.path, indexfile, Blobs(layout.path), dry_run=dry_run)


def picture(root: Path) -> dict[Path, tuple[int, int, bytes]]:
    return {
        path: (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (root, *root.rglob("*"))
    }


def whole(layout: Layout) -> dict[str, bytes]:
    """Return the blobs whose content has the digest of their name."""
    return {
        digest: data
        for digest in layout.blobs
        if Digest.of(data := layout.blobs.path(digest).read_bytes()) == digest
    }


def named(layout: Layout) -> list[Any]:
    document = json.loads((layout.path / "index.json").read_bytes())
    found = []
    for entry in document["manifests"]:
        if entry.get("annotations", {}).get(REF_NAME) and entry not in found:
            found.append(entry)
    return found


@given(NODES)
@LAW
def test_a_written_layout_has_no_problems(nodes: list[Node]) -> None:
    with layout_of(nodes) as layout:
        assert problems(layout.path) == []
        assert mend(layout).actions == ()


@given(NODES, st.data())
@LAW
def test_any_flipped_bit_in_any_blob_is_found_there(nodes: list[Node], data: st.DataObject) -> None:
    with layout_of(nodes) as layout:
        path = data.draw(st.sampled_from(blobs_of(layout)))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        found = problems(layout.path)
        place = path.relative_to(layout.path).as_posix()
        assert [(problem.code, problem.place) for problem in found] == [("digest-mismatch", place)]


@frozen
class Damage:
    """One kind of damage, and the blob or entry that it is done to."""

    how: str
    which: int


DAMAGES = st.lists(
    st.builds(
        Damage,
        how=st.sampled_from(
            [
                *("lose", "flip", "cut", "grow", "folder", "link", "right link", "dead link"),
                *("repeat", "dangle", "unlist", "leave", "stray"),
            ]
        ),
        which=st.integers(0, 20),
    ),
    max_size=6,
)


def inflict(layout: Layout, damage: Damage) -> None:
    path = sorted((layout.path / "blobs" / "sha256").iterdir())
    blob = path[damage.which % len(path)] if path else layout.path / "blobs" / "sha256" / "none"
    if damage.how in ("repeat", "dangle", "unlist"):
        change_entries(layout, damage)
    elif damage.how == "leave":
        (layout.path / "ingest").mkdir(exist_ok=True)
        place = layout.path / "ingest" / f"{2**22 + damage.which}-{damage.which:016x}"
        place.write_bytes(b"half")
    elif damage.how == "stray":
        (layout.path / "blobs" / f"stray{damage.which}").write_bytes(b"")
    elif not blob.is_symlink() and blob.is_file():
        spoil(blob, damage)


def change_entries(layout: Layout, damage: Damage) -> None:
    document = json.loads((layout.path / "index.json").read_bytes())
    entries = document["manifests"]
    if damage.how == "unlist":
        untagged = [entry for entry in entries if "annotations" not in entry]
        if untagged:
            entries.remove(untagged[damage.which % len(untagged)])
    elif damage.how == "repeat" and entries:
        entries.append(entries[damage.which % len(entries)])
    else:
        entries.append({"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": damage.which})
    (layout.path / "index.json").write_text(json.dumps(document))


def spoil(blob: Path, damage: Damage) -> None:
    right = blob.read_bytes()
    blob.unlink()
    if damage.how == "flip":
        content = bytearray(right) or bytearray(1)
        content[damage.which % len(content)] ^= 1
        blob.write_bytes(content)
    elif damage.how == "cut":
        blob.write_bytes(right[: len(right) // 2])
    elif damage.how == "grow":
        blob.write_bytes(right + b" ")
    elif damage.how == "folder":
        blob.mkdir()
    elif damage.how == "link":
        blob.symlink_to("/etc/passwd")
    elif damage.how == "dead link":
        blob.symlink_to("../../../nowhere")
    elif damage.how == "right link":
        (blob.parents[3] / blob.name).write_bytes(right)
        blob.symlink_to(f"../../../{blob.name}")


@given(NODES, DAMAGES)
@LAW
def test_a_check_is_repeatable_and_only_reports_what_the_table_has(
    nodes: list[Node], damages: list[Damage]
) -> None:
    with layout_of(nodes) as layout:
        for damage in damages:
            inflict(layout, damage)
        before = picture(layout.path)
        found = problems(layout.path, jobs=1)
        assert problems(layout.path, jobs=4) == found
        assert picture(layout.path) == before
        for problem in found:
            kind = KINDS[problem.code]
            assert (problem.severity, problem.requirement) == (kind.severity, kind.requirement)
            assert not problem.place.startswith("/")
        documents = problems(layout.path, content=False)
        missed = [problem for problem in found if problem not in documents]
        assert {problem.code for problem in missed} <= {"digest-mismatch"}


@given(NODES, DAMAGES)
@LAW
def test_a_repair_keeps_valid_content_is_announced_and_runs_once(
    nodes: list[Node], damages: list[Damage]
) -> None:
    with layout_of(nodes) as layout:
        originals = whole(layout)
        for damage in damages:
            inflict(layout, damage)
        right, names = whole(layout), named(layout)
        before = picture(layout.path)
        dry = mend(layout, dry_run=True)
        assert picture(layout.path) == before
        report = mend(layout)
        assert report.actions == dry.actions
        assert report.remaining == dry.remaining
        assert right.items() <= whole(layout).items()
        assert named(layout) == names
        assert mend(layout).actions == ()
        fixed = {action.code for action in report.actions}
        mended = {"digest-mismatch", "duplicate-entry", "leftover", "unlisted-referrer"}
        assert fixed <= mended | {"irregular-blob", "dangling-entry"}
        left = problems(layout.path)
        assert sorted(map(str, left)) == sorted(map(str, report.remaining))
        assert not mended & {problem.code for problem in left}
        dead = [problem.place for problem in left if problem.code == "irregular-blob"]
        assert all((layout.path / place).is_symlink() for place in dead)
        for data in originals.values():
            layout.blobs.put(data, media_type=OCI_LAYER)
        mend(layout)  # if all blobs were absent, no entry was dropped
        assert set(codes_of(problems(layout.path))) <= {"stray-file", "unreferenced-blob"}


def codes_of(problems: Iterable[Problem]) -> list[str]:
    return sorted(problem.code for problem in problems)
