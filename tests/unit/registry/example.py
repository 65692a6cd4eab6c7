"""Content, credentials and replies that the tests of the client share."""

from __future__ import annotations

import io
import json
import traceback
from typing import TYPE_CHECKING, Any

from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import (
    OCI_EMPTY,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.registry import Credentials, Patience
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = Manifest(config=Descriptor.of(b"{}", OCI_EMPTY))
MANIFEST = encode(MODEL)
ROOT = Descriptor.of(MANIFEST, OCI_MANIFEST)
LAYER = b"layer of the test" * 1000
BLOB = Descriptor.of(LAYER, OCI_LAYER)
EMPTY = Descriptor.of(b"", OCI_LAYER)
UPLOAD = "/v2/org/app/blobs/uploads/"
ANN = Credentials("ann", "open-sesame")
AT_ONCE = Patience(sleep=lambda _: None)


def described(data: bytes = MANIFEST, media_type: str = OCI_MANIFEST, **headers: str) -> Reply:
    """A registry's correct response for a manifest, apart from the given headers."""
    said = {
        "Content-Type": media_type,
        "Docker-Content-Digest": Descriptor.of(data, media_type).digest,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return Reply(200, {name: value for name, value in said.items() if value}, data)


def manifest_path(name: str) -> str:
    return f"/v2/org/app/manifests/{name}"


def blob_path(descriptor: Descriptor) -> str:
    return f"/v2/org/app/blobs/{descriptor.digest}"


def page(*names: str, link: str | None = None) -> Reply:
    body = json.dumps({"name": "org/app", "tags": names}).encode()
    return Reply(200, {} if link is None else {"Link": link}, body)


def redirect(location: str, status: int = 307) -> Reply:
    return Reply(status, {"Location": location})


def failing(status: int, *codes: str, **headers: str) -> Reply:
    errors = [{"code": code, "message": "open-sesame"} for code in codes]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps({"errors": errors}).encode())


def guarded(reply: Reply, authorization: str | None = None) -> Callable[[Seen, Handler], Reply]:
    """Give a reply to requests with the right header, and a Basic challenge to all others."""

    def check(seen: Seen, _: Handler) -> Reply:
        if seen.headers.get("authorization") == (authorization or ANN.basic()):
            return reply
        return Reply(401, {"WWW-Authenticate": 'Basic realm="test"'})

    return check


def accept_upload(server: Scripted, location: str = "session?state=a%2Fb") -> None:
    server.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": location})
    server.routes[f"PUT {UPLOAD}session"] = Reply(201, {"Docker-Content-Digest": BLOB.digest})


def shown(error: BaseException) -> str:
    """Everything that an error says when it is printed."""
    return "".join(traceback.format_exception(error)) + repr(error)


def basic(server: Scripted) -> None:
    """Make a server demand Basic for everything without another reply."""
    server.default = guarded(Reply(404))
    for method in ("GET", "HEAD"):
        # The first request of a test always meets the challenge.
        server.routes[f"{method} /v2/org/app/tags/list"] = guarded(page("a"))
    server.routes = _Guarding(server.routes)


class _Guarding(dict[str, Any]):
    """Routes that demand Basic unless they are functions already."""

    def get(self, key: str, default: Any = None) -> Any:
        route = super().get(key, default)
        return route if callable(route) else guarded(route)


class Trickle(io.RawIOBase):
    """A stream that cannot seek, and fails where it is told to."""

    def __init__(self, data: bytes, failure: OSError | None = None) -> None:
        super().__init__()
        self._file = io.BytesIO(data)
        self._failure = failure

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(min(size or 0, 1000))
        if not data and self._failure is not None:
            raise self._failure
        return data
