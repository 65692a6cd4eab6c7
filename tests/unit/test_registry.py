"""The registry client against small servers that do what a test tells them, mostly wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import socket
import ssl
import threading
import traceback
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
import trustme
import urllib3

from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    InvalidNameError,
    LimitExceededError,
    OciLayoutError,
    RateLimitedError,
    ReferenceNotFoundError,
    RegistryError,
    SizeMismatchError,
    TransportError,
    UnsupportedDigestError,
)
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT, Limits
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    ARTIFACT_TYPES,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)
from ocilayout.registry import Credentials, Repository, Retry, auth
from ocilayout.registry.transport import Transport
from tests.unit.scripted import Handler, Reply, Scripted, Seen, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODEL = Manifest(config=Descriptor.of(b"{}", OCI_EMPTY))
MANIFEST = encode(MODEL)
ROOT = Descriptor.of(MANIFEST, OCI_MANIFEST)
LAYER = b"layer of the test" * 1000
BLOB = Descriptor.of(LAYER, OCI_LAYER)
EMPTY = Descriptor.of(b"", OCI_LAYER)
UPLOAD = "/v2/org/app/blobs/uploads/"
ANN = Credentials("ann", "open-sesame")
AT_ONCE = Retry(sleep=lambda _: None)


@pytest.fixture
def registry() -> Iterator[Scripted]:
    with serving() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Scripted]:
    with serving() as server:
        yield server


@pytest.fixture
def repo(registry: Scripted) -> Iterator[Repository]:
    with Repository(f"{registry.host}/org/app", timeout=5, retry=AT_ONCE) as repository:
        yield repository


@pytest.fixture
def ann(registry: Scripted) -> Iterator[Repository]:
    with Repository(
        f"{registry.host}/org/app", credentials=ANN, timeout=5, retry=AT_ONCE
    ) as repository:
        yield repository


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Scripted]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context) as server:
        yield server


@pytest.fixture
def trusting(secure: Scripted, authority: trustme.CA, tmp_path: Path) -> Iterator[Repository]:
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with Repository(
        f"{secure.host}/org/app",
        plain_http=False,
        ca_certs=pem,
        credentials=ANN,
        timeout=5,
        retry=AT_ONCE,
    ) as repository:
        yield repository


def described(data: bytes = MANIFEST, media_type: str = OCI_MANIFEST, **headers: str) -> Reply:
    """A registry's honest answer for a manifest, but for what is given."""
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


# ------------------------------------------------------------------ names and addresses


@pytest.mark.parametrize("name", ["ghcr.io/org/app:v1", f"ghcr.io/org/app@{ROOT.digest}"])
def test_a_name_with_a_tag_or_a_digest_is_refused(name: str) -> None:
    """A repository's name that says more than the repository is refused with what to do."""
    with pytest.raises(InvalidNameError, match="leave out the tag and the digest"):
        Repository(name)


@pytest.mark.parametrize("name", ["ghcr.io/Org/app", "127.0.0.1:99999/app", "[::::]/app"])
def test_a_name_that_cannot_be_reached_is_refused(name: str) -> None:
    """A name outside the grammar or without an address is refused at once."""
    with pytest.raises(InvalidNameError):
        Repository(name)


@pytest.mark.parametrize(
    ("name", "plain_http", "base"),
    [
        ("ghcr.io/org/app", None, "https://ghcr.io/v2/org/app"),
        ("ghcr.io/org/app", True, "http://ghcr.io/v2/org/app"),
        ("127.0.0.1:5000/app", None, "http://127.0.0.1:5000/v2/app"),
        ("127.9.9.9/app", None, "http://127.9.9.9/v2/app"),
        ("[::1]:5000/app", None, "http://[::1]:5000/v2/app"),
        ("localhost/app", None, "http://localhost/v2/app"),
        ("localhost:5000/app", False, "https://localhost:5000/v2/app"),
        ("localhost.example/app", None, "https://localhost.example/v2/app"),
        ("128.0.0.1/app", None, "https://128.0.0.1/v2/app"),
        ("busybox", None, "https://registry-1.docker.io/v2/library/busybox"),
        ("docker.io/org/app", None, "https://registry-1.docker.io/v2/org/app"),
    ],
)
def test_only_loopback_is_plain_unless_told(name: str, plain_http: bool | None, base: str) -> None:  # noqa: FBT001
    """TLS is left out for loopback hosts only, unless the caller says otherwise."""
    with Repository(name, plain_http=plain_http) as repository:
        assert repository._session.base == base


def test_repr_shows_the_name_and_no_password(ann: Repository) -> None:
    """What a repository shows of itself is its name."""
    assert repr(ann) == f"Repository({ann.name!r})"


def test_a_missing_file_of_authorities_is_an_os_error(tmp_path: Path) -> None:
    """A ca_certs that cannot be read is not passed over."""
    with pytest.raises(FileNotFoundError):
        Repository("ghcr.io/org/app", ca_certs=tmp_path / "none.pem")


# ------------------------------------------------------------------ tags


def page(*names: str, link: str | None = None) -> Reply:
    body = json.dumps({"name": "org/app", "tags": names}).encode()
    return Reply(200, {} if link is None else {"Link": link}, body)


@pytest.mark.spec("distribution:tags", "distribution:tags-link")
def test_tags_follow_pages_and_are_sorted_bytewise(registry: Scripted, repo: Repository) -> None:
    """All pages are read, relative and absolute ones, and the tags come sorted bytewise."""
    pages = {
        "": page("b", "B", link='<?n=1>; title=x; rel="Next last"'),
        "1": page("a", "_", link=f"<http://{registry.host}/v2/org/app/tags/list?n=2>; rel=next"),
        "2": page("b", "10", "9", link='</elsewhere>; rel="prev"'),
    }
    registry.routes["GET /v2/org/app/tags/list"] = lambda seen, _: pages[
        "".join(seen.query.get("n", [""]))
    ]
    assert repo.tags() == ("10", "9", "B", "_", "a", "b")


