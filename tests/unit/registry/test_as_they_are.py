"""Registries as they are: answers that the specification does not foresee."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import copy
from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    DigestMismatchError,
    RateLimitedError,
    ReferenceNotFoundError,
    RegistryError,
)
from ocilayout.layout import Layout
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_INDEX, OCI_LAYER
from ocilayout.registry import Patience, Proxies, Repository, Timeouts
from tests.unit.registry.example import (
    ANN,
    AT_ONCE,
    BLOB,
    LAYER,
    MANIFEST,
    MODEL,
    ROOT,
    UPLOAD,
    accept_upload,
    blob_path,
    described,
    failing,
    manifest_path,
    page,
    redirect,
)
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HTML = Reply(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>")
REFERRERS = f"GET /v2/org/app/referrers/{ROOT.digest}"
FALLBACK = f"GET {manifest_path(str(ROOT.digest).replace(':', '-'))}"


def hang_up(_: Seen, handler: Handler) -> None:
    handler.close_connection = True


def reset(_: Seen, handler: Handler) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


# ------------------------------------------------------------------ connections that end


def test_many_blobs_reach_a_server_that_ends_every_connection(tmp_path: Path) -> None:
    """A server that says nothing and ends the connection behind each answer gets all 60 blobs."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    layers = [
        layout.blobs.put(f"layer {number}".encode(), media_type=OCI_LAYER) for number in range(60)
    ]
    config = layout.blobs.put(b"{}", media_type=MODEL.config.media_type)
    layout.tag("v1", layout.put_manifest(Manifest(config=config, layers=layers)))
    stored: set[str] = set()

    def answer(seen: Seen, handler: Handler) -> Reply:
        handler.close_connection = True
        if seen.method == "POST":
            return Reply(202, {"Location": f"{UPLOAD}session"})
        if seen.method == "PUT":
            stored.update(seen.query.get("digest", ["tagged"]))
            return Reply(201)
        return Reply(404)

    with Scripted() as registry, Repository(f"{registry.host}/org/app", patience=AT_ONCE) as repo:
        registry.default = answer
        copy(layout, "v1", repo)
    assert stored == {"tagged", *(str(one.digest) for one in (config, *layers))}


@pytest.mark.parametrize("lost", [hang_up, reset, Reply(500), Reply(502), Reply(503), Reply(429)])
@pytest.mark.parametrize("mount", [None, "org/base"])
def test_a_post_that_is_lost_is_sent_again(
    registry: Scripted, repo: Repository, lost: Any, mount: str | None
) -> None:
    """Beginning an upload, and asking for a mount."""
    accept_upload(registry)
    begin = registry.routes[f"POST {UPLOAD}"]
    registry.routes[f"POST {UPLOAD}"] = [lost, begin]
    repo.blobs.put(LAYER, media_type=OCI_LAYER, mount_from=mount)
    assert registry.asked().count(f"POST {UPLOAD}") == 2
    assert registry.asked()[-1] == f"PUT {UPLOAD}session"


# ------------------------------------------------------------------ mounts


@pytest.mark.spec("distribution:mount")
@pytest.mark.parametrize(
    "answer",
    [Reply(status) for status in (200, 204, 400, 401, 403, 404, 405, 416, 422, 500, 501, 502, 504)]
    + [Reply(202), Reply(307), hang_up, reset],
)
def test_what_is_no_mount_means_an_upload(
    registry: Scripted, repo: Repository, answer: Any
) -> None:
    """Only 201 says that a blob was mounted; after anything else it is sent."""
    accept_upload(registry)
    begin = registry.routes[f"POST {UPLOAD}"]

    def route(seen: Seen, handler: Handler) -> Any:
        if "mount" not in seen.query:
            return begin
        return answer(seen, handler) if callable(answer) else answer

    registry.routes[f"POST {UPLOAD}"] = route
    repo.blobs.put(LAYER, media_type=OCI_LAYER, mount_from="org/base")
    assert registry.seen[-1].body == LAYER


def test_a_mount_that_is_refused_for_too_many_requests_is_no_upload(
    registry: Scripted, repo: Repository
) -> None:
    """A registry that says when to come back is not sent the blob instead."""
    registry.routes[f"POST {UPLOAD}"] = Reply(429, {"Retry-After": "86400"})
    with pytest.raises(RateLimitedError):
        repo.blobs.put(LAYER, media_type=OCI_LAYER, mount_from="org/base")
    assert registry.asked().count(f"POST {UPLOAD}") == 1


