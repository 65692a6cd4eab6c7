"""The registry itself: who may ask, what is answered in order, and what is made of that."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from ocilayout.testing.registry.blob import delete_blob, get_blob
from ocilayout.testing.registry.content import Holdings
from ocilayout.testing.registry.endpoint import locate
from ocilayout.testing.registry.exchange import Answer, HangUpError, Request, refusal, reply
from ocilayout.testing.registry.fault import Stall
from ocilayout.testing.registry.listing import list_referrers, list_repositories, list_tags
from ocilayout.testing.registry.manifest import delete_manifest, get_manifest, put_manifest
from ocilayout.testing.registry.rule import Fault, Rule
from ocilayout.testing.registry.upload import (
    append_upload,
    begin_upload,
    cancel_upload,
    finish_upload,
    show_upload,
)
from ocilayout.testing.registry.wire import Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ocilayout.testing.registry.auth import Auth

    Handle = Callable[[Holdings, Request], Answer]


class LoopbackRegistry(Holdings):
    """A registry on loopback, serving while it is entered; made to test clients.

    It speaks the distribution-spec 1.1, and believes what it is sent no more than a real registry
    does. A blob is to be had only from repositories that it was pushed to or mounted in. What it
    holds is in `blobs`, `manifests`, `tags` and `uploads`, and may be changed at any time.

        with LoopbackRegistry() as registry:
            layer = registry.put_blob("team/app", b"layer")
            registry.misbehave("GET blob", fault.cut(after=3), reference=layer.digest, times=1)
            ...                             # pull from registry.host with the client under test
            assert ("GET", f"/v2/team/app/blobs/{layer.digest}") in registry.requests

    Attributes:
        requests: Every request, in order of arrival; each compares like the pair of its method
            and path, and has query, headers and body besides.
        received: Every body that a client sent, in order of arrival.
        auth: Who may do what; `None` lets everybody do everything.
        referrers_api: Whether it has the referrers API.
        subject_header: Whether it says that it took note of a subject, by `OCI-Subject`.
        tag_by_digest: Whether it sets the tags in the query of a manifest that is pushed by digest,
            and says so, by `OCI-Tag`.
        page_size: How many entries a page of a list has at most; `None` for no limit.
    """

    def __init__(
        self,
        *,
        auth: Auth | None = None,
        ssl_context: ssl.SSLContext | None = None,
        referrers_api: bool = True,
        subject_header: bool = True,
        tag_by_digest: bool = True,
        page_size: int | None = None,
    ) -> None:
        """Prepare; it serves once it is entered.

        Args:
            auth: A `BasicAuth` or a `TokenAuth`; `None` lets everybody do everything.
            ssl_context: How to do TLS, with a certificate for 127.0.0.1; `None` does without.
            referrers_api: Whether to have the referrers API; if not, it answers 404 there.
            subject_header: Whether to answer a push of a manifest with a subject with
                `OCI-Subject`. A registry has both or none; one of them alone is a fault.
            tag_by_digest: Whether to set the tags in the query of a manifest that is pushed by
                digest, and to answer with `OCI-Tag`; if not, it stores the manifest alone.
            page_size: How many entries a page of a list has at most, > 0; `None` for no limit.
        """
        super().__init__()
        self.auth = auth
        self.referrers_api = referrers_api
        self.subject_header = subject_header
        self.tag_by_digest = tag_by_digest
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
        """Where it listens, as `127.0.0.1:port`.

        Raises:
            RuntimeError: It is not serving.
        """
        if self._server is None:
            raise RuntimeError("the registry serves only inside its with block")
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Its address, as `http://127.0.0.1:port`; `https` with TLS.

        Raises:
            RuntimeError: It is not serving.
        """
        return f"{'http' if self._ssl_context is None else 'https'}://{self.host}"

    def __enter__(self) -> Self:
        self._server = Server(self._respond, self._take, self._ssl_context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving.

        Raises:
            ExceptionGroup: A fault of the test's own making raised something, and nothing else
                went wrong.
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

    def misbehave(  # what a request is told by
        self,
        on: str,
        fault: Fault,
        *,
        name: str | None = None,
        reference: str | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Misbehave from now on, whenever a certain kind of request arrives.

        Several faults that one request meets are applied in the order in which they were given:
        the first is told what the registry answers, the next what the first made of it.

        Args:
            on: A method and what the request is for, or one of both: `GET blob`, `HEAD manifest`,
                `PATCH upload`, `tags`. What requests are for is in `ENDPOINTS`.
            fault: What happens, most likely from `ocilayout.testing.registry.fault`.
            name: Only in this repository.
            reference: Only for this tag, digest or upload, as it stands at the end of the path.
            skip: How many requests to let pass before the first that meets the fault, >= 0.
            times: How many requests meet it, >= 0; `None` for all.

        Returns:
            The rule, which counts the requests that met it.

        Raises:
            ValueError: `on` names no method or no endpoint.
        """
        rule = Rule(on, fault, name=name, reference=reference, skip=skip, times=times)
        if isinstance(fault, Stall):
            self._stalls.append(fault)
        self._rules.append(rule)
        return rule

    def behave(self) -> None:
        """Forget all faults."""
        self._rules.clear()

    # ------------------------------------------------------------ answering

    def _take(self, body: bytes) -> None:
        self.received.append(body)

    def _respond(self, request: Request) -> Answer:
        locate(request)
        self.requests.append(request)
        proceed = partial(self._answer, request)
        for rule in tuple(self._rules):
            if rule.takes(request):
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

    def _handlers(self, endpoint: str) -> Mapping[str, Handle]:
        """Return what is done at an endpoint, by method; nothing where there is none."""
        size = self.page_size
        put = partial(
            put_manifest, note_subject=self.subject_header, tag_by_digest=self.tag_by_digest
        )
        found: dict[str, Mapping[str, Handle]] = {
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
            found["referrers"] = {"GET": partial(list_referrers, page_size=size)}
        return found.get(endpoint, {})


def _greet(_held: Holdings, _request: Request) -> Answer:
    headers = {"Docker-Distribution-API-Version": "registry/2.0"}
    return reply(HTTPStatus.OK, b"{}", media_type="application/json", headers=headers)
