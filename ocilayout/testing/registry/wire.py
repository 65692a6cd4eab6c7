"""HTTP: connections of a registry on loopback, requests as they arrive, answers as they are."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from ocilayout.testing.registry.exchange import PIECE, Answer, HangUpError, Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

_SMALL: Final = 16 * 1024  # what is sent together with the headers, in bytes
_POLL: Final = 0.01  # how often the server looks whether it should end, in seconds


class Server(ThreadingHTTPServer):
    """A server on loopback, in threads of its own.

    Attributes:
        failures: What was raised while a request was answered, and is nobody's fault but ours
            or a test's.
    """

    request_queue_size = 128

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        arrived: Callable[[bytes], object],
        context: ssl.SSLContext | None,
    ) -> None:
        """Begin to serve.

        Args:
            respond: Answers requests.
            arrived: Called with every body that a client sent.
            context: How to do TLS; without TLS if `None`.
        """
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            # The handshake is made by the thread of the connection, at its first read.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.respond = respond
        self.arrived = arrived
        self.failures: list[Exception] = []
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, and wait until all threads have ended."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            served = list(self._open.items())
        for connection, _ in served:
            _hang_up(connection)
        for _, thread in served:
            thread.join()
        self.server_close()

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve a connection in a thread that can be waited for."""
        assert isinstance(request, socket.socket)  # noqa: S101 # the other is for datagrams
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Forget a connection that ended."""
        assert isinstance(request, socket.socket)  # noqa: S101 # the other is for datagrams
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about connections that break; all else is handled in `_Handler`."""


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] # made by it
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Keep quiet; `LoopbackRegistry.requests` has it all."""

    def _serve(self) -> None:
        request = Request(
            self.command, self.path, self.headers, self._incoming(), self.server.arrived
        )
        try:
            answer = self.server.respond(request)
            # The client reads no answer before it has sent all, so all is taken.
            request.receive()
            self._send(answer, with_body=self.command != "HEAD")
            if not request.whole:
                self.close_connection = True
        except (HangUpError, OSError):
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 # raised again when the registry ends
            self.server.failures.append(error)
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 # http.server's names

    def _incoming(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := _size(self._line().split(b";")[0], 16):
                yield from self._read(size)
                self._line()
            while self._line().strip():
                pass
        else:
            yield from self._read(_size(self.headers.get("Content-Length", "0"), 10))

    def _line(self) -> bytes:
        line = self.rfile.readline(_SMALL)
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            data = self.rfile.read(min(size, PIECE))
            size -= len(data)
            yield data
            if size and len(data) < PIECE:
                raise EOFError

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        bare = answer.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        framed = bare or not with_body or _is_framed(answer)
        if answer.close or not framed:
            self.close_connection = True
        head = _head(answer)
        if not with_body or bare:
            self.wfile.write(head)
            return
        for piece in answer.pieces():
            if head and len(piece) <= _SMALL:
                self.wfile.write(head + piece)
            else:
                self.wfile.write(head)
                self.wfile.write(piece)
            head = b""
        self.wfile.write(head)


def _size(text: str | bytes, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise EOFError from None  # nobody can tell where the next request begins


def _is_framed(answer: Answer) -> bool:
    """Tell whether the client can see where the body ends."""
    return answer.header("Content-Length") is not None or (
        answer.header("Transfer-Encoding") is not None
    )


def _head(answer: Answer) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "of its own"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        connection.shutdown(socket.SHUT_RDWR)
