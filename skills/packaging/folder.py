"""The files of a skill folder: which of them belong to the skill, their limits, and their bytes.

`validate` and `package` both read a folder through `scan` and `read`, so that they see the same
files under the same limits. No step of a path follows a symbolic link. An install keeps the same
limits: what is packaged can be installed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from ocilayout import FrozenMap
from skills.errors import SkillError, SkillFolderError, TooLargeError
from skills.model import SKILL_MD, Finding, ValidationResult, check_skill_md

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_FILES: Final = 1000
"""The most files of a skill, SKILL.md among them."""

MAX_SKILL_MD: Final = 1024 * 1024
"""The largest SKILL.md, in bytes; it is read into memory as a whole, and shown."""

MAX_SIZE: Final = 95 * 1024 * 1024
"""The largest sum of all file sizes, SKILL.md among them, in bytes."""

MAX_LAYER: Final = 50 * 1024 * 1024
"""The largest compressed layer, in bytes."""

MAX_PATH: Final = 1024
"""The longest path of a file in a skill, in bytes."""

MAX_DEPTH: Final = 64
"""The most parts of a path, the name of the file among them."""

# Without waiting for a writer, in case a FIFO has replaced a file.
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@frozen(kw_only=True)
class Folder:
    """The files of a skill folder as they were when it was scanned.

    Attributes:
        path: The absolute path of the folder.
        files: The size in bytes of each file that belongs to the skill, by its path relative to
            the folder with slashes; in bytewise order of the paths.
        problems: The reasons why the folder cannot be packaged, if there are any.
    """

    path: str
    files: FrozenMap[str, int] = field(converter=FrozenMap[str, int])
    problems: tuple[SkillError, ...] = ()


def scan(path: str | os.PathLike[str]) -> Folder:
    """List the files of a skill folder, without reading them.

    Names that begin with a dot are left out, with everything below them.

    Args:
        path: The folder. It must not be a symbolic link itself; the folders above it may be.

    Raises:
        SkillFolderError: The path is not a folder.
        OSError: The file system failed.
    """
    # Path.resolve() would follow the symbolic link that must be refused.
    where = os.path.abspath(path) if os.fspath(path) else ""  # noqa: PTH100
    files: dict[str, int] = {}
    problems: list[SkillError] = []
    with _root(where) as root:
        members = {
            path: entry.stat(follow_symlinks=False)
            for path, entry in walk(root, skip=lambda name: name.startswith("."))
            if not entry.is_dir(follow_symlinks=False)
        }
    if SKILL_MD not in members:
        problems.append(SkillFolderError(where, "has no file SKILL.md; every skill needs one"))
    for name in sorted(members, key=os.fsencode):
        if problem := _check_file(name, members[name]):
            problems.append(problem)
        else:
            files[name] = members[name].st_size
    problems.extend(_check_limits(files))
    return Folder(path=where, files=files, problems=tuple(problems))


def read(folder: Folder, path: str) -> bytes:
    """Read one file of a folder.

    Args:
        folder: The folder as `scan` returned it.
        path: The path of one of its files.

    Raises:
        SkillFolderError: The file was changed since the scan.
        OSError: The file system failed.
    """
    changed = SkillFolderError(path, "changed while it was read; try again")
    try:
        *parents, name = path.split("/")
        with _root(folder.path) as root, descended(root, parents) as parent:
            handle = os.open(name, _OPEN, dir_fd=parent)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_size != folder.files[path]:
                raise changed
            with open(handle, "rb", closefd=False) as file:
                data = file.read(status.st_size + 1)  # a byte more, to notice that it grew
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise changed from None
        raise
    if len(data) != status.st_size:
        raise changed
    return data


def validate(path: str | os.PathLike[str]) -> ValidationResult:
    """Check a skill folder against the rules of skills, and return all findings at once.

    The findings about the folder come first, then those about its SKILL.md.

    Args:
        path: The folder.

    Raises:
        OSError: The file system failed.
    """
    return ValidationResult(findings=tuple(_findings(path)))


def check_path(path: str) -> str | None:
    """Return why a skill may not have a path, as the rest of a sentence; `None` if it may."""
    if "\\" in path:
        return "has a backslash in its name; rename the file"
    if len(path.encode()) > MAX_PATH:
        return f"has a path of more than {MAX_PATH} bytes; shorten it"
    if path.count("/") >= MAX_DEPTH:
        return f"lies deeper than {MAX_DEPTH} folders; move it up"
    return None


@contextmanager
def descended(
    root: int, parts: Iterable[str | bytes], *, make_mode: int | None = None
) -> Iterator[int]:
    """Open a folder below an open one, part by part, so that no part follows a symbolic link.

    Args:
        root: The descriptor of the folder to begin with.
        parts: The names of the folders on the way.
        make_mode: The mode of missing folders, which are made; none are made without it.

    Raises:
        OSError: The file system refused, or a part is not a folder.
    """
    handle = os.dup(root)
    try:
        for part in parts:
            if make_mode is not None:
                with suppress(FileExistsError):
                    os.mkdir(part, make_mode, dir_fd=handle)
            below = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def walk(
    root: int, *, skip: Callable[[str], bool], into: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything below an open folder, by its path; without recursion, so at any depth.

    Args:
        root: The descriptor of the folder.
        skip: Whether a name is left out, with everything below it.
        into: Whether the folder at a path is entered.

    Raises:
        OSError: The file system refused.
    """
    pending = [""]
    while pending:
        folder = pending.pop()
        parts = folder.split("/") if folder else []
        with descended(root, parts) as handle, os.scandir(handle) as entries:
            for entry in entries:
                if not skip(entry.name):
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    yield path, entry
                    if entry.is_dir(follow_symlinks=False) and into(path):
                        pending.append(path)


