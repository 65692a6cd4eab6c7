"""Credentials: user names, passwords and tokens, and the logins of Docker and Podman to find them.

Logins are read from files and from the credential helpers that these name. Nothing is written,
nothing is read before a registry asks for credentials, and no secret is shown.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from attrs import field, frozen

from ocilayout.errors import AuthError, DocumentError, InvalidNameError, OciLayoutError
from ocilayout.model import DOCKER_HUB, MAX_DOCUMENT, Reference, parse_json
from ocilayout.registry.setting import read_setting
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocilayout.model import Json

_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_SERVER: Final = "https://index.docker.io/v1/"
"""Docker's name for its registry when it asks a credential helper."""

_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT: Final = 30.0  # seconds; the helper may ask the user on the screen
_NOT_FOUND: Final = "credentials not found"
_RUNTIME: Final = "/run/containers"
_TOKEN_USER: Final = "<token>"  # noqa: S105 # a helper's user name when the secret is a token


@checked
@frozen
class Credentials:
    """A user of a registry.

    Attributes:
        username: The user name; without a colon, which ends it in Basic authentication.
        password: The password, or a token that the registry accepts in its place.
        identity_token: A token that a login left in place of a password. It is exchanged for
            bearer tokens at the token server, by OAuth2. Empty for none; otherwise user name and
            password are not used.

    Raises:
        InvalidNameError: The user name has a colon, or a text cannot be written in UTF-8.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidNameError("a user name must not have a colon")
        try:
            f"{self.username}{self.password}{self.identity_token}".encode()
        except UnicodeEncodeError:
            # Not chained: the reason has the text.
            raise InvalidNameError("the user or the password is not in UTF-8") from None

    def basic(self) -> str:
        """Return the value of `Authorization` for Basic authentication: RFC 7617, in UTF-8."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    def secrets(self) -> tuple[str, ...]:
        """Return every text in these credentials that must not be shown."""
        every = (self.password, self.identity_token, self.basic().removeprefix("Basic "))
        return tuple(secret for secret in every if secret)


CredentialFinder = Callable[[str], Credentials | None]
"""Returns the credentials for a repository, `host/path`; `None` for anonymous access."""


class Secrets:
    """Secrets that were sent, to recognise them in what a registry says."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, *secrets: str) -> None:
        """Add secrets, with the forms that they have in an address and in Base64."""
        for secret in secrets:
            coded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode("ascii")
            plain = secret.encode("utf-8", "replace").decode()
            forms = (secret, quote(plain), quote(plain, safe=""), quote_plus(plain), coded)
            self._forms.update(form.rstrip("=").lower() for form in forms)
        self._forms.discard("")

    def appear_in(self, text: str) -> bool:
        """Tell whether a text contains one of the secrets, in upper or lower case."""
        text = text.lower()
        return any(form in text for form in self._forms)


@checked
def find_credentials(
    name: str,
    *,
    files: tuple[str | os.PathLike[str], ...] | None = None,
    environ: Mapping[str, str] | None = None,
    helper_timeout: float = _HELPER_TIMEOUT,
) -> Credentials | None:
    """Return the credentials for a repository from the logins of Docker and Podman.

    The sources, in this order: `$DOCKER_AUTH_CONFIG`, which holds the text of a file;
    `$REGISTRY_AUTH_FILE`, or else `containers/auth.json` in `$XDG_RUNTIME_DIR` (without it
    `/run/containers/$UID/auth.json`) and in `$XDG_CONFIG_HOME` or `~/.config`; and `config.json` in
    `$DOCKER_CONFIG` or `~/.docker`. The first source with credentials for the repository decides.
    Within a file the order is: the helper for this registry; the longest key that is the
    repository, a path above it or the registry; the helper for all registries.

    Args:
        name: `host/path`.
        files: The files to read instead.
        environ: The environment variables; those of this process if `None`.
        helper_timeout: How long to wait for a `docker-credential-` program, in seconds.

    Returns:
        The credentials, or `None` if no source has any.

    Raises:
        InvalidNameError: The name is not a repository.
        AuthError: A file is unreadable, not a regular file or too large, or a program failed. The
            error names it.
    """
    variables = os.environ if environ is None else environ
    reference = Reference.parse(name)
    for where, text in _sources(files, variables):
        logins = _Logins(where, text, variables, helper_timeout)
        credentials = logins.find(reference)
        if credentials is not None:
            return credentials
    return None


def _sources(
    files: tuple[str | os.PathLike[str], ...] | None, environ: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the text of each source."""
    if files is None and (text := environ.get("DOCKER_AUTH_CONFIG")):
        yield "DOCKER_AUTH_CONFIG", text.encode("utf-8", "surrogateescape")
    for path in _paths(environ) if files is None else map(Path, files):
        try:
            data = read_setting(path, limit=MAX_DOCUMENT)
        except (FileNotFoundError, NotADirectoryError):
            if files is None:
                continue
            raise AuthError(f"there is no file of logins {path}") from None
        except OSError as error:
            raise AuthError(f"the logins in {path} cannot be read: {error.strerror}") from None
        yield str(path), data