class Tokens:
    """A registry whose token server allows one repository, and refuses to look into another."""

    def __init__(self, registry: Scripted, tokens: Scripted) -> None:
        self.registry, self.tokens = registry, tokens
        self.placeholder = "repository:user/image:pull"
        self.left = 10**9
        tokens.routes["GET /token"] = self.issue
        registry.default = self.answer

    def issue(self, seen: Seen, _: Handler) -> Reply:
        if any("org/app" not in scope for scope in seen.query.get("scope", [])):
            return Reply(403)
        return Reply(200, body=b'{"token":"good","expires_in":300}')

    def answer(self, seen: Seen, _: Handler) -> Reply:
        scope = "repository:org/app:pull,push"
        if seen.path == "/v2/":
            scope = self.placeholder
        if "mount" in seen.query:
            scope += f" repository:{seen.query['from'][0]}:pull"
        allowed = seen.headers.get("authorization") == "Bearer good" and "mount" not in seen.query
        if not allowed:
            realm = f"http://{self.tokens.host}/token"
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}",scope="{scope}"'})
        if seen.path == "/v2/" or seen.path.endswith("list"):
            return page("a")
        if seen.method == "POST":
            return Reply(202, {"Location": f"{UPLOAD}session"})
        return Reply(201 if seen.method == "PUT" else 404)

    def scopes(self) -> list[list[str]]:
        return [seen.query["scope"] for seen in self.tokens.seen]


