"""What helps to test software that reads and writes image layouts, behind three doors.

`strategies` makes values, documents and layouts, `machine` runs a store against a model of it, and
`registry` is a registry on loopback. What their `__all__` does not list is private.

A door is imported when it is first used: each needs packages that the library itself does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocilayout.testing import machine, registry, strategies

__all__ = ["machine", "registry", "strategies"]

if not TYPE_CHECKING:  # with it in sight, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a door when it is first used."""
        if name in __all__:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted(__all__)
