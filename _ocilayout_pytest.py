"""The pytest plugin of ocilayout: the fixture `oci_registry`.

pytest imports it in every project that has ocilayout installed, before it measures anything. So
it stands outside of the package, whose import it would pay for, and imports nothing before a test
asks for the fixture. See spec-notes/decisions/0051.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.testing.registry import LoopbackRegistry


@pytest.fixture
def oci_registry() -> Iterator[LoopbackRegistry]:
    """Serve a registry on loopback while the test runs; see `ocilayout.testing.registry`."""
    from ocilayout.testing.registry import LoopbackRegistry  # noqa: PLC0415 # only if it is used

    with LoopbackRegistry() as registry:
        yield registry
