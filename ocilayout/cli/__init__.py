"""The command `ocilayout`: what the library can do, from a shell.

Each family of verbs has a module. Besides `main`, this door offers what the commands of other
packages share with this one: how they answer, fail, show progress and reach a registry. Each name
is loaded when it is first used, so that an import takes no package of the extra `cli`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocilayout.cli.argument import read_duration
    from ocilayout.cli.command import main
    from ocilayout.cli.connection import Access, access, warn
    from ocilayout.cli.extra import SKILLS_EXTRAS, command_of
    from ocilayout.cli.group import Failing, Verbs, examples
    from ocilayout.cli.operand import in_full
    from ocilayout.cli.option import offered, safe_names
    from ocilayout.cli.progress import accounted
    from ocilayout.cli.terminal import (
        DIGEST,
        answer,
        digest_cell,
        json_option,
        printable,
        size_text,
        table,
    )

__all__ = [
    "DIGEST",
    "SKILLS_EXTRAS",
    "Access",
    "Failing",
    "Verbs",
    "access",
    "accounted",
    "answer",
    "command_of",
    "digest_cell",
    "examples",
    "in_full",
    "json_option",
    "main",
    "offered",
    "printable",
    "read_duration",
    "safe_names",
    "size_text",
    "table",
    "warn",
]

_MODULES = ("extra", "argument", "connection", "group", "operand", "option", "progress", "terminal")

if not TYPE_CHECKING:  # with it in sight, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Load a name of the door when it is first used."""
        if name == "main":  # where click is missing, it says so in one line and without a traceback
            from ocilayout.cli.extra import command_of  # noqa: PLC0415 # only where it is needed

            return command_of("ocilayout.cli.command")
        for module in _MODULES if name in __all__ else ():
            if name in (names := vars(import_module(f"{__name__}.{module}"))):
                return names[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
