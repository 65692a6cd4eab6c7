"""How long expensive tests look for a difference."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") in ("ci", "deep")
"""Whether a run may take minutes longer: expensive tests try more examples then."""


def examples(thorough: int, quick: int) -> int:
    """Return how many examples an expensive test tries.

    Args:
        thorough: In the profiles `ci` and `deep`.
        quick: In all others.
    """
    return thorough if THOROUGH else quick


# How long the machine looks for a difference that must be found.
# To the first failure, and no smaller: it is not read. When this was written each was found in
# the first 100 examples, which are what Hypothesis does by default; with another version of it the
# examples are others, and one may need some more.
EFFORT = settings(
    max_examples=300,
    stateful_step_count=50,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
