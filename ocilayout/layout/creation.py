"""The files that make a folder a layout: required when it is opened, written when it is created."""

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

# Names that a new layout may find in its folder: those of a creation by another process, or by one
# that was killed half-way, and what a new file system has in its topmost folder.
_OF_A_CREATION = frozenset({"blobs", "ingest", "index.json", "oci-layout", "lost+found"})


def require_layout(root: Path, indexfile: IndexFile) -> None:
    """Raise an error for a folder that is not a layout; `Layout.open` lists the errors.

    Spec: image-layout:oci-layout-file, image-layout:version, image-layout:index-json.
    """
    try:
        _require_version(root / "oci-layout")
        indexfile.snapshot()
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(str(error.filename)).name
        reason = f"{missing} is missing" if _exists(root) else "there is nothing at this path"
        raise NotALayoutError(f"{root} is not an OCI image layout: {reason}") from None


def _require_version(path: Path) -> None:
    with acting("read", path), os.fdopen(open_regular(path, follow=True), "rb") as file:
        data = file.read(MAX_HEADER + 1)
    with read_from(str(path)):
        decode(data, Header, limit=MAX_HEADER)


def create_layout(root: Path, indexfile: IndexFile, *, complete: bool) -> bool:
    """Make a folder a layout.

    `oci-layout` is written last, so a folder that has it is a complete layout.

    Args:
        root: The folder; created with its parents if it is missing.
        indexfile: Its root index, which has the lock.
        complete: Whether to keep an existing `index.json`, such as a creation leaves that was
            killed. It is never replaced.

    Returns:
        False if the folder is a layout already; then nothing was done.

    Raises:
        LayoutExistsError: The folder holds other files, or the path is not a folder.
        LockTimeoutError: Another process is creating the layout, and takes too long.

    Spec: image-layout:blobs-folder, image-layout:oci-layout-file, image-layout:index-json.
    """
    if _exists(root / "oci-layout"):
        return False
    _require_free(root)
    with indexfile.locked():
        if _exists(root / "oci-layout"):
            return False
        make_folders(root, "blobs")
        if not _exists(root / "index.json"):
            _write(root, "index.json", EMPTY, durable=indexfile.durable)
        elif not complete:
            raise LayoutExistsError(f"{root} holds an index.json; open it with create=True")
        _write(root, "oci-layout", encode(Header()), durable=indexfile.durable)
    return True


def _exists(path: Path) -> bool:
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
        names = sorted(child.name for child in root.iterdir())
    for name in names:
        # `index.json.lock` and temporary files of the index are those of another creation, too.
        if name not in _OF_A_CREATION and not name.startswith("index.json."):
            raise LayoutExistsError(
                f"{root} is not empty and not a layout: it holds {name!r}; choose another folder"
            )


def _write(root: Path, name: str, data: bytes, *, durable: bool) -> None:
    # The writer lock is held, so a temporary file of this name belongs to a process that died.
    temporary = f"index.json.{name}.{os.getpid()}.tmp"
    with acting("delete", root / temporary):
        (root / temporary).unlink(missing_ok=True)
    with new_file(root / name, temporary, root=root) as new:
        new.write(data)
        if durable:
            new.force()
        new.place(durable=durable)
