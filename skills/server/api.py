"""The endpoints: each parses its request, calls the service in a thread, and replies."""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from ocilayout import OciLayoutError
from skills.errors import NotALocalBuildError, NotInstalledError, SkillError, TooLargeError
from skills.server.reply import error_reply, json_reply, status_of
from skills.server.request import (
    Gate,
    absolute,
    installed_of,
    read_fields,
    refuse,
    require_no_group,
    require_no_signing,
    root_of,
)
from skills.store import (
    ARCHIVE_PREFIX,
    build_answer,
    content_answer,
    installed_answer,
    is_name,
    require_build,
    validation_answer,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request

    from skills.install import InstalledSkill
    from skills.server.request import Fields
    from skills.store import SkillService

    Endpoint = Callable[[Request], Awaitable[Response]]

PREFIX: Final = "/api/v1beta/skills"
"""The path below which all endpoints are."""

SHORT: Final = 60.0
"""The time limit of a request that needs no registry, and of receiving a body, in seconds."""

LONG: Final = 660.0
"""The time limit of a build, and of a request that needs a registry, in seconds."""

_LOG: Final = logging.getLogger(__name__)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # as Go's ParseBool


def application(
    service: SkillService, *, hosts: Iterable[str] = (), short: float = SHORT, long: float = LONG
) -> Starlette:
    """Return the endpoints of a service as an ASGI application.

    Args:
        service: The service; its methods are called in threads.
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
        self._run = partial(_within, short)
        self._run_long = partial(_within, long)

    def endpoints(self) -> Iterable[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint; the first match replies to a request."""
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

    # ------------------------------------------------------------ installed skills

    async def list(self, request: Request) -> Response:
        query = request.query_params
        require_no_group(query.get("group"))
        skills = await self._run(
            self._service.list_installed,
            scope=query.get("scope") or None,
            client=query.get("client") or None,
            project_root=root_of(query.get("project_root")),
        )
        return json_reply({"skills": [installed_answer(skill) for skill in skills]})

    async def install(self, request: Request) -> Response:
        fields = await self._fields(request)
        require_no_group(fields.text("group"))
        name = fields.text("name")
        scope, root = fields.text("scope") or None, root_of(fields.text("project_root"))
        if name.startswith(ARCHIVE_PREFIX):
            absolute(name.removeprefix(ARCHIVE_PREFIX), "the path of an archive")
        # A skill in a project runs for everyone who works on it. ToolHive installs unsigned skills
        # there only with `allow_unsigned`, and no signature is verified here.
        in_project = scope == "project" or (scope is None and root is not None)
        builds_only = in_project and not fields.flag("allow_unsigned")
        try:
            skill = await self._run_long(
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
        answer: dict[str, Any] = {"skill": installed_answer(skill)}
        if in_project and not builds_only and not await self._run(self._is_build, name, skill):
            answer["unsigned"] = True
        location = {"Location": f"{PREFIX}/{quote(skill.name)}"}
        return json_reply(answer, HTTPStatus.CREATED, headers=location)

    def _is_build(self, source: str, skill: InstalledSkill) -> bool:
        """Tell whether an installed skill is a local build, and its source was a bare name."""
        try:
            require_build(self._service.layout, skill.reference, skill.digest)
        except NotALocalBuildError:
            return False
        return is_name(source)

    async def info(self, request: Request) -> Response:
        name, scope, root = installed_of(request)
        scope = scope or ("user" if root is None else "project")
        if scope == "project" and root is None:
            refuse("the scope project needs project_root")
        skills = await self._run(self._service.list_installed, scope=scope, project_root=root)
        for skill in skills:
            if skill.name == name:
                answer = installed_answer(skill)
                return json_reply({"metadata": answer["metadata"], "installed_skill": answer})
        raise NotInstalledError(name, scope)

    async def uninstall(self, request: Request) -> Response:
        name, scope, root = installed_of(request)
        force = request.query_params.get("force") in _TRUE
        await self._run(self._service.uninstall, name, scope=scope, project_root=root, force=force)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def lock_file(self, request: Request) -> Response:
        del request
        return error_reply(
            HTTPStatus.NOT_IMPLEMENTED,
            "lock files of projects are not supported here; install skills by their references",
        )

    # ------------------------------------------------------------ builds, and other skills

    async def validate(self, request: Request) -> Response:
        fields = await self._fields(request)
        result = await self._run(self._service.validate, absolute(fields.text("path"), "path"))
        return json_reply(validation_answer(result))

    async def build(self, request: Request) -> Response:
        fields = await self._fields(request)
        try:
            result = await self._run_long(
                self._service.build,
                absolute(fields.text("path"), "path"),
                tag=fields.text("tag") or None,
                validate=not fields.flag("no_validate"),
            )
        except TooLargeError as error:  # the client can correct its folder, but not an artifact
            refuse(str(error))
        return json_reply({"reference": result.reference})

    async def push(self, request: Request) -> Response:
        fields = await self._fields(request)
        require_no_signing(fields)
        reference = fields.text("reference")
        if not reference:
            refuse("reference is required")
        await self._run_long(self._service.push, reference)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def builds(self, request: Request) -> Response:
        del request
        builds = await self._run(self._service.list_builds)
        return json_reply({"builds": [build_answer(build) for build in builds]})

    async def delete_build(self, request: Request) -> Response:
        await self._run(self._service.delete_build, request.path_params["tag"])
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def content(self, request: Request) -> Response:
        reference = request.query_params.get("ref")
        if not reference:
            refuse("ref is required")
        refresh = request.query_params.get("refresh") in _TRUE
        content = await self._run_long(self._service.get_content, reference, refresh=refresh)
        return json_reply(content_answer(content))

    # ------------------------------------------------------------ errors and time limits

    async def failed(self, request: Request, error: Exception) -> Response:
        """Reply with an error; the text of an internal error goes only to the log."""
        status = await anyio.to_thread.run_sync(status_of, error, self._service.layout)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("%s %s: %s", request.method, request.url.path, error)
        return error_reply(status, str(error))

    async def _fields(self, request: Request) -> Fields:
        with anyio.move_on_after(self._short):
            return await read_fields(request)
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time")


async def _within(
    seconds: float, call: Callable[..., Any], *arguments: object, **options: object
) -> Any:  # noqa: ANN401 # as it returns
    with anyio.move_on_after(seconds):
        called = partial(call, *arguments, **options)
        return await anyio.to_thread.run_sync(called, abandon_on_cancel=True)
    raise HTTPException(
        HTTPStatus.GATEWAY_TIMEOUT,
        f"it takes longer than {seconds:g} seconds and continues; look later for its result",
    )


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 # what it is registered for
    reply = error_reply(error.status_code, error.detail)
    reply.headers.update(error.headers or {})
    return reply


async def _broken(request: Request, error: Exception) -> Response:
    """Reply after a defect, which the server logs with its traceback."""
    del request, error
    return error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, "")
