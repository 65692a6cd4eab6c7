"""Laws of near-misses: exactly its defect is found, at its place."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocilayout.check import KINDS, iter_problems
from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.codec import decode
from ocilayout.model.config import ImageConfig
from ocilayout.model.manifest import Header, Index, Manifest
from ocilayout.testing.strategies import CODES, Finding, broken_documents, near_misses
from ocilayout.testing.strategies.flaw import FLAWS
from ocilayout.testing.strategies.specimen import BEARERS

if TYPE_CHECKING:
    from ocilayout.model.attribute import Extensible

# There are many parameters, and each example of the former is a layout on disk.
LAW = settings(deadline=None, max_examples=max(4, settings().max_examples // 20))
DOCUMENTS = [
    pytest.param(model, code, id=f"{model.__name__}-{code}")
    for model in (Header, Index, Manifest, ImageConfig)
    for code in FLAWS
    if model in BEARERS[code]
]


def test_every_problem_has_a_near_miss() -> None:
    """Each problem that a check can report has a near-miss."""
    assert set(CODES) == set(KINDS)


@pytest.mark.parametrize("code", sorted(KINDS))
@given(data=st.data())
@LAW
def test_a_check_only_finds_the_defect_at_its_place(code: str, data: st.DataObject) -> None:
    miss = data.draw(near_misses([code]))
    with tempfile.TemporaryDirectory() as folder:
        problems = list(iter_problems(miss.value.write(Path(folder) / "layout"), jobs=1))
    found = [Finding(problem.code, problem.place) for problem in problems]
    assert miss.code == code
    assert sorted(found) == sorted(miss.findings)


@pytest.mark.parametrize(("model", "code"), DOCUMENTS)
@given(data=st.data())
@LAW
def test_a_reader_refuses_the_document_only_for_its_defect(
    model: type[Extensible], code: str, data: st.DataObject
) -> None:
    miss = data.draw(broken_documents(model, [code]))
    assert miss.code == code
    if code in ("too-large", "too-deep", "too-many-nodes"):
        with pytest.raises(LimitExceededError):
            decode(miss.value, model)
        return
    with pytest.raises(DocumentError) as caught:
        decode(miss.value, model)
    assert [(problem.code, problem.place) for problem in caught.value.problems] == [
        (code, miss.place)
    ]
