"""Where logins are kept: the files of Docker and of Podman, and the programs that they name.

Nothing is written, and nothing is read before a registry asks who we are.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocilayout.errors import AuthError, DocumentError, InvalidNameError, OciLayoutError
from ocilayout.model import DOCKER_HUB, MAX_DOCUMENT, Reference, parse_json
from ocilayout.registry.credential import Credentials
from ocilayout.registry.setting import read_setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocilayout.model import Json

_HUB_KEYS: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_SERVER: Final = "https://index.docker.io/v1/"
"""What Docker calls its registry where a helper is asked."""

_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT: Final = 30.0  # seconds; it may ask somebody on the screen
_NOT_FOUND: Final = "credentials not found"
_TOKEN_USER: Final = "<token>"  # noqa: S105 # what a helper says in place of a name


def find_credentials(
    name: str,
    *,
    files: tuple[str | os.PathLike[str], ...] | None = None,
    environ: Mapping[str, str] | None = None,
    helper_timeout: float = _HELPER_TIMEOUT,
) -> Credentials | None:
    """Find out who to be to a repository, by the logins of Docker and Podman.

    Looked into are, in this order: `$DOCKER_AUTH_CONFIG`, which holds the text of a file;
    `$REGISTRY_AUTH_FILE`, or else `containers/auth.json` in `$XDG_RUNTIME_DIR` and in
    `$XDG_CONFIG_HOME` or `~/.config`; and `config.json` in `$DOCKER_CONFIG` or `~/.docker`. The
    first that says something about the repository decides. Within a file that is the helper that
    it names for the registry, then the longest key that is the repository, a path above it or the
    registry, then the helper for all.

    Args:
        name: `host/path`.
        files: The files to look into instead.
        environ: The variables; those of the process if `None`.
        helper_timeout: How long to wait for a `docker-credential-` program, in seconds.

    Returns:
        The credentials, or `None` if nothing is said.

    Raises:
        InvalidNameError: The name is no repository.
        AuthError: A file cannot be read, is not a regular file or is too large, or a program
            failed. It says which one.
    """
    found = os.environ if environ is None else environ
    reference = Reference.parse(name)
    for where, text in _texts(files, found):
        config = _Config(where, text, found, helper_timeout)
        credentials = config.find(reference)
        if credentials is not None:
            return credentials
    return None


def _texts(
    files: tuple[str | os.PathLike[str], ...] | None, environ: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield what there is to look into, each with what it is called."""
    if files is None and (text := environ.get("DOCKER_AUTH_CONFIG")):
        yield "DOCKER_AUTH_CONFIG", text.encode("utf-8", "surrogateescape")
    for path in _places(environ) if files is None else map(Path, files):
        try:
            data = read_setting(path, limit=MAX_DOCUMENT)
        except (FileNotFoundError, NotADirectoryError):
            if files is None:
                continue
            raise AuthError(f"there is no file of logins {path}") from None
        except OSError as error:
            raise AuthError(f"the logins in {path} cannot be read: {error.strerror}") from None
        yield str(path), data


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("HOME", "")
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    else:
        if runtime := environ.get("XDG_RUNTIME_DIR"):
            yield Path(runtime, "containers/auth.json")
        if config := environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
            yield Path(config, "containers/auth.json")
    if folder := environ.get("DOCKER_CONFIG") or (home and f"{home}/.docker"):
        yield Path(folder, "config.json")


