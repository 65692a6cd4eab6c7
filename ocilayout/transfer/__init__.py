"""Transfers of a graph of content from any source to any target, and their events.

`copy` and `copy_all` are the verbs. `transfer` and `put_and_bind` are their two halves, for callers
that tag what they transferred by rules of their own, as `skills` does. `LeftBehind` finds content
that a copy left behind, because a document names it where it is not understood. Not in here: what a
source or a target is, which `ocilayout.model` says, and connections to registries.
"""

from __future__ import annotations

from ocilayout.transfer.copying import copy, copy_all, in_batches, transfer
from ocilayout.transfer.event import Event, Report, ReportingStream, ignore
from ocilayout.transfer.left_behind import LeftBehind, opener
from ocilayout.transfer.missing import MissingPart, missing_parts, require_chosen, without_missing
from ocilayout.transfer.plan import put_and_bind

__all__ = [
    "Event",
    "LeftBehind",
    "MissingPart",
    "Report",
    "ReportingStream",
    "copy",
    "copy_all",
    "ignore",
    "in_batches",
    "missing_parts",
    "opener",
    "put_and_bind",
    "require_chosen",
    "transfer",
    "without_missing",
]
