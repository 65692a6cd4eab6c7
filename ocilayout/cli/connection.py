"""Connections: how a registry is reached and as which user, and the options that say so.

One of these options is for archives: how much a compressed one may unpack to. The package
`registry` is loaded when a repository is opened: layouts and archives do without it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import evolve, frozen

from ocilayout.cli.argument import (
    InArchive,
    InRegistry,
    Locator,
    given,
    read_by,
    read_chunk_size,
    read_size,
)
from ocilayout.cli.terminal import printable
from ocilayout.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.registry import CredentialFinder, Credentials, Repository

    Verb = Callable[..., None]


@frozen(kw_only=True)
class Access:
    """The options that say how to reach a registry, or how to read an archive; see `_OPTIONS`.

    Attributes:
        prefix: What the names of the options begin with, such as `from-`, and in capitals those of
            the environment variables.
        given: The options that are on the command line, as they are written there.
    """

    prefix: str = ""
    given: tuple[str, ...] = ()
    plain_http: bool | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    cert_dir: Path | None = None
    proxy: str | None = None
    timeout: float = 30.0
    chunk_size: int | None = None
    authfile: Path | None = None
    no_login: bool = False
    username: str | None = None
    password_stdin: bool = False
    unpack_limit: int | None = None

    def require_use(self, locator: Locator) -> None:
        """Refuse options that do not apply to a locator.

        Raises:
            UsageError: One does not.
        """
        for option in self.given:
            for_archive = option.endswith("unpack-limit")
            if not isinstance(locator, InArchive if for_archive else InRegistry):
                noun = "an archive" if for_archive else "a registry"
                raise click.UsageError(f"{option} is for {noun}, and {locator} is not one")

    def without_unpack_limit(self) -> Access:
        """Return the same without the option for archives, where that says how layers unpack."""
        given = tuple(option for option in self.given if not option.endswith("unpack-limit"))
        return evolve(self, given=given)

    @contextmanager
    def repository(self, locator: InRegistry) -> Iterator[Repository]:
        """Open a repository until the end of the block, then show its warnings.

        Raises:
            AuthError: The block raised it; it says which options were missing.
            UsageError: As `connector` says; so are the others.
        """
        with self.connect(locator.repository) as repository, self.explaining():
            try:
                yield repository
            finally:
                warn(repository)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Add to an error of authentication which options are missing.

        Raises:
            AuthError: The block raised it.
        """
        try:
            yield
        except AuthError as error:
            if self.username is not None:
                raise
            how = f"--{self.prefix}username and --{self.prefix}password-stdin"
            raise AuthError(f"{error}: {how}", status=error.status, codes=error.codes) from None

    def connect(self, name: str) -> Repository:
        """Return a repository, to be closed, by its name `host/path`; see `connector`."""
        return self.connector()(name)

    def connector(self) -> Callable[[str], Repository]:
        """Return a function that returns a repository by its name, `host/path`.

        It sends nothing. It raises InvalidNameError where the repository or the proxy does not have
        a valid address, and OSError where a file of certificates cannot be read.

        Raises:
            UsageError: Options contradict each other, or a user is named without a password, which
                is asked for now.
        """
        from ocilayout.registry import (  # noqa: PLC0415 # see the module's docstring
            Proxies,
            Repository,
            find_certs,
        )

        credentials = self._credentials()
        proxies = None if self.proxy is None else Proxies(http=self.proxy, https=self.proxy)

        def connect(name: str) -> Repository:
            return Repository(
                name,
                plain_http=self.plain_http,
                credentials=credentials,
                ca_certs=self.ca_file,
                client_cert=self.client_cert,
                certs=self.cert_dir or find_certs(name.partition("/")[0]),
                proxies=proxies,
                timeout=self.timeout,
                chunk_size=self.chunk_size,
            )

        return connect

    def _credentials(self) -> Credentials | CredentialFinder | None:
        from ocilayout.registry import Credentials, find_credentials  # noqa: PLC0415

        if self.username is None:
            if self.password_stdin:
                raise click.UsageError(f"a password needs a user; give --{self.prefix}username")
            if self.no_login:
                return None
            files = None if self.authfile is None else (self.authfile,)
            return partial(find_credentials, files=files)
        if self.authfile is not None or self.no_login:
            raise click.UsageError(
                f"--{self.prefix}username names the user; leave out where to look for one"
            )
        password = self._password(self.username)
        try:
            f"{self.username}{password}".encode()
        except UnicodeEncodeError:
            raise click.UsageError("the user or the password is not in UTF-8") from None
        return Credentials(self.username, password)

    def _password(self, username: str) -> str:
        variable = f"OCILAYOUT_{self.prefix}PASSWORD".upper().replace("-", "_")
        password = os.environ.get(variable)
        if self.password_stdin:
            # Only this line: what follows it is another password, or an archive.
            line = sys.stdin.buffer.readline().decode(errors="surrogateescape")
            password = line.rstrip("\r\n") or None
        elif password is None and sys.stdin.isatty():
            password = str(click.prompt(f"Password of {username}", hide_input=True, err=True))
        if password is None:
            raise click.UsageError(
                f"{username} needs a password; give it with --{self.prefix}password-stdin,"
                f" or in {variable}"
            )
        return password


