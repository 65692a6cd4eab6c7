"""The command `skills`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.cli import SKILLS_EXTRAS, command_of

if TYPE_CHECKING:
    from skills.cli.group import main
else:
    main = command_of("skills.cli.group", extras=SKILLS_EXTRAS)

__all__ = ["main"]
