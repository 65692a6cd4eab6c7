"""Laws of the server: every request gets an answer that clients know."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout import Reference, TransportError
from skills import SkillService
from skills.install.clients import CLIENTS
from skills.server import PREFIX, application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from ocilayout.registry import Repository

STATUSES = {
    "GET": {200, 400, 404, 405, 409, 422, 501, 502},
    "POST": {200, 201, 204, 400, 403, 404, 405, 409, 422, 501, 502},
    "DELETE": {204, 400, 404, 405, 409},
    "PUT": {404, 405},
}
ROUTES = ["", "/", "/validate", "/build", "/push", "/builds", "/content", "/sync", "/upgrade"]
TEXTS = st.text() | st.sampled_from(
    ["", "hello", "ghcr.io/org/hello:v1", "org/hello", "sha256:" + "0" * 64, "user", "project",
     "all", *(client.name for client in CLIENTS[:3]), "git://a/b", "/nowhere", "/a/../b", "\0",
     "true", "1.0", "a:b@c", "oci-archive:/nowhere"]
)  # fmt: skip
VALUES = (
    TEXTS | st.none() | st.booleans() | st.integers() | st.lists(TEXTS, max_size=3)
    | st.dictionaries(TEXTS, TEXTS, max_size=2)
)  # fmt: skip
KEYS = ["name", "version", "scope", "clients", "force", "group", "allow_unsigned", "tag",
        "no_validate", "reference", "key", "identity_token", "no_sign"]  # fmt: skip
# Paths begin at a missing folder: a walk through the whole disk would prove nothing.
PATHS = st.text().map("/nowhere/{}".format) | st.text().map("nowhere{}".format) | VALUES.filter(
    lambda value: not (isinstance(value, str) and value.startswith("/"))
)  # fmt: skip
FIELDS = st.builds(
    lambda fields, paths: fields | paths,
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
    st.dictionaries(st.sampled_from(["path", "project_root"]), PATHS, max_size=2),
)
BODIES = FIELDS.map(lambda fields: json.dumps(fields).encode()) | st.binary()
SEGMENTS = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary()
TARGETS = st.sampled_from(ROUTES).map(str.encode) | st.builds(
    lambda route, last: f"{route}/{quote_from_bytes(last)}".encode(),
    st.sampled_from(["", "/builds"]),
    SEGMENTS,
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["ref", "scope", "client", "force", "refresh", "group"]), SEGMENTS
    ).map(lambda pair: f"{pair[0]}={quote_from_bytes(pair[1])}"),
    max_size=3,
).map("&".join)


def no_network(reference: Reference) -> Repository:
    raise TransportError(f"{reference.host}: there is no network here")


@pytest.fixture(scope="module")
def app() -> Iterator[ASGIApp]:
    """Return the application of an empty store, for a home without any client."""
    with TemporaryDirectory() as folder:
        service = SkillService.open(
            f"{folder}/store", registry=no_network, home=f"{folder}/home", durability="none"
        )
        yield application(service)


def ask(app: ASGIApp, method: str, path: bytes, query: str, body: bytes) -> tuple[int, bytes]:
    """Send a request as a server would, and return status and body."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = PREFIX.encode() + path
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(raw.decode()), "raw_path": raw,
        "query_string": query.encode(),
        "root_path": "", "headers": [(b"host", b"127.0.0.1:8080")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@given(method=st.sampled_from(sorted(STATUSES)), target=TARGETS, query=QUERIES, body=BODIES)
def test_every_request_has_an_answer(
    app: ASGIApp, method: str, target: bytes, query: str, body: bytes
) -> None:
    """No request is an internal error, and every refusal is one line of text."""
    status, text = ask(app, method, target, query, body)
    assert status in STATUSES[method]
    if status == 204:
        assert text == b""
    elif status < 300:
        json.loads(text)
    else:
        assert text.endswith(b"\n")
        assert len(text.decode()) > 1
