"""Transfers: a graph of content from any source to any target, and what is told of it.

`copy` and `copy_all` are the verbs; `LeftBehind` finds what a copy of documents that are not
understood would have needed. Not in here: what a source or a target is, which `ocilayout.model`
says, and connections to registries.
"""

from __future__ import annotations

from ocilayout.transfer.copying import copy, copy_all, transfer
from ocilayout.transfer.event import Event, Report, ReportingStream, ignore
from ocilayout.transfer.left_behind import LeftBehind, opener
from ocilayout.transfer.plan import put_and_bind

__all__ = [
    "Event",
    "LeftBehind",
    "Report",
    "ReportingStream",
    "copy",
    "copy_all",
    "ignore",
    "opener",
    "put_and_bind",
    "transfer",
]
