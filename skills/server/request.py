"""Requests: which are accepted, and the fields that they have.

A page of any site may send requests to loopback, and by a name that resolves to loopback (DNS
rebinding) it may even read the replies. Browsers send the origin of a request and the name of the
server that they connect to; both must be ours. Other programs send only the latter.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final, NoReturn

from attrs import frozen
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from ocilayout.model import replace_surrogates
from skills.model import check_name
from skills.server.reply import error_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY: Final = 1024 * 1024
"""The largest body of a request, in bytes."""

_HTTP_PORT = "80"
_FROM_HERE = frozenset({"same-origin", "none"})  # "same-site" is also another port of this host


class Gate:
    """Passes on the requests that are sent to this server, and not by a page of another site."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = ()) -> None:
        """Put the gate in front of an application.

        Args:
            app: The application.
            hosts: Names of the server besides its address, such as behind a proxy: each with a
                port or for any port.
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

        The address that the request came to is: unlike a name, it cannot resolve to anything else.
        """
        host = host.lower()
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name, port = host, ""
        if host in self._hosts or name in self._hosts:
            return True
        address, own_port = scope["server"]
        return name in _names_of(address) and (port or _HTTP_PORT).lstrip("0") == str(own_port)


@frozen
class Fields:
    """The fields of a request; absent and null fields are empty, unknown fields are ignored.

    A field of another type raises `HTTPException`.
    """

    values: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a string."""
        return _text(name, self.values.get(name))

    def texts(self, name: str) -> list[str]:
        """Return a list of strings."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            _refuse_body(f"{name} must be a list of strings")
        return [_text(name, item) for item in value]

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            _refuse_body(f"{name} must be true or false")
        return bool(value)


async def read_fields(request: Request) -> Fields:
    """Read the body of a request.

    Raises:
        HTTPException: The body is too large, or is not a JSON object.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {MAX_BODY} bytes",
            )
    try:
        value = json.loads(data.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        _refuse_body("it is nested too deeply")
    except ValueError as error:  # of UTF-8 as well
        _refuse_body(str(error))
    if not isinstance(value, dict):
        _refuse_body("it is not an object")
    return Fields(value)


def installed_of(request: Request) -> tuple[str, str | None, str | None]:
    """Return the name in the path of a request, and the scope and project of its query."""
    name: str = request.path_params["name"]
    if reason := check_name(name):
        refuse(reason)
    query = request.query_params
    return name, query.get("scope") or None, root_of(query.get("project_root"))


def root_of(path: str | None) -> str | None:
    """Return the root of a project, if there is one."""
    return absolute(path, "project_root") if path else None


def absolute(path: str, what: str) -> str:
    """Require an absolute path: clients do not know the working folder of the server."""
    if not os.path.isabs(path) or "\0" in path or ".." in path.split("/"):  # noqa: PTH117
        refuse(f"{what} must be an absolute path without '..'")
    return path


def require_no_group(group: str | None) -> None:
    """Refuse groups, which only ToolHive has."""
    if group:
        raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, "groups are not supported here")


def require_no_signing(fields: Fields) -> None:
    """Refuse to sign a push, which only ToolHive does."""
    asked = [bool(fields.text("key")), bool(fields.text("identity_token")), fields.flag("no_sign")]
    if sum(asked) > 1:
        refuse("key, identity_token and no_sign exclude each other")
    if any(asked[:2]):
        raise HTTPException(
            HTTPStatus.NOT_IMPLEMENTED, "nothing is signed here; send no_sign, and sign afterwards"
        )


def refuse(reason: str) -> NoReturn:
    """Refuse a request with the status 400.

    Raises:
        HTTPException: Always.
    """
    raise HTTPException(HTTPStatus.BAD_REQUEST, reason)


def _names_of(address: str) -> set[str]:
    """Return the ways to write the address of a socket in a URL."""
    own = ip_address(address.partition("%")[0])
    if isinstance(own, IPv6Address) and own.ipv4_mapped is not None:
        own = own.ipv4_mapped
    names = {f"[{own}]" if isinstance(own, IPv6Address) else str(own)}
    return names | {"localhost"} if own.is_loopback else names


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse_body(f"{name} must be a string")
    return replace_surrogates(value)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _refuse_body(reason: str) -> NoReturn:
    refuse(f"invalid request body: {reason}")
