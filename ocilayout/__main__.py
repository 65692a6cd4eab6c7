"""`python -m ocilayout` is the command `ocilayout`."""

from __future__ import annotations

from _ocilayout_command import ocilayout

if __name__ == "__main__":
    ocilayout()
