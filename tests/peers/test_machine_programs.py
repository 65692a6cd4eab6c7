"""Other programs under the machine of the testing kit: what it finds, and that it finds no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ocilayout.testing.machine import CONTENTS, check_store
from tests.effort import EFFORT
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

# Of programs each step takes a while.
FEW = settings(EFFORT, max_examples=40, stateful_step_count=25)


@pytest.mark.parametrize("finding", FINDINGS, ids=[finding.about for finding in FINDINGS])
def test_the_machine_finds(finding: Finding, require: Callable[[str], str]) -> None:
    """What the page says that a program does otherwise, it does."""
    require(finding.program)
    with pytest.raises(Exception, match=finding.shown):  # whatever it is, it says this
        check_store(finding.adapter, settings=settings(FEW, max_examples=100))


def test_of_umoci_it_finds_no_more(require: Callable[[str], str]) -> None:
    """But for what is listed, names mean what the model says, and are whole."""
    require("umoci")
    check_store(under(UMOCI, contents=PLAIN, model=ForgetfulModel), settings=FEW)


def test_of_skopeo_it_finds_no_more(require: Callable[[str], str]) -> None:
    """But for what is listed, names mean what the model says, and are whole."""
    require("skopeo")
    contents = [
        content
        for content in CONTENTS
        if content.title != "nested" and "docker" not in content.title
        and content.digest.algorithm == "sha256"
    ]  # fmt: skip
    check_store(under(SKOPEO, contents=contents), settings=FEW)
