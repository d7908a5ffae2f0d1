"""The web application: the routes of all rows, pages, files, and errors in JSON."""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import cache, partial
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from browser_use_async.api.endpoint_table import API_PREFIX, GET_TASK_STATUS
from browser_use_async.server.admin import ADMIN_ROUTES
from browser_use_async.server.app.dispatch import handler_of
from browser_use_async.server.app.file_routes import FileRoutes
from browser_use_async.server.app.metrics import Metrics
from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.http.access import (
    AllowedHosts,
    ClientCheck,
    check_direct_client,
    check_local_client,
    refuse_client,
)
from browser_use_async.server.http.access_log import CALL_OF_REQUEST, UNROUTED
from browser_use_async.server.http.authorization import Authorization
from browser_use_async.server.http.call_quota import CallQuota
from browser_use_async.server.http.connections import note_request
from browser_use_async.server.http.errors import http_error
from browser_use_async.server.http.responses import compact_json, json_response
from browser_use_async.server.http.routes import Route
from browser_use_async.server.http.submission_keys import advertise
from browser_use_async.server.keys.api_key import ApiKey, Scope
from browser_use_async.server.live_view.routes import add_live_routes
from browser_use_async.server.loops import log_failure
from browser_use_async.server.operations import API_ROUTES
from browser_use_async.server.operations.tasks import find_task
from browser_use_async.server.pages import (
    SCRIPT_PATH,
    SECTIONS,
    application_page,
    icon,
    missing_page,
    script,
)
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.tasks.deployment import Deployment
from browser_use_async.version import __version__

# The most bytes of a request body.
MAX_BODY = 1024 * 1024

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_logger = logging.getLogger(__name__)
_NOT_FOUND = "Not Found"
_OTHER_VERSION = (
    "This server serves Cloud API v1 (/api/v1) and not {version}: see docs/migrating.md"
)
_LATER_VERSION = re.compile(r"/api/(v[2-9])(?:/|$)")
_SERVER = "browser-use-async"
_ENCRYPTED_ONLY = "max-age=31536000"  # a year, for this host alone


def build_application(
    server: RunningServer,
    authorization: Authorization,
    hosts: AllowedHosts,
    metrics: Metrics,
) -> web.Application:
    """Build the application of one server."""
    settings = server.settings
    check_client = refuse_client if settings.behind_proxy else check_local_client
    is_encrypted = settings.is_exposed and server.links.url.startswith("https:")
    answering = _answering(metrics, hosts, server.faults)
    application = web.Application(client_max_size=MAX_BODY, middlewares=[answering])
    quota = None if settings.max_calls is None else CallQuota(settings.max_calls)
    _add_routes(application, API_ROUTES, server, authorization, check_client, quota)
    _add_routes(application, ADMIN_ROUTES, server, authorization, check_client)
    _add_pages(application, server, authorization)
    _add_documents(application, server)
    metrics.add_routes(application, authorization)
    keys = server.deployment if settings.submission_keys else None
    application.on_response_prepare.append(_marking(keys, is_encrypted=is_encrypted))
    return application


def build_administration(
    server: RunningServer, authorization: Authorization, metrics: Metrics
) -> web.Application:
    """Build the application of a listener that is for administration alone."""
    answering = _answering(metrics, AllowedHosts((), any_address=False))
    application = web.Application(client_max_size=MAX_BODY, middlewares=[answering])
    _add_routes(application, ADMIN_ROUTES, server, authorization, check_direct_client)
    metrics.add_routes(application, authorization)
    application.on_response_prepare.append(_marking())
    return application


def _add_routes(
    application: web.Application,
    routes: Iterable[Route],
    server: RunningServer,
    authorization: Authorization,
    check_client: ClientCheck,
    quota: CallQuota | None = None,
) -> None:
    # The router tries addresses in this order, and no call is made more often.
    for route in sorted(routes, key=lambda each: each.endpoint is not GET_TASK_STATUS):
        handler = handler_of(route, server, authorization, check_client, quota)
        # By this name faults and the counts of requests know it.
        name = route.endpoint.name
        application.router.add_route(route.endpoint.method, route.path, handler, name=name)


