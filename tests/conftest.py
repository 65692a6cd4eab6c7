"""What all tests share: how hard Hypothesis tries, where files go, and a clock to be moved."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

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

# A child compiles what it imports where no bytecode is kept, and the tests start hundreds of them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

MEMORY = "/dev/shm"
ROOM = 4 * 2**30  # bytes; environments are installed there


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary files into memory, where there is room and programs and devices work.

    A third of the time of all tests goes into a disk otherwise. `TMPDIR` says where else they go.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):  # workers inherit it
        return
    status = os.statvfs(MEMORY)
    useless = os.ST_NODEV | os.ST_NOEXEC
    if status.f_flag & useless or status.f_bavail * status.f_frsize < ROOM:
        return
    folder = tempfile.mkdtemp(prefix="tests-", dir=MEMORY)
    os.chmod(folder, 0o755)  # noqa: PTH101 # tests give up the rights of root
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


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
