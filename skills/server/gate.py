"""Which requests a server on loopback takes: those that are meant for it.

A page of any site may send requests to loopback, and with a name that it lets point there (DNS
rebinding) it may even read the answers. Browsers send the origin of a request and the name of the
server that they talk to; both must be ours. Other programs send only the latter.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from skills.server.message import error_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

_HTTP_PORT = "80"
_FROM_HERE = frozenset({"same-origin", "none"})  # "same-site" is also another port of this host


class Gate:
    """Passes on requests that are meant for this server and do not come from a foreign page."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = ()) -> None:
        """Put the gate before an application.

        Args:
            app: The application.
            hosts: The names of the server besides its address, such as behind a proxy: each with
                a port or for any port.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        reason = self._refusal(scope, Headers(scope=scope))
        app = self._app if reason is None else error_reply(HTTPStatus.FORBIDDEN, reason)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(scope, hosts[0]):
            return (
                f"this server is not called {', '.join(hosts) or 'nothing'!r}; use its address,"
                " or allow that name when it is started"
            )
        for origin in headers.getlist("origin"):
            scheme, separator, host = origin.partition("://")
            if not separator or scheme not in {"http", "https"} or not self._is_own(scope, host):
                return f"pages of {origin!r} may not use this server"
        if any(site not in _FROM_HERE for site in headers.getlist("sec-fetch-site")):
            return "pages of other sites may not use this server"
        return None

    def _is_own(self, scope: Scope, host: str) -> bool:
        """Tell whether a host is this server.

        An address is, if the request came to it: unlike a name, it cannot be made to point
        elsewhere.
        """
        host = host.lower()
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name, port = host, ""
        if host in self._hosts or name in self._hosts:
            return True
        address, own_port = scope["server"]
        return name in _names_of(address) and (port or _HTTP_PORT).lstrip("0") == str(own_port)


def _names_of(address: str) -> set[str]:
    """Return the ways to write the address of a socket in a URL."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    names = {f"[{found}]" if isinstance(found, IPv6Address) else str(found)}
    return names | {"localhost"} if found.is_loopback else names
