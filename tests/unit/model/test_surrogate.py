"""Lone surrogates: which texts hold them, and their replacement."""

from __future__ import annotations

import pytest

from ocilayout.model.surrogate import has_surrogate, replace_surrogates


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc33\ud83d"])
def test_half_of_a_pair_is_found_wherever_it_stands(text: str) -> None:
    assert has_surrogate(text)


@pytest.mark.parametrize("text", ["", "a", "\ud7ff\ue000", "\U0001f433"])
def test_text_that_utf8_can_encode_has_no_surrogate(text: str) -> None:
    assert not has_surrogate(text)
    assert replace_surrogates(text) == text


def test_each_half_becomes_the_replacement() -> None:
    assert replace_surrogates("a\ud83d\ud83db\udc33") == "a\ufffd\ufffdb\ufffd"
    assert replace_surrogates("\ud83d", r"\ufffd") == r"\ufffd"
