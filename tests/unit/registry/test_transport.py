"""Connections, TLS and redirects, against small servers that are mostly wrong."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    RegistryError,
    TransportError,
)
from ocilayout.model.mediatype import (
    OCI_LAYER,
)
from ocilayout.registry import Patience, Repository
from tests.unit.registry.example import (
    ANN,
    AT_ONCE,
    BLOB,
    LAYER,
    MANIFEST,
    ROOT,
    UPLOAD,
    basic,
    blob_path,
    guarded,
    manifest_path,
    page,
    redirect,
)
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen


def test_a_refused_connection_is_a_transport_error(registry: Scripted) -> None:
    """A refused connection names the host and what happened."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Repository(f"127.0.0.1:{port}/org/app") as repository,
        pytest.raises(TransportError, match=rf"http://127.0.0.1:{port}: no connection"),
    ):
        repository.tags()
    assert registry.seen == []


def test_a_name_without_an_address_is_a_transport_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that cannot be resolved is said to be one."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        Repository("registry.invalid/org/app") as repository,
        pytest.raises(TransportError, match="resolved"),
    ):
        repository.tags()


def test_silence_is_a_transport_error() -> None:
    """A server that accepts and sends nothing is left after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            Repository(f"127.0.0.1:{port}/org/app", timeout=0.1) as repository,
            pytest.raises(TransportError, match="timeout"),
        ):
            repository.tags()


def test_a_body_that_stops_is_a_transport_error(registry: Scripted) -> None:
    """A server that stops in the middle of a body is left after the timeout."""
    go_on = threading.Event()

    def halting(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        go_on.wait(60)

    registry.default = halting
    with (
        Repository(f"{registry.host}/org/app", timeout=0.1) as repository,
        pytest.raises(TransportError, match="timeout"),
    ):
        repository.tags()
    go_on.set()


@pytest.mark.parametrize("timeout", [0, -1])
def test_an_invalid_timeout_is_refused(timeout: float) -> None:
    """A wait of no time is refused at once."""
    with pytest.raises(ValueError, match="timeout"):
        Repository("127.0.0.1/app", timeout=timeout)


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0 hello\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:0x/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 300 + b"/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 70_000 + b"\r\n",
    ],
)
def test_what_is_not_http_is_one_of_our_errors(greeting: bytes) -> None:
    """Whatever comes over the wire, nothing escapes but the errors of this library."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):  # the client may hang up at any time
                    if not connection.recv(100_000):
                        return
                    connection.sendall(greeting)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(100_000):
                        pass

        thread = threading.Thread(target=greet)
        thread.start()
        port = listener.getsockname()[1]
        try:
            with (
                Repository(f"127.0.0.1:{port}/org/app", timeout=60, patience=AT_ONCE) as repository,
                pytest.raises(RegistryError),
            ):
                repository.tags()
        finally:
            with socket.create_connection(("127.0.0.1", port)) as stop:
                stop.shutdown(socket.SHUT_WR)
                thread.join()


def test_a_lost_connection_is_tried_again(registry: Scripted, repo: Repository) -> None:
    """GET and HEAD survive a connection that breaks before the answer."""

    def hang_up(_: Seen, handler: Handler) -> None:
        handler.close_connection = True

    listing = "GET /v2/org/app/tags/list"
    registry.routes[listing] = [hang_up, hang_up, page("a")]
    assert repo.tags() == ("a",)
    assert len(registry.seen) == 3
    registry.routes[listing] = registry.default = hang_up
    with pytest.raises(TransportError):
        repo.tags()
    assert len(registry.seen) == 3 + Patience().attempts


def test_connections_are_used_again(registry: Scripted, repo: Repository) -> None:
    """Answers that are read or small leave their connection for the next request."""
    ports: set[int] = set()

    def remember(seen: Seen, handler: Handler) -> Reply:
        ports.add(handler.client_address[1])
        return page("a") if seen.path.endswith("list") else Reply(404, body=b"gone")

    registry.default = remember
    for _ in range(3):
        repo.tags()
        assert BLOB.digest not in repo.blobs
        with pytest.raises(BlobNotFoundError):
            repo.blobs.read(BLOB)
    assert len(ports) == 1


def test_a_long_body_that_is_not_needed_is_left(registry: Scripted, repo: Repository) -> None:
    """The body of a refusal is read up to a small limit, and the next request still works."""
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(404, body=bytes(2**22))
    registry.routes["GET /v2/org/app/tags/list"] = page("a")
    with pytest.raises(BlobNotFoundError):
        repo.blobs.read(BLOB)
    assert repo.tags() == ("a",)


