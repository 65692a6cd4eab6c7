"""The growth of memory when a large file is stored; run as a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

from ocilayout import Layout
from tests.bench.material import MEBIBYTE, make_file

LIMIT: Final = 16 * MEBIBYTE
"""By how much the peak may grow, in bytes."""

_ROOT: Final = Path(__file__).parents[2]


def measure_growth(folder: Path, mebibytes: int) -> int:
    """Return how much the peak of a process grows when it stores a file, in bytes."""
    make_file(folder / "source", mebibytes)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", folder],
        cwd=_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def peak() -> int:
    """Return the peak memory of this process, in bytes."""
    # The peak of `getrusage` also counts memory that a process shared with its parent.
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def _main(folder: Path) -> None:
    blobs = Layout.create(folder / "target", durability="none").blobs
    # so that one-time allocations are not counted
    blobs.put(b"something small", media_type="text/plain")
    before = peak()
    blobs.put(folder / "source", media_type="text/plain")
    sys.stdout.write(f"{peak() - before}\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
