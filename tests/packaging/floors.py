"""The lowest versions that `pyproject.toml` allows, as constraints for pip.

`python -m tests.packaging.floors` prints them, and `.ci/run` tests with them.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def requirements() -> Iterator[Requirement]:
    """Yield all requirements of the project: of the build, at run time and of each extra."""
    document = tomllib.loads(PROJECT.read_text())
    project = document["project"]
    lists = (
        document["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
    )
    for texts in lists:
        for requirement in map(Requirement, texts):
            if requirement.name != project["name"]:  # an extra that includes another one
                yield requirement


def floor(requirement: Requirement) -> str:
    """Return the lowest version that is allowed.

    Raises:
        ValueError: The requirement is not just a lowest version.
    """
    try:
        (bound,) = requirement.specifier
    except ValueError:
        raise ValueError(f"{requirement} has to say one lowest version") from None
    if bound.operator != ">=":
        raise ValueError(f"{requirement} has to say its lowest version with >=")
    return bound.version


def main() -> None:
    """Print a constraint for each requirement."""
    for requirement in requirements():
        sys.stdout.write(f"{requirement.name}=={floor(requirement)}\n")


if __name__ == "__main__":
    main()
