"""The client of the distribution-spec: one repository of one registry.

It reads with the verbs of a layout and writes what a copy writes. Not in here: the graph, which
`ocilayout.copy` walks, and credential stores, whose entries the caller passes as `Credentials`.
"""

from ocilayout.registry.auth import Credentials
from ocilayout.registry.repository import Repository

__all__ = ["Credentials", "Repository"]
