"""Reading and writing content, against small servers that are mostly wrong."""

from __future__ import annotations

import errno
import io
import socket
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    OciLayoutError,
    RegistryError,
    SizeMismatchError,
    TransportError,
    UnsupportedDigestError,
)
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.mediatype import (
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocilayout.model.digest import Digest
    from ocilayout.registry import Repository
from tests.unit.registry.example import (
    BLOB,
    LAYER,
    MANIFEST,
    MODEL,
    ROOT,
    UPLOAD,
    Trickle,
    accept_upload,
    basic,
    blob_path,
    described,
    manifest_path,
)


def test_manifests_and_blobs_are_read_where_they_are(registry: Scripted, repo: Repository) -> None:
    """Manifests are read from their endpoint, everything else from that of blobs."""
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
    """The first bytes of a stream can be read while the server still holds back the last."""
    go_on = threading.Event()

    def halting(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(len(LAYER)))
        handler.end_headers()
        handler.wfile.write(LAYER[:100])
        assert go_on.wait(60)
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
    assert hung_up.wait(60)


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


def test_stored_content_is_not_sent(registry: Scripted, repo: Repository) -> None:
    """A stored blob is not uploaded, and with a descriptor its source is not even read."""
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


def test_a_registry_that_answers_before_it_has_the_whole_blob_is_caught(
    registry: Scripted, repo: Repository
) -> None:
    """A success before everything was sent is an error."""
    answered = threading.Event()

    class Late(Trickle):
        def read(self, size: int | None = -1, /) -> bytes:
            assert answered.wait(60)
            return super().read(size)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        registry.routes[f"POST {UPLOAD}"] = Reply(202, {"Location": f"http://127.0.0.1:{port}/"})

        def answer() -> None:
            connection, _ = listener.accept()
            listener.close()  # or the cancellation of the upload would wait for an answer
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


def test_an_invalid_media_type_is_refused(registry: Scripted, repo: Repository) -> None:
    """What would break a header is refused before anything is sent."""
    with pytest.raises(DocumentError):
        repo.blobs.put(LAYER, media_type="a/b\r\nX: y")
    with pytest.raises(DocumentError):
        repo.put_manifest(MANIFEST, media_type="a/b\r\nX: y")
    assert registry.seen == []


def test_a_manifest_put_as_content_goes_where_manifests_go(
    registry: Scripted, repo: Repository
) -> None:
    """`blobs.put` finds the endpoint by media type, as `blobs.read` does."""
    registry.routes[f"PUT {manifest_path(ROOT.digest)}"] = Reply(201)
    stream = Trickle(MANIFEST)
    assert repo.blobs.put(stream, media_type=OCI_MANIFEST, expected=ROOT) == ROOT
    assert registry.seen[-1].body == MANIFEST
