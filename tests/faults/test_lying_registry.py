"""A registry that lies, breaks or stalls: the right error, and nothing wrong on disk."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from attrs import define, field

from ocilayout import copy
from ocilayout.errors import (
    AuthError,
    BlobNotFoundError,
    DigestMismatchError,
    DocumentError,
    LimitExceededError,
    OciLayoutError,
    RateLimitedError,
    ReferenceNotFoundError,
    RegistryError,
    SizeMismatchError,
    TransportError,
)
from ocilayout.layout.layout import Layout
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import DEFAULT_LIMITS, MAX_DEPTH, MAX_DOCUMENT, Limits
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from ocilayout.registry import Credentials, Patience, Repository
from ocilayout.testing.registry import (
    Answer,
    Fault,
    HangUpError,
    LoopbackRegistry,
    Request,
    Storage,
    TokenAuth,
    bomb,
    fault,
    refusal,
    reply,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NAME = "team/app"
V2 = f"/v2/{NAME}"
ANN = Credentials("ann", "open-sesame")
OTHER = str(Digest.of(b"something else"))
CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL = b"X: y\r\n"
HTML = b"<!doctype html><title>Sign in</title>"


@define
class Lab:
    """A registry that may lie, an unrelated second registry, and layouts on both ends."""

    registry: LoopbackRegistry
    other: LoopbackRegistry
    source: Layout
    target: Layout
    root: Descriptor
    manifest: Descriptor
    layer: Descriptor
    tokens: TokenAuth = field(factory=lambda: TokenAuth({"ann": "open-sesame"}))
    timeout: float = 60.0
    limits: Limits = DEFAULT_LIMITS

    def lie(self, on: str, how: Fault, **more: Any) -> Lab:
        """Let the registry misbehave."""
        self.registry.misbehave(on, how, **more)
        return self

    def plant(self, *documents: bytes) -> Lab:
        """Store documents that a correct registry would refuse, and tag the last one."""
        self.registry.put_manifests(NAME, documents, tag="v1")
        return self

    def cut_once(self, on: str, rest: Fault) -> Lab:
        """Cut the download of a layer, and change the bytes after the cut."""
        of = {"reference": self.layer.digest}
        return self.lie(on, fault.cut(100_000), **of, times=1).lie(on, rest, **of, skip=1)

    def guard(self) -> Lab:
        """Let both registries ask for tokens."""
        self.registry.auth = self.tokens
        self.other.auth = TokenAuth({"ann": "open-sesame"})
        return self

    def empty(self) -> Lab:
        """Let the registry hold nothing."""
        for held in (self.registry.blobs, self.registry.manifests, self.registry.tags):
            held.clear()
        return self

    def hurry(self) -> Lab:
        """Shorten the timeouts of our client."""
        self.timeout = 0.2
        return self

    def serve_elsewhere(self, **spoilt: bytes) -> Lab:
        """Let the other registry have the same blobs, with other bytes in their place if given."""
        self.other.blobs.update(self.registry.blobs)
        if "layer" in spoilt:
            self.other.blobs[NAME, self.layer.digest] = spoilt["layer"]
        return self

    def limit(self, **limits: int) -> Lab:
        """Lower the limits of our client."""
        self.limits = Limits(**limits)
        return self

    def open(self, *, chunk_size: int | None = None) -> Repository:
        return Repository(
            f"{self.registry.host}/{NAME}",
            credentials=ANN,
            timeout=self.timeout,
            patience=Patience(sleep=lambda _: None),
            limits=self.limits,
            chunk_size=chunk_size,
        )

    def pull(self, tag: str = "v1") -> None:
        with self.open() as repository:
            copy(repository, tag, self.target, limits=self.limits)

    def push(self, *, chunk_size: int | None = None, jobs: int = 4) -> None:
        with self.open(chunk_size=chunk_size) as repository:
            copy(self.source, "v1", repository, name="pushed", jobs=jobs)


def put_image(layout: Layout) -> Descriptor:
    """Store an image of one platform in an index, with layers that take several reads."""
    layers = [
        layout.blobs.put(bytes([number]) * 200_000, media_type=OCI_LAYER) for number in (1, 2)
    ]
    config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
    manifest = layout.put_manifest(Manifest(config=config, layers=layers))
    return layout.put_manifest(Index(manifests=[manifest]))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout.create(tmp_path_factory.mktemp("source") / "layout", durability="none")
    layout.tag("v1", put_image(layout))
    return layout


@pytest.fixture(scope="module")
def held(source: Layout) -> Storage:
    """What the registry holds before it lies: the image, as our client pushes it."""
    with LoopbackRegistry() as registry, Repository(f"{registry.host}/{NAME}") as repository:
        for tag in ("v1", "right"):
            copy(source, "v1", repository, name=tag)
        return registry


def fill(registry: LoopbackRegistry, held: Storage) -> None:
    registry.blobs.update(held.blobs)
    registry.manifests.update(held.manifests)
    registry.tags.update(held.tags)


@pytest.fixture
def lab(tmp_path: Path, source: Layout, held: Storage) -> Iterator[Lab]:
    target = Layout.create(tmp_path / "target", durability="none")
    config = target.blobs.put(b"kept", media_type="text/plain")
    target.tag("kept", target.put_manifest(Manifest(config=config)))
    root, manifest, _, layer, _ = source.walk(source.resolve("v1"))
    with LoopbackRegistry() as registry, LoopbackRegistry() as other:
        fill(registry, held)
        yield Lab(registry, other, source, target, root, manifest, layer)


def require_sound(layout: Layout) -> None:
    """Require that every blob matches its digest, and that no temporary file is left."""
    for path in layout.path.glob("blobs/*/*"):
        assert hashlib.new(path.parent.name, path.read_bytes()).hexdigest() == path.name
    names = {path.name for path in layout.path.iterdir()}
    assert names <= {"oci-layout", "index.json", "index.json.lock", "blobs", "ingest"}
    assert list(layout.path.glob("ingest/*")) == []


def require_secrets_kept(lab: Lab) -> None:
    """Require that no other host got our credentials."""
    assert [one for one in lab.other.requests if "Authorization" in one.headers] == []


Row = tuple[Callable[[Lab], object], type[OciLayoutError], str | None]


def rows(table: dict[str, Row]) -> pytest.MarkDecorator:
    """Parametrise by a table of what is done, the error, and a part of its message."""
    return pytest.mark.parametrize(
        ("prepare", "error", "said"), [pytest.param(*row, id=name) for name, row in table.items()]
    )


def document(**changes: Any) -> bytes:
    """A manifest of a config that is in the registry, and of whatever else is said."""
    config = {"mediaType": OCI_CONFIG, "digest": str(Digest.of(CONFIG)), "size": len(CONFIG)}
    whole = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    return json.dumps({**whole, **changes}).encode()


def echo(request: Request, _proceed: Callable[[], Answer]) -> Answer:
    """Refuse with our credentials in the message."""
    return refusal(400, "DENIED", f"not with {request.headers['Authorization']}")


# ------------------------------------------------------------------ pulling

PULLS: dict[str, Row] = {
    # bytes and what is said of them
    "a tag's digest is none": (
        lambda lab: lab.lie("manifest", fault.header("Docker-Content-Digest", "sha256:../x")),
        RegistryError,
        "is not a valid digest",
    ),
    "one bit of a manifest is wrong": (
        lambda lab: lab.lie("GET manifest", fault.flip(20), reference=lab.manifest.digest),
        DigestMismatchError,
        None,
    ),
    "a manifest is another one": (
        lambda lab: lab.lie("GET manifest", fault.body(document()), reference=lab.manifest.digest),
        SizeMismatchError,
        None,
    ),
    "one bit of a layer is wrong": (
        lambda lab: lab.lie("GET blob", fault.flip(150_000), reference=lab.layer.digest),
        DigestMismatchError,
        None,
    ),
    "the last bit of a layer is wrong": (
        lambda lab: lab.lie("GET blob", fault.flip(-1), reference=lab.layer.digest),
        DigestMismatchError,
        None,
    ),
    "a layer is too long": (
        lambda lab: lab.lie("GET blob", fault.grow(), reference=lab.layer.digest),
        SizeMismatchError,
        None,
    ),
    "a layer is too short": (
        lambda lab: lab.lie("GET blob", fault.shrink(), reference=lab.layer.digest),
        SizeMismatchError,
        None,
    ),
    "a layer is empty": (
        lambda lab: lab.lie("GET blob", fault.body(b"")),
        SizeMismatchError,
        None,
    ),
    "a layer comes compressed": (
        lambda lab: lab.lie("GET blob", fault.gzip()),
        SizeMismatchError,
        None,
    ),
    "a manifest comes compressed": (
        lambda lab: lab.lie("GET manifest", fault.gzip(), reference=lab.manifest.digest),
        SizeMismatchError,
        None,
    ),
    "a layer is not there": (
        lambda lab: lab.lie("GET blob", fault.refuse(404, "BLOB_UNKNOWN")),
        BlobNotFoundError,
        None,
    ),
    "a layer has no content": (
        lambda lab: lab.lie("GET blob", fault.answer(204)),
        RegistryError,
        "204",
    ),
    "a layer is answered with a range that was not requested": (
        lambda lab: lab.lie("GET blob", fault.status(206)),
        RegistryError,
        "206",
    ),
    # how it is sent
    "a layer is cut": (
        lambda lab: lab.lie("GET blob", fault.cut(150_000)).lie(
            "GET blob", fault.ignore(header="Range")
        ),
        TransportError,
        "broke",
    ),
    "a layer is cut before it begins": (
        lambda lab: lab.lie("GET blob", fault.cut(0)),
        TransportError,
        "broke",
    ),
    "a manifest is cut": (
        lambda lab: lab.lie("GET manifest", fault.cut(10)),
        TransportError,
        "broke",
    ),
    "less comes than the length says": (
        lambda lab: lab.lie("GET blob", fault.promise(300_000)).lie(
            "GET blob", fault.ignore(header="Range")
        ),
        TransportError,
        "broke",
    ),
    "a chunk is cut": (
        lambda lab: lab.lie("GET blob", fault.chunked(broken_after=1500)),
        TransportError,
        "broke",
    ),
    "the answer is no HTTP": (
        lambda lab: lab.lie("GET blob", fault.raw(b"220 ready\r\n")),
        TransportError,
        "not HTTP",
    ),
    "there is no answer": (
        lambda lab: lab.lie("manifest", fault.hang_up()),
        TransportError,
        "broke",
    ),
    "it says to continue for ever": (
        lambda lab: lab.lie("GET blob", fault.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
        TransportError,
        "not HTTP",
    ),
    "interim answers are more than a head": (
        lambda lab: lab.lie("GET blob", fault.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000)),
        TransportError,
        "not HTTP",
    ),
    "early hints are more than a head": (
        lambda lab: lab.lie("GET blob", fault.raw(b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" * 20_000)),
        TransportError,
        "not HTTP",
    ),
    "an interim answer has headers without end": (
        lambda lab: lab.lie("GET blob", fault.raw(b"HTTP/1.1 100 Continue\r\n" + SMALL * 50_000)),
        TransportError,
        "not HTTP",
    ),
    "trailers have no end": (
        lambda lab: lab.lie("GET blob", fault.raw(CHUNKED + b"0\r\n" + SMALL * 50_000)),
        TransportError,
        "not HTTP",
    ),
    "a chunk has an extension without end": (
        lambda lab: lab.lie("GET blob", fault.raw(CHUNKED + b"5;" + b"x" * 300_000)),
        TransportError,
        "not HTTP",
    ),
    "what comes is an error without a head": (
        lambda lab: lab.lie("GET blob", fault.raw(b'{"errors":[{"code":"DENIED"}]}')),
        TransportError,
        "not HTTP",
    ),
    "a status is too small": (
        lambda lab: lab.lie("GET blob", fault.status(99)),
        TransportError,
        "not HTTP",
    ),
    "a chunk is smaller than nothing": (
        lambda lab: lab.lie("GET blob", fault.raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n")),
        TransportError,
        "not HTTP",
    ),
    "a chunk is larger than anything": (
        lambda lab: lab.lie("GET blob", fault.raw(CHUNKED + b"f" * 17 + b"\r\nhello")),
        TransportError,
        "not HTTP",
    ),
    "a header has no end": (
        lambda lab: lab.lie("GET blob", fault.header("X-Long", "x" * 100_000)),
        TransportError,
        "not HTTP",
    ),
    "there are headers without end": (
        lambda lab: lab.lie("GET blob", fault.header("X", "\r\nX: ".join("x" * 1000))),
        TransportError,
        "not HTTP",
    ),
    "a layer stalls": (
        lambda lab: (
            lab.hurry()
            .lie("GET blob", fault.Stall(after=100_000), reference=lab.layer.digest)
            .lie("GET blob", fault.ignore(header="Range"))
        ),
        TransportError,
        "timeout",
    ),
    "an answer does not begin": (
        lambda lab: lab.hurry().lie("GET blob", fault.Stall()),
        TransportError,
        "timeout",
    ),
    # refusals
    "too many requests": (
        lambda lab: lab.lie(
            "GET blob", fault.refuse(429, "TOOMANYREQUESTS", headers={"Retry-After": "86400"})
        ),
        RateLimitedError,
        "86400",
    ),
    "it is broken": (
        lambda lab: lab.lie("GET blob", fault.refuse(500)),
        RegistryError,
        "500",
    ),
    "it is overloaded": (
        lambda lab: lab.lie("manifest", fault.refuse(503, "UNAVAILABLE")),
        RegistryError,
        "503",
    ),
    "an error is a web page": (
        lambda lab: lab.lie("GET blob", fault.answer(500, HTML, media_type="text/html")),
        RegistryError,
        "500",
    ),
    "a manifest that is not there is a web page": (
        lambda lab: lab.lie("manifest", fault.answer(404, HTML, media_type="text/html")),
        ReferenceNotFoundError,
        "v1",
    ),
    "an error's body has no end": (
        lambda lab: lab.lie("GET blob", fault.answer(500, b" " * 1_000_000)),
        RegistryError,
        "500",
    ),
    "a manifest is a web page": (
        lambda lab: lab.lie("manifest", fault.answer(200, HTML, media_type="text/html")),
        RegistryError,
        None,
    ),
    "a status is of its own": (
        lambda lab: lab.lie("GET blob", fault.status(599)),
        RegistryError,
        "599",
    ),
    # redirects
    "a redirect leads to a host with something else": (
        lambda lab: lab.serve_elsewhere(layer=b"x" * lab.layer.size).lie(
            "GET blob", fault.redirect(lab.other.url, keep_path=True)
        ),
        DigestMismatchError,
        None,
    ),
    "a redirect leads to a host that asks who we are": (
        lambda lab: lab.guard().lie("GET blob", fault.redirect(lab.other.url, keep_path=True)),
        AuthError,
        None,
    ),
    "a redirect leads to a host that refuses": (
        lambda lab: (
            lab.lie("GET blob", fault.redirect(lab.other.url, keep_path=True)),
            lab.other.misbehave("GET blob", fault.refuse(403, "DENIED")),
        ),
        RegistryError,
        "to which .* redirects, answers 403",
    ),
    "redirects go round": (
        lambda lab: lab.lie("GET blob", fault.redirect("", keep_path=True)),
        RegistryError,
        "redirects",
    ),
    "redirects have no end": (
        lambda lab: lab.lie("GET blob", fault.redirect_forever(302)),
        RegistryError,
        "redirects",
    ),
    "a redirect leads to a file": (
        lambda lab: lab.lie("GET blob", fault.redirect("file:///etc/passwd")),
        RegistryError,
        "Location",
    ),
    "a redirect holds a password": (
        lambda lab: lab.lie("GET blob", fault.redirect("http://ann:secret@127.0.0.1/")),
        RegistryError,
        "Location",
    ),
    "a redirect is not a valid URL": (
        lambda lab: lab.lie("GET blob", fault.redirect("http://[::1")),
        RegistryError,
        "Location",
    ),
    "a redirect leads to a port where nothing listens": (
        lambda lab: lab.lie("GET blob", fault.redirect("http://127.0.0.1:1/")),
        TransportError,
        "refused",
    ),
    "a redirect leads nowhere": (
        lambda lab: lab.lie("GET blob", fault.answer(307)),
        RegistryError,
        "Location",
    ),
    # who we are
    "it denies everything and asks nothing": (
        lambda lab: lab.lie("manifest", fault.refuse(403, "DENIED")),
        AuthError,
        "none were sent; the repository may not exist.*DENIED",
    ),
    "it wants a login and asks for none": (
        lambda lab: lab.lie("manifest", fault.refuse(401)),
        AuthError,
        "none were sent",
    ),
    "it asks with nothing that can be read": (
        lambda lab: lab.lie("manifest", fault.refuse(401, headers={"WWW-Authenticate": "(x)"})),
        AuthError,
        "WWW-Authenticate that cannot be read",
    ),
    "it asks for a scope that is not given": (
        lambda lab: lab.guard().lie("token", fault.refuse(403, "DENIED")),
        AuthError,
        "token server .* refuses these credentials",
    ),
    "it asks who we are for ever": (
        lambda lab: lab.lie(
            "GET blob", fault.refuse(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        ),
        AuthError,
        None,
    ),
    "no token is ever good": (
        lambda lab: lab.guard().lie("GET blob", fault.before(lab.tokens.expire)),
        AuthError,
        None,
    ),
    "its question cannot be read": (
        lambda lab: lab.lie(
            "GET blob", fault.refuse(401, headers={"WWW-Authenticate": 'Bearer realm="'})
        ),
        AuthError,
        "WWW-Authenticate",
    ),
    "it asks nothing we know": (
        lambda lab: lab.lie(
            "GET blob", fault.refuse(401, headers={"WWW-Authenticate": "Negotiate"})
        ),
        AuthError,
        "negotiate",
    ),
    "tokens are had from elsewhere, in the clear": (
        lambda lab: lab.lie(
            "manifest",
            fault.refuse(
                401, headers={"WWW-Authenticate": 'Bearer realm="http://registry.example/token"'}
            ),
        ),
        AuthError,
        "not encrypted",
    ),
    "tokens are had from a file": (
        lambda lab: lab.lie(
            "manifest",
            fault.refuse(401, headers={"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}),
        ),
        AuthError,
        "token server",
    ),
    "tokens are had from a host that it redirects to": (
        lambda lab: lab.guard().lie("token", fault.redirect(lab.other.url, keep_path=True)),
        AuthError,
        "token server",
    ),
    "it repeats what it was sent": (
        lambda lab: lab.guard().lie("GET blob", echo),
        RegistryError,
        "400",
    ),
    "a token is a web page": (
        lambda lab: lab.guard().lie("token", fault.answer(200, HTML, media_type="text/html")),
        RegistryError,
        "without a usable token",
    ),
    "a token breaks the header": (
        lambda lab: lab.guard().lie(
            "token", fault.rewrite(lambda said: {**said, "token": "a\r\nHost: b"})
        ),
        RegistryError,
        "without a usable token",
    ),
    "the token server is broken": (
        lambda lab: lab.guard().lie("token", fault.refuse(500)),
        RegistryError,
        "token server",
    ),
    # documents
    "a manifest is an index, too": (
        lambda lab: lab.plant(document(manifests=[])),
        DocumentError,
        "manifests",
    ),
    "a property stands there twice": (
        lambda lab: lab.plant(document().replace(b"{", b'{"layers": [], ', 1)),
        DocumentError,
        "layers",
    ),
    "a property stands there in capitals, too": (
        lambda lab: lab.plant(document(Layers=[])),
        DocumentError,
        "Layers",
    ),
    "a document says another type": (
        lambda lab: lab.plant(document(mediaType=OCI_INDEX)).lie(
            "manifest", fault.header("Content-Type", OCI_MANIFEST)
        ),
        DocumentError,
        "mediaType",
    ),
    "a document is no JSON": (
        lambda lab: lab.plant(b"layers: []"),
        DocumentError,
        None,
    ),
    "a document is no UTF-8": (
        lambda lab: lab.plant(document(annotations={"a": "b"}).replace(b'"b"', b'"\xff"')),
        DocumentError,
        "UTF-8",
    ),
    "a digest leads out of the folder": (
        lambda lab: lab.plant(
            document(layers=[{"mediaType": OCI_LAYER, "digest": "sha256:../../x", "size": 1}])
        ),
        DocumentError,
        "digest",
    ),
    "a size is below zero": (
        lambda lab: lab.plant(
            document(layers=[{"mediaType": OCI_LAYER, "digest": OTHER, "size": -1}])
        ),
        DocumentError,
        "size",
    ),
    "embedded data is something else": (
        lambda lab: lab.plant(
            document(layers=[{"mediaType": OCI_LAYER, "digest": OTHER, "size": 1, "data": "eA=="}])
        ),
        DocumentError,
        "data",
    ),
    "a layer is larger than anything": (
        lambda lab: lab.plant(
            document(
                layers=[
                    {
                        "mediaType": OCI_LAYER,
                        "digest": lab.layer.digest,
                        "size": 2**60,
                    }
                ]
            )
        ),
        SizeMismatchError,
        None,
    ),
    "a document is huge": (
        lambda lab: lab.plant(*bomb.huge(MAX_DOCUMENT)),
        LimitExceededError,
        str(MAX_DOCUMENT),
    ),
    "a document is deep": (
        lambda lab: lab.plant(*bomb.deep(MAX_DEPTH)),
        LimitExceededError,
        None,
    ),
    "a document is larger than we take": (
        lambda lab: lab.limit(document=1000).plant(*bomb.huge(1000)),
        LimitExceededError,
        "1000",
    ),
    "there are more children than we take": (
        lambda lab: lab.limit(children=20).plant(*bomb.wide(21)),
        LimitExceededError,
        "20 children",
    ),
    "there are more layers than we take": (
        lambda lab: lab.limit(layers=20).plant(*bomb.layered(21)),
        LimitExceededError,
        "20 layers",
    ),
    "indexes are deeper than we take": (
        lambda lab: lab.limit(documents=20).plant(*bomb.nested(20)),
        LimitExceededError,
        "20 documents",
    ),
    # the rest of what was cut
    "the rest begins elsewhere": (
        lambda lab: lab.cut_once("GET blob", fault.header("Content-Range", "bytes 5-9/10")),
        RegistryError,
        "does not go on from there",
    ),
    "one bit of the rest is wrong": (
        lambda lab: lab.cut_once("GET blob", fault.flip(5)),
        DigestMismatchError,
        None,
    ),
    "the rest is too long": (
        lambda lab: lab.cut_once("GET blob", fault.grow()),
        SizeMismatchError,
        None,
    ),
    "there is no rest": (
        lambda lab: lab.cut_once("GET blob", fault.refuse(404)),
        RegistryError,
        "404",
    ),
    "the rest is outside of what there is": (
        lambda lab: lab.cut_once(
            "GET blob", fault.refuse(416, headers={"Content-Range": "bytes */5"})
        ),
        RegistryError,
        "does not go on from there",
    ),
    "one of many children is not there": (
        lambda lab: lab.plant(*bomb.wide(50)).lie("GET manifest", fault.refuse(404), skip=10),
        BlobNotFoundError,
        None,
    ),
}


@rows(PULLS)
def test_a_pull_from_a_liar_fails_and_leaves_nothing(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str | None
) -> None:
    """The error is of the right kind, no entry is new, no blob is wrong, and all still works."""
    before = lab.target.entries()
    prepare(lab)
    with pytest.raises(error, match=said) as caught:
        lab.pull()
    assert type(caught.value) is error
    secrets = ["open-sesame", *(token.value for token in lab.tokens.issued)]
    assert [secret for secret in secrets if secret in repr(caught.value)] == []
    require_secrets_kept(lab)
    assert lab.target.entries() == before
    require_sound(lab.target)
    lab.registry.behave()
    lab.timeout, lab.limits = 5.0, DEFAULT_LIMITS
    lab.pull("right")
    assert lab.target.resolve("right") == lab.root
    assert lab.target.check() == ()


# ------------------------------------------------------------------ what a tag means

TAGS: dict[str, Row] = {
    "its digest is another": (
        lambda lab: lab.lie("HEAD manifest", fault.header("Docker-Content-Digest", OTHER)),
        BlobNotFoundError,
        OTHER,
    ),
    "its size is too small": (
        lambda lab: lab.lie("HEAD manifest", fault.header("Content-Length", "7")),
        SizeMismatchError,
        "7",
    ),
    "its size is enormous": (
        lambda lab: lab.lie("HEAD manifest", fault.header("Content-Length", str(10**15))),
        LimitExceededError,
        str(MAX_DOCUMENT),
    ),
    "its type is another": (
        lambda lab: lab.lie("HEAD manifest", fault.header("Content-Type", OCI_MANIFEST)),
        DocumentError,
        "mediaType",
    ),
}


@rows(TAGS)
def test_false_headers_about_a_tag_are_noticed(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str | None
) -> None:
    """A false header about a tag is noticed when the manifest is read."""
    prepare(lab)
    with lab.open() as repository:
        root = repository.resolve("v1")
        with pytest.raises(error, match=said) as caught:
            repository.read_manifest(root)
        assert type(caught.value) is error
        lab.registry.behave()
        assert repository.resolve("v1") == lab.root


# ------------------------------------------------------------------ pushing


PUSHES: dict[str, Row] = {
    "an upload has no place": (
        lambda lab: lab.lie("POST uploads", fault.header("Location", None)),
        RegistryError,
        "Location",
    ),
    "an upload goes to a file": (
        lambda lab: lab.lie("POST uploads", fault.header("Location", "file:///tmp/x")),
        RegistryError,
        "Location",
    ),
    "an upload goes to a host that knows nothing of it": (
        lambda lab: lab.lie(
            "POST uploads", fault.header("Location", f"{lab.other.url}{V2}/blobs/uploads/1")
        ),
        RegistryError,
        "404",
    ),
    "uploads are refused": (
        lambda lab: lab.lie("POST uploads", fault.refuse(403, "DENIED")),
        AuthError,
        "DENIED",
    ),
    "uploads are never begun": (
        lambda lab: lab.lie("POST uploads", fault.hang_up()),
        TransportError,
        "broke",
    ),
    "uploads are never to be begun yet": (
        lambda lab: lab.lie("POST uploads", fault.refuse(503, "UNAVAILABLE")),
        RegistryError,
        "503",
    ),
    "uploads are not taken": (
        lambda lab: lab.lie("POST uploads", fault.refuse(405, "UNSUPPORTED")),
        RegistryError,
        "UNSUPPORTED",
    ),
    "blobs are too large for it": (
        lambda lab: lab.lie("PUT upload", fault.refuse(413)),
        RegistryError,
        "can be sent in chunks",
    ),
    "it takes a manifest for another one": (
        lambda lab: lab.lie("PUT manifest", fault.pretend(OTHER)).lie(
            "PUT manifest", fault.status(202)
        ),
        DigestMismatchError,
        OTHER,
    ),
    "it takes no manifests": (
        lambda lab: lab.lie("PUT manifest", fault.answer(405)),
        RegistryError,
        "405",
    ),
    "uploads are lost each time": (
        lambda lab: lab.lie("upload", fault.before(lab.registry.uploads.clear)),
        RegistryError,
        "BLOB_UPLOAD_UNKNOWN",
    ),
    "uploads break off each time": (
        lambda lab: lab.lie("PUT upload", fault.hang_up(received=1000)),
        TransportError,
        "broke",
    ),
    "it finds another digest": (
        lambda lab: lab.lie("PUT upload", fault.refuse(400, "DIGEST_INVALID")),
        RegistryError,
        "DIGEST_INVALID",
    ),
    "it says that it stored another blob": (
        lambda lab: lab.lie("PUT upload", fault.header("Docker-Content-Digest", OTHER)),
        DigestMismatchError,
        OTHER,
    ),
    "it says that it stored no digest": (
        lambda lab: lab.lie("PUT upload", fault.header("Docker-Content-Digest", "none")),
        RegistryError,
        "is not a valid digest",
    ),
    "it pretends to store blobs": (
        lambda lab: lab.lie("PUT upload", fault.pretend()),
        RegistryError,
        "MANIFEST_BLOB_UNKNOWN",
    ),
    "it says that it stored another manifest": (
        lambda lab: lab.lie("PUT manifest", fault.pretend(OTHER)),
        DigestMismatchError,
        OTHER,
    ),
    "a manifest is too large for it": (
        lambda lab: lab.lie("PUT manifest", fault.refuse(413, "SIZE_INVALID")),
        RegistryError,
        "413",
    ),
    "a manifest is answered with a redirect to a file": (
        lambda lab: lab.lie("PUT manifest", fault.redirect("file:///tmp/x")),
        RegistryError,
        "Location",
    ),
    "too many pushes": (
        lambda lab: lab.lie("POST uploads", fault.refuse(429, headers={"Retry-After": "86400"})),
        RateLimitedError,
        "86400",
    ),
    "it forgets who we are for ever": (
        lambda lab: lab.lie(
            "PUT manifest", fault.refuse(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        ),
        AuthError,
        None,
    ),
}


def stamps(layout: Layout) -> dict[Path, tuple[int, int, int]]:
    """What shows whether a file was written, for all files of a layout."""
    return {
        path: (found.st_ino, found.st_size, found.st_mtime_ns)
        for path in layout.path.rglob("*")
        for found in [path.stat()]
    }


@rows(PUSHES)
def test_a_push_to_a_liar_fails_and_names_nothing(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str | None
) -> None:
    """The error is of the right kind, no tag moved, nothing changed here, and all still works."""
    before = stamps(lab.source)
    lab.empty()
    prepare(lab)
    with pytest.raises(error, match=said) as caught:
        lab.push()
    assert type(caught.value) is error
    assert "open-sesame" not in str(caught.value)
    require_secrets_kept(lab)
    assert lab.registry.tags == {}
    assert stamps(lab.source) == before
    lab.registry.behave()
    lab.push()
    lab.pull("pushed")
    assert lab.target.resolve("pushed") == lab.root
    assert lab.target.check() == ()


TAGS_BY_DIGEST: dict[str, Row] = {
    "it does not regard the tag": (
        lambda lab: lab.lie("PUT manifest", fault.ignore(query="tag")),
        RegistryError,
        "set no tag pushed: it does not tag sha512 digests",
    ),
    "it says no tag": (
        lambda lab: lab.lie("PUT manifest", fault.header("OCI-Tag", None)),
        RegistryError,
        "set no tag pushed",
    ),
    "it says another tag": (
        lambda lab: lab.lie("PUT manifest", fault.header("OCI-Tag", "pushed2, push")),
        RegistryError,
        "set no tag pushed",
    ),
    "it says that it stored another digest": (
        lambda lab: lab.lie(
            "PUT manifest",
            fault.header("Docker-Content-Digest", str(Digest.of(b"something else", "sha512"))),
        ),
        DigestMismatchError,
        "instead of sha512:",
    ),
    "it says that it tagged a digest of sha256": (
        lambda lab: lab.lie("PUT manifest", fault.header("Docker-Content-Digest", OTHER)),
        DigestMismatchError,
        OTHER,
    ),
    "it says that it stored no digest": (
        lambda lab: lab.lie("PUT manifest", fault.header("Docker-Content-Digest", "none")),
        RegistryError,
        "is not a valid digest",
    ),
    "it pretends": (
        lambda lab: lab.lie("PUT manifest", fault.pretend()),
        RegistryError,
        "set no tag pushed",
    ),
    "it knows only sha256": (
        lambda lab: lab.lie("PUT manifest", fault.refuse(400, "DIGEST_INVALID")),
        RegistryError,
        "nothing was tagged",
    ),
    "it does not know the path": (
        lambda lab: lab.lie("PUT manifest", fault.answer(404)),
        RegistryError,
        "nothing was tagged",
    ),
    "it redirects without the query": (
        lambda lab: lab.lie("PUT manifest", redirect_to_the_path, times=1),
        RegistryError,
        "set no tag pushed",
    ),
}


def redirect_to_the_path(request: Request, _proceed: Callable[[], Answer]) -> Answer:
    """Redirect to the same path, and lose what stands behind it."""
    return reply(307, headers={"Location": request.path})


@pytest.mark.spec("distribution:digest-and-tag")
@rows(TAGS_BY_DIGEST)
def test_a_lying_registry_tags_no_other_digest(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str
) -> None:
    """A root of sha512 is never sent by its tag, and no tag means another digest."""
    layer = lab.target.blobs.put(b"layer", media_type=OCI_LAYER)
    data = encode(Manifest(artifact_type="text/plain", config=layer))
    root = lab.target.put_manifest(data, algorithm="sha512")
    lab.target.tag("other", root)
    lab.empty()
    prepare(lab)
    with lab.open() as repository:
        with pytest.raises(error, match=said) as caught:
            copy(lab.target, "other", repository, name="pushed")
        assert type(caught.value) is error
        assert set(lab.registry.tags.values()) <= {root.digest}
        assert ("PUT", f"{V2}/manifests/pushed") not in lab.registry.requests
        lab.registry.behave()
        assert copy(lab.target, "other", repository, name="pushed") == root
        assert repository.resolve("pushed") == root


IN_CHUNKS: dict[str, Row] = {
    "every chunk is of an upload that it forgot": (
        lambda lab: lab.lie("PATCH upload", fault.refuse(404, "BLOB_UPLOAD_UNKNOWN")),
        RegistryError,
        "BLOB_UPLOAD_UNKNOWN",
    ),
    "no chunk is in order": (
        lambda lab: lab.lie("PATCH upload", fault.refuse(416, "BLOB_UPLOAD_INVALID")),
        RegistryError,
        "416",
    ),
    "it never has what it had": (
        lambda lab: lab.lie("PATCH upload", fault.hang_up(received=1000), skip=1, times=1).lie(
            "GET upload", fault.header("Range", "0-500")
        ),
        RegistryError,
        "416",
    ),
    "chunks have no place": (
        lambda lab: lab.lie("PATCH upload", fault.header("Location", None)),
        RegistryError,
        "Location",
    ),
    "chunks go on at another host": (
        lambda lab: lab.lie(
            "PATCH upload", fault.header("Location", f"{lab.other.url}{V2}/blobs/uploads/1")
        ),
        RegistryError,
        "404",
    ),
    "no chunk arrives": (
        lambda lab: lab.lie("PATCH upload", fault.hang_up(received=0)),
        TransportError,
        "broke",
    ),
    "chunks are forgotten at the end": (
        lambda lab: lab.lie("PUT upload", fault.pretend()),
        RegistryError,
        "MANIFEST_BLOB_UNKNOWN",
    ),
}


@rows(IN_CHUNKS)
def test_a_push_in_chunks_to_a_liar_fails_and_names_nothing(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str | None
) -> None:
    """The error is of the right kind, it comes to an end, no tag moved, and all still works."""
    lab.empty()
    prepare(lab)
    with pytest.raises(error, match=said) as caught:
        lab.push(chunk_size=50_000, jobs=1)  # one at a time, so that it is known which is lied to
    assert type(caught.value) is error
    require_secrets_kept(lab)
    assert lab.registry.tags == {}
    assert len(lab.registry.requests) < 60
    lab.registry.behave()
    lab.push(chunk_size=50_000)
    assert lab.registry.tags == {(NAME, "pushed"): lab.root.digest}


BEARABLE: dict[str, Callable[[Lab], object]] = {
    "an upload is lost half-way": lambda lab: lab.lie(
        "PATCH upload", fault.before(lab.registry.uploads.clear), skip=1, times=1
    ),
    "a chunk breaks off": lambda lab: lab.lie(
        "PATCH upload", fault.hang_up(received=1000), times=1
    ),
    "it says that it took less": lambda lab: lab.lie("PATCH upload", fault.header("Range", "0-9")),
    "it says that it took more": lambda lab: lab.lie(
        "PATCH upload", fault.header("Range", "0-99999999")
    ),
    "it says nonsense of what it took": lambda lab: lab.lie(
        "PATCH upload", fault.header("Range", "lots")
    ),
    "it has less than it had": lambda lab: lab.lie(
        "PATCH upload", fault.hang_up(received=1000), skip=1, times=1
    ).lie("GET upload", fault.header("Range", "0-500"), times=1),
    "it has more than was sent": lambda lab: lab.lie(
        "PATCH upload", fault.hang_up(received=1000), times=1
    ).lie("GET upload", fault.header("Range", "0-99999999")),
    "it says that it took less, and no status": lambda lab: (
        lab.lie("PATCH upload", fault.header("Range", "0-9"))
        .lie("PATCH upload", fault.status(201))
        .lie("GET upload", fault.refuse(404, "BLOB_UPLOAD_UNKNOWN"))
    ),
    "the beginning of an upload is lost": lambda lab: lab.lie(
        "POST uploads", fault.hang_up(), times=3
    ),
    "the answer to the beginning of an upload is lost": lambda lab: lab.lie(
        "POST uploads", fault.after(hang_up), times=3
    ),
    **{
        f"an upload is begun after {status}": lambda lab, status=status: lab.lie(  # type: ignore[misc]
            "POST uploads", fault.refuse(status), times=3
        )
        for status in (408, 429, 500, 502, 503, 504)
    },
    **{
        f"it answers {status} to HEAD": lambda lab, status=status: lab.lie(  # type: ignore[misc]
            "HEAD blob", fault.refuse(status)
        )
        for status in (400, 403, 405, 500, 501)
    },
    **{
        f"it answers {status} to HEAD and GET": lambda lab, status=status: (  # type: ignore[misc]
            lab.lie("HEAD blob", fault.refuse(status)).lie("GET blob", fault.refuse(status))
        )
        for status in (400, 403, 405, 501)
    },
    "the last answer is lost": lambda lab: lab.lie("PUT upload", fault.after(hang_up), times=1),
    "a manifest is stored and said to come later": lambda lab: lab.lie(
        "PUT manifest", fault.status(202)
    ),
    "the answer to a manifest is lost": lambda lab: lab.lie(
        "PUT manifest", fault.after(hang_up), times=1
    ),
    "a token expires between two chunks": lambda lab: lab.guard().lie(
        "PATCH upload", fault.before(lab.tokens.expire), times=1
    ),
    "chunks should be larger than anything": lambda lab: lab.lie(
        "POST uploads", fault.header("OCI-Chunk-Min-Length", "9" * 18)
    ),
    "it is overloaded for a moment": lambda lab: lab.lie(
        "PUT manifest", fault.refuse(503), times=1
    ),
}


def hang_up() -> None:
    raise HangUpError


@pytest.mark.parametrize("prepare", BEARABLE.values(), ids=BEARABLE)
def test_a_push_survives_faults_that_a_retry_overcomes(
    lab: Lab, prepare: Callable[[Lab], object]
) -> None:
    """A request that is lost or misunderstood is sent again, and the content arrives whole."""
    lab.empty()
    prepare(lab)
    lab.push(chunk_size=50_000, jobs=1)  # or a token could expire before its first use
    assert lab.registry.tags == {(NAME, "pushed"): lab.root.digest}
    lab.registry.behave()
    lab.pull("pushed")
    assert lab.target.check() == ()
    require_secrets_kept(lab)


def test_a_mount_that_is_of_something_else_is_an_error(lab: Lab) -> None:
    """A registry that says it mounted another blob is not believed."""
    lab.registry.put_blob("from/x", b"mounted")
    lab.lie("POST uploads", fault.header("Docker-Content-Digest", OTHER))
    with lab.open() as repository, pytest.raises(DigestMismatchError, match=OTHER):
        repository.blobs.mount(Descriptor.of(b"mounted", OCI_LAYER), "from/x")


# ------------------------------------------------------------------ lists


LISTS: dict[str, Row] = {
    "tags go on at another host": (
        lambda lab: lab.lie(
            "tags", fault.header("Link", f'<{lab.other.url}{V2}/tags/list>; rel="next"')
        ),
        RegistryError,
        "another host",
    ),
    "tags go on where they began": (
        lambda lab: lab.lie("tags", fault.header("Link", f'<{V2}/tags/list>; rel="next"')),
        RegistryError,
        "circle",
    ),
    "tags go on in a file": (
        lambda lab: lab.lie("tags", fault.header("Link", '<file:///etc/passwd>; rel="next"')),
        RegistryError,
        "Location",
    ),
    "tags are numbers": (
        lambda lab: lab.lie("tags", fault.body(b'{"tags": [1]}')),
        RegistryError,
        "not an array of strings",
    ),
    "tags are a web page": (
        lambda lab: lab.lie("tags", fault.answer(200, HTML, media_type="text/html")),
        RegistryError,
        "cannot be read",
    ),
    "tags are too much for a page": (
        lambda lab: lab.limit(listed=10).lie("tags", fault.body(b" " * (MAX_DOCUMENT + 1))),
        LimitExceededError,
        "bytes",
    ),
    "tags are cut": (
        lambda lab: lab.lie("tags", fault.cut(5)),
        TransportError,
        "broke",
    ),
    "referrers go on at another host": (
        lambda lab: lab.lie("referrers", fault.header("Link", f'<{lab.other.url}/x>; rel="next"')),
        RegistryError,
        "another host",
    ),
    "referrers are a manifest": (
        lambda lab: lab.lie("referrers", fault.body(document())),
        RegistryError,
        "cannot be read",
    ),
    "referrers have digests that are none": (
        lambda lab: lab.lie(
            "referrers",
            fault.rewrite(
                lambda said: {
                    **said,
                    "manifests": [{"mediaType": OCI_MANIFEST, "digest": "sha256:x", "size": 1}],
                }
            ),
        ),
        RegistryError,
        "cannot be read",
    ),
}


@rows(LISTS)
def test_a_false_list_is_refused(
    lab: Lab, prepare: Callable[[Lab], object], error: type[OciLayoutError], said: str | None
) -> None:
    """The error is of the right kind, no other host was asked, and a retry works."""
    prepare(lab)
    with lab.open() as repository:

        def ask() -> object:
            return repository.tags(), repository.referrers(lab.root.digest)

        with pytest.raises(error, match=said) as caught:
            ask()
        assert type(caught.value) is error
        assert lab.other.requests == []
        lab.registry.behave()
        assert ask() == (("right", "v1"), ())


NO_LISTS: dict[str, Callable[[Lab], Fault]] = {
    **{
        f"answers {status}": lambda _, status=status: fault.refuse(status)  # type: ignore[misc]
        for status in (400, 403, 404, 405, 406, 410, 415, 422, 501)
    },
    "is a web page": lambda _: fault.answer(200, HTML, media_type="text/html"),
    "is some JSON": lambda _: fault.answer(200, b"{}", media_type="application/json"),
    "is nothing": lambda _: fault.answer(204),
    "leads to another host": lambda lab: fault.redirect(lab.other.url, keep_path=True),
    "leads to a file": lambda _: fault.redirect("file:///etc/passwd"),
    "leads nowhere": lambda _: fault.answer(307),
    "leads in a circle": lambda _: fault.redirect_forever(302),
}


@pytest.mark.spec("distribution:referrers-fallback")
@pytest.mark.parametrize("how", NO_LISTS.values(), ids=NO_LISTS)
def test_what_is_no_referrers_api_is_not_an_error(lab: Lab, how: Callable[[Lab], Fault]) -> None:
    """The fallback tag is read, no other host is asked, and a copy takes the referrers along."""
    about = Manifest(
        artifact_type="a/b", config=Descriptor.of(CONFIG, OCI_CONFIG), subject=lab.root
    )
    data = encode(about)
    listed = Descriptor.of(data, OCI_MANIFEST)
    tag = str(lab.root.digest).replace(":", "-")
    lab.registry.put_manifests(NAME, [data, encode(Index(manifests=[listed]))], tag=tag)
    lab.lie("referrers", how(lab))
    with lab.open() as repository:
        assert [one.digest for one in repository.referrers(lab.root.digest)] == [listed.digest]
        copy(repository, "v1", lab.target, referrers=True)
    assert [one.digest for one in lab.target.referrers(lab.root.digest)] == [listed.digest]
    assert lab.other.requests == []


@pytest.mark.parametrize("on", ["tags", "referrers"])
def test_an_endless_list_is_given_up(lab: Lab, on: str) -> None:
    """A list of endless pages is an error that names the limit."""
    lab.limit(pages=10).lie(on, fault.endless("manifests" if on == "referrers" else on))
    with lab.open() as repository, pytest.raises(LimitExceededError) as caught:
        _ = repository.tags(), repository.referrers(lab.root.digest)
    assert (caught.value.what, caught.value.limit) == ("pages", 10)
    assert len(lab.registry.requests) <= 12


# ------------------------------------------------------------------ out of TLS


def pull(repository: Repository, target: Layout) -> None:
    copy(repository, "v1", target)


def push(repository: Repository, _target: Layout) -> None:
    repository.blobs.put(b"new", media_type=OCI_LAYER)


Work = Callable[[Repository, Layout], None]
WAYS_OUT: dict[str, tuple[str, Callable[[LoopbackRegistry], Fault], Work, type[RegistryError]]] = {
    "a redirect": (
        "GET blob",
        lambda other: fault.redirect(other.url, keep_path=True),
        pull,
        RegistryError,
    ),
    "a token server": (
        "manifest",
        lambda other: fault.refuse(
            401, headers={"WWW-Authenticate": f'Bearer realm="{other.url}/token"'}
        ),
        pull,
        AuthError,
    ),
    "an upload": (
        "POST uploads",
        lambda other: fault.header("Location", f"{other.url}{V2}/blobs/uploads/1"),
        push,
        RegistryError,
    ),
}


@pytest.mark.parametrize(("on", "spoil", "work", "error"), WAYS_OUT.values(), ids=WAYS_OUT)
def test_tls_is_not_left(
    lab: Lab,
    tmp_path: Path,
    on: str,
    spoil: Callable[[LoopbackRegistry], Fault],
    work: Work,
    error: type[RegistryError],
) -> None:
    """A redirect from https to http is not followed, and the other host gets no request."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with (
        LoopbackRegistry(ssl_context=context) as registry,
        Repository(
            f"{registry.host}/{NAME}",
            plain_http=False,
            credentials=ANN,
            ca_certs=tmp_path / "ca.pem",
            timeout=60,
        ) as repository,
    ):
        fill(registry, lab.registry)
        registry.misbehave(on, spoil(lab.other))
        with pytest.raises(error, match="not encrypted"):
            work(repository, lab.target)
        assert lab.other.requests == []
        assert lab.target.tags() == ("kept",)
        require_sound(lab.target)


