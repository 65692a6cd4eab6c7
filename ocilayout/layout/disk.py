"""Single files: opened safely, locked, forced onto the disk, and named in errors.

A layout may come from another user, so any path in it may lead to a FIFO or a device. Opening a
file here neither waits for a writer nor accepts anything but a regular file. An `OSError` that
passes through `acting` says which file it is about and what was being done with it; any function
here and in `realfolder`, which has the folders, may raise one.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ocilayout.errors import OciLayoutError

fcntl: Any
try:
    fcntl = import_module("fcntl")
except ImportError:  # not POSIX; filelock locks by other means there
    fcntl = None

if TYPE_CHECKING:
    from types import TracebackType

HAS_FLOCK: Final = fcntl is not None
"""Whether this system has flock."""

# O_NONBLOCK, since opening a FIFO would wait for a writer; it has no effect on regular files.
SAFE: Final[int] = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags for opening a path that may lead to any kind of file."""

FOLDER: Final[int] = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
"""Flags for opening a folder and no other kind of file."""

NO_FOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""The flag that refuses a symbolic link."""

CREATE: Final[int] = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE | NO_FOLLOW
"""Flags for creating a file whose name must be free."""

_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
_NOUNS: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}

Name = str | Path


class _Acting:
    """Names the file of an `OSError`; see `acting`."""

    __slots__ = ("_act", "_path")

    def __init__(self, act: str, path: Name) -> None:
        self._act = act
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> Literal[False]:
        if isinstance(error, OSError) and not isinstance(error, OciLayoutError):
            known = vars(error)
            if "act" not in known:  # the innermost block is the most precise
                known["act"] = self._act
                error.filename = str(self._path)
                del error.filename2  # the second of two names; it would be shown beside the path
        return False


def acting(act: str, path: Name) -> _Acting:
    """Let an `OSError` of the block say which file it is about and what was being done.

    The error keeps its type and its number. Its `filename` becomes the path; `describe` returns the
    whole sentence.

    Args:
        act: What was being done, to follow "cannot": `write`, `make the folder`.
        path: The file.
    """
    return _Acting(act, path)


def describe(error: OSError) -> str:
    """Return what could not be done, with which file, and why, as one sentence."""
    if not error.strerror:
        return str(error)
    act = vars(error).get("act")
    if act is not None:
        return f"cannot {act} {error.filename}: {error.strerror}"
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def path_of(path: str | os.PathLike[str]) -> Path:
    """Return a path that the system can take.

    Raises:
        OSError: It has a NUL character, or characters that this system cannot have in file names.
    """
    text = os.fspath(path)
    try:
        if b"\0" not in os.fsencode(text):
            return Path(text)
        reason = "a path cannot have a NUL character in it"
    except UnicodeEncodeError:
        reason = "a path cannot have such characters in it"
    raise OSError(errno.EINVAL, reason, ascii(text)[1:-1])


def noun_of(mode: int) -> str:
    """Return the kind of a file by its mode, such as `a symbolic link`."""
    return _NOUNS.get(stat.S_IFMT(mode), "an unknown kind of file")


def irregular(mode: int, path: Name) -> OSError:
    """Return the error for another kind of file where a regular file is needed."""
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, "it is a folder, not a regular file", str(path))
    return OSError(errno.EINVAL, f"it is {noun_of(mode)}, not a regular file", str(path))


def open_regular(
    path: Name, flags: int = os.O_RDONLY, *, follow: bool = False, dir_fd: int | None = None
) -> int:
    """Open an existing regular file, and return its descriptor."""
    return look_and_open(path, flags, follow=follow, dir_fd=dir_fd)[0]


def look_and_open(
    path: Name, flags: int = os.O_RDONLY, *, follow: bool = False, dir_fd: int | None = None
) -> tuple[int, os.stat_result]:
    """Open a file as `open_regular` does; return its descriptor and its status."""
    flags |= SAFE if follow else SAFE | NO_FOLLOW
    try:
        number = os.open(path, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError:
        # For a socket or a device without a driver the error is ENXIO, and for a link ELOOP,
        # neither of which helps the user.
        with suppress(FileNotFoundError):
            status = os.stat(path, dir_fd=dir_fd, follow_symlinks=follow)
            if not stat.S_ISREG(status.st_mode):
                raise irregular(status.st_mode, path) from None
        raise
    status = os.fstat(number)
    if stat.S_ISREG(status.st_mode):
        return number, status
    os.close(number)
    raise irregular(status.st_mode, path)


class File(io.FileIO):
    """An open file without a buffer, whose errors name it; it takes over an open descriptor.

    Attributes:
        path: The path that errors give.
    """

    def __init__(self, file: int | str, mode: str, path: str) -> None:
        super().__init__(file, mode)
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file for reading."""
        with acting("read", path):
            return cls(str(path), "rb", str(path))

    def read(self, size: int | None = -1, /) -> Any:  # noqa: ANN401 # as io.FileIO has it
        """Return up to `size` bytes."""
        with acting("read", self.path):
            return super().read(-1 if size is None else size)

    def readall(self) -> bytes:
        """Return all bytes up to the end."""
        with acting("read", self.path):
            return super().readall()

    def readinto(self, buffer: Any, /) -> Any:  # noqa: ANN401 # as io.FileIO has it
        """Read into a buffer."""
        with acting("read", self.path):
            return super().readinto(buffer)

    def write(self, data: Any, /) -> Any:  # noqa: ANN401 # as io.FileIO has it
        """Write bytes, or the first of them; return how many."""
        with acting("write", self.path):
            return super().write(data)


def write_all(file: io.FileIO, data: bytes) -> int:
    """Write all bytes, in as many calls as it takes; return how many they are."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]
    return len(data)


def force(number: int) -> None:
    """Force an open file or folder onto the disk, and not only into the cache of the disk."""
    full = getattr(fcntl, "F_FULLFSYNC", None)  # on macOS fsync stops at the cache of the disk
    if fcntl is not None and full is not None:
        with suppress(OSError):  # not every file system has it
            fcntl.fcntl(number, full)
            return
    os.fsync(number)


def fsync(path: Name) -> None:
    """Force a file or a folder onto the disk; skip it if it may not be opened.

    Such a file belongs to another user, since umoci and regclient write blobs with the mode 0600. A
    tag may refer to it all the same.
    """
    with acting("sync", path):
        try:
            number = os.open(path, os.O_RDONLY | SAFE)
        except PermissionError:
            return
        try:
            force(number)
        finally:
            os.close(number)


def flock(number: int, path: Name, *, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file until it is closed or unlocked; return False if another lock prevents it.

    Raises:
        OSError: The file system has no locks.
    """
    if fcntl is None:
        return True
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        with acting("lock", path):
            fcntl.flock(number, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            error.strerror = (
                f"the file system has no working locks ({error.strerror}); mount it with flock,"
                " or keep the layout on another file system"
            )
        raise
    return True


def unlock(number: int) -> None:
    """Release a lock, also of a process that was forked meanwhile and shares the open file."""
    if fcntl is not None:
        fcntl.flock(number, fcntl.LOCK_UN)
