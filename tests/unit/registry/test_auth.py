"""Basic authentication and bearer tokens, and that no secret is shown."""

from __future__ import annotations

import io
import json
import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from ocilayout.errors import (
    AuthError,
    LimitExceededError,
    OciLayoutError,
    RateLimitedError,
    RegistryError,
    TransportError,
)
from ocilayout.model.digest import Digest
from ocilayout.model.mediatype import (
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.registry.auth import Authenticator
from ocilayout.registry.transport import Transport
from tests.unit.registry.example import (
    ANN,
    BLOB,
    EMPTY,
    LAYER,
    MANIFEST,
    UPLOAD,
    Trickle,
    basic,
    blob_path,
    failing,
    manifest_path,
    page,
    redirect,
    shown,
)
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from ocilayout.registry import Repository


class TokenServer:
    """A token server and the registry's side of it, on scripted servers."""

    def __init__(self, registry: Scripted, tokens: Scripted) -> None:
        self.registry = registry
        self.tokens = tokens
        self.realm = f"http://{tokens.host}/token"
        self.scope: str | None = None
        self.answer: dict[str, Any] = {}
        self.issued: list[str] = []
        tokens.routes["GET /token"] = self.issue
        registry.default = self.guard

    def issue(self, *_: object) -> Reply:
        self.issued.append(f"tok-{len(self.issued)}")
        answer = {"token": self.issued[-1], "expires_in": 300, **self.answer}
        return Reply(200, body=json.dumps(answer).encode())

    def guard(self, seen: Seen, _: Handler) -> Reply:
        if self.issued and seen.headers.get("authorization") == f"Bearer {self.issued[-1]}":
            return page("a") if seen.path.endswith("list") else Reply(202, {"Location": "/up"})
        scope = "" if self.scope is None else f',scope="{self.scope}"'
        challenge = f'Bearer realm="{self.realm}",service="test, registry"{scope}'
        return Reply(401, {"WWW-Authenticate": challenge})

    def scopes(self) -> list[list[str]]:
        return [seen.query["scope"] for seen in self.tokens.seen]


@pytest.fixture
def token_server(registry: Scripted, other: Scripted) -> TokenServer:
    return TokenServer(registry, other)


@pytest.mark.spec("distribution:authentication")
def test_basic_is_sent_once_it_was_asked_for(registry: Scripted, ann: Repository) -> None:
    """The first request has no credentials; its repetition and all later requests have."""
    basic(registry)
    assert ann.tags() == ("a",)
    assert ann.tags() == ("a",)
    assert registry.authorizations() == [None, ANN.basic(), ANN.basic()]


@pytest.mark.parametrize(
    ("demand", "text"),
    [
        ({"WWW-Authenticate": 'Basic realm="x"'}, "pass Credentials"),
        ({"WWW-Authenticate": "Negotiate, NTLM abc="}, "asks for negotiate, ntlm"),
        ({"WWW-Authenticate": "Digest, YW5uOm9wZW4"}, "asks for digest, another scheme, known"),
        ({}, "asks for nothing"),
        ({"WWW-Authenticate": "Bearer"}, "no token server"),
        ({"WWW-Authenticate": 'Bearer realm="'}, "cannot be read"),
    ],
)
def test_a_challenge_that_cannot_be_met_says_what_to_do(
    registry: Scripted, repo: Repository, demand: dict[str, str], text: str
) -> None:
    """Without credentials, or with an unknown scheme, the error says so."""
    registry.default = Reply(401, demand)
    with pytest.raises(AuthError, match=text) as caught:
        repo.tags()
    assert caught.value.status == 401


def test_wrong_credentials_are_tried_once(registry: Scripted, ann: Repository) -> None:
    """A registry that refuses the credentials is not asked a third time."""
    registry.default = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    for count in (2, 3):
        with pytest.raises(AuthError, match="refuses these credentials"):
            ann.tags()
        assert len(registry.seen) == count


@pytest.mark.spec("distribution:authentication")
def test_a_token_is_fetched_without_credentials(
    token_server: TokenServer, repo: Repository
) -> None:
    """An anonymous client asks the token server with service and scope, not Authorization."""
    assert repo.tags() == ("a",)
    (asked,) = token_server.tokens.seen
    assert asked.query == {"service": ["test, registry"], "scope": ["repository:org/app:pull"]}
    assert "authorization" not in asked.headers
    assert token_server.registry.authorizations() == [None, "Bearer tok-0"]


def test_the_password_goes_to_the_token_server_only(
    token_server: TokenServer, ann: Repository
) -> None:
    """With tokens the registry never sees the password."""
    assert ann.tags() == ("a",)
    assert token_server.tokens.authorizations() == [ANN.basic()]
    assert ANN.basic() not in token_server.registry.authorizations()


def test_a_token_is_used_again_for_its_scope(token_server: TokenServer, repo: Repository) -> None:
    """All reads share one token, writes have another, and later requests do not wait for a 401."""
    repo.tags()
    repo.tags()
    assert token_server.scopes() == [["repository:org/app:pull"]]
    with pytest.raises(RegistryError):
        repo.put_manifest(MANIFEST)
    assert token_server.scopes()[1:] == [["repository:org/app:pull,push"]]
    assert None not in token_server.registry.authorizations()[1:]


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("repository:org/app:pull", ["repository:org/app:pull"]),
        ("repository:proxy/app:pull", ["repository:org/app:pull", "repository:proxy/app:pull"]),
        (
            "repository:org/app:pull,delete registry:catalog:*",
            [
                "repository:org/app:pull",
                "repository:org/app:pull,delete",
                "registry:catalog:*",
            ],
        ),
    ],
)
def test_a_registry_may_ask_for_further_scopes(
    token_server: TokenServer, repo: Repository, scope: str, asked: list[str]
) -> None:
    """Scopes of the challenge beyond our own are requested as well."""
    token_server.scope = scope
    repo.tags()
    assert token_server.scopes() == [asked]


