"""Other programs, tested by the machine of the testing kit: it finds what the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ocilayout.testing.machine import CONTENTS, check_store
from tests.effort import EFFORT, examples
from tests.peers.behaviours.finding import (
    FINDINGS,
    PLAIN,
    SKOPEO,
    UMOCI,
    Finding,
    ForgetfulModel,
    under,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Each step of a program takes a while.
FEW = settings(EFFORT, max_examples=examples(40, 15), stateful_step_count=25)


@pytest.mark.parametrize("finding", FINDINGS, ids=[finding.about for finding in FINDINGS])
def test_the_machine_finds(finding: Finding, require: Callable[[str], str]) -> None:
    """A program differs from the model as the page says."""
    require(finding.program)
    with pytest.raises(Exception, match=finding.shown):  # whatever the error is, this is its text
        check_store(finding.adapter, settings=settings(FEW, max_examples=100))


def test_it_finds_nothing_else_in_umoci(require: Callable[[str], str]) -> None:
    """Except for the listed differences, tags have the content of the model, and are whole."""
    require("umoci")
    check_store(under(UMOCI, contents=PLAIN, model=ForgetfulModel), settings=FEW)


def test_it_finds_nothing_else_in_skopeo(require: Callable[[str], str]) -> None:
    """Except for the listed differences, tags have the content of the model, and are whole."""
    require("skopeo")
    contents = [
        content
        for content in CONTENTS
        if content.title != "nested" and "docker" not in content.title
        and content.digest.algorithm == "sha256"
    ]  # fmt: skip
    check_store(under(SKOPEO, contents=contents), settings=FEW)
