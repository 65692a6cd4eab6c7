"""Compares the tables of spec-notes with the marks of tests, the modules, and the code's citations.

`python -m tests.spec.notes` writes the column of tests from the marks. Everything is read as text:
nothing is imported, and no test is collected.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.check.requirement import NOTHING, PAGES, Requirement, parse_page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
NOTES: Final = ROOT / "spec-notes"
PACKAGES: Final = ("ocilayout", "skills")

_ID = r"[a-z-]+:[a-z0-9-]+"
_CITED = re.compile(rf"({_ID}(?:,\s+{_ID})*)\.(?!\w)")
_SPEC = "Spec: "


@frozen
class Mark:
    """A mark on a test.

    Attributes:
        requirement: The id in the mark.
        test: The marked test, class or module, below `tests/`.
    """

    requirement: str
    test: str


@frozen
class Citation:
    """A citation of a requirement.

    Attributes:
        requirement: Its id.
        module: The module of the `Spec:` line; empty for a citation in another table.
    """

    requirement: str
    module: str = ""


def faults(
    rows: Mapping[str, Iterable[Requirement]],
    marks: Iterable[Mark],
    modules: Collection[str],
    citations: Iterable[Citation],
) -> list[str]:
    """Return where rows, tests, modules and code disagree, one sentence for each fault.

    Args:
        rows: The rows of each page.
        marks: The marks of all tests.
        modules: The names of all modules.
        citations: The citations in the code.
    """
    marked: dict[str, set[str]] = {}
    for mark in marks:
        marked.setdefault(mark.requirement, set()).add(mark.test)
    cited: dict[str, set[str]] = {}
    for citation in citations:
        cited.setdefault(citation.requirement, set()).add(citation.module)
    found: list[str] = []
    known: dict[str, Requirement] = {}
    for page, requirements in rows.items():
        for row in requirements:
            if row.page != page:
                found.append(f"{row.id} is on the page {page}")
            if row.id in known:
                found.append(f"{row.id} has two rows")
            known[row.id] = row
            found += _faults_of(row, marked.get(row.id, set()), modules)
            found += _uncited(row, cited.get(row.id, set()))
    found += [
        f"{requirement} has no row, but a mark at {', '.join(sorted(tests))}"
        for requirement, tests in marked.items()
        if requirement not in known
    ]
    found += [
        f"{requirement} has no row, but is cited by {', '.join(sorted(places)) or 'a table'}"
        for requirement, places in cited.items()
        if requirement not in known
    ]
    found += [f"{test} is not a test, but marked" for test in _no_tests(marked)]
    return found


def _faults_of(row: Requirement, tests: set[str], modules: Collection[str]) -> Iterator[str]:
    if not row.is_ours:
        if row.modules or tests:
            yield f"{row.id} is not ours, but has a module or a test"
        return
    if row.level == "MUST" and not tests:
        yield f"{row.id} is a MUST without a test"
    if not row.modules:
        yield f"{row.id} names no module"
    for module in row.modules:
        if module not in modules:
            yield f"{row.id} names the module {module}, which does not exist"
    for test in sorted(set(row.tests) - tests):
        yield f"{row.id} names the test {test}, which does not exist or is not marked"
    for test in sorted(tests - set(row.tests)):
        yield f"{row.id} does not name the test {test}, which is marked"


def _uncited(row: Requirement, places: set[str]) -> Iterator[str]:
    lines = places - {""}
    if row.level == "MUST" and row.modules and lines.isdisjoint(row.modules):
        yield f"{row.id} is a MUST that no Spec line in its modules cites"
    for module in sorted(lines - set(row.modules)):
        yield f"{row.id} does not name the module {module}, which cites it"


def _no_tests(marked: Mapping[str, Iterable[str]]) -> list[str]:
    tests = {test for bearers in marked.values() for test in bearers}
    return sorted(test for test in tests if not _is_test(test))


def _is_test(test: str) -> bool:
    _, *names = test.split("::")
    return all(name.startswith(("test_", "Test")) for name in names)


def marks_in(source: str, path: str) -> Iterator[Mark]:
    """Yield the marks of a module of tests.

    Args:
        source: Its source.
        path: Its path below `tests/`.

    Raises:
        ValueError: A mark has an argument that is not a literal string, or none.
    """
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            found = node.value.elts if isinstance(node.value, ast.List) else [node.value]
            yield from _marks(found, path)
    yield from _marks_below(tree, path)


def _marks_below(node: ast.AST, place: str) -> Iterator[Mark]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = f"{place}::{child.name}"
            yield from _marks(child.decorator_list, inside)
            yield from _marks_below(child, inside)


def _marks(expressions: Iterable[ast.expr], place: str) -> Iterator[Mark]:
    for expression in expressions:
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "pytest.mark.spec":
            names = [getattr(argument, "value", None) for argument in expression.args]
            if not names or not all(isinstance(name, str) for name in names):
                raise ValueError(f"the mark at {place} names no literal ids")
            for name in names:
                yield Mark(str(name), place)


def citations_in(source: str, module: str) -> Iterator[Citation]:
    """Yield the citations in the `Spec:` lines of a module; a line without ids is yielded as it is.

    Args:
        source: Its source.
        module: Its name.
    """
    for piece in source.split(_SPEC)[1:]:
        match = _CITED.match(piece)
        names = re.split(r",\s+", match[1]) if match else [piece.partition("\n")[0]]
        for name in names:
            yield Citation(name, module)


def rootless(modules: Mapping[str, str]) -> list[str]:
    """Return the errors in `Raises` sections that lead to no row, not even through a subclass.

    Args:
        modules: The sources of modules by their names. Errors that no module defines belong to
            Python or another library.
    """
    bases: dict[str, set[str]] = {}
    leading: set[str] = set()
    for source in modules.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base) for base in node.bases}
                if _SPEC in (ast.get_docstring(node) or ""):
                    leading.add(node.name)
    while more := {base for name in leading for base in bases.get(name, ())} - leading:
        leading |= more
    return [
        f"{module} raises {error}, which leads to no row"
        for module, source in modules.items()
        for error in sorted(raised_in(source))
        if error in bases and error not in leading
    ]


def raised_in(source: str) -> set[str]:
    """Return the names of the errors under `Raises` in the docstrings of a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            _, _, raises = (ast.get_docstring(node) or "").partition("Raises:\n")
            section = raises.partition("\n\n")[0]
            found |= set(re.findall(r"^    (\w+):", section, re.MULTILINE))
    return found


