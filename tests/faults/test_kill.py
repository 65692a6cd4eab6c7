"""Writers that are killed: what they acknowledged is complete, and nothing is half written."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import OCTET_STREAM
from tests.effort import examples
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

KILLS = examples(15, 10)  # for each durability
PATIENCE = 120  # seconds, after which a hang is one

ARTIFACT = """
import json, os, random, sys
from ocilayout import *

def artifact(layout, note, size=300):
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    texts = ["shared" * size, note * size]
    layers = [layout.blobs.put(text.encode(), media_type=OCI_LAYER) for text in texts]
    return layout.put_manifest(Manifest(config=config, layers=layers))
"""

# Says on standard output what it is about to do with a name, and what it did.
RESTLESS = (
    ARTIFACT
    + """
path, prefix, durability = sys.argv[1:]
choose = random.Random(prefix)

def say(verb, name, digest=""):
    os.write(1, f"{verb} {name} {digest}\\n".encode())

say("ready", "-")
layout = Layout.open(path, create=True, durability=durability)
mine = []
while True:
    verb = choose.choice(["tag", "tag", "tag", "retag", "remove", "untag"])
    if verb == "tag" or not mine:
        name = f"{prefix}-{len(mine)}"
        mine.append(name)
    else:
        name = choose.choice(mine)
    if verb in ("tag", "retag") or name not in layout.tags():
        digest = artifact(layout, f"{name}{choose.random()}").digest
        say("tagging", name, digest)
        layout.tag(name, digest)
        say("tagged", name, digest)
    else:
        say("dropping", name)
        getattr(layout, verb)(name)
        say("dropped", name)
"""
)

# Runs one scenario many times, each in a process that ends itself at the n-th system call of those
# that change a folder or force it to the disk, instead of it. Forks, so as to import only once.
STEPWISE = (
    ARTIFACT
    + """
CALLS = ["mkdir", "replace", "rename", "fsync", "unlink", "utime", "fchmod"]

def scenario(path, done):
    layout = Layout.open(path, create=True)
    done(layout)
    layout.tag("a", artifact(layout, "a", 1), annotations={"x": "y"})
    done(layout)
    layout.tag("b", artifact(layout, "b", 1))
    done(layout)
    layout.tag("a", artifact(layout, "c", 1))
    done(layout)
    layout.annotate("a", {"x": "z"})
    done(layout)
    with layout.edit() as edit:
        edit.tag("c", artifact(layout, "c", 1))
        edit.untag("a")
    done(layout)
    layout.remove("b")
    done(layout)
    layout.remove("c")
    done(layout)

def state(layout):
    return [[e.name, str(e.descriptor.digest), dict(e.annotations)] for e in layout.entries()]

def end_at(last):
    count = 0
    def patch(name):
        call = getattr(os, name)
        def counting(*args, **kwargs):
            nonlocal count
            count += 1
            if count == last:
                os._exit(9)
            return call(*args, **kwargs)
        setattr(os, name, counting)
    for name in CALLS:
        patch(name)

folder = sys.argv[1]
states = []
scenario(f"{folder}/whole", lambda layout: states.append(state(layout)))
report, last, code = [], 0, 9
while code:
    last += 1
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        end_at(last)
        scenario(f"{folder}/{last}", lambda layout: os.write(outlet, b"."))
        os._exit(0)
    os.close(outlet)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    report.append(len(os.read(inlet, 1000)))
    os.close(inlet)
    assert code in (0, 9), code
print(json.dumps({"states": states, "done": report}))
"""
)


def require_sound(layout: Layout, *, partial: bool = False) -> None:
    """Require that every file in the place of a blob is that blob, and all entries are whole."""
    for digest in layout.blobs:
        layout.blobs.read(
            Descriptor(media_type=OCTET_STREAM, digest=digest, size=layout.blobs.size(digest))
        )
    for path in (layout.path / "blobs").rglob("*"):
        if path.is_file():
            assert Digest.parse(f"{path.parent.name}:{path.name}") in layout.blobs
    for entry in layout.entries():
        for found in layout.walk(entry.descriptor):
            assert partial or found.digest in layout.blobs


class Promises:
    """What processes acknowledged about names before they were killed."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.open: dict[str, tuple[str | None, str | None]] = {}

    def hear(self, line: str) -> None:
        """Take note of one line."""
        verb, name, digest = line.split(" ")
        if verb in ("tagging", "dropping"):
            self.open[name] = (self.kept.get(name), digest or None)
        elif verb == "tagged":
            self.kept[name] = digest
            del self.open[name]
        elif verb == "dropped":
            self.kept.pop(name, None)
            del self.open[name]

    def require(self, layout: Layout) -> None:
        """Require that a layout has all that was said, and either side of what was begun."""
        found = {name: str(layout.resolve(name).digest) for name in layout.tags()}
        for name, choices in self.open.items():
            assert found.get(name) in choices
            if name in found:
                self.kept[name] = found[name]
            else:
                self.kept.pop(name, None)
        self.open.clear()
        assert found == self.kept


@pytest.mark.parametrize("durability", ["commit", "none"])
def test_a_writer_may_be_killed_at_any_moment(tmp_path: Path, durability: str) -> None:
    """Whenever a writer is killed, the layout opens, and every acknowledged tag is whole."""
    path = tmp_path / "layout"
    promises = Promises()
    interrupted = 0
    for number in range(KILLS):
        chance = random.Random(number)
        with subprocess.Popen(
            [sys.executable, "-c", RESTLESS, str(path), f"p{number}", durability],
            stdout=subprocess.PIPE,
            env=unmeasured(),
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(1 + chance.randrange(40) * (number > 0)):
                promises.hear(process.stdout.readline().rstrip("\n"))
            for _ in range(chance.randrange(40_000)):
                pass  # let it get anywhere in what comes next
            process.kill()
            *lines, rest = process.stdout.read().split("\n")
            assert rest == ""
            for line in lines:
                promises.hear(line)
        interrupted += bool(promises.open)
        layout = Layout.open(path, create=True, lock_timeout=0)
        promises.require(layout)
        require_sound(layout)
    assert len(promises.kept) > KILLS
    assert interrupted, "some were killed while they were at it"


def test_a_writer_may_end_before_any_system_call(tmp_path: Path) -> None:
    """At whichever step a writer ends, each edit is made whole or not at all, in order."""
    ended = subprocess.run(
        [sys.executable, "-c", STEPWISE, str(tmp_path)],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    report = json.loads(ended.stdout)
    states, done = report["states"], report["done"]
    assert sorted(done) == done
    assert done[-1] == len(states) == 8
    assert set(done) == set(range(9))
    for number, count in enumerate(done, start=1):
        layout = Layout.open(tmp_path / str(number), create=True, durability="none", lock_timeout=0)
        entries = [
            [entry.name, str(entry.descriptor.digest), dict(entry.annotations)]
            for entry in layout.entries()
        ]
        assert entries in states[max(count - 1, 0) : count + 1]
        require_sound(layout)
        target = layout.blobs.put(b"next", media_type=OCTET_STREAM)
        layout.tag("next", target)
        assert layout.resolve("next") == target