def _findings(path: str | os.PathLike[str]) -> Iterator[Finding]:
    try:
        folder = scan(path)
    except SkillFolderError as error:
        yield Finding(message=str(error))
        return
    for problem in folder.problems:
        yield Finding(message=str(problem))
    if folder.files.get(SKILL_MD, MAX_SKILL_MD + 1) <= MAX_SKILL_MD:
        try:
            data = read(folder, SKILL_MD)
        except SkillError as error:
            yield Finding(message=str(error))
        else:
            yield from check_skill_md(data, Path(folder.path).name)
    if MAX_LAYER < sum(folder.files.values()) <= MAX_SIZE:
        yield Finding(
            severity="warning",
            message=f"the files have more than {MAX_LAYER} bytes;"
            " the build will fail if they have when they are compressed",
        )


def _check_file(path: str, status: os.stat_result) -> SkillError | None:
    if stat.S_ISLNK(status.st_mode):
        return SkillFolderError(path, "is a symbolic link; replace it by what it points to")
    if not stat.S_ISREG(status.st_mode):
        return SkillFolderError(path, "is not a regular file; remove it")
    try:
        reason = check_path(path)
    except UnicodeEncodeError:
        reason = "is not a UTF-8 name; rename the file"
    return None if reason is None else SkillFolderError(path, reason)


def _check_limits(files: dict[str, int]) -> Iterator[TooLargeError]:
    if len(files) > MAX_FILES:
        yield TooLargeError(
            f"the folder has {len(files)} files, the limit is {MAX_FILES}; remove some",
            what="files",
            limit=MAX_FILES,
        )
    if files.get(SKILL_MD, 0) > MAX_SKILL_MD:
        yield TooLargeError(
            f"{SKILL_MD} has {files[SKILL_MD]} bytes, the limit is {MAX_SKILL_MD}; move text into"
            " other files",
            what=SKILL_MD,
            limit=MAX_SKILL_MD,
        )
    size = sum(files.values())
    if size > MAX_SIZE:
        yield TooLargeError(
            f"the files have {size} bytes, the limit is {MAX_SIZE}; remove some",
            what="size",
            limit=MAX_SIZE,
        )


@contextmanager
def _root(path: str) -> Iterator[int]:
    try:
        handle = os.open(path, _OPEN | os.O_DIRECTORY)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path
        raise SkillFolderError(path, "does not exist; give the path of a skill folder") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG and Path(path).is_symlink():
            reason = "is a symbolic link; give the path of the folder itself"
        elif isinstance(error, NotADirectoryError):
            reason = "is not a folder; give the path of a skill folder"
        elif error.errno == errno.ENAMETOOLONG:
            reason = "is longer than a path can be; give the path of a skill folder"
        else:
            raise
        raise SkillFolderError(path, reason) from None
    try:
        yield handle
    finally:
        os.close(handle)
