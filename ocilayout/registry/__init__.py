"""The client of the distribution-spec: one repository of one registry.

It reads with the verbs of a layout and writes what a copy writes. Not in here: the graph, which
`ocilayout.transfer` walks, and logging in; logins of other programs are read, and nothing is kept.
"""

from ocilayout.registry.credential import Credentials
from ocilayout.registry.keychain import find_credentials
from ocilayout.registry.patience import Retry, Timeouts
from ocilayout.registry.proxy import Proxies
from ocilayout.registry.repository import Repository
from ocilayout.registry.trust import find_certs

__all__ = [
    "Credentials",
    "Proxies",
    "Repository",
    "Retry",
    "Timeouts",
    "find_certs",
    "find_credentials",
]
