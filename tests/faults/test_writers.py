"""Many writers at a time: threads, processes, and programs that know no lock."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ocilayout import copy
from ocilayout.errors import BlobNotFoundError, LockTimeoutError
from ocilayout.layout.layout import Layout
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WRITERS = 8
NAMES = 25
PATIENCE = 120  # seconds, after which a hang is one
SHARED = [str(number) * 50 for number in range(5)]

PRELUDE = """
import os, sys
from ocilayout import *
from ocilayout import copy
path, writer = sys.argv[1], sys.argv[2]

def artifact(layout, note, shared=()):
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layers = [layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in shared]
    note = {"note": note}
    return layout.put_manifest(Manifest(config=config, layers=layers, annotations=note))
"""

# A child says that it is ready, and waits until it may go on.
WAIT = """
os.write(1, b"r")
sys.stdin.readline()
"""

# As many writers as the second argument says, which go on when all are there: forks of one process,
# that has everything imported, and waits for them.
FORKS = """
inlet, outlet = os.pipe()
writers = []
for number in range(int(writer)):
    writers.append(os.fork())
    if not writers[-1]:
        writer = str(number)
        os.close(outlet)
        os.read(inlet, 1)
        break
else:
    os.close(outlet)
    sys.exit(any([os.waitpid(process, 0)[1] for process in writers]))
"""


def put_artifact(layout: Layout, note: str, shared: list[str] | None = None) -> Descriptor:
    """Store a manifest of its own kind, with layers that others may have, too."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in shared or ()],
            annotations={"note": note},
        )
    )


def is_whole(layout: Layout, descriptor: Descriptor) -> bool:
    """Tell whether the layout has all parts of the content, verified by reading them."""
    return all(layout.blobs.read(found) is not None for found in layout.walk(descriptor))


