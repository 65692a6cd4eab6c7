"""Arguments and options that several verbs take, and what a shell completes them with.

Options that belong together reach a verb as one value: `Access`, `Place` or `Writing`.
"""

from __future__ import annotations

import stat
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
from attrs import evolve, frozen
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ocilayout.cli.connection import Access, Purpose
from ocilayout.cli.locator import InLayout, Locator
from ocilayout.cli.place import Place
from ocilayout.cli.value import read_chunk_size, read_folder, read_size, read_source
from ocilayout.descriptor import Platform
from ocilayout.errors import DocumentError, OciLayoutError
from ocilayout.frozenmap import FrozenMap
from ocilayout.layout import Layout
from ocilayout.reference import is_ref_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Verb = Callable[..., None]

_MAX_OFFERED: Final = 16 * 1024 * 1024
"""How large an index is read for a completion, in bytes; that of some 80,000 entries."""


def read_by(read: Callable[[str], object]) -> Callable[..., Any]:
    """Return a callback that reads a parameter, or each of several values, with a function.

    Args:
        read: Raises ValueError for what is not as it must be, which is wrong use.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        try:
            if isinstance(value, tuple):
                return tuple(read(text) for text in value)
            return None if value is None else read(value)
        except DocumentError as error:
            raise click.BadParameter(error.problems[0].message, ctx, param) from None
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


def complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave paths to the shell."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in a layout that begin so; none where that is not cheap to know."""
    del param
    place = ctx.params.get("source") or ctx.params.get("path")
    path = place.path if isinstance(place, InLayout) else place
    if not isinstance(path, str | Path):
        return []
    return offered(path, incomplete)


def offered(path: str | Path, incomplete: str) -> list[str]:
    """Return what is offered of the names in a layout.

    While a person waits for the Tab key no pipe is waited for, and no large file parsed.

    Args:
        path: The folder of the layout.
        incomplete: What the names begin with.

    Returns:
        The names, sorted bytewise; none if they cannot be had.
    """
    try:
        files = [Path(path, name).stat() for name in ("oci-layout", "index.json")]
        if not all(stat.S_ISREG(one.st_mode) and one.st_size <= _MAX_OFFERED for one in files):
            return []
        names = Layout.open(path).tags()
    except (OciLayoutError, OSError, ValueError):
        return []
    return safe_names(names, incomplete)


def safe_names(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that begin so and that every shell takes for nothing but text.

    A shell pastes what it is offered, and bash does it without quotes. The ref.name grammar has
    letters, digits and `-._:@+/` alone, and begins with one of the former: that means nothing to
    bash, zsh and fish. Any other name is left to be written by hand.

    Args:
        names: The names, from wherever.
        incomplete: What they begin with.
    """
    return [name for name in names if name.startswith(incomplete) and is_ref_name(name)]


folder = click.argument("path", callback=read_by(read_folder), shell_complete=complete_path)
names = click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_name
)
platform = click.option(
    "--platform",
    callback=read_by(Platform.parse),
    metavar="OS/ARCH[/VARIANT]",
    help="Of an index, take the manifest for this platform.",
)


# ---------------------------------------------------------------- how a layout is written


@frozen(kw_only=True)
class Writing:
    """How a layout is written.

    Attributes:
        durability: `commit` if all is to be on the disk when the command is done.
        lock_timeout: How long to wait for other writers, in seconds.
    """

    durability: Literal["commit", "none"]
    lock_timeout: float

    def open(self, path: str | Path, *, create: bool = False, any_name: bool = False) -> Layout:
        """Open a layout so.

        Raises:
            OciLayoutError: As `Layout.open` says.
        """
        return Layout.open(
            path,
            create=create,
            durability=self.durability,
            lock_timeout=self.lock_timeout,
            strict_names=not any_name,
        )


any_name = click.option(
    "--any-name", is_flag=True, help="Allow names that other programs refuse to address."
)


def writing(function: Verb) -> Verb:
    """Take how a layout is written, as `writing`."""

    @click.option(
        "--durability",
        type=click.Choice(["commit", "none"]),
        default="commit",
        show_default=True,
        help="Force it onto the disk, or leave that to the system.",
    )
    @click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for other writers.",
    )
    @wraps(function)
    def verb(
        *args: Any,  # noqa: ANN401
        durability: Literal["commit", "none"],
        lock_timeout: float,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        how = Writing(durability=durability, lock_timeout=lock_timeout)
        function(*args, writing=how, **kwargs)

    return verb


# ---------------------------------------------------------------- how a place is reached

_PURPOSES: Final[dict[str, Purpose]] = {
    "plain_http": "registry",
    "ca_file": "registry",
    "client_cert": "registry",
    "cert_dir": "registry",
    "proxy": "registry",
    "timeout": "registry",
    "chunk_size": "registry",
    "authfile": "registry",
    "no_login": "registry",
    "username": "registry",
    "password_stdin": "registry",
    "unpack_limit": "archive",
}


def access(prefix: str = "", *, reads: bool = True, writes: bool = False) -> Callable[[Verb], Verb]:
    """Take how a registry or an archive is reached, as `access` with the prefix before it.

    Args:
        prefix: What the names of the options begin with, such as `from-`.
        reads: Whether an archive may be read there.
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
            said = given(prefix, *options)
            purposes: dict[str, Purpose] = {said[name]: _PURPOSES[name] for name in said}
            reached = Access(prefix=prefix, given=FrozenMap(purposes), **values)
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
            help="Trust these authorities (PEM) and not those of the system.",
        ),
        "client_cert": click.option(
            f"--{prefix}client-cert",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Say who we are by this certificate, with its key in the same file (PEM).",
        ),
        "cert_dir": click.option(
            f"--{prefix}cert-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help="Certificates as Docker has them, in *.crt, *.cert and *.key.",
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
            help="Look for a login in this file and not in those of Docker and Podman.",
        ),
        "no_login": click.option(
            f"--{prefix}no-login", is_flag=True, help="Look for no login; be nobody."
        ),
        "username": click.option(
            f"--{prefix}username",
            envvar=f"{variable}USERNAME",
            show_envvar=True,
            help=f"Who to be; the password is asked for, or in {variable}PASSWORD.",
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


def given(prefix: str, *names: str) -> dict[str, str]:
    """Return those of some options that are on the command line, each as it is written there.

    Args:
        prefix: What their names begin with on the command line, such as `from-`.
        names: Their names without it, as parameters.
    """
    context = click.get_current_context()
    under = prefix.replace("-", "_")
    return {
        name: f"--{prefix}{name.replace('_', '-')}"
        for name in names
        if context.get_parameter_source(under + name) is ParameterSource.COMMANDLINE
    }


def refuse(what: str, *names: str) -> None:
    """Refuse options that mean nothing here.

    Args:
        what: What they say, and why it means nothing.
        names: Their names, as parameters.

    Raises:
        UsageError: One of them is on the command line.
    """
    for option in given("", *names).values():
        raise click.UsageError(f"{option} says {what}")


def place(function: Verb) -> Verb:
    """Take what is to be read, by SOURCE and perhaps NAME, as `place`."""

    @click.argument("source", callback=read_by(read_source), shell_complete=complete_path)
    @click.argument("name", required=False, shell_complete=complete_name)
    @access()
    @wraps(function)
    def verb(
        *args: Any,  # noqa: ANN401
        source: Locator,
        name: str | None,
        access: Access,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        if name is not None:
            if source.name is not None:
                raise click.UsageError(f"{source} has a name in it already; leave out {name!r}")
            source = evolve(source, name=name)
        function(*args, place=Place(source, access), **kwargs)

    return verb
