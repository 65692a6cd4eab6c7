"""The server as a process: a listening socket, and the program that serves it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from skills.server.api import PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_BACKLOG = 128


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; clients that connect from now on get a reply.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 for any free one.

    Raises:
        OSError: The address does not exist, or the port is taken.
    """
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None


def url_of(listener: socket.socket) -> str:
    """Return the URL of the endpoints, by the address of a socket."""
    address, port = listener.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}{PREFIX}"


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Return a server of an application; `run(sockets=[...])` serves until a signal ends it.

    The server ignores the headers of proxies, and does not send its own name.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
    )
