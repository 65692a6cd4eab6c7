"""The pytest plugin: a project that has it installed gets a fixture, and pays for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
import sys
import urllib.request

import pytest


def test_a_test_that_does_not_use_it_does_not_load_it():
    assert "_ocilayout_pytest" in sys.modules
    assert not {"ocilayout", "attr", "cattrs", "http.server"} & set(sys.modules)


hosts = []


@pytest.mark.parametrize("number", [1, 2])
def test_every_test_has_a_registry_of_its_own(oci_registry, number):
    oci_registry.put_blob("team/app", b"x")
    with urllib.request.urlopen(f"{oci_registry.url}/v2/team/app/tags/list") as answer:
        assert answer.status == 200
    assert len(oci_registry.requests) == 1
    hosts.append(oci_registry)


def test_it_ends_with_its_test():
    for registry in hosts:
        with pytest.raises(RuntimeError):
            registry.host
"""


def test_the_fixture_is_there_and_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    """A project whose warnings are errors has `oci_registry`, loaded by the first who asks."""
    (tmp_path / "test_project.py").write_text(PROJECT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
         "-p", "no:xdist", "-p", "no:cov", "--rootdir", tmp_path, tmp_path],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTEST_ADDOPTS": ""},  # what is asked of the run around it
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
