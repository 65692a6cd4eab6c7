"""The lowest versions: every requirement has one, and `.ci/run` tests with them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from tests.packaging.floors import PROJECT, floor, requirements


def test_every_requirement_says_its_lowest_version() -> None:
    """And no other bound, so that there is one version to test with."""
    assert [floor(requirement) for requirement in requirements()]


def test_every_requirement_is_among_the_constraints() -> None:
    """The program prints a constraint for each requirement of the file, with its version."""
    printed = subprocess.run(
        [sys.executable, "-m", "tests.packaging.floors"],
        cwd=PROJECT.parent, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    text = PROJECT.read_text()
    assert {"attrs", "click", "hatchling", "pytest", "uvicorn"} <= {
        constraint.partition("==")[0] for constraint in printed
    }
    for constraint in printed:
        requirement = constraint.replace("==", ">=")
        assert f'"{requirement}"' in text or f'"{requirement};' in text
    assert len(printed) == len(list(requirements()))


@pytest.mark.parametrize("text", ["attrs", "attrs==24.2", "attrs>=24.2,<26", "attrs~=24.2"])
def test_a_requirement_without_one_lowest_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has to say"):
        floor(Requirement(text))
