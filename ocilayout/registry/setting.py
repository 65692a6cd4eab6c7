"""Files of settings: logins and certificates, read from well-known paths.

Another program or an attacker may have put anything at such a path. Reading it never waits for a
pipe, opens a device, or reads more than a limit.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MAX_CERTIFICATES: Final = 16 * 1024 * 1024
"""The largest file of certificates, in bytes; those of operating systems are below 1 MiB."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def read_setting(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes, following links to it.

    Raises:
        OSError: The file is missing, unreadable, not a regular file, or too large. The error has
            the path.
    """
    where = Path(path)
    _require_regular(where, where.stat())  # opening some devices has an effect already
    number = os.open(where, _FLAGS)
    with os.fdopen(number, "rb") as file:
        _require_regular(where, os.fstat(number))  # the path may lead elsewhere by now
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"Larger than {limit} bytes", str(where))
    return data


def _require_regular(where: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(where))
