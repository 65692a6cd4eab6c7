"""The files that make a folder a layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.errors import LayoutExistsError, NotALayoutError, read_from
from ocilayout.layout.disk import acting, fsync, open_regular
from ocilayout.layout.newfile import new_file
from ocilayout.layout.realfolder import make_folders
from ocilayout.layout.rootindex import EMPTY
from ocilayout.model import MAX_HEADER, Header, decode, encode

if TYPE_CHECKING:
    from ocilayout.layout.indexfile import IndexFile

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
        reason = f"{missing} is missing" if _is_there(root) else "there is nothing at this path"
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
    if _is_there(root / "oci-layout"):
        return False
    _require_free(root)
    with indexfile.locked():
        if _is_there(root / "oci-layout"):
            return False
        make_folders(root, "blobs")
        if not _is_there(root / "index.json"):
            _place(root, "index.json", EMPTY, durable=indexfile.durable)
        elif not complete:
            raise LayoutExistsError(f"{root} holds an index.json; open it with create=True")
        _place(root, "oci-layout", encode(Header()), durable=indexfile.durable)
    return True


def _is_there(path: Path) -> bool:
    with acting("look at", path):
        return path.exists()


def _require_free(root: Path) -> None:
    try:
        with acting("make the folder", root):
            root.mkdir(parents=True, exist_ok=True)
        fsync(root.parent)
    except FileExistsError:
        raise LayoutExistsError(f"{root} is a file; choose another path") from None
    with acting("list", root):
        names = sorted(found.name for found in root.iterdir())
    for name in names:
        if name not in _OF_A_CREATION and not name.startswith("index.json."):
            raise LayoutExistsError(
                f"{root} is not empty and no layout: it holds {name!r}; choose another folder"
            )


def _place(root: Path, name: str, data: bytes, *, durable: bool) -> None:
    temporary = f"index.json.{name}.{os.getpid()}.tmp"
    with acting("delete", root / temporary):
        (root / temporary).unlink(missing_ok=True)
    with new_file(root / name, temporary, root=root) as new:
        new.write(data)
        if durable:
            new.force()
        new.place(durable=durable)
