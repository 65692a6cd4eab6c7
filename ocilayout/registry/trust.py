"""Trust: which authorities vouch for a registry, and with what certificate we say who we are.

A certificate of ours is for the registry alone: who stands behind a redirect, or gives tokens,
does not see it.
"""

from __future__ import annotations

import errno
import os
import ssl
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.registry.setting import MAX_CERTIFICATES, read_setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
            OSError: A file cannot be read, is not a regular file, or holds no certificate or no
                key; or the folder cannot be listed. The error names it.
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
        listed = self._listed()
        authorities = [path for path in listed if path.suffix == ".crt"]
        certificates = self._certificates(listed) if own else []
        if self.ca_certs is None and not authorities and not certificates:
            return _system()
        if self.ca_certs is None:
            _require_system()
            context = ssl.create_default_context()
        else:
            with _naming(self.ca_certs):
                context = ssl.create_default_context(cafile=self.ca_certs)
        for path in authorities:
            with _naming(path):
                context.load_verify_locations(cafile=path)
        for certificate, key in certificates:
            with _naming(certificate, key):
                # An empty password, lest OpenSSL asks for one on the terminal.
                context.load_cert_chain(certificate, key, password="")
        return context

    def _listed(self) -> list[Path]:
        return [] if self.folder is None else sorted(Path(self.folder).iterdir())

    def _certificates(self, listed: list[Path]) -> list[tuple[File, File | None]]:
        if isinstance(self.client_cert, tuple):
            return [self.client_cert]
        if self.client_cert is not None:
            return [(self.client_cert, None)]
        return [(path, path.with_suffix(".key")) for path in listed if path.suffix == ".cert"]


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


@contextmanager
def _naming(*files: File | None) -> Iterator[None]:
    """Let OpenSSL open files that can be opened, and let its errors name them.

    OpenSSL takes paths alone, waits for pipes, and says of no file that it is the one.

    Raises:
        OSError: A file cannot be read, is not a regular file or is too large, or OpenSSL finds
            nothing of the kind in it.
    """
    named = [file for file in files if file is not None]
    for file in named:
        read_setting(file, limit=MAX_CERTIFICATES)
    try:
        yield
    except OSError as error:
        where = " and ".join(str(Path(file)) for file in named)
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise OSError(
            errno.EINVAL, f"Holds no certificate or key that can be used ({reason})", where
        ) from error


def _require_system() -> None:
    """Refuse a file of the system's authorities, as SSL_CERT_FILE names it, that is not a file.

    Raises:
        OSError: It is not a regular file, cannot be read, or is too large.
    """
    paths = ssl.get_default_verify_paths()
    named = os.environ.get(paths.openssl_cafile_env, paths.openssl_cafile)
    if Path(named).exists():
        read_setting(named, limit=MAX_CERTIFICATES)


@cache
def _system() -> ssl.SSLContext:
    _require_system()
    # Loading the authorities of a system takes tens of milliseconds.
    return ssl.create_default_context()
