"""A large store: what a list of builds reads, counted by what the process opens."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Makes a store of 1,000 builds and 9,000 pulled tags of 600 skills, and opens it in a process of
# its own, which notes every file that it opens.
MAKE = """
import sys
from ocilayout import OCI_EMPTY, Layout, Manifest, encode
from skills import LOCAL_BUILD

layout = Layout.create(sys.argv[1], durability="none", strict_names=False)
config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)

def skill(name):
    said = {"dev.toolhive.skills.name": name, "dev.toolhive.skills.version": "1"}
    return layout.put_manifest(
        Manifest(artifact_type="dev.toolhive.skills.v1", config=config, annotations=said)
    )

with layout.edit() as edit:
    for number in range(1000):
        edit.tag(f"build-{number}", skill(f"b{number}"), annotations={LOCAL_BUILD: "true"})
    pulled = [skill(f"p{number}") for number in range(600)]
    for number in range(9000):
        edit.tag(f"ghcr.io/org/skill:{number}", pulled[number % 600])
"""

COUNT = """
import json, sys
from collections import Counter

opened = Counter()
sys.addaudithook(
    lambda event, arguments: opened.update([str(arguments[0])]) if event == "open" else None
)
from skills import SkillService

service = SkillService.open(sys.argv[1])
opened.clear()
found = service.list_builds()
blobs = {path.rpartition("/")[2]: count for path, count in opened.items() if "/blobs/" in path}
print(json.dumps({
    "builds": [build.digest.encoded for build in found],
    "names": len({build.name for build in found}),
    "blobs": blobs,
    "index": sum(count for path, count in opened.items() if path.endswith("index.json")),
    "tags": len(service.layout.tags()),
}))
"""


def run(program: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_list_reads_one_blob_a_build_and_nothing_of_what_was_pulled(tmp_path: Path) -> None:
    """With 1,000 builds among 10,000 names, 1,000 blobs are opened, once each, and the index once
    or twice."""
    run(MAKE, tmp_path / "store")
    counted = json.loads(run(COUNT, tmp_path / "store"))
    assert counted["tags"] == 10_000
    assert len(counted["builds"]) == counted["names"] == 1000
    assert counted["blobs"] == dict.fromkeys(counted["builds"], 1)
    assert counted["index"] <= 2
