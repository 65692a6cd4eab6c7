"""The server below the loopback registry, with connections that end in disorder."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import threading
import warnings
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest
import trustme

from ocilayout.testing.registry.wire import LoopbackServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> LoopbackServer:
    if not request.param:
        return LoopbackServer(Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return LoopbackServer(Handler, context)


def connect(server: LoopbackServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port))


def test_a_client_that_is_gone_leaves_no_socket_open(server: LoopbackServer) -> None:
    """A connection that was reset before it is served is closed, and not left to the collector."""
    client = connect(server)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always")
        server.process_request(*server.get_request())
        with server:
            pass
        gc.collect()
    assert unclosed == []


def test_stopping_ends_connections_that_clients_hold(server: LoopbackServer) -> None:
    """A client that is silent or waits gets the end of the stream, and no thread is left."""
    before = threading.active_count()
    with connect(server) as silent, connect(server) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(2):
            server.process_request(*server.get_request())
        with server:
            pass
        assert threading.active_count() == before
        for client in (silent, waiting):
            with suppress(ConnectionResetError):  # if it had sent more than was read
                while client.recv(1000):
                    pass
