"""Skills on the disk of a user: installed for clients, updated, listed, and removed again.

A tree is written beside its place and swapped in whole; an operation is noted before it begins, so
that the next writer after a kill can tell what it did. `source` finds the skill to install, `place`
says where to, `tree` writes and compares files, `swap` moves trees, `document` has what the record
says and `record` its file, `operation` carries out what `installer` decides.
"""

from skills.install.document import InstalledSkill
from skills.install.installer import Installer
from skills.install.record import State, default_state
from skills.install.source import ARCHIVE_PREFIX, Candidate, Sources, is_name, require_skill

__all__ = [
    "ARCHIVE_PREFIX",
    "Candidate",
    "InstalledSkill",
    "Installer",
    "Sources",
    "State",
    "default_state",
    "is_name",
    "require_skill",
]
