"""Real folders of a layout, held open, in which files are listed, created, moved and deleted.

Between a check of a path and the use of it, another user of the layout could replace a folder by a
symbolic link, and let this process delete files anywhere. So each step down starts from the open
folder above, by descriptor, and follows no link. `disk` has the single files.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

from ocilayout.layout.clock import changed
from ocilayout.layout.disk import CREATE, FOLDER, NO_FOLLOW, File, acting, noun_of, open_regular
from ocilayout.layout.ownership import adopt

if TYPE_CHECKING:
    from pathlib import Path

# ENAMETOOLONG: a digest of an unknown algorithm may be longer than any file name.
ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
"""The error numbers that mean that a path does not exist."""

_DEPTH: Final = 200  # of folders in a temporary folder; each takes a descriptor, and a call


class Folder:
    """An open folder of a layout; `open` and `enter` open one.

    Attributes:
        path: The path that it was opened by; only for messages.
        number: Its descriptor.
    """

    def __init__(self, number: int, path: Path, root: Path) -> None:
        self.number = number
        self.path = path
        self._root = root

    @classmethod
    def open(cls, path: Path, *, root: Path | None = None) -> Self:
        """Open the folder of a layout, or a folder of blobs in `root`; links may lead to both."""
        with acting("open the folder", path):
            return cls(os.open(path, FOLDER), path, root or path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder; folders that were entered from it stay open."""
        os.close(self.number)

    def enter(self, name: str, *, make: bool = False) -> Self:
        """Open a folder in this one, or make it with the owner of the layout.

        Raises:
            FileNotFoundError: Nothing has this name.
            NotADirectoryError: It is a symbolic link or a file.
            OSError: It cannot be opened or created.
        """
        path = self.path / name
        with acting("open the folder", path):
            try:
                number = os.open(name, FOLDER | NO_FOLLOW, dir_fd=self.number)
            except FileNotFoundError:
                if not make:
                    raise
                number = self._make(name)
            except OSError as error:
                status = self.status(name)
                if status is None or stat.S_ISDIR(status.st_mode):
                    raise
                raise NotADirectoryError(
                    errno.ENOTDIR,
                    f"it is {noun_of(status.st_mode)}, and only a real folder of the layout is"
                    " written to or deleted from; move it away, and try again",
                ) from error
        return type(self)(number, path, self._root)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        with acting("list", self.path):
            return sorted(os.listdir(self.number))  # noqa: PTH208 # of a descriptor

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a name, links not followed, or `None` if it does not exist."""
        try:
            return os.stat(name, dir_fd=self.number, follow_symlinks=False)
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    def create(self, name: str) -> File:
        """Create a file with the usual mode and the owner of the layout, and open it.

        Raises:
            FileExistsError: The name is taken.
            OSError: The file system refused.
        """
        path = self.path / name
        with acting("write", path):
            number = os.open(name, CREATE, 0o666, dir_fd=self.number)
            adopt(number, self._root)
        return File(number, "rb+", str(path))

    def unlink(self, name: str) -> bool:
        """Delete a file that is not a folder; return whether it existed."""
        try:
            with acting("delete", self.path / name):
                os.unlink(name, dir_fd=self.number)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str, *, depth: int = _DEPTH) -> bool:
        """Delete a file, or a folder and all that is in it; return whether it existed."""
        status = self.status(name)
        if status is None:
            return False
        if not stat.S_ISDIR(status.st_mode):
            return self.unlink(name)
        with suppress(FileNotFoundError):
            with self._within(name, depth) as inner:
                for each in inner.names():
                    inner.remove(each, depth=depth - 1)
            with acting("delete", self.path / name):
                os.rmdir(name, dir_fd=self.number)
        return True

    def move(self, name: str, to: Folder, new_name: str) -> None:
        """Move a file that is not a folder to a new name in another folder of the layout.

        Across file systems a regular file is copied.
        """
        try:
            with acting("move", self.path / name):
                os.rename(name, new_name, src_dir_fd=self.number, dst_dir_fd=to.number)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with acting("move", self.path / name):
                number = open_regular(name, dir_fd=self.number)
            with File(number, "rb", str(self.path / name)) as file, to.create(new_name) as copy:
                shutil.copyfileobj(file, copy)
            self.unlink(name)

    def changed(self, name: str, *, depth: int = _DEPTH) -> float:
        """Return when a file changed last, or of a folder, when anything in it did.

        Returns:
            The time, in seconds since 1970; see `clock.changed`.
        """
        with acting("look at", self.path / name):
            status = os.stat(name, dir_fd=self.number, follow_symlinks=False)
        latest = changed(status)
        if stat.S_ISDIR(status.st_mode):
            with self._within(name, depth) as inner:
                for each in inner.names():
                    latest = max(latest, inner.changed(each, depth=depth - 1))
        return latest

    def _within(self, name: str, depth: int) -> Self:
        if depth == 0:
            with acting("enter", self.path / name):
                raise OSError(errno.ELOOP, "folders are nested too deeply")
        return self.enter(name)

    def _make(self, name: str) -> int:
        made = False
        with suppress(FileExistsError), acting("make the folder", self.path / name):
            os.mkdir(name, dir_fd=self.number)
            made = True
        number = os.open(name, FOLDER | NO_FOLLOW, dir_fd=self.number)
        if made and self._may_be_given(number):
            adopt(number, self._root, folder=True)
        return number

    def _may_be_given(self, number: int) -> bool:
        """Return whether all files in a new folder belong to the owner of the layout.

        The owner may have moved another folder to its place, with files of root in it; to give that
        folder away would let the owner replace them. Other processes may have written files of the
        owner to the new folder already.
        """
        owner = self._root.stat().st_uid
        for name in os.listdir(number):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=number, follow_symlinks=False).st_uid != owner:
                    return False
        return True


class OwnFolders:
    """The real folders of a layout, each opened once within a block, and closed at its end.

    Attributes:
        root: The folder of the layout, open within the block.
    """

    root: Folder

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open = ExitStack()
        self._known: dict[tuple[str, ...], Folder | None] = {}

    def __enter__(self) -> Self:
        self.root = self._open.enter_context(Folder.open(self._root))
        self._known[()] = self.root
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def of(self, *names: str) -> Folder | None:
        """Return a folder by the names above it and its own; `None` if it is not a real folder."""
        if names not in self._known:
            above = self.of(*names[:-1])
            self._known[names] = None if above is None else self._enter(above, names[-1])
        return self._known[names]

    def _enter(self, above: Folder, name: str) -> Folder | None:
        try:
            return self._open.enter_context(above.enter(name))
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise


def make_folders(root: Path, *names: str) -> None:
    """Create nested folders of a layout from its own folder down, unless they exist.

    A link to a folder counts as a folder. Folders behind it are outside of the layout, and get
    neither its owner nor its mode.

    Raises:
        NotADirectoryError: One of the names is taken by another kind of file.
        OSError: The file system refused.
    """
    with ExitStack() as stack:
        above = stack.enter_context(Folder.open(root))
        for depth, name in enumerate(names):
            status = above.status(name)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                for end in range(depth, len(names)):
                    _make_behind(root.joinpath(*names[: end + 1]))
                return
            above = stack.enter_context(above.enter(name, make=True))


def _make_behind(path: Path) -> None:
    with acting("make the folder", path):
        try:
            path.mkdir()
        except FileExistsError:
            if path.is_dir():
                return
            mode = path.lstat().st_mode
            noun = noun_of(mode) + " that does not lead to a folder" * path.is_symlink()
            raise NotADirectoryError(
                errno.ENOTDIR, f"there is {noun} in its place; move it away", str(path)
            ) from None


def scan(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder, links followed; none if it is not a folder."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