def test_no_tags_may_be_null(registry: Scripted, repo: Repository) -> None:
    """A list that is null, as Go writes it, is empty."""
    registry.routes["GET /v2/org/app/tags/list"] = Reply(200, body=b'{"tags":null}')
    assert repo.tags() == ()


def test_tags_do_not_lead_to_another_host(
    registry: Scripted, other: Scripted, repo: Repository
) -> None:
    """A next page at another origin is refused and not asked for."""
    link = f"<http://{other.host}/v2/org/app/tags/list>; rel=next"
    registry.routes["GET /v2/org/app/tags/list"] = page("a", link=link)
    with pytest.raises(RegistryError, match="another host"):
        repo.tags()
    assert other.seen == []


def test_tags_in_a_circle_are_refused(registry: Scripted, repo: Repository) -> None:
    """Pages that lead back end in an error and not in a loop."""
    registry.routes["GET /v2/org/app/tags/list"] = page("a", link="<list>; rel=next")
    with pytest.raises(RegistryError, match="circle"):
        repo.tags()


@pytest.mark.parametrize(
    ("limits", "what"), [(Limits(pages=3), "pages"), (Limits(listed=3), "tags")]
)
def test_endless_tags_are_bounded(registry: Scripted, limits: Limits, what: str) -> None:
    """A list that never ends is left at a limit."""
    repo = Repository(f"{registry.host}/org/app", timeout=5, limits=limits)
    count = iter(range(1000))

    def more(*_: object) -> Reply:
        number = next(count)
        return page(f"t{number}", link=f"<?n={number}>; rel=next")

    registry.routes["GET /v2/org/app/tags/list"] = more
    with pytest.raises(LimitExceededError) as caught:
        repo.tags()
    assert (caught.value.what, caught.value.limit) == (what, 3)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"tags":"a"}', b'{"tags":[1]}', b'{"tags":["\\ud800"]}']
)
def test_a_list_that_is_none_is_an_error(registry: Scripted, repo: Repository, body: bytes) -> None:
    """A body that is no list of tags is a registry's error."""
    registry.routes["GET /v2/org/app/tags/list"] = Reply(200, body=body)
    with pytest.raises(RegistryError, match="list of tags") as caught:
        repo.tags()
    assert caught.value.status == 200


def test_the_tags_of_no_repository_are_an_error(registry: Scripted, repo: Repository) -> None:
    """A repository that is not there is an error with status and code, not an empty list."""
    registry.routes["GET /v2/org/app/tags/list"] = failing(404, "NAME_UNKNOWN")
    with pytest.raises(RegistryError) as caught:
        repo.tags()
    assert (caught.value.status, caught.value.codes) == (404, ("NAME_UNKNOWN",))


# ------------------------------------------------------------------ resolve


@pytest.mark.spec(
    "distribution:head",
    "distribution:accept",
    "distribution:content-type-parameters",
    "media-types:returned",
)
def test_resolve_asks_for_headers_and_answers_plainly(registry: Scripted, repo: Repository) -> None:
    """With honest headers one HEAD is enough, and the descriptor is plain."""
    registry.routes[f"HEAD {manifest_path('v1')}"] = described(
        Content_Type=f"{OCI_MANIFEST}; charset=utf-8"
    )
    assert repo.resolve("v1") == ROOT
    (seen,) = registry.seen
    accepted = {part.strip() for part in seen.headers["accept"].split(",")}
    current = {OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST}
    assert accepted == current | ARTIFACT_TYPES  # schema 1 comes unasked, where there is no other
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.spec("distribution:docker-headers", "distribution:older-registries")
@pytest.mark.parametrize(
    "head",
    [
        described(Docker_Content_Digest=""),
        described(Content_Type=""),
        described(Content_Length="0"),
        described(Content_Length="many"),
        Reply(200, described().headers, bare=True),
        Reply(405),
    ],
)
@pytest.mark.parametrize(
    "get",
    [
        described(),
        described(Docker_Content_Digest=""),
        described(Content_Type=""),
        described(Content_Type="application/json"),
    ],
)
def test_resolve_hashes_the_body_where_headers_are_missing(
    registry: Scripted, repo: Repository, head: Reply, get: Reply
) -> None:
    """Where headers do not tell, the body does."""
    registry.routes[f"HEAD {manifest_path('v1')}"] = head
    registry.routes[f"GET {manifest_path('v1')}"] = get
    assert repo.resolve("v1") == ROOT
    assert registry.asked() == [f"{method} {manifest_path('v1')}" for method in ("HEAD", "GET")]


def test_resolve_takes_a_digest(registry: Scripted, repo: Repository) -> None:
    """A digest resolves to its manifest."""
    registry.routes[f"HEAD {manifest_path(ROOT.digest)}"] = described()
    assert repo.resolve(ROOT.digest) == repo.resolve(str(ROOT.digest)) == ROOT


def test_a_digest_of_another_algorithm_is_computed(registry: Scripted, repo: Repository) -> None:
    """A header with sha256 does not answer for a sha512 that was asked for; the body does."""
    wanted = Digest.of(MANIFEST, "sha512")
    registry.default = described()
    assert repo.resolve(wanted).digest == wanted
    registry.default = described(MANIFEST + b" ")
    with pytest.raises(DigestMismatchError):
        repo.resolve(wanted)


@pytest.mark.spec("distribution:digest-header", "distribution:verify-manifest")
def test_an_answer_for_another_digest_is_refused(registry: Scripted, repo: Repository) -> None:
    """A header that names another digest than was asked for is a mismatch."""
    registry.default = described(MANIFEST + b" ")
    with pytest.raises(DigestMismatchError) as caught:
        repo.resolve(ROOT.digest)
    assert caught.value.descriptor.digest == ROOT.digest
    assert caught.value.actual == Digest.of(MANIFEST + b" ")


