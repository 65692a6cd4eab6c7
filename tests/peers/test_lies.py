"""The table of lies in `spec-notes/testing.md` is what oras-py does."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from ocilayout.testing.registry import fault
from tests.peers.lies import LIES, read_table, table


def test_the_table_is_what_oras_does() -> None:
    """Each lie of the table is told to oras-py again; `python -m tests.peers.lies` writes it."""
    written = read_table()
    if f" oras-py {version('oras')} " not in written:
        pytest.skip(f"the table is of another version than oras-py {version('oras')}")
    assert table() == written


@pytest.mark.parametrize("name", fault.__all__)
def test_each_fault_is_in_the_table(name: str) -> None:
    """A way to misbehave that the kit has is tried on oras-py."""
    assert any(lie.about.startswith(f"`{name}`") for lie in LIES)
