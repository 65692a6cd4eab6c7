"""The doors of `ocilayout.testing`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ocilayout.testing

CODE = """
import sys, ocilayout.testing
assert not {"hypothesis", "ocilayout.model"} & set(sys.modules)
print(*ocilayout.testing.machine.__all__[-3:])
assert "ocilayout.testing.registry" not in sys.modules
"""


def test_each_door_is_imported_when_it_is_used() -> None:
    """The package imports no door, and a door imports no other."""
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert done.stdout == "check_store content_of contents_of\n"


@pytest.mark.parametrize("door", ocilayout.testing.__all__)
def test_a_door_lists_what_is_public(door: str) -> None:
    """Every door is in reach of the package, and has what it lists."""
    module = getattr(ocilayout.testing, door)
    assert all(hasattr(module, name) for name in module.__all__)


def test_an_unknown_name_is_refused() -> None:
    """As any module refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'registration_'"):
        _ = ocilayout.testing.registration_  # type: ignore[attr-defined]
