"""Files of settings: logins and certificates, read from paths that everybody knows.

Such a path may hold anything that another program, or an attacker, put there. Nothing in here
waits for a pipe, opens a device, or reads more than a limit.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MAX_CERTIFICATES: Final = 16 * 1024 * 1024
"""How large a file of certificates may be, in bytes; those of systems have less than one MiB."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def read_setting(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Return the content of a regular file; a link to one is followed.

    Args:
        path: The file.
        limit: How large it may be, in bytes.

    Raises:
        OSError: There is none, it cannot be read, it is something else than a regular file, or it
            is larger. The error has the path.
    """
    where = Path(path)
    _require_regular(where, where.stat())  # a device is not even opened
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
