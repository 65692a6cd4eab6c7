"""The files that make a folder a layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.codec import decode, encode
from ocilayout.disk import acting, fsync, make_folder, open_regular, write_new
from ocilayout.errors import LayoutExistsError, NotALayoutError, read_from
from ocilayout.header import MAX_HEADER, Header
from ocilayout.rootindex import EMPTY

if TYPE_CHECKING:
    from ocilayout.indexfile import IndexFile

# What may lie in a folder while it is made a layout: by us, killed half-way, or by another process;
# and what a new file system has in its topmost folder.
_OF_A_CREATION = frozenset({"blobs", "ingest", "index.json", "oci-layout", "lost+found"})


def require(root: Path, indexfile: IndexFile) -> None:
    """Refuse a folder that is no layout. Nothing is written.

    Raises:
        NotALayoutError: `oci-layout` or `index.json` is missing.
        UnsupportedVersionError: The layout is of another version.
        DocumentError: One of the two breaks the specification.
        LimitExceededError: One of the two is too large.

    Spec: image-layout:oci-layout-file, image-layout:version, image-layout:index-json.
    """
    try:
        _require_version(root / "oci-layout")
        indexfile.snapshot()
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(str(error.filename)).name
        reason = f"{missing} is missing" if root.exists() else "there is nothing at this path"
        raise NotALayoutError(f"{root} is no OCI image layout: {reason}") from None


def _require_version(path: Path) -> None:
    with acting("read", path), os.fdopen(open_regular(path, follow=True), "rb") as file:
        data = file.read(MAX_HEADER + 1)
    with read_from(str(path)):
        decode(data, Header, limit=MAX_HEADER)


def make(root: Path, indexfile: IndexFile, *, complete: bool) -> bool:
    """Make a folder a layout. `oci-layout` comes last: with it, the folder is one.

    Args:
        root: The folder; made with its parents if it is missing.
        indexfile: Its root index, which has the lock.
        complete: Whether to take up an `index.json` that lies there, as a process that was
            killed leaves it. It is never replaced.

    Returns:
        False if the folder is a layout already; then nothing was done.

    Raises:
        LayoutExistsError: The folder holds something else, or is none.
        LockTimeoutError: Another process is making it, and takes too long.
        OSError: The file system refused.

    Spec: image-layout:blobs-folder, image-layout:oci-layout-file, image-layout:index-json.
    """
    if (root / "oci-layout").exists():
        return False
    _require_free(root)
    with indexfile.locked():
        if (root / "oci-layout").exists():
            return False
        make_folder(root / "blobs", root=root)
        if not (root / "index.json").exists():
            _place(root, "index.json", EMPTY, durable=indexfile.durable)
        elif not complete:
            raise LayoutExistsError(f"{root} holds an index.json; open it with create=True")
        _place(root, "oci-layout", encode(Header()), durable=indexfile.durable)
    return True


def _require_free(root: Path) -> None:
    try:
        with acting("make the folder", root):
            root.mkdir(parents=True, exist_ok=True)
        fsync(root.parent)
    except FileExistsError:
        raise LayoutExistsError(f"{root} is a file; choose another path") from None
    for found in root.iterdir():
        if found.name not in _OF_A_CREATION and not found.name.startswith("index.json."):
            raise LayoutExistsError(
                f"{root} is not empty and no layout: it holds {found.name!r}; choose another folder"
            )


def _place(root: Path, name: str, data: bytes, *, durable: bool) -> None:
    temporary = root / f"index.json.{name}.{os.getpid()}.tmp"
    with acting("delete", temporary):
        temporary.unlink(missing_ok=True)
    write_new(temporary, data, root=root, durable=durable)
    with acting("write", root / name):
        temporary.rename(root / name)
    if durable:
        fsync(root)
