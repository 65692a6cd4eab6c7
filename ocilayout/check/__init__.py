"""The fsck of a layout: what is wrong with it, and what can be mended without guessing.

`fsck` finds problems, `repair` acts on some of them; `finding` is the table of all codes.
The rest is how they look: documents (`reading`, `advice`), the graph (`survey`), files (`holding`,
`probe`).
"""

from ocilayout.check.finding import KINDS, Kind
from ocilayout.check.fsck import iter_problems
from ocilayout.check.repair import Action, RepairReport, repair_folder
from ocilayout.check.requirement import Requirement, find, iter_requirements

__all__ = [
    "KINDS",
    "Action",
    "Kind",
    "RepairReport",
    "Requirement",
    "find",
    "iter_problems",
    "iter_requirements",
    "repair_folder",
]
