"""The layer of a skill, read: every member is checked before the first file is read.

A layer is untrusted input. It must be a tar of regular files and folders, compressed with gzip,
within limits, and such that all readers agree on what it holds; no name leads out of the folder of
the skill. Where the files are written to is not known here.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout import DocumentError, LimitExceededError, NotALayoutError
from ocilayout.archive import iter_members, open_window
from skills.errors import LayerError, TooLargeError
from skills.model import SKILL_MD
from skills.packaging.folder import MAX_FILES, MAX_SKILL_MD, check_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout import Digest
    from ocilayout.archive import Member, Window

MAX_UNPACKED: Final = 500 * 1024 * 1024
"""The largest tar that is unpacked, in bytes."""

MAX_FILE: Final = 100 * 1024 * 1024
"""The largest file, in bytes."""

MAX_MEMBERS: Final = 10_000
"""The most members of a tar, folders among them."""

MAX_NAME: Final = 255
"""The longest part of a path, in bytes; most file systems take no more."""

_CHUNK: Final = 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


@frozen(kw_only=True)
class SkillFile:
    """A file of a skill.

    Attributes:
        path: The path in the folder of the skill, with slashes.
        size: The size in bytes.
    """

    path: str
    size: int


@frozen(kw_only=True)
class LayerFile(SkillFile):
    """A file in the layer of a skill.

    Attributes:
        offset: Where its content begins in the tar, in bytes.
    """

    offset: int


class Layer:
    """The files of a skill, in the order of the tar.

    Attributes:
        files: All files; no path is repeated, or leads through another file.
    """

    def __init__(self, window: Window) -> None:
        """Check every member of a tar. Callers use `open_layer`."""
        self._window = window
        self.files = tuple(_files(iter_members(window)))

    def read(self, file: LayerFile) -> bytes:
        """Return the content of a file."""
        return self._window.read(file.offset, file.size)

    def chunks(self, file: LayerFile) -> Iterator[bytes]:
        """Yield the content of a file in chunks."""
        end = file.offset + file.size
        for offset in range(file.offset, end, _CHUNK):
            yield self._window.read(offset, min(_CHUNK, end - offset))

    def find(self, path: str) -> LayerFile | None:
        """Return the file with a path; `None` if the layer does not have it."""
        return next((file for file in self.files if file.path == path), None)


@contextmanager
def open_layer(data: bytes, *, diff_id: Digest | None = None) -> Iterator[Layer]:
    """Open a layer; it is unpacked into a temporary file that has no name.

    Args:
        data: The compressed tar.
        diff_id: The digest of the uncompressed tar; not checked if it is not given.

    Raises:
        LayerError: The data is not a tar compressed with gzip, is damaged or truncated, does not
            match `diff_id`, or has a link, a device, a repeated name, or a name that leads out of
            the folder.
        TooLargeError: The layer has more files or bytes than a skill may have.
        OSError: The temporary file cannot be written.
    """
    if not data.startswith(_GZIP):
        raise LayerError("the layer is not a gzip file")
    try:
        window = open_window(io.BytesIO(data), unpack_limit=MAX_UNPACKED)
        try:
            _require_diff_id(window, diff_id)
            layer = Layer(window)
        except BaseException:
            window.close()
            raise
    except NotALayoutError:
        raise LayerError("the layer is not a tar") from None
    except LimitExceededError as error:
        unit = "" if error.what == "records" else " bytes"
        raise TooLargeError(
            f"the layer of the skill is too large: more than {error.limit}{unit} of {error.what}",
            what=error.what,
            limit=error.limit,
        ) from None
    except DocumentError as error:
        (problem,) = error.problems
        path = "" if problem.place in {"$", "."} else problem.place
        raise LayerError(f"{problem.message} [{problem.code}]", path=path) from None
    try:
        yield layer
    finally:
        window.close()


def _require_diff_id(window: Window, diff_id: Digest | None) -> None:
    if diff_id is None or diff_id.algorithm != "sha256":
        return
    hasher = hashlib.sha256()
    for offset in range(0, window.size, _CHUNK):
        hasher.update(window.read(offset, _CHUNK))
    if hasher.hexdigest() != diff_id.encoded:
        raise LayerError("the digest of the layer is not the one in the config of the artifact")


def _files(members: Iterator[Member]) -> Iterator[LayerFile]:
    files: set[str] = set()
    folders: set[str] = set()
    for number, member in enumerate(members, start=1):
        if number > MAX_MEMBERS:
            raise TooLargeError(
                f"the layer of the skill has more than {MAX_MEMBERS} members",
                what="members",
                limit=MAX_MEMBERS,
            )
        reason = _check(member)
        if reason is not None:
            raise LayerError(reason, path=member.name)
        parents = _parents(member.path)
        if member.kind == "folder":
            parents = {*parents, member.path}
        elif member.path in files:
            raise LayerError("is in the tar twice", path=member.name)
        else:
            files.add(member.path)
            if len(files) > MAX_FILES:
                raise TooLargeError(
                    f"the skill has more than {MAX_FILES} files", what="files", limit=MAX_FILES
                )
            yield LayerFile(path=member.path, size=member.size, offset=member.offset)
        folders |= parents
        # A file may come before or after the folder that has its name, and both orders are refused.
        if clash := files & (parents | {member.path} & folders):
            raise LayerError("is a file and a folder", path=min(clash))


def _check(member: Member) -> str | None:
    """Return why a skill may not have a member, as the rest of a sentence; `None` if it may."""
    if member.kind == "other":
        return "is neither a regular file nor a folder"
    if member.size > MAX_FILE:
        raise TooLargeError(
            f"the file {member.path!r} has {member.size} bytes, the limit is {MAX_FILE}",
            what="file",
            limit=MAX_FILE,
        )
    if member.path == SKILL_MD and member.size > MAX_SKILL_MD:
        raise TooLargeError(
            f"{SKILL_MD} has {member.size} bytes, the limit is {MAX_SKILL_MD}",
            what=SKILL_MD,
            limit=MAX_SKILL_MD,
        )
    if not member.path and member.kind == "file":
        return "is not a name"
    if any(len(part.encode()) > MAX_NAME for part in member.path.split("/")):
        return f"has a name of more than {MAX_NAME} bytes"
    return check_path(member.path)


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
