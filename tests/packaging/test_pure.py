"""The installed files: no compiled code, and no import of a package that is not needed."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout.check.requirement import iter_requirements

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
COMPILED_SUFFIXES = {*EXTENSION_SUFFIXES, ".so", ".pyd", ".dll", ".dylib", ".a", ".o", ".exe"}
# ELF, Mach-O in both byte orders and as a fat file, and Windows executables.
COMPILED_MAGIC = (
    b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(install: Callable[..., Path]) -> Path:
    """Install the package with all its extras, except the test tools, into an empty folder."""
    return install("all")


def is_compiled(path: Path) -> bool:
    """Tell whether a file contains machine code, by its name or its first bytes."""
    if path.suffix in COMPILED_SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(4).startswith(COMPILED_MAGIC)


def test_no_compiled_file_is_installed(site: Path) -> None:
    """With every extra but those for testing, no file contains machine code."""
    files = [path for path in site.rglob("*") if path.is_file()]
    assert [path for path in files if is_compiled(path)] == []
    names = {path.name.partition("-")[0].replace("_", ".") for path in site.glob("*.dist-info")}
    assert {"ocilayout", "attrs", "urllib3", "ruamel.yaml", "rich", "starlette"} <= names
    assert not {"hypothesis", "blake3"} & names


def test_every_wheel_is_pure(site: Path) -> None:
    """The metadata of every distribution says that it is pure Python for any platform."""
    wheels = list(site.glob("*.dist-info/WHEEL"))
    assert len(wheels) > 10
    for wheel in wheels:
        said = wheel.read_text()
        assert "Root-Is-Purelib: true" in said, wheel
        assert "-none-any" in said, wheel


def test_the_requirements_are_installed(site: Path) -> None:
    """The installed package reads its own copy of the tables, which are those of the sources."""
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from ocilayout.check import iter_notes;"
        "notes = list(iter_notes()); pages = {str(note.page.parent) for note in notes};"
        "print(*[note.name for note in notes if note.kind == 'requirement']); print(*sorted(pages))"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[0].split() == [row.id for row in iter_requirements(ROOT / "spec-notes")]
    notes = site / "ocilayout" / "spec-notes"
    assert said[1].split() == [str(notes), str(notes / "decisions")]


def test_a_compiled_file_would_be_found(tmp_path: Path) -> None:
    """The check above recognises machine code by its suffix and by its content."""
    (tmp_path / "a.so").write_bytes(b"")
    (tmp_path / "b").write_bytes(b"\x7fELF\x02")
    (tmp_path / "c.py").write_bytes(b"import os\n")
    assert [is_compiled(tmp_path / name) for name in ("a.so", "b", "c.py")] == [True, True, False]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import ocilayout", {"urllib3", "click", "rich", "hypothesis", "ruamel", "starlette"}),
        ("import ocilayout.testing.registry", {"urllib3", "click", "rich", "hypothesis", "pytest"}),
        ("from ocilayout import copy", {"urllib3", "click", "rich", "hypothesis", "ruamel"}),
        ("from ocilayout.cli import main", {"urllib3", "rich", "hypothesis", "ruamel"}),
        ("import ocilayout.cli.terminal", {"urllib3", "rich", "hypothesis", "ruamel"}),
        ("import skills", {"click", "rich", "hypothesis", "starlette"}),
        ("import skills.cli", {"rich", "hypothesis", "starlette"}),
    ],
)
def test_an_import_loads_only_what_it_needs(site: Path, statement: str, absent: set[str]) -> None:
    """In the environment of all extras, an import loads none of the packages of other extras."""
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); {statement};"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "ocilayout" in loaded
    assert not loaded & absent