def warn(repository: Repository) -> None:
    """Show the warnings of a registry on standard error."""
    for text in repository.warnings:
        click.echo(f"Warning of {repository.name}: {printable(text)}", err=True)


_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "plain_http": {
        "default": None,
        "help": "Reach the registry without or with TLS; without on loopback by default.",
    },
    "ca_file": {
        "type": _FILE,
        "help": "Trust these authorities (PEM) instead of those of the system.",
    },
    "client_cert": {
        "type": _FILE,
        "help": "Authenticate with this certificate; its key is in the same file (PEM).",
    },
    "cert_dir": {
        "type": click.Path(file_okay=False, path_type=Path),
        "help": "A folder of certificates as Docker has them: *.crt, *.cert and *.key.",
    },
    "proxy": {
        "metavar": "URL",
        "help": "Reach the registry through this proxy, or through none if it is empty.",
    },
    "timeout": {
        "type": click.FloatRange(min=0, min_open=True),
        "default": 30.0,
        "show_default": True,
        "metavar": "SECONDS",
        "help": "How long to wait for the registry.",
    },
    "chunk_size": {
        "callback": read_by(read_chunk_size),
        "metavar": "SIZE",
        "help": "Send blobs in chunks of this size, such as 16MiB; in one piece by default.",
    },
    "authfile": {
        "type": _FILE,
        "help": "Look for a login in this file instead of those of Docker and Podman.",
    },
    "no_login": {"is_flag": True, "help": "Look for no login; stay anonymous."},
    "username": {
        "show_envvar": True,
        "help": "The user; the password is asked for, or taken from {variable}PASSWORD.",
    },
    "password_stdin": {
        "is_flag": True,
        "help": "Read the password from a line of standard input.",
    },
    "unpack_limit": {
        "callback": read_by(read_size),
        "metavar": "SIZE",
        "help": "How much a compressed archive may unpack to, such as 2GiB; by default 100 times"
        " its size, and 256 MiB at least.",
    },
}
"""The options of `Access`, by their names without a prefix."""


def access(prefix: str = "", *, reads: bool = True, writes: bool = False) -> Callable[[Verb], Verb]:
    """Give a verb the options of `Access`, as the parameter `access` with the prefix before it.

    Args:
        prefix: What the names of the options begin with, such as `from-`.
        reads: Whether an archive may be read.
        writes: Whether a registry may be written to.
    """
    under = prefix.replace("-", "_")
    left_out = {"unpack_limit": not reads, "chunk_size": not writes}
    options = [name for name in _OPTIONS if not left_out.get(name)]

    def decorate(function: Verb) -> Verb:
        @wraps(function)
        def verb(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            values = {name: kwargs.pop(under + name) for name in options}
            chosen = tuple(given(prefix, *options).values())
            reached = Access(prefix=prefix, given=chosen, **values)
            function(*args, **kwargs, **{f"{under}access": reached})

        made: Verb = verb
        for name in reversed(options):
            made = _option(prefix, name)(made)
        return made

    return decorate


def _option(prefix: str, name: str) -> Callable[[Verb], Verb]:
    """Return the option of a name, with the prefix before it."""
    how = dict(_OPTIONS[name])
    flag = f"--{prefix}{name.replace('_', '-')}"
    under = prefix.replace("-", "_")
    if name == "plain_http":
        flag = f"{flag}/--{prefix}tls"
    if name == "username":
        variable = f"OCILAYOUT_{under}".upper()
        how |= {"envvar": f"{variable}USERNAME", "help": how["help"].format(variable=variable)}
    return click.option(flag, under + name, **how)
