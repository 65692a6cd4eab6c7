"""Addresses: where a header leads, which hosts are one origin, and which host is this machine.

Pure functions over text. An address may hold secrets in its query; an origin may be shown.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from ocilayout.errors import RegistryError

_PORTS: Final = {"http": 80, "https": 443}


def parse_address(text: str) -> Url | None:
    """Return the parts of an address, without its fragment.

    Returns:
        The parts, or `None` if it is not absolute, not of http or https, or holds credentials.
    """
    try:
        parsed = parse_url(text)
    except LocationParseError:
        return None
    if parsed.scheme not in _PORTS or not parsed.host or parsed.auth:
        return None
    return parsed._replace(fragment=None)


def join(url: str, location: str | None, *, status: int) -> str:
    """Return where a `Location` leads.

    Args:
        url: Where the header came from.
        location: Its value.
        status: The status of the response, for the error.

    Raises:
        RegistryError: It is missing or no address, holds credentials, or leads out of TLS.

    Spec: distribution:location.
    """
    try:
        target = urljoin(url, location) if location else ""
    except ValueError:  # two parsers, two opinions; both have to agree
        target = ""
    parsed = parse_address(target)
    if parsed is None:
        raise RegistryError(
            f"{origin(url)} answers {status} without a usable Location", status=status
        )
    if parsed.scheme == "http" and parse_url(url).scheme == "https":
        raise RegistryError(
            f"{origin(url)} leads to {_origin(parsed)}, which is not encrypted; not followed",
            status=status,
        )
    return parsed.url


def origin(url: str) -> str:
    """Return scheme, host and port; unlike the whole, they may be shown."""
    return _origin(parse_url(url))


def _origin(parsed: Url) -> str:
    port = parsed.port or _PORTS.get(parsed.scheme or "", 0)
    return f"{parsed.scheme}://{parsed.host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host, without its port, is this machine for certain.

    Args:
        host: A name or an address; one of IPv6 in brackets or not.
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
