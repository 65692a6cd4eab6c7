"""The names of a server, by the address of its socket."""

from __future__ import annotations

import pytest

from skills.server.request import _names_of


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("127.0.0.1", {"127.0.0.1", "localhost"}),
        ("127.1.2.3", {"127.1.2.3", "localhost"}),
        ("192.0.2.1", {"192.0.2.1"}),
        ("::1", {"[::1]", "localhost"}),
        ("::ffff:127.0.0.1", {"127.0.0.1", "localhost"}),
        ("::ffff:192.0.2.1", {"192.0.2.1"}),
        ("fe80::1%eth0", {"[fe80::1]"}),
    ],
)
def test_an_address_has_the_names_of_a_url(address: str, names: set[str]) -> None:
    """Only loopback has a name besides."""
    assert _names_of(address) == names
