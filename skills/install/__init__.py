"""Skills on the disk of a user: installed for clients, updated, listed, and removed again.

A tree is written aside and swapped in whole; what is about to happen is noted first, so that
whoever comes after a kill can tell what there is. `source` finds what is to be installed, `place`
says where to, `tree` writes and compares files, `swap` moves trees, `record` remembers, `operation`
does it all in order, `installer` decides.
"""

from skills.install.installer import Installer
from skills.install.record import InstalledSkill
from skills.install.source import ARCHIVE_PREFIX, Candidate, Sources, is_name, require_skill
from skills.install.state import State, default_state

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
