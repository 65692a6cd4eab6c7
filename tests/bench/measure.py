"""Cases, and how a case is measured: both sides in turns, medians, and their spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

_BUDGET: Final = 12.0
"""About how long all repetitions of a case take at one size, in seconds."""

_FEWEST, _MOST = 5, 41


def nothing() -> None:
    """Do nothing."""


@frozen(kw_only=True)
class Subject:
    """A case that is ready to run at one size.

    Attributes:
        ours: Our side, which is measured.
        yardsticks: The other sides; the slowest counts, if there are several.
        before: Called before each call of a side, unmeasured.
        after: Called once at the end.
    """

    ours: Callable[[], object]
    yardsticks: Mapping[str, Callable[[], object]]
    before: Callable[[], object] = nothing
    after: Callable[[], object] = nothing


@frozen(kw_only=True)
class Case:
    """A case to measure.

    Attributes:
        name: Its name on the command line.
        about: What is measured, in a few words.
        make: Prepares the case in an empty folder, at a size.
        sizes: The sizes, ascending.
        unit: The unit of the sizes.
        limits: The highest allowed ratio, by size.
        grows: Whether the time per unit is compared between the sizes.
        needs: The programs that the yardstick needs.
    """

    name: str
    about: str
    make: Callable[[Path, int], Subject]
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    unit: str = "entries"
    limits: Mapping[int, float] = field(factory=dict)
    grows: bool = True
    needs: tuple[str, ...] = ()


@frozen(kw_only=True)
class Result:
    """The measurements of a case at one size.

    Attributes:
        case: The name of the case.
        about: What was measured.
        size: The size.
        unit: The unit of the size.
        repetitions: How often each side was measured.
        ours: Our times, in seconds, in the order of measuring.
        yardstick: The name of the yardstick.
        theirs: Its times.
        limit: The highest allowed ratio, if there is a limit.
    """

    case: str
    about: str
    size: int
    unit: str
    repetitions: int
    ours: list[float]
    yardstick: str
    theirs: list[float]
    limit: float | None

    @property
    def ratio(self) -> float:
        """The median of our times over the median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def spread(self) -> tuple[float, float]:
        """The range of the middle half of the ratios of neighbouring measurements."""
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        return low, high

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within the limit, if there is one."""
        return None if self.limit is None else self.ratio <= self.limit


def measure(case: Case, size: int, folder: Path, *, repetitions: int | None = None) -> Result:
    """Measure a case.

    Args:
        case: The case.
        size: Its size.
        folder: An empty folder to work in.
        repetitions: How often to measure each side; by default as often as time allows.
    """
    subject = case.make(folder, size)
    try:
        return _measure(case, size, subject, repetitions)
    finally:
        subject.after()


def _measure(case: Case, size: int, subject: Subject, repetitions: int | None) -> Result:
    acts = [subject.ours, *subject.yardsticks.values()]
    warm = sum(_time(act, subject) for act in acts)
    if repetitions is None:
        repetitions = min(max(int(_BUDGET / warm), _FEWEST), _MOST)
    times: list[list[float]] = [[] for _ in acts]
    for turn in range(repetitions):
        for number in range(len(acts)):
            which = (turn + number) % len(acts)
            times[which].append(_time(acts[which], subject))
    ours, *theirs = times
    slowest = max(range(len(theirs)), key=lambda which: statistics.median(theirs[which]))
    return Result(
        case=case.name,
        about=case.about,
        size=size,
        unit=case.unit,
        repetitions=repetitions,
        ours=ours,
        yardstick=list(subject.yardsticks)[slowest],
        theirs=theirs[slowest],
        limit=case.limits.get(size),
    )


def _time(act: Callable[[], object], subject: Subject) -> float:
    subject.before()
    gc.collect()  # so that no call pays for the garbage of another
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
