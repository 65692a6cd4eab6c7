"""Correct answers of the loopback registry, to a client that knows nothing but HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import trustme
from attrs import define

from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from ocilayout.testing.registry import BasicAuth, LoopbackRegistry, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message
    from pathlib import Path

NAME = "team/app"
V2 = f"/v2/{NAME}"
UPLOADS = f"{V2}/blobs/uploads/"
DATA = b"0123456789"
DIGEST = str(Digest.of(DATA))
EMPTY = Descriptor.of(b"{}", OCI_EMPTY)
MANIFEST = encode(Manifest(config=EMPTY))
ROOT = str(Digest.of(MANIFEST))


@define
class Said:
    """An answer, as a client sees it."""

    status: int
    headers: Message
    body: bytes

    def codes(self) -> list[str]:
        return [error["code"] for error in json.loads(self.body)["errors"]]


class Client:
    """One connection to a registry."""

    def __init__(
        self, registry: LoopbackRegistry, *, context: ssl.SSLContext | None = None, **headers: str
    ) -> None:
        host, _, port = registry.host.partition(":")
        self._headers = headers
        self._connection: http.client.HTTPConnection
        if context is None:
            self._connection = http.client.HTTPConnection(host, int(port), timeout=10)
        else:
            self._connection = http.client.HTTPSConnection(
                host, int(port), timeout=10, context=context
            )

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        **headers: str,
    ) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        self._connection.request(method, path, body, {**self._headers, **named})
        answer = self._connection.getresponse()
        return Said(answer.status, answer.headers, answer.read())

    def close(self) -> None:
        self._connection.close()

    def begin(self) -> str:
        """Begin an upload; return its place."""
        begun = self("POST", UPLOADS)
        assert begun.status == 202
        return begun.headers["Location"]

    def push(self, data: bytes = DATA) -> None:
        pushed = self("POST", f"{UPLOADS}?digest={Digest.of(data)}", data)
        assert pushed.status == 201


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        yield running


@pytest.fixture
def client(registry: LoopbackRegistry) -> Iterator[Client]:
    opened = Client(registry)
    yield opened
    opened.close()


def test_it_serves_only_inside_its_with_block() -> None:
    """Before and after its block there is no host, and leaving twice does nothing."""
    registry = LoopbackRegistry()
    with pytest.raises(RuntimeError):
        _ = registry.host
    with registry:
        port = int(registry.host.partition(":")[2])
        idle = socket.create_connection(("127.0.0.1", port))
        idle.sendall(b"HEAD /v2/ HTTP/1.1\r\n\r\n")
        assert idle.recv(1) == b"H"
    while idle.recv(1000):
        pass
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    registry.__exit__(None, None, None)


def test_the_root_of_the_api_names_its_version(client: Client) -> None:
    """`/v2/` answers 200; other paths and methods are refused."""
    said = client("GET", "/v2/")
    assert (said.status, said.body) == (200, b"{}")
    assert said.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert client("GET", "/v2/UPPER/tags/list").codes() == ["NAME_UNKNOWN"]
    assert client("GET", "/token").status == 404
    refused = client("PATCH", f"{V2}/tags/list")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET")


# ------------------------------------------------------------------ blobs


class TestBlobs:
    def test_a_blob_is_served_from_its_repositories_only(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """HEAD has the headers of GET; other repositories do not have the blob."""
        client.push()
        path = f"{V2}/blobs/{DIGEST}"
        assert client("GET", path).body == DATA
        asked = client("HEAD", path.replace(":", "%3A"))
        assert (asked.status, asked.body) == (200, b"")
        assert asked.headers["Content-Length"] == "10"
        assert asked.headers["Docker-Content-Digest"] == DIGEST
        other = client("GET", f"/v2/other/blobs/{DIGEST}")
        assert (other.status, other.codes()) == (404, ["BLOB_UNKNOWN"])
        assert registry.blobs == {(NAME, DIGEST): DATA}

    @pytest.mark.parametrize(
        ("asked", "first", "stop"),
        [("0-3", 0, 4), ("4-", 4, 10), ("8-99", 8, 10), ("-3", 7, 10), ("-99", 0, 10)],
    )
    @pytest.mark.parametrize("kind", ["bytes", "file"])
    def test_a_range_is_a_part(  # parameters and fixtures
        self,
        registry: LoopbackRegistry,
        client: Client,
        tmp_path: Path,
        kind: str,
        asked: str,
        first: int,
        stop: int,
    ) -> None:
        """206 carries the bytes that were asked for, as far as there are any."""
        path = tmp_path / "blob"
        path.write_bytes(DATA)
        blob = registry.put_blob(NAME, DATA if kind == "bytes" else path)
        assert (blob.digest, blob.size) == (DIGEST, 10)
        said = client("GET", f"{V2}/blobs/{DIGEST}", Range=f"bytes={asked}")
        assert (said.status, said.body) == (206, DATA[first:stop])
        assert said.headers["Content-Range"] == f"bytes {first}-{stop - 1}/10"
        assert client("GET", f"{V2}/blobs/{DIGEST}").body == DATA

    @pytest.mark.parametrize("asked", ["10-", "5-4", "-0"])
    def test_a_range_outside_is_refused(
        self, registry: LoopbackRegistry, client: Client, asked: str
    ) -> None:
        """416 says how large the blob is."""
        registry.put_blob(NAME, DATA)
        said = client("GET", f"{V2}/blobs/{DIGEST}", Range=f"bytes={asked}")
        assert (said.status, said.headers["Content-Range"]) == (416, "bytes */10")

    @pytest.mark.parametrize("asked", ["bytes=-", "bytes=0-1,3-4", "lines=1-2"])
    def test_other_ranges_are_ignored(
        self, registry: LoopbackRegistry, client: Client, asked: str
    ) -> None:
        """Anything but a single range of bytes is answered with everything."""
        registry.put_blob(NAME, DATA)
        said = client("GET", f"{V2}/blobs/{DIGEST}", Range=asked)
        assert (said.status, said.body) == (200, DATA)

    def test_a_deleted_blob_is_gone(self, registry: LoopbackRegistry, client: Client) -> None:
        """202 and then 404; the same blob in another repository stays."""
        registry.put_blob(NAME, DATA)
        registry.put_blob("other", DATA)
        path = f"{V2}/blobs/{DIGEST}"
        assert [client("DELETE", path).status for _ in range(2)] == [202, 404]
        assert list(registry.blobs) == [("other", DIGEST)]


class TestUploads:
    def test_in_one_piece(self, registry: LoopbackRegistry, client: Client) -> None:
        """A PUT with everything behind a POST stores the blob, and the upload is over."""
        place = client.begin()
        done = client("PUT", f"{place}?digest={DIGEST}", DATA)
        assert (done.status, done.headers["Location"]) == (201, f"{V2}/blobs/{DIGEST}")
        assert (registry.blobs, registry.uploads) == ({(NAME, DIGEST): DATA}, {})
        assert client("PUT", f"{place}?digest={DIGEST}", DATA).codes() == ["BLOB_UPLOAD_UNKNOWN"]

    def test_in_chunks(self, registry: LoopbackRegistry, client: Client) -> None:
        """Chunks in order are put together; each answer says how far it got."""
        place = client.begin()
        assert client("PATCH", place, DATA[:4], Content_Range="0-3").headers["Range"] == "0-3"
        assert client("PATCH", place, iter([DATA[4:5], DATA[5:7]])).headers["Range"] == "0-6"
        shown = client("GET", place)
        assert (shown.status, shown.headers["Range"]) == (204, "0-6")
        done = client("PUT", f"{place}?digest={DIGEST}", DATA[7:], Content_Range="7-9")
        assert done.status == 201
        assert registry.blobs[NAME, DIGEST] == DATA
        assert registry.received == [b"0123", b"456", b"789"]

    @pytest.mark.parametrize("said", ["0-3", "0-7", "5-8", "4-9", "four", "4-"])
    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_disorder_is_refused(
        self, registry: LoopbackRegistry, client: Client, method: str, said: str
    ) -> None:
        """A chunk that begins or ends elsewhere is 416 with the place to go on from."""
        place = client.begin()
        client("PATCH", place, DATA[:4])
        query = f"?digest={DIGEST}" if method == "PUT" else ""
        refused = client(method, place + query, DATA[4:8], Content_Range=said)
        assert (refused.status, refused.headers["Range"]) == (416, "0-3")
        assert list(registry.uploads.values()) == [DATA[:4]]

    def test_a_chunk_that_breaks_off_counts(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """A client can ask what arrived before the connection broke, and go on from there."""
        place = client.begin()
        for method, text in (("PATCH", place), ("PUT", f"{place}?digest={DIGEST}")):
            port = int(registry.host.partition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as broken:
                head = f"{method} {text} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
                broken.sendall(head.encode() + b"012")
                broken.shutdown(socket.SHUT_WR)
                while broken.recv(1000):
                    pass
        assert client("GET", place).headers["Range"] == "0-5"

    def test_chunks_of_http(self, registry: LoopbackRegistry, client: Client) -> None:
        """A body without a length is read to its end; one that breaks, as far as it goes."""
        place = client.begin()
        head = f"PATCH {place} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        port = int(registry.host.partition(":")[2])
        bodies = ["3\r\n012\r\n0\r\nTrailer: x\r\n\r\n", "2\r\n34\r\n5", "1\r\n5\r\nno\r\n"]
        for body in bodies:
            with socket.create_connection(("127.0.0.1", port)) as sending:
                sending.sendall((head + body).encode())
                sending.shutdown(socket.SHUT_WR)
                while sending.recv(1000):
                    pass
        assert registry.received == [b"012", b"34", b"5"]
        assert client("GET", place).headers["Range"] == "0-5"

    def test_cancelling(self, registry: LoopbackRegistry, client: Client) -> None:
        """A cancelled upload is gone, whatever is asked of it."""
        place = client.begin()
        assert client("DELETE", place).status == 204
        assert registry.uploads == {}
        for method in ("DELETE", "GET", "PATCH"):
            assert client(method, place).status == 404

    def test_what_is_something_else_is_refused(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """A blob is stored under its own digest, or not at all."""
        wrong = [str(Digest.of(b"")), "", "sha256:short", "blake2:00"]
        for digest in wrong:
            refused = client("PUT", f"{client.begin()}?digest={digest}", DATA)
            assert refused.codes() == ["DIGEST_INVALID"]
        assert client("POST", f"{UPLOADS}?digest={wrong[0]}", DATA).status == 400
        assert registry.blobs == {}
        sha512 = Digest.of(DATA, "sha512")
        assert client("PUT", f"{client.begin()}?digest={sha512}", DATA).status == 201

    def test_mounting(self, registry: LoopbackRegistry, client: Client) -> None:
        """A blob is mounted from a repository that has it; else an upload begins."""
        registry.put_blob("from", DATA)
        query = urlencode({"mount": DIGEST, "from": "from"})
        assert client("POST", f"{UPLOADS}?{query}").status == 201
        assert registry.blobs[NAME, DIGEST] is DATA
        for other in ({"mount": DIGEST, "from": "nowhere"}, {"mount": DIGEST}):
            said = client("POST", f"/v2/other/blobs/uploads/?{urlencode(other)}")
            assert said.status == 202


# ------------------------------------------------------------------ manifests


class TestManifests:
    def put(self, client: Client, reference: str, data: bytes = MANIFEST, **headers: str) -> Said:
        sent = {"Content_Type": OCI_MANIFEST, **headers}
        return client("PUT", f"{V2}/manifests/{reference}", data, **sent)

    def test_by_tag_and_by_digest(self, registry: LoopbackRegistry, client: Client) -> None:
        """A manifest is had as it was pushed, by either name."""
        client.push(b"{}")
        done = self.put(client, "v1")
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, ROOT)
        for reference in ("v1", ROOT):
            said = client("GET", f"{V2}/manifests/{reference}")
            assert said.body == MANIFEST
            assert said.headers["Content-Type"] == OCI_MANIFEST
            assert said.headers["Docker-Content-Digest"] == ROOT
            assert client("HEAD", f"{V2}/manifests/{reference}").status == 200
        assert client("GET", f"{V2}/manifests/v2").codes() == ["MANIFEST_UNKNOWN"]
        assert registry.tags == {(NAME, "v1"): ROOT}

    def test_tags_are_set_by_digest(self, registry: LoopbackRegistry, client: Client) -> None:
        """Each tag of the query is set and named, for a digest of any algorithm."""
        client.push(b"{}")
        for digest in (ROOT, Digest.of(MANIFEST, "sha512")):
            done = self.put(client, f"{digest}?tag=a&tag=b")
            assert (done.status, done.headers.get_all("OCI-Tag")) == (201, ["a", "b"])
            assert done.headers["Docker-Content-Digest"] == digest
            assert registry.tags == {(NAME, "a"): digest, (NAME, "b"): digest}
            said = client("GET", f"{V2}/manifests/a")
            assert (said.body, said.headers["Docker-Content-Digest"]) == (MANIFEST, digest)

    def test_invalid_tags_are_not_set(self, registry: LoopbackRegistry, client: Client) -> None:
        """One invalid tag refuses the push; for a push under a tag the query is ignored."""
        client.push(b"{}")
        for bad in ("-a", "a%20b", "", "x" * 129, str(ROOT)):
            assert self.put(client, f"{ROOT}?tag=a&tag={bad}").codes() == ["TAG_INVALID"]
        assert (registry.manifests, registry.tags) == ({}, {})
        done = self.put(client, "v1?tag=a")
        assert (done.status, done.headers["OCI-Tag"]) == (201, None)
        assert registry.tags == {(NAME, "v1"): ROOT}

    def test_a_registry_may_not_know_the_query(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """With `tag_by_digest` off it stores the manifest, sets no tag and says nothing."""
        registry.tag_by_digest = False
        client.push(b"{}")
        done = self.put(client, f"{ROOT}?tag=a")
        assert (done.status, done.headers["OCI-Tag"]) == (201, None)
        assert list(registry.manifests) == [(NAME, ROOT)]
        assert registry.tags == {}

    def test_what_is_not_right_is_refused(self, registry: LoopbackRegistry, client: Client) -> None:
        """Digest, form, parts and size are looked at."""
        assert self.put(client, "v1").codes() == ["MANIFEST_BLOB_UNKNOWN"]
        client.push(b"{}")
        assert self.put(client, str(Digest.of(b""))).codes() == ["DIGEST_INVALID"]
        assert self.put(client, "v1", b"{").codes() == ["MANIFEST_INVALID"]
        assert self.put(client, "v1", Content_Type=OCI_INDEX).codes() == ["MANIFEST_INVALID"]
        assert self.put(client, "v1", b" " * (MAX_DOCUMENT + 1)).status == 413
        assert (registry.manifests, registry.tags) == ({}, {})
        assert self.put(client, str(Digest.of(MANIFEST, "sha512"))).status == 201
        assert registry.tags == {}

    def test_a_subject_is_confirmed_by_a_header(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """The registry answers with OCI-Subject, unless it is told to be an old one."""
        client.push(b"{}")
        subject = Descriptor.of(MANIFEST, OCI_MANIFEST)
        about = encode(Manifest(config=EMPTY, subject=subject))
        assert self.put(client, "about", about).headers["OCI-Subject"] == subject.digest
        registry.subject_header = False
        assert "OCI-Subject" not in self.put(client, "about", about).headers

    def test_content_that_is_elsewhere_need_not_be_here(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """A part with `urls` need not be stored."""
        registry.put_blob(NAME, b"{}")
        layer = Descriptor(
            media_type=OCI_LAYER,
            digest=Digest.parse(DIGEST),
            size=10,
            urls=["https://example.com/x"],
        )
        manifest = encode(Manifest(config=EMPTY, layers=[layer]))
        assert self.put(client, "v1", manifest).status == 201

    def test_if_match_is_checked(self, registry: LoopbackRegistry, client: Client) -> None:
        """A tag that moved is not replaced by a client that saw the old one."""
        registry.put_blob(NAME, b"{}")
        registry.put_manifest(NAME, MANIFEST, tag="v1")
        etag = client("GET", f"{V2}/manifests/v1").headers["ETag"]
        other = encode(Manifest(config=EMPTY, annotations={"a": "b"}))
        assert self.put(client, "v1", other, If_Match=etag).status == 201
        assert self.put(client, "v1", If_Match=etag).status == 412
        assert registry.tags[NAME, "v1"] == Digest.of(other)

    def test_deleting(self, registry: LoopbackRegistry, client: Client) -> None:
        """A tag goes alone; a manifest goes with its tags, those of other repositories stay."""
        for tag in ("v1", "v2"):
            registry.put_manifest(NAME, MANIFEST, tag=tag)
        registry.put_manifest("other", MANIFEST, tag="v1")
        assert [client("DELETE", f"{V2}/manifests/v1").status for _ in range(2)] == [202, 404]
        assert (NAME, ROOT) in registry.manifests
        assert client("DELETE", f"{V2}/manifests/{ROOT}").status == 202
        assert registry.tags == {("other", "v1"): ROOT}
        assert client("GET", f"{V2}/tags/list").status == 404

    def test_a_body_that_breaks_off_is_not_stored(
        self, registry: LoopbackRegistry, client: Client
    ) -> None:
        """A manifest that breaks off is not stored, even if the part is valid."""
        client.push(b"{}")
        port = int(registry.host.partition(":")[2])
        for length in (str(len(MANIFEST) + 1), "many"):
            with socket.create_connection(("127.0.0.1", port)) as broken:
                head = (
                    f"PUT {V2}/manifests/v1 HTTP/1.1\r\nHost: x\r\n"
                    f"Content-Type: {OCI_MANIFEST}\r\nContent-Length: {length}\r\n\r\n"
                )
                broken.sendall(head.encode() + MANIFEST)
                broken.shutdown(socket.SHUT_WR)
                assert broken.recv(1000) == b""
        assert registry.manifests == {}


# ------------------------------------------------------------------ lists


class TestLists:
    @staticmethod
    def pages(client: Client, path: str, key: str) -> list[list[Any]]:
        found = []
        while path:
            said = client("GET", path)
            assert said.status == 200
            found.append(json.loads(said.body)[key])
            link = said.headers.get("Link", "")
            assert not link or link.endswith('>; rel="next"')
            path = link.partition(">")[0].removeprefix("<")
        return found

    @pytest.mark.parametrize(
        ("size", "query", "want"),
        [
            (None, "", [["a", "b", "c", "d"]]),
            (None, "?n=3", [["a", "b", "c"], ["d"]]),
            (None, "?n=4", [["a", "b", "c", "d"]]),
            (None, "?n=0", [[]]),
            (None, "?n=2&last=b", [["c", "d"]]),
            (None, "?last=bb", [["c", "d"]]),
            (2, "", [["a", "b"], ["c", "d"]]),
            (2, "?n=9", [["a", "b"], ["c", "d"]]),
            (2, "?n=1&last=b", [["c"], ["d"]]),
        ],
    )
    def test_tags_come_in_pages(
        self,
        registry: LoopbackRegistry,
        client: Client,
        size: int | None,
        query: str,
        want: list[list[str]],
    ) -> None:
        """`n` and `last` are kept to, `Link` leads to the rest, and the last page has none."""
        registry.page_size = size
        for tag in "dbca":
            registry.put_manifest(NAME, MANIFEST, tag=tag)
        assert self.pages(client, f"{V2}/tags/list{query}", "tags") == want

    def test_an_empty_list(self, registry: LoopbackRegistry, client: Client) -> None:
        """A repository without tags has an empty list; a missing repository has none."""
        assert client("GET", f"{V2}/tags/list").codes() == ["NAME_UNKNOWN"]
        registry.put_blob(NAME, DATA)
        said = client("GET", f"{V2}/tags/list")
        assert json.loads(said.body) == {"name": NAME, "tags": []}
        assert client("GET", f"{V2}/tags/list?n=x").status == 400

    def test_the_catalog(self, registry: LoopbackRegistry, client: Client) -> None:
        """Every repository with content is listed, in pages."""
        registry.page_size = 2
        registry.put_blob("c", DATA)
        registry.put_manifest("a", MANIFEST)
        registry.put_manifest("b/b", MANIFEST, tag="v1")
        assert self.pages(client, "/v2/_catalog", "repositories") == [["a", "b/b"], ["c"]]

    def test_referrers(self, registry: LoopbackRegistry, client: Client) -> None:
        """What has a digest as subject is listed in pages, one type of it if that is asked."""
        registry.page_size = 2
        subject = registry.put_manifest(NAME, MANIFEST)
        kinds = ["text/a", "text/b", "text/a", "text/a"]
        digests = [
            registry.put_manifest(
                NAME,
                Manifest(
                    config=EMPTY, artifact_type=kind, subject=subject, annotations={"n": str(n)}
                ),
            ).digest
            for n, kind in enumerate(kinds)
        ]
        registry.put_manifest(NAME, b"no json", media_type=OCI_MANIFEST)
        path = f"{V2}/referrers/{subject.digest}"
        found = self.pages(client, path, "manifests")
        assert [len(page) for page in found] == [2, 2]
        assert [one["digest"] for page in found for one in page] == sorted(digests)
        assert all(one["annotations"] for page in found for one in page)
        path += "?artifactType=text%2Fa"
        assert [len(page) for page in self.pages(client, path, "manifests")] == [2, 1]
        assert client("GET", path).headers["OCI-Filters-Applied"] == "artifactType"
        assert self.pages(client, f"/v2/b/referrers/{subject.digest}", "manifests") == [[]]
        assert client("GET", f"{V2}/referrers/v1").status == 400
        registry.referrers_api = False
        assert client("GET", path).status == 404


# ------------------------------------------------------------------ who may


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


USERS = {"ann": "open-sesame"}
ANN = basic("ann", "open-sesame")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 401),
        (ANN, 200),
        (basic("ann", "other"), 401),
        (basic("bob", "open-sesame"), 401),
        ("Basic !", 401),
        ("Basic /w==", 401),
        ("Bearer abc", 401),
    ],
)
def test_basic(header: str, status: int) -> None:
    """With Basic authentication every request needs a right name and password."""
    with LoopbackRegistry(auth=BasicAuth(USERS)) as registry:
        client = Client(registry)
        said = client("GET", "/v2/", Authorization=header)
        assert said.status == status
        assert ("WWW-Authenticate" in said.headers) is (status == 401)
        assert client("GET", "/token").status == 404
        client.close()


class TestTokens:
    @pytest.fixture
    def auth(self) -> TokenAuth:
        return TokenAuth(USERS)

    @pytest.fixture
    def guarded(self, auth: TokenAuth) -> Iterator[LoopbackRegistry]:
        with LoopbackRegistry(auth=auth) as running:
            yield running

    @pytest.fixture
    def client(self, guarded: LoopbackRegistry) -> Iterator[Client]:
        opened = Client(guarded)
        yield opened
        opened.close()

    @staticmethod
    def token(client: Client, *scopes: str, authorization: str = ANN, **more: str) -> Any:
        query = urlencode([*(("scope", scope) for scope in scopes), *more.items()])
        said = client("GET", f"/token?{query}", Authorization=authorization)
        return json.loads(said.body) if said.status == 200 else said.status

    def test_a_challenge_says_what_is_needed(
        self, guarded: LoopbackRegistry, client: Client
    ) -> None:
        """Without a token there is 401, with realm, service, and scope where there is one."""
        realm = f'Bearer realm="{guarded.url}/token",service="loopback"'
        scopes = {
            ("GET", "/v2/"): "",
            ("GET", f"{V2}/manifests/v1"): f',scope="repository:{NAME}:pull"',
            ("POST", UPLOADS): f',scope="repository:{NAME}:pull,push"',
            ("GET", f"{UPLOADS}1"): f',scope="repository:{NAME}:pull,push"',
            ("DELETE", f"{V2}/manifests/v1"): f',scope="repository:{NAME}:delete"',
            ("GET", "/v2/_catalog"): ',scope="registry:catalog:*"',
        }
        for (method, path), scope in scopes.items():
            said = client(method, path)
            assert (said.status, said.headers["WWW-Authenticate"]) == (401, realm + scope)

    def test_a_token_is_good_for_its_scope_until_it_expires(
        self, auth: TokenAuth, client: Client
    ) -> None:
        """A token to pull does not push; an expired one does nothing."""
        granted = self.token(client, f"repository:{NAME}:pull repository:b:pull")
        assert (granted["expires_in"], granted["token"]) == (300, granted["access_token"])
        bearer = f"Bearer {granted['token']}"
        assert client("GET", f"{V2}/blobs/{DIGEST}", Authorization=bearer).status == 404
        refused = client("POST", UPLOADS, Authorization=bearer)
        assert refused.headers["WWW-Authenticate"].endswith('error="insufficient_scope"')
        auth.expire()
        refused = client("GET", f"{V2}/blobs/{DIGEST}", Authorization=bearer)
        assert refused.headers["WWW-Authenticate"].endswith('error="invalid_token"')
        assert [token.user for token in auth.issued] == ["ann"]
        assert auth.issued[0].access == {f"repository:{NAME}:pull", "repository:b:pull"}

    def test_a_token_may_be_good_for_a_number_of_requests(
        self, auth: TokenAuth, client: Client
    ) -> None:
        """Behind the last of them it has expired."""
        auth.uses = 2
        auth.life = None
        granted = self.token(client)
        assert "expires_in" not in granted
        bearer = f"Bearer {granted['token']}"
        statuses = [client("GET", "/v2/", Authorization=bearer).status for _ in range(3)]
        assert statuses == [200, 200, 401]

    def test_anonymous_access(self, auth: TokenAuth, client: Client) -> None:
        """Anonymous clients get a token to pull at most, and only where that is allowed."""
        scope = f"repository:{NAME}:pull,push"
        assert self.token(client, scope, authorization="") == 401
        auth.anonymous_pull = True
        self.token(client, scope, authorization="")
        assert auth.issued[-1].access == {f"repository:{NAME}:pull"}
        assert self.token(client, scope, authorization=basic("ann", "wrong")) == 401

    def test_oauth2(self, auth: TokenAuth, client: Client) -> None:
        """POST gives a token for a password, and for the refresh token that came with one."""

        def post(**form: str) -> Any:
            said = client("POST", "/token", urlencode(form).encode())
            return json.loads(said.body) if said.status == 200 else said.status

        scope = f"repository:{NAME}:pull,push"
        ann = {"grant_type": "password", "username": "ann", "scope": scope}
        assert post(**ann, password="other") == 401
        assert post(**{**ann, "username": "bob"}, password="open-sesame") == 401
        assert "refresh_token" not in post(**ann, password="open-sesame")
        first = post(**ann, password="open-sesame", access_type="offline")
        auth.expire()
        refresh = {"grant_type": "refresh_token", "scope": scope}
        second = post(**refresh, refresh_token=first["refresh_token"])
        assert second["access_token"] != first["access_token"]
        bearer = f"Bearer {second['access_token']}"
        assert client("POST", UPLOADS, Authorization=bearer).status == 202
        assert post(**refresh, refresh_token="other") == 401
        assert self.token(client, scope, offline_token="true")["refresh_token"]
        assert post(scope=scope) == 401


def test_tls(tmp_path: Path) -> None:
    """With a context of the test's own the registry speaks TLS, and its address says so."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    blob = tmp_path / "large"
    blob.write_bytes(bytes(3_000_000))
    with LoopbackRegistry(ssl_context=context) as registry:
        large = registry.put_blob(NAME, blob)
        assert registry.url == f"https://{registry.host}"
        client = Client(registry, context=trust)
        assert client("GET", f"{V2}/blobs/{large.digest}").body == bytes(3_000_000)
        client.push()
        client.close()
        assert registry.blobs[NAME, DIGEST] == DATA


