"""A system without the module `fcntl`, such as Windows: locks come from filelock."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Import also modules that need another program: nothing may fail before it is used.
PROGRAM = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "fcntl":
            raise ModuleNotFoundError("No module named 'fcntl'", name="fcntl")

sys.meta_path.insert(0, Without())
assert sys.modules.pop("fcntl", None) is None

from datetime import timedelta
from pathlib import Path

import ocilayout, ocilayout.cli.command, ocilayout.transfer, ocilayout.registry
import ocilayout.testing.machine, ocilayout.testing.registry, ocilayout.testing.strategies
import skills, skills.cli.group, skills.server, skills.testing

folder = Path(sys.argv[1])
layout = ocilayout.Layout.create(folder / "layout")
config = layout.blobs.put(b"{}", media_type="application/vnd.oci.empty.v1+json")
layer = layout.blobs.put(bytes(5_000_000), media_type="text/plain")
manifest = ocilayout.Manifest(artifact_type="a/b", config=config, layers=[layer])
layout.tag("v1", layout.put_manifest(manifest))
layout.untag("v1")
layout.tag("v2", layout.entries()[0].descriptor)
assert layout.check() == ()
layout.blobs.put(b"unused", media_type="text/plain")
assert len(layout.collect(grace=timedelta(0)).removed) == 1
assert layout.tags() == ("v2",) and len(list(layout.blobs)) == 3

source = folder / "hello"
source.mkdir()
(source / "SKILL.md").write_text("---\\nname: hello\\ndescription: Says it\\n---\\n")
store = skills.SkillService.open(folder / "store")
store.build(source, tag="v1")
assert [build.tag for build in store.list_builds()] == ["v1"]
assert "fcntl" not in sys.modules
"""


def test_all_modules_are_imported_and_locks_are_taken(tmp_path: Path) -> None:
    """Layouts are created, tagged, checked and collected, and a skill is built."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_writers_take_turns(tmp_path: Path) -> None:
    """The lock of filelock keeps a second writer out while the first has it."""
    program = (
        PROGRAM.partition("from datetime")[0]
        + """
from pathlib import Path
import ocilayout
from ocilayout import LockTimeoutError

layout = ocilayout.Layout.create(sys.argv[1])
manifest = layout.put_manifest(
    ocilayout.Manifest(
        artifact_type="a/b", config=layout.blobs.put(b"{}", media_type="a/b"), layers=[]
    )
)
other = ocilayout.Layout.open(sys.argv[1], lock_timeout=0.0)
from ocilayout.layout.lockfile import locked

with locked(layout.path, timeout=0.0):
    try:
        other.tag("v1", manifest)
    except LockTimeoutError:
        print("waits")
other.tag("v1", manifest)
print(*other.tags())
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "layout"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["waits", "v1"]), done.stderr
