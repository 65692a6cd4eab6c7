"""The doors of rooms: a room exports what other rooms import, and nothing else."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import ocilayout

PACKAGE = Path(ocilayout.__file__).parent
SCRIPT = PACKAGE.parent / "_ocilayout_command.py"


def imported_from(door: str) -> set[str]:
    """Return the names that product code outside of a room imports from its door."""
    room = PACKAGE.parent.joinpath(*door.split("."))
    return {
        alias.name
        for path in [*PACKAGE.rglob("*.py"), *PACKAGE.parent.glob("skills/**/*.py"), SCRIPT]
        if room not in path.parents
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module == door
        for alias in node.names
    }


@pytest.mark.parametrize(
    "door",
    [
        "ocilayout.model",
        "ocilayout.layout",
        "ocilayout.transfer",
        "ocilayout.archive",
        "ocilayout.cli",
        "skills.model",
        "skills.packaging",
        "skills.install",
        "skills.store",
    ],
)
def test_a_door_exports_what_other_rooms_import(door: str) -> None:
    exported = import_module(door).__all__
    assert set(exported) == imported_from(door)
    assert len(exported) == len(set(exported))


@pytest.mark.parametrize("door", ["ocilayout.cli", "ocilayout.testing"])
def test_dir_lists_what_a_lazy_door_exports(door: str) -> None:
    module = import_module(door)
    assert dir(module) == sorted(module.__all__)
