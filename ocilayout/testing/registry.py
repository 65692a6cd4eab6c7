"""A registry on loopback that lives as long as a test: real HTTP, content in memory.

It speaks the part of the distribution-spec that pushing and pulling takes. It believes what it is
sent no more than a real one does: digests are checked, and a manifest's parts must be there.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from ocilayout.codec import encode
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest, is_digest
from ocilayout.errors import OciLayoutError
from ocilayout.graph import successors
from ocilayout.index import Index
from ocilayout.mediatype import OCI_INDEX
from ocilayout.referrer import describe_referrer
from ocilayout.rules import decode_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_NAME = r"(?P<name>[a-z0-9._/-]+)"
_MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/(?P<ref>[^/]+)")
_BLOB = re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>[^/]+)")
_UPLOADS = re.compile(rf"/v2/{_NAME}/blobs/uploads/")
_UPLOAD = re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<session>[0-9a-f]+)")
_TAGS = re.compile(rf"/v2/{_NAME}/tags/list")
_REFERRERS = re.compile(rf"/v2/{_NAME}/referrers/(?P<digest>[^/]+)")


class LoopbackRegistry:
    """A registry, serving while it is entered.

    Attributes:
        blobs: All blobs by digest, whatever repository they were pushed to.
        manifests: Media type and bytes of every manifest, by repository and digest.
        tags: The digest of every tag, by repository and tag.
        received: Every body that a client sent, in order of arrival.
        requests: Method and path of every request, in order of arrival.
        referrers_api: Whether it has the referrers API.
        subject_header: Whether it says that it took note of a subject, by `OCI-Subject`.
    """

    def __init__(self, *, referrers_api: bool = True, subject_header: bool = True) -> None:
        """Prepare; it serves once it is entered.

        Args:
            referrers_api: Whether to have the referrers API; if not, it answers 404 there.
            subject_header: Whether to answer a push of a manifest with a subject with
                `OCI-Subject`. A registry has both or none; one of them alone is a fault.
        """
        self.referrers_api = referrers_api
        self.subject_header = subject_header
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.received: list[bytes] = []
        self.requests: list[tuple[str, str]] = []
        self.uploads: dict[str, bytes] = {}
        self._server: _Server | None = None

    @property
    def host(self) -> str:
        """Where it listens, as `127.0.0.1:port`.

        Raises:
            RuntimeError: It is not serving.
        """
        if self._server is None:
            raise RuntimeError("the registry serves only inside its with block")
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def has_parts(self, media_type: str, data: bytes) -> bool:
        """Tell whether a manifest can be read, and all that it is made of was pushed."""
        try:
            document = decode_document(data, Descriptor.of(data, media_type))
        except OciLayoutError:
            return False
        known = {digest for _, digest in self.manifests} | self.blobs.keys()
        return all(part.digest in known for part in successors(document))

    def referrers(self, name: str, digest: str) -> list[Descriptor]:
        """Return the manifests of a repository that have a digest as their subject."""
        found = []
        for (repository, _), (media_type, data) in sorted(self.manifests.items()):
            descriptor = Descriptor.of(data, media_type)
            document = decode_document(data, descriptor)
            subject = document.subject
            if repository == name and subject is not None and subject.digest == digest:
                found.append(describe_referrer(descriptor, document))
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: LoopbackRegistry


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] # made by it
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Keep quiet; `LoopbackRegistry.requests` has it all."""

    def do_HEAD(self) -> None:
        """Answer like GET without a body."""
        self._route()

    def do_GET(self) -> None:
        """Answer for the API's root, manifests, blobs and tags."""
        self._route()

    def do_POST(self) -> None:
        """Begin an upload."""
        self._route()

    def do_PATCH(self) -> None:
        """Take a chunk of an upload."""
        self._route()

    def do_PUT(self) -> None:
        """Take a manifest, or the end of an upload."""
        self._route()

    def _route(self) -> None:
        path = urlsplit(self.path).path
        self.server.registry.requests.append((self.command, path))
        body = self._body()
        if path == "/v2/":
            self._answer(HTTPStatus.OK, b"{}")
        elif match := _TAGS.fullmatch(path):
            self._tags(match["name"])
        elif (match := _REFERRERS.fullmatch(path)) and self.server.registry.referrers_api:
            self._referrers(match["name"], match["digest"])
        elif match := _MANIFEST.fullmatch(path):
            self._manifest(match["name"], match["ref"], body)
        elif _UPLOADS.fullmatch(path):
            self._begin(path)
        elif match := _UPLOAD.fullmatch(path):
            self._upload(path, match["session"], body)
        elif match := _BLOB.fullmatch(path):
            self._blob(match["digest"])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if body:
            self.server.registry.received.append(body)
        return body

    def _tags(self, name: str) -> None:
        tags = sorted(tag for repository, tag in self.server.registry.tags if repository == name)
        self._answer(HTTPStatus.OK, json.dumps({"name": name, "tags": tags}).encode())

    def _referrers(self, name: str, digest: str) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("artifactType")
        found = self.server.registry.referrers(name, digest)
        index = Index(
            manifests=[one for one in found if wanted is None or one.artifact_type in wanted]
        )
        extra = {} if wanted is None else {"OCI-Filters-Applied": "artifactType"}
        self._answer(HTTPStatus.OK, encode(index), OCI_INDEX, extra=extra)

    def _manifest(self, name: str, ref: str, body: bytes) -> None:
        registry = self.server.registry
        if self.command == "PUT":
            self._put_manifest(name, ref, body)
            return
        digest = ref if is_digest(ref) else registry.tags.get((name, ref), "")
        found = registry.manifests.get((name, digest))
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
        else:
            self._answer(HTTPStatus.OK, found[1], found[0], digest)

    def _put_manifest(self, name: str, ref: str, body: bytes) -> None:
        registry = self.server.registry
        media_type = self.headers.get("Content-Type", "")
        digest = Digest.of(body, Digest(ref).algorithm if is_digest(ref) else "sha256")
        if is_digest(ref) and digest != ref:
            self._refuse(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
        elif not registry.has_parts(media_type, body):
            self._refuse(HTTPStatus.BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN")
        else:
            registry.manifests[name, digest] = (media_type, body)
            if not is_digest(ref):
                registry.tags[name, ref] = digest
            subject = decode_document(body, Descriptor.of(body, media_type)).subject
            extra = {}
            if subject is not None and registry.subject_header:
                extra["OCI-Subject"] = str(subject.digest)
            self._created(f"/v2/{name}/manifests/{digest}", digest, extra)

    def _begin(self, path: str) -> None:
        session = secrets.token_hex(8)
        self.server.registry.uploads[session] = b""
        self._answer(HTTPStatus.ACCEPTED, b"", location=f"{path}{session}")

    def _upload(self, path: str, session: str, body: bytes) -> None:
        registry = self.server.registry
        if session not in registry.uploads:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
            return
        data = registry.uploads[session] + body
        if self.command == "PATCH":
            registry.uploads[session] = data
            self._answer(HTTPStatus.ACCEPTED, b"", location=path, size=len(data))
            return
        (digest,) = parse_qs(urlsplit(self.path).query).get("digest", [""])
        if not is_digest(digest) or Digest.of(data, Digest(digest).algorithm) != digest:
            self._refuse(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
            return
        del registry.uploads[session]
        registry.blobs[digest] = data
        self._created(path.partition("uploads/")[0] + digest, digest)

    def _blob(self, digest: str) -> None:
        data = self.server.registry.blobs.get(digest)
        if data is None:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
        else:
            self._answer(HTTPStatus.OK, data, "application/octet-stream", digest)

    def _created(self, location: str, digest: str, extra: Mapping[str, str] | None = None) -> None:
        self._answer(HTTPStatus.CREATED, b"", digest=digest, location=location, extra=extra)

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": status.phrase}]})
        self._answer(status, body.encode())

    def _answer(
        self,
        status: HTTPStatus,
        body: bytes,
        media_type: str = "application/json",
        digest: str = "",
        *,
        location: str = "",
        size: int = 0,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", media_type)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        if location:
            self.send_header("Location", location)
            self.send_header("Range", f"0-{max(size - 1, 0)}")
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
