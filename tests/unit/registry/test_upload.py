"""Uploads of blobs: in one piece, in chunks, by a mount, and after a failure."""

from __future__ import annotations

import io
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout import copy
from ocilayout.errors import (
    DigestMismatchError,
    IntegrityError,
    InvalidNameError,
    RegistryError,
    TransportError,
)
from ocilayout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER
from ocilayout.registry import Patience, Repository
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Failure = Callable[[Seen, Handler], Reply | None]

AT_ONCE = Patience(sleep=lambda _: None)
DATA = bytes(range(256)) * 4
BLOB = Descriptor.of(DATA, OCI_LAYER)
BASE = "/v2/org/app/blobs/"


class Store:
    """The uploads of a small registry that takes chunks in order, and fails when it is told to.

    Attributes:
        uploads: What came of each upload.
        blobs: What was stored.
        claims: How much it says that it has of an upload, where that is not the truth.
        least: What it says of the least size of a chunk.
        cancelled: The status of its answer when an upload is cancelled.
        failures: What to do instead of an answer, before or behind the body is taken, by the
            number of the PATCH or PUT.
    """

    def __init__(self, server: Scripted) -> None:
        self.uploads: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.least: int | None = None
        self.cancelled = 204
        self.failures: dict[int, Failure] = {}
        self.claims: dict[str, int] = {}
        self.count = 0
        server.default = self.answer

    def answer(self, seen: Seen, handler: Handler) -> Reply | None:
        name = seen.path.removeprefix(BASE)
        if seen.method == "HEAD":
            found = self.blobs.get(name)
            length = {"Content-Length": str(len(found or b""))}
            return Reply(404 if found is None else 200, length)
        if seen.method == "POST":
            name = f"uploads/{len(self.uploads)}"
            self.uploads[name] = b""
            return self.said(name)
        if seen.method == "DELETE":
            return Reply(self.cancelled if self.uploads.pop(name, None) is not None else 404)
        if name not in self.uploads or seen.method == "GET":
            return self.said(name, 204) if name in self.uploads else Reply(404)
        self.count += 1
        fail = self.failures.pop(self.count, None)
        if fail is not None:
            return fail(seen, handler)
        return self.take(name, seen)

    def take(self, name: str, seen: Seen) -> Reply:
        there = self.uploads[name]
        said = seen.headers.get("content-range")
        if said is not None and said != f"{len(there)}-{len(there) + len(seen.body) - 1}":
            return self.said(name, 416)
        self.uploads[name] = there + seen.body
        if seen.method == "PATCH":
            return self.said(name)
        data = self.uploads.pop(name)
        (digest,) = seen.query["digest"]
        if Digest.of(data, Digest.parse(digest).algorithm) != digest:
            return Reply(400)
        self.blobs[digest] = data
        return Reply(201, {"Docker-Content-Digest": digest})

    def said(self, name: str, status: int = 202) -> Reply:
        end = max(self.claims.get(name, len(self.uploads[name])) - 1, 0)
        headers = {"Location": f"{BASE}{name}", "Range": f"0-{end}"}
        if self.least is not None:
            headers["OCI-Chunk-Min-Length"] = str(self.least)
        return Reply(status, headers)