def _paths(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("HOME", "")
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    else:
        if runtime := environ.get("XDG_RUNTIME_DIR"):
            yield Path(runtime, "containers/auth.json")
        elif os.access(own := Path(_RUNTIME, str(os.getuid()), "auth.json"), os.R_OK):
            yield own  # where Podman stores logins then
        if config := environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
            yield Path(config, "containers/auth.json")
    if folder := environ.get("DOCKER_CONFIG") or (home and f"{home}/.docker"):
        yield Path(folder, "config.json")


class _Logins:
    """One file of logins."""

    def __init__(
        self, where: str, text: bytes, environ: Mapping[str, str], helper_timeout: float
    ) -> None:
        self._where = where
        self._environ = environ
        self._helper_timeout = helper_timeout
        try:
            self._document = parse_json(text) if text.strip() else {}
        except OciLayoutError as error:
            # Only the kind of error, and not chained: the text holds secrets.
            kind = error.problems[0].code if isinstance(error, DocumentError) else "too large"
            raise AuthError(f"the logins in {where} cannot be read: {kind}") from None

    def find(self, reference: Reference) -> Credentials | None:
        host = reference.host
        helpers = self._section("credHelpers")
        named = (key for key in helpers if host in {key, _registry_name(key)})
        helper = helpers.get(next(named, host))
        if isinstance(helper, str) and helper:
            return self._ask_helper(helper, host)
        login = self._login(reference)
        if login:
            return self._read_login(login)
        helper = self._document.get("credsStore")
        return self._ask_helper(helper, host) if isinstance(helper, str) and helper else None

    def _section(self, name: str) -> Mapping[str, Json]:
        section = self._document.get(name)
        return section if isinstance(section, dict) else {}

    def _login(self, reference: Reference) -> Mapping[str, Json] | None:
        """Return the login under the longest key that covers the repository."""
        full = f"{reference.host}/{reference.repository}"
        best, length = None, 0
        for key, login in self._section("auths").items():
            name = _registry_name(key)
            if len(name) <= length or not f"{full}/".startswith(f"{name}/"):
                continue
            # Docker writes an empty login where its helper keeps the credentials.
            if isinstance(login, dict) and login:
                best, length = login, len(name)
        return best

    def _read_login(self, login: Mapping[str, Json]) -> Credentials | None:
        token = login.get("identitytoken")
        if isinstance(token, str) and token:
            return Credentials("", "", identity_token=token)
        name, password = login.get("username"), login.get("password")
        auth = login.get("auth")
        if isinstance(auth, str) and auth:
            name, password = self._decode(auth)
        if not (isinstance(name, str) and isinstance(password, str) and name):
            return None
        return Credentials(name, password)

    def _decode(self, auth: str) -> tuple[str, str]:
        coded = "".join(auth.split()).rstrip("=")  # may be wrapped, and without its padding
        try:
            pair = base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            pair = ""
        name, colon, password = pair.partition(":")
        if not colon:
            raise AuthError(
                f"an auth in {self._where} is not NAME:PASSWORD in Base64; log in again"
            )
        return name, password.strip("\x00")

    def _ask_helper(self, helper: str, host: str) -> Credentials | None:
        """Run a helper by Docker's protocol: a server on its input, JSON on its output."""
        if _HELPER.fullmatch(helper) is None:
            raise AuthError(f"{self._where} names a helper that is not the name of a program")
        program = f"docker-credential-{helper}"
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None:
            raise AuthError(f"{self._where} names {program}, and there is no such program")
        server = _HUB_SERVER if host == DOCKER_HUB else host
        try:
            ended = subprocess.run(  # noqa: S603 # by its name alone, which was checked
                [path, "get"],
                input=server.encode(),
                capture_output=True,
                check=False,
                timeout=self._helper_timeout,
                env=dict(self._environ),
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            what = "took too long" if isinstance(error, subprocess.TimeoutExpired) else "failed"
            raise AuthError(f"{program} {what}") from None
        if ended.returncode != 0:
            # The output is not repeated, as it may have a secret.
            if _NOT_FOUND in ended.stdout.decode(errors="replace").lower():
                return None
            raise AuthError(f"{program} ended with {ended.returncode}; try {program} get yourself")
        return _parse_helper_output(program, ended.stdout)


def _parse_helper_output(program: str, data: bytes) -> Credentials | None:
    try:
        output = json.loads(data)
        name, secret = output["Username"], output["Secret"]
        if name == _TOKEN_USER:
            return Credentials("", "", identity_token=str(secret))
        return Credentials(str(name), str(secret)) if secret else None
    except (ValueError, TypeError, KeyError, InvalidNameError):
        raise AuthError(f"{program} answered without Username and Secret") from None


def _registry_name(key: str) -> str:
    """Return the registry, or the path in one, that a key of a file of logins stands for.

    Docker once wrote whole addresses, `https://index.docker.io/v1/`; the path of an address is not
    a repository.
    """
    scheme, separator, rest = key.partition("://")
    name = rest.partition("/")[0] if separator and scheme in {"http", "https"} else key
    name = name.rstrip("/")
    host, slash, path = name.partition("/")
    return f"{DOCKER_HUB}{slash}{path}" if host in _HUB_NAMES else name