@pytest.mark.spec("distribution:digest-header")
def test_a_body_that_its_header_denies_is_refused(registry: Scripted, repo: Repository) -> None:
    """A body that does not hash to its own header is a mismatch."""
    registry.routes[f"HEAD {manifest_path('v1')}"] = Reply(200)
    registry.routes[f"GET {manifest_path('v1')}"] = described(
        Docker_Content_Digest=Digest.of(b"else")
    )
    with pytest.raises(DigestMismatchError):
        repo.resolve("v1")


@pytest.mark.parametrize(
    "reply",
    [
        described(Docker_Content_Digest="sha256:beef"),
        Reply(200, {"Content-Type": "text/html"}, b"<html>please log in</html>"),
        Reply(200, {}, b"{}"),
        Reply(200, {}, b'{"schemaVersion":2,"mediaType":"text/plain"}'),
    ],
)
def test_what_is_no_manifest_does_not_resolve(
    registry: Scripted, repo: Repository, reply: Reply
) -> None:
    """An answer that is no manifest, or whose digest is none, is a registry's error."""
    registry.default = reply
    with pytest.raises(RegistryError):
        repo.resolve("v1")


@pytest.mark.spec("distribution:head")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_is_missing_is_not_found(registry: Scripted, repo: Repository, method: str) -> None:
    """A 404 says that there is no such reference, whichever request it answers."""
    registry.default = Reply(200)
    registry.routes[f"{method} {manifest_path('v1')}"] = Reply(404)
    with pytest.raises(ReferenceNotFoundError, match="v1"):
        repo.resolve("v1")


@pytest.mark.spec("distribution:manifest-size")
def test_an_oversize_body_is_left(registry: Scripted, repo: Repository) -> None:
    """A manifest beyond 4 MiB is not read to its end, whatever length is declared."""
    registry.routes[f"HEAD {manifest_path('v1')}"] = Reply(200)
    endless = threading.Event()

    def pour(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            for _number in range(64):
                handler.wfile.write(bytes(1024 * 1024))
        except OSError:
            endless.set()

    registry.routes[f"GET {manifest_path('v1')}"] = pour
    with pytest.raises(LimitExceededError) as caught:
        repo.resolve("v1")
    assert caught.value.limit == MAX_DOCUMENT
    assert endless.wait(5)


@pytest.mark.spec("distribution:reference", "distribution:tag")
@pytest.mark.parametrize("name", ["", "a b", "x/y", "../../v2", "-a", "a" * 129, "sha256:beef"])
def test_a_name_that_is_no_tag_is_not_asked_for(
    registry: Scripted, repo: Repository, name: str
) -> None:
    """A name outside the grammar of tags never becomes a path."""
    with pytest.raises(InvalidNameError):
        repo.resolve(name)
    assert registry.seen == []


# ------------------------------------------------------------------ reading content


def test_manifests_and_blobs_are_read_where_they_are(registry: Scripted, repo: Repository) -> None:
    """Manifests come from the one endpoint, everything else from the other."""
    registry.routes[f"GET {manifest_path(ROOT.digest)}"] = described()
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(200, body=LAYER)
    assert repo.blobs.read(ROOT) == MANIFEST
    assert repo.read_manifest(ROOT) == MODEL
    assert repo.blobs.read(BLOB) == LAYER
    with repo.blobs.open(BLOB) as stream:
        assert stream.read(5) == LAYER[:5]


@pytest.mark.spec("descriptor:no-processing")
def test_an_encoding_is_not_undone(registry: Scripted, repo: Repository) -> None:
    """Bytes are hashed as they come, even if a header says that they are compressed."""
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(200, {"Content-Encoding": "gzip"}, LAYER)
    assert repo.blobs.read(BLOB) == LAYER


def test_a_stream_begins_before_the_blob_ends(registry: Scripted, repo: Repository) -> None:
    """The first bytes of a stream are there while the server still holds back the last."""
    go_on = threading.Event()

    def halting(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(len(LAYER)))
        handler.end_headers()
        handler.wfile.write(LAYER[:100])
        assert go_on.wait(5)
        handler.wfile.write(LAYER[100:])

    registry.routes[f"GET {blob_path(BLOB)}"] = halting
    with repo.blobs.open(BLOB) as stream:
        assert stream.read(100) == LAYER[:100]
        go_on.set()
        assert stream.readall() == LAYER[100:]


@pytest.mark.spec(
    "distribution:verify-blob", "distribution:verify-manifest", "media-types:mismatch"
)
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, body=b"x" * len(LAYER)), DigestMismatchError),
        (Reply(200, body=LAYER + b"x"), SizeMismatchError),
        (Reply(200, body=LAYER[:-1]), SizeMismatchError),
        (Reply(200, body=LAYER + b"x" * 2**20, bare=True), SizeMismatchError),
        (Reply(200, {"Content-Length": str(len(LAYER))}, LAYER[:50], bare=True), TransportError),
        (
            Reply(200, {"Transfer-Encoding": "chunked"}, b"5\r\nlayer\r\n", bare=True),
            TransportError,
        ),
        (
            Reply(200, {"Transfer-Encoding": "chunked"}, b"zz\r\nlayer\r\n", bare=True),
            TransportError,
        ),
        (Reply(206, body=LAYER), RegistryError),
        (Reply(404), BlobNotFoundError),
    ],
)
@pytest.mark.parametrize("descriptor", [BLOB, Descriptor.of(LAYER, OCI_INDEX)])
def test_content_that_is_not_what_was_promised_is_refused(
    registry: Scripted,
    repo: Repository,
    reply: Reply,
    error: type[OciLayoutError],
    descriptor: Descriptor,
) -> None:
    """Other, more, fewer or broken bytes are each an error of their own."""
    registry.default = reply
    with pytest.raises(error):
        repo.blobs.read(descriptor)


