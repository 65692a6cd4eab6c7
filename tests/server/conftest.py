"""Fixtures for tests of the server: a running server, and a client that sends any request."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from ocilayout.registry import Patience, Repository
from ocilayout.testing.registry import LoopbackRegistry
from skills import SkillService
from skills.server import PREFIX, application, bind, server_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from ocilayout import Reference


@frozen
class Reply:
    """A reply of the server."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON; it ends a line, as Go's encoder does it."""
        assert self.headers["content-type"] == "application/json"
        assert self.text.endswith("\n")
        return json.loads(self.text)

    @property
    def message(self) -> str:
        """The one line of an error."""
        assert self.headers["content-type"] == "text/plain; charset=utf-8"
        assert self.text.endswith("\n")
        assert self.text.count("\n") == 1
        return self.text.removesuffix("\n")


class Running:
    """A server in a thread, whose application each test brings along."""

    def __init__(self, listener: socket.socket) -> None:
        self.app: ASGIApp
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._server = server_of(self)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self.app(scope, receive, send)

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    with bind("127.0.0.1", 0) as listener:
        found = Running(listener)
        yield found
        found.stop()


def at_once(reference: Reference) -> Repository:
    """Return the repository of a reference, whose failures are not waited out."""
    patience = Patience(sleep=lambda _: None)
    return Repository(f"{reference.host}/{reference.repository}", patience=patience)


class Client:
    """A home, a store and a registry; a service with them, and requests to it."""

    def __init__(self, folder: Path, registry: LoopbackRegistry, running: Running) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.registry = registry
        self.reference = f"{registry.host}/team/hello:v1"
        self.service = SkillService.open(
            folder / "store", registry=at_once, home=self.home, durability="none"
        )
        self.running = running
        self.serve()

    def serve(self, **options: Any) -> None:
        """Serve the service anew, in another way."""
        self.running.app = application(self.service, **options)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the server."""
        host, port = self.running.address
        return http.client.HTTPConnection(host, port, timeout=60)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request below the prefix; a body that is not bytes is sent as JSON."""
        connection = self.connect()
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, PREFIX + path, body=data, headers=headers or {})
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def skill(self, name: str = "hello", *, body: str = "# Hello\n", version: str = "1.2") -> str:
        """Write a skill and return the path of its folder."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        path.joinpath("SKILL.md").write_text(
            f"---\nname: {name}\ndescription: Says <{name}>\nversion: {version}\n---\n{body}"
        )
        return str(path)

    def remote(self, body: str = "# Hello\n") -> str:
        """Let the registry have the skill, and not the store; return its digest."""
        origin = SkillService.open(self.folder / "origin", durability="none")
        origin.build(self.skill(body=body), tag=self.reference)
        return str(origin.push(self.reference).digest)


@pytest.fixture
def client(tmp_path: Path, running: Running) -> Iterator[Client]:
    with LoopbackRegistry() as registry:
        yield Client(tmp_path, registry, running)