def filled(page: str, marks: Iterable[Mark]) -> str:
    """Return a page with the column of tests written from the marks.

    Args:
        page: The page, in Markdown.
        marks: The marks of all tests.
    """
    marked: dict[str, set[str]] = {}
    for mark in marks:
        marked.setdefault(mark.requirement, set()).add(mark.test)
    lines = page.splitlines()
    for number, line in enumerate(lines):
        for row in parse_page(line):
            tests = [f"`{test}`" for test in sorted(marked.get(row.id, ()))]
            lines[number] = f"{line.rpartition(' | ')[0]} | {', '.join(tests) or NOTHING} |"
    return "\n".join(lines) + "\n"


def all_marks() -> list[Mark]:
    """Return the marks of all tests."""
    tests = ROOT / "tests"
    return [
        mark
        for path in sorted(tests.rglob("test_*.py"))
        for mark in marks_in(path.read_text(), path.relative_to(tests).as_posix())
    ]


def all_modules() -> dict[str, str]:
    """Return the source of every module by its name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return found


def all_rows() -> dict[str, list[Requirement]]:
    """Return the rows of all pages."""
    return {page: list(parse_page((NOTES / f"{page}.md").read_text())) for page in PAGES}


def main() -> None:
    """Write the column of tests into every page."""
    marks = all_marks()
    for page in PAGES:
        path = NOTES / f"{page}.md"
        path.write_text(filled(path.read_text(), marks))


if __name__ == "__main__":
    main()
