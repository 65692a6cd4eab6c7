"""The client of the distribution-spec: `Repository` reads and writes one repository of a registry.

It exports the options of the constructor as well, and functions that find the logins and
certificates that Docker and Podman keep. Copying a graph is left to `ocilayout.copy`, and logging
in to other programs.
"""

from ocilayout.extra import naming_extra

with naming_extra():
    from ocilayout.registry.address import Proxies
    from ocilayout.registry.credential import CredentialFinder, Credentials, find_credentials
    from ocilayout.registry.patience import Patience, Timeouts
    from ocilayout.registry.repository import Repository
    from ocilayout.registry.trust import find_certs

__all__ = [
    "CredentialFinder",
    "Credentials",
    "Patience",
    "Proxies",
    "Repository",
    "Timeouts",
    "find_certs",
    "find_credentials",
]
