"""`python -m skills` is the command `skills`."""

from __future__ import annotations

from _ocilayout_command import skills

if __name__ == "__main__":
    skills()