def test_a_refused_token_is_replaced(token_server: TokenServer, repo: Repository) -> None:
    """A token that became invalid before its time is renewed once."""
    repo.tags()
    token_server.issued.append("revoked-by-this")
    assert repo.tags() == ("a",)
    assert len(token_server.tokens.seen) == 2


def test_a_token_that_is_never_good_enough_ends(
    token_server: TokenServer, repo: Repository
) -> None:
    """A registry that refuses even a fresh token is not asked again."""
    token_server.issued.append("never this")
    token_server.answer["token"] = "always-the-same"
    for _ in range(2):
        with pytest.raises(AuthError, match="anonymous access"):
            repo.tags()
    assert len(token_server.tokens.seen) == 2


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({}, 290.0),
        ({"expires_in": None}, 50.0),
        ({"expires_in": "300"}, 50.0),
        ({"expires_in": True}, 50.0),
        ({"expires_in": 30.5}, 20.5),
        ({"expires_in": -5}, -10.0),
        ({"expires_in": 10**300}, 86390.0),
        ({"token": "", "access_token": "from-oauth"}, 290.0),
    ],
)
def test_tokens_are_kept_until_shortly_before_they_expire(
    token_server: TokenServer, answer: dict[str, Any], life: float
) -> None:
    """A token is sent for its life less a margin, by the given clock."""
    token_server.answer = answer
    now = 1000.0
    with closing(Transport(timeout=60)) as transport:
        authenticator = Authenticator(
            transport,
            registry=f"http://{token_server.registry.host}",
            repository="org/app",
            clock=lambda: now,
        )
        assert authenticator.header("pull") is None
        challenge = f'Bearer realm="{token_server.realm}"'
        first = authenticator.renew("pull", [challenge])
        assert first == f"Bearer {answer.get('access_token', 'tok-0')}"
        now += life - 0.01
        if life > 0:
            assert authenticator.header("pull") == first
        assert len(token_server.tokens.seen) == 1
        now += 0.01
        authenticator.header("pull")
        assert len(token_server.tokens.seen) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"open-sesame",
        b"{}",
        b'{"token":7}',
        b'{"token":"two words open-sesame"}',
        b'{"token":"open-sesame\\r\\nX: y"}',
        b'{"token":"open-sesame","token":"open-sesame"}',
        b'{"open-sesame":1,"open-sesame":2}',
        '{"token":"öpen-sesame"}'.encode(),
    ],
)
def test_an_invalid_token_is_an_error_that_does_not_show_it(
    token_server: TokenServer, repo: Repository, body: bytes
) -> None:
    """Text that cannot be a token is refused, and not shown."""
    token_server.tokens.routes["GET /token"] = Reply(200, body=body)
    with pytest.raises(RegistryError, match="usable token") as caught:
        repo.tags()
    assert "sesame" not in shown(caught.value)


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (Reply(401), AuthError, "refuses these credentials"),
        (Reply(403), AuthError, "refuses these credentials"),
        (Reply(429), RateLimitedError, "later"),
        (Reply(500), RegistryError, "answers 500"),
        (Reply(200, body=b" " * 2**21), LimitExceededError, "1048576"),
    ],
)
def test_a_token_server_that_fails_is_told_from_the_registry(
    token_server: TokenServer,
    ann: Repository,
    reply: Reply,
    error: type[OciLayoutError],
    text: str,
) -> None:
    """Failures of the token server name it."""
    token_server.tokens.routes["GET /token"] = reply
    with pytest.raises(error, match=text) as caught:
        ann.tags()
    assert token_server.tokens.host in str(caught.value)