def test_a_chunk_of_negative_size_is_not_read_to_the_end(
    registry: Scripted, repo: Repository
) -> None:
    """A chunk that claims a negative size cannot make one read take all that is sent."""
    hung_up = threading.Event()

    def pour(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.close_connection = True
        try:
            handler.wfile.write(b"-1\r\n")
            for _number in range(64):
                handler.wfile.write(bytes(1024 * 1024))
        except OSError:
            hung_up.set()

    registry.routes[f"GET {blob_path(BLOB)}"] = pour
    with pytest.raises(OciLayoutError):
        repo.blobs.read(BLOB)
    assert hung_up.wait(5)


def test_an_oversize_manifest_is_not_asked_for(registry: Scripted, repo: Repository) -> None:
    """A descriptor of a manifest beyond 4 MiB is refused before anything is sent."""
    large = Descriptor(media_type=OCI_INDEX, digest=ROOT.digest, size=MAX_DOCUMENT + 1)
    with pytest.raises(LimitExceededError):
        repo.blobs.read(large)
    with pytest.raises(LimitExceededError):
        repo.blobs.put(io.BytesIO(b" " * large.size), media_type=OCI_INDEX)
    assert registry.seen == []


def test_what_cannot_be_verified_is_not_read(registry: Scripted, repo: Repository) -> None:
    """A digest that cannot be computed is an error, not unverified content."""
    registry.default = Reply(200, body=LAYER)
    strange = Descriptor(media_type=OCI_LAYER, digest="newhash:abc", size=len(LAYER))
    with pytest.raises(UnsupportedDigestError):
        repo.blobs.open(strange)


def test_only_manifests_are_read_as_manifests(registry: Scripted, repo: Repository) -> None:
    """A descriptor of something else is refused before anything is sent."""
    with pytest.raises(DocumentError):
        repo.read_manifest(BLOB)
    assert registry.seen == []


@pytest.mark.spec("distribution:media-type-matches")
def test_a_manifest_of_another_type_is_refused(registry: Scripted, repo: Repository) -> None:
    """A verified body that says it is of another type than its descriptor is refused."""
    registry.default = Reply(200, body=MANIFEST)
    with pytest.raises(DocumentError):
        repo.read_manifest(Descriptor.of(MANIFEST, OCI_INDEX))


@pytest.mark.spec("distribution:head")
def test_blobs_are_found_by_their_digest(registry: Scripted, repo: Repository) -> None:
    """`in`, `size` and `holds` ask for headers only."""
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(200, body=LAYER)
    assert BLOB.digest in repo.blobs
    assert str(BLOB.digest) in repo.blobs
    assert repo.blobs.size(BLOB.digest) == len(LAYER)
    assert repo.blobs.holds(BLOB)
    assert ROOT.digest not in repo.blobs
    assert "no digest" not in repo.blobs
    assert 7 not in repo.blobs
    with pytest.raises(BlobNotFoundError):
        repo.blobs.size(ROOT.digest)
    with pytest.raises(DocumentError):
        repo.blobs.size(cast("Digest", "../manifests/v1"))
    assert {seen.method for seen in registry.seen} == {"HEAD"}


def test_a_blob_of_another_size_is_not_held(registry: Scripted, repo: Repository) -> None:
    """What the registry says has another size is not the content of the descriptor."""
    registry.default = Reply(200, {"Content-Length": "1"})
    assert not repo.blobs.holds(BLOB)
    registry.default = Reply(200, bare=True)
    assert repo.blobs.holds(BLOB)
    with pytest.raises(RegistryError, match="size"):
        repo.blobs.size(BLOB.digest)


# ------------------------------------------------------------------ writing


def accept_upload(server: Scripted, location: str = "session?state=a%2Fb") -> None:
    server.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": location})
    server.routes[f"PUT {UPLOAD}session"] = Reply(201, {"Docker-Content-Digest": BLOB.digest})


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


@pytest.mark.spec("distribution:upload", "distribution:location")
@pytest.mark.parametrize("expected", [None, BLOB])
@pytest.mark.parametrize("kind", ["bytes", "bytearray", "path", "file", "stream"])
def test_every_source_is_sent_whole(
    registry: Scripted, repo: Repository, tmp_path: Path, kind: str, expected: Descriptor | None
) -> None:
    """Bytes, paths, files from where they stand and streams arrive in one PUT with a length."""
    accept_upload(registry)
    path = tmp_path / "layer"
    path.write_bytes(LAYER)
    file = io.BytesIO(b"read before" + LAYER)
    file.seek(11)
    source: Any = {
        "bytes": LAYER,
        "bytearray": bytearray(LAYER),
        "path": path,
        "file": file,
        "stream": Trickle(LAYER),
    }[kind]
    assert repo.blobs.put(source, media_type=OCI_LAYER, expected=expected) == BLOB
    assert registry.asked() == [
        f"HEAD {blob_path(BLOB)}",
        f"POST {UPLOAD}",
        f"PUT {UPLOAD}session",
    ]
    put = registry.seen[-1]
    assert put.body == LAYER
    assert put.query == {"state": ["a/b"], "digest": [BLOB.digest]}
    assert put.headers["content-length"] == str(len(LAYER))
    assert not file.closed


def test_an_empty_blob_is_sent(registry: Scripted, repo: Repository) -> None:
    """Content of no bytes is content."""
    registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": "session"})
    registry.routes[f"PUT {UPLOAD}session"] = Reply(201)
    assert repo.blobs.put(b"", media_type=OCI_LAYER).size == 0
    assert registry.asked()[-1] == f"PUT {UPLOAD}session"


def test_what_is_there_is_not_sent(registry: Scripted, repo: Repository) -> None:
    """A blob that is there is not uploaded, and with a descriptor its source is not even read."""
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(200, body=LAYER)
    unread = Trickle(b"", OSError("was read"))
    assert repo.blobs.put(unread, media_type=OCI_LAYER, expected=BLOB) == BLOB
    assert repo.blobs.put(LAYER, media_type=OCI_LAYER) == BLOB
    assert {seen.method for seen in registry.seen} == {"HEAD"}


@pytest.mark.parametrize("data", [LAYER[:-1] + b"x", LAYER + b"x", LAYER[:-1]])
@pytest.mark.parametrize("kind", [bytes, io.BytesIO, Trickle])
def test_content_that_is_not_as_expected_never_arrives_whole(
    registry: Scripted, repo: Repository, data: bytes, kind: Callable[[bytes], Any]
) -> None:
    """Wrong content is found out before its last bytes are sent."""
    accept_upload(registry)
    with pytest.raises(IntegrityError):
        repo.blobs.put(kind(data), media_type=OCI_LAYER, expected=BLOB)
    repo.close()
    assert all(len(seen.body) < len(LAYER) for seen in registry.seen)


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE, errno.ECONNRESET])
def test_a_source_that_fails_is_not_the_registry_s_fault(
    registry: Scripted, repo: Repository, number: int
) -> None:
    """An OSError of the source passes through as it was raised."""
    accept_upload(registry)
    failure = OSError(number, "the disk")
    with pytest.raises(OSError, match="the disk") as caught:
        repo.blobs.put(Trickle(LAYER[:5000], failure), media_type=OCI_LAYER, expected=BLOB)
    assert caught.value is failure


