"""How an operation is carried out, and what is made of one that was cut short.

It is noted, trees are written aside, swapped in, the record is brought up to date, and what is left
over is removed. After a kill, whoever comes next looks at what is in its place and lets the record
say just that: nothing is undone that somebody may have seen and changed since.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve

from skills.install.swap import Move, inode_of, restore, swap_back, swap_in, take_out
from skills.install.tree import remove_tree, sync, write_tree

if TYPE_CHECKING:
    from skills.install.plan import Plan
    from skills.install.record import Record
    from skills.install.swap import Swap
    from skills.layer import Layer


def put_in_place(record: Record, plan: Plan, layer: Layer, swap: Swap, *, durable: bool) -> None:
    """Carry out an install; if that fails, everything is as it was.

    Args:
        record: The record.
        plan: What is to be done.
        layer: The files.
        swap: How two folders change places.
        durable: Whether to force files and folders onto the disk.

    Raises:
        OSError: The file system refused.
    """
    number = record.journal.begin(plan)
    try:
        plan = _stage(plan, layer, durable=durable)
        record.journal.amend(number, plan)
        for move in plan.moves:
            swap_in(move, swap)
    except BaseException:
        for move in plan.moves:
            with suppress(OSError):
                swap_back(move, swap)
        raise
    finally:
        _finish(record, number, plan, durable=durable)


def take_away(record: Record, plan: Plan, *, durable: bool) -> None:
    """Carry out a removal; if that fails, what is in its place still is recorded.

    Args:
        record: The record.
        plan: What is to be done.
        durable: As for `put_in_place`.

    Raises:
        OSError: The file system refused.
    """
    number = record.journal.begin(plan)
    try:
        for move in plan.moves:
            take_out(move)
    finally:
        _finish(record, number, plan, durable=durable)


def recover(record: Record, *, durable: bool) -> None:
    """Bring the record up to date with what processes did that were killed.

    Args:
        record: The record.
        durable: As for `put_in_place`.

    Raises:
        OSError: The file system refused.
    """
    for operation in record.journal.operations():
        _finish(
            record,
            operation.number,
            operation.plan,
            settled=operation.settled,
            durable=durable,
        )


def _finish(
    record: Record, number: int, plan: Plan, *, durable: bool, settled: bool = False
) -> None:
    """Let the record say what is in its place, and remove what is left over.

    What cannot be removed now is tried again with the next operation.
    """
    if not settled:
        _settle(record, number, plan, durable=durable)
    with suppress(OSError):
        for move in plan.moves:
            remove_tree(move.staged)
            remove_tree(move.aside)
        _tidy(record, plan)
        record.journal.drop(number)


def _settle(record: Record, number: int, plan: Plan, *, durable: bool) -> None:
    if plan.kind == "install":
        for move in plan.moves:
            restore(move)
    for parent in {move.target.parent for move in plan.moves} if durable else ():
        sync(parent)
    if plan.kind == "install":
        record.settle_install(number, plan, [move for move in plan.moves if move.done])
    else:
        record.settle_removal(number, plan, [move for move in plan.moves if _is_gone(move)])


def _stage(plan: Plan, layer: Layer, *, durable: bool) -> Plan:
    """Write all trees beside their places, and return the plan with what was written."""
    for folder in plan.folders:
        folder.mkdir(exist_ok=True)
    files = plan.files
    moves = []
    for move in plan.moves:
        files = write_tree(layer, move.staged, durable=durable)
        moves.append(evolve(move, inode=inode_of(move.staged)))
    return evolve(plan, moves=tuple(moves), files=files)


def _is_gone(move: Move) -> bool:
    return os.path.lexists(move.aside) or not os.path.lexists(move.target)


def _tidy(record: Record, plan: Plan) -> None:
    """Remove the folders that were made for skills, as far as they are empty; note the others."""
    parents = {parent for move in plan.moves for parent in move.target.parents}
    made = [folder for folder in record.journal.folders() if folder in parents]
    for folder in dict.fromkeys((*reversed(plan.folders), *made)):
        try:
            folder.rmdir()
        except FileNotFoundError:
            record.journal.forget_folder(folder)
        except OSError:
            record.journal.note_folder(folder)
        else:
            record.journal.forget_folder(folder)
