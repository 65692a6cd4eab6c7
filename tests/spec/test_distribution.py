"""Requirements of the page distribution that no other test covers."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from ocilayout import DOCKER_MANIFEST, OCI_EMPTY, DocumentError, Manifest, encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry
from ocilayout.testing.registry.wire import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

MANIFEST = encode(Manifest(config=Descriptor.of(b"{}", OCI_EMPTY), artifact_type="a/b"))


class Answering(BaseHTTPRequestHandler):
    """A registry with one tag and no blob. It accepts any upload, and warns with every answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, b'{"name":"a/b","tags":["v1"]}')

    def do_HEAD(self) -> None:
        self.answer(404)

    def do_POST(self) -> None:
        self.answer(202, Location="session?state=x%2Fy")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Warning", '299 - "go to /elsewhere; this tag is deprecated"')
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base has it so
        """Ignore the message."""


@contextmanager
def answering() -> Iterator[tuple[str, list[tuple[str, str, Message]]]]:
    """Run the server; return its address, and method, path and headers of all requests."""
    seen: list[tuple[str, str, Message]] = []

    class Noting(Answering):
        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            seen.append((self.command, self.path, self.headers))
            super().answer(status, body, **headers)

    with LoopbackServer(Noting) as server:
        yield f"127.0.0.1:{server.server_port}", seen


@pytest.mark.spec("distribution:no-action-on-warnings")
class TestNoActionOnWarnings:
    def test_a_warning_changes_nothing(self) -> None:
        """The answer is used as it is, and no further request is sent."""
        with answering() as (host, seen), Repository(f"{host}/a/b") as repository:
            assert repository.tags() == ("v1",)
        assert [(method, path) for method, path, _ in seen] == [("GET", "/v2/a/b/tags/list?n=1000")]


@pytest.mark.spec("distribution:upload", "distribution:location", "distribution:begin")
class TestUpload:
    def test_a_blob_is_a_post_and_a_put_with_digest_length_and_type(self) -> None:
        """The PUT goes to the location of the POST, with the digest added to its query."""
        blob = Descriptor.of(b"layer", "a/b")
        with answering() as (host, seen), Repository(f"{host}/a/b") as repository:
            assert repository.blobs.put(b"layer", media_type="a/b") == blob
        (_, (post, begun, empty), (put, path, headers)) = seen
        assert (post, begun) == ("POST", "/v2/a/b/blobs/uploads/")
        assert empty["Content-Length"] == "0"
        assert (put, path) == (
            "PUT",
            f"/v2/a/b/blobs/uploads/session?state=x%2Fy&digest={quote(blob.digest)}",
        )
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Length"] == "5"


@pytest.mark.spec("distribution:manifest-type-said")
class TestManifestTypeSaid:
    def test_a_manifest_is_sent_with_its_own_media_type(self) -> None:
        """The header is the document's own type; a caller who gives another type gets an error."""
        with LoopbackRegistry() as registry, Repository(f"{registry.host}/a/b") as repository:
            repository.blobs.put(b"{}", media_type=OCI_EMPTY)
            sent = len(registry.requests)
            with pytest.raises(DocumentError):
                repository.put_manifest(MANIFEST, media_type=DOCKER_MANIFEST)
            assert len(registry.requests) == sent
            root = repository.put_manifest(MANIFEST)
            stored, data = registry.manifests["a/b", root.digest]
        assert (stored, data) == (root.media_type, MANIFEST)


@pytest.mark.spec("distribution:referrers-none")
class TestReferrersNone:
    def test_without_the_api_and_a_list_there_are_no_referrers(self) -> None:
        """A subject without referrers gives an empty list, not an error."""
        with (
            LoopbackRegistry(referrers_api=False, subject_header=False) as registry,
            Repository(f"{registry.host}/a/b") as repository,
        ):
            assert repository.referrers(Descriptor.of(MANIFEST, "a/b").digest) == ()
