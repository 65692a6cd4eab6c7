"""Arguments and options that several verbs take, and how a shell completes them.

Options that belong together reach a verb as one value: `Access`, `Operand` or `Writing`.
"""

from __future__ import annotations

import stat
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
from attrs import evolve, frozen
from click.shell_completion import CompletionItem

from ocilayout.cli.argument import InLayout, Locator, read_by, read_folder, read_source
from ocilayout.cli.connection import Access, access
from ocilayout.cli.operand import Operand
from ocilayout.errors import OciLayoutError
from ocilayout.layout import Layout
from ocilayout.model import Platform, is_ref_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Verb = Callable[..., None]

_MAX_OFFERED: Final = 16 * 1024 * 1024
"""The largest index that is read for a completion, in bytes; one of some 80,000 entries."""


def complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave paths to the shell."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in a layout with a given beginning; none where they are not cheap to get."""
    del param
    source = ctx.params.get("source") or ctx.params.get("path")
    path = source.path if isinstance(source, InLayout) else source
    if not isinstance(path, str | Path):
        return []
    return offered(path, incomplete)


def offered(path: str | Path, incomplete: str) -> list[str]:
    """Return the names in a layout that a shell is offered.

    They are sorted bytewise; none if the layout cannot be read. A person waits for the Tab key:
    pipes are not opened, and large files not parsed.
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
    """Return the names with a given beginning that every shell takes for plain text.

    A shell pastes what it is offered, and bash does so without quotes. A name of the ref.name
    grammar consists of letters, digits and `-._:@+/` and begins with a letter or digit, so it has
    no special meaning to bash, zsh and fish. Any other name is left to be written by hand.
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
    help="Of an index, take the manifest for this platform, such as linux/arm64 or, with a version"
    " of the system, windows(10.0.20348)/amd64.",
)


@frozen(kw_only=True)
class Writing:
    """The options for writing a layout.

    Attributes:
        durability: `commit` if everything is to be on the disk when the command ends.
        lock_timeout: How long to wait for other writers, in seconds.
    """

    durability: Literal["commit", "none"]
    lock_timeout: float

    def open(self, path: str | Path, *, create: bool = False, any_name: bool = False) -> Layout:
        """Open a layout.

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


dry_run = click.option(
    "--dry-run", is_flag=True, help="Change nothing, and show what would be done."
)
any_name = click.option("--any-name", is_flag=True, help="Allow names that other programs refuse.")


def writing(function: Verb) -> Verb:
    """Give a verb the options for writing a layout, as `writing`."""

    @click.option(
        "--durability",
        type=click.Choice(["commit", "none"]),
        default="commit",
        show_default=True,
        help="Sync what is written to the disk, or leave that to the system.",
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


def operand(function: Verb) -> Verb:
    """Give a verb what SOURCE and perhaps NAME mean, as `operand`."""

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
                raise click.UsageError(f"{source} already has a name in it; leave out {name!r}")
            source = evolve(source, name=name)
        function(*args, operand=Operand(source, access), **kwargs)

    return verb
