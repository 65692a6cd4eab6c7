"""The facade of skills: what is public, how it is called, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from inspect import Parameter
from typing import TYPE_CHECKING

import attrs
import pytest

import skills
import skills.packaging
from skills import errors
from skills.store.builds import may_retag

if TYPE_CHECKING:
    from pathlib import Path

EXTRAS = {"click", "platformdirs", "rich", "ruamel", "starlette", "urllib3", "uvicorn"}
MODELS = [
    found
    for name in skills.__all__
    if isinstance(found := getattr(skills, name), type) and attrs.has(found)
]


def loaded(program: str, *arguments: str) -> set[str]:
    """Run a program in a fresh interpreter, and return the modules that it has loaded."""
    listing = "; import sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program + listing, *arguments],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return set(done.stderr.split())


def test_public_names_are_listed_in_order() -> None:
    """`__all__` is sorted as the formatter sorts it, every name exists, and `dir` lists them."""
    names = list(skills.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert len(set(names)) == len(names)
    assert all(hasattr(skills, name) for name in names)
    rooms = {"errors", "model", "packaging", "install", "store"}
    assert set(dir(skills)) == {*names, *rooms, "__version__"}


def test_every_error_is_public() -> None:
    """Every error of skills can be caught by a name from the facade."""
    names = {name for name in vars(errors) if name.endswith("Error")}
    assert names <= set(skills.__all__)
    assert all(issubclass(getattr(skills, name), skills.SkillError) for name in names)


def test_a_name_that_is_not_public_is_not_found() -> None:
    """The facade has nothing but what it lists."""
    with pytest.raises(AttributeError, match="no attribute 'read_artifact'"):
        getattr(skills, "read_artifact")  # noqa: B009 # type checkers know that it is missing
    with pytest.raises(ImportError):
        exec("from skills import read_artifact")


def test_package_is_the_function() -> None:
    """Importing the room that packages does not hide the function of the facade."""
    assert skills.package is skills.packaging.package


@pytest.mark.parametrize("room", ["errors", "model", "packaging", "install", "store"])
def test_a_room_is_an_attribute(room: str) -> None:
    """A fresh interpreter that imports the facade alone reaches a room by its name."""
    assert f"skills.{room}" in loaded(f"import skills; assert skills.{room}.__name__")


def test_importing_it_loads_nothing() -> None:
    """A fresh interpreter that imports the facade has loaded no room and no package of an extra."""
    modules = loaded("import skills")
    assert not {name for name in modules if name.startswith("skills.")}
    assert not {name.partition(".")[0] for name in modules} & EXTRAS


def test_a_name_loads_the_rooms_below_it() -> None:
    """An error costs no store, and a SKILL.md no record."""
    assert "skills.model" not in loaded("from skills import SkillError")
    assert "skills.packaging" not in loaded("from skills import SkillMd")
    assert "skills.install" not in loaded("from skills import package")


def test_listing_builds_loads_no_client_and_no_server(tmp_path: Path) -> None:
    """The most frequent command starts without what it does not need."""
    program = "from skills.cli import main; main(standalone_mode=False)"
    modules = loaded(program, "--store", str(tmp_path / "store"), "builds")
    packages = {name.partition(".")[0] for name in modules}
    assert not packages & {"urllib3", "starlette", "uvicorn", "anyio", "rich"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_a_model_is_made_by_the_names_of_its_fields(model: type) -> None:
    parameters = inspect.signature(model).parameters.values()
    assert {given.kind for given in parameters} == {Parameter.KEYWORD_ONLY}


def test_an_option_is_given_by_its_name() -> None:
    assert inspect.signature(may_retag).parameters["replace"].kind is Parameter.KEYWORD_ONLY
