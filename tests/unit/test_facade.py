"""The facade: what is public, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import ocilayout


def test_what_is_public_is_listed_in_order() -> None:
    """`__all__` is sorted as the formatter sorts it, has no name twice, and every name exists."""
    names = list(ocilayout.__all__)
    constants = [name for name in names if name.isupper()]
    classes = [name for name in names if name[0].isupper() and not name.isupper()]
    functions = [name for name in names if name[0].islower()]
    assert names == sorted(constants) + sorted(classes) + sorted(functions)
    assert len(set(names)) == len(names)
    assert all(hasattr(ocilayout, name) for name in names)


def test_what_is_imported_is_listed() -> None:
    """The facade has no public name that it does not list, and type checkers see each of them."""
    tree = ast.parse(Path(ocilayout.__file__).read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    found = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found.keys() == set(ocilayout.__all__)
    for name, module in found.items():
        assert getattr(ocilayout, name) is getattr(import_module(str(module)), name)


def test_a_name_is_imported_when_it_is_used() -> None:
    """`import ocilayout` imports no room; a name brings its room, and `dir` lists all names."""
    code = (
        "import sys, ocilayout;"
        "rooms = lambda: {name.split('.')[1] for name in sys.modules if 'ocilayout.' in name};"
        "print(rooms());"
        "print({*ocilayout.__all__, 'layout', '__version__'} <= set(dir(ocilayout)), rooms());"
        "ocilayout.Digest; print(sorted(rooms()));"
        "ocilayout.copy; print('layout' in rooms(), 'archive' in rooms());"
        "print(ocilayout.errors.OciLayoutError is ocilayout.OciLayoutError)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "set()",
        "True set()",
        "['errors', 'kind', 'model', 'signature']",
        "True False",
        "True",
    ]


def test_dir_lists_the_public_names() -> None:
    """`dir` lists the names of `__all__`, the rooms and the version alone."""
    rooms = {"errors", "model", "layout", "transfer", "archive", "check"}
    assert set(dir(ocilayout)) == {*ocilayout.__all__, *rooms, "__version__"}


def test_no_other_name_is_there() -> None:
    """A name that the facade does not have is an `AttributeError` that says so."""
    with pytest.raises(AttributeError, match="module 'ocilayout' has no attribute 'Digset'"):
        _ = getattr(ocilayout, "Digset")  # noqa: B009 # type checkers refuse the plain form


def test_every_error_is_public() -> None:
    """Whatever the library raises can be caught by a name from the facade."""
    errors = {name for name in vars(ocilayout.errors) if name.endswith("Error")}
    assert errors <= set(ocilayout.__all__)
    for name in errors:
        assert issubclass(getattr(ocilayout, name), ocilayout.OciLayoutError)


def test_importing_it_loads_no_extra() -> None:
    """A fresh interpreter that imports the library has loaded no package of an extra."""
    code = "import sys, ocilayout; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "ocilayout" in loaded
    extras = {"urllib3", "click", "rich", "hypothesis", "ruamel", "yaml", "platformdirs"}
    assert not extras & set(loaded)
    assert not {"starlette", "uvicorn", "skills"} & set(loaded)
