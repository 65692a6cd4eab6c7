"""Extras: what to say when a package is missing that an extra of the distribution brings.

This module imports the standard library alone, so it works where no extra is installed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRAS: Final = {
    "anyio": "server",
    "click": "cli",
    "hypothesis": "hypothesis",
    "platformdirs": "skills",
    "rich": "cli",
    "ruamel": "skills",
    "starlette": "server",
    "urllib3": "registry",
    "uvicorn": "server",
}


def advice(error: ModuleNotFoundError, *, extras: str | None = None) -> str | None:
    """Return how to install a missing module, or `None` if no extra brings it."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return f"{package} is not installed; pip install 'ocilayout[{extras or extra}]' brings it"


@contextmanager
def naming_extra() -> Iterator[None]:
    """Import modules, and name the extra that brings a missing one.

    Raises:
        ModuleNotFoundError: A module is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = advice(error)
        if message is None or error.msg == message:
            raise
        raise ModuleNotFoundError(message, name=error.name, path=error.path) from None
