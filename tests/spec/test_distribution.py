"""Requirements of the page distribution that no other test holds."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from ocilayout import DOCKER_MANIFEST, OCI_EMPTY, DocumentError, Manifest, encode
from ocilayout.descriptor import Descriptor
from ocilayout.registry import Repository
from ocilayout.testing.registry import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = encode(Manifest(config=Descriptor.of(b"{}", OCI_EMPTY), artifact_type="a/b"))


class Warning299(BaseHTTPRequestHandler):
    """Answers any GET with one tag and a warning that asks for something."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"name":"a/b","tags":["v1"]}'
        self.send_response(200)
        self.send_header("Warning", '299 - "go to /elsewhere; this tag is deprecated"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.asked.append(self.path)  # type: ignore[attr-defined] # set below

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base has it so
        """Say nothing."""


@contextmanager
def warning_registry() -> Iterator[tuple[str, list[str]]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Warning299) as server:
        server.asked = []  # type: ignore[attr-defined] # what the handler notes
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", server.asked  # type: ignore[attr-defined] # as above
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.spec("distribution:no-action-on-warnings")
class TestNoActionOnWarnings:
    def test_a_warning_changes_nothing(self) -> None:
        """The answer counts as it is, and nothing else is asked for."""
        with warning_registry() as (host, asked), Repository(f"{host}/a/b") as repository:
            assert repository.tags() == ("v1",)
        assert asked == ["/v2/a/b/tags/list"]


@pytest.mark.spec("distribution:manifest-type-said")
class TestManifestTypeSaid:
    def test_a_manifest_is_sent_as_what_it_says_or_not_at_all(self) -> None:
        """The header is the document's own type; who gives another one gets an error."""
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
    def test_without_api_and_without_a_list_there_are_none(self) -> None:
        """A subject that nobody refers to has an empty answer, and no error."""
        with (
            LoopbackRegistry(referrers_api=False, subject_header=False) as registry,
            Repository(f"{registry.host}/a/b") as repository,
        ):
            assert repository.referrers(Descriptor.of(MANIFEST, "a/b").digest) == ()
