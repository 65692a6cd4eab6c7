"""The clock, read in one place so that a test can move it, and the age of files.

The age of a file counts from the later of two times. Programs may set the modification time:
`rsync -a`, `tar -x` and `cp -p` set it to that of the original file, which may be years old. The
system sets the change time, which cannot be set back.

Both functions round to microseconds. A WebAssembly runtime has one clock of milliseconds for files
and for the time, but converts the two differently: without rounding, a file that was written just
now would be up to 64 nanoseconds in the future.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def now() -> float:
    """Return the time, in seconds since 1970."""
    return round(time.time(), 6)


def changed(status: os.stat_result) -> float:
    """Return the later of modification and change time, in seconds since 1970."""
    return max(status.st_mtime_ns, status.st_ctime_ns) // 1000 / 1_000_000
