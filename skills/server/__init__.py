"""Skills over HTTP: the endpoints of ToolHive that a local store can answer, on loopback.

`gate` says who may speak to it, `body` reads what is asked, `api` asks the service, `status` says
what an error means to a client, `reply` writes answers, `listener` runs it all.
"""

from skills.server.api import PREFIX, application
from skills.server.listener import bind, server_of, url_of

__all__ = ["PREFIX", "application", "bind", "server_of", "url_of"]
