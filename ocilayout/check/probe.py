"""Looking at a file that may be anything: without blocking, and without believing its name.

Only what a check needs. Whoever wants content uses `blobs`, which refuses what is not right.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ocilayout.errors import LimitExceededError
from ocilayout.layout import ABSENT, File, acting, open_regular
from ocilayout.model import CHUNK, Digest, new_hasher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def status(path: Path) -> os.stat_result | None:
    """Return what lies at a path, links not followed, or `None` if there is nothing.

    Raises:
        OSError: That cannot be told.
    """
    try:
        return path.lstat()
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def read(path: Path, *, limit: int, follow: bool = False) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        limit: How much is read at most, in bytes.
        follow: Whether it may be a symbolic link.

    Raises:
        LimitExceededError: It is larger.
        OSError: It cannot be read, or is not a regular file.
    """
    pieces: list[bytes] = []
    total = 0
    with _open(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        # In pieces: a read of as much as the limit allows would reserve that much memory.
        while size <= limit and (data := file.read(CHUNK)):
            pieces.append(data)
            total += len(data)
            size = max(size, total)
    if size > limit:
        raise LimitExceededError(
            f"the document has {size} bytes, the limit is {limit}", what="document", limit=limit
        )
    return b"".join(pieces)


def fingerprint(
    path: Path,
    algorithm: str,
    *,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Digest | None:
    """Return the digest of a file's content, computed in pieces of 1 MiB.

    Args:
        path: The file.
        algorithm: One that can be computed here.
        follow: Whether it may be a symbolic link.
        stopped: Asked before each piece; once it answers yes, the result is `None`.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        UnsupportedDigestError: The algorithm cannot be computed here.
    """
    hasher = new_hasher(algorithm)
    with _open(path, follow=follow) as file:
        while not stopped():
            data = file.read(CHUNK)
            if not data:
                return Digest(f"{algorithm}:{hasher.hexdigest()}")
            hasher.update(data)
    return None


def _open(path: Path, *, follow: bool) -> File:
    with acting("read", path):
        return File(open_regular(path, follow=follow), "rb", str(path))
