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
from click.testing import CliRunner

from ocilayout.cli.argument import InRegistry
from ocilayout.cli.connection import Access, access
from ocilayout.errors import AuthError, RegistryError, TlsError, TransportError
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


KEY = '{\n  "type": "service_account",\n  "private_key": "a\\nb}"\n}'


@pytest.mark.parametrize("user", ["_json_key", "ann"])
@pytest.mark.parametrize("key", [KEY, KEY.replace("\n", "\r\n"), "{}"])
def test_a_key_on_standard_input_may_have_several_lines(
    monkeypatch: pytest.MonkeyPatch, registry: Guarded, user: str, key: str
) -> None:
    """A JSON key is read to its last bracket, as it stands there, and what follows is left."""
    give(monkeypatch, f"{key}\nsecond\nrest".encode())
    use(Access(username=user, password_stdin=True), registry)
    use(Access(username="bob", password_stdin=True), registry)
    assert registry.seen == [f"{user}:{key}", "bob:second"]
    assert sys.stdin.buffer.read() == b"rest"


@pytest.mark.parametrize("data", [b"{\n", b"{\n" * 100_000, KEY[:-1].encode(), b"{\n" + b"x" * 99])
def test_a_key_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What is read of it is limited."""
    give(monkeypatch, data)
    reached = Access(username="_json_key", password_stdin=True)
    with (
        pytest.raises(click.UsageError, match="not complete JSON"),
        reached.repository(InRegistry("127.0.0.1:1/app")),
    ):
        pytest.fail("it was opened")


@pytest.mark.parametrize("first", ["{not JSON", "{}x", "[", " {", "{ {"])
def test_a_password_that_looks_like_a_key_is_a_line(
    monkeypatch: pytest.MonkeyPatch, registry: Guarded, first: str
) -> None:
    """Only a line that is a bracket alone begins a key of another user than `_json_key`."""
    give(monkeypatch, f"{first}x\nrest".encode())
    use(Access(username="ann", password_stdin=True), registry)
    assert registry.seen == [f"ann:{first}x"]
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


REFUSALS: dict[str, tuple[RegistryError, str]] = {
    "no login": (
        AuthError("no; pass Credentials"),
        "^no; name a user: --to-user.* and --to-pass",
    ),
    "TLS": (
        TlsError("no; give ca_certs", failure="no"),
        "^no; give --to-ca-file .*, or --to-plain-http for one without TLS$",
    ),
    "too large": (RegistryError("no", status=413), "^no: --to-chunk-size$"),
    "another status": (RegistryError("no", status=500), "^no$"),
    "a lost connection": (TransportError("no"), "^no$"),
}


@pytest.mark.parametrize(("error", "said"), REFUSALS.values(), ids=REFUSALS)
def test_errors_name_options(error: RegistryError, said: str) -> None:
    """With their prefix, and not the arguments of the library; once, and for their registry."""
    of, other = Access(prefix="to-"), Access(prefix="from-")
    error.repository = "127.0.0.1:1/app"
    with (
        pytest.raises(type(error), match=said) as caught,
        other.explaining("127.0.0.1:2/base"),
        of.explaining("127.0.0.1:1/app"),
    ):
        raise error
    assert caught.value.status == error.status


@click.command()
@access("from-", writes=True)
def probe(from_access: Access) -> None:
    """Show what the options came to."""
    repository = from_access.connect("127.0.0.1:1/app")
    patience = repository._session.patience  # what the options are for
    timeouts = repository._session._transport._timeouts
    click.echo(f"{patience.attempts} {patience.pause} {patience.longest} {timeouts.least_rate}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "8 0.1 60.0 1024"),
        ("--from-retries 0", "1 0.1 60.0 1024"),
        ("--from-retries 20 --from-retry-wait 2", "21 2.0 60.0 1024"),
        ("--from-retry-wait 90 --from-least-rate 10KiB", "8 90.0 90.0 10240"),
        ("--from-retry-wait 0 --from-least-rate 0", "8 0.0 60.0 0"),
    ],
)
def test_patience_is_told_by_options(arguments: str, said: str) -> None:
    """How often, how long, and how slow an answer may be."""
    result = CliRunner().invoke(probe, arguments.split())
    assert (result.output, result.exit_code) == (f"{said}\n", 0)


@pytest.mark.parametrize(
    "arguments",
    [
        *(f"--from-timeout {value}" for value in ("inf", "nan", "1e300", "0", "-1", "-inf", "x")),
        *(f"--from-retry-wait {value}" for value in ("inf", "nan", "1e300", "-1", "x")),
        *(f"--from-retries {value}" for value in ("-1", "1.5", "nan", "1000000")),
        *(f"--from-least-rate {value}" for value in ("-1", "nan", "inf", "x")),
    ],
)
def test_numbers_that_make_no_sense_are_wrong_use(arguments: str) -> None:
    """They are refused with the name of the option."""
    result = CliRunner().invoke(probe, arguments.split())
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments.split(maxsplit=1)[0]}'" in result.output
