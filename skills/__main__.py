"""`python -m skills` is the command `skills`."""

from __future__ import annotations

from skills.cli import main

if __name__ == "__main__":
    main()
