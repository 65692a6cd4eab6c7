"""How a registry is reached, and as which user."""

from __future__ import annotations

import base64
import io
import os
import sys
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import click
import pytest

from ocilayout.cli.argument import InRegistry
from ocilayout.cli.connection import Access
from ocilayout.errors import AuthError
from ocilayout.testing.registry.wire import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Guarded(LoopbackServer):
    """A registry with one tag that requires a login.

    Attributes:
        seen: The credentials that came, `user:password`, in order.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.seen: list[str] = []

    @property
    def locator(self) -> InRegistry:
        return InRegistry(f"127.0.0.1:{self.server_address[1]}/app")


class _Handler(BaseHTTPRequestHandler):
    server: Guarded
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base has it
        """Keep quiet."""

    def do_GET(self) -> None:
        """Require a login, then answer with the list of tags."""
        scheme, _, pair = self.headers.get("Authorization", "").partition(" ")
        body = b'{"tags": ["v1"]}'
        if scheme == "Basic":
            self.server.seen.append(base64.b64decode(pair).decode())
            self.send_response(200)
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[Guarded]:
    """Return a registry that wants credentials."""
    with Guarded() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the environment variables of the caller, and empty standard input."""
    for variable in list(os.environ):
        if variable.startswith("OCILAYOUT_"):
            monkeypatch.delenv(variable)
    give(monkeypatch, b"")


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Let standard input hold these bytes."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def use(access: Access, registry: Guarded) -> None:
    """Ask a registry for its tags."""
    with access.repository(registry.locator) as repository:
        assert repository.tags() == ("v1",)


def test_passwords_on_standard_input(monkeypatch: pytest.MonkeyPatch, registry: Guarded) -> None:
    """Each password is one line, in order, and the rest of standard input is left unread."""
    give(monkeypatch, "ströng pass \r\nsecond\nrest".encode())
    for name in ("ann", "bob"):
        use(Access(username=name, password_stdin=True), registry)
    assert registry.seen == ["ann:ströng pass ", "bob:second"]
    assert sys.stdin.buffer.read() == b"rest"


def test_a_password_in_the_environment(monkeypatch: pytest.MonkeyPatch, registry: Guarded) -> None:
    """Each end of a copy has a variable of its own; standard input comes before it."""
    monkeypatch.setenv("OCILAYOUT_PASSWORD", "one")
    monkeypatch.setenv("OCILAYOUT_TO_PASSWORD", "two")
    use(Access(username="ann"), registry)
    use(Access(username="bob", prefix="to-"), registry)
    give(monkeypatch, b"three")
    use(Access(username="cid", prefix="to-", password_stdin=True), registry)
    assert registry.seen == ["ann:one", "bob:two", "cid:three"]


def test_without_a_login(monkeypatch: pytest.MonkeyPatch, registry: Guarded) -> None:
    """A missing login is an error that names the options; a password alone is wrong use."""
    monkeypatch.setenv("OCILAYOUT_PASSWORD", "one")
    with pytest.raises(AuthError, match=r"--from-username and --from-password-stdin$") as caught:
        use(Access(prefix="from-"), registry)
    assert caught.value.status == 401
    assert registry.seen == []


def test_a_refusal_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the registry refuses is shown the answer of the registry."""
    give(monkeypatch, b"x\n")
    access = Access(username="ann", password_stdin=True)
    with (
        pytest.raises(AuthError, match=r"^no$"),
        access.repository(InRegistry("127.0.0.1:1/app")),
    ):
        raise AuthError("no", status=403)


@pytest.mark.parametrize(
    ("access", "given", "said"),
    [
        (Access(username="ann"), b"", "in OCILAYOUT_PASSWORD"),
        (Access(username="ann", prefix="to-"), b"", "--to-password-stdin, or in OCILAYOUT_TO_"),
        (Access(username="ann", password_stdin=True), b"", "needs a password"),
        (Access(username="ann", password_stdin=True), b"\n", "needs a password"),
        (Access(username="ann", password_stdin=True), b"\xff\n", "not in UTF-8"),
        (Access(password_stdin=True), b"x\n", "give --username"),
    ],
)
def test_what_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, access: Access, given: bytes, said: str
) -> None:
    """A user without a password, or the other way round, is wrong use."""
    give(monkeypatch, given)
    with (
        pytest.raises(click.UsageError, match=said),
        access.repository(InRegistry("127.0.0.1:1/app")),
    ):
        pytest.fail("it was opened")