@pytest.mark.parametrize("location", [None, "http://[bad", "ftp://127.0.0.1/x", "http://u:p@h/x"])
def test_an_upload_without_a_place_is_an_error(
    registry: Scripted, repo: Repository, location: str | None
) -> None:
    """A registry that does not say where to send is refused without repeating what it said."""
    registry.routes[f"POST {UPLOAD}"] = Reply(
        202, {} if location is None else {"Location": location}
    )
    with pytest.raises(RegistryError, match="without a usable Location") as caught:
        repo.blobs.put(LAYER, media_type=OCI_LAYER)
    assert caught.value.status == 202
    assert "u:p" not in str(caught.value)


def test_another_host_gets_the_upload_but_no_credentials(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """An upload that continues elsewhere goes there without who we are."""
    basic(registry)
    accept_upload(registry, f"http://{other.host}{UPLOAD}session")
    other.default = Reply(201)
    ann.blobs.put(LAYER, media_type=OCI_LAYER)
    assert other.seen[0].body == LAYER
    assert other.authorizations() == [None]
    other.default = Reply(401, {"WWW-Authenticate": "Basic realm=x"})
    with pytest.raises(AuthError):
        ann.blobs.put(LAYER, media_type=OCI_LAYER)
    assert other.authorizations() == [None, None]


@pytest.mark.spec("distribution:put-digest")
@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_registry_that_stored_something_else_is_caught(
    registry: Scripted, repo: Repository, status: int
) -> None:
    """A digest in the answer that is not ours is a mismatch."""
    registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": "session"})
    registry.default = Reply(status, {"Docker-Content-Digest": ROOT.digest})
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(404)
    with pytest.raises(DigestMismatchError):
        repo.blobs.put(LAYER, media_type=OCI_LAYER)
    with pytest.raises(DigestMismatchError):
        repo.put_manifest(MANIFEST + b" ")


def test_a_registry_that_has_enough_too_early_is_caught(
    registry: Scripted, repo: Repository
) -> None:
    """A success before all was sent is no success."""
    answered = threading.Event()

    class Late(Trickle):
        def read(self, size: int | None = -1, /) -> bytes:
            assert answered.wait(5)
            return super().read(size)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": f"http://127.0.0.1:{port}/"})

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            answered.set()

        thread = threading.Thread(target=answer)
        thread.start()
        large = bytes(1_000_000)
        with pytest.raises(RegistryError, match="before it had all of it"):
            repo.blobs.put(
                Late(large), media_type=OCI_LAYER, expected=Descriptor.of(large, OCI_LAYER)
            )
        thread.join()


def test_a_media_type_that_is_none_is_refused(registry: Scripted, repo: Repository) -> None:
    """What would break a header is refused before anything is sent."""
    with pytest.raises(DocumentError):
        repo.blobs.put(LAYER, media_type="a/b\r\nX: y")
    with pytest.raises(DocumentError):
        repo.put_manifest(MANIFEST, media_type="a/b\r\nX: y")
    assert registry.seen == []


@pytest.mark.spec("distribution:reference", "distribution:manifest-type")
@pytest.mark.parametrize("document", [MODEL, MANIFEST])
@pytest.mark.parametrize("media_type", [None, OCI_MANIFEST])
def test_a_manifest_is_sent_under_its_digest(
    registry: Scripted, repo: Repository, document: Manifest | bytes, media_type: str | None
) -> None:
    """A model or bytes are PUT under their digest, with their media type."""
    registry.default = Reply(201)
    assert repo.put_manifest(document, media_type=media_type) == ROOT
    (seen,) = registry.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", manifest_path(ROOT.digest), MANIFEST)
    assert seen.headers["content-type"] == OCI_MANIFEST


def test_a_manifest_is_sent_under_its_digest_of_another_algorithm(
    registry: Scripted, repo: Repository
) -> None:
    """Who asks for another algorithm than sha256 gets the digest of that one."""
    registry.default = Reply(201)
    wanted = Descriptor.of(MANIFEST, OCI_MANIFEST, "sha512")
    assert repo.put_manifest(MANIFEST, algorithm="sha512") == wanted
    assert registry.seen[-1].path == manifest_path(wanted.digest)


def test_a_manifest_put_as_content_goes_where_manifests_go(
    registry: Scripted, repo: Repository
) -> None:
    """`blobs.put` finds the endpoint by media type, as `blobs.read` does."""
    registry.routes[f"PUT {manifest_path(ROOT.digest)}"] = Reply(201)
    stream = Trickle(MANIFEST)
    assert repo.blobs.put(stream, media_type=OCI_MANIFEST, expected=ROOT) == ROOT
    assert registry.seen[-1].body == MANIFEST


@pytest.mark.spec("distribution:manifest-type-said")
@pytest.mark.parametrize("document", [b"{}", b"no json", b'{"schemaVersion":2,"manifests":[]}x'])
def test_what_is_no_manifest_is_not_sent(
    registry: Scripted, repo: Repository, document: bytes
) -> None:
    """A document that breaks the specification does not leave."""
    with pytest.raises(DocumentError):
        repo.put_manifest(document)
    with pytest.raises(DocumentError):
        repo.put_manifest(MANIFEST, media_type=OCI_INDEX)
    assert registry.seen == []


@pytest.mark.parametrize("target", [ROOT, ROOT.digest, str(ROOT.digest)])
def test_a_tag_is_the_same_bytes_under_a_name(
    registry: Scripted, repo: Repository, target: Descriptor | str
) -> None:
    """Tagging sends the very bytes of the target under the tag."""
    registry.default = described()
    registry.routes[f"PUT {manifest_path('v1')}"] = Reply(201)
    repo.tag("v1", target)
    put = registry.seen[-1]
    assert (put.method, put.path, put.body) == ("PUT", manifest_path("v1"), MANIFEST)
    assert put.headers["content-type"] == OCI_MANIFEST


@pytest.mark.spec("distribution:tag")
@pytest.mark.parametrize(
    ("name", "target", "error"),
    [
        ("v1", "other-tag", InvalidNameError),
        ("a b", ROOT, InvalidNameError),
        (str(ROOT.digest), ROOT, InvalidNameError),
        ("v1", BLOB, DocumentError),
        ("v1", ROOT, BlobNotFoundError),
        ("v1", ROOT.digest, ReferenceNotFoundError),
    ],
)
def test_what_cannot_be_tagged_is_refused(
    registry: Scripted,
    repo: Repository,
    name: str,
    target: Descriptor | str,
    error: type[OciLayoutError],
) -> None:
    """Tags of tags, of blobs and of what is not there are refused, and nothing is written."""
    with pytest.raises(error):
        repo.tag(name, target)
    assert all(seen.method != "PUT" for seen in registry.seen)


# ------------------------------------------------------------------ failures


def failing(status: int, *codes: str, **headers: str) -> Reply:
    errors = [{"code": code, "message": "open-sesame"} for code in codes]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps({"errors": errors}).encode())


