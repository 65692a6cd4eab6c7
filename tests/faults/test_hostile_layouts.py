"""Malicious layouts: every verb ends, reports what is wrong, and touches nothing outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.effort import THOROUGH
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
    room,
)
from tests.faults.planted_documents import DOCUMENTS, NAMES
from tests.faults.verb import Runner, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.verb import Run

CASES = list(cases(everything=THOROUGH))
EACH = 1 if THOROUGH else 3  # of how many verbs one meets a layout


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Run the program that runs verbs."""
    with Runner() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Make a place for layouts, and leave nothing in it."""
    with room(tmp_path) as folder, prepared(folder / "outer") as made:
        yield made


def run_all(
    runner: Runner,
    site: Site,
    content: Content,
    planted: tuple[str, str] | None = None,
    *,
    name: str = "v1",
    number: int = 0,
    each: int = EACH,
) -> tuple[list[Run], list[str]]:
    """Run verbs: those that only read one behind another, each that writes on a layout of its own.

    Args:
        runner: Runs them.
        site: Where.
        content: The layout.
        planted: The thing and the place, if any.
        name: The name that verbs are given.
        number: Which layout of its kind this is; the next one meets other verbs.
        each: Of how many verbs one is run.

    Returns:
        The runs, and what was wrong with any of them. After a verb that hangs no other is run.
    """
    lay(site, content, planted)  # which may give the folder another name
    chosen = verbs(site, name)[number % each :: each]
    runs: list[Run] = []
    faults: list[str] = []
    reading = [verb for verb in chosen if not verb.writes]
    for group in (reading, *([verb] for verb in chosen if verb.writes)):
        if runs:
            lay(site, content, planted)
        before = site.snapshot()
        for verb in group:
            run = runner.run(verb, site)
            runs.append(run)
            faults += run.faults()
            if run.hangs:
                return runs, faults
        after = site.snapshot()
        if changed := changes(before, after, shares=any(verb.shares for verb in group)):
            labels = ", ".join(verb.label for verb in group)
            faults.append(f"{labels}: it changed {', '.join(changed[:5])}")
            site.prepare()
    runner.begin()
    return runs, faults


def test_every_verb_does_its_work_where_nothing_is_planted(runner: Runner, site: Site) -> None:
    """Without anything planted, `check` passes and every verb that writes succeeds."""
    runs, faults = run_all(runner, site, PLAIN, each=1)
    assert not faults, "\n".join(faults)
    assert [run.verb.label for run in runs if run.status] == ["init"]  # it is a layout already


@pytest.mark.parametrize(("thing", "place"), CASES, ids=[" as ".join(case) for case in CASES])
def test_what_is_planted_harms_nothing_outside_of_the_layout(
    runner: Runner, site: Site, thing: str, place: str
) -> None:
    """No verb hangs, crashes, fails without saying where, or touches what is outside."""
    number = [where for what, where in CASES if what == thing].index(place)
    _, faults = run_all(runner, site, PLAIN, (thing, place), number=number)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_documents_say_harms_nothing_outside_of_the_layout(
    runner: Runner, site: Site, document: str
) -> None:
    """No verb hangs, crashes, fails without saying where, or touches what is outside."""
    name, number = NAMES.get(document, "v1"), list(DOCUMENTS).index(document)
    _, faults = run_all(runner, site, DOCUMENTS[document](), name=name, number=number)
    assert not faults, "\n".join(faults)


def test_there_are_many_layouts() -> None:
    """Every thing and every place is among those that are planted, and there are at least 120."""
    assert {thing for thing, _ in CASES} >= set(THINGS)
    assert {place for _, place in CASES} == set(PLACES)
    assert len(CASES) + len(DOCUMENTS) >= 120


def test_every_verb_meets_every_thing() -> None:
    """Of each thing there are enough layouts that every verb meets it somewhere."""
    for thing in THINGS:
        assert sum(what == thing for what, _ in CASES) >= EACH
