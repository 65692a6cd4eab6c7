"""The rows of spec-notes as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocilayout.check import requirement
from ocilayout.check.requirement import (
    PAGES,
    Requirement,
    find_requirement,
    iter_requirements,
    parse_page,
)
from ocilayout.errors import NotFoundError

ROW = "| a:b | MUST | One \\| two. | Done. | `m`, `n.o` | `t.py::test_a`, `u.py` |"
NOTES = Path(__file__).parents[3] / "spec-notes"


class TestParse:
    def test_a_row_has_six_cells(self) -> None:
        (row,) = parse_page(f"# Page\n\n| id | level |\n|---|---|\n{ROW}\n\nNo row: a:c | x.\n")
        assert row == Requirement(
            id="a:b",
            level="MUST",
            text="One | two.",
            ours="Done.",
            modules=("m", "n.o"),
            tests=("t.py::test_a", "u.py"),
        )
        assert (row.page, row.is_ours) == ("a", True)

    def test_a_dash_is_nothing(self) -> None:
        dash = "\N{EN DASH}"
        (row,) = parse_page(f"| a:b | MAY | One. | Not ours: why. | {dash} | {dash} |")
        assert (row.modules, row.tests, row.is_ours) == ((), (), False)

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (ROW.replace("MUST", "HAS TO"), "HAS TO is not a level"),
            (f"{ROW} more |", "6 cells"),
            (ROW.replace(" Done. |", ""), "6 cells"),
            (ROW.replace("Done.", ""), "none is empty"),
        ],
    )
    def test_a_malformed_row_is_an_error_that_shows_it(self, row: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason) as caught:
            list(parse_page(row))
        assert row in str(caught.value)


class TestFind:
    def test_a_row_is_found_by_its_id(self) -> None:
        row = find_requirement("descriptor:digest-grammar")
        assert (row.id, row.level) == ("descriptor:digest-grammar", "MUST")
        assert "ocilayout.model.digest" in row.modules

    def test_an_unknown_id_is_an_error_that_names_similar_ids(self) -> None:
        with pytest.raises(NotFoundError, match="descriptor:digest-grammar"):
            find_requirement("descriptor:digest-gramar")
        with pytest.raises(NotFoundError) as caught:
            find_requirement("?")
        assert str(caught.value) == "there is no requirement '?'"


class TestInstalled:
    def test_all_pages_are_read_in_order(self) -> None:
        rows = list(iter_requirements())
        assert rows == list(iter_requirements(NOTES))
        assert list(dict.fromkeys(row.page for row in rows)) == list(PAGES)

    def test_a_wheel_has_the_pages_inside_the_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They come before what lies beside the package, which may be anything there."""
        inside = tmp_path / "ocilayout" / "spec-notes"
        inside.mkdir(parents=True)
        for page in PAGES:
            (inside / f"{page}.md").write_text(ROW.replace("a:b", f"{page}:x"))
        module = inside.parent / "check" / "requirement.py"
        monkeypatch.setattr(requirement, "__file__", str(module))
        assert [row.id for row in iter_requirements()] == [f"{page}:x" for page in PAGES]
