"""The fsck of a layout: what is wrong with it, and what can be mended without guessing.

`fsck` gives the findings and `repair` acts on some of them; `finding` is the table of all codes.
The rest is how they look: documents (`reading`, `advice`), the graph (`survey`), files (`holding`,
`probe`).
"""

from ocilayout.check.finding import KINDS, Kind
from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import Action, RepairReport, repair

__all__ = ["KINDS", "Action", "Kind", "RepairReport", "iter_problems", "repair"]
