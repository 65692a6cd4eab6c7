"""Certificates: the authorities that vouch for a registry, and a client certificate for it.

Only the registry itself sees the client certificate; hosts behind a redirect and token servers do
not.
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
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

File = str | os.PathLike[str]
"""The path of a file."""

_SYSTEM_FOLDERS: Final = ("/etc/containers/certs.d", "/etc/docker/certs.d")


@frozen(kw_only=True)
class Trust:
    """The certificates for TLS to one registry.

    Attributes:
        ca_certs: A PEM file of the authorities to trust in place of those of the operating system,
            or `None`.
        client_cert: A PEM file with the client certificate and its key, or two files, or `None`.
        folder: A folder as Docker has for each registry, or `None`: `*.crt` are authorities to
            trust in addition, `*.cert` is a client certificate and `*.key` its key.
    """

    ca_certs: File | None = None
    client_cert: File | tuple[File, File] | None = None
    folder: File | None = None

    def require(self) -> None:
        """Read everything once, to find errors before a request is sent.

        Raises:
            OSError: A file is unreadable, not a regular file, or has no certificate or no key; or
                the folder cannot be listed. The error has the path.
        """
        if (self.ca_certs, self.client_cert, self.folder) != (None, None, None):
            self.context(own=True)

    def context(self, *, own: bool) -> ssl.SSLContext:
        """Return the context for TLS.

        Args:
            own: Whether it is for the registry itself, and not for another host that it names.

        Raises:
            OSError: As `require` says.
        """
        listed = self._listed()
        authorities = [path for path in listed if path.suffix == ".crt"]
        certificates = self._client_certificates(listed) if own else []
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
                # Without a password OpenSSL would ask for one on the terminal.
                context.load_cert_chain(certificate, key, password="")
        return context

    def _listed(self) -> list[Path]:
        return [] if self.folder is None else sorted(Path(self.folder).iterdir())

    def _client_certificates(self, listed: list[Path]) -> list[tuple[File, File | None]]:
        if isinstance(self.client_cert, tuple):
            return [self.client_cert]
        if self.client_cert is not None:
            return [(self.client_cert, None)]
        return [(path, path.with_suffix(".key")) for path in listed if path.suffix == ".cert"]


@checked
def find_certs(host: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the folder of certificates that Podman and Docker use for a registry, if any.

    The places are `containers/certs.d` in `$XDG_CONFIG_HOME` or `~/.config`, and `certs.d` in
    `/etc/containers` and `/etc/docker`; the folder there has the name of the host with its port.

    Args:
        host: The registry, with its port if it has one.
        environ: The environment variables; those of this process if `None`.
    """
    variables = os.environ if environ is None else environ
    config = variables.get("XDG_CONFIG_HOME") or Path(variables.get("HOME", ""), ".config")
    folders = [Path(config, "containers/certs.d"), *map(Path, _SYSTEM_FOLDERS)]
    for folder in folders:
        if folder.is_absolute() and (folder / host).is_dir():
            return folder / host
    return None


@contextmanager
def _naming(*files: File | None) -> Iterator[None]:
    """Check files before OpenSSL opens them, and name them in its errors.

    OpenSSL takes nothing but paths, waits for pipes, and names no file in its errors.

    Raises:
        OSError: A file is unreadable, not a regular file or too large, or OpenSSL finds no
            certificate or key in it.
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
    """Check the file of the operating system's authorities, which `SSL_CERT_FILE` may name.

    Raises:
        OSError: It is unreadable, not a regular file or too large.
    """
    paths = ssl.get_default_verify_paths()
    named = os.environ.get(paths.openssl_cafile_env, paths.openssl_cafile)
    if Path(named).exists():
        read_setting(named, limit=MAX_CERTIFICATES)


@cache
def _system() -> ssl.SSLContext:
    _require_system()
    # Cached, as loading the authorities takes tens of milliseconds.
    return ssl.create_default_context()
