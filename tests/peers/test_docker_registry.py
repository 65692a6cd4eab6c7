"""`Repository` with the registry of the CNCF distribution project."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import load_pem_x509_certificate

from ocilayout import copy
from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    IntegrityError,
    ReferenceNotFoundError,
    RegistryError,
    TransportError,
)
from ocilayout.layout.layout import Layout
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.model.platform import Platform
from ocilayout.model.reference import fallback_tag
from ocilayout.registry import Credentials, Repository
from ocilayout.testing.registry.wire import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    class StartRegistry(Protocol):
        def __call__(
            self, *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, Any] | None = None
        ) -> str: ...


ANN = Credentials("ann", "open-sesame")
# bcrypt of "open-sesame", made with crypt(3); the registry accepts no other kind of hash.
HTPASSWD = "ann:$2y$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n"
SERVICE = "registry, of the test"


def push_platform(repo: Repository, architecture: str) -> Descriptor:
    """Push an image of one platform; return its descriptor for an index."""
    layer = f"layer for {architecture}".encode() * 10_000
    pushed = repo.blobs.put(io.BytesIO(layer), media_type=OCI_LAYER)
    rootfs = {"type": "layers", "diff_ids": [pushed.digest]}
    config = {"architecture": architecture, "os": "linux", "rootfs": rootfs}
    manifest = Manifest(
        config=repo.blobs.put(json.dumps(config).encode(), media_type=OCI_CONFIG),
        layers=(pushed,),
    )
    descriptor = repo.put_manifest(manifest)
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=Platform(architecture=architecture, os="linux"),
    )


def push_image(repo: Repository, *tags: str) -> Descriptor:
    """Push an image of two platforms under some tags; return the descriptor of its index."""
    index = Index(manifests=(push_platform(repo, "amd64"), push_platform(repo, "arm64")))
    root = repo.put_manifest(index)
    for tag in tags:
        repo.tag(tag, root)
    return root


def pull_image(repo: Repository, tag: str) -> list[bytes]:
    """Read everything behind a tag, verified; return the layers."""
    index = repo.read_manifest(repo.resolve(tag))
    assert isinstance(index, Index)
    layers: list[bytes] = []
    for child in index.manifests:
        manifest = repo.read_manifest(child)
        assert isinstance(manifest, Manifest)
        assert json.loads(repo.blobs.read(manifest.config))["os"] == "linux"
        for layer in manifest.layers:
            with repo.blobs.open(layer) as stream:
                layers.append(stream.readall())
    return layers


def assert_round_trip(repo: Repository) -> None:
    """Push, list, resolve and pull an image of two platforms."""
    root = push_image(repo, "v1", "V1", "latest")
    assert repo.tags() == ("V1", "latest", "v1")
    assert repo.resolve("latest") == repo.resolve(str(root.digest)) == root == root.plain()
    layers = pull_image(repo, "v1")
    assert [layer[:15] for layer in layers] == [b"layer for amd64", b"layer for arm64"]


# ------------------------------------------------------------------ without authentication


def test_an_image_of_two_platforms_is_pushed_and_pulled(docker_registry: str) -> None:
    """An image that is pushed over plain HTTP is listed, resolved and pulled."""
    with Repository(f"{docker_registry}/org/app") as repo:
        assert_round_trip(repo)


def test_only_existing_content_is_found(docker_registry: str) -> None:
    """Blobs and manifests are found in their repository, and no others."""
    with Repository(f"{docker_registry}/org/app") as repo:
        root = push_image(repo, "v1")
        layer = b"layer for amd64" * 10_000
        digest = Digest.of(layer)
        assert digest in repo.blobs
        assert repo.blobs.size(digest) == len(layer)
        assert repo.blobs.holds(Descriptor.of(layer, OCI_LAYER))
        assert repo.blobs.holds(root)
        missing = Descriptor.of(b"missing", OCI_LAYER)
        assert missing.digest not in repo.blobs
        assert not repo.blobs.holds(missing)
        with pytest.raises(BlobNotFoundError):
            repo.blobs.read(missing)
        for name in ("v2", str(missing.digest)):
            with pytest.raises(ReferenceNotFoundError):
                repo.resolve(name)


def test_an_unknown_repository_is_an_error(docker_registry: str) -> None:
    """The list of tags of an unknown repository is an error with the registry's code."""
    name = f"{docker_registry}/nobody/home"
    with Repository(name) as repo, pytest.raises(RegistryError) as caught:
        repo.tags()
    assert (caught.value.status, caught.value.codes) == (404, ("NAME_UNKNOWN",))


