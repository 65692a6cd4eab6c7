"""A program that uses most of the library, for a Python that cannot start a thread.

The tests run it unchanged, in CPython with thread starts refused and in WebAssembly.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from threading import Thread

from ocilayout import Archive, Descriptor, Layout, Manifest, copy, write_archive
from skills import SkillService

EMPTY = "application/vnd.oci.empty.v1+json"
LARGE = os.urandom(5 * 1024 * 1024)  # large enough to be hashed in a thread of its own
MANY = 40  # enough blobs to be synced by several threads


def started() -> bool:
    """Tell whether a thread can be started."""
    try:
        Thread(target=int).start()
    except RuntimeError:
        return False
    return True


def filled(path: Path) -> tuple[Layout, Descriptor]:
    """Return a new layout, and a manifest of one large layer and many small ones."""
    layout = Layout.create(path)
    config = layout.blobs.put(b"{}", media_type=EMPTY)
    layers = [layout.blobs.put(LARGE, media_type="text/plain")]
    large = path.parent / "large"
    large.write_bytes(LARGE[::-1])
    with large.open("rb") as file:
        layers.append(layout.blobs.put(file, media_type="text/plain"))
    layers += [layout.blobs.put(b"%d" % each, media_type="text/plain") for each in range(MANY)]
    manifest = layout.put_manifest(Manifest(artifact_type="a/b", config=config, layers=layers))
    layout.tag("v1", manifest)
    return layout, manifest


def layouts(folder: Path) -> None:
    """Create, tag, copy, check, archive and collect."""
    layout, manifest = filled(folder / "layout")
    assert layout.check() == ()
    assert copy(layout, "v1", Layout.create(folder / "other")) == manifest
    other = Layout.open(folder / "other")
    assert other.resolve("v1") == manifest
    assert other.check() == ()

    with (folder / "a.tar").open("wb") as file:
        write_archive(layout, ["v1"], file)
    with Archive.open(folder / "a.tar") as archive:
        assert archive.resolve("v1") == manifest
        third = Layout.create(folder / "third")
        copy(archive, "v1", third)
        assert third.check() == ()

    count = len(list(layout.blobs))
    layout.untag("v1")
    layout.remove(str(manifest.digest))
    layout.blobs.put(b"unused", media_type="text/plain")
    assert len(list(layout.blobs)) == 1
    assert len(layout.collect(grace=timedelta(0)).removed) == 1
    assert (count, list(layout.blobs)) == (MANY + 4, [])


def skill(folder: Path) -> None:
    """Build a skill, list it, look into it and copy it; the copy is not a build."""
    source = folder / "hello"
    source.mkdir()
    (source / "SKILL.md").write_text("---\nname: hello\ndescription: Says it\n---\n# Hello\n")
    store = SkillService.open(folder / "store")
    built = store.build(source, tag="v1")
    assert [build.tag for build in store.list_builds()] == ["v1"]
    assert store.get_content("v1").name == "hello"
    copied = SkillService.open(folder / "copied")
    copy(store.layout, "v1", copied.layout)
    assert copied.list_builds() == []
    assert copied.layout.resolve("v1").digest == built.digest
    assert {problem.severity for problem in copied.layout.check()} <= {"warning"}


assert not started()
with tempfile.TemporaryDirectory() as name:
    layouts(Path(name))
    skill(Path(name))
print(f"done on {sys.platform}")  # noqa: T201 # for the test that runs it
