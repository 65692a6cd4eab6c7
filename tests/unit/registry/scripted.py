"""A small server that does what a test tells it, mostly wrong, and remembers what it was asked."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from ocilayout.testing.registry.wire import LoopbackServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


@define
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@define
class Reply:
    """What to answer; a Content-Length is added unless `bare`."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    bare: bool = False


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # else every answer waits for an acknowledgement
    protocol_version = "HTTP/1.1"
    server: Scripted

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the client went away, which is what some tests are about
            self.close_connection = True

    def answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, parse_qs(parts.query), headers, body)
        self.server.seen.append(seen)
        if len(body) < length:
            self.close_connection = True
            return
        key = f"{self.command} {parts.path}"
        route = self.server.routes.get(key, self.server.default)
        if isinstance(route, list):
            route = route.pop(0) if len(route) > 1 else route[0]
        reply = route(seen, self) if callable(route) else route
        if reply is not None:
            self.reply(reply)

    def reply(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        headers = dict(reply.headers)
        if not reply.bare and "Content-Length" not in headers:
            headers["Content-Length"] = str(len(reply.body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        if reply.bare:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 # http.server's names


class Scripted(LoopbackServer):
    """A server that answers as it is told and remembers what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(Handler, context)
        self.routes: dict[str, Any] = {}
        self.default: Any = Reply(404)
        self.seen: list[Seen] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def asked(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    def authorizations(self) -> list[str | None]:
        return [seen.headers.get("authorization") for seen in self.seen]