@contextmanager
def child(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child and wait until it is ready; at the end it must have ended well."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + WAIT + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"r"
        yield process
        _, errors = process.communicate(b"\n", timeout=PATIENCE)
        assert process.returncode == 0, errors.decode()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def race(code: str, path: Path, writers: int = WRITERS) -> None:
    """Run processes at the same time; all of them must end well."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + FORKS + code, str(path), str(writers)],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr.decode()


def run_threads(work: Callable[[int], None], count: int = WRITERS) -> None:
    """Run threads that take turns as often as they can; none of them may raise."""
    start = threading.Barrier(count)

    def begin(number: int) -> None:
        start.wait(timeout=PATIENCE)
        work(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(max_workers=count) as pool:
            list(pool.map(begin, range(count)))
    finally:
        sys.setswitchinterval(interval)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


ALL = {f"{writer}-{number}" for writer in range(WRITERS) for number in range(NAMES)}


# ---------------------------------------------------------------- nothing is lost


@pytest.mark.parametrize("durability", ["commit", "none"])
def test_processes_lose_nothing(layout: Layout, durability: str) -> None:
    """Eight processes that tag 25 names each make 200 tags, all whole."""
    code = f"""
layout = Layout.open(path, durability={durability!r})
for number in range({NAMES}):
    name = f"{{writer}}-{{number}}"
    layout.tag(name, artifact(layout, name))
    assert name in layout.tags()
"""
    race(code, layout.path)
    assert set(layout.tags()) == ALL
    assert len(layout.entries()) == len(ALL)
    assert all(is_whole(layout, layout.resolve(name)) for name in ALL)
    assert list((layout.path / "ingest").iterdir()) == []


@pytest.mark.parametrize("handles", ["one", "several"])
def test_threads_lose_nothing(layout: Layout, handles: str) -> None:
    """Eight threads, with one handle for all or one each, make 200 tags, all whole."""

    def work(writer: int) -> None:
        handle = layout if handles == "one" else Layout.open(layout.path, durability="none")
        for number in range(NAMES):
            name = f"{writer}-{number}"
            handle.tag(name, put_artifact(handle, name))
            assert name in handle.tags()

    run_threads(work)
    assert set(layout.tags()) == ALL
    assert all(is_whole(layout, layout.resolve(name)) for name in ALL)


def test_one_blob_is_written_by_all_at_once(layout: Layout) -> None:
    """Processes that put the same content at the same time all succeed, and it is whole."""
    code = """
layout = Layout.open(path, durability="none")
for number in range(40):
    layout.blobs.put(str(number).encode() * 50_000, media_type=OCI_LAYER)
"""
    race(code, layout.path, 4)
    for number in range(40):
        data = str(number).encode() * 50_000
        assert layout.blobs.read(Descriptor.of(data, OCI_LAYER)) == data
    assert len(list(layout.blobs)) == 40


# ---------------------------------------------------------------- removing while others put


def test_processes_that_remove_and_put_leave_no_dangling_tag(layout: Layout) -> None:
    """While some remove what shares all content with what others tag, no tag is ever broken."""
    code = f"""
layout = Layout.open(path, durability="none")
shared = {SHARED!r}
for number in range(40):
    name = f"{{writer}}-{{number % 2}}"
    while True:
        root = artifact(layout, name, shared)
        try:
            layout.tag(name, root)
            break
        except BlobNotFoundError:
            pass
    for found in layout.walk(layout.resolve(name)):
        layout.blobs.read(found)
    if number < 38:
        layout.remove(name)
"""
    race(code, layout.path, 4)
    assert set(layout.tags()) == {f"{writer}-{number}" for writer in range(4) for number in (0, 1)}
    assert all(is_whole(layout, layout.resolve(name)) for name in layout.tags())
    for name in layout.tags():
        layout.remove(name)
    assert list(layout.blobs) == []


@pytest.mark.parametrize("handles", ["one", "several"])
def test_threads_that_remove_and_put_leave_no_dangling_tag(layout: Layout, handles: str) -> None:
    """The same holds for threads, also if they share a handle."""

    def work(writer: int) -> None:
        handle = layout if handles == "one" else Layout.open(layout.path, durability="none")
        for number in range(40):
            name = f"{writer}-{number % 2}"
            while True:
                root = put_artifact(handle, name, SHARED)
                try:
                    handle.tag(name, root)
                    break
                except BlobNotFoundError:
                    continue
            assert is_whole(handle, handle.resolve(name))
            handle.remove(name)

    run_threads(work, 4)
    assert layout.entries() == ()
    assert list(layout.blobs) == []


def test_copies_into_a_layout_that_others_empty_are_whole(layout: Layout, tmp_path: Path) -> None:
    """A copy stores content again that others remove before it is tagged."""
    source = Layout.create(tmp_path / "source", durability="none")
    for number in range(4):
        source.tag(f"s{number}", put_artifact(source, str(number), SHARED))

    def work(writer: int) -> None:
        handle = Layout.open(layout.path, durability="none")
        for _ in range(15):
            root = copy(source, f"s{writer}", handle, jobs=2)
            assert is_whole(handle, root)
            handle.remove(f"s{writer}")

    run_threads(work, 2)
    assert list(layout.blobs) == []


# ---------------------------------------------------------------- creating


def test_processes_that_make_one_layout_at_once_all_get_it(tmp_path: Path) -> None:
    """The first process creates the layout, the others open it, and no tag is lost."""
    code = """
for number in range(15):
    layout = Layout.open(f"{path}/{number}", create=True, durability="none")
    layout.tag(f"t{writer}", artifact(layout, writer))
"""
    race(code, tmp_path, 4)
    for number in range(15):
        layout = Layout.open(tmp_path / str(number))
        assert layout.tags() == ("t0", "t1", "t2", "t3")


def test_one_of_many_creates(tmp_path: Path) -> None:
    """Of processes that insist on a new layout, exactly one gets it."""
    code = """
for number in range(15):
    try:
        layout = Layout.create(f"{path}/{number}", durability="none")
    except LayoutExistsError:
        continue
    layout.tag(f"t{writer}", artifact(layout, writer))
"""
    race(code, tmp_path, 4)
    for number in range(15):
        assert len(Layout.open(tmp_path / str(number)).tags()) == 1


# ---------------------------------------------------------------- writers without a lock


def test_a_writer_without_a_lock_disturbs_no_other(layout: Layout) -> None:
    """While a program truncates and rewrites the index, no reader fails and no edit is lost."""
    layout.tag("first", put_artifact(layout, "first"))
    rewriter = """
import select, time
while not select.select([sys.stdin], [], [], 0.002)[0]:
    with open(f"{path}/index.json", "r+b") as file:
        data = file.read()
        file.seek(0)
        file.truncate()
        for start in range(0, len(data), 64):
            os.write(file.fileno(), data[start:start + 64])
"""

    def work(writer: int) -> None:
        handle = Layout.open(layout.path, durability="none")
        for number in range(NAMES):
            name = f"{writer}-{number}"
            if writer:
                handle.tag(name, put_artifact(handle, name))
            assert "first" in handle.tags()
            assert handle.resolve("first") == Layout.open(layout.path).resolve("first")

    with child(rewriter, layout.path, 0) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        run_threads(work, 3)
        assert process.poll() is None
    expected = {f"{writer}-{number}" for writer in (1, 2) for number in range(NAMES)}
    assert set(layout.tags()) == expected | {"first"}


# ---------------------------------------------------------------- the lock


def test_a_lock_of_another_process_is_waited_for_and_then_named(layout: Layout) -> None:
    """An edit that gave up waiting names the locked file; readers do not wait."""
    target = put_artifact(layout, "x")
    holder = """
import fcntl
file = open(f"{path}/index.json.lock", "r+")
fcntl.flock(file, fcntl.LOCK_EX)
os.write(1, b"l")
sys.stdin.readline()
"""
    impatient = Layout.open(layout.path, lock_timeout=0.05)
    layout.tag("before", target)
    with child(holder, layout.path, 0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.read(1) == b"l"
        with pytest.raises(LockTimeoutError, match=str(layout.path / "index.json.lock")):
            impatient.tag("a", target)
        assert impatient.tags() == ("before",)
    impatient.tag("a", target)
    assert impatient.tags() == ("a", "before")


def test_a_dead_process_holds_no_lock(layout: Layout) -> None:
    """A process that is killed while it holds the lock does not block others."""
    target = put_artifact(layout, "x")
    holder = """
import signal
with Layout.open(path)._indexfile.locked():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.run(
        [sys.executable, "-c", PRELUDE + holder, str(layout.path), "0"],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert process.returncode < 0, process.stderr.decode()
    Layout.open(layout.path, lock_timeout=0).tag("a", target)
    assert encode(layout.read_manifest(layout.resolve("a")))
