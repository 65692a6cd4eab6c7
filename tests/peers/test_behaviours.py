"""The programs do what `spec-notes/behaviours.md` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.behaviours.asking import ask_all, programs
from tests.peers.behaviours.cases import CASES
from tests.peers.behaviours.table import PAGE, RUN, page_versions, read, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.peers.behaviours.table import Answers


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """Return the answer of each installed program to each case."""
    folder = tmp_path_factory.mktemp("programs")
    with programs(folder) as found:
        yield ask_all(found, folder)


@pytest.mark.parametrize("name", RUN)
def test_a_program_does_what_the_page_says(
    name: str, answers: Answers, require: Callable[[str], str]
) -> None:
    """Every cell of a program's column is what it does now."""
    if (next(iter(CASES)), name) not in answers:
        require(name)
    said = read(PAGE.read_text())
    done = {case: answers[case, name] for case in CASES}
    assert {case: said.get((case, name), "-") for case in CASES} == done


def test_the_page_is_written_as_it_would_be() -> None:
    """Text, rows, and the facts of programs that are not run come from the cases."""
    text = PAGE.read_text()
    said = read(text)
    every = {(case, name): said.get((case, name), "-") for case in CASES for name in RUN}
    assert render(every, page_versions(text)) == text
    assert len(CASES) >= 40


def test_a_cell_that_was_changed_is_found(answers: Answers) -> None:
    """A changed cell of a program differs from its answer."""
    text = PAGE.read_text()
    row = "| `lock` | another process holds `index.json.lock` |"
    changed = text.replace(f"{row} waits |", f"{row} does not wait |")
    assert changed != text
    assert read(changed)["lock", "ocilayout"] != answers["lock", "ocilayout"]
