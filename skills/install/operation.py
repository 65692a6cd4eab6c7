"""How an operation is carried out, and how it is ended after it was cut short.

The operation is noted, the trees are written beside their places and swapped in, what is not
needed any more is removed, and the record is brought up to date. After a kill, the next writer
looks at what is in each place and lets the record say just that: what was installed stays, since
a user may have seen and changed it. Space is given back before any is asked for, so that an
operation which filled the disk can be undone.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve

from skills.install.swap import Move, inode_of, move_aside, put_back, swap_back, swap_in
from skills.install.tree import remove_tree, sync, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from skills.install.document import Document, Key, Operation
    from skills.install.record import Record
    from skills.install.swap import Swap
    from skills.layer import Layer

_LOG: Final = logging.getLogger(__name__)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def install(record: Record, operation: Operation, layer: Layer, swap: Swap) -> None:
    """Carry out an install; if it fails, everything is as it was.

    Args:
        record: The record.
        operation: What to do.
        layer: The files.
        swap: How two folders change places.

    Raises:
        OSError: The file system refused.
    """
    _note(record, operation)
    try:
        staged = _stage(operation, layer, durable=record.durable)
        record.save(record.document.replace_operation(operation, staged))
        operation = staged
        for move in operation.moves:
            swap_in(move, swap)
    except BaseException:
        for move in operation.moves:
            with suppress(OSError):
                swap_back(move, swap)
        with suppress(OSError):  # the next writer ends it
            _finish(record, operation)
        raise
    _finish(record, operation)


def uninstall(record: Record, operation: Operation) -> None:
    """Carry out a removal; if it fails, the folders that are still in place are still recorded.

    A full disk may have no space for the note. Then the removal goes on without it, since it is
    what makes space: a kill may leave a hidden folder behind, but no half of a skill.

    Args:
        record: The record.
        operation: What to do.

    Raises:
        OSError: The file system refused.
    """
    try:
        _note(record, operation)
    except OSError as error:
        if error.errno not in _FULL or not _on_disk_of(record, operation):
            raise
    try:
        for move in operation.moves:
            move_aside(move)
    finally:
        _finish(record, operation)


def recover(record: Record) -> dict[Key, OSError]:
    """End the operations of processes that were killed.

    An operation that cannot be ended is logged and kept, and does not keep others from being ended.

    Args:
        record: The record.

    Returns:
        What the file system said about the operations that were not ended, by their skills.
    """
    failures: dict[Key, OSError] = {}
    for operation in record.document.operations:
        try:
            _finish(record, operation)
        except OSError as error:
            entry = operation.entry
            failures[entry.key] = error
            _LOG.warning(
                "an earlier %s of the skill %r cannot be ended, and is tried again by the next"
                " command: %s",
                operation.kind,
                entry.name,
                error,
            )
    return failures


def settle(document: Document, operation: Operation) -> Document:
    """Return a document that says what an operation did, by a look at what is in each place.

    Args:
        document: The document with the operation.
        operation: The operation.

    Raises:
        OSError: A place cannot be looked at.
    """
    moves = operation.moves
    if operation.settled:
        return document
    if operation.kind == "install":
        return document.with_install(operation, [move.target for move in moves if move.done])
    return document.with_removal(operation, [move.target for move in moves if _is_gone(move)])


def _finish(record: Record, operation: Operation) -> None:
    """Let the record say what is in each place, and remove what is not needed any more.

    Raises:
        OSError: A place cannot be looked at; the operation is noted as before.
    """
    moves = operation.moves
    document = record.document
    if not operation.settled:
        for parent in {move.target.parent for move in moves}:
            _require_real(parent)
        for move in moves if operation.kind == "install" else ():
            put_back(move)
        for parent in {move.target.parent for move in moves} if record.durable else ():
            sync(parent)
        document = settle(document, operation)
    try:
        for move in moves:
            remove_tree(move.staged)
            remove_tree(move.aside)
    except OSError as error:  # such as a file that is in use; the next writer tries again
        _LOG.warning("a temporary folder cannot be removed yet: %s", error)
        document = document.replace_operation(operation, evolve(operation, settled=True))
    else:
        document = _tidy(document, operation).replace_operation(operation)
    try:
        record.save(document)
    except OSError as error:
        if operation not in record.document.operations:
            raise
        # What is on the disk says the same: the operation is noted there, and how to tell what it
        # did. The next writer, or a reader, looks again.
        _LOG.warning("the record of what is installed is brought up to date later: %s", error)
        record.document = document


def _note(record: Record, operation: Operation) -> None:
    """Note an operation before anything is changed.

    Raises:
        OSError: The record cannot be written; it is as it was.
    """
    document = record.document
    record.save(evolve(document, operations=(*document.operations, operation)))


def _stage(operation: Operation, layer: Layer, *, durable: bool) -> Operation:
    """Write all trees beside their places, and return the operation with what was written."""
    for folder in operation.folders:
        folder.mkdir(exist_ok=True)
    files = operation.files
    moves = []
    for move in operation.moves:
        files = write_tree(layer, move.staged, durable=durable)
        moves.append(evolve(move, inode=inode_of(move.staged)))
    return evolve(operation, moves=tuple(moves), files=files)


def _require_real(folder: Path) -> None:
    """Refuse a folder that is behind a symbolic link now: it is not the folder that was noted."""
    if os.path.realpath(folder) != str(folder):
        raise OSError(errno.ELOOP, "is behind a symbolic link now", str(folder))


def _on_disk_of(record: Record, operation: Operation) -> bool:
    """Tell whether a removal makes space on the disk that has the record."""
    disk = record.path.parent.stat().st_dev
    parents = {move.target.parent for move in operation.moves}
    return all(parent.exists() and parent.stat().st_dev == disk for parent in parents)


def _is_gone(move: Move) -> bool:
    return os.path.lexists(move.aside) or not os.path.lexists(move.target)


def _tidy(document: Document, operation: Operation) -> Document:
    """Remove the folders that were made for skills, as far as they are empty; note the others."""
    parents = {parent for move in operation.moves for parent in move.target.parents}
    noted = dict.fromkeys(document.folders)
    inside_out = sorted(
        {*operation.folders, *(folder for folder in noted if folder in parents)},
        key=lambda path: len(path.parts),
        reverse=True,
    )
    for folder in inside_out:
        try:
            folder.rmdir()
        except FileNotFoundError:
            noted.pop(folder, None)
        except OSError:
            noted[folder] = None
        else:
            noted.pop(folder, None)
    return evolve(document, folders=tuple(noted))
