"""Access: how a registry is reached and as whom, and how far an archive is unpacked.

Registries are loaded only when one is opened: a layout and an archive need none of it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from attrs import field, frozen

from ocilayout.cli.locator import InArchive, InRegistry, Locator
from ocilayout.errors import AuthError
from ocilayout.frozenmap import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.registry import Credentials, Repository

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
        timeout: The longest wait for a registry, in seconds.
        username: Who to be, or `None`.
        password_stdin: Whether a line of standard input has the password.
        unpack_limit: How much an archive may unpack to, in bytes, or `None`.
    """

    prefix: str = ""
    given: FrozenMap[str, Purpose] = field(default=FrozenMap())
    plain_http: bool | None = None
    ca_file: Path | None = None
    timeout: float = 30.0
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
        """Open a repository, until the end of the block.

        Raises:
            UsageError: There is a user without a password, or the other way round.
            InvalidNameError: The repository has no address.
            AuthError: The block raised it; it says which options were missing.
            OSError: The file of authorities cannot be read.
        """
        from ocilayout.registry import Repository  # noqa: PLC0415 # see the module's docstring

        with Repository(
            locator.repository,
            plain_http=self.plain_http,
            credentials=self._credentials(),
            ca_certs=self.ca_file,
            timeout=self.timeout,
        ) as repository:
            try:
                yield repository
            except AuthError as error:
                if self.username is not None:
                    raise
                how = f"--{self.prefix}username and --{self.prefix}password-stdin"
                raise AuthError(f"{error}: {how}", status=error.status, codes=error.codes) from None

    def _credentials(self) -> Credentials | None:
        from ocilayout.registry import Credentials  # noqa: PLC0415

        if self.username is None:
            if self.password_stdin:
                raise click.UsageError(f"a password needs a user; give --{self.prefix}username")
            return None
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
