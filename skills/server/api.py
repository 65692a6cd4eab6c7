"""The endpoints: each reads its request, lets the service do it in a thread, and answers."""

from __future__ import annotations

import logging
import os
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from ocilayout import OciLayoutError
from skills.answer import build_answer, content_answer, installed_answer, validation_answer
from skills.builds import require_build
from skills.errors import NotALocalBuildError, NotInstalledError, SkillError, TooLargeError
from skills.install import ARCHIVE_PREFIX, is_name
from skills.server.gate import Gate
from skills.server.message import error_reply, json_reply, read_fields, status_of
from skills.validation import check_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request

    from skills.install import InstalledSkill
    from skills.server.message import Fields
    from skills.service import SkillService

    Endpoint = Callable[[Request], Awaitable[Response]]

PREFIX: Final = "/api/v1beta/skills"
"""The path below which all endpoints are."""

SHORT: Final = 60.0
"""How long a request may take that does not need a registry, and a body to arrive, in seconds."""

LONG: Final = 660.0
"""How long a build may take, and a request that needs a registry, in seconds."""

_LOG: Final = logging.getLogger(__name__)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # as Go's ParseBool


def application(
    service: SkillService, *, hosts: Iterable[str] = (), short: float = SHORT, long: float = LONG
) -> Starlette:
    """Return the endpoints of a service as an ASGI application.

    Args:
        service: The service; its calls run in threads.
        hosts: As for `Gate`.
        short: As `SHORT`.
        long: As `LONG`.
    """
    api = _Api(service, short, long)
    app = Starlette(
        routes=[
            Route(f"{PREFIX}{path}", endpoint, methods=[method])
            for method, path, endpoint in api.endpoints()
        ],
        middleware=[Middleware(Gate, hosts=tuple(hosts))],
        exception_handlers={
            HTTPException: _refused,
            SkillError: api.failed,
            OciLayoutError: api.failed,
            OSError: api.failed,
            Exception: _broken,
        },
    )
    app.router.redirect_slashes = False
    return app