@pytest.mark.parametrize(
    "realm",
    ["ftp://127.0.0.1/t", "http://u:p@127.0.0.1/t", "http:///t", "t", "http://[bad/t", "//h/t"],
)
def test_a_realm_that_cannot_be_asked_is_refused(
    token_server: TokenServer, ann: Repository, realm: str
) -> None:
    """A token server that is not an http address is not asked."""
    token_server.realm = realm
    with pytest.raises(AuthError, match="no token server"):
        ann.tags()


def test_a_plain_realm_is_only_for_plain_loopback(
    token_server: TokenServer,
    secure: Scripted,
    ann: Repository,
    trusting: Repository,
) -> None:
    """Credentials go to an unencrypted token server only from loopback to loopback."""
    secure.default = token_server.guard
    with pytest.raises(AuthError, match="not encrypted"):
        trusting.tags()
    token_server.realm = "http://auth.invalid/token"
    with pytest.raises(AuthError, match=r"http://auth\.invalid:80, which is not encrypted"):
        ann.tags()
    assert token_server.tokens.seen == []


def test_a_token_server_may_redirect_but_not_the_password(
    token_server: TokenServer, secure: Scripted, ann: Repository
) -> None:
    """A redirect of the token request to another origin goes without the password."""
    with Scripted() as third:
        third.default = Reply(403)
        token_server.tokens.routes["GET /token"] = redirect(f"http://{third.host}/token")
        with pytest.raises(AuthError):
            ann.tags()
        assert third.authorizations() == [None]
    assert secure.seen == []


def test_an_upload_that_is_refused_midway_is_sent_again_if_it_can_be(
    token_server: TokenServer, repo: Repository
) -> None:
    """If a token expires between POST and PUT, a source that can seek is sent again."""
    registry = token_server.registry
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(404)

    def begin(seen: Seen, handler: Handler) -> Reply:
        reply = token_server.guard(seen, handler)
        if reply.status == 202:
            token_server.issued.append("meanwhile")
        return reply

    registry.routes[f"POST {UPLOAD}"] = begin
    registry.routes["PUT /up"] = lambda seen, handler: (
        Reply(201)
        if token_server.guard(seen, handler).status == 202
        else Reply(401, token_server.guard(seen, handler).headers)
    )
    repo.blobs.put(io.BytesIO(LAYER), media_type=OCI_LAYER)
    bodies = [seen.body for seen in registry.seen if seen.method == "PUT"]
    assert bodies == [LAYER, LAYER]
    registry.routes["HEAD /v2/org/app/blobs/" + Digest.of(b"")] = Reply(404)
    assert repo.blobs.put(Trickle(b""), media_type=OCI_LAYER, expected=EMPTY) == EMPTY
    with pytest.raises(AuthError, match="sent twice"):
        repo.blobs.put(Trickle(LAYER), media_type=OCI_LAYER, expected=BLOB)


def test_secrets_are_not_shown(
    token_server: TokenServer, ann: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither password nor token is in an error, a traceback, a repr or the log."""
    caplog.set_level(logging.DEBUG)
    registry = token_server.registry
    texts: list[str] = []
    echoed: list[Reply | None] = [
        failing(403, "DENIED"),
        failing(500, "UNKNOWN"),
        Reply(302, {"Location": "http://tok-0:open-sesame@[/"}),
        Reply(200, {"Docker-Content-Digest": "tok-0", "Content-Type": OCI_MANIFEST}, b"tok-0"),
    ]
    for reply in echoed:
        registry.routes[f"GET {manifest_path('v1')}"] = reply
        registry.routes[f"HEAD {manifest_path('v1')}"] = reply
        ann.tags()
        with pytest.raises(OciLayoutError) as caught:
            ann.resolve("v1")
        texts.append(shown(caught.value))

    def echo(seen: Seen, handler: Handler) -> None:
        handler.wfile.write(seen.headers["authorization"].encode() + b" open-sesame\r\n\r\n")
        handler.close_connection = True

    registry.routes[f"HEAD {manifest_path('v1')}"] = echo
    with pytest.raises(TransportError) as caught_echo:
        ann.resolve("v1")
    texts.append(shown(caught_echo.value))
    assert token_server.issued == ["tok-0"]
    pair = ANN.basic().removeprefix("Basic ")
    for text in [*texts, caplog.text, repr(ann), repr(ann.__dict__)]:
        for secret in ("open-sesame", "tok-0", pair):
            assert secret not in text
    assert "tags/list" not in caplog.text
    urllib3.request("GET", f"http://{registry.host}/of-others", retries=False)
    assert "of-others" in caplog.text  # what others ask is still logged


def test_parallel_requests_share_a_token(token_server: TokenServer, repo: Repository) -> None:
    """Several threads may use a repository at once."""
    repo.tags()
    found: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: found.append(repo.tags())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("a",)] * 4
    assert len(token_server.tokens.seen) == 1
