"""The command `skills`."""

from __future__ import annotations

from skills.cli.command import main

__all__ = ["main"]