class _Api:
    """The endpoints of one service."""

    def __init__(self, service: SkillService, short: float, long: float) -> None:
        self._service = service
        self._short = short
        self._long = long

    def endpoints(self) -> Iterable[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint; the first that fits a request answers it."""
        return (
            ("GET", "", self.list),
            ("GET", "/", self.list),
            ("POST", "", self.install),
            ("POST", "/", self.install),
            ("POST", "/validate", self.validate),
            ("POST", "/build", self.build),
            ("POST", "/push", self.push),
            ("POST", "/sync", self.lock_file),
            ("POST", "/upgrade", self.lock_file),
            ("GET", "/builds", self.builds),
            ("DELETE", "/builds/{tag:path}", self.delete_build),
            ("GET", "/content", self.content),
            ("GET", "/{name}", self.info),
            ("DELETE", "/{name}", self.uninstall),
        )

    # ------------------------------------------------------------ what is installed

    async def list(self, request: Request) -> Response:
        query = request.query_params
        _require_no_group(query.get("group"))
        found = await self._run(
            self._service.list_installed,
            scope=query.get("scope") or None,
            client=query.get("client") or None,
            project_root=_root(query.get("project_root")),
        )
        return json_reply({"skills": [installed_answer(skill) for skill in found]})

    async def install(self, request: Request) -> Response:
        fields = await self._fields(request)
        _require_no_group(fields.text("group"))
        name = fields.text("name")
        scope, root = fields.text("scope") or None, _root(fields.text("project_root"))
        if name.startswith(ARCHIVE_PREFIX):
            _path(name.removeprefix(ARCHIVE_PREFIX), "the path of an archive")
        # A skill in a project runs for all who work on it. ToolHive refuses unsigned skills there
        # unless it is told to take them, and signatures are not verified here.
        in_project = scope == "project" or (scope is None and root is not None)
        builds_only = in_project and not fields.flag("allow_unsigned")
        try:
            found = await self._run_long(
                self._service.install,
                name,
                version=fields.text("version") or None,
                clients=fields.texts("clients"),
                scope=scope,
                project_root=root,
                force=fields.flag("force"),
                builds_only=builds_only,
            )
        except NotALocalBuildError as error:
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"{name!r} was not built here, and signatures are not verified; send"
                " allow_unsigned to install it all the same",
            ) from error
        answer: dict[str, Any] = {"skill": installed_answer(found)}
        if in_project and not builds_only and not await self._run(self._is_build, name, found):
            answer["unsigned"] = True
        place = {"Location": f"{PREFIX}/{quote(found.name)}"}
        return json_reply(answer, HTTPStatus.CREATED, headers=place)

    def _is_build(self, source: str, skill: InstalledSkill) -> bool:
        """Tell whether an installed skill was asked for by a bare name, and was built here."""
        try:
            require_build(self._service.layout, skill.reference, skill.digest)
        except NotALocalBuildError:
            return False
        return is_name(source)

    async def info(self, request: Request) -> Response:
        name, scope, root = _installed(request)
        place = scope or ("user" if root is None else "project")
        if place == "project" and root is None:
            _bad("the scope project needs project_root")
        found = await self._run(self._service.list_installed, scope=place, project_root=root)
        for skill in found:
            if skill.name == name:
                answer = installed_answer(skill)
                return json_reply({"metadata": answer["metadata"], "installed_skill": answer})
        raise NotInstalledError(name, place)

    async def uninstall(self, request: Request) -> Response:
        name, scope, root = _installed(request)
        force = request.query_params.get("force") in _TRUE
        await self._run(self._service.uninstall, name, scope=scope, project_root=root, force=force)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def lock_file(self, request: Request) -> Response:
        del request
        return error_reply(
            HTTPStatus.NOT_IMPLEMENTED,
            "lock files of projects are not supported here; install skills by their references",
        )

    # ------------------------------------------------------------ what is built

    async def validate(self, request: Request) -> Response:
        fields = await self._fields(request)
        found = await self._run(self._service.validate, _path(fields.text("path"), "path"))
        return json_reply(validation_answer(found))

    async def build(self, request: Request) -> Response:
        fields = await self._fields(request)
        try:
            result = await self._run_long(
                self._service.build,
                _path(fields.text("path"), "path"),
                tag=fields.text("tag") or None,
                validate=not fields.flag("no_validate"),
            )
        except TooLargeError as error:  # a folder is the client's own, an artifact is not
            _bad(str(error))
        return json_reply({"reference": result.reference})

    async def push(self, request: Request) -> Response:
        fields = await self._fields(request)
        _require_no_signing(fields)
        reference = fields.text("reference")
        if not reference:
            _bad("reference is required")
        await self._run_long(self._service.push, reference)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def builds(self, request: Request) -> Response:
        del request
        found = await self._run(self._service.list_builds)
        return json_reply({"builds": [build_answer(build) for build in found]})

    async def delete_build(self, request: Request) -> Response:
        await self._run(self._service.delete_build, request.path_params["tag"])
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def content(self, request: Request) -> Response:
        reference = request.query_params.get("ref")
        if not reference:
            _bad("ref is required")
        refresh = request.query_params.get("refresh") in _TRUE
        found = await self._run_long(self._service.get_content, reference, refresh=refresh)
        return json_reply(content_answer(found))

    # ------------------------------------------------------------ how it is done

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer with an error; internal errors go to the log alone."""
        status = await anyio.to_thread.run_sync(status_of, error, self._service.layout)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("%s %s: %s", request.method, request.url.path, error)
        return error_reply(status, str(error))

    async def _fields(self, request: Request) -> Fields:
        with anyio.move_on_after(self._short):
            return await read_fields(request)
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")

    async def _run(self, call: Callable[..., Any], *arguments: object, **options: object) -> Any:  # noqa: ANN401
        return await _within(self._short, partial(call, *arguments, **options))

    async def _run_long(
        self, call: Callable[..., Any], *arguments: object, **options: object
    ) -> Any:  # noqa: ANN401
        return await _within(self._long, partial(call, *arguments, **options))


async def _within(seconds: float, call: Callable[[], Any]) -> Any:  # noqa: ANN401 # as it returns
    with anyio.move_on_after(seconds):
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
    raise HTTPException(
        HTTPStatus.GATEWAY_TIMEOUT,
        f"it was not done within {seconds:g} seconds, and goes on; look later what came of it",
    )


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 # what it is registered for
    reply = error_reply(error.status_code, error.detail)
    reply.headers.update(error.headers or {})
    return reply


async def _broken(request: Request, error: Exception) -> Response:
    """Answer after a defect; the server logs it with its traceback."""
    del request, error
    return error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, "")


def _installed(request: Request) -> tuple[str, str | None, str | None]:
    """Return the name in a path, and the scope and the root of a query."""
    name: str = request.path_params["name"]
    if reason := check_name(name):
        _bad(reason)
    query = request.query_params
    return name, query.get("scope") or None, _root(query.get("project_root"))


def _root(path: str | None) -> str | None:
    return _path(path, "project_root") if path else None


def _path(path: str, what: str) -> str:
    """Return an absolute path: clients do not have the working folder of the server."""
    if not os.path.isabs(path) or "\0" in path or ".." in path.split("/"):  # noqa: PTH117
        _bad(f"{what} must be an absolute path without '..'")
    return path


def _require_no_group(group: str | None) -> None:
    if group:
        raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, "groups are not supported here")


def _require_no_signing(fields: Fields) -> None:
    asked = [bool(fields.text("key")), bool(fields.text("identity_token")), fields.flag("no_sign")]
    if sum(asked) > 1:
        _bad("key, identity_token and no_sign exclude each other")
    if any(asked[:2]):
        raise HTTPException(
            HTTPStatus.NOT_IMPLEMENTED, "nothing is signed here; send no_sign, and sign afterwards"
        )


def _bad(reason: str) -> NoReturn:
    raise HTTPException(HTTPStatus.BAD_REQUEST, reason)
