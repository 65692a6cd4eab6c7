"""spec-notes agree with the tests, the modules and the code; a gap in any of them is found."""

from __future__ import annotations

import re
from typing import Any

import pytest
from attrs import evolve

from ocilayout.check.finding import KINDS
from ocilayout.check.requirement import NOT_OURS, PAGES, Requirement, iter_requirements, parse_page
from tests.mutants.selection import TESTS
from tests.spec.notes import (
    NOTES,
    Citation,
    Mark,
    all_marks,
    all_modules,
    all_rows,
    citations_in,
    faults,
    filled,
    marks_in,
    raised_in,
    rootless,
)

ROW = Requirement(
    id="page:slug",
    level="MUST",
    text="Something is so.",
    ours="It is.",
    modules=("ocilayout.model.digest",),
    tests=("unit/model/test_digest.py::test_it",),
)
MARK = Mark("page:slug", "unit/model/test_digest.py::test_it")
CITED = Citation("page:slug", "ocilayout.model.digest")


@pytest.fixture(scope="module")
def marks() -> list[Mark]:
    return all_marks()


def test_rows_tests_modules_and_code_agree(marks: list[Mark]) -> None:
    """No MUST lacks a test, no mark a row, no row its module; the code cites rows that cite it."""
    modules = all_modules()
    citations = [
        citation for name, source in modules.items() for citation in citations_in(source, name)
    ]
    citations += [Citation(kind.requirement) for kind in KINDS.values() if kind.requirement]
    assert faults(all_rows(), marks, modules, citations) == []


def test_every_error_that_is_raised_leads_to_a_row() -> None:
    """From a `Raises` section, the reader gets to the class of the error, and from there to a row.

    The way back is the row's column of modules. The errors of skills, and those of the
    testing kit, are about other rules.
    """
    others = ("skills", "ocilayout.testing")
    modules = all_modules()
    ours = {name: source for name, source in modules.items() if not name.startswith(others)}
    assert rootless(ours) == []
    raised = set[str]().union(*(raised_in(source) for source in ours.values()))
    assert {"DocumentError", "IntegrityError", "RegistryError"} <= raised


def test_an_error_that_leads_nowhere_is_found() -> None:
    """A row may be cited by the class or a subclass; errors of other libraries are ignored."""
    source = """
class NearError(Exception):
    '''Something.

    Spec: a:1.
    '''

class FarError(Exception): ...

def act():
    '''Act.

    Raises:
        NearError: It is near.
        FarError: It is far,
            and further.
        OSError: It is not ours.

    Spec: a:2.
    '''
"""
    assert rootless({"m": source}) == ["m raises FarError, which leads to no row"]
    assert rootless({"m": source.replace("NearError(Exception)", "NearError(FarError)")}) == []


