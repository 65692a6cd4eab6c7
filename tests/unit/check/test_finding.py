"""The kinds of problems: each is found, where it is, and as nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ocilayout
from ocilayout.check.finding import KINDS, classified, problem_at
from ocilayout.errors import MAX_PROBLEMS, DocumentError, Problem
from tests.unit.check.conftest import (
    DASH,
    NOTES,
    TOP,
    Store,
    seen,
)
from tests.unit.check.flaws import CASES


@pytest.mark.spec(
    "image-layout:blobs-folder",
    "image-layout:oci-layout-file",
    "image-layout:version",
    "image-layout:index-json",
    "image-layout:blob-names",
    "image-layout:blob-content",
    "image-layout:unreferenced-blobs",
    "image-layout:unlisted-referrers",
    "image-layout:missing-blobs",
    "image-layout:several-entries",
    "image-layout:links",
    "descriptor:media-type",
    "descriptor:digest-grammar",
    "descriptor:digest-algorithm",
    "descriptor:size",
    "descriptor:data",
    "descriptor:urls",
    "descriptor:urls-scheme",
    "descriptor:artifact-type",
    "descriptor:independent",
    "image-index:schema-version",
    "image-index:manifests",
    "image-index:artifact-type",
    "image-index:platform-values",
    "manifest:artifact-type",
    "manifest:artifact-type-form",
    "manifest:empty-descriptor",
    "manifest:layers",
    "manifest:media-type",
    "manifest:subject",
    "manifest:unambiguous",
    "config:created",
    "config:platform-values",
    "annotations:key-form",
    "annotations:ref-name",
    "annotations:digest-name",
    "annotations:same-name",
    "considerations:json",
    "considerations:property-types",
    "considerations:duplicate-keys",
    "considerations:case",
    "considerations:numbers",
    "considerations:texts",
    "considerations:limits",
)
@pytest.mark.parametrize("case", CASES)
def test_a_layout_with_one_flaw_has_one_problem(case: str, store: Store) -> None:
    severity, code, make = CASES[case]
    place = make(store)
    expected = [(severity, code, place)]
    if code == "more-problems":
        keys = [f'{place}.annotations["note {number}"]' for number in range(MAX_PROBLEMS)]
        expected = [("warning", "annotation-key-form", key) for key in keys] + expected
    if case == "size-conflict":  # two references to what is not here: that is told besides
        expected.insert(0, ("warning", "dangling-entry", TOP))
    assert seen(store.root) == expected


def test_there_is_an_example_of_every_kind() -> None:
    assert {code for _, code, _ in CASES.values()} == set(KINDS)


def test_what_reading_a_document_can_find_is_a_kind() -> None:
    sources = Path(ocilayout.__file__).parent
    readers = (
        "model/ijson",
        "model/surrogate",
        "model/codec",
        "model/attribute",
        "model/digest",
        "model/descriptor",
        "model/manifest",
        "errors",
        "check/advice",
    )
    text = "".join((sources / f"{name}.py").read_text() for name in (*readers, "check/reading"))
    codes = re.findall(r'"([a-z]+(?:-[a-z0-9]+)+)"', text)
    # Two are for constructors, and for texts; the third is the value of an annotation.
    assert set(codes) - {"known-property", "bad-platform", "attestation-manifest"} <= set(KINDS)


def test_the_page_of_problems_says_what_the_table_says() -> None:
    kinds = [
        f"| `{code}` | {kind.severity} | {kind.requirement or DASH}" for code, kind in KINDS.items()
    ]
    rows = [line for line in NOTES.read_text().splitlines() if line.startswith("| `")]
    assert [row.rsplit(" | ", 2)[0] for row in rows] == kinds
    assert all(row.split(" | ")[3].endswith(".") for row in rows)


class TestFinding:
    def test_an_unknown_code_keeps_what_the_problem_says(self) -> None:
        problem = Problem(code="new", message="is new", place="$.a", severity="note")
        assert classified(problem, "index.json") == Problem(
            code="new", message="is new", place="index.json$.a", severity="note"
        )

    def test_a_known_code_has_its_kind(self) -> None:
        problem = DocumentError.of("duplicate-property", "twice").problems[0]
        assert classified(problem, "x") == problem_at("duplicate-property", "twice", "x")
        assert (
            problem_at("duplicate-property", "", "").requirement == "considerations:duplicate-keys"
        )

    @pytest.mark.parametrize("code", KINDS)
    def test_a_kind_is_well_formed(self, code: str) -> None:
        kind = KINDS[code]
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
        assert kind.severity in {"error", "warning", "note"}
        assert re.fullmatch(r"([a-z-]+:[a-z0-9-]+)?", kind.requirement)
