"""What may be packaged: the files of a skill folder, and the rules for its SKILL.md.

A folder is read through `scan` and `read` only, by the validator and by the packager, so that
both see the same files under the same limits. No step of a path follows a symbolic link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from ocilayout import FrozenMap
from skills import skillmd
from skills.errors import SkillError, SkillFolderError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

SKILL_MD: Final = "SKILL.md"

MAX_FILES: Final = 1000
"""The most files of a skill, SKILL.md among them; an installer takes no more."""

MAX_SIZE: Final = 95 * 1024 * 1024
"""The largest sum of all file sizes, SKILL.md among them, in bytes."""

MAX_LAYER: Final = 50 * 1024 * 1024
"""The largest compressed layer, in bytes; an installer takes no more."""

MAX_DESCRIPTION: Final = 1024
"""The longest description, in characters."""

MAX_COMPATIBILITY: Final = 500
"""The longest compatibility note, in characters."""

MANY_LINES: Final = 500
"""The most lines of a SKILL.md that raise no warning."""

# 2 to 64 of a-z, 0-9 and the hyphen, which neither begins nor ends it nor stands twice in a row.
_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{0,62}[a-z0-9]")

# Without waiting for a writer, should somebody put a FIFO where a file was.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@frozen(kw_only=True)
class ValidationResult:
    """What a validation found.

    Attributes:
        errors: What must change before the skill can be built, a sentence each.
        warnings: What should change.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether there are no errors."""
        return not self.errors


@frozen(kw_only=True)
class Folder:
    """The files of a skill folder as they were when it was scanned.

    Attributes:
        path: The absolute path of the folder.
        files: The size in bytes of each file that belongs to the skill, by its path relative to
            the folder with slashes; in bytewise order of the paths.
        problems: Why the folder cannot be packaged, if anything.
    """

    path: str
    files: FrozenMap[str, int] = field(converter=FrozenMap[str, int])
    problems: tuple[SkillError, ...] = ()


def validate(path: str | os.PathLike[str]) -> ValidationResult:
    """Check a skill folder; all that is wrong is reported at once.

    Args:
        path: The folder.

    Raises:
        OSError: The file system failed.
    """
    try:
        folder = scan(path)
    except SkillFolderError as error:
        return ValidationResult(errors=(str(error),))
    errors = [str(problem) for problem in folder.problems]
    warnings: list[str] = []
    if folder.files.get(SKILL_MD, MAX_SIZE + 1) <= MAX_SIZE:
        try:
            data = read(folder, SKILL_MD)
            skill = skillmd.parse(data)
        except SkillError as error:
            errors.append(str(error))
        else:
            errors.extend(_check_fields(skill, Path(folder.path).name))
            warnings.extend(_warnings(skill, data))
    if MAX_LAYER < sum(folder.files.values()) <= MAX_SIZE:
        warnings.append(
            f"the files have more than {MAX_LAYER} bytes;"
            " the build will fail if they have when they are compressed"
        )
    return ValidationResult(errors=tuple(errors), warnings=tuple(warnings))


def check_name(name: str) -> tuple[str, ...]:
    """Return what is wrong with the name of a skill, a sentence each."""
    if not name:
        return ("name is required",)
    if _NAME.fullmatch(name):
        return ()
    rule = "2 to 64 of a-z, 0-9 and -, with no - at either end and no --"
    return (f"name {name!r} is not allowed; use {rule}",)


def scan(path: str | os.PathLike[str]) -> Folder:
    """Look at the files of a skill folder, without reading them.

    What has a name that begins with a dot is left out with everything below it, whatever it is.

    Args:
        path: The folder. It must not be a symbolic link itself; what is above it may.

    Raises:
        SkillFolderError: There is no folder.
        OSError: The file system failed.
    """
    # Path.resolve() would follow the symbolic link that must be refused.
    where = os.path.abspath(path) if os.fspath(path) else ""  # noqa: PTH100
    files: dict[str, int] = {}
    problems: list[SkillError] = []
    with _root(where) as root:
        found = dict(sorted(_walk(root)))
    if SKILL_MD.encode() not in found:
        problems.append(SkillFolderError(where, "has no file SKILL.md; every skill needs one"))
    for name, status in found.items():
        problem = _check_file(name, status)
        if problem is None:
            files[name.decode()] = status.st_size
        else:
            problems.append(problem)
    problems.extend(_check_limits(files))
    return Folder(path=where, files=files, problems=tuple(problems))


def read(folder: Folder, path: str) -> bytes:
    """Read one file of a folder.

    Args:
        folder: What `scan` returned.
        path: One of its files.

    Raises:
        SkillFolderError: It is no longer the file that was scanned.
        OSError: The file system failed.
    """
    changed = SkillFolderError(path, "changed while it was read; try again")
    try:
        with _root(folder.path) as root, _opened(root, path.encode(), 0) as handle:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size != folder.files[path]:
                raise changed
            with open(handle, "rb", closefd=False) as file:
                data = file.read(found.st_size + 1)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise changed from None
        raise
    if len(data) != found.st_size:
        raise changed
    return data


def _check_fields(skill: skillmd.SkillMd, folder_name: str) -> Iterator[str]:
    yield from check_name(skill.name)
    if skill.name and skill.name != folder_name:
        yield f"name {skill.name!r} must be that of the folder, {folder_name!r}; rename one"
    if not skill.description.strip():
        yield "description is required"
    if len(skill.description) > MAX_DESCRIPTION:
        yield (
            f"description has {len(skill.description)} characters,"
            f" the limit is {MAX_DESCRIPTION}; shorten it"
        )
    if len(skill.compatibility) > MAX_COMPATIBILITY:
        yield (
            f"compatibility has {len(skill.compatibility)} characters,"
            f" the limit is {MAX_COMPATIBILITY}; shorten it"
        )


def _warnings(skill: skillmd.SkillMd, data: bytes) -> Iterator[str]:
    if skill.tools_by_comma:
        yield "allowed-tools is separated by commas; use spaces or a list"
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if lines > MANY_LINES:
        yield f"SKILL.md has {lines} lines; keep it to {MANY_LINES} and move text to other files"


def _check_file(name: bytes, found: os.stat_result) -> SkillError | None:
    path = os.fsdecode(name)
    if stat.S_ISLNK(found.st_mode):
        return SkillFolderError(path, "is a symbolic link; replace it by what it points to")
    if not stat.S_ISREG(found.st_mode):
        return SkillFolderError(path, "is no regular file; remove it")
    try:
        name.decode()
    except UnicodeDecodeError:
        return SkillFolderError(path, "is no UTF-8 name; rename the file")
    if b"\\" in name:
        return SkillFolderError(path, "has a backslash in its name; rename the file")
    return None


def _check_limits(files: dict[str, int]) -> Iterator[TooLargeError]:
    if len(files) > MAX_FILES:
        yield TooLargeError(
            f"the folder has {len(files)} files, the limit is {MAX_FILES}; remove some",
            what="files",
            limit=MAX_FILES,
        )
    size = sum(files.values())
    if size > MAX_SIZE:
        yield TooLargeError(
            f"the files have {size} bytes, the limit is {MAX_SIZE}; remove some",
            what="size",
            limit=MAX_SIZE,
        )


def _walk(root: int) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield all that is no folder, by its path; without recursion, however deep it lies."""
    pending = [b""]
    while pending:
        folder = pending.pop()
        with _opened(root, folder, os.O_DIRECTORY) as handle, os.scandir(handle) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if name.startswith(b"."):
                    continue
                path = folder + b"/" + name if folder else name
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    pending.append(path)
                else:
                    yield path, found


@contextmanager
def _root(path: str) -> Iterator[int]:
    try:
        handle = os.open(path, _OPEN | os.O_DIRECTORY)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path
        raise SkillFolderError(path, "does not exist; give the path of a skill folder") from None
    except OSError as error:
        if Path(path).is_symlink():
            reason = "is a symbolic link; give the path of the folder itself"
        elif isinstance(error, NotADirectoryError):
            reason = "is no folder; give the path of a skill folder"
        else:
            raise
        raise SkillFolderError(path, reason) from None
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _opened(root: int, path: bytes, flags: int) -> Iterator[int]:
    """Open a path below a folder step by step, so that no step follows a symbolic link."""
    *folders, last = path.split(b"/")
    steps = [(name, os.O_DIRECTORY) for name in folders] + [(last or b".", flags)]
    handle = os.dup(root)
    try:
        for name, flag in steps:
            below = os.open(name, _OPEN | flag, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)