def test_every_decision_is_in_the_index() -> None:
    """Once, by its number."""
    index = (NOTES / "README.md").read_text()
    listed = re.findall(r"^\| \[\d{4}\]\(decisions/(.+?)\.md\)", index, re.MULTILINE)
    assert listed == sorted(path.stem for path in NOTES.glob("decisions/*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_the_column_of_tests_is_what_the_marks_say(page: str, marks: list[Mark]) -> None:
    """`python -m tests.spec.notes` would change nothing."""
    text = (NOTES / f"{page}.md").read_text()
    assert filled(text, marks) == text


def test_the_selection_of_mutants_names_files_that_exist() -> None:
    """A module or a test that moves is renamed in the selection, and in the page of results."""
    root = NOTES.parent
    named = {*TESTS, *(path for tests in TESTS.values() for path in tests)}
    assert [path for path in sorted(named) if not (root / path).is_file()] == []
    page = (NOTES / "mutants.md").read_text()
    assert set(re.findall(r"^\| `([a-z_/]+\.py)` \|", page, re.MULTILINE)) == set(TESTS)


def test_every_page_with_rows_is_read() -> None:
    """The rows of a page that is not read would not be checked."""
    others = [path for path in NOTES.glob("*.md") if path.stem not in PAGES]
    assert [path for path in others if list(parse_page(path.read_text()))] == []
    assert {row.page for row in iter_requirements()} == set(PAGES)


def test_a_finding_is_as_severe_as_its_requirement() -> None:
    """An error breaks a MUST or an open matter, but for four kinds: decisions 0060 and 0090."""
    levels = {row.id: row.level for row in iter_requirements()}
    allowed = {
        "MUST": {"error"},
        "SHOULD": {"warning", "note"},
        "MAY": {"warning", "note"},
        "open": {"error", "warning", "note"},
    }
    odd = {
        code
        for code, kind in KINDS.items()
        if kind.requirement and kind.severity not in allowed[levels[kind.requirement]]
    }
    assert odd == {"artifact-type-form", "null-list", "noncharacter", "bad-number"}


def test_the_correct_example_has_no_faults() -> None:
    """The example of the tests below has no faults before a fault is planted."""
    assert found() == []


def found(
    *rows: Requirement,
    marks: Any = (MARK,),
    modules: Any = ("ocilayout.model.digest",),
    citations: Any = (CITED,),
) -> list[str]:
    return faults({"page": rows or (ROW,)}, marks, modules, citations)


def changed(**changes: Any) -> Requirement:
    return evolve(ROW, **changes)


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        (found(changed(tests=()), marks=()), "page:slug is a MUST without a test"),
        (found(marks=(MARK, Mark("page:other", "a.py"))), "page:other has no row, but a mark"),
        (
            found(marks=(Mark("page:slug", "a.py::helper"),)),
            "a.py::helper is not a test, but marked",
        ),
        (found(modules=()), "names the module ocilayout.model.digest, which does not exist"),
        (found(changed(modules=()), citations=()), "page:slug names no module"),
        (found(changed(tests=(*ROW.tests, "a.py"))), "names the test a.py, which does not exist"),
        (found(marks=(MARK, Mark("page:slug", "a.py"))), "does not name the test a.py, which is"),
        (found(citations=(CITED, Citation("page:no"))), "page:no has no row, but is cited by a t"),
        (found(citations=(CITED, Citation("manifest.md", "m"))), "manifest.md has no row, but is"),
        (found(citations=(CITED, Citation("page:slug", "m"))), "does not name the module m, which"),
        (found(citations=()), "page:slug is a MUST that no Spec line in its modules cites"),
        (found(changed(ours=f"{NOT_OURS}why.")), "is not ours, but has a module or a test"),
        (found(ROW, ROW), "page:slug has two rows"),
        (found(changed(id="else:slug")), "else:slug is on the page page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_gap_is_found(planted: list[str], fault: str) -> None:
    """Each kind of disagreement is a fault that says what and where."""
    assert any(fault in one for one in planted), planted


@pytest.mark.parametrize(
    "row",
    [
        changed(level="SHOULD", tests=()),
        changed(ours=f"{NOT_OURS}why.", modules=(), tests=()),
    ],
)
def test_what_needs_no_test_may_have_none(row: Requirement) -> None:
    """A SHOULD may go without a test, and so may a MUST that is not ours, with the reason."""
    assert found(row, marks=(), citations=()) == []


def test_marks_are_read_everywhere() -> None:
    """On modules, classes and functions, several ids in one mark, and among other decorators."""
    source = """
pytestmark = [pytest.mark.slow, pytest.mark.spec("a:1")]

@pytest.mark.spec("a:2", "a:3")
class TestIt:
    @pytest.mark.parametrize("x", [1])
    @pytest.mark.spec("a:4")
    def test_one(self): ...

@pytest.mark.skip
def test_two(): ...
"""
    assert list(marks_in(source, "t.py")) == [
        Mark("a:1", "t.py"),
        Mark("a:2", "t.py::TestIt"),
        Mark("a:3", "t.py::TestIt"),
        Mark("a:4", "t.py::TestIt::test_one"),
    ]
    assert list(marks_in('pytestmark = pytest.mark.spec("a:1")', "t.py")) == [Mark("a:1", "t.py")]


@pytest.mark.parametrize("arguments", ["", "1", "NAME", "'a:1', *MORE"])
def test_a_mark_that_cannot_be_read_is_an_error(arguments: str) -> None:
    """A mark whose ids are computed would be overlooked."""
    with pytest.raises(ValueError, match="names no literal ids"):
        list(marks_in(f"@pytest.mark.spec({arguments})\ndef test_it(): ...", "t.py"))


def test_citations_are_read_from_docstrings_and_comments() -> None:
    """One id or several, also across lines; a line without ids is read as it is."""
    source = '''
    """Does.

    Spec: a:1.
    """
    # Spec: a:2, b-c:3-d. And more.
    """Spec: a:4,
    a:5."""
    """Spec: manifest.md, Rules.
    """
'''
    assert [one.requirement for one in citations_in(source, "m")] == [
        "a:1", "a:2", "b-c:3-d", "a:4", "a:5", "manifest.md, Rules.",
    ]  # fmt: skip


def test_the_column_is_filled_and_nothing_else_changes() -> None:
    """Tests are sorted, a dash means no test, and pipes in cells stay as they are."""
    page = "# P\n\n| id | tests |\n|---|---|\n| a:1 | MAY | a \\| b | c | `m` | old |\n"
    marks = [Mark("a:1", "y.py::test_b"), Mark("a:1", "x.py::test_a"), Mark("a:2", "z.py")]
    assert filled(page, marks) == page.replace("old", "`x.py::test_a`, `y.py::test_b`")
    assert filled(page, []) == page.replace("old", "\N{EN DASH}")
