"""Carrying out an operation, and ending one that was interrupted.

The operation is written to the record, the new folders are written next to their targets and
swapped in, the old ones are removed, and the record is updated. After a kill, the next writer looks
which folder is at each target and records just that: what was installed stays, since a user may
have seen and changed it. Space is freed before any is needed, so that an operation which filled the
disk can be undone.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ocilayout.layout import fsync
from skills.install.files import remove_tree, write_tree
from skills.install.swap import Move, inode_of, move_aside, put_back, swap_back, swap_in

if TYPE_CHECKING:
    from pathlib import Path

    from skills.install.installed import Document, Key, Operation
    from skills.install.record import Record
    from skills.packaging import Layer

_LOG: Final = logging.getLogger(__name__)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def install(record: Record, operation: Operation, layer: Layer) -> None:
    """Carry out an install; if it fails, all changes are undone.

    Raises:
        OSError: The file system refused.
    """
    record.save(record.document.with_operation(operation))  # before anything is changed
    try:
        staged = _stage(operation, layer, durable=record.durable)
        record.save(record.document.replace_operation(operation, staged))
        operation = staged
        for move in operation.moves:
            swap_in(move)
    except BaseException:
        for move in operation.moves:
            with suppress(OSError):
                swap_back(move)
        with suppress(OSError):  # the next writer tries again
            _finish(record, operation)
        raise
    _finish(record, operation)


def uninstall(record: Record, operation: Operation) -> None:
    """Carry out a removal; if it fails, the folders that still exist are still recorded.

    On a full disk the operation may not fit into the record. The removal goes on without, since it
    frees space: a kill may then leave a temporary folder behind, but never a part of a skill.

    Raises:
        OSError: The file system refused.
    """
    try:
        record.save(record.document.with_operation(operation))
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

    An operation that cannot be ended is logged and kept; the others are ended all the same.

    Returns:
        The errors of the operations that were not ended, by the keys of their skills.
    """
    failures: dict[Key, OSError] = {}
    for operation in record.document.operations:
        try:
            _finish(record, operation)
        except OSError as error:
            entry = operation.entry
            failures[entry.key] = error
            _LOG.warning(
                "an earlier %s of the skill %r cannot be ended; the next command tries again: %s",
                operation.kind,
                entry.name,
                error,
            )
    return failures


def settle(document: Document, operation: Operation) -> Document:
    """Return the document with the result of an operation, as the folders at its targets show it.

    Raises:
        OSError: A target cannot be looked at.
    """
    moves = operation.moves
    if operation.settled:
        return document
    if operation.kind == "install":
        return document.with_install(operation, [move.target for move in moves if move.done])
    return document.with_removal(operation, [move.target for move in moves if _is_gone(move)])


def _finish(record: Record, operation: Operation) -> None:
    """Record the result of an operation, and remove its temporary folders.

    Raises:
        OSError: A target cannot be looked at; the record is unchanged.
    """
    moves = operation.moves
    document = record.document
    if not operation.settled:
        for parent in {move.target.parent for move in moves}:
            _require_real(parent)
        for move in moves if operation.kind == "install" else ():
            put_back(move)
        for parent in {move.target.parent for move in moves} if record.durable else ():
            with suppress(FileNotFoundError):
                fsync(parent)
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
        # The record on the disk still has the operation, from which the next writer, or a reader,
        # gets the same result.
        _LOG.warning("the record of installed skills is updated later: %s", error)
        record.document = document


def _stage(operation: Operation, layer: Layer, *, durable: bool) -> Operation:
    """Write the new folders, and return the operation with their inodes and files."""
    for folder in operation.folders:
        folder.mkdir(exist_ok=True)
    files = operation.files
    moves = []
    for move in operation.moves:
        files = write_tree(layer, move.staged, durable=durable)
        moves.append(evolve(move, inode=inode_of(move.staged)))
    return evolve(operation, moves=tuple(moves), files=files)


def _require_real(folder: Path) -> None:
    """Refuse a folder that a symbolic link leads to by now: it is not the recorded folder."""
    if os.path.realpath(folder) != str(folder):
        raise OSError(errno.ELOOP, "is behind a symbolic link now", str(folder))


def _on_disk_of(record: Record, operation: Operation) -> bool:
    """Tell whether a removal frees space on the disk that has the record."""
    disk = record.path.parent.stat().st_dev
    parents = {move.target.parent for move in operation.moves}
    return all(parent.exists() and parent.stat().st_dev == disk for parent in parents)


def _is_gone(move: Move) -> bool:
    return os.path.lexists(move.aside) or not os.path.lexists(move.target)


def _tidy(document: Document, operation: Operation) -> Document:
    """Remove the empty folders among those that were made for skills, and record the others."""
    parents = {parent for move in operation.moves for parent in move.target.parents}
    recorded = dict.fromkeys(document.folders)
    inside_out = sorted(
        {*operation.folders, *(folder for folder in recorded if folder in parents)},
        key=lambda path: len(path.parts),
        reverse=True,
    )
    for folder in inside_out:
        try:
            folder.rmdir()
        except FileNotFoundError:
            recorded.pop(folder, None)
        except OSError:
            recorded[folder] = None
        else:
            recorded.pop(folder, None)
    return evolve(document, folders=tuple(recorded))
