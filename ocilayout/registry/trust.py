"""Trust: which authorities vouch for a registry, and with what certificate we say who we are.

A certificate of ours is for the registry alone: who stands behind a redirect, or gives tokens,
does not see it.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

File = str | os.PathLike[str]
"""Where a file lies."""

_SYSTEM_FOLDERS: Final = ("/etc/containers/certs.d", "/etc/docker/certs.d")


@frozen(kw_only=True)
class Trust:
    """What TLS to one registry is built on.

    Attributes:
        ca_certs: A PEM file of the authorities to trust, in place of those of the system; `None`
            for these.
        client_cert: A PEM file with a certificate of ours and its key, or two files; `None` for
            no certificate.
        folder: A folder as Docker has one for each registry: authorities in `*.crt`, to be trusted
            besides the others, and a certificate of ours in `*.cert` with its key in `*.key`.
    """

    ca_certs: File | None = None
    client_cert: File | tuple[File, File] | None = None
    folder: File | None = None

    def require(self) -> None:
        """Read everything once, so that what is missing is known before anything is sent.

        Raises:
            OSError: A file cannot be read, or holds no certificate or no key.
        """
        if (self.ca_certs, self.client_cert, self.folder) != (None, None, None):
            self.context(own=True)

    def context(self, *, own: bool) -> ssl.SSLContext:
        """Return how TLS is spoken.

        Args:
            own: Whether to the registry itself, and not to another host that it names.

        Raises:
            OSError: As `require` says.
        """
        authorities = self._authorities()
        if self.ca_certs is None and not authorities and not (own and self._certificates()):
            return _system()
        context = ssl.create_default_context(cafile=self.ca_certs)
        for path in authorities:
            context.load_verify_locations(cafile=path)
        if own:
            for certificate, key in self._certificates():
                # An empty password, lest OpenSSL asks for one on the terminal.
                context.load_cert_chain(certificate, key, password="")
        return context

    def _authorities(self) -> list[Path]:
        return [] if self.folder is None else sorted(Path(self.folder).glob("*.crt"))

    def _certificates(self) -> list[tuple[File, File | None]]:
        if isinstance(self.client_cert, tuple):
            return [self.client_cert]
        if self.client_cert is not None:
            return [(self.client_cert, None)]
        if self.folder is None:
            return []
        return [
            (path, path.with_suffix(".key")) for path in sorted(Path(self.folder).glob("*.cert"))
        ]


def find_certs(host: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the folder of certificates that is kept for a registry, as Podman and Docker do it.

    Looked at are `containers/certs.d` in `$XDG_CONFIG_HOME` or `~/.config`, and `certs.d` in
    `/etc/containers` and `/etc/docker`, for a folder named by the host and its port.

    Args:
        host: The registry, with its port if it has one.
        environ: The variables; those of the process if `None`.
    """
    found = os.environ if environ is None else environ
    config = found.get("XDG_CONFIG_HOME") or Path(found.get("HOME", ""), ".config")
    folders = [Path(config, "containers/certs.d"), *map(Path, _SYSTEM_FOLDERS)]
    for folder in folders:
        if folder.is_absolute() and (folder / host).is_dir():
            return folder / host
    return None


@cache
def _system() -> ssl.SSLContext:
    # Loading the authorities of a system takes tens of milliseconds.
    return ssl.create_default_context()
