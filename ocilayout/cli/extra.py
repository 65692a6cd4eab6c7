"""Commands that say which extra is missing for them.

This module imports nothing that an extra brings.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ocilayout.cli.program import INTERRUPTED
from ocilayout.extra import advice

if TYPE_CHECKING:
    from collections.abc import Callable

SKILLS_EXTRAS: Final = "skills,cli"
"""What the command `skills` needs."""


def command_of(module: str, *, extras: str | None = None) -> Callable[..., Any]:
    """Return `main` of a module, or a command that says which extra is missing for it.

    Args:
        module: The full name of the module.
        extras: All extras that the command needs, if it is more than one.

    Raises:
        ModuleNotFoundError: A module is missing that no extra brings.
    """
    try:
        command: Callable[..., Any] = import_module(module).main
    except KeyboardInterrupt:  # Ctrl-C while it is loaded
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        message = advice(error, extras=extras)
        if message is None:
            raise
        return lambda **_: sys.exit(f"Error: {message}")
    return command


def skills() -> None:
    """Run the command `skills` if its extras are installed.

    The script is installed without them, and importing the package `skills` takes them.
    """
    command_of("skills.cli", extras=SKILLS_EXTRAS)()
