"""Access: how a registry is reached and as whom, and how far an archive is unpacked.

Registries are loaded only when one is opened: a layout and an archive need none of it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from attrs import field, frozen

from ocilayout.cli.locator import InArchive, InRegistry, Locator
from ocilayout.cli.terminal import printable
from ocilayout.errors import AuthError
from ocilayout.frozenmap import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.registry import Credentials, Repository
    from ocilayout.registry.credential import Finder

Purpose = Literal["registry", "archive"]
"""What an option is for."""


@frozen(kw_only=True)
class Access:
    """What was said of how to reach a place.

    Attributes:
        prefix: What the names of the options begin with, and in capitals those of the variables.
        given: The options that were given, each with what it is for.
        plain_http: Whether to do without TLS; `None` for loopback hosts only.
        ca_file: The authorities to trust; `None` for those of the system.
        client_cert: A file with a certificate of ours and its key, or `None`.
        cert_dir: A folder of certificates as Docker has them; `None` for the one that is kept for
            the registry.
        proxy: The proxy that leads there, empty for none; `None` for that of the environment.
        timeout: The longest wait for a registry, in seconds.
        chunk_size: How large the chunks of what is sent are, in bytes; `None` for one piece.
        authfile: The file of logins to look into; `None` for those of Docker and Podman.
        no_login: Whether to look into none.
        username: Who to be, or `None` for whoever is logged in.
        password_stdin: Whether a line of standard input has the password.
        unpack_limit: How much an archive may unpack to, in bytes, or `None`.
    """

    prefix: str = ""
    given: FrozenMap[str, Purpose] = field(default=FrozenMap())
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
        """Refuse options that mean nothing for a locator.

        Raises:
            UsageError: There are some.
        """
        purpose = {InArchive: "archive", InRegistry: "registry"}.get(type(locator))
        for option, meant in self.given.items():
            if meant != purpose:
                article = "an" if meant == "archive" else "a"
                raise click.UsageError(f"{option} is for {article} {meant}, and {locator} is none")

    @contextmanager
    def repository(self, locator: InRegistry) -> Iterator[Repository]:
        """Open a repository, until the end of the block; then its warnings are shown.

        Raises:
            UsageError: Options contradict each other, or there is a user without a password.
            InvalidNameError: The repository or the proxy has no address.
            AuthError: The block raised it; it says which options were missing.
            OSError: A file of certificates cannot be read.
        """
        with self.connect(locator.repository) as repository, self.explaining():
            try:
                yield repository
            finally:
                warn(repository)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Let an error of authentication say which options are missing.

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
        """Return a repository, to be closed; nothing is sent yet.

        Args:
            name: `host/path`.

        Raises:
            UsageError: Options contradict each other, or there is a user without a password.
            InvalidNameError: The repository or the proxy has no address.
            OSError: A file of certificates cannot be read.
        """
        return self.connector()(name)

    def connector(self) -> Callable[[str], Repository]:
        """Return what connects as `connect` does, any number of times; a password is asked now.

        Raises:
            UsageError: As `connect` says.
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

    def _credentials(self) -> Credentials | Finder | None:
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
                f"--{self.prefix}username says who to be; leave out where to look for it"
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
            # No more than the line is taken: what follows is another password, or an archive.
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
    """Show a person what a registry warned of."""
    for text in repository.warnings:
        click.echo(f"Warning of {repository.name}: {printable(text)}", err=True)
