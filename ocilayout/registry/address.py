"""Addresses: where a header leads, which hosts are one origin, and which proxy to go through.

Pure functions over text, except that proxies are read from the environment. An address may hold
secrets in its query and must not be shown; its origin may.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from attrs import field, frozen
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from ocilayout.errors import InvalidNameError, RegistryError
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS: Final = {"http": 80, "https": 443}


def parse_address(text: str) -> Url | None:
    """Return the parts of an address, without its fragment.

    Returns:
        The parts, or `None` if the address is not absolute, not http or https, or holds
        credentials.
    """
    try:
        parsed = parse_url(text)
    except LocationParseError:
        return None
    if parsed.scheme not in _PORTS or not parsed.host or parsed.auth:
        return None
    return parsed._replace(fragment=None)


def join(url: str, location: str | None, *, status: int) -> str:
    """Return the address that a `Location` header leads to.

    Raises:
        RegistryError: The header is missing or not an address, holds credentials, or leads from
            https to http.

    Spec: distribution:location.
    """
    # Two parsers may read one text differently, so both have to accept it.
    try:
        target = urljoin(url, location) if location else ""
    except ValueError:
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
    """Return scheme, host and port, which hold no secret and may be shown."""
    return _origin(parse_url(url))


def _origin(parsed: Url) -> str:
    return f"{parsed.scheme}://{parsed.host}:{_port(parsed)}"


def _port(parsed: Url) -> int:
    return parsed.port or _PORTS.get(parsed.scheme or "", 0)


def is_loopback(host: str) -> bool:
    """Tell whether a host, a name or an IP address without a port, certainly is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@checked
@frozen(kw_only=True, repr=False)
class Proxies:
    """The proxies to use; by default none.

    The rules are those of Go's `httpproxy`, which skopeo, crane and oras follow. Loopback hosts are
    never reached through a proxy: the proxy would take `localhost` for itself.

    Attributes:
        http: The address of the proxy for http addresses, or empty. It may hold a user name and a
            password, so it is not shown.
        https: The same for https addresses.
        bypass: Hosts to reach directly, separated by commas: `*` for all; a name, which includes
            its subdomains; `.name`, its subdomains only; an IP address; or a range such as
            `10.0.0.0/8`. A name or an IP address may have a port.

    Raises:
        InvalidNameError: A proxy is not an http or https address.
    """

    http: str = ""
    https: str = ""
    bypass: str = ""
    _checked_late: bool = field(default=False, alias="checked_late")

    def __attrs_post_init__(self) -> None:
        for text in (self.http, self.https):
            if text and not self._checked_late:
                _parse_proxy(text)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Proxies:
        """Read `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; lower-case names take precedence.

        A proxy of a kind that is not known here, such as `socks5://`, is an error only once a host
        has to be reached through it.

        A CGI program ignores `HTTP_PROXY` in capitals, which a client sets there with a `Proxy`
        header.

        Args:
            environ: The environment variables; those of this process if `None`.
        """
        variables = os.environ if environ is None else environ

        def value(name: str) -> str:
            return variables.get(name.lower()) or variables.get(name) or ""

        cgi = "REQUEST_METHOD" in variables
        http = variables.get("http_proxy", "") if cgi else value("HTTP_PROXY")
        https, bypass = value("HTTPS_PROXY"), value("NO_PROXY")
        return cls(http=http, https=https, bypass=bypass, checked_late=True)

    def choose(self, url: str) -> str | None:
        """Return the address of the proxy to reach an address through, or `None`.

        Raises:
            InvalidNameError: The proxy is not an http or https address.
        """
        target = parse_url(url)
        proxy = self.https if target.scheme == "https" else self.http
        host = (target.host or "").strip("[]").lower()
        if not proxy or is_loopback(host) or self._bypasses(host, str(_port(target))):
            return None
        return _parse_proxy(proxy).url

    def __repr__(self) -> str:
        return f"Proxies(bypass={self.bypass!r})"

    def _bypasses(self, host: str, port: str) -> bool:
        entries = map(str.strip, self.bypass.lower().split(","))
        return any(_matches(entry, host, port) for entry in entries if entry)


def _matches(entry: str, host: str, port: str) -> bool:
    """Tell whether an entry of `NO_PROXY` covers a host."""
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # the host or the entry is a name, or the entry has a port
    name, colon, wanted = entry.rpartition(":")
    if not colon or not wanted.isdigit():
        name, wanted = entry, port
    name = name.strip("[]").removeprefix("*")
    if wanted != port or not name:
        return False
    return host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}")


def _parse_proxy(text: str) -> Url:
    # The error does not repeat the text, which may hold a password.
    try:
        parsed = parse_url(text if "://" in text else f"http://{text}")
    except LocationParseError:
        parsed = None
    if parsed is None or parsed.scheme not in _PORTS or not parsed.host:
        raise InvalidNameError(
            "the proxy is not an http or https address; write http://HOST:PORT in HTTP_PROXY,"
            " HTTPS_PROXY or the argument, or leave it empty"
        )
    return parsed
