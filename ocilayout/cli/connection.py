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
from typing import TYPE_CHECKING, Any

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
    """The options that say how to reach a registry, or how to read an archive.

    Attributes:
        prefix: What the names of the options begin with, such as `from-`, and in capitals those of
            the environment variables.
        given: The options that are on the command line, as they are written there.
        plain_http: Whether to do without TLS; `None` for loopback hosts only.
        ca_file: The authorities to trust; `None` for those of the system.
        client_cert: A file with a client certificate and its key, or `None`.
        cert_dir: A folder of certificates in Docker's layout; `None` for the one that is configured
            for the registry.
        proxy: The URL of a proxy, empty for none; `None` for that of the environment.
        timeout: The longest wait for the registry, in seconds.
        chunk_size: The size of the chunks that blobs are sent in, in bytes; `None` for one piece.
        authfile: The file to look for a login in; `None` for those of Docker and Podman.
        no_login: Whether to look for no login.
        username: The user, or `None` for the one who is logged in.
        password_stdin: Whether a line of standard input is the password.
        unpack_limit: How much an archive may unpack to, in bytes, or `None` for the default.
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


def access(prefix: str = "", *, reads: bool = True, writes: bool = False) -> Callable[[Verb], Verb]:
    """Give a verb the options of `Access`, as the parameter `access` with the prefix before it.

    Args:
        prefix: What the names of the options begin with, such as `from-`.
        reads: Whether an archive may be read.
        writes: Whether a registry may be written to.
    """
    under = prefix.replace("-", "_")
    options = _access_options(prefix, under)
    if not reads:
        del options["unpack_limit"]
    if not writes:
        del options["chunk_size"]

    def decorate(function: Verb) -> Verb:
        @wraps(function)
        def verb(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            values = {name: kwargs.pop(under + name) for name in options}
            chosen = tuple(given(prefix, *options).values())
            reached = Access(prefix=prefix, given=chosen, **values)
            function(*args, **kwargs, **{f"{under}access": reached})

        made: Verb = verb
        for option in reversed(options.values()):
            made = option(made)
        return made

    return decorate


def _access_options(prefix: str, under: str) -> dict[str, Callable[[Verb], Verb]]:
    variable = f"OCILAYOUT_{under}".upper()
    return {
        "plain_http": click.option(
            f"--{prefix}plain-http/--{prefix}tls",
            f"{under}plain_http",
            default=None,
            help="Reach the registry without or with TLS; without on loopback by default.",
        ),
        "ca_file": click.option(
            f"--{prefix}ca-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Trust these authorities (PEM) instead of those of the system.",
        ),
        "client_cert": click.option(
            f"--{prefix}client-cert",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Authenticate with this certificate; its key is in the same file (PEM).",
        ),
        "cert_dir": click.option(
            f"--{prefix}cert-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help="A folder of certificates as Docker has them: *.crt, *.cert and *.key.",
        ),
        "proxy": click.option(
            f"--{prefix}proxy",
            metavar="URL",
            help="Reach the registry through this proxy, or through none if it is empty.",
        ),
        "timeout": click.option(
            f"--{prefix}timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=30.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for the registry.",
        ),
        "chunk_size": click.option(
            f"--{prefix}chunk-size",
            callback=read_by(read_chunk_size),
            metavar="SIZE",
            help="Send blobs in chunks of this size, such as 16MiB; in one piece by default.",
        ),
        "authfile": click.option(
            f"--{prefix}authfile",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Look for a login in this file instead of those of Docker and Podman.",
        ),
        "no_login": click.option(
            f"--{prefix}no-login", is_flag=True, help="Look for no login; stay anonymous."
        ),
        "username": click.option(
            f"--{prefix}username",
            envvar=f"{variable}USERNAME",
            show_envvar=True,
            help=f"The user; the password is asked for, or taken from {variable}PASSWORD.",
        ),
        "password_stdin": click.option(
            f"--{prefix}password-stdin",
            is_flag=True,
            help="Read the password from a line of standard input.",
        ),
        "unpack_limit": click.option(
            f"--{prefix}unpack-limit",
            callback=read_by(read_size),
            metavar="SIZE",
            help="How much a compressed archive may unpack to, such as 2GiB; by default 100 times"
            " its size, and 256 MiB at least.",
        ),
    }
