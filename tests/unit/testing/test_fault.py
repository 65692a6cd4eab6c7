"""Each fault, as it arrives at a client that knows nothing but HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.model.codec import decode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.document import decode_document
from ocilayout.model.graph import successors
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from ocilayout.testing.registry import (
    Answer,
    HangUpError,
    LoopbackRegistry,
    Request,
    bomb,
    fault,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ocilayout.testing.registry import Fault

NAME = "team/app"
V2 = f"/v2/{NAME}"
DATA = bytes(range(256)) * 16
DIGEST = str(Digest.of(DATA))
BLOB = f"{V2}/blobs/{DIGEST}"
OTHER = str(Digest.of(b"other"))
MANIFEST = Manifest(config=Descriptor.of(b"{}", OCI_EMPTY))


class Said:
    """An answer, or what arrived of one."""

    def __init__(
        self, registry: LoopbackRegistry, method: str, path: str, body: bytes = b"", **more: str
    ) -> None:
        host, _, port = registry.host.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        sent = {name.replace("_", "-"): value for name, value in more.items()}
        try:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            self.status = answer.status
            self.headers = answer.headers
            self.whole = True
            try:
                self.body = answer.read()
            except http.client.IncompleteRead as error:
                self.body, self.whole = error.partial, False
        finally:
            connection.close()


def exchange(registry: LoopbackRegistry, text: str) -> bytes:
    """Send text, and return all that comes until the registry ends the connection."""
    host, _, port = registry.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(10_000), b""))


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        running.put_blob(NAME, DATA)
        yield running


@pytest.fixture
def get(registry: LoopbackRegistry) -> Callable[..., Said]:
    """Return a function that asks for the blob while the registry has a fault."""

    def get(how: Fault, method: str = "GET", **headers: str) -> Said:
        registry.behave()
        registry.misbehave("blob", how)
        return Said(registry, method, BLOB, b"", **headers)

    return get


# ------------------------------------------------------------------ which requests


class TestRules:
    @pytest.mark.parametrize("on", ["", "FETCH blob", "GET blobs", "blob GET", "GET blob tags"])
    def test_what_is_not_a_kind_of_request_is_refused(
        self, registry: LoopbackRegistry, on: str
    ) -> None:
        """The error says which kinds there are."""
        with pytest.raises(ValueError, match="such as 'GET blob'"):
            registry.misbehave(on, fault.refuse(500))

    @pytest.mark.parametrize(
        ("on", "options", "met"),
        [
            ("GET blob", {}, True),
            ("GET", {}, True),
            ("blob", {}, True),
            ("HEAD blob", {}, False),
            ("GET manifest", {}, False),
            ("GET blob", {"name": NAME}, True),
            ("GET blob", {"name": "team"}, False),
            ("GET blob", {"reference": DIGEST}, True),
            ("GET blob", {"reference": OTHER}, False),
        ],
    )
    def test_a_fault_is_met_by_what_it_is_for(
        self, registry: LoopbackRegistry, on: str, options: dict[str, Any], *, met: bool
    ) -> None:
        """Method, endpoint, repository and reference all have to match, if they are given."""
        rule = registry.misbehave(on, fault.refuse(500), **options)
        assert Said(registry, "GET", BLOB).status == (500 if met else 200)
        assert rule.count == met

    def test_a_fault_is_met_as_often_as_it_says(self, registry: LoopbackRegistry) -> None:
        """A number of requests passes before, and all pass after."""
        rule = registry.misbehave("blob", fault.refuse(500), skip=1, times=2)
        statuses = [Said(registry, "GET", BLOB).status for _ in range(4)]
        assert (statuses, rule.count) == ([200, 500, 500, 200], 2)

    def test_faults_are_applied_in_order(self, registry: LoopbackRegistry) -> None:
        """Each gets what the faults before it made of the answer, until all are removed."""
        registry.misbehave("blob", fault.header("X", "first"))
        registry.misbehave("blob", fault.header("X", "second"))
        registry.misbehave("blob", fault.grow(b"!"))
        said = Said(registry, "GET", BLOB)
        assert (said.headers["X"], said.body) == ("second", DATA + b"!")
        registry.behave()
        assert "X" not in Said(registry, "GET", BLOB).headers

    def test_a_test_can_write_a_fault_as_a_function(self, get: Callable[..., Said]) -> None:
        """It gets the request, and a function that lets the registry answer."""

        def shout(request: Request, proceed: Callable[[], Answer]) -> Answer:
            answer = proceed()
            answer.set_body(request.reference.upper().encode())
            return answer

        assert get(shout).body == DIGEST.upper().encode()

    def test_a_fault_that_fails_is_told_at_the_end(self) -> None:
        """An exception inside a fault is raised when the registry stops, but hides no other."""

        def serve(reason: Exception | None) -> None:
            with LoopbackRegistry() as registry:
                registry.misbehave("api", lambda _request, _proceed: Answer(status=1 // 0))
                assert exchange(registry, "GET /v2/ HTTP/1.1\r\n\r\n") == b""
                if reason is not None:
                    raise reason

        with pytest.raises(ExceptionGroup) as caught:
            serve(None)
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        with pytest.raises(KeyError):
            serve(KeyError("of the test"))


# ------------------------------------------------------------------ in place of the registry


class TestInPlace:
    def test_answers(self, get: Callable[..., Said]) -> None:
        """Status, headers and body are the given ones."""
        said = get(fault.answer(299, b"x", media_type="a/b", headers={"X-Y": "z"}))
        assert (said.status, said.body) == (299, b"x")
        assert (said.headers["Content-Type"], said.headers["X-Y"]) == ("a/b", "z")
        assert get(fault.answer(204)).body == b""

    def test_refusals(self, get: Callable[..., Said]) -> None:
        """The body has the form of the distribution-spec."""
        said = get(fault.refuse(429, "TOOMANYREQUESTS", headers={"Retry-After": "1"}))
        assert (said.status, said.headers["Retry-After"]) == (429, "1")
        assert json.loads(said.body)["errors"][0]["code"] == "TOOMANYREQUESTS"

    def test_redirects(self, get: Callable[..., Said], registry: LoopbackRegistry) -> None:
        """They lead to the given address, with or without the path, or round for ever."""
        said = get(fault.redirect("file:///etc/passwd", status=302))
        assert (said.status, said.headers["Location"]) == (302, "file:///etc/passwd")
        there = get(fault.redirect("http://x.example", keep_path=True)).headers["Location"]
        assert there == f"http://x.example{BLOB}"
        registry.behave()
        registry.misbehave("blob", fault.redirect_forever())
        seen = {Said(registry, "GET", BLOB).headers["Location"] for _ in range(3)}
        assert seen == {f"{BLOB}?hop={number}" for number in (1, 2, 3)}

    @pytest.mark.parametrize("said", [None, OTHER])
    def test_pretending(self, registry: LoopbackRegistry, said: str | None) -> None:
        """201 with a digest, and nothing is stored."""
        registry.misbehave("PUT", fault.pretend(said))
        begun = Said(registry, "POST", f"{V2}/blobs/uploads/")
        new = Digest.of(b"new")
        place = f"{begun.headers['Location']}?digest={new}"
        for path, kind in ((place, "blobs"), (f"{V2}/manifests/v1", "manifests")):
            answer = Said(registry, "PUT", path, b"new")
            assert answer.status == 201
            assert answer.headers["Docker-Content-Digest"] == (said or new)
            assert answer.headers["Location"] == f"{V2}/{kind}/{new}"
        assert (list(registry.blobs), registry.manifests) == ([(NAME, DIGEST)], {})

    def test_raw_bytes(self, registry: LoopbackRegistry) -> None:
        """They are all that comes."""
        registry.misbehave("api", fault.raw(b"220 ready\r\n"))
        assert exchange(registry, "GET /v2/ HTTP/1.1\r\n\r\n") == b"220 ready\r\n"

    def test_hanging_up(self, get: Callable[..., Said]) -> None:
        """The connection ends without an answer."""
        with pytest.raises(http.client.RemoteDisconnected):
            get(fault.hang_up())

    def test_hanging_up_in_the_middle_of_an_upload(self, registry: LoopbackRegistry) -> None:
        """What arrived before is stored, and the client can go on from it."""
        place = Said(registry, "POST", f"{V2}/blobs/uploads/").headers["Location"]
        registry.misbehave("PATCH upload", fault.hang_up(received=100), times=1)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            Said(registry, "PATCH", place, DATA)
        assert Said(registry, "GET", place).headers["Range"] == "0-99"
        assert Said(registry, "PATCH", place, DATA[100:]).headers["Range"] == "0-4095"

    def test_a_body_that_was_not_read_ends_the_connection(self, registry: LoopbackRegistry) -> None:
        """A fault may answer after a part of a body, whose rest would look like a next request."""

        def early(request: Request, _proceed: Callable[[], Answer]) -> Answer:
            assert request.receive(1) == b"{"
            assert request.body == b"{"
            return Answer(status=413, headers=[("Content-Length", "0")])

        registry.misbehave("PUT manifest", early)
        found = exchange(
            registry, f"PUT {V2}/manifests/v1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}"
        )
        assert found.startswith(b"HTTP/1.1 413 ")


# ------------------------------------------------------------------ around it


class TestAround:
    def test_before_and_after(self, registry: LoopbackRegistry) -> None:
        """The action is done, and the answer stays the same."""
        registry.misbehave("GET blob", fault.before(registry.blobs.clear), times=1)
        assert Said(registry, "GET", BLOB).status == 404
        registry.put_blob(NAME, DATA)
        registry.misbehave("GET blob", fault.after(registry.blobs.clear), times=1)
        assert Said(registry, "GET", BLOB).body == DATA
        assert registry.blobs == {}

    def test_ignoring(self, registry: LoopbackRegistry, get: Callable[..., Said]) -> None:
        """The registry does not see a header or an argument."""
        said = get(fault.ignore(header="Range"), Range="bytes=0-3")
        assert (said.status, said.body) == (200, DATA)
        registry.misbehave("POST uploads", fault.ignore(query="mount"))
        query = f"?mount={DIGEST}&from={NAME}"
        assert Said(registry, "POST", f"/v2/b/blobs/uploads/{query}").status == 202


# ------------------------------------------------------------------ what it says


class TestSaid:
    @pytest.mark.parametrize(
        ("how", "body"),
        [
            (fault.body(b"x"), b"x"),
            (fault.flip(), b"\1" + DATA[1:]),
            (fault.flip(-1), DATA[:-1] + b"\xfe"),
            (fault.grow(b"more"), DATA + b"more"),
            (fault.shrink(3), DATA[:-3]),
        ],
    )
    def test_bodies(self, get: Callable[..., Said], how: Fault, body: bytes) -> None:
        """The body is another, with the right length."""
        said = get(how)
        assert (said.status, said.body) == (200, body)
        assert said.headers["Content-Length"] == str(len(body))
        assert said.headers["Docker-Content-Digest"] == DIGEST
        assert get(how, "HEAD").headers["Content-Length"] == str(len(body))

    def test_headers_and_status(self, get: Callable[..., Said]) -> None:
        """A header is replaced or left out, and may break its line."""
        assert get(fault.header("docker-content-digest", OTHER)).headers.get_all(
            "Docker-Content-Digest"
        ) == [OTHER]
        assert (
            "Docker-Content-Digest" not in get(fault.header("Docker-Content-Digest", None)).headers
        )
        assert get(fault.header("X", "1\r\nY: 2")).headers["Y"] == "2"
        said = get(fault.status(599))
        assert (said.status, said.body) == (599, DATA)

    def test_compression(self, get: Callable[..., Said]) -> None:
        """The body comes compressed, unasked."""
        said = get(fault.gzip())
        assert said.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(said.body) == DATA

    @pytest.mark.parametrize(
        ("endpoint", "path", "key"),
        [
            ("tags", f"{V2}/tags/list", "tags"),
            ("catalog", "/v2/_catalog", "repositories"),
            ("referrers", f"{V2}/referrers/{DIGEST}", "manifests"),
        ],
    )
    def test_endless_lists(
        self, registry: LoopbackRegistry, endpoint: str, path: str, key: str
    ) -> None:
        """Every page has something new, and leads to another."""
        registry.misbehave(endpoint, fault.endless(key))
        found, paths = [], set()
        for _ in range(5):
            said = Said(registry, "GET", path)
            paths.add(path)
            found += json.loads(said.body)[key]
            if key == "manifests":
                assert decode(said.body, Index).manifests
            path = said.headers["Link"].removeprefix("<").partition(">")[0]
        assert (len({str(one) for one in found}), len(paths)) == (5, 5)

    def test_documents(self, registry: LoopbackRegistry) -> None:
        """A JSON document is what a function makes of the right one."""
        registry.misbehave("tags", fault.rewrite(lambda said: {**said, "tags": [said["name"]]}))
        assert json.loads(Said(registry, "GET", f"{V2}/tags/list").body)["tags"] == [NAME]


# ------------------------------------------------------------------ how it is sent


class TestSent:
    @pytest.mark.parametrize("after", [0, 1, 1000, len(DATA)])
    @pytest.mark.parametrize("kind", ["bytes", "file"])
    def test_a_cut(
        self,
        registry: LoopbackRegistry,
        get: Callable[..., Said],
        tmp_path: Path,
        after: int,
        kind: str,
    ) -> None:
        """So many bytes come, with a length that promises all."""
        if kind == "file":
            (tmp_path / "blob").write_bytes(DATA)
            registry.put_blob(NAME, tmp_path / "blob")
        said = get(fault.cut(after))
        assert (said.body, said.whole) == (DATA[:after], after == len(DATA))
        assert said.headers["Content-Length"] == str(len(DATA))

    def test_lengths(self, registry: LoopbackRegistry, get: Callable[..., Said]) -> None:
        """The length is another than that of what comes, and the connection ends."""
        said = get(fault.promise(len(DATA) + 1))
        assert (said.body, said.whole) == (DATA, False)
        assert get(fault.promise(5)).body == DATA[:5]
        registry.behave()
        registry.misbehave("blob", fault.overflow(b"rest"))
        found = exchange(registry, f"GET {BLOB} HTTP/1.1\r\n\r\n")
        assert b"Content-Length: 4096\r\n" in found
        assert found.endswith(DATA + b"rest")

    def test_no_length(self, get: Callable[..., Said]) -> None:
        """A body without a length ends with its connection."""
        said = get(fault.header("Content-Length", None))
        assert (said.body, said.whole) == (DATA, True)

    def test_chunks(self, get: Callable[..., Said]) -> None:
        """A body in chunks is whole, or breaks off inside of one."""
        said = get(fault.chunked(size=1000))
        assert (said.body, said.whole) == (DATA, True)
        assert "Content-Length" not in said.headers
        said = get(fault.chunked(broken_after=2500, size=1000))
        assert (said.body, said.whole) == (DATA[:2000], False)

    def test_a_stall_lasts_until_it_is_released(self, registry: LoopbackRegistry) -> None:
        """What comes before is there, and the rest once the test says so."""
        stall = fault.Stall(after=1000)
        registry.misbehave("blob", stall)
        host, _, port = registry.host.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", BLOB)
        answer = connection.getresponse()
        assert answer.read(1000) == DATA[:1000]
        assert stall.reached.wait(10)
        connection.sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            connection.sock.recv(1)
        connection.sock.settimeout(10)
        stall.release()
        assert answer.read() == DATA[1000:]
        connection.close()

    @pytest.mark.parametrize(("after", "comes"), [(1_500_000, 1_500_000), (3_000_000, 2_500_000)])
    def test_a_file_that_is_sent_in_pieces(
        self, registry: LoopbackRegistry, tmp_path: Path, after: int, comes: int
    ) -> None:
        """A byte is found in any piece, and without it everything is sent."""
        (tmp_path / "blob").write_bytes(b"x" * 2_500_000)
        path = f"{V2}/blobs/{registry.put_blob(NAME, tmp_path / 'blob').digest}"
        stall = fault.Stall(after=after)
        stall.release()
        registry.misbehave("blob", stall, times=1)
        assert len(Said(registry, "GET", path).body) == 2_500_000
        assert stall.reached.is_set() is (after == comes)
        registry.misbehave("blob", fault.cut(after))
        assert len(Said(registry, "GET", path).body) == comes

    def test_stopping_the_registry_releases_a_stall(self) -> None:
        """The registry stops although a test forgot to release a fault, even a removed one."""
        with LoopbackRegistry() as registry:
            blob = registry.put_blob(NAME, DATA)
            stall = fault.Stall()
            registry.misbehave("blob", stall)
            host, _, port = registry.host.partition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            connection.request("GET", f"{V2}/blobs/{blob.digest}")
            assert stall.reached.wait(10)
            registry.behave()
        connection.close()

    def test_hanging_up_in_a_fault_of_a_test(self, get: Callable[..., Said]) -> None:
        """`HangUpError` ends the connection, and is not a failure."""

        def leave(_request: Request, _proceed: Callable[[], Answer]) -> Answer:
            raise HangUpError

        with pytest.raises(http.client.RemoteDisconnected):
            get(leave)


# ------------------------------------------------------------------ what is too much


class TestBombs:
    def test_nested(self) -> None:
        """Every index holds the document before it."""
        documents = list(bomb.nested(20))
        assert len(documents) == 21
        for inner, outer in pairwise(documents):
            (child,) = decode(outer, Index).manifests
            assert child.digest == Digest.of(inner)
            decode_document(inner, child)

    def test_wide(self) -> None:
        """The index has so many children, all different and all there."""
        *children, root = bomb.wide(30)
        found = [one.digest for one in decode(root, Index).manifests]
        assert found == [Digest.of(child) for child in children]
        assert len(set(found)) == 30

    def test_layered(self) -> None:
        """The manifest has so many layers, all different."""
        (manifest,) = bomb.layered(40)
        assert len({part.digest for part in successors(decode(manifest, Manifest))}) == 41

    def test_huge_and_deep(self) -> None:
        """One has so many bytes, the other so many levels, and both are manifests."""
        (huge,) = bomb.huge(5000)
        assert len(huge) > 5000
        assert decode(huge, Manifest).config == MANIFEST.config
        (deep,) = bomb.deep(50)
        assert b":" + b"[" * 50 + b"]" * 50 in deep
        assert decode(deep, Manifest).extra

    def test_they_are_served_under_a_tag(self, registry: LoopbackRegistry) -> None:
        """The tag means the last document; those before are there, too."""
        root = registry.put_manifests(NAME, bomb.nested(3), tag="v1")
        said = Said(registry, "GET", f"{V2}/manifests/v1")
        assert said.headers["Content-Type"] == root.media_type == OCI_INDEX
        assert len(registry.manifests) == 4
        (huge,) = bomb.huge(5_000_000)
        assert registry.put_manifest(NAME, huge).media_type == OCI_MANIFEST