# ------------------------------------------------------------------ what does no harm


HARMLESS: dict[str, Callable[[Lab], object]] = {
    "it is broken for a moment": lambda lab: lab.lie("GET", fault.refuse(500), times=3),
    "it is overloaded for a moment": lambda lab: lab.lie(
        "manifest", fault.refuse(503, headers={"Retry-After": "7"}), times=2
    ),
    "there are too many requests for a moment": lambda lab: lab.lie(
        "GET blob", fault.refuse(429, headers={"Retry-After": "7"}), times=3
    ),
    "layers are cut": lambda lab: lab.lie("GET blob", fault.cut(70_000)),
    "layers are cut, and begin anew": lambda lab: lab.lie(
        "GET blob", fault.cut(70_000), times=2
    ).lie("GET blob", fault.ignore(header="Range")),
    "a length is too small, and the rest comes later": lambda lab: lab.lie(
        "GET blob", fault.overflow(b"rest")
    ),
    "layers come in chunks": lambda lab: lab.lie("GET blob", fault.chunked()),
    "layers come from elsewhere": lambda lab: lab.serve_elsewhere().lie(
        "GET blob", fault.redirect(lab.other.url, keep_path=True)
    ),
    "no header says a digest": lambda lab: lab.lie(
        "manifest", fault.header("Docker-Content-Digest", None)
    ),
    **{
        f"a question is written {demand}": lambda lab, demand=demand: lab.lie(  # type: ignore[misc]
            "manifest", fault.refuse(401, headers={"WWW-Authenticate": demand}), times=1
        )
        for demand in (
            "Basic realm=/",
            "Basic realm=a/b?c=d",
            'Basic realm="a", realm="b"',
            '(x), Basic realm="a"',
            'Basic realm="a", charset="open',
        )
    },
    **{
        f"{status} answers HEAD": lambda lab, status=status: lab.lie(  # type: ignore[misc]
            "HEAD manifest", fault.refuse(status)
        )
        for status in (400, 403, 500, 501)
    },
    "HEAD is not there": lambda lab: lab.lie("HEAD manifest", fault.refuse(405)),
    "tokens expire on the way": lambda lab: lab.guard().lie(
        "blob", fault.after(lab.tokens.expire), times=1
    ),
    "a connection breaks before the answer": lambda lab: lab.lie(
        "manifest", fault.hang_up(), times=1
    ),
    "a warning stands there": lambda lab: lab.lie(
        "manifest", fault.header("Warning", '299 - "go away"')
    ),
    "types have parameters": lambda lab: lab.lie(
        "manifest", fault.header("Content-Type", f"{OCI_INDEX}; charset=utf-8"), reference="v1"
    ),
}


@pytest.mark.parametrize("prepare", HARMLESS.values(), ids=HARMLESS)
def test_what_does_no_harm_is_not_an_error(lab: Lab, prepare: Callable[[Lab], object]) -> None:
    """If the right bytes arrive, the pull succeeds."""
    prepare(lab)
    lab.pull()
    assert lab.target.resolve("v1") == lab.root
    assert lab.target.check() == ()
    require_secrets_kept(lab)
