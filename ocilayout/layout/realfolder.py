"""Real folders of a layout, held open: what is listed, made and deleted there lies nowhere else.

A folder that was reached by its path could be a symbolic link by the time that something in it is
deleted, and lead anywhere. So each step down is taken from the open folder above, follows no link,
and takes nothing but a folder.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

from ocilayout.layout.clock import changed
from ocilayout.layout.disk import (
    FOLDER,
    NO_FOLLOW,
    SAFE,
    File,
    acting,
    adopt,
    noun_of,
    open_regular,
)

if TYPE_CHECKING:
    from pathlib import Path

# A digest of an unknown algorithm may be longer than a name may be; then nothing has that name.
ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
"""The numbers of the errors that say that nothing is at a path."""

_DEPTH: Final = 200  # of folders in a temporary; each is held open while what is in it is looked at


class Folder:
    """A folder, open until it is closed.

    Attributes:
        path: Where it was found; only for messages.
        number: Its descriptor.
    """

    def __init__(self, number: int, path: Path, root: Path) -> None:
        """Take over a descriptor; `open` and `enter` make folders.

        Args:
            number: The descriptor; it is closed with this folder.
            path: Where the folder was found.
            root: The folder of the layout.
        """
        self.number = number
        self.path = path
        self._root = root

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open the folder of a layout, which may be reached by links.

        Raises:
            OSError: It cannot be opened.
        """
        with acting("open the folder", root):
            number = os.open(root, FOLDER)
        return cls(number, root, root)

    @classmethod
    def at(cls, path: Path, *, root: Path) -> Self:
        """Open a folder that blobs are written to, which links may lead to.

        Args:
            path: The folder.
            root: The folder of the layout.

        Raises:
            OSError: It cannot be opened.
        """
        with acting("open the folder", path):
            return cls(os.open(path, FOLDER), path, root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder; those that were entered from it stay open."""
        os.close(self.number)

    def enter(self, name: str, *, make: bool = False) -> Self:
        """Open a folder in this one.

        Args:
            name: Its name.
            make: Whether to make it if there is nothing. It belongs to the owner of the layout.

        Raises:
            FileNotFoundError: There is nothing of this name.
            NotADirectoryError: There is a symbolic link, or something else.
            OSError: It cannot be opened, or not be made.
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
                found = self.status(name)
                if found is None or stat.S_ISDIR(found.st_mode):
                    raise
                raise NotADirectoryError(
                    errno.ENOTDIR,
                    f"it is {noun_of(found.st_mode)}, and only a real folder of the layout is"
                    " written to or deleted from; move it away, and try again",
                ) from error
        return type(self)(number, path, self._root)

    def names(self) -> list[str]:
        """Return the names of what lies in it, sorted.

        Raises:
            OSError: It cannot be read.
        """
        with acting("list", self.path):
            return sorted(os.listdir(self.number))  # noqa: PTH208 # of a descriptor

    def status(self, name: str) -> os.stat_result | None:
        """Return what lies under a name, links not followed, or `None` if there is nothing.

        Raises:
            OSError: That cannot be told.
        """
        try:
            return os.stat(name, dir_fd=self.number, follow_symlinks=False)
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    def create(self, name: str) -> File:
        """Make a file, with the usual mode, and open it. It belongs to the owner of the layout.

        Raises:
            FileExistsError: There is something of this name.
            OSError: The file system refused.
        """
        path = self.path / name
        with acting("write", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE | NO_FOLLOW
            number = os.open(name, flags, 0o666, dir_fd=self.number)
            adopt(number, self._root)
        return File(number, "rb+", str(path))

    def unlink(self, name: str) -> bool:
        """Remove what is not a folder; tell whether it was there.

        Raises:
            OSError: The file system refused.
        """
        try:
            with acting("delete", self.path / name):
                os.unlink(name, dir_fd=self.number)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str, *, depth: int = _DEPTH) -> bool:
        """Remove a file, or a folder and all that is in it; tell whether it was there.

        Args:
            name: Its name.
            depth: How many folders may lie in each other.

        Raises:
            OSError: The file system refused; a part may be gone.
        """
        found = self.status(name)
        if found is None:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return self.unlink(name)
        with suppress(FileNotFoundError):
            with self._within(name, depth) as inner:
                for each in inner.names():
                    inner.remove(each, depth=depth - 1)
            with acting("delete", self.path / name):
                os.rmdir(name, dir_fd=self.number)
        return True

    def move(self, name: str, to: Folder, new_name: str) -> None:
        """Move something that is not a folder to another folder of the layout.

        Across file systems a regular file is copied.

        Args:
            name: Its name here.
            to: The folder.
            new_name: Its name there, which must be free.

        Raises:
            OSError: The file system refused.
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
        """Return when a file changed last, or a folder or anything in it.

        Args:
            name: Its name.
            depth: How many folders may lie in each other.

        Returns:
            The time, in seconds since 1970, as `clock.changed` has it.

        Raises:
            OSError: It is gone, or cannot be read.
        """
        with acting("look at", self.path / name):
            found = os.stat(name, dir_fd=self.number, follow_symlinks=False)
        latest = changed(found)
        if stat.S_ISDIR(found.st_mode):
            with self._within(name, depth) as inner:
                for each in inner.names():
                    latest = max(latest, inner.changed(each, depth=depth - 1))
        return latest

    def _within(self, name: str, depth: int) -> Self:
        if depth == 0:
            with acting("enter", self.path / name):
                raise OSError(errno.ELOOP, "too many folders lie in each other")
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
        """Tell whether all in a new folder is the owner's, as what another process just put there.

        The owner may have moved another folder to its place, with files of root in it.
        """
        owner = self._root.stat().st_uid
        for name in os.listdir(number):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=number, follow_symlinks=False).st_uid != owner:
                    return False
        return True


class OwnFolders:
    """The real folders of a layout, each opened once, until the end of a block.

    Attributes:
        root: The folder of the layout, open within the block.
    """

    root: Folder

    def __init__(self, root: Path) -> None:
        """Prepare; nothing is opened yet.

        Args:
            root: The folder of the layout.
        """
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
        """Return a folder; `None` if there is none, or a link, or something else.

        Args:
            names: Its names, from the layout's own folder down.

        Raises:
            OSError: It cannot be opened.
        """
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
    """Make folders of a layout, one in another, unless they are there.

    A link to a folder is one. What is made behind it is on ground of others, and gets neither the
    owner nor the mode of the layout.

    Args:
        root: The folder of the layout.
        names: Their names, from the layout's own folder down.

    Raises:
        NotADirectoryError: There is something else.
        OSError: The file system refused.
    """
    with ExitStack() as stack:
        above = stack.enter_context(Folder.open(root))
        for depth, name in enumerate(names):
            found = above.status(name)
            if found is not None and not stat.S_ISDIR(found.st_mode):
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
            noun = "a symbolic link that leads to no folder" if path.is_symlink() else noun_of(mode)
            raise NotADirectoryError(
                errno.ENOTDIR, f"there is {noun} in its place; move it away", str(path)
            ) from None


def scan(folder: str) -> list[os.DirEntry[str]]:
    """Return what lies in a folder that links may lead to; nothing if it is not one."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
