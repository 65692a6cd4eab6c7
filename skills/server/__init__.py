"""Skills over HTTP: the endpoints of ToolHive that a local store can answer, on loopback."""

from skills.server.api import PREFIX, application
from skills.server.listener import bind, server_of, url_of

__all__ = ["PREFIX", "application", "bind", "server_of", "url_of"]
