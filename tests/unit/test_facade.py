"""The facade: what is public, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import types

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
    """The facade has no public name that it does not list."""
    found = {
        name
        for name, value in vars(ocilayout).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name != "annotations"
    }
    assert found == set(ocilayout.__all__)


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
