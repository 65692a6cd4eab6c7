"""The measurements, as tables for people and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from attrs import frozen

from tests.bench.measure import Result
from tests.bench.memory import LIMIT

_GROWTH_LIMIT: Final = 1.5
"""How much longer an entry may take among 100,000 than among 1,000."""

_HEADS: Final = (
    "case",
    "size",
    "ours",
    "yardstick",
    "theirs",
    "ratio",
    "middle half",
    "at most",
    "met",
)


@frozen(kw_only=True)
class Growth:
    """How the time per entry grows with the number of entries."""

    case: str
    few: int
    many: int
    ratio: float

    @property
    def met(self) -> bool:
        """Whether the growth is within the limit."""
        return self.ratio <= _GROWTH_LIMIT


@frozen(kw_only=True)
class Report:
    """One run.

    Attributes:
        results: The measurements.
        grows: The names of cases that are compared between their sizes.
        memory: The growth of the peak, in bytes, and the size of the file, in MiB; if measured.
    """

    results: Sequence[Result]
    grows: frozenset[str]
    memory: tuple[int, int] | None

    def growths(self) -> list[Growth]:
        """Return the growth of each case that was measured at several sizes."""
        found = []
        for name, group in groupby(self.results, key=lambda result: result.case):
            results = list(group)
            few, many = results[0], results[-1]
            if name in self.grows and few.size < many.size:
                ratio = _each(many) / _each(few)
                found.append(Growth(case=name, few=few.size, many=many.size, ratio=ratio))
        return found

    def as_json(self) -> str:
        """Return everything, single times included."""
        document: dict[str, Any] = {
            **_machine(),
            "results": [_as_dict(result) for result in self.results],
            "growth": [
                {
                    "case": growth.case, "few": growth.few, "many": growth.many,
                    "ratio": growth.ratio, "limit": _GROWTH_LIMIT, "met": growth.met,
                }
                for growth in self.growths()
            ],
        }  # fmt: skip
        if self.memory is not None:
            grown, mebibytes = self.memory
            document["memory"] = {
                "case": "put", "mebibytes": mebibytes, "grown": grown, "limit": LIMIT,
                "met": grown < LIMIT,
            }  # fmt: skip
        return json.dumps(document, indent=2)

    def as_text(self) -> str:
        """Return tables."""
        machine = _machine()
        rows = [_HEADS, *(_row(result) for result in self.results)]
        parts = [
            f"{machine['python']}, {machine['processors']} processors, {machine['system']}",
            _table(rows),
        ]
        growths = self.growths()
        if growths:
            heads = ("case", "an entry among", "over one among", "ratio", "at most", "met")
            lines = [
                (
                    growth.case, f"{growth.many:,}", f"{growth.few:,}", f"{growth.ratio:.2f}",
                    str(_GROWTH_LIMIT), _said(met=growth.met),
                )
                for growth in growths
            ]  # fmt: skip
            parts.append(_table([heads, *lines]))
        if self.memory is not None:
            grown, mebibytes = self.memory
            parts.append(
                f"Storing a file of {mebibytes} MiB, the peak of memory grew by"
                f" {grown / 2**20:.1f} MiB; below {LIMIT >> 20} is wanted:"
                f" {_said(met=grown < LIMIT)}."
            )
        return "\n\n".join(parts) + "\n"


def _each(result: Result) -> float:
    return statistics.median(result.ours) / result.size


def _machine() -> dict[str, Any]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }


def _as_dict(result: Result) -> dict[str, Any]:
    low, high = result.spread
    return {
        "case": result.case,
        "about": result.about,
        "size": result.size,
        "unit": result.unit,
        "repetitions": result.repetitions,
        "ours": result.ours,
        "yardstick": result.yardstick,
        "theirs": result.theirs,
        "ratio": result.ratio,
        "middle_half": [low, high],
        "limit": result.limit,
        "met": result.met,
    }


def _row(result: Result) -> tuple[str, ...]:
    low, high = result.spread
    return (
        result.case,
        f"{result.size:,} {result.unit}",
        _duration(result.ours),
        result.yardstick,
        _duration(result.theirs),
        f"{result.ratio:.2f}",
        f"{low:.2f} to {high:.2f} of {result.repetitions}",
        "" if result.limit is None else f"{result.limit:.2f}",
        "" if result.met is None else _said(met=result.met),
    )


def _duration(times: Iterable[float]) -> str:
    seconds = statistics.median(times)
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _said(*, met: bool) -> str:
    return "yes" if met else "NO"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