# ------------------------------------------------------------------ what a test learns


def test_requests_are_recorded(registry: LoopbackRegistry, client: Client) -> None:
    """A request compares like its method and path, and has all the rest."""
    client("PUT", f"{V2}/manifests/v1?a=1&a=2&b", b"body", X_Mine="yes")
    assert registry.requests == [("PUT", f"{V2}/manifests/v1")]
    request = registry.requests[0]
    assert (request.endpoint, request.name, request.reference) == ("manifest", NAME, "v1")
    assert request.query == {"a": ["1", "2"], "b": [""]}
    assert (request.argument("a"), request.argument("c")) == ("1", "")
    assert (request.headers["x-mine"], request.body) == ("yes", b"body")
    assert registry.received == [b"body"]


def test_what_a_test_stores_is_not_checked(registry: LoopbackRegistry, client: Client) -> None:
    """Content is stored under any digest and media type."""
    wrong = Digest.of(b"")
    assert registry.put_blob(NAME, DATA, digest=wrong, media_type="a/b") == Descriptor(
        media_type="a/b", digest=wrong, size=10
    )
    assert client("GET", f"{V2}/blobs/{wrong}").body == DATA
    registry.put_manifest(NAME, b"[]", tag="v1", media_type="a/b", digest=wrong)
    assert client("GET", f"{V2}/manifests/v1").headers["Content-Type"] == "a/b"
    index = registry.put_manifest(NAME, Index())
    assert index.media_type == OCI_INDEX