@pytest.mark.spec("distribution:errors", "distribution:docker-codes")
@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (failing(403, "DENIED"), AuthError, "DENIED"),
        (failing(429, "TOOMANYREQUESTS", Retry_After="30"), RateLimitedError, "in 30 seconds"),
        (failing(429, Retry_After="soon"), RateLimitedError, "later"),
        (failing(500, "UNKNOWN", "X", "lower", "A" * 100), RegistryError, "UNKNOWN, X\\)"),
        (Reply(503, body=b"<html>"), RegistryError, "answers 503"),
        (Reply(500, body=b'{"errors":{}}'), RegistryError, "answers 500"),
        (Reply(500, body=b'{"errors":[1,{"code":7},{}]}'), RegistryError, "answers 500"),
        (Reply(500, body=b"[" * 100_000), RegistryError, "answers 500"),
        (Reply(500, {"Content-Length": "9"}, b"", bare=True), RegistryError, "answers 500"),
        (Reply(304), RegistryError, "answers 304"),
    ],
)
def test_a_status_that_is_no_answer_is_an_error(
    registry: Scripted,
    ann: Repository,
    reply: Reply,
    error: type[RegistryError],
    text: str,
) -> None:
    """Every other status is the error that names it, with codes, and no words that are secret."""
    registry.default = reply
    with pytest.raises(error, match=text) as caught:
        ann.blobs.read(BLOB)
    assert type(caught.value) is error
    assert caught.value.status == reply.status
    assert "sesame" not in str(caught.value)
    assert all(len(code) < 65 and code.isupper() for code in caught.value.codes)


def test_no_more_codes_than_a_few_are_kept(registry: Scripted, repo: Repository) -> None:
    """A body full of codes does not fill the error."""
    registry.default = failing(500, *["UNKNOWN"] * 100)
    with pytest.raises(RegistryError) as caught:
        repo.tags()
    assert len(caught.value.codes) == 16


def test_nobody_there_is_a_transport_error(registry: Scripted) -> None:
    """A refused connection names the host and what happened."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Repository(f"127.0.0.1:{port}/org/app") as repository,
        pytest.raises(TransportError, match=rf"http://127.0.0.1:{port}: no connection"),
    ):
        repository.tags()
    assert registry.seen == []


def test_a_name_without_an_address_is_a_transport_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that cannot be resolved is said to be one."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        Repository("registry.invalid/org/app") as repository,
        pytest.raises(TransportError, match="resolved"),
    ):
        repository.tags()


def test_silence_is_a_transport_error() -> None:
    """A server that accepts and says nothing is left after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            Repository(f"127.0.0.1:{port}/org/app", timeout=0.1) as repository,
            pytest.raises(TransportError, match="timeout"),
        ):
            repository.tags()


