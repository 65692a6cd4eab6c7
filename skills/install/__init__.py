"""Skills on the disk of a user: installed for clients, updated, listed, and removed again.

New files are written to a temporary folder next to the target, which is swapped in. An operation is
recorded before it begins, so that after a kill the next writer can tell what it did.
"""

from skills.install.clients import ALL, CLIENTS, require_clients
from skills.install.installed import InstalledSkill
from skills.install.installer import Installer

__all__ = [
    "ALL",
    "CLIENTS",
    "InstalledSkill",
    "Installer",
    "require_clients",
]
