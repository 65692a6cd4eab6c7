"""A layout against a model of it, through two handles and in two processes."""

from __future__ import annotations

import os
from itertools import count

from hypothesis import settings

from ocilayout.testing.machine import LayoutAdapter, check_store
from tests.effort import examples

STEPS = 200_000
"""What the deep profile runs at least."""


def test_a_layout_behaves_like_the_model() -> None:
    """No sequence of verbs, by any handle, makes a difference between the layout and its model."""
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    steps = count(1)
    with LayoutAdapter() as adapter:
        check_store(
            adapter,
            settings=settings(
                max_examples=STEPS // 40 if deep else examples(30, 15),
                stateful_step_count=50,
            ),
            on_step=lambda: next(steps),
        )
    done = next(steps) - 1
    if deep:
        assert done >= STEPS, f"only {done} steps were run"
        print(f"{done} steps")  # noqa: T201 # the purpose of this profile