def test_a_body_that_stops_is_a_transport_error(registry: Scripted) -> None:
    """A server that stops in the middle of a body is left after the timeout."""
    go_on = threading.Event()

    def halting(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        go_on.wait(5)

    registry.default = halting
    with (
        Repository(f"{registry.host}/org/app", timeout=0.1) as repository,
        pytest.raises(TransportError, match="timeout"),
    ):
        repository.tags()
    go_on.set()


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    """A wait of no time is a mistake that is found at once."""
    with pytest.raises(ValueError, match="timeout"):
        Repository("127.0.0.1/app", timeout=timeout)


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0 hello\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:0x/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 300 + b"/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 70_000 + b"\r\n",
    ],
)
def test_what_is_not_http_is_one_of_our_errors(greeting: bytes) -> None:
    """Whatever comes over the wire, nothing escapes but the errors of this library."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):  # the client may hang up at any time
                    if not connection.recv(100_000):
                        return
                    connection.sendall(greeting)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(100_000):
                        pass

        thread = threading.Thread(target=greet)
        thread.start()
        port = listener.getsockname()[1]
        try:
            with (
                Repository(f"127.0.0.1:{port}/org/app", timeout=5, retry=AT_ONCE) as repository,
                pytest.raises(RegistryError),
            ):
                repository.tags()
        finally:
            with socket.create_connection(("127.0.0.1", port)) as stop:
                stop.shutdown(socket.SHUT_WR)
                thread.join()


def test_a_lost_connection_is_tried_again_only_for_reading(
    registry: Scripted, repo: Repository
) -> None:
    """GET and HEAD survive a connection that breaks before the answer; POST is not repeated."""

    def hang_up(_: Seen, handler: Handler) -> None:
        handler.close_connection = True

    listing = "GET /v2/org/app/tags/list"
    registry.routes[listing] = [hang_up, hang_up, page("a")]
    assert repo.tags() == ("a",)
    assert len(registry.seen) == 3
    registry.routes[listing] = registry.default = hang_up
    with pytest.raises(TransportError):
        repo.tags()
    assert len(registry.seen) == 7
    registry.routes[f"HEAD {blob_path(BLOB)}"] = Reply(404)
    with pytest.raises(TransportError):
        repo.blobs.put(LAYER, media_type=OCI_LAYER)
    assert registry.asked().count(f"POST {UPLOAD}") == 1


def test_connections_are_used_again(registry: Scripted, repo: Repository) -> None:
    """Answers that are read or small leave their connection for the next request."""
    ports: set[int] = set()

    def remember(seen: Seen, handler: Handler) -> Reply:
        ports.add(handler.client_address[1])
        return page("a") if seen.path.endswith("list") else Reply(404, body=b"gone")

    registry.default = remember
    for _ in range(3):
        repo.tags()
        assert BLOB.digest not in repo.blobs
        with pytest.raises(BlobNotFoundError):
            repo.blobs.read(BLOB)
    assert len(ports) == 1


def test_a_long_body_that_nobody_wants_is_left(registry: Scripted, repo: Repository) -> None:
    """What comes with a refusal is not read beyond a little, and the next request still works."""
    registry.routes[f"GET {blob_path(BLOB)}"] = Reply(404, body=bytes(2**22))
    registry.routes["GET /v2/org/app/tags/list"] = page("a")
    with pytest.raises(BlobNotFoundError):
        repo.blobs.read(BLOB)
    assert repo.tags() == ("a",)


def test_tls_is_verified_against_the_given_authority(
    secure: Scripted, trusting: Repository
) -> None:
    """A certificate of the authority in ca_certs is trusted, and nobody else's."""
    secure.default = page("a")
    assert trusting.tags() == ("a",)
    with (
        Repository(
            f"{secure.host}/org/app", plain_http=False, timeout=5, retry=AT_ONCE
        ) as stranger,
        pytest.raises(TransportError, match="ca_certs"),
    ):
        stranger.tags()


def test_tls_to_a_plain_server_is_a_transport_error(registry: Scripted) -> None:
    """Speaking TLS to a server that does not says what to try."""
    with (
        Repository(
            f"{registry.host}/org/app", plain_http=False, timeout=5, retry=AT_ONCE
        ) as repository,
        pytest.raises(TransportError, match="plain_http"),
    ):
        repository.tags()


# ------------------------------------------------------------------ redirects


def redirect(location: str, status: int = 307) -> Reply:
    return Reply(status, {"Location": location})


@pytest.mark.spec("distribution:redirects")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_takes_no_credentials_along(
    registry: Scripted, other: Scripted, ann: Repository, status: int
) -> None:
    """Storage elsewhere is asked without Authorization, also behind its own redirects."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a?key=x", status)
    other.routes["GET /a"] = redirect("/b")
    other.routes["GET /b"] = Reply(200, body=LAYER)
    assert ann.blobs.read(BLOB) == LAYER
    assert registry.authorizations() == [None, ANN.basic()]
    assert other.authorizations() == [None, None]


def test_a_redirect_within_the_registry_keeps_credentials(
    registry: Scripted, ann: Repository
) -> None:
    """Another path of the same origin is still the registry."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect("/moved")
    registry.routes["GET /moved"] = guarded(Reply(200, body=LAYER))
    assert ann.blobs.read(BLOB) == LAYER


def test_credentials_do_not_come_back(registry: Scripted, other: Scripted, ann: Repository) -> None:
    """Once dropped, credentials stay dropped: another host cannot choose what they are used for."""
    basic(registry)
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a")
    other.routes["GET /a"] = redirect(f"http://{registry.host}/secret")
    registry.routes["GET /secret"] = guarded(Reply(200, body=LAYER))
    with pytest.raises(AuthError):
        ann.blobs.read(BLOB)
    asked = [seen for seen in registry.seen if seen.path == "/secret"]
    assert asked
    assert all("authorization" not in seen.headers for seen in asked)


def test_a_demand_of_another_host_is_not_met(
    registry: Scripted, other: Scripted, ann: Repository
) -> None:
    """A 401 from behind a redirect does not draw out a password."""
    registry.routes[f"GET {blob_path(BLOB)}"] = redirect(f"http://{other.host}/a")
    other.default = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    with pytest.raises(AuthError, match=other.host):
        ann.blobs.read(BLOB)
    assert other.authorizations() == [None]


@pytest.mark.spec("distribution:redirects")
def test_tls_is_not_left(secure: Scripted, other: Scripted, trusting: Repository) -> None:
    """A redirect from https to http is refused and not followed."""
    secure.default = redirect(f"http://{other.host}/a")
    with pytest.raises(RegistryError, match="not encrypted") as caught:
        trusting.blobs.read(BLOB)
    assert caught.value.status == 307
    assert other.seen == []


def test_redirects_end(registry: Scripted, repo: Repository) -> None:
    """A circle of redirects is left after a few."""
    registry.default = redirect("/again", 302)
    with pytest.raises(RegistryError, match="redirects"):
        repo.tags()
    assert len(registry.seen) == 6


def test_a_redirect_to_nowhere_is_an_error(registry: Scripted, repo: Repository) -> None:
    """A redirect without Location is an error with its status."""
    registry.default = Reply(302)
    with pytest.raises(RegistryError, match="Location") as caught:
        repo.tags()
    assert caught.value.status == 302