class _Config:
    """One file of logins."""

    def __init__(
        self, where: str, text: bytes, environ: Mapping[str, str], helper_timeout: float
    ) -> None:
        self._where = where
        self._environ = environ
        self._timeout = helper_timeout
        try:
            self._document = parse_json(text) if text.strip() else {}
        except OciLayoutError as error:
            # Not chained, and only the kind: the text holds secrets.
            kind = error.problems[0].code if isinstance(error, DocumentError) else "too large"
            raise AuthError(f"the logins in {where} cannot be read: {kind}") from None

    def find(self, reference: Reference) -> Credentials | None:
        helper = self._section("credHelpers").get(self._helper_key(reference.host))
        if isinstance(helper, str) and helper:
            return self._ask(helper, reference.host)
        entry = self._entry(reference)
        if entry:
            return self._read(entry)
        helper = self._document.get("credsStore")
        return self._ask(helper, reference.host) if isinstance(helper, str) and helper else None

    def _section(self, name: str) -> Mapping[str, Json]:
        section = self._document.get(name)
        return section if isinstance(section, dict) else {}

    def _helper_key(self, host: str) -> str:
        helpers = self._section("credHelpers")
        return next((key for key in helpers if _names(key) == host), host)

    def _entry(self, reference: Reference) -> Mapping[str, Json] | None:
        """Return the entry whose key is the longest that the repository lies under."""
        full = f"{reference.host}/{reference.repository}"
        best, length = None, 0
        for key, entry in self._section("auths").items():
            name = _names(key)
            if len(name) <= length or not f"{full}/".startswith(f"{name}/"):
                continue
            # An entry that is empty says that a program knows more.
            if isinstance(entry, dict) and entry:
                best, length = entry, len(name)
        return best

    def _read(self, entry: Mapping[str, Json]) -> Credentials | None:
        token = entry.get("identitytoken")
        if isinstance(token, str) and token:
            return Credentials("", "", identity_token=token)
        name, password = entry.get("username"), entry.get("password")
        auth = entry.get("auth")
        if isinstance(auth, str) and auth:
            name, password = self._decode(auth)
        if not (isinstance(name, str) and isinstance(password, str) and name):
            return None
        return Credentials(name, password)

    def _decode(self, auth: str) -> tuple[str, str]:
        try:
            pair = base64.b64decode(auth, validate=True).decode()
        except (binascii.Error, ValueError):
            pair = ""
        name, colon, password = pair.partition(":")
        if not colon:
            raise AuthError(
                f"an auth in {self._where} is not NAME:PASSWORD in Base64; log in again"
            )
        return name, password.strip("\x00")

    def _ask(self, helper: str, host: str) -> Credentials | None:
        """Ask a program, as Docker's protocol for credential helpers says."""
        if _HELPER.fullmatch(helper) is None:
            raise AuthError(f"{self._where} names a helper that is no name of a program")
        program = f"docker-credential-{helper}"
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None:
            raise AuthError(f"{self._where} names {program}, and there is no such program")
        server = _HUB_SERVER if host == DOCKER_HUB else host
        try:
            done = subprocess.run(  # noqa: S603 # by its name alone, which was checked
                [path, "get"],
                input=server.encode(),
                capture_output=True,
                check=False,
                timeout=self._timeout,
                env=dict(self._environ),
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            what = "took too long" if isinstance(error, subprocess.TimeoutExpired) else "failed"
            raise AuthError(f"{program} {what}") from None
        if done.returncode != 0:
            # What it printed is not repeated: it may be a secret.
            if _NOT_FOUND in done.stdout.decode(errors="replace").lower():
                return None
            raise AuthError(f"{program} ended with {done.returncode}; try {program} get yourself")
        return _answered(program, done.stdout)


def _answered(program: str, data: bytes) -> Credentials | None:
    try:
        answer = json.loads(data)
        name, secret = answer["Username"], answer["Secret"]
        if name == _TOKEN_USER:
            return Credentials("", "", identity_token=str(secret))
        return Credentials(str(name), str(secret)) if secret else None
    except (ValueError, TypeError, KeyError, InvalidNameError):
        raise AuthError(f"{program} answered without Username and Secret") from None


def _names(key: str) -> str:
    """Return what a key of a file of logins names: a registry, or a path in it.

    Docker once wrote whole addresses, `https://index.docker.io/v1/`; what stands behind the host
    of one is no path of a repository.
    """
    scheme, separator, rest = key.partition("://")
    name = rest.partition("/")[0] if separator and scheme in {"http", "https"} else key
    name = name.rstrip("/")
    host, slash, path = name.partition("/")
    return f"{DOCKER_HUB}{slash}{path}" if host in _HUB_KEYS else name
