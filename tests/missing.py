"""How a test says that something is missing which it needs."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final, NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test with what is missing; with OCILAYOUT_REQUIRE_PEERS=1 it fails.

    Args:
        what: A sentence about what is missing, which names it.
    """
    if os.environ.get("OCILAYOUT_REQUIRE_PEERS") == "1":
        pytest.fail(what)
    pytest.skip(what)


def has_blake3() -> bool:
    """Tell whether the package `blake3` is installed, which is not a dependency."""
    return find_spec("blake3") is not None


def require_blake3() -> None:
    """Say that the package `blake3` is missing, if it is."""
    if not has_blake3():
        missing("the package blake3 is not installed")


COMPUTED: Final = ("sha256", "sha384", "sha512", *(("blake3",) if has_blake3() else ()))
"""The algorithms of which digests can be computed here."""
