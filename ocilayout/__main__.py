"""`python -m ocilayout` is the command `ocilayout`."""

from __future__ import annotations

from ocilayout.cli import main

if __name__ == "__main__":
    main()
