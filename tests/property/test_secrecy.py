"""Law: no error, repr, warning or log contains a secret, whatever a registry answers."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import OciLayoutError
from ocilayout.model.mediatype import OCI_LAYER
from ocilayout.registry import Credentials, Patience, Repository
from tests.effort import examples
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "open-sesame/+%"
IDENTITY = "identity-of-ann"
TOKEN = "token-of-ann"
PAIR = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
AT_ONCE = Patience(attempts=2, sleep=lambda _: None)

WAYS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda secret: quote(secret, safe=""),
    lambda secret: base64.b64encode(secret.encode()).decode(),
]
texts = st.builds(
    lambda secret, way, before, after: before + way(secret) + after,
    st.sampled_from([PASSWORD, PAIR, IDENTITY, TOKEN]),
    st.sampled_from(WAYS),
    st.sampled_from(["", "your password is ", "\n"]),
    st.sampled_from(["", "!", '"']),
)
HEADERS = [
    "WWW-Authenticate", "Location", "Warning", "Link", "Docker-Content-Digest", "Retry-After",
    "OCI-Subject", "Content-Type",
]  # fmt: skip


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """An answer that repeats secrets in every part."""
    said = draw(texts)
    status = draw(st.sampled_from([200, 201, 202, 307, 400, 401, 403, 404, 413, 429, 500]))
    errors = {"errors": [{"code": draw(st.sampled_from(["DENIED", "X"])), "message": said}]}
    documents = [json.dumps(errors), json.dumps({"tags": said}), json.dumps({said: 1}), said]
    line = "".join(char for char in said if char.isprintable())
    values = [line, f'299 - "{line}"', f"https://ann:{line}@h/", f"<{line}>; rel=next"]
    names = draw(st.lists(st.sampled_from(HEADERS), max_size=3, unique=True))
    headers = {name: draw(st.sampled_from(values)) for name in names}
    return Reply(status, headers, draw(st.sampled_from(documents)).encode())


LEADING = Reply(
    200,
    {"Link": f"<your password is {PASSWORD}>; rel=next"},
    b'{"tags": []}',
)
"""An answer that leads to an address which repeats a secret."""


def entrance(server: Scripted, reply: Reply, *, broken_tokens: bool) -> None:
    """Ask for a token first, and then send the drawn answer."""
    bearer = {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token"'}
    token = Reply(200, body=json.dumps({"token": TOKEN}).encode())
    server.routes["GET /token"] = server.routes["POST /token"] = reply if broken_tokens else token

    def answer(seen: Seen, _: Handler) -> Reply:
        return reply if "authorization" in seen.headers else Reply(401, bearer)

    server.default = answer


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Scripted, Scripted]]:
    """A registry, and another host that it may redirect to."""
    with Scripted() as registry, Scripted() as other:
        yield registry, other


@settings(deadline=None, max_examples=settings().max_examples // examples(1, 2))
@example(reply=LEADING, identity=False, broken_tokens=False)
@given(reply=replies(), identity=st.booleans(), broken_tokens=st.booleans())
def test_no_secret_is_ever_shown(
    hosts: tuple[Scripted, Scripted],
    reply: Reply,
    identity: bool,  # noqa: FBT001 # drawn
    broken_tokens: bool,  # noqa: FBT001 # drawn
) -> None:
    """Errors with their chains, reprs, warnings and logs have none, and no other host gets one."""
    secret = IDENTITY if identity else ""
    credentials = Credentials("ann", PASSWORD, identity_token=secret)
    shown = [repr(credentials)]
    registry, other = hosts
    other.seen.clear()
    with ExitStack() as stack:
        if reply.status == 307:
            reply = Reply(307, {"Location": f"http://{other.host}/v2/"}, reply.body)
        entrance(registry, reply, broken_tokens=broken_tokens)
        records = stack.enter_context(_logged())
        repo = stack.enter_context(
            Repository(
                f"{registry.host}/org/app", credentials=credentials, patience=AT_ONCE, timeout=60
            )
        )
        for act in (
            repo.tags,
            repo.ping,
            lambda: repo.resolve("v1"),
            lambda: repo.blobs.put(b"x", media_type=OCI_LAYER),
        ):
            try:
                act()
            except OciLayoutError as error:
                shown += ["".join(traceback.format_exception(error)), repr(vars(error))]
        shown += [repr(repo), repr(repo.warnings), *records]
        for seen in other.seen:
            shown += [f"{name}: {value}" for name, value in seen.headers.items()]
            shown.append(seen.body.decode(errors="replace"))
    everything = "\n".join(shown).lower()
    for hidden in (PASSWORD, PAIR, TOKEN, *([IDENTITY] if identity else [])):
        for way in WAYS:
            assert way(hidden).lower().rstrip("=") not in everything


class _logged:  # noqa: N801 # used like a function
    """Yield the list of all log messages inside the block."""

    def __enter__(self) -> list[str]:
        self.records: list[str] = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.records.append(record.getMessage())  # type: ignore[method-assign] # a handler is made for this
        self.logger = logging.getLogger()
        self.level = self.logger.level
        self.logger.addHandler(self.handler)
        self.logger.setLevel(logging.DEBUG)
        return self.records

    def __exit__(self, *_: object) -> None:
        self.logger.removeHandler(self.handler)
        self.logger.setLevel(self.level)
