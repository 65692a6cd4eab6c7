"""What is wrong with a layout, and how to repair what can be repaired without guessing.

`iter_problems` reports problems, `repair_folder` acts on some of them, and `KINDS` is the table of
all kinds of problems; `find_requirement` returns the requirement that a problem is about. Notes are
all that spec-notes has to say: `named_notes`, `search_notes`.
"""

from ocilayout.check.finding import KINDS, Kind
from ocilayout.check.fsck import iter_problems
from ocilayout.check.note import Note, iter_notes, named_notes, search_notes
from ocilayout.check.repair import Action, RepairReport, repair_folder
from ocilayout.check.requirement import Requirement, find_requirement, iter_requirements

__all__ = [
    "KINDS",
    "Action",
    "Kind",
    "Note",
    "RepairReport",
    "Requirement",
    "find_requirement",
    "iter_notes",
    "iter_problems",
    "iter_requirements",
    "named_notes",
    "repair_folder",
    "search_notes",
]
