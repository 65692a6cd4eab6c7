"""What all tests share: how hard Hypothesis tries, and a clock that can be moved."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from ocilayout.layout import clock

# No test is about time, and a machine that others use is slow now and then.
PATIENT = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("default", PATIENT)
settings.register_profile("ci", PATIENT, max_examples=100)
settings.register_profile("deep", PATIENT, max_examples=5000)
# For tests.mutants: the same on each mutant, and whatever fails need not be made small.
settings.register_profile(
    "mutants",
    PATIENT,
    max_examples=20,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

YEARS = 10 * 365 * 24 * 60 * 60


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let the clock of the library be ten years ahead, and return its time.

    The change time of a file cannot be set, so a file is made old by the clock alone. It is young
    again with a modification time that is near the clock's.
    """
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + YEARS)
    return clock.now()