def _marking(
    keys: Deployment | None = None,
    *,
    is_encrypted: bool = False,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What gives every response, also errors and streamed files, headers of this server.

    With `keys` the calls concerned say whether submission keys are kept.
    """

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        response.headers[hdrs.SERVER] = _SERVER  # without the versions of Python and aiohttp
        if is_encrypted:
            response.headers["Strict-Transport-Security"] = _ENCRYPTED_ONLY
        if response.headers.get(hdrs.CONTENT_TYPE, "").startswith(("image/", "video/")):
            response.headers["Cross-Origin-Resource-Policy"] = "same-site"
        if keys is not None and keys.keeps_keys:
            advertise(request, response)

    return mark


def _add_pages(
    application: web.Application, server: RunningServer, authorization: Authorization
) -> None:
    async def page(request: web.Request) -> web.Response:
        nodes = await server.handoff.origins()
        return application_page(server.links, server.runner.executor_name, nodes)

    async def tab_icon(request: web.Request) -> web.Response:
        return icon()

    async def page_script(request: web.Request) -> web.Response:
        return script(**request.match_info)

    # Two calls that the specification no longer has, and older programs still make.
    async def agent_version(request: web.Request) -> web.Response:
        return json_response(__version__)

    async def gif(request: web.Request, key: ApiKey) -> web.Response:
        await find_task(server.of(key.name), request.match_info["task_id"])
        return json_response({"gif": None})

    application.router.add_get("/", page, name="home_page")
    for path in SECTIONS:  # one document; its script shows what the address names
        name = "_".join(part for part in path.split("/")[1:] if not part.startswith("{"))
        one = "_of_one" if "{" in path and f"/{name}" in SECTIONS else ""
        application.router.add_get(path, page, name=f"page_{name}{one}")
    application.router.add_get("/icon.svg", tab_icon, name="icon")
    application.router.add_get(SCRIPT_PATH, page_script, name="page_script")
    application.router.add_get(
        f"{API_PREFIX}/browser-use-version", agent_version, name="browser_use_version"
    )
    guarded = authorization.guard("task_gif", [Scope.READ], gif)
    application.router.add_get(f"{API_PREFIX}/task/{{task_id}}/gif", guarded, name="task_gif")
    files = FileRoutes(server)
    application.router.add_put("/uploads/{file_name}", files.upload, name="upload")
    application.router.add_get("/files/{task_id}/{file_name}", files.download, name="file")
    add_live_routes(application, server, authorization)


def _add_documents(application: web.Application, server: RunningServer) -> None:
    for name, path, file in (
        ("openapi_document", "/openapi.json", "openapi.json"),
        # Where the service's documentation pointed to.
        ("openapi_document_v1", f"{API_PREFIX}/openapi.json", "openapi.json"),
        ("openapi_document_admin", "/admin/openapi.json", "openapi_admin.json"),
    ):
        application.router.add_get(path, partial(_document, file, server.links.url), name=name)


async def _document(file: str, url: str, _request: web.Request) -> web.Response:
    return json_response(_openapi(file, url))


@cache
def _openapi(file: str, url: str) -> bytes:
    """An OpenAPI document with the address of a server; `make openapi` writes these files."""
    document = json.loads(Path(__file__).with_name(file).read_bytes())
    return compact_json({**document, "servers": [{"url": url}]})


def _answering(
    metrics: Metrics,
    hosts: AllowedHosts,
    faults: FaultInjector | None = None,
) -> Middleware:
    """The one middleware: host, count, faults, and errors as answers."""

    @web.middleware
    async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
        note_request(request)
        # The first of all: whatever else a request wants, it wants it from this server.
        if (refusal := hosts.refusal(request)) is not None:
            return refusal
        match = request.match_info
        # As in the service's framework, no path parameter may contain a slash, even an escaped one.
        misfit = "%" in request.raw_path and any("/" in value for value in match.values())
        unrouted = misfit or match.http_exception is not None
        name = UNROUTED if unrouted else match.route.name or UNROUTED
        request[CALL_OF_REQUEST] = name
        metrics.requests[name] += 1
        if misfit:
            response: web.StreamResponse = _not_found(request)
        elif faults is None or not faults.faults:
            response = await _answer_errors(request, handler)
        else:
            # Errors are answered inside the faults, which apply to error responses too, and
            # outside, for bodies that are too large for the faults to read.
            inside = partial(_answer_errors, handler=handler)
            response = await _answer_errors(request, partial(faults.answer, proceed=inside))
        metrics.answers[name, response.status] += 1
        return response

    return answer


async def _answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return _not_found(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return json_response({"detail": "Method Not Allowed"}, 405, allowed)
    except web.HTTPRequestEntityTooLarge:
        return json_response({"detail": f"The body has more than {MAX_BODY} bytes"}, 413)
    except Exception as error:  # noqa: BLE001 - whatever it is, the server lives
        if (refusal := http_error(error)) is not None:
            return json_response(refusal.body, refusal.status, refusal.headers)
        if error is request.content.exception():  # the client has gone, or sent no such encoding
            return json_response({"detail": "The body cannot be read"}, 400)
        log_failure(_logger, f"{request.method} {request.match_info.route.name}", error)
        return web.Response(text="Internal Server Error", status=500)


def _not_found(request: web.Request) -> web.Response:
    """JSON for programs, and words for who typed the address."""
    is_typed = request.method == "GET" and "text/html" in request.headers.get(hdrs.ACCEPT, "")
    if is_typed and not request.path.startswith((API_PREFIX, "/admin/", "/files/")):
        return missing_page()
    later = _LATER_VERSION.match(request.path)
    detail = _NOT_FOUND if later is None else _OTHER_VERSION.format(version=later[1])
    return json_response({"detail": detail}, 404)