def test_the_scope_of_a_denied_mount_is_not_kept(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """The push goes on with its own scope, also when its token is renewed."""
    server = Tokens(registry, other)
    for data in (b"one", b"two"):
        ann.blobs.put(data, media_type=OCI_LAYER, mount_from="secret/base")
    foreign = [scopes for scopes in server.scopes() if "repository:secret/base:pull" in scopes]
    assert len(foreign) == 2  # each for one request
    ann.put_manifest(MANIFEST)
    assert registry.asked()[-1] == f"PUT {manifest_path(str(ROOT.digest))}"


def test_a_ping_does_not_adopt_a_placeholder(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """The scope in the challenge of `/v2/` is of any repository, and not asked for."""
    server = Tokens(registry, other)
    ann.ping()
    assert ann.tags() == ("a",)
    assert server.scopes() == [["repository:org/app:pull"]]


def test_a_deletion_asks_for_all_actions(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """Quay knows no action `delete`; as skopeo does, everything is asked for."""
    server = Tokens(registry, other)
    with pytest.raises(BlobNotFoundError):
        ann.blobs.delete(BLOB.digest)
    assert server.scopes()[0][0] == "repository:org/app:*"
    assert [scope for scopes in server.scopes() for scope in scopes if "delete" in scope] == []


# ------------------------------------------------------------------ strangers


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_login_is_offered_after_the_challenge_of_the_registry(
    registry: Scripted, other: Scripted, ann: Repository, status: int, scheme: str
) -> None:
    """A repository that is hidden from strangers without a challenge is found with the login."""
    other.routes["GET /token"] = Reply(200, body=b'{"token":"good"}')
    bearer = scheme == "Bearer"
    right = "Bearer good" if bearer else ANN.basic()
    demand = f'Bearer realm="http://{other.host}/token"' if bearer else 'Basic realm="all"'
    registry.routes["GET /v2/"] = Reply(401, {"WWW-Authenticate": demand})

    def hide(seen: Seen, _: Handler) -> Reply:
        return page("a") if seen.headers.get("authorization") == right else Reply(status)

    registry.routes["GET /v2/org/app/tags/list"] = hide
    assert ann.tags() == ("a",)
    assert ann.tags() == ("a",)
    assert registry.asked().count("GET /v2/") == 1
    assert registry.authorizations() == [None, None, right, right]


def test_what_is_missing_stays_missing_where_nothing_is_asked(
    registry: Scripted, ann: Repository
) -> None:
    """A registry without logins is asked for its challenge once, and 404 stays 404."""
    registry.routes["GET /v2/"] = Reply(200)
    for _ in range(2):
        with pytest.raises(ReferenceNotFoundError):
            ann.fetch("v1")
    assert registry.asked().count("GET /v2/") == 1


def test_a_stranger_without_a_login_is_not_sent_around(
    registry: Scripted, repo: Repository
) -> None:
    """Without credentials a 404 is believed."""
    with pytest.raises(ReferenceNotFoundError):
        repo.fetch("v1")
    assert registry.asked() == [f"GET {manifest_path('v1')}"]


def test_a_challenge_that_cannot_be_met_hides_no_404(registry: Scripted) -> None:
    """If the login is found nowhere, the first answer stands, and anonymous reading goes on."""
    registry.routes["GET /v2/"] = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    registry.routes["GET /v2/org/app/tags/list"] = page("a")
    with Repository(
        f"{registry.host}/org/app", credentials=lambda _: None, patience=AT_ONCE
    ) as repo:
        with pytest.raises(ReferenceNotFoundError):
            repo.fetch("v1")
        assert repo.tags() == ("a",)


@pytest.mark.parametrize("status", [401, 403])
def test_a_denial_says_whether_a_login_was_sent(
    registry: Scripted, ann: Repository, repo: Repository, status: int
) -> None:
    """And that the repository may not exist, which many registries deny rather than say."""
    registry.routes["GET /v2/"] = Reply(200)
    registry.routes["GET /v2/org/app/tags/list"] = Reply(status)
    with pytest.raises(AuthError, match="none were sent; the repository may not exist") as caught:
        ann.tags()
    assert "refuses these credentials" not in str(caught.value)
    with pytest.raises(AuthError, match=r"anonymous access; .* the repository may not exist"):
        repo.tags()
    demand = {"WWW-Authenticate": 'Basic realm="x"'}
    registry.routes["GET /v2/org/app/tags/list"] = [Reply(401, demand), Reply(status)]
    with pytest.raises(AuthError, match=r"refuses these credentials; .* may not exist"):
        ann.tags()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_behind_a_redirect_is_not_one_of_our_credentials(
    registry: Scripted, other: Scripted, ann: Repository, status: int
) -> None:
    """The host is named that refuses, and the one that led there."""
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/signed?key=secret")
    other.default = Reply(status)
    with pytest.raises(RegistryError, match=f"{other.host}, to which .*{registry.host}") as caught:
        ann.blobs.read(BLOB)
    assert "credentials" not in str(caught.value)
    assert "secret" not in str(caught.value)


# ------------------------------------------------------------------ referrers


def listing(*descriptors: Descriptor) -> Reply:
    return Reply(200, {"Content-Type": OCI_INDEX}, encode(Index(manifests=descriptors)))


@pytest.mark.spec("distribution:referrers-fallback")
@pytest.mark.parametrize(
    "answer",
    [Reply(status) for status in (400, 403, 404, 405, 406, 410, 415, 422, 501)]
    + [
        HTML,
        Reply(200, {"Content-Type": "application/json"}, b'{"error":"no such page"}'),
        Reply(200),
        Reply(204),
        redirect("/login"),
        redirect("http://login.invalid/"),
        redirect("file:///x"),
    ],
)
def test_what_is_no_list_of_referrers_means_the_fallback_tag(
    registry: Scripted, repo: Repository, answer: Reply
) -> None:
    """An answer of another status or type, or a redirect to a web page; no other host is asked."""
    registry.routes[REFERRERS] = answer
    registry.routes["GET /login"] = HTML
    registry.routes[FALLBACK] = listing(ROOT)
    assert repo.referrers(ROOT.digest) == (ROOT,)


@pytest.mark.parametrize("answer", [Reply(500), Reply(503), Reply(429), hang_up])
def test_a_failure_to_list_referrers_is_not_their_absence(
    registry: Scripted, repo: Repository, answer: Any
) -> None:
    """A registry that fails may have the API, and signatures in it."""
    registry.routes[REFERRERS] = answer
    registry.routes[FALLBACK] = listing()
    with pytest.raises(RegistryError):
        repo.referrers(ROOT.digest)


@pytest.mark.parametrize("media_type", [OCI_INDEX, "application/json", ""])
def test_a_list_of_referrers_may_come_as_any_json(
    registry: Scripted, repo: Repository, media_type: str
) -> None:
    """What is an index is one, whatever its header says."""
    registry.routes[REFERRERS] = Reply(200, {"Content-Type": media_type}, listing(ROOT).body)
    assert repo.referrers(ROOT.digest) == (ROOT,)
    assert FALLBACK not in registry.asked()


# ------------------------------------------------------------------ HEAD


@pytest.mark.spec("distribution:head")
@pytest.mark.parametrize("status", [400, 401, 403, 405, 406, 500, 501, 503])
def test_a_refused_head_means_get(registry: Scripted, repo: Repository, status: int) -> None:
    """For manifests and blobs, and at once: the GET is patient enough."""
    registry.routes[f"HEAD {manifest_path('v1')}"] = Reply(status)
    registry.routes[f"GET {manifest_path('v1')}"] = described()
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(status)
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(200, body=LAYER)
    assert repo.resolve("v1") == ROOT
    assert repo.blobs.holds(BLOB)
    assert BLOB.digest in repo.blobs
    assert repo.blobs.size(BLOB.digest) == BLOB.size
    assert repo.blobs.put(LAYER, media_type=OCI_LAYER) == BLOB
    assert registry.asked().count(f"HEAD {manifest_path('v1')}") == 1


@pytest.mark.parametrize("status", [400, 403, 405, 500, 501])
def test_a_registry_that_does_not_say_what_it_has_is_sent_blobs(
    registry: Scripted, repo: Repository, status: int
) -> None:
    """A refusal to look for a blob, by HEAD and by GET, does not end a push."""
    accept_upload(registry)
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(status)
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(status)
    repo.blobs.put(LAYER, media_type=OCI_LAYER)
    assert registry.seen[-1].body == LAYER


def test_the_reason_of_a_refused_head_is_shown(registry: Scripted, repo: Repository) -> None:
    """It is in the answer to GET, as an answer to HEAD has no body."""
    digest = Digest.of(b"x", "sha512")
    registry.routes[f"HEAD {manifest_path(str(digest))}"] = failing(400, "DIGEST_INVALID")
    registry.routes[f"GET {manifest_path(str(digest))}"] = failing(400, "DIGEST_INVALID")
    with pytest.raises(RegistryError, match=r"DIGEST_INVALID.*knows only sha256"):
        repo.resolve(digest)


def test_a_pull_asks_for_each_manifest_once(
    registry: Scripted, repo: Repository, tmp_path: Path
) -> None:
    """`copy` into a layout sends one GET for the root, and no HEAD."""
    registry.routes[f"GET {manifest_path('v1')}"] = described()
    config = MODEL.config
    registry.routes[f"GET {blob_path(config)}"] = Reply(200, body=b"{}")
    copy(repo, "v1", Layout.create(tmp_path / "layout", durability="none"))
    assert sorted(registry.asked()) == [
        f"GET {blob_path(config)}",
        f"GET {manifest_path('v1')}",
    ]


# ------------------------------------------------------------------ tokens in the clear


def through(proxy: Scripted, *, plain_http: bool, credentials: Any = ANN) -> Repository:
    """A repository of a host that only a proxy on loopback knows."""
    return Repository(
        "registry.invalid/org/app",
        plain_http=plain_http,
        credentials=credentials,
        proxies=Proxies(http=f"http://{proxy.host}"),
        patience=AT_ONCE,
    )


@pytest.mark.parametrize("credentials", [ANN, None])
@pytest.mark.parametrize("host", ["registry.invalid", "auth.invalid"])
def test_tokens_in_the_clear_are_asked_for_where_that_was_allowed(
    registry: Scripted, host: str, credentials: Any
) -> None:
    """Who gives `plain_http` for a registry means its token server as well, as with Basic."""
    registry.routes["GET /token"] = Reply(200, body=b'{"token":"good"}')

    def guard(seen: Seen, _: Handler) -> Reply:
        if seen.headers.get("authorization") == "Bearer good":
            return page("a")
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})

    registry.default = guard
    with through(registry, plain_http=True, credentials=credentials) as repo:
        assert repo.tags() == ("a",)


# ------------------------------------------------------------------ lists


def test_all_tags_may_come_in_one_page(registry: Scripted, repo: Repository) -> None:
    """A page is asked for by its size, and may be larger than a document; a list has its limit."""
    tags = [f"{number:0127}x" for number in range(40_000)]
    registry.routes["GET /v2/org/app/tags/list"] = page(*tags)
    assert len(registry.routes["GET /v2/org/app/tags/list"].body) > MAX_DOCUMENT
    assert repo.tags() == tuple(tags)
    assert registry.seen[0].query == {"n": ["1000"]}


def test_a_registry_that_wants_smaller_pages_chooses_their_size(
    registry: Scripted, repo: Repository
) -> None:
    """A refused size is left out."""
    registry.routes["GET /v2/org/app/tags/list"] = lambda seen, _: (
        failing(400, "PAGINATION_NUMBER_INVALID") if "n" in seen.query else page("a")
    )
    assert repo.tags() == ("a",)


# ------------------------------------------------------------------ pushes


def test_a_manifest_that_is_stored_with_202_is_stored(registry: Scripted, repo: Repository) -> None:
    """Older Quay says so; a digest in the answer is still compared."""
    path = f"PUT {manifest_path(str(ROOT.digest))}"
    registry.routes[path] = Reply(202, {"Docker-Content-Digest": ROOT.digest})
    assert repo.put_manifest(MANIFEST) == ROOT
    registry.routes[path] = Reply(202, {"Docker-Content-Digest": BLOB.digest})
    with pytest.raises(DigestMismatchError):
        repo.put_manifest(MANIFEST)


@pytest.mark.parametrize("source", ["a file", "a pipe"])
@pytest.mark.parametrize("status", [404, 405, 204])
def test_chunks_are_sent_though_the_registry_tells_the_end_of_the_first(
    registry: Scripted, source: str, status: int
) -> None:
    """As ECR does: PATCH 201 with a Range that stays, and no status; the digest decides."""
    got = bytearray()

    def patch(seen: Seen, _: Handler) -> Reply:
        got.extend(seen.body)
        return Reply(201, {"Location": f"{UPLOAD}session", "Range": "0-4999"})

    def end(seen: Seen, _: Handler) -> Reply:
        return Reply(201 if Digest.of(bytes(got)) == seen.query["digest"][0] else 400)

    registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": f"{UPLOAD}session"})
    registry.routes[f"PATCH {UPLOAD}session"] = patch
    registry.routes[f"GET {UPLOAD}session"] = Reply(status)
    registry.routes[f"PUT {UPLOAD}session"] = end

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return source == "a file"

    with Repository(f"{registry.host}/org/app", chunk_size=5000, patience=AT_ONCE) as repo:
        repo.blobs.put(Stream(LAYER), media_type=OCI_LAYER, expected=BLOB)
    assert bytes(got) == LAYER
    assert registry.asked().count(f"GET {UPLOAD}session") == 1


# ------------------------------------------------------------------ challenges


@pytest.mark.parametrize(
    "demand",
    [
        "Basic realm=/",
        "Basic realm=https://registry.example/v2/, charset=UTF-8",
        'Basic realm="a", realm="b"',
        'Negotiate (x), Basic realm="a"',
        'Bearer realm="open, Basic realm=a',
        "Bearer scope=x, Basic realm=a",
    ],
)
def test_a_challenge_is_met_as_far_as_it_can_be_read(
    registry: Scripted, ann: Repository, demand: str
) -> None:
    """A value without quotes, a repeated parameter, and what cannot be read beside a good one."""
    registry.default = lambda seen, _: (
        page("a")
        if seen.headers.get("authorization") == ANN.basic()
        else Reply(401, {"WWW-Authenticate": demand})
    )
    assert ann.tags() == ("a",)


# ------------------------------------------------------------------ what does not end


@pytest.fixture
def endless(registry: Scripted) -> Iterator[Callable[[bytes, bytes], None]]:
    """Let a server send some bytes, and then others for ever, one each 10 ms if it is one byte."""
    over = threading.Event()

    def tell(first: bytes, then: bytes) -> None:
        def send(_: Seen, handler: Handler) -> None:
            handler.wfile.write(first)
            while not over.wait(0.01 if len(then) == 1 else 0):
                handler.wfile.write(then)

        registry.default = send

    yield tell
    over.set()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a status at a byte at a time": (b"HTTP/1.1 200 ", b"x"),
    "a header at a byte at a time": (OK + b"X: ", b"x"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"),
    "an interim answer's head": (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n"),
    "an interim answer at a byte at a time": (b"HTTP/1.1 100 Continue\r\nX: ", b"x"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a trailer at a byte at a time": (CHUNKED + b"0\r\nX: ", b"x"),
    "the extension of a chunk": (CHUNKED + b"5;", b"xx"),
    "the extension of a chunk at a byte at a time": (CHUNKED + b"5;", b"x"),
    "the size of a chunk": (CHUNKED, b"0"),
    "a body at a byte at a time": (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "a body without a length at a byte at a time": (OK + b"Connection: close\r\n\r\n", b"x"),
    "an error at a byte at a time": (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 60000\r\n\r\n",
        b"x",
    ),
}


@pytest.mark.parametrize(("first", "then"), ENDLESS.values(), ids=ENDLESS)
def test_nothing_of_an_answer_is_endless(
    registry: Scripted, endless: Callable[[bytes, bytes], None], first: bytes, then: bytes
) -> None:
    """Neither its head with all interim answers, nor its body with its framing."""
    endless(first, then)
    timeouts = Timeouts(connect=60, read=0.3, stall=0.3, least_rate=4096)
    patience = Patience(attempts=1)
    with (
        Repository(f"{registry.host}/org/app", timeout=timeouts, patience=patience) as repo,
        pytest.raises(RegistryError),
    ):
        repo.blobs.read(BLOB)


def test_nothing_is_read_behind_a_head(
    registry: Scripted, endless: Callable[[bytes, bytes], None]
) -> None:
    """An answer to HEAD ends with its head, though a body follows without end."""
    endless(b"HTTP/1.1 404 Not Found\r\nContent-Length: 60000\r\n\r\n", b"x")
    timeouts = Timeouts(connect=60, read=5, stall=3600, least_rate=0)
    with Repository(f"{registry.host}/org/app", timeout=timeouts, patience=AT_ONCE) as repo:
        assert not repo.blobs.holds(BLOB)
        assert not repo.blobs.holds(BLOB)


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_answers_are_skipped(registry: Scripted, repo: Repository, status: int) -> None:
    """RFC 9110: a client waits for the final answer behind any number of them."""

    def answer(_seen: Seen, handler: Handler) -> Reply:
        for _ in range(3):
            handler.wfile.write(b"HTTP/1.1 %d Wait\r\nX: y\r\n\r\n" % status)
        return page("a")

    registry.default = answer
    assert repo.tags() == ("a",)


def test_a_body_may_be_as_slow_as_its_reader_allows(registry: Scripted) -> None:
    """The least rate is an option."""

    def slow(_seen: Seen, handler: Handler) -> None:
        handler.wfile.write(OK + b"Content-Length: 30\r\n\r\n")
        for _ in range(30):
            handler.wfile.write(b"x")

    registry.default = slow
    wanted = Descriptor.of(b"x" * 30, OCI_LAYER)
    timeouts = Timeouts(stall=0.000001, least_rate=0)
    with Repository(f"{registry.host}/org/app", timeout=timeouts, patience=AT_ONCE) as repo:
        assert repo.blobs.read(wanted) == b"x" * 30


# ------------------------------------------------------------------ proxies, and old documents


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks5h://x", "ftp://x", "http://["])
def test_a_proxy_of_the_environment_that_is_not_needed_is_no_error(
    registry: Scripted, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Loopback is reached without a proxy, of whatever kind it is."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    registry.default = page("a")
    with Repository(f"{registry.host}/org/app", patience=AT_ONCE) as repo:
        assert repo.tags() == ("a",)


def test_schema_1_is_named(registry: Scripted, repo: Repository) -> None:
    """An image of schema 1 behind a plain type is not called neither a manifest nor an index."""
    old = {
        "schemaVersion": 1,
        "name": "org/app",
        "tag": "v1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": "sha256:none"}],
        "history": [],
    }
    registry.default = Reply(200, {"Content-Type": "application/json"}, json.dumps(old).encode())
    with pytest.raises(RegistryError, match="schema 1"):
        repo.fetch("v1")
