"""The memory of a pull and a push: a whole process stays below a limit, whatever the size.

With OCILAYOUT_LARGE=1 in the environment an image has 1 GiB in 8 layers, and there are 500 images
at once; otherwise it has 64 MiB, and there are 100.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocilayout import OCI_CONFIG, OCI_LAYER, Layout, Manifest

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
LARGE = os.environ.get("OCILAYOUT_LARGE") == "1"
LIMIT = 96 * MIB
"""For the whole process, interpreter and all."""

# The peak of a process; that of `getrusage` also counts memory shared with its parent.
PROGRAM = """
import sys
from ocilayout import Layout
from ocilayout import copy_all
from ocilayout.registry import Repository

verb, path, repository = sys.argv[1:]
layout = Layout.open(path, create=True, durability="none")
with Repository(repository) as repository:
    source, target = (repository, layout) if verb == "pull" else (layout, repository)
    names = list(repository.tags()) if verb == "pull" else layout.tags()
    copy_all(source, dict.fromkeys(names), target)
with open("/proc/self/status") as status:
    fields = dict(line.split(":", 1) for line in status)
print(int(fields["VmHWM"].split()[0]) * 1024)
"""


def put_images(layout: Layout, images: int, layers: int, size: int) -> None:
    """Put images whose layers are all different."""
    piece = bytes(range(256)) * (size // 256 + 1)
    for image in range(images):
        config = {"architecture": "amd64", "os": "linux", "number": image}
        manifest = Manifest(
            config=layout.blobs.put(json.dumps(config).encode(), media_type=OCI_CONFIG),
            layers=[
                layout.blobs.put(f"{image} {number} ".encode() + piece[:size], media_type=OCI_LAYER)
                for number in range(layers)
            ],
        )
        layout.tag(f"i{image}", layout.put_manifest(manifest))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("images", "layers", "size"),
    [
        pytest.param(1, 8, (128 if LARGE else 8) * MIB, id="large"),
        pytest.param(1, 60, 4096, id="layers"),
        pytest.param(500 if LARGE else 100, 2, 1000, id="images"),
    ],
)
def test_a_transfer_needs_little_memory(
    images: int, layers: int, size: int, docker_registry: str, tmp_path: Path
) -> None:
    """In both directions, and the pulled content is the pushed content."""
    source = Layout.create(tmp_path / "source", durability="none")
    put_images(source, images, layers, size)
    peaks = {}
    for verb, folder in (("push", "source"), ("pull", "target")):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, verb, tmp_path / folder, f"{docker_registry}/team/app"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks[verb] = int(done.stdout)
    print({verb: f"{peak / MIB:.1f} MiB" for verb, peak in peaks.items()})  # noqa: T201 # for -s
    assert Layout.open(tmp_path / "target").tags() == source.tags()
    shutil.rmtree(tmp_path / "target")
    assert max(peaks.values()) < LIMIT
