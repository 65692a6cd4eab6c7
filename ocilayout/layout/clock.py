"""The clock: what time it is, asked in one place, so that a test can move it.

How old a file is can be told from the later of two times. The modification time is whatever the
program that placed the file says: `rsync -a`, `tar -x` and `cp -p` set it back to that of the
original. The change time is set by the system and cannot be set back.

Both are whole microseconds: a WebAssembly runtime has one clock of milliseconds for both, and what
conversions add to it, up to 64 nanoseconds, would put a file that was written just now into the
future.
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
    """Return when a file was written, placed or refreshed last, in seconds since 1970.

    Args:
        status: What `stat` says of it.
    """
    return max(status.st_mtime_ns, status.st_ctime_ns) // 1000 / 1_000_000
