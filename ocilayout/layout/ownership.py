"""Ownership: to whom new files of a layout belong, and who can open them.

Several users may share a layout, and root may write to that of another user. A new file with the
usual owner and mode could then lock the others out, or let them block the writers.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def adopt(number: int, root: Path, *, folder: bool = False) -> None:
    """Give a new file or folder the owner and group of its layout.

    It gets the group of the layout's folder, and if root made it the owner as well: otherwise one
    command of root would lock the owner out. A new folder is as writable for the group and for
    others as the folder of the layout, whatever the umask is. Where the system does not allow this,
    such as in a container with mapped users, nothing changes.
    """
    with suppress(OSError):
        made, layout = os.fstat(number), root.stat()
        give = is_root() and layout.st_uid not in (0, made.st_uid)
        regroup = made.st_gid != layout.st_gid
        if give or regroup:
            os.fchown(number, layout.st_uid if give else -1, layout.st_gid)
        writable = writers(layout)
        mode = wanted = stat.S_IMODE(made.st_mode)
        if regroup and not writable & stat.S_IWGRP:  # the umask was meant for another group
            wanted &= ~stat.S_IWGRP
        for bits in (stat.S_IRWXG, stat.S_IRWXO):
            if folder and writable & bits:
                wanted |= layout.st_mode & bits
        if wanted != mode:
            os.fchmod(number, wanted)


def writers(folder: os.stat_result) -> int:
    """Return the bits that let the group and others replace any file of a folder."""
    if folder.st_mode & stat.S_ISVTX:  # sticky: users may replace only their own files
        return 0
    return folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def mode_for_writers(file: os.stat_result, *shared: os.stat_result) -> int:
    """Return the mode that lets its owner open a file, and users who can write a shared file.

    A lock can be taken on any file that can be opened, so a temporary file or a lock file that
    others could read would let them block the writers.
    """
    mode = stat.S_IRUSR | stat.S_IWUSR
    for other in shared:
        writable = writers(other)
        if other.st_gid != file.st_gid:
            writable &= ~stat.S_IWGRP
        mode |= writable | writable << 1  # a writer may read, too
    return mode


def is_root() -> bool:
    """Return whether this process may give files to other users."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def is_own(status: os.stat_result) -> bool:
    """Return whether a file belongs to this user; always where a system has no users."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