def test_a_write_is_redirected_only_if_it_stays_the_same(
    registry: Scripted, repo: Repository
) -> None:
    """307 and 308 repeat a manifest that is in memory; 302, and streams, are not redirected."""
    path = manifest_path(ROOT.digest)
    registry.routes["PUT /moved"] = Reply(201)
    registry.routes[f"PUT {path}"] = redirect("/moved", 308)
    repo.put_manifest(MANIFEST)
    assert registry.seen[-1].body == MANIFEST
    registry.routes[f"PUT {path}"] = redirect("/moved", 302)
    with pytest.raises(RegistryError, match="answers 302"):
        repo.put_manifest(MANIFEST)
    registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": "session"})
    registry.routes[f"PUT {UPLOAD}session"] = redirect("/moved", 307)
    with pytest.raises(RegistryError, match="answers 307"):
        repo.blobs.put(LAYER, media_type=OCI_LAYER)


# ------------------------------------------------------------------ who we are


def guarded(reply: Reply, authorization: str | None = None) -> Callable[[Seen, Handler], Reply]:
    """Give a reply to those who come with the right header, and a Basic challenge to others."""

    def check(seen: Seen, _: Handler) -> Reply:
        if seen.headers.get("authorization") == (authorization or ANN.basic()):
            return reply
        return Reply(401, {"WWW-Authenticate": 'Basic realm="test"'})

    return check


def basic(server: Scripted) -> None:
    """Let a server want Basic on everything that it has no other answer to."""
    server.default = guarded(Reply(404))
    for method in ("GET", "HEAD"):
        # The first request of a test always meets the challenge.
        server.routes[f"{method} /v2/org/app/tags/list"] = guarded(page("a"))
    server.routes = _Guarding(server.routes)


class _Guarding(dict[str, Any]):
    """Routes that want Basic unless they are functions already."""

    def get(self, key: str, default: Any = None) -> Any:
        route = super().get(key, default)
        return route if callable(route) else guarded(route)


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
    """The first request goes without, its repetition and all later ones with credentials."""
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
def test_a_demand_that_cannot_be_met_says_what_to_do(
    registry: Scripted, repo: Repository, demand: dict[str, str], text: str
) -> None:
    """Without credentials, or with an unknown scheme, the error says so."""
    registry.default = Reply(401, demand)
    with pytest.raises(AuthError, match=text) as caught:
        repo.tags()
    assert caught.value.status == 401


def test_wrong_credentials_are_tried_once(registry: Scripted, ann: Repository) -> None:
    """A registry that refuses our credentials is not asked a third time."""
    registry.default = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
    for count in (2, 3):
        with pytest.raises(AuthError, match="refuses these credentials"):
            ann.tags()
        assert len(registry.seen) == count


@pytest.mark.spec("distribution:authentication")
def test_a_token_is_had_without_credentials(token_server: TokenServer, repo: Repository) -> None:
    """A stranger asks the token server with service and scope, and without Authorization."""
    assert repo.tags() == ("a",)
    (asked,) = token_server.tokens.seen
    assert asked.query == {"service": ["test, registry"], "scope": ["repository:org/app:pull"]}
    assert "authorization" not in asked.headers
    assert token_server.registry.authorizations() == [None, "Bearer tok-0"]


def test_the_password_goes_to_the_token_server_only(
    token_server: TokenServer, ann: Repository
) -> None:
    """Where there are tokens, the registry never sees the password."""
    assert ann.tags() == ("a",)
    assert token_server.tokens.authorizations() == [ANN.basic()]
    assert ANN.basic() not in token_server.registry.authorizations()


def test_a_token_is_used_again_for_its_scope(token_server: TokenServer, repo: Repository) -> None:
    """Reading takes one token however often, writing another, and neither waits for a 401."""
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
def test_the_registry_may_ask_for_more(
    token_server: TokenServer, repo: Repository, scope: str, asked: list[str]
) -> None:
    """What the challenge wants beyond our own scope is asked for, too."""
    token_server.scope = scope
    repo.tags()
    assert token_server.scopes() == [asked]


def test_a_refused_token_is_replaced(token_server: TokenServer, repo: Repository) -> None:
    """A token that stopped being good before its time is renewed once."""
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
        with pytest.raises(AuthError, match="strangers"):
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
        ({"expires_in": 10**400}, 86390.0),
        ({"token": "", "access_token": "from-oauth"}, 290.0),
    ],
)
def test_tokens_are_kept_until_shortly_before_they_expire(
    token_server: TokenServer, answer: dict[str, Any], life: float
) -> None:
    """A token is offered for its life less a margin, by the clock that was given."""
    token_server.answer = answer
    now = 1000.0
    with closing(Transport(timeout=5)) as transport:
        authenticator = auth.Authenticator(
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
def test_a_token_that_is_none_is_an_error_without_it(
    token_server: TokenServer, repo: Repository, body: bytes
) -> None:
    """What cannot be a token is refused, and not shown."""
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
    """A token server that is no http address is not asked."""
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
    with serving() as third:
        third.default = Reply(403)
        token_server.tokens.routes["GET /token"] = redirect(f"http://{third.host}/token")
        with pytest.raises(AuthError):
            ann.tags()
        assert third.authorizations() == [None]
    assert secure.seen == []


def test_an_upload_that_is_refused_midway_is_sent_again_if_it_can_be(
    token_server: TokenServer, repo: Repository
) -> None:
    """Where a token dies between POST and PUT, what can seek is sent again and a stream is not."""
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


def shown(error: BaseException) -> str:
    """All that an error says when it is printed."""
    return "".join(traceback.format_exception(error)) + repr(error)


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


def test_an_index_goes_the_same_way(registry: Scripted, repo: Repository) -> None:
    """An index is written and read like a manifest."""
    index = Index(manifests=(ROOT,))
    data = encode(index)
    registry.default = Reply(201)
    descriptor = repo.put_manifest(index)
    assert descriptor == Descriptor.of(data, OCI_INDEX)
    registry.default = described(data, OCI_INDEX)
    assert repo.read_manifest(descriptor) == index
    assert hashlib.sha256(data).hexdigest() in cast("str", descriptor.digest)
    assert OCTET_STREAM not in registry.seen[-1].headers["accept"]
