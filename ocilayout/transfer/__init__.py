"""Transfers: a graph of content from any source to any target."""

from __future__ import annotations

from ocilayout.transfer.behind import LeftBehind, opener
from ocilayout.transfer.copying import (
    CopySource,
    Event,
    Limits,
    copy,
    copy_all,
    put_and_bind,
    transfer,
)
from ocilayout.transfer.event import Report, Told, ignore

__all__ = [
    "CopySource",
    "Event",
    "LeftBehind",
    "Limits",
    "Report",
    "Told",
    "copy",
    "copy_all",
    "ignore",
    "opener",
    "put_and_bind",
    "transfer",
]
