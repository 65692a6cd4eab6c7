"""Proxies: which one leads to an address, by the environment or by what the caller says.

The rules are those of Go's `httpproxy`, which skopeo, crane and oras follow; the loopback is
never reached through a proxy, since what a proxy takes for `localhost` is another machine.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from attrs import frozen
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from ocilayout.errors import InvalidNameError
from ocilayout.registry.address import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.util import Url

_PORTS = {"http": 80, "https": 443}


@frozen(kw_only=True, repr=False)
class Proxies:
    """Which proxies are used; none by default.

    Attributes:
        http: The address of the proxy for addresses of http, empty for none. It may hold a user
            and a password, so it is not shown.
        https: That for addresses of https.
        bypass: Which hosts are reached without a proxy, separated by commas: `*` for all, a name
            (with the names under it), `.name` (only those), an address, a range of addresses such
            as `10.0.0.0/8`; a name or an address may have a port.
    """

    http: str = ""
    https: str = ""
    bypass: str = ""

    def __attrs_post_init__(self) -> None:
        for text in (self.http, self.https):
            if text:
                _parse_proxy(text)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Proxies:
        """Return what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, or their small letters.

        Small letters come first. `HTTP_PROXY` in capitals is not regarded in a CGI program, where
        a client can set it.

        Args:
            environ: The variables; those of the process if `None`.

        Raises:
            InvalidNameError: A proxy has no address of http or https.
        """
        found = os.environ if environ is None else environ

        def value(name: str) -> str:
            return found.get(name.lower()) or found.get(name) or ""

        http = found.get("http_proxy") if "REQUEST_METHOD" in found else value("HTTP_PROXY")
        return cls(http=http or "", https=value("HTTPS_PROXY"), bypass=value("NO_PROXY"))

    def choose(self, url: str) -> str | None:
        """Return the address of the proxy that leads to an address, or `None`.

        Args:
            url: An absolute address of http or https.
        """
        target = parse_url(url)
        proxy = self.https if target.scheme == "https" else self.http
        host = (target.host or "").strip("[]").lower()
        if not proxy or is_loopback(host) or self._bypassed(host, target):
            return None
        return _parse_proxy(proxy).url

    def __repr__(self) -> str:
        return f"Proxies(bypass={self.bypass!r})"

    def _bypassed(self, host: str, target: Url) -> bool:
        port = str(target.port or _PORTS.get(target.scheme or "", 0))
        return any(
            _matches(entry.strip().lower(), host, port)
            for entry in self.bypass.split(",")
            if entry.strip()
        )


def _matches(entry: str, host: str, port: str) -> bool:
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            pass  # a name, or an address with a port
    name, colon, wanted = entry.rpartition(":")
    if not colon or not wanted.isdigit():
        name, wanted = entry, port
    name = name.strip("[]").removeprefix("*")
    if wanted != port or not name:
        return False
    return host.endswith(name) if name.startswith(".") else (f".{host}").endswith(f".{name}")


def _parse_proxy(text: str) -> Url:
    # The text is not repeated: it may hold a password.
    try:
        parsed = parse_url(text if "://" in text else f"http://{text}")
    except LocationParseError:
        parsed = None
    if parsed is None or parsed.scheme not in _PORTS or not parsed.host:
        raise InvalidNameError(
            "the proxy is no address of http or https; write http://HOST:PORT in HTTP_PROXY,"
            " HTTPS_PROXY or the argument, or leave it empty"
        )
    return parsed
