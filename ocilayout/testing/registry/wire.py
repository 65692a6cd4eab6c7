"""HTTP on loopback: connections, requests as they arrive, and answers sent to the letter."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self

from ocilayout.testing.registry.reply import PIECE, Answer, HangUpError
from ocilayout.testing.registry.request import Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

_SMALL: Final = 16 * 1024  # bytes; smaller bodies are sent together with the headers
_POLL: Final = 0.01  # seconds between two looks whether to stop


class LoopbackServer(ThreadingHTTPServer):
    """A server on loopback, with a thread for each connection; none outlives `stop`.

    As a context manager it starts and stops.
    """

    request_queue_size = 128

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
    ) -> None:
        """Listen on a free port.

        Args:
            handler: Serves a connection.
            context: The context for TLS; `None` for http.
        """
        super().__init__(("127.0.0.1", 0), handler)
        self._context = context
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, and wait for all threads."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            open_now = list(self._open.items())
        for thread, connection in open_now:
            _hang_up(connection)
            thread.join()
        self.server_close()

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve a connection in a thread that `stop` can wait for."""
        assert isinstance(request, socket.socket)  # noqa: S101 # the other is for datagrams
        thread = threading.Thread(
            target=self._serve_connection, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._open[thread] = request
        thread.start()

    def finish_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve a connection, over TLS if there is a context; the first read does the handshake."""
        assert isinstance(request, socket.socket)  # noqa: S101 # as above
        if self._context is None:
            super().finish_request(request, client_address)
            return
        # For a client that is gone `wrap_socket` would fail, too, but leave the socket open, as it
        # would in `accept` if it wrapped the listening socket.
        request.getpeername()
        with self._lock:
            secure = self._context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
            self._open[threading.current_thread()] = secure
        with secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections."""

    def _serve_connection(self, request: socket.socket, client_address: object) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]


class Server(LoopbackServer):
    """A server that answers by a function.

    Attributes:
        failures: Exceptions during requests that neither the client nor the connection caused.
    """

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        on_body: Callable[[bytes], object],
        context: ssl.SSLContext | None,
    ) -> None:
        """Start to serve.

        Args:
            respond: Answers requests.
            on_body: Called with every body that a client sent.
            context: The context for TLS; `None` for http.
        """
        super().__init__(_Handler, context)
        self.respond = respond
        self.on_body = on_body
        self.failures: list[Exception] = []
        self.start()


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] # made by it
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Log nothing; `LoopbackRegistry.requests` has every request."""

    def _serve(self) -> None:
        request = Request(
            self.command, self.path, self.headers, self._incoming(), self.server.on_body
        )
        try:
            answer = self.server.respond(request)
            # Clients read the answer only after they sent the whole body.
            request.receive()
            self._send(answer, with_body=self.command != "HEAD")
            if not request.whole:
                self.close_connection = True
        except (HangUpError, OSError):
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 # raised again when the registry stops
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
        raise EOFError from None  # the end of the body is unknown


def _is_framed(answer: Answer) -> bool:
    """Tell whether the headers say where the body ends."""
    return answer.header("Content-Length") is not None or (
        answer.header("Transfer-Encoding") is not None
    )


def _head(answer: Answer) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)
