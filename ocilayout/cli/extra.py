"""Extras: what to say when a package is missing that an extra of the distribution brings.

This module imports the standard library alone, so it works where no extra is installed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ocilayout.cli.program import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRAS: Final = {
    "anyio": "server",
    "click": "cli",
    "platformdirs": "skills",
    "rich": "cli",
    "ruamel": "skills",
    "starlette": "server",
    "urllib3": "registry",
    "uvicorn": "server",
}

SKILLS_EXTRAS: Final = "skills,cli"
"""What the command `skills` needs."""


def advice(error: ModuleNotFoundError, *, extras: str | None = None) -> str | None:
    """Return how to install a missing module, or `None` if no extra brings it."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return f"{package} is not installed; pip install 'ocilayout[{extras or extra}]' brings it"


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
