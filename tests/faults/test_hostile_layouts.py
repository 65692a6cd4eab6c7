"""Layouts that were made to do harm: every verb ends, says what is wrong, and harms no others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.planted import (
    PLACES,
    PLAIN,
    THINGS,
    Content,
    Site,
    cases,
    changes,
    lay,
    prepared,
)
from tests.faults.planted_documents import DOCUMENTS, NAMES
from tests.faults.verb import Runner, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.verb import Run

CASES = list(cases(everything=os.environ.get("HYPOTHESIS_PROFILE") == "deep"))


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Run the program that runs verbs."""
    with Runner() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Make a place for layouts, and leave nothing in it."""
    with prepared(tmp_path / "outer") as made:
        yield made


def run_all(
    runner: Runner,
    site: Site,
    content: Content,
    planted: tuple[str, str] | None = None,
    name: str = "v1",
) -> tuple[list[Run], list[str]]:
    """Run every verb, each that writes on a layout of its own.

    Returns:
        The runs, and what was wrong with any of them. After a verb that hangs no other is run.
    """
    lay(site, content, planted)
    before = site.snapshot()
    runs: list[Run] = []
    faults: list[str] = []
    for verb in verbs(site, name):
        run = runner.run(verb, site)
        runs.append(run)
        faults += run.faults()
        after = site.snapshot()
        if changed := changes(before, after, shares=verb.shares):
            faults.append(f"{verb.label}: it changed {', '.join(changed[:5])}")
            site.prepare()
        if run.hangs:
            return runs, faults
        if verb.writes or changed:
            lay(site, content, planted)
            before = site.snapshot()
    runner.begin()
    return runs, faults


def test_every_verb_does_its_work_where_nothing_is_planted(runner: Runner, site: Site) -> None:
    """`check` passes, and all that writes ends well; so what fails elsewhere does for a reason."""
    runs, faults = run_all(runner, site, PLAIN)
    assert not faults, "\n".join(faults)
    assert [run.verb.label for run in runs if run.status] == ["init"]  # it is a layout already


@pytest.mark.parametrize(("thing", "place"), CASES, ids=[" as ".join(case) for case in CASES])
def test_what_is_planted_harms_nothing_outside_of_the_layout(
    runner: Runner, site: Site, thing: str, place: str
) -> None:
    """No verb hangs, crashes, fails without saying where, or touches what is outside."""
    _, faults = run_all(runner, site, PLAIN, (thing, place))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_documents_say_harms_nothing_outside_of_the_layout(
    runner: Runner, site: Site, document: str
) -> None:
    """No verb hangs, crashes, fails without saying where, or touches what is outside."""
    _, faults = run_all(runner, site, DOCUMENTS[document](), name=NAMES.get(document, "v1"))
    assert not faults, "\n".join(faults)


def test_there_are_many_layouts() -> None:
    """Every thing and every place is among those that are planted, and there are at least 120."""
    assert {thing for thing, _ in CASES} >= set(THINGS)
    assert {place for _, place in CASES} == set(PLACES)
    assert len(CASES) + len(DOCUMENTS) >= 120
