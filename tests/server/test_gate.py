"""Who may speak to the server: programs that name its address, and pages of its own."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from skills.server import PREFIX, bind, url_of
from tests.server.conftest import Running

if TYPE_CHECKING:
    from tests.server.conftest import Client


def ask(client: Client, *headers: str, version: str = "1.1") -> tuple[int, str]:
    """Send a GET with these header lines, and no others; return status and body.

    PORT in a line stands for the port of the server.
    """
    address = client.running.address
    lines = [f"GET {PREFIX}/builds HTTP/{version}", *headers, "Connection: close", "", ""]
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall("\r\n".join(lines).replace("PORT", str(address[1])).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    "host", ["127.0.0.1:PORT", "localhost:PORT", "LocalHost:PORT", "skills.example", "x.example:1"]
)
def test_requests_to_the_names_of_the_server_are_accepted(client: Client, host: str) -> None:
    """Its address, the names of loopback, and the allowed names, in upper and lower case."""
    client.serve(hosts=["skills.example", "X.example:1"])
    assert ask(client, f"Host: {host}") == (200, '{"builds":[]}\n')
    assert ask(client, f"Host: {host}", f"Origin: http://{host}")[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:PORT", "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "localhost.",
        "localhost.evil.example:PORT", "127.0.0.1.evil.example:PORT", "127.0.0.2:PORT",
        "[::1]:PORT", "user@127.0.0.1:PORT", "127.0.0.1:PORT:PORT", "0:PORT", ":PORT", "",
        "x.example", "x.example:2", "2130706433:PORT", "127.0.0.1:²", "127.0.0.1:" + "1" * 5000,
    ],
)  # fmt: skip
def test_requests_to_other_names_are_refused(client: Client, host: str) -> None:
    """The owner of a name may point it here; the reply has nothing of the store."""
    client.serve(hosts=["x.example:1"])
    status, body = ask(client, f"Host: {host}")
    assert status == 403
    assert "not called" in body
    assert "builds" not in body


@pytest.mark.parametrize(
    "lines",
    [("Host: evil.example:PORT", "Host: 127.0.0.1:PORT"), ("Host: a", "Host: 127.0.0.1:PORT")],
)
def test_two_hosts_are_refused(client: Client, lines: tuple[str, ...]) -> None:
    """Whichever comes first, the request gets no answer from the store."""
    assert ask(client, *lines)[0] in {400, 403}


def test_a_request_without_a_host_is_refused(client: Client) -> None:
    """HTTP/1.0 knows none."""
    assert ask(client, version="1.0")[0] == 403
    assert ask(client)[0] == 400


@pytest.mark.parametrize(
    "line",
    [
        "Origin: http://evil.example",
        "Origin: http://evil.example:PORT",
        "Origin: http://localhost:1",
        "Origin: http://127.0.0.1",
        "Origin: null",
        "Origin: ",
        "Origin: file://",
        "Origin: ftp://127.0.0.1:PORT",
        "Origin: 127.0.0.1:PORT",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: new",
    ],
)
def test_requests_from_pages_of_other_sites_are_refused(client: Client, line: str) -> None:
    """Even if they name the server rightly, as they do without any tricks."""
    assert ask(client, "Host: 127.0.0.1:PORT", line)[0] == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_an_address_that_a_person_opens_is_accepted(client: Client, site: str) -> None:
    """An address that was typed, and what our own pages ask for."""
    assert ask(client, "Host: 127.0.0.1:PORT", f"Sec-Fetch-Site: {site}")[0] == 200


def test_a_page_of_another_site_changes_nothing(client: Client) -> None:
    """A form that any page may send is refused before it is read."""
    client.service.build(client.skill())
    headers = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    asked = {"name": "hello", "clients": ["codex"]}
    assert client.send("POST", "", asked, headers=headers).status == 403
    assert client.send("DELETE", "/builds/hello", headers=headers).status == 403
    assert list(client.home.iterdir()) == []
    assert client.service.layout.tags() == ("hello",)


def test_it_listens_at_loopback_of_either_kind(client: Client) -> None:
    """The address of IPv6 stands in brackets."""
    with bind("::1", 0) as listener:
        app = client.running.app
        running = Running(listener)
        running.app = app
        client.running = running
        try:
            assert url_of(listener) == f"http://[::1]:{running.address[1]}{PREFIX}"
            assert ask(client, "Host: [::1]:PORT")[0] == 200
            assert ask(client, "Host: 127.0.0.1:PORT")[0] == 403
        finally:
            running.stop()
