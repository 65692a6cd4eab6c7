"""Skills over HTTP: the endpoints of ToolHive that a local store can answer, on loopback.

`gate` refuses requests that are not meant for this server, `message` reads requests and writes
answers, `api` asks the service, `listener` runs it all.
"""

from skills.server.api import PREFIX, application
from skills.server.listener import bind, server_of, url_of

__all__ = ["PREFIX", "application", "bind", "server_of", "url_of"]
