"""A door whose packages are missing says which extra brings them."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules[{package!r}] = None  # as if it were not installed
try:
    {statement}
except ModuleNotFoundError as error:
    print(error.name.partition(".")[0], error)
"""


@pytest.mark.parametrize(
    ("package", "extra", "statement"),
    [
        ("urllib3", "registry", "from ocilayout.registry import Repository"),
        ("urllib3", "registry", "import ocilayout.registry"),
        ("hypothesis", "hypothesis", "from ocilayout.testing.machine import check_store"),
        ("hypothesis", "hypothesis", "from ocilayout.testing import strategies"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    package: str, extra: str, statement: str
) -> None:
    """The import fails with how to install the package, and still as a missing module."""
    code = WITHOUT.format(package=package, statement=statement)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == (
        f"{package} {package} is not installed; pip install 'ocilayout[{extra}]' brings it\n"
    )
