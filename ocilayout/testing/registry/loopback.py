"""The registry: it checks permissions, answers correctly, and applies the faults of a test."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from ocilayout.signature import checked
from ocilayout.testing.registry.fault import Stall
from ocilayout.testing.registry.pull import (
    get_blob,
    get_manifest,
    list_referrers,
    list_repositories,
    list_tags,
)
from ocilayout.testing.registry.push import (
    append_upload,
    begin_upload,
    cancel_upload,
    delete_blob,
    delete_manifest,
    finish_upload,
    put_manifest,
    show_upload,
)
from ocilayout.testing.registry.reply import Answer, HangUpError, refusal, reply
from ocilayout.testing.registry.request import Fault, Request, Rule
from ocilayout.testing.registry.storage import Storage
from ocilayout.testing.registry.wire import Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ocilayout.testing.registry.permission import Auth

    Handler = Callable[[Storage, Request], Answer]


@checked
class LoopbackRegistry(Storage):
    """A registry on loopback to test clients with; it serves inside its `with` block.

    It speaks the distribution-spec 1.1, and checks what clients send as a real registry does. It
    serves a blob only from repositories that the blob was pushed to or mounted in. Its content is
    in `blobs`, `manifests`, `tags` and `uploads`, and may be changed at any time.

        with LoopbackRegistry() as registry:
            layer = registry.put_blob("team/app", b"layer")
            registry.misbehave("GET blob", fault.cut(after=3), reference=layer.digest, times=1)
            ...                             # pull from registry.host with the client under test
            assert ("GET", f"/v2/team/app/blobs/{layer.digest}") in registry.requests

    Attributes:
        requests: Every request, in order of arrival; each compares like the pair of its method
            and path, and also has query, headers and body.
        received: Every body that a client sent, in order of arrival.

    The arguments of the constructor are attributes as well, and may be changed.
    """

    def __init__(
        self,
        *,
        auth: Auth | None = None,
        ssl_context: ssl.SSLContext | None = None,
        referrers_api: bool = True,
        subject_header: bool = True,
        tag_by_digest: bool = True,
        sparse_indexes: bool = False,
        page_size: int | None = None,
    ) -> None:
        """Create a registry, which does not serve yet.

        Args:
            auth: A `BasicAuth` or a `TokenAuth`; `None` allows every request.
            ssl_context: The context for TLS, with a certificate for 127.0.0.1; `None` for http.
            referrers_api: Whether to have the referrers API; if not, it answers 404.
            subject_header: Whether to answer a push of a manifest with a subject with
                `OCI-Subject`. A correct registry has both or neither of the last two.
            tag_by_digest: Whether to set the tags in the query of a push of a manifest by digest,
                and to answer with `OCI-Tag`; if not, the query is ignored.
            sparse_indexes: Whether to take an index that lists manifests that are not there.
            page_size: The most entries on a page of a list, > 0; `None` for no limit.
        """
        super().__init__()
        self.auth = auth
        self.referrers_api = referrers_api
        self.subject_header = subject_header
        self.tag_by_digest = tag_by_digest
        self.sparse_indexes = sparse_indexes
        self.page_size = page_size
        self.requests: list[Request] = []
        self.received: list[bytes] = []
        self._ssl_context = ssl_context
        self._rules: list[Rule] = []
        self._stalls: list[Stall] = []
        self._server: Server | None = None

    # ------------------------------------------------------------ serving

    @property
    def host(self) -> str:
        """The host and port, as `127.0.0.1:port`.

        Raises:
            RuntimeError: The registry is not serving.
        """
        if self._server is None:
            raise RuntimeError("the registry serves only inside its with block")
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The address, as `http://127.0.0.1:port`; `https` with TLS.

        Raises:
            RuntimeError: The registry is not serving.
        """
        return f"{'http' if self._ssl_context is None else 'https'}://{self.host}"

    def __enter__(self) -> Self:
        self._server = Server(self._respond, self.received.append, self._ssl_context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving.

        Raises:
            ExceptionGroup: A fault that the test made raised an exception, and the block did not.
        """
        if self._server is None:
            return
        for stall in self._stalls:
            stall.release()
        server, self._server = self._server, None
        server.stop()
        if server.failures and error is None:
            raise ExceptionGroup("the registry failed to answer", server.failures)

    # ------------------------------------------------------------ misbehaving

    def misbehave(
        self,
        on: str,
        fault: Fault,
        *,
        name: str | None = None,
        reference: str | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Misbehave from now on when a certain kind of request arrives.

        Several faults for one request are applied in the order in which they were given: the first
        gets the registry's answer, the next gets what the first made of it.

        Args:
            on: A method and an endpoint, or one of both: `GET blob`, `HEAD manifest`,
                `PATCH upload`, `tags`. See `ENDPOINTS`.
            fault: The fault, such as one of `ocilayout.testing.registry.fault`.
            name: Only for requests in this repository.
            reference: Only for requests with this tag, digest or upload at the end of the path.
            skip: How many such requests to answer correctly at first, >= 0.
            times: How many requests meet the fault, >= 0; `None` for all.

        Returns:
            The rule, which counts the requests that met it.

        Raises:
            ValueError: `on` is not a method and an endpoint.
        """
        rule = Rule(on, fault, name, reference, skip, times)
        if isinstance(fault, Stall):
            self._stalls.append(fault)
        self._rules.append(rule)
        return rule

    def behave(self) -> None:
        """Remove all faults."""
        self._rules.clear()

    # ------------------------------------------------------------ answering

    def _respond(self, request: Request) -> Answer:
        self.requests.append(request)
        proceed = partial(self._answer, request)
        for rule in tuple(self._rules):
            if rule.matches(request):
                proceed = partial(rule.fault, request, proceed)
        return proceed()

    def _answer(self, request: Request) -> Answer:
        if request.endpoint == "token":
            if self.auth is None:
                return refusal(HTTPStatus.NOT_FOUND, "UNSUPPORTED")
            return self.auth.grant(request)
        if self.auth is not None:
            challenge = self.auth.challenge(request, self.url)
            if challenge is not None:
                return challenge
        request.receive()
        if not request.whole and request.endpoint != "upload":
            raise HangUpError
        handlers = self._handlers(request.endpoint)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if not handlers:
            return refusal(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
        if handler is None:
            allowed = {"Allow": ", ".join(handlers)}
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", headers=allowed)
        return handler(self, request)

    def _handlers(self, endpoint: str) -> Mapping[str, Handler]:
        """Return the handlers of an endpoint by method; none if it does not exist."""
        size = self.page_size
        put = partial(
            put_manifest,
            subject_header=self.subject_header,
            tag_by_digest=self.tag_by_digest,
            sparse_indexes=self.sparse_indexes,
        )
        handlers: dict[str, Mapping[str, Handler]] = {
            "api": {"GET": _greet},
            "catalog": {"GET": partial(list_repositories, page_size=size)},
            "tags": {"GET": partial(list_tags, page_size=size)},
            "manifest": {"GET": get_manifest, "PUT": put, "DELETE": delete_manifest},
            "blob": {"GET": get_blob, "DELETE": delete_blob},
            "uploads": {"POST": begin_upload},
            "upload": {
                "GET": show_upload,
                "PATCH": append_upload,
                "PUT": finish_upload,
                "DELETE": cancel_upload,
            },
        }
        if self.referrers_api:
            handlers["referrers"] = {"GET": partial(list_referrers, page_size=size)}
        return handlers.get(endpoint, {})


def _greet(_storage: Storage, _request: Request) -> Answer:
    headers = {"Docker-Distribution-API-Version": "registry/2.0"}
    return reply(HTTPStatus.OK, b"{}", media_type="application/json", headers=headers)