def test_tags_move_and_are_all_listed(docker_registry: str) -> None:
    """A moved tag has the new content, and the other tags keep theirs."""
    with Repository(f"{docker_registry}/org/app") as repo:
        first = push_platform(repo, "amd64")
        second = push_platform(repo, "arm64")
        names = [f"v{number}" for number in range(30)]
        for name in names:
            repo.tag(name, first)
        repo.tag("v7", second.digest)
        assert repo.tags() == tuple(sorted(names))
        assert repo.resolve("v7").digest == second.digest
        assert repo.resolve("v8").digest == first.digest


def test_a_manifest_whose_blobs_are_missing_is_refused(docker_registry: str) -> None:
    """The registry's refusal reaches the caller with its code."""
    manifest = Manifest(config=Descriptor.of(b"{}", OCI_CONFIG))
    name = f"{docker_registry}/org/app"
    with Repository(name) as repo, pytest.raises(RegistryError) as caught:
        repo.put_manifest(manifest)
    assert "MANIFEST_BLOB_UNKNOWN" in caught.value.codes


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 + 7])
def test_blobs_of_all_sizes_are_uploaded(docker_registry: str, tmp_path: Path, size: int) -> None:
    """From empty to several chunks, from bytes, a path and a stream."""
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path = tmp_path / "blob"
    path.write_bytes(data)
    expected = Descriptor.of(data, OCI_LAYER)
    for name, source in (("a", data), ("b", path), ("c", io.BytesIO(data))):
        with Repository(f"{docker_registry}/{name}") as repo:
            assert repo.blobs.put(source, media_type=OCI_LAYER, expected=expected) == expected
            assert repo.blobs.read(expected) == data


def test_wrong_content_is_not_stored(docker_registry: str) -> None:
    """A cancelled upload leaves no blob."""
    wanted = Descriptor.of(b"x" * 1_000_000, OCI_LAYER)
    with Repository(f"{docker_registry}/org/app") as repo:
        with pytest.raises(IntegrityError):
            repo.blobs.put(io.BytesIO(b"y" * 1_000_000), media_type=OCI_LAYER, expected=wanted)
        assert wanted.digest not in repo.blobs
        assert Digest.of(b"y" * 1_000_000) not in repo.blobs


def test_copy_goes_from_a_layout_to_a_registry_and_back(
    docker_registry: str, tmp_path: Path
) -> None:
    """A repository is a source and a target of `copy`, also from one repository to another."""
    with (
        Repository(f"{docker_registry}/org/app") as first,
        Repository(f"{docker_registry}/org/twin") as second,
    ):
        root = push_image(first, "v1")
        layout = Layout.create(tmp_path / "layout")
        assert copy(first, "v1", layout) == root
        assert copy(layout, "v1", second, name="v2") == root
        assert pull_image(second, "v2") == pull_image(first, "v1")
        assert copy(second, "v2", first) == root
        assert first.tags() == ("v1", "v2")


# ------------------------------------------------------------------ with skopeo


