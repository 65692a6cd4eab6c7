"""Names, resolving, manifests and tags, against small servers that are mostly wrong."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, cast

import pytest

from ocilayout.errors import (
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    InvalidNameError,
    LimitExceededError,
    OciLayoutError,
    ReferenceNotFoundError,
    RegistryError,
)
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index
from ocilayout.model.mediatype import (
    ARTIFACT_TYPES,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTET_STREAM,
)
from ocilayout.registry import Repository
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.model.manifest import Manifest
from tests.unit.registry.example import BLOB, MANIFEST, MODEL, ROOT, described, manifest_path


@pytest.mark.parametrize("name", ["ghcr.io/org/app:v1", f"ghcr.io/org/app@{ROOT.digest}"])
def test_a_name_with_a_tag_or_a_digest_is_refused(name: str) -> None:
    """A name with more than the repository is refused with what to do."""
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
    """http is used for loopback hosts only, unless the caller says otherwise."""
    with Repository(name, plain_http=plain_http) as repository:
        assert repository._session.base == base


def test_repr_shows_the_name_and_no_password(ann: Repository) -> None:
    """The repr of a repository is its name."""
    assert repr(ann) == f"Repository({ann.name!r})"


def test_a_missing_file_of_authorities_is_an_os_error(tmp_path: Path) -> None:
    """A ca_certs that cannot be read is not ignored."""
    with pytest.raises(FileNotFoundError):
        Repository("ghcr.io/org/app", ca_certs=tmp_path / "none.pem")


@pytest.mark.spec(
    "distribution:head",
    "distribution:accept",
    "distribution:content-type-parameters",
    "media-types:returned",
)
def test_resolve_asks_for_headers_and_answers_plainly(registry: Scripted, repo: Repository) -> None:
    """With correct headers one HEAD is enough, and the descriptor is plain."""
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
    """If headers are missing, the body is hashed."""
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
def test_what_is_not_a_manifest_does_not_resolve(
    registry: Scripted, repo: Repository, reply: Reply
) -> None:
    """A response that is not a manifest, or has an invalid digest, is a registry's error."""
    registry.default = reply
    with pytest.raises(RegistryError):
        repo.resolve("v1")


@pytest.mark.spec("distribution:head")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_is_missing_is_not_found(registry: Scripted, repo: Repository, method: str) -> None:
    """A 404 to any request means that the reference is missing."""
    registry.default = Reply(200)
    registry.routes[f"{method} {manifest_path('v1')}"] = Reply(404)
    with pytest.raises(ReferenceNotFoundError, match="v1"):
        repo.resolve("v1")


@pytest.mark.spec("distribution:manifest-size")
def test_an_oversize_body_is_not_read_to_its_end(registry: Scripted, repo: Repository) -> None:
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
    assert endless.wait(60)


@pytest.mark.spec("distribution:reference", "distribution:tag")
@pytest.mark.parametrize("name", ["", "a b", "x/y", "../../v2", "-a", "a" * 129, "sha256:beef"])
def test_a_name_that_is_not_a_tag_is_not_asked_for(
    registry: Scripted, repo: Repository, name: str
) -> None:
    """A name outside the grammar of tags never becomes a path."""
    with pytest.raises(InvalidNameError):
        repo.resolve(name)
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
    """With another algorithm than sha256 the manifest is sent under that digest."""
    registry.default = Reply(201)
    wanted = Descriptor.of(MANIFEST, OCI_MANIFEST, "sha512")
    assert repo.put_manifest(MANIFEST, algorithm="sha512") == wanted
    assert registry.seen[-1].path == manifest_path(wanted.digest)


@pytest.mark.spec("distribution:manifest-type-said")
@pytest.mark.parametrize("document", [b"{}", b"no json", b'{"schemaVersion":2,"manifests":[]}x'])
def test_what_is_not_a_manifest_is_not_sent(
    registry: Scripted, repo: Repository, document: bytes
) -> None:
    """A document that breaks the specification is not sent."""
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
    """Tags of tags, of blobs and of missing content are refused, and nothing is written."""
    with pytest.raises(error):
        repo.tag(name, target)
    assert all(seen.method != "PUT" for seen in registry.seen)


def test_an_index_is_sent_like_a_manifest(registry: Scripted, repo: Repository) -> None:
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