def test_tls_is_verified_against_the_given_authority(
    secure: Scripted, trusting: Repository
) -> None:
    """Only certificates of the authority in ca_certs are trusted."""
    secure.default = page("a")
    assert trusting.tags() == ("a",)
    with (
        Repository(
            f"{secure.host}/org/app", plain_http=False, timeout=60, patience=AT_ONCE
        ) as stranger,
        pytest.raises(TransportError, match="ca_certs"),
    ):
        stranger.tags()


def test_tls_to_a_plain_server_is_a_transport_error(registry: Scripted) -> None:
    """Speaking TLS to a server that does not says what to try."""
    with (
        Repository(
            f"{registry.host}/org/app", plain_http=False, timeout=60, patience=AT_ONCE
        ) as repository,
        pytest.raises(TransportError, match="plain_http"),
    ):
        repository.tags()


@pytest.mark.spec("distribution:redirects", "distribution:redirect-credentials")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_carries_no_credentials(
    registry: Scripted, other: Scripted, ann: Repository, status: int
) -> None:
    """Another host gets no Authorization, nor do the hosts that it redirects to."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a?key=x", status)
    other.routes["GET /a"] = redirect("/b")
    other.routes["GET /b"] = Reply(200, body=LAYER)
    assert ann.blobs.read(BLOB) == LAYER
    assert registry.authorizations() == [None, ANN.basic()]
    assert other.authorizations() == [None, None]


def test_a_redirect_within_the_registry_keeps_credentials(
    registry: Scripted, ann: Repository
) -> None:
    """Another path of the same origin is still the registry."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect("/moved")
    registry.routes["GET /moved"] = guarded(Reply(200, body=LAYER))
    assert ann.blobs.read(BLOB) == LAYER


def test_credentials_do_not_come_back(registry: Scripted, other: Scripted, ann: Repository) -> None:
    """Once dropped, credentials stay dropped: another host cannot choose what they are used for."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a")
    other.routes["GET /a"] = redirect(f"http://{registry.host}/secret")
    registry.routes["GET /secret"] = guarded(Reply(200, body=LAYER))
    with pytest.raises(AuthError):
        ann.blobs.read(BLOB)
    asked = [seen for seen in registry.seen if seen.path == "/secret"]
    assert asked
    assert all("authorization" not in seen.headers for seen in asked)


def test_a_challenge_of_another_host_is_not_met(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """A 401 from behind a redirect does not draw out a password."""
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a")
    other.default = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    with pytest.raises(AuthError, match=other.host):
        ann.blobs.read(BLOB)
    assert other.authorizations() == [None]


@pytest.mark.spec("distribution:redirects")
def test_tls_is_not_left(secure: Scripted, other: Scripted, trusting: Repository) -> None:
    """A redirect from https to http is refused and not followed."""
    secure.default = redirect(f"http://{other.host}/a")
    with pytest.raises(RegistryError, match="not encrypted") as caught:
        trusting.blobs.read(BLOB)
    assert caught.value.status == 307
    assert other.seen == []


def test_the_number_of_redirects_is_limited(registry: Scripted, repo: Repository) -> None:
    """A circle of redirects is left after a few."""
    registry.default = redirect("/again", 302)
    with pytest.raises(RegistryError, match="redirects"):
        repo.tags()
    assert len(registry.seen) == 6


def test_a_redirect_to_nowhere_is_an_error(registry: Scripted, repo: Repository) -> None:
    """A redirect without Location is an error with its status."""
    registry.default = Reply(302)
    with pytest.raises(RegistryError, match="Location") as caught:
        repo.tags()
    assert caught.value.status == 302


def test_a_write_is_redirected_only_if_it_stays_the_same(
    registry: Scripted, repo: Repository
) -> None:
    """307 and 308 repeat a manifest that is in memory; 302, and streams, are not redirected."""
    path = manifest_path(ROOT.digest)
    registry.routes["PUT /moved"] = Reply(201)
    registry.routes[f"PUT {path}"] = redirect("/moved", 308)
    repo.put_manifest(MANIFEST)
    assert registry.seen[-1].body == MANIFEST
    registry.routes[f"PUT {path}"] = redirect("/moved", 302)
    with pytest.raises(RegistryError, match="answers 302"):
        repo.put_manifest(MANIFEST)
    registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": "session"})
    registry.routes[f"PUT {UPLOAD}session"] = redirect("/moved", 307)
    with pytest.raises(RegistryError, match="answers 307"):
        repo.blobs.put(LAYER, media_type=OCI_LAYER)