@pytest.fixture
def skopeo(require: Callable[[str], str], tmp_path: Path) -> Callable[..., bytes]:
    """Return a function that runs skopeo and returns its output."""
    program = require("skopeo")

    def run(*arguments: str) -> bytes:
        done = subprocess.run(
            [program, "--insecure-policy", "--tmpdir", str(tmp_path), *arguments],
            env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_skopeo_reads_what_we_pushed(
    docker_registry: str, skopeo: Callable[..., bytes], tmp_path: Path
) -> None:
    """skopeo prints the exact bytes of our index, and copies all its content."""
    with Repository(f"{docker_registry}/org/app") as repo:
        root = push_image(repo, "v1")
        data = repo.blobs.read(root)
    source = f"docker://{docker_registry}/org/app"
    assert skopeo("inspect", "--raw", "--tls-verify=false", f"{source}:v1") == data
    assert skopeo("inspect", "--raw", "--tls-verify=false", f"{source}@{root.digest}") == data
    skopeo(
        "copy",
        "--all",
        "--preserve-digests",
        "--src-tls-verify=false",
        f"{source}:v1",
        f"oci:{tmp_path}/out:v1",
    )
    copied = json.loads((tmp_path / "out" / "index.json").read_bytes())
    assert [entry["digest"] for entry in copied["manifests"]] == [root.digest]


def test_we_read_what_skopeo_pushed(docker_registry: str, skopeo: Callable[..., bytes]) -> None:
    """Docker's manifests and lists are resolved and walked like OCI's."""
    with Repository(f"{docker_registry}/org/app") as repo:
        push_image(repo, "v1")
    skopeo(
        "copy", "--all", "--format=v2s2", "--src-tls-verify=false", "--dest-tls-verify=false",
        f"docker://{docker_registry}/org/app:v1", f"docker://{docker_registry}/docker/app:v2",
    )  # fmt: skip
    with Repository(f"{docker_registry}/docker/app") as repo:
        root = repo.resolve("v2")
        assert root.media_type == DOCKER_INDEX
        index = repo.read_manifest(root)
        assert isinstance(index, Index)
        assert {child.media_type for child in index.manifests} == {DOCKER_MANIFEST}
        assert len(pull_image(repo, "v2")) == 2


# ------------------------------------------------------------------ authentication


def test_basic_authentication_is_required_and_sufficient(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """Everything works with the right password, and nothing without it."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    htpasswd = {"realm": "test, realm", "path": str(tmp_path / "htpasswd")}
    name = f"{start_registry(auth={'htpasswd': htpasswd})}/org/app"
    with Repository(name, credentials=ANN) as repo:
        assert_round_trip(repo)
    with Repository(name) as repo, pytest.raises(AuthError, match="pass Credentials"):
        repo.resolve("v1")
    wrong = Credentials("ann", "open-barley")
    with Repository(name, credentials=wrong) as repo, pytest.raises(AuthError) as caught:
        repo.blobs.put(b"x", media_type=OCI_LAYER)
    assert caught.value.status == 401
    assert "barley" not in str(caught.value)


def test_tls_needs_the_authority(start_registry: StartRegistry, tmp_path: Path) -> None:
    """Everything works with the authority of the certificate, and nothing without it."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    host = start_registry(
        tls={"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}
    )
    with Repository(f"{host}/org/app", plain_http=False, ca_certs=tmp_path / "ca.pem") as repo:
        assert_round_trip(repo)
    with Repository(f"{host}/org/app", plain_http=False) as repo, pytest.raises(TransportError):
        repo.tags()


class TokenServer:
    """A token server as the distribution-spec describes it: anyone may pull, ann may also push."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.bundle = folder / "tokens.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        certificate = authority.issue_cert("tokens.test")
        leaf = load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
        der = leaf.public_bytes(serialization.Encoding.DER)
        self._x5c = [base64.b64encode(der).decode()]
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self.issued: list[tuple[str, tuple[str, ...]]] = []
        handler = type("Handler", (_TokenHandler,), {"tokens": self})
        self.server = LoopbackServer(handler)

    @property
    def config(self) -> dict[str, Any]:
        """The `auth` section of a registry that uses this token server."""
        return {
            "token": {
                "realm": f"http://127.0.0.1:{self.server.server_port}/token",
                "service": SERVICE,
                "issuer": "test",
                "rootcertbundle": str(self.bundle),
            }
        }

    def issue(self, user: str, scopes: list[str]) -> str:
        """Return a signed JSON Web Token with the permissions of the user."""
        self.issued.append((user, tuple(scopes)))
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted = [one for one in actions.split(",") if one == "pull" or user == "ann"]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {
            "iss": "test",
            "sub": user,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": str(len(self.issued)),
            "access": access,
        }
        header = {"typ": "JWT", "alg": "ES256", "x5c": self._x5c}
        signed = f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"
        first, second = decode_dss_signature(
            self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        )
        return f"{signed}.{_segment(first.to_bytes(32, 'big') + second.to_bytes(32, 'big'))}"


class _TokenHandler(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        authorization = self.headers.get("Authorization")
        if authorization not in {None, ANN.basic()} or query["service"] != [SERVICE]:
            self.send_error(401)
            return
        user = "" if authorization is None else "ann"
        body = json.dumps({"token": self.tokens.issue(user, query["scope"])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Exchange the identity token of ann, with OAuth2."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = parse_qs(body.decode())
        known = form["refresh_token"] == ["identity of ann"] and "Authorization" not in self.headers
        if not known or form["grant_type"] != ["refresh_token"] or form["service"] != [SERVICE]:
            self.send_error(401)
            return
        token = self.tokens.issue("ann", form["scope"][0].split(" "))
        answer = json.dumps({"access_token": token, "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    token_server = TokenServer(tmp_path)
    with token_server.server:
        yield token_server


def test_one_token_is_fetched_for_each_scope(
    start_registry: StartRegistry, tokens: TokenServer
) -> None:
    """All requests work with tokens; one is fetched for all reads and one for all writes."""
    name = f"{start_registry(auth=tokens.config)}/org/app"
    with Repository(name, credentials=ANN) as repo:
        assert_round_trip(repo)
    assert tokens.issued[0][0] == "ann"
    assert sorted(scopes for _, scopes in tokens.issued) == [
        ("repository:org/app:pull",),
        ("repository:org/app:pull,push",),
    ]


def test_a_token_that_may_only_pull_does_not_push(
    start_registry: StartRegistry, tokens: TokenServer
) -> None:
    """An anonymous client pulls what ann pushed, and is refused when it pushes."""
    name = f"{start_registry(auth=tokens.config)}/org/app"
    with Repository(name, credentials=ANN) as repo:
        root = push_image(repo, "v1")
    with Repository(name) as repo:
        assert repo.resolve("v1") == root
        assert len(pull_image(repo, "v1")) == 2
        with pytest.raises(AuthError, match="pass Credentials") as caught:
            repo.tag("v2", root)
        assert caught.value.status == 401
        assert repo.tags() == ("v1",)
    wrong = Credentials("ann", "open-barley")
    with (
        Repository(name, credentials=wrong) as repo,
        pytest.raises(AuthError, match="token server"),
    ):
        repo.resolve("v1")


def test_an_identity_token_is_as_good_as_a_password(
    start_registry: StartRegistry, tokens: TokenServer
) -> None:
    """The identity token of `docker login` is exchanged for tokens, also for two repositories."""
    host = start_registry(auth=tokens.config)
    ann = Credentials("", "", identity_token="identity of ann")
    with (
        Repository(f"{host}/org/app", credentials=ann) as repo,
        Repository(f"{host}/org/twin", credentials=ann) as twin,
    ):
        assert_round_trip(repo)
        copy(repo, "v1", twin)
        assert pull_image(twin, "v1") == pull_image(repo, "v1")
    assert {user for user, _ in tokens.issued} == {"ann"}
    mounted = [scopes for _, scopes in tokens.issued if "repository:org/app:pull" in scopes[1:]]
    assert mounted  # the token for the other repository may read the source of the mount


def test_documents_are_uploaded_byte_for_byte(docker_registry: str) -> None:
    """Bytes that our encoder would not write keep their digest."""
    with Repository(f"{docker_registry}/org/app") as repo:
        config = repo.blobs.put(b"{}", media_type=OCI_CONFIG)
        document = json.dumps(json.loads(encode(Manifest(config=config))), indent=3).encode()
        descriptor = repo.put_manifest(document)
        assert descriptor == Descriptor.of(document, OCI_MANIFEST)
        assert repo.blobs.read(descriptor) == document


def test_referrers_are_listed_under_a_tag(docker_registry: str) -> None:
    """A registry without the referrers API gets a list of them, which is read instead."""
    with Repository(f"{docker_registry}/org/app") as repo:
        config = repo.blobs.put(b"{}", media_type=OCI_CONFIG)
        image = repo.put_manifest(Manifest(config=config))
        assert repo.referrers(image.digest) == ()
        signatures = [
            repo.put_manifest(
                Manifest(artifact_type=f"text/{kind}", config=config, subject=image)
            ).digest
            for kind in ("plain", "html")
        ]
        assert [one.digest for one in repo.referrers(image.digest)] == signatures
        (plain,) = repo.referrers(image.digest, artifact_type="text/plain")
        assert plain.digest == signatures[0]
        assert repo.tags() == (fallback_tag(image.digest),)


@pytest.mark.spec("distribution:digest-and-tag")
@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_another_digest_than_sha256_is_not_tagged(
    docker_registry: str, tmp_path: Path, algorithm: str
) -> None:
    """It does not support such manifests: an error with advice, and no tag with a sha256 digest."""
    layout = Layout.create(tmp_path / "layout", durability="none")
    config = layout.blobs.put(b"{}", media_type=OCI_CONFIG)
    root = layout.put_manifest(Manifest(config=config), algorithm=algorithm)
    layout.tag("v1", root)
    with Repository(f"{docker_registry}/org/{algorithm}") as repo:
        with pytest.raises(RegistryError, match=f"{algorithm} digests"):
            copy(layout, "v1", repo)
        with pytest.raises(RegistryError):
            repo.tags()  # only a blob was stored, so the repository does not exist
        with pytest.raises(ReferenceNotFoundError):
            repo.resolve("v1")


# ------------------------------------------------------------------ chunks and broken connections


@pytest.mark.parametrize("size", [0, 1, 2, 1_000_000, 1_000_001])
@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
def test_chunks_of_all_sizes_are_uploaded(docker_registry: str, size: int, kind: str) -> None:
    """A blob that is sent in chunks is stored whole."""
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    expected = Descriptor.of(data, OCI_LAYER)
    sources: dict[str, Any] = {"bytes": data, "file": io.BytesIO(data), "stream": _Stream(data)}
    with Repository(f"{docker_registry}/org/app", chunk_size=300_000) as repo:
        assert repo.blobs.put(sources[kind], media_type=OCI_LAYER, expected=expected) == expected
        assert repo.blobs.read(expected) == data


class _Stream(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.raw = io.BytesIO(data)

    def read(self, size: int | None = -1, /) -> bytes:
        return self.raw.read(size)


@contextmanager
def cutting(host: str, left: list[int]) -> Iterator[str]:
    """Run a proxy for a registry; it cuts one upload after each of these numbers of bytes."""
    address = (host.partition(":")[0], int(host.partition(":")[2]))
    threads: list[threading.Thread] = []
    ends_of_all: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket, limit: float) -> None:
        with suppress(OSError):
            while limit > 0 and (data := source.recv(65536)):
                target.sendall(data[: int(min(limit, len(data)))])
                limit -= len(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket, stack: ExitStack) -> None:
        with suppress(OSError):
            while True:
                client = stack.enter_context(listener.accept()[0])
                server = stack.enter_context(socket.create_connection(address))
                ends_of_all.extend((client, server))
                limit = left.pop(0) if left else float("inf")
                for ends in ((client, server, limit), (server, client, float("inf"))):
                    threads.append(threading.Thread(target=pump, args=ends))
                    threads[-1].start()

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = threading.Thread(target=serve, args=(listener, stack))
        server.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        server.join()
        for end in ends_of_all:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("chunk_size", [None, 500_000])
def test_an_upload_survives_cuts(docker_registry: str, chunk_size: int | None) -> None:
    """An upload whose connection breaks twice ends with a whole blob."""
    data = bytes(range(251)) * 12_000
    cuts = [1_400_000, 900_000]
    with (
        cutting(docker_registry, cuts) as host,
        Repository(f"{host}/org/app", chunk_size=chunk_size) as repo,
    ):
        blob = repo.blobs.put(io.BytesIO(data), media_type=OCI_LAYER)
        assert repo.blobs.read(blob) == data
    assert cuts == []


def test_a_part_of_a_blob_is_downloaded(docker_registry: str) -> None:
    """The registry supports ranges."""
    with Repository(f"{docker_registry}/org/app") as repo:
        repo.ping()
        blob = repo.blobs.put(bytes(range(256)), media_type=OCI_LAYER)
        part = repo.blobs.read_unverified(blob.digest, start=10, length=5)
        assert part == bytes(range(10, 15))
        assert repo.blobs.read_unverified(blob.digest, start=300, length=5) == b""


# ------------------------------------------------------------------ mounts and deletions


def test_blobs_are_mounted_within_the_registry(docker_registry: str) -> None:
    """A mount sends no bytes; a copy between two repositories uses it."""
    with (
        Repository(f"{docker_registry}/org/app") as first,
        Repository(f"{docker_registry}/org/twin") as second,
    ):
        root = push_image(first, "v1")
        (layer, *_) = [Descriptor.of(data, OCI_LAYER) for data in pull_image(first, "v1")]
        assert second.blobs.mount(layer, "org/app")
        assert second.blobs.holds(layer)
        assert not second.blobs.mount(Descriptor.of(b"missing", OCI_LAYER), "org/app")
        assert not second.blobs.mount(Descriptor.of(b"missing", OCI_LAYER), "nobody/home")
        kinds: dict[str, set[str]] = {}
        copy(
            first, "v1", second, on_event=lambda event: kinds.setdefault(
                event.descriptor.digest, set()
            ).add(event.kind),
        )  # fmt: skip
        assert kinds[layer.digest] == {"planned", "skipped"}
        assert second.resolve("v1") == root
        assert pull_image(second, "v1") == pull_image(first, "v1")


def test_what_is_deleted_is_gone(docker_registry: str) -> None:
    """Manifests with their tags, and blobs; it cannot delete a single tag, and says so."""
    with Repository(f"{docker_registry}/org/app") as repo:
        root = push_image(repo, "v1", "v2")
        blob = repo.blobs.put(b"alone", media_type=OCI_LAYER)
        with pytest.raises(RegistryError, match=r"UNSUPPORTED|DIGEST_INVALID"):
            repo.untag("v1")
        repo.delete(root)
        repo.blobs.delete(blob.digest)
        for name in ("v1", "v2", str(root.digest)):
            with pytest.raises(ReferenceNotFoundError):
                repo.resolve(name)
        assert blob.digest not in repo.blobs
        with pytest.raises(ReferenceNotFoundError):
            repo.delete(root)
        with pytest.raises(BlobNotFoundError):
            repo.blobs.delete(blob.digest)


@pytest.mark.spec("distribution:delete")
def test_a_deleted_referrer_is_removed_from_the_list(docker_registry: str) -> None:
    """Without the referrers API, the list under the tag is updated."""
    with Repository(f"{docker_registry}/org/app") as repo:
        config = repo.blobs.put(b"{}", media_type=OCI_CONFIG)
        image = repo.put_manifest(Manifest(config=config))
        first, second = (
            repo.put_manifest(Manifest(artifact_type=f"text/{kind}", config=config, subject=image))
            for kind in ("plain", "html")
        )
        repo.delete(first)
        assert [one.digest for one in repo.referrers(image.digest)] == [second.digest]
        repo.delete(second)
        assert repo.referrers(image.digest) == ()


def test_a_client_certificate_is_required_and_sufficient(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """A registry that requires a certificate accepts ours, and no client without one."""
    authority = trustme.CA()
    certificate, ours = authority.issue_cert("127.0.0.1"), authority.issue_cert("ann@example.com")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    folder = tmp_path / "certs"
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    ours.cert_chain_pems[0].write_to_path(str(folder / "client.cert"))
    ours.private_key_pem.write_to_path(str(folder / "client.key"))
    host = start_registry(
        tls={
            "certificate": str(tmp_path / "server.pem"),
            "key": str(tmp_path / "server.key"),
            "clientcas": [str(tmp_path / "ca.crt")],
        }
    )
    with Repository(f"{host}/org/app", plain_http=False, certs=folder) as repo:
        assert_round_trip(repo)
    with (
        Repository(f"{host}/org/app", plain_http=False, ca_certs=tmp_path / "ca.crt") as repo,
        pytest.raises(TransportError),
    ):
        repo.tags()
