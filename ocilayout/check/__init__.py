"""What is wrong with a layout, and how to repair what can be repaired without guessing.

`iter_problems` reports the problems, `repair` acts on some of them, and `KINDS` is the table of all
kinds of problems.
"""

from ocilayout.check.finding import KINDS, Kind
from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import Action, RepairReport, repair

__all__ = ["KINDS", "Action", "Kind", "RepairReport", "iter_problems", "repair"]
