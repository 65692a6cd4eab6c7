"""What to say when a package is missing that an extra of the distribution brings.

This module imports nothing that is not installed always.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRAS: Final = {
    "click": "cli",
    "platformdirs": "skills",
    "rich": "cli",
    "ruamel": "skills",
    "urllib3": "registry",
}


def advice(error: ModuleNotFoundError) -> str | None:
    """Return what to do about a module that is missing, or `None` if no extra brings it."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return f"{package} is not installed; pip install 'ocilayout[{extra}]' brings it"


def command_of(module: str) -> Callable[..., Any]:
    """Return the command that a module has as `main`, or one that says what is missing for it.

    Args:
        module: The full name of the module.

    Raises:
        ModuleNotFoundError: A module is missing that no extra brings.
    """
    try:
        command: Callable[..., Any] = import_module(module).main
    except ModuleNotFoundError as error:
        message = advice(error)
        if message is None:
            raise
        return lambda **_: sys.exit(f"Error: {message}")
    return command