def reset(_: Seen, handler: Handler) -> None:
    """Break the connection before anything was taken."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


@pytest.fixture
def store(registry: Scripted) -> Store:
    return Store(registry)


def repository(registry: Scripted, **how: Any) -> Repository:
    return Repository(f"{registry.host}/org/app", timeout=60, patience=AT_ONCE, **how)


def parts(registry: Scripted) -> list[tuple[str, str | None, int]]:
    """What was sent: method, Content-Range and size of each part."""
    return [
        (seen.method, seen.headers.get("content-range"), len(seen.body))
        for seen in registry.seen
        if seen.method in {"PATCH", "PUT"}
    ]


class Stream(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.raw = io.BytesIO(data)

    def read(self, size: int | None = -1, /) -> bytes:
        return self.raw.read(size)


# ------------------------------------------------------------------ chunks


@pytest.mark.spec("distribution:chunks", "distribution:chunk-size")
@given(st.binary(max_size=64), st.integers(1, 70), st.none() | st.integers(0, 70))
def test_any_blob_arrives_in_chunks(data: bytes, chunk_size: int, least: int | None) -> None:
    """In order, from 0, none below the least size but the last, and ended by its digest."""
    blob = Descriptor.of(data, OCI_LAYER)
    with Scripted() as registry:
        store = Store(registry)
        store.least = least
        with repository(registry, chunk_size=chunk_size) as repo:
            assert repo.blobs.put(Stream(data), media_type=OCI_LAYER, expected=blob) == blob
        *chunks, end = parts(registry)
    assert store.blobs == {blob.digest: data}
    assert end == ("PUT", None, 0)
    step = max(chunk_size, least or 0)
    assert [size for _, _, size in chunks[:-1]] == [step] * len(chunks[:-1])
    start = 0
    for method, said, size in chunks:
        assert (method, said) == ("PATCH", f"{start}-{start + size - 1}")
        start += size


def test_wrong_content_is_never_ended(registry: Scripted, store: Store) -> None:
    """Chunks of wrong content are sent, but the last bytes are not, and nothing is stored."""
    with repository(registry, chunk_size=100) as repo, pytest.raises(IntegrityError):
        repo.blobs.put(Stream(b"y" * len(DATA)), media_type=OCI_LAYER, expected=BLOB)
    assert store.blobs == {}
    empty = Descriptor.of(b"", OCI_LAYER)
    with repository(registry, chunk_size=100) as repo, pytest.raises(IntegrityError):
        repo.blobs.put(Stream(b"y"), media_type=OCI_LAYER, expected=empty)
    assert store.blobs == {}


# ------------------------------------------------------------------ after a failure


@pytest.mark.spec("distribution:upload-status")
@pytest.mark.parametrize("at", range(1, 12))
@pytest.mark.parametrize("lost", ["before", "behind", "503"])
def test_an_upload_goes_on_where_the_registry_says(
    registry: Scripted, store: Store, at: int, lost: str
) -> None:
    """Whichever chunk is lost, or its answer, only what is missing is sent again."""

    def taken(seen: Seen, handler: Handler) -> None:
        store.take(seen.path.removeprefix(BASE), seen)
        reset(seen, handler)

    failures: dict[str, Failure] = {
        "before": reset,
        "behind": taken,
        "503": lambda *_: Reply(503),
    }
    store.failures[at] = failures[lost]
    source = io.BytesIO(DATA)
    with repository(registry, chunk_size=100) as repo:
        assert repo.blobs.put(source, media_type=OCI_LAYER, expected=BLOB) == BLOB
    assert store.blobs == {BLOB.digest: DATA}
    sent = sum(size for _, _, size in parts(registry))
    # At offset 0 the response does not tell whether one byte is stored, so it begins again.
    assert len(DATA) <= sent <= len(DATA) + 100


def test_one_piece_goes_on_in_chunks(registry: Scripted, store: Store) -> None:
    """If a whole blob is lost half-way, the other half follows."""

    def half(seen: Seen, handler: Handler) -> None:
        store.uploads[seen.path.removeprefix(BASE)] = seen.body[:500]
        reset(seen, handler)

    store.failures[1] = half
    with repository(registry) as repo:
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert store.blobs == {BLOB.digest: DATA}
    assert parts(registry)[1:] == [("PATCH", "500-1023", 524), ("PUT", None, 0)]


def test_a_layout_s_blob_is_sent_again(registry: Scripted, store: Store, tmp_path: Path) -> None:
    """What a copy sends from a layout can be sent twice, and is reported once."""
    layout = Layout.create(tmp_path / "layout")
    blob = layout.blobs.put(DATA, media_type=OCI_LAYER)
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    layout.tag("v1", layout.put_manifest(Manifest(config=config, layers=[blob])))
    registry.routes["PUT /v2/org/app/manifests/v1"] = Reply(201)
    store.failures[1] = store.failures[3] = reset
    counted: dict[str, int] = {}

    def count(event: Any) -> None:
        digest = event.descriptor.digest
        counted[digest] = counted.get(digest, 0) + event.count

    with repository(registry) as repo:
        copy(layout, "v1", repo, on_event=count)
    assert store.blobs == {BLOB.digest: DATA, config.digest: b"{}"}
    assert counted[blob.digest] == len(DATA)


def test_a_registry_that_forgot_gets_it_from_the_beginning(
    registry: Scripted, store: Store
) -> None:
    """An upload that the registry forgot begins again."""

    def forget(seen: Seen, _: Handler) -> Reply:
        del store.uploads[seen.path.removeprefix(BASE)]
        store.uploads["gone"] = b""
        return Reply(404)

    store.failures[5] = forget
    with repository(registry, chunk_size=100) as repo:
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert store.blobs == {BLOB.digest: DATA}
    assert registry.asked().count(f"POST {BASE}uploads/") == 2


def test_a_stream_that_cannot_go_back_fails_with_the_reason(
    registry: Scripted, store: Store
) -> None:
    """A lost part of a stream cannot be sent again, and the error is that of the connection."""
    store.failures[3] = reset
    with repository(registry, chunk_size=100) as repo, pytest.raises(TransportError):
        repo.blobs.put(Stream(DATA), media_type=OCI_LAYER, expected=BLOB)
    assert store.blobs == {}


@pytest.mark.parametrize("chunk_size", [None, 300])
def test_a_lost_answer_to_the_last_put_loses_nothing(
    registry: Scripted, store: Store, chunk_size: int | None
) -> None:
    """The registry has the blob, so nothing is sent again, not even from a pipe."""

    def lose(seen: Seen, handler: Handler) -> None:
        store.take(seen.path.removeprefix(BASE), seen)
        handler.close_connection = True

    chunks = 0 if chunk_size is None else -(-len(DATA) // chunk_size)
    store.failures[chunks + 1] = lose
    reading, writing = os.pipe()
    os.write(writing, DATA)
    os.close(writing)
    with (
        os.fdopen(reading, "rb", buffering=0) as pipe,
        repository(registry, chunk_size=chunk_size) as repo,
    ):
        assert repo.blobs.put(pipe, media_type=OCI_LAYER, expected=BLOB) == BLOB
    assert store.blobs == {BLOB.digest: DATA}
    assert [method for method, _, _ in parts(registry)] == ["PATCH"] * chunks + ["PUT"]
    assert sum(size for _, _, size in parts(registry)) == len(DATA)
    assert registry.asked()[-1] == f"HEAD {BASE}{BLOB.digest}"


def claim_more(store: Store) -> Failure:
    """Store a chunk, and claim now and later that more came than was sent."""

    def claim(seen: Seen, _handler: Handler) -> Reply:
        said = store.take(name := seen.path.removeprefix(BASE), seen)
        store.claims[name] = len(store.uploads[name]) + 100
        return Reply(said.status, {**said.headers, "Range": f"0-{store.claims[name] - 1}"})

    return claim


def test_an_upload_does_not_go_on_behind_what_was_sent(registry: Scripted, store: Store) -> None:
    """A registry that claims more than it was sent gets the blob again, from the beginning."""
    store.failures[1] = claim_more(store)
    with repository(registry, chunk_size=300) as repo:
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER, expected=BLOB)
    assert store.blobs == {BLOB.digest: DATA}
    assert [said for _, said, _ in parts(registry)][:3] == ["0-299", "0-299", "300-599"]


def test_a_pipe_is_not_ended_behind_what_was_sent(registry: Scripted, store: Store) -> None:
    """A source that cannot be sent again fails, and no upload is ended that lacks a part."""
    store.failures[1] = claim_more(store)
    with repository(registry, chunk_size=300) as repo, pytest.raises(RegistryError, match="400"):
        repo.blobs.put(Stream(DATA), media_type=OCI_LAYER, expected=BLOB)
    assert parts(registry) == [("PATCH", "0-299", 300)]
    assert store.blobs == {}


@pytest.mark.parametrize(("first", "second"), [(None, 700), (100, 700), (700, 100), (700, None)])
def test_each_upload_has_its_own_least_chunk(
    registry: Scripted, store: Store, first: int | None, second: int | None
) -> None:
    """An upload that begins again uses the least chunk size of its own response."""
    store.least = first

    def forget(seen: Seen, _handler: Handler) -> Reply:
        del store.uploads[seen.path.removeprefix(BASE)]
        store.least = second
        return Reply(404)

    store.failures[1] = forget
    with repository(registry, chunk_size=300) as repo:
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER, expected=BLOB)
    assert store.blobs == {BLOB.digest: DATA}
    sizes = [size for _, _, size in parts(registry)]
    assert sizes[0] == max(300, first or 0)
    step = max(300, second or 0)
    whole, rest = divmod(len(DATA), step)
    assert sizes[1:] == [*[step] * whole, rest, 0]


def test_the_number_of_failures_is_limited(registry: Scripted, store: Store) -> None:
    """After a number of failures the upload ends with an error."""
    store.failures = dict.fromkeys(range(1, 100), lambda *_: Reply(502))
    with repository(registry) as repo, pytest.raises(RegistryError, match="502"):
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert len(parts(registry)) <= Patience().attempts + 1


def test_a_refusal_is_final(registry: Scripted, store: Store) -> None:
    """Content that the registry refuses is not sent twice."""
    store.failures[1] = lambda *_: Reply(413)
    with repository(registry) as repo, pytest.raises(RegistryError, match="larger than"):
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert len(parts(registry)) == 1


# ------------------------------------------------------------------ giving up


@pytest.mark.spec("distribution:cancel")
@pytest.mark.parametrize("status", [204, 404, 405, 500])
@pytest.mark.parametrize("chunk_size", [None, 300])
def test_an_upload_that_is_given_up_is_cancelled(
    registry: Scripted, store: Store, status: int, chunk_size: int | None
) -> None:
    """One DELETE follows, and whatever comes of it, the error is that of the upload."""
    store.cancelled = status
    with repository(registry, chunk_size=chunk_size) as repo:
        with pytest.raises(IntegrityError):
            repo.blobs.put(Stream(b"y" * len(DATA)), media_type=OCI_LAYER, expected=BLOB)
        store.failures[store.count + 1] = lambda *_: Reply(413)
        with pytest.raises(RegistryError, match="larger than"):
            repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert store.uploads == {}
    cancelled = [
        seen.headers["content-length"] for seen in registry.seen if seen.method == "DELETE"
    ]
    assert cancelled == ["0", "0"]


@pytest.mark.spec("distribution:cancel")
@pytest.mark.parametrize("failure", [reset, lambda *_: Reply(401), lambda *_: Reply(429)])
def test_nothing_is_cancelled_where_it_would_not_be_heard(
    registry: Scripted, store: Store, failure: Failure
) -> None:
    """After a lost connection, a refusal of the credentials, and a request to wait."""
    store.failures = dict.fromkeys(range(1, 100), failure)
    with repository(registry) as repo, pytest.raises(RegistryError):
        repo.blobs.put(io.BytesIO(DATA), media_type=OCI_LAYER)
    assert "DELETE" not in {seen.method for seen in registry.seen}


@pytest.mark.spec("distribution:digest-algorithm")
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_another_algorithm_than_sha256_is_said_at_the_beginning(
    registry: Scripted, algorithm: str
) -> None:
    """The registry can compute the digest while the chunks arrive."""
    with repository(registry, chunk_size=300) as repo:
        blob = Descriptor.of(DATA, OCI_LAYER, algorithm=algorithm)
        repo.blobs.put(DATA, media_type=OCI_LAYER, expected=blob)
    (query,) = [seen.query for seen in registry.seen if seen.method == "POST"]
    assert query == ({} if algorithm == "sha256" else {"digest-algorithm": [algorithm]})


# ------------------------------------------------------------------ mounts


@pytest.mark.spec("distribution:mount")
def test_a_blob_is_mounted(registry: Scripted, store: Store) -> None:
    """By a POST that names both, without its bytes; the source is not even opened."""
    registry.routes[f"POST {BASE}uploads/"] = Reply(201)
    with repository(registry) as repo:
        assert repo.blobs.mount(BLOB, "org/base")
        for source in (Stream(b"never read"), DATA):
            repo.blobs.put(source, media_type=OCI_LAYER, expected=BLOB, mount_from="org/base")
    mounts = [seen.query for seen in registry.seen if seen.method == "POST"]
    assert mounts == [{"mount": [BLOB.digest], "from": ["org/base"]}] * 3
    assert parts(registry) == []
    assert store.uploads == {}


def test_what_is_not_mounted_is_sent(registry: Scripted, store: Store) -> None:
    """If the registry does not mount, or denies reading there, the blob is sent."""
    with repository(registry) as repo:
        assert not repo.blobs.mount(BLOB, "org/base")
        repo.blobs.put(Stream(DATA), media_type=OCI_LAYER, expected=BLOB, mount_from="org/base")
    assert store.blobs == {BLOB.digest: DATA}
    store.blobs.clear()

    def forbid(seen: Seen, handler: Handler) -> Reply | None:
        return Reply(403) if "mount" in seen.query else store.answer(seen, handler)

    registry.routes[f"POST {BASE}uploads/"] = forbid
    with repository(registry) as repo:
        repo.blobs.put(DATA, media_type=OCI_LAYER, expected=BLOB, mount_from="org/base")
    assert store.blobs == {BLOB.digest: DATA}


def test_what_was_mounted_is_compared(registry: Scripted) -> None:
    """Another mounted digest is an error, and so is an invalid path."""
    other = Digest.of(b"other")
    registry.routes[f"POST {BASE}uploads/"] = Reply(201, {"Docker-Content-Digest": other})
    with repository(registry) as repo:
        with pytest.raises(DigestMismatchError):
            repo.blobs.mount(BLOB, "org/base")
        for path in ("Org/base", "../x", ""):
            with pytest.raises(InvalidNameError):
                repo.blobs.mount(BLOB, path)
            with pytest.raises(InvalidNameError):
                repo.blobs.put(DATA, media_type=OCI_LAYER, mount_from=path)
