"""How things are called: models and options by name, so that their order can change."""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import ocilayout
from ocilayout.model.graph import walk
from ocilayout.model.reference import require_ref_name

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = {name: getattr(ocilayout, name) for name in ocilayout.__all__}
MODELS = [found for found in PUBLIC.values() if isinstance(found, type) and attrs.has(found)]


def kinds(called: Callable[..., Any]) -> dict[str, Any]:
    return {name: given.kind for name, given in inspect.signature(called).parameters.items()}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_a_model_is_made_by_the_names_of_its_fields(model: type) -> None:
    assert set(kinds(model).values()) == {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("called", "option"),
    [
        (ocilayout.decode, "limit"),
        (walk, "subjects"),
        (require_ref_name, "strict"),
    ],
)
def test_an_option_is_given_by_its_name(called: Callable[..., Any], option: str) -> None:
    assert kinds(called)[option] is Parameter.KEYWORD_ONLY
