"""The command `ocilayout`: what the library can do, from a shell.

`locator` and `place` say what an argument means and open it; `look`, `edit`, `transfer` and
`upkeep` have the verbs; `listing`, `tree` and `progress` work out what is shown. The manners that
this command shares with others are in `terminal` and `extra`, which other packages may import:
therefore the verbs are not loaded before somebody asks for `main`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocilayout.cli.command import main
    from ocilayout.cli.terminal import short
    from ocilayout.cli.value import read_duration

__all__ = ["main", "read_duration", "short"]

_MODULES = {"read_duration": "value", "short": "terminal"}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ocilayout.cli.extra import command_of  # noqa: PLC0415 # see the module's docstring

    return command_of("ocilayout.cli.command")
