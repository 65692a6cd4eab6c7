"""The benchmark runs, and its output can be read. No test asserts a speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark as CONTRIBUTING says, from the root of a checkout."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--repetitions", "2", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_case_is_measured_on_both_sides() -> None:
    """Every single time is in the JSON, with the ratio and its limit."""
    done = bench("--json", "tag")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (result,) = document["results"]
    assert (result["case"], result["size"], result["unit"]) == ("tag", 1000, "entries")
    assert len(result["ours"]) == len(result["theirs"]) == result["repetitions"] == 2
    assert all(time > 0 for time in (*result["ours"], *result["theirs"]))
    assert result["met"] is (result["ratio"] <= result["limit"])
    assert document["python"].endswith(sys.version.split()[0])


def test_people_get_a_table() -> None:
    """Each case is a row, with its ratio and spread."""
    done = bench("resolve")
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.split("\n\n")[1].splitlines()
    assert head.split()[:2] == ["case", "size"]
    assert row.startswith("resolve  1,000 entries")


def test_an_unknown_case_is_refused() -> None:
    """The error lists the known cases."""
    done = bench("nothing")
    assert done.returncode == 2
    assert "tags-at-once" in done.stderr
